// Signs access tokens and receipts of sending, each by a Vault key of its own: another kind of key than that of certificates, so neither passes for the other.

import { createHash, createPublicKey, type KeyObject } from "node:crypto";
import { LetheError } from "../../domain/errors.ts";
import type { VaultClient } from "./client.ts";
import { createPublicKeys } from "./publicKeys.ts";

/** RFC 7518; `kid` is the RFC 7638 thumbprint. */
export type TokenJwk = { kty: "EC"; crv: "P-256"; x: string; y: string; kid: string; alg: "ES256"; use: "sig" };

export type TokenSigner = ReturnType<typeof createTokenSigner>;

type TokenKey = { jwk: TokenJwk; key: KeyObject };

// A key that is not known may be one that another process signs by since a rotation; whoever makes them up costs Vault no more.
const unknownEveryMs = 5_000;

/** For the api role. Throws LetheError as the client does. */
export function createTokenSigner(deps: {
	vault: Pick<VaultClient, "read" | "write">;
	clock: () => number;
	/** What it signs. */
	key?: "token" | "receipt";
}) {
	const name = deps.key ?? "token";
	const keys = createPublicKeys({ ...deps, name, toKey });
	let askedAt = Number.NEGATIVE_INFINITY;

	return {
		/** A JWS in compact form (RFC 7515) with these claims, by the newest key that this process knows. */
		async sign(typ: string, claims: Record<string, unknown>): Promise<string> {
			const [version, { jwk }] = [...(await keys.get())].at(-1) as [number, TokenKey];
			const header = { alg: jwk.alg, typ, kid: jwk.kid };
			const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString("base64url");
			const input = `${encode(header)}.${encode(claims)}`;
			const { data } = await deps.vault.write(`transit/sign/${name}`, {
				input: Buffer.from(input).toString("base64"),
				key_version: version,
				marshaling_algorithm: "jws",
			});
			const signature = /^vault:v\d+:([\w-]+)$/.exec((data as { signature?: string }).signature ?? "")?.[1];
			if (signature === undefined) throw new LetheError("internal", { cause: "signature form" });
			return `${input}.${signature}`;
		},

		/** The public key of that id, of whichever version. */
		async publicKey(kid: string | undefined): Promise<KeyObject | undefined> {
			const find = (versions: Map<number, TokenKey>) => [...versions.values()].find(({ jwk }) => jwk.kid === kid)?.key;
			const known = find(await keys.get());
			if (known || deps.clock() - askedAt < unknownEveryMs) return known;
			askedAt = deps.clock();
			return find(await keys.refresh());
		},

		/** Every version's public key, the oldest first. */
		publicJwks: async (): Promise<TokenJwk[]> => [...(await keys.get()).values()].map(({ jwk }) => jwk),
	};
}

function toKey(publicKey: string): TokenKey {
	const key = createPublicKey(publicKey);
	return { jwk: toJwk(key), key };
}

function toJwk(key: KeyObject): TokenJwk {
	const { x = "", y = "" } = key.export({ format: "jwk" });
	const kid = createHash("sha256").update(`{"crv":"P-256","kty":"EC","x":"${x}","y":"${y}"}`).digest("base64url");
	return { kty: "EC", crv: "P-256", x, y, kid, alg: "ES256", use: "sig" };
}
