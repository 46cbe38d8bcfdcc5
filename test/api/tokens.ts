// What callers of the token endpoint and of the API make by themselves: assertions and DPoP proofs, right ones and wrong ones.

import { createHash, createHmac, generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";

export type Signing = ReturnType<typeof createSigning>;

/** A P-256 key pair of a caller's. */
export function createSigning() {
	const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
	const jwk = publicKey.export({ format: "jwk" }) as { kty: string; crv: string; x: string; y: string };
	return { jwk, publicKey, privateKey };
}

export function encode(part: object): string {
	return Buffer.from(JSON.stringify(part)).toString("base64url");
}

/** A JWS over any header and claims, ES256 whatever the header says. */
export function signJwt(header: object, claims: object, key: KeyObject): string {
	const input = `${encode(header)}.${encode(claims)}`;
	return `${input}.${sign("sha256", Buffer.from(input), { key, dsaEncoding: "ieee-p1363" }).toString("base64url")}`;
}

/** A JWS by HMAC under any bytes: such as a public key that everybody has. */
export function hmacJwt(header: object, claims: object, secret: string | Buffer): string {
	const input = `${encode(header)}.${encode(claims)}`;
	return `${input}.${createHmac("sha256", secret).update(input).digest("base64url")}`;
}

/** A DPoP proof for a request; `change` makes it a wrong one. */
export function prove(
	signing: Signing,
	about: { method: string; url: string; at: number; token?: string },
	change: { header?: object; claims?: object } = {},
): string {
	const ath = about.token === undefined ? {} : { ath: createHash("sha256").update(about.token).digest("base64url") };
	return signJwt(
		{ typ: "dpop+jwt", alg: "ES256", jwk: signing.jwk, ...change.header },
		{
			jti: randomBytes(16).toString("hex"),
			htm: about.method,
			htu: about.url,
			iat: Math.floor(about.at / 1000),
			...ath,
			...change.claims,
		},
		signing.privateKey,
	);
}
