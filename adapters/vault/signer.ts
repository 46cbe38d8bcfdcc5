// Ed25519 signatures over certificates and checkpoints, by keys that never leave Vault, and their public halves as JWKs.

import { createHash } from "node:crypto";
import { LetheError } from "../../domain/errors.ts";
import { createBatcher } from "../batcher.ts";
import type { VaultClient } from "./client.ts";
import { createPublicKeys } from "./publicKeys.ts";

/** What there is a signing key for. */
export type SigningKey = "certificate" | "evidence" | "canary";

/**
 * RFC 8037; `kid` is the RFC 7638 thumbprint, so that no two deployments share one. `lethe_use` says what the key signs,
 * and verifiers take it for nothing else: whoever may only sign a canary's results makes no certificate.
 */
export type PublicJwk = {
	kty: "OKP";
	crv: "Ed25519";
	x: string;
	kid: string;
	alg: "EdDSA";
	use: "sig";
	lethe_use: SigningKey;
};

export type Signer = ReturnType<typeof createSigner>;

// A certificate is in no hurry, and a call to Vault costs as much for one signature as for many.
const gatherMs = 100;
// Vault refuses longer lists.
const batchItemsMax = 200;

/** `sign` is for the signer role; the public keys are for signer, api and admin. Throws LetheError as the client does. */
export function createSigner(deps: {
	vault: Pick<VaultClient, "read" | "write">;
	clock: () => number;
	/** What it signs: each has a key of its own, so that none can pass for another. */
	key?: SigningKey;
}) {
	const name = deps.key ?? "certificate";
	const signPath = `transit/sign/${name}`;
	const keys = createPublicKeys({ ...deps, name, toKey: (publicKey) => toJwk(publicKey, name) });

	const signInVault = createBatcher<Uint8Array, string>({
		itemsMax: batchItemsMax,
		inFlightMax: 2,
		gatherMs,
		run: async (inputs) => {
			const batch_input = inputs.map((bytes) => ({ input: Buffer.from(bytes).toString("base64") }));
			const answer = await deps.vault.write(signPath, { batch_input });
			const results = answer.data.batch_results as { signature?: string }[];
			return inputs.map((_, index) => results[index]?.signature ?? "");
		},
	});

	return {
		/** The 64 bytes of an Ed25519 signature, and the key that made it: its id, and `x` of its JWK. */
		async sign(bytes: Uint8Array): Promise<{ signature: Uint8Array; kid: string; x: string }> {
			const signed = await signInVault(bytes);
			const [, version, base64] = /^vault:v(\d+):([\w+/=]+)$/.exec(signed) ?? [];
			if (version === undefined || base64 === undefined) throw new LetheError("internal", { cause: "signature form" });
			const known = (await keys.get()).get(Number(version));
			const key = known ?? (await keys.refresh()).get(Number(version));
			if (key === undefined) throw new LetheError("internal", { cause: "signed by a key that Vault does not show" });
			return { signature: Buffer.from(base64, "base64"), kid: key.kid, x: key.x };
		},

		/** Every version's public key, the oldest first. */
		async publicJwks(): Promise<{ keys: PublicJwk[] }> {
			return { keys: [...(await keys.get()).values()] };
		},
	};
}

function toJwk(publicKey: string, signs: SigningKey): PublicJwk {
	const x = Buffer.from(publicKey, "base64").toString("base64url");
	const kid = createHash("sha256").update(`{"crv":"Ed25519","kty":"OKP","x":"${x}"}`).digest("base64url");
	return { kty: "OKP", crv: "Ed25519", x, kid, alg: "EdDSA", use: "sig", lethe_use: signs };
}
