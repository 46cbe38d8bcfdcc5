// Ed25519 signatures over certificates and checkpoints, by keys that never leave Vault, and their public halves as JWKs.

import { createHash } from "node:crypto";
import { LetheError } from "../../domain/errors.ts";
import { createBatcher } from "../batcher.ts";
import type { VaultClient } from "./client.ts";
import { createRefreshing } from "./refreshing.ts";

/** RFC 8037; `kid` is the RFC 7638 thumbprint, so that no two deployments share one. */
export type PublicJwk = { kty: "OKP"; crv: "Ed25519"; x: string; kid: string; alg: "EdDSA"; use: "sig" };

export type Signer = ReturnType<typeof createSigner>;

const refreshMs = 60_000;
const staleMsMax = 24 * 3600_000;
// A certificate is in no hurry, and a call to Vault costs as much for one signature as for many.
const gatherMs = 100;
// Vault refuses longer lists.
const batchItemsMax = 200;

/** `sign` is for the signer role; the public keys are for signer, api and admin. Throws LetheError as the client does. */
export function createSigner(deps: {
	vault: Pick<VaultClient, "read" | "write">;
	clock: () => number;
	/** What it signs: each has a key of its own, so that neither can pass for the other. */
	key?: "certificate" | "evidence";
}) {
	const keyPath = `transit/keys/${deps.key ?? "certificate"}`;
	const signPath = `transit/sign/${deps.key ?? "certificate"}`;
	const keys = createRefreshing({
		load: (path) => readPublicKeys(deps.vault, path),
		clock: deps.clock,
		refreshMs,
		staleMsMax,
		countMax: 1,
	});

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
			const known = (await keys.get(keyPath)).get(version);
			const key = known ?? (await keys.refresh(keyPath)).get(version);
			if (key === undefined) throw new LetheError("internal", { cause: "signed by a key that Vault does not show" });
			return { signature: Buffer.from(base64, "base64"), kid: key.kid, x: key.x };
		},

		/** Every version's public key, the oldest first. */
		async publicJwks(): Promise<{ keys: PublicJwk[] }> {
			return { keys: [...(await keys.get(keyPath)).values()] };
		},
	};
}

/** Version → key. */
async function readPublicKeys(vault: Pick<VaultClient, "read">, keyPath: string): Promise<Map<string, PublicJwk>> {
	const answer = await vault.read(keyPath);
	const versions = Object.entries((answer?.data.keys ?? {}) as Record<string, { public_key: string }>);
	if (versions.length === 0) throw new LetheError("internal", { cause: { source: "vault", missing: keyPath } });
	return new Map(versions.map(([version, { public_key }]) => [version, toJwk(public_key)]));
}

function toJwk(publicKey: string): PublicJwk {
	const x = Buffer.from(publicKey, "base64").toString("base64url");
	const kid = createHash("sha256").update(`{"crv":"Ed25519","kty":"OKP","x":"${x}"}`).digest("base64url");
	return { kty: "OKP", crv: "Ed25519", x, kid, alg: "EdDSA", use: "sig" };
}
