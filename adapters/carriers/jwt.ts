// A callback's JWT: an HMAC over claims that are then judged by their carrier.

import { createHmac } from "node:crypto";
import { isSame } from "../isSame.ts";
import { readObject } from "./callback.ts";

/** RFC 7518, 3.2 → the hash. */
const hashes = { HS256: "sha256", HS384: "sha384", HS512: "sha512" } as const;

export type HmacAlgorithm = keyof typeof hashes;

/**
 * The claims of a compact JWS (RFC 7515) whose HMAC fits; its time, issuer and hashes are not judged here.
 * @param algorithms those that the carrier uses; the token's own word for any other counts for nothing
 * @param secret the key as UTF-8 text
 */
export function readJwt(
	token: string,
	secret: string,
	algorithms: readonly HmacAlgorithm[],
): { claims: Record<string, unknown> } | { refused: "malformed" | "bad_signature" } {
	const parts = /^([\w-]+)\.([\w-]+)\.([\w-]+)$/.exec(token);
	if (!parts) return { refused: "malformed" };
	const [, head = "", payload = "", signature = ""] = parts;
	const header = readObject(Buffer.from(head, "base64url").toString("utf8"));
	const algorithm = algorithms.find((name) => name === header?.alg);
	// RFC 7515, 4.1.11: an extension that must be understood is not.
	if (!algorithm || header?.crit !== undefined) return { refused: "bad_signature" };
	const expected = createHmac(hashes[algorithm], secret).update(`${head}.${payload}`).digest("base64url");
	if (!isSame(signature, expected)) return { refused: "bad_signature" };
	const claims = readObject(Buffer.from(payload, "base64url").toString("utf8"));
	return claims ? { claims } : { refused: "malformed" };
}

/** A claim in seconds since 1970; undefined unless it is a number that can be one. */
export function readNumericDate(value: unknown): number | undefined {
	return typeof value === "number" && Number.isFinite(value) && value >= 0 ? value : undefined;
}

/** Whether a claim is the hex SHA-256 of a text. */
export function isHashOf(claim: unknown, sha256: string): boolean {
	return typeof claim === "string" && isSame(claim.toLowerCase(), sha256);
}
