// What a run of the canary found, signed: which places were read and how it is known, how many hits, and never what was looked for.

import { createHash } from "node:crypto";
import canonicalize from "canonicalize";
import { z } from "zod";
import { formatId, isId } from "../domain/ids.ts";
import { type CompactFault, createCompactSigner, openCompact, type SignBytes } from "./compactJws.ts";

const resultType = "lethe-canary-result";
const count = z.int().min(0);
const time = z.iso.datetime({ precision: 3 });
const name = z.string().min(1).max(100);

/** Without its id, which follows from all the rest. */
const foundSchema = z.strictObject({
	schema: z.literal("lethe/canary-result/v1"),
	/** `unread`: nothing was found, and not everything was read. */
	result: z.enum(["clean", "found", "unread"]),
	/** Of this release. */
	version: name,
	begunAt: time,
	endedAt: time,
	/** Marked messages, and those of them that reached their end. */
	messages: z.strictObject({ sent: count, final: count }),
	/** `controls`: what was planted there to be found, and was. A place is `read` only when all of them were. */
	places: z.array(
		z.strictObject({
			place: name,
			read: z.boolean(),
			sources: count,
			bytes: count,
			controls: z.strictObject({ planted: count, found: count }),
			hits: count,
		}),
	),
	/** Of the processes: core dumps, reports, traces, swap. */
	checks: z.array(z.strictObject({ check: name, ok: z.boolean() })),
	excluded: z.array(name),
	problems: count,
});
const resultSchema = foundSchema.extend({ id: z.string().refine((value) => isId("canary", value)) });

export type CanaryFound = z.infer<typeof foundSchema>;
export type CanaryResult = z.infer<typeof resultSchema>;

/**
 * A compact JWS (EdDSA). The result's id is derived from what it says: an entry of the evidence log that names it is of this
 * result and of no other. @throws ZodError where it says anything else than the schema; what `sign` throws
 */
export async function signCanaryResult(sign: SignBytes, found: CanaryFound): Promise<{ id: string; jws: string }> {
	const result = foundSchema.parse(found);
	const id = idOf(result);
	const signCompact = createCompactSigner({ sign, typ: resultType });
	return { id, jws: await signCompact(canonicalize({ ...result, id }) as string) };
}

export type CanaryVerdict =
	| { valid: true; kid: string; canary: CanaryResult }
	| { valid: false; reason: CompactFault | "schema" | "not_canonical" | "inconsistent" };

/** Checks one offline, against keys that the caller has pinned. @throws TypeError when `jwks` holds no usable key */
export async function verifyCanaryResult(jws: string, jwks: unknown): Promise<CanaryVerdict> {
	const opened = await openCompact(jws, jwks, { typ: resultType, use: "canary" });
	if (typeof opened === "string") return { valid: false, reason: opened };
	const { data: canary } = resultSchema.safeParse(opened.payload);
	if (!canary) return { valid: false, reason: "schema" };
	if (canonicalize(canary) !== opened.payloadText) return { valid: false, reason: "not_canonical" };
	const { id, ...found } = canary;
	if (id !== idOf(found) || !isConsistent(found)) return { valid: false, reason: "inconsistent" };
	return { valid: true, kid: opened.kid, canary };
}

function idOf(found: CanaryFound): string {
	return formatId(
		"canary",
		createHash("sha256")
			.update(canonicalize(found) as string)
			.digest(),
	);
}

/** Nothing is clean that has hits, or that was not read. */
function isConsistent({ result, places, checks, problems, messages }: CanaryFound): boolean {
	const hits = places.reduce((sum, place) => sum + place.hits, 0);
	const isRead = places.every(({ read, controls }) => read && controls.found >= controls.planted);
	const isClean = hits === 0 && isRead && places.length > 0 && checks.every(({ ok }) => ok) && problems === 0;
	if (messages.final > messages.sent) return false;
	return isClean === (result === "clean") && hits > 0 === (result === "found");
}
