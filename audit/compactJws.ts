// Compact JWS (RFC 7515, EdDSA) as Lethe writes them: signed by a key that names itself, opened only by keys that the caller has pinned.

import canonicalize from "canonicalize";
import { compactVerify } from "jose";
import { z } from "zod";
import type { SigningKey } from "../adapters/vault/signer.ts";
import { type PinnedKey, pinnedKeys } from "./pinnedKeys.ts";

const algorithm = "EdDSA";

/** Makes an Ed25519 signature (64 bytes), and names the key that made it. */
export type SignBytes = (bytes: Uint8Array) => Promise<{ signature: Uint8Array; kid: string }>;

/** `typ`: what the texts are, so that none passes for another kind. */
export function createCompactSigner({ sign, typ }: { sign: SignBytes; typ: string }) {
	let lastKid = "";

	/** The header names the key before the signer does: a first call or a rotated key signs once more. */
	return async function signCompact(payload: string): Promise<string> {
		for (let tries = 0; tries < 4; tries++) {
			// Of several that are signed at once another may learn of a new key in between: what counts is this header's.
			const named = lastKid;
			const header = canonicalize({ alg: algorithm, kid: named, typ });
			const input = `${encode(header)}.${encode(payload)}`;
			const { signature, kid } = await sign(new TextEncoder().encode(input));
			if (kid === named && kid !== "") return `${input}.${Buffer.from(signature).toString("base64url")}`;
			lastKid = kid;
		}
		throw new Error("the signing key changed at every signature");
	};
}

export type CompactFault = "malformed" | "wrong_type" | "key_not_pinned" | "bad_signature";

/**
 * What was signed, and by which key; or why it is not believed.
 * @param expected the kind of text, and the use of the keys that sign it
 * @throws TypeError when `jwks` holds no usable Ed25519 key
 */
export async function openCompact(
	jws: string,
	jwks: unknown,
	expected: { typ: string; use: SigningKey },
): Promise<{ kid: string; payload: unknown; payloadText: string } | CompactFault> {
	const { ed25519 } = pinnedKeys(jwks);
	if (ed25519.length === 0) throw new TypeError("the JWK set holds no usable Ed25519 key with a kid");
	const pinned = keysFor(expected.use, ed25519);
	const parts = split(jws);
	const header = headerSchema.safeParse(parts?.header);
	if (!parts || !header.success) return "malformed";
	const { alg, kid } = header.data;
	if (alg !== algorithm || header.data.typ !== expected.typ) return "wrong_type";
	const keys = pinned.filter((key) => key.kid === kid);
	if (keys.length === 0) return "key_not_pinned";
	if (!(await signedByOneOf(jws, keys))) return "bad_signature";
	const { payload, payloadText } = parts;
	return { kid, payload, payloadText };
}

const bytesMax = 4 * 1024 * 1024;

// Any other header field (jwk, jku, x5c, crit …) is refused with the rest: a key that comes along counts for nothing.
const headerSchema = z.strictObject({ alg: z.string(), kid: z.string().min(1), typ: z.string() });

/** Those that may sign it. One that does not say what it signs was pinned as good for all. */
export function keysFor(use: SigningKey, keys: readonly PinnedKey[]): PinnedKey[] {
	return keys.filter(({ lethe_use }) => lethe_use === undefined || lethe_use === use);
}

async function signedByOneOf(jws: string, keys: PinnedKey[]): Promise<boolean> {
	for (const key of keys) {
		try {
			await compactVerify(jws, key.publicKey, { algorithms: [algorithm] });
			return true;
		} catch {
			// A kid may be pinned twice; the next key may fit.
		}
	}
	return false;
}

/** Whether it is of three parts that encode back to themselves: decoders skip stray bits and characters, which an editor left. */
export function isAsWritten(jws: string): boolean {
	const parts = jws.split(".");
	return parts.length === 3 && parts.every((part) => Buffer.from(part, "base64url").toString("base64url") === part);
}

function split(jws: string): { header: unknown; payload: unknown; payloadText: string } | undefined {
	if (jws.length > bytesMax) return undefined;
	if (!isAsWritten(jws)) return undefined;
	try {
		const [header, payload] = jws.split(".").map((part) => Buffer.from(part, "base64url"));
		const decoder = new TextDecoder("utf-8", { fatal: true });
		const payloadText = decoder.decode(payload);
		return { header: JSON.parse(decoder.decode(header)), payload: JSON.parse(payloadText), payloadText };
	} catch {
		return undefined;
	}
}

function encode(text: string | undefined): string {
	return Buffer.from(text ?? "", "utf8").toString("base64url");
}
