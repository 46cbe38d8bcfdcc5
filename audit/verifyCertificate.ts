// Checks an erasure certificate offline, against keys that the caller has pinned.

import canonicalize from "canonicalize";
import { compactVerify, importJWK } from "jose";
import { z } from "zod";
import { limits } from "../domain/limits.ts";
import {
	type Certificate,
	certificateAlgorithm,
	certificateSchema,
	certificateType,
	isKeyless,
} from "./certificate.ts";
import { completeFrom } from "./completeFrom.ts";
import { copyNames } from "./copies.ts";

type InvalidReason =
	| "malformed"
	| "wrong_type"
	| "key_not_pinned"
	| "bad_signature"
	| "schema"
	| "not_canonical"
	| "inconsistent"
	| "issued_in_future";

/** `forgotten`: complete, and `completeFrom` has passed. */
export type VerifyResult =
	| { valid: true; kid: string; forgotten: boolean; certificate: Certificate }
	| { valid: false; reason: InvalidReason };

const bytesMax = 4 * 1024 * 1024;

// Any other header field (jwk, jku, x5c, crit …) is refused with the rest: a key that comes along counts for nothing.
const headerSchema = z.strictObject({ alg: z.string(), kid: z.string().min(1), typ: z.string() });
const pinnedSchema = z.object({ keys: z.array(z.looseObject({ kty: z.string() })) });
const keySchema = z.object({
	kty: z.literal("OKP"),
	crv: z.literal("Ed25519"),
	x: z.string(),
	kid: z.string(),
	use: z.literal("sig").optional(),
});

/**
 * Checks form, signature, schema, and that the dates follow from the copies listed.
 * @param jws compact JWS
 * @param jwks a JWK set (RFC 7517); only its Ed25519 signing keys with a `kid` count
 * @param options `now` is epoch ms
 * @throws TypeError when `jwks` holds no usable key
 */
export async function verifyCertificate(jws: string, jwks: unknown, options: { now: number }): Promise<VerifyResult> {
	const pinned = pinnedKeys(jwks);
	const parts = split(jws);
	if (!parts) return { valid: false, reason: "malformed" };
	const header = headerSchema.safeParse(parts.header);
	if (!header.success) return { valid: false, reason: "malformed" };
	const { alg, kid, typ } = header.data;
	if (alg !== certificateAlgorithm || typ !== certificateType) return { valid: false, reason: "wrong_type" };
	const keys = pinned.filter((key) => key.kid === kid);
	if (keys.length === 0) return { valid: false, reason: "key_not_pinned" };
	if (!(await signedByOneOf(jws, keys))) return { valid: false, reason: "bad_signature" };

	const payload = certificateSchema.safeParse(parts.payload);
	if (!payload.success) return { valid: false, reason: "schema" };
	if (canonicalize(payload.data) !== parts.payloadText) return { valid: false, reason: "not_canonical" };
	const certificate = payload.data;
	if (Date.parse(certificate.issuedAt) > options.now + limits.clockSkewMs) {
		return { valid: false, reason: "issued_in_future" };
	}
	if (!isConsistent(certificate)) return { valid: false, reason: "inconsistent" };
	const from = certificate.completeFrom;
	return { valid: true, kid, forgotten: from !== undefined && Date.parse(from) <= options.now, certificate };
}

type PinnedKey = z.infer<typeof keySchema>;

/** The usable keys of a JWK set. @throws TypeError when it holds none */
export function pinnedKeys(jwks: unknown): PinnedKey[] {
	const parsed = pinnedSchema.safeParse(jwks);
	const keys = (parsed.data?.keys ?? []).flatMap((key) => keySchema.safeParse(key).data ?? []);
	if (keys.length === 0) throw new TypeError("the JWK set holds no Ed25519 signing key with a kid");
	return keys;
}

async function signedByOneOf(jws: string, keys: PinnedKey[]): Promise<boolean> {
	for (const key of keys) {
		try {
			await compactVerify(jws, await importJWK(key, certificateAlgorithm), { algorithms: [certificateAlgorithm] });
			return true;
		} catch {
			// A kid may be pinned twice; the next key may fit.
		}
	}
	return false;
}

function split(jws: string): { header: unknown; payload: unknown; payloadText: string } | undefined {
	if (jws.length > bytesMax) return undefined;
	const parts = jws.split(".");
	// Decoders skip stray bits and characters: what does not encode back to itself was edited.
	if (parts.length !== 3 || !parts.every((part) => Buffer.from(part, "base64url").toString("base64url") === part)) {
		return undefined;
	}
	try {
		const [header, payload] = parts.map((part) => Buffer.from(part, "base64url"));
		const decoder = new TextDecoder("utf-8", { fatal: true });
		const payloadText = decoder.decode(payload);
		return { header: JSON.parse(decoder.decode(header)), payload: JSON.parse(payloadText), payloadText };
	} catch {
		return undefined;
	}
}

/** Even a rightly signed certificate must not claim more than its own copies bear out. */
function isConsistent(certificate: Certificate): boolean {
	const { copies, objects, issuedAt, status, reasons, completeFrom: from } = certificate;
	if (!copyNames.every((name, index) => copies[index]?.copy === name)) return false;
	const claimed = { status, reasons, ...(from === undefined ? {} : { completeFrom: from }) };
	if (canonicalize(claimed) !== canonicalize(completeFrom(copies))) return false;
	const latest = Date.parse(issuedAt) + limits.clockSkewMs;
	const erasedAt = Math.max(...objects.map((object) => Date.parse(object.erasedAt)));
	const done = copies.flatMap((copy) => (copy.at === undefined ? [] : Date.parse(copy.at)));
	if ([erasedAt, ...done].some((at) => at > latest)) return false;
	// Only what never had a key may say that there is no copy of one.
	const holdsNone = (name: (typeof copyNames)[number]) =>
		copies.find((copy) => copy.copy === name)?.status === "holds_none";
	const keyless = objects.every(isKeyless);
	if (holdsNone("vault cohort key") !== keyless || holdsNone("process key caches") !== keyless) return false;
	// Nothing that outlives the erasure can end before it.
	const lastDone = Math.max(erasedAt, ...done);
	const ends = copies.filter((copy) => copy.status === "expires").map((copy) => Date.parse(copy.endsAt ?? ""));
	const document = copies.find((copy) => copy.copy === "database document");
	if (document?.status === "erased" && Date.parse(document.at ?? "") !== erasedAt) return false;
	const caches = copies.find((copy) => copy.copy === "process key caches");
	if (caches?.status === "expires" && Date.parse(caches.endsAt ?? "") < lastDone) return false;
	return ends.every((end) => end >= erasedAt);
}
