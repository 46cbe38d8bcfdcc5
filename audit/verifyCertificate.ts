// Checks an erasure certificate offline, against keys that the caller has pinned.

import canonicalize from "canonicalize";
import { limits } from "../domain/limits.ts";
import { type Certificate, certificateSchema, certificateType, isKeyless } from "./certificate.ts";
import { type CompactFault, openCompact } from "./compactJws.ts";
import { completeFrom } from "./completeFrom.ts";
import { copyNames } from "./copies.ts";

type InvalidReason = CompactFault | "schema" | "not_canonical" | "inconsistent" | "issued_in_future";

/** `forgotten`: complete, and `completeFrom` has passed. */
export type VerifyResult =
	| { valid: true; kid: string; forgotten: boolean; certificate: Certificate }
	| { valid: false; reason: InvalidReason };

/**
 * Checks form, signature, schema, and that the dates follow from the copies listed.
 * @param jws compact JWS
 * @param jwks a JWK set (RFC 7517); only its Ed25519 signing keys with a `kid` count
 * @param options `now` is epoch ms
 * @throws TypeError when `jwks` holds no usable key
 */
export async function verifyCertificate(jws: string, jwks: unknown, options: { now: number }): Promise<VerifyResult> {
	const opened = await openCompact(jws, jwks, { typ: certificateType, use: "certificate" });
	if (typeof opened === "string") return { valid: false, reason: opened };
	const { kid } = opened;
	const payload = certificateSchema.safeParse(opened.payload);
	if (!payload.success) return { valid: false, reason: "schema" };
	if (canonicalize(payload.data) !== opened.payloadText) return { valid: false, reason: "not_canonical" };
	const certificate = payload.data;
	if (Date.parse(certificate.issuedAt) > options.now + limits.clockSkewMs) {
		return { valid: false, reason: "issued_in_future" };
	}
	if (!isConsistent(certificate)) return { valid: false, reason: "inconsistent" };
	const from = certificate.completeFrom;
	return { valid: true, kid, forgotten: from !== undefined && Date.parse(from) <= options.now, certificate };
}

/** Even a rightly signed certificate must not claim more than its own copies bear out. */
function isConsistent(certificate: Certificate): boolean {
	const { copies, objects, issuedAt, status, reasons, completeFrom: from } = certificate;
	if (!copyNames.every((name, index) => copies[index]?.copy === name)) return false;
	const claimed = { status, reasons, ...(from === undefined ? {} : { completeFrom: from }) };
	// One issued when a key's end could date what never had one claims too much: it is refused, whoever signed it.
	if (canonicalize(claimed) !== canonicalize(completeFrom(copies, objects.some(isKeyless)))) return false;
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
