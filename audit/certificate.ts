// Erasure certificates: what was erased, every copy and its fate, signed; free of personal data.

import canonicalize from "canonicalize";
import { z } from "zod";
import type { CarrierCopy } from "../domain/carrierCopy.ts";
import { type IdKind, isId } from "../domain/ids.ts";
import { limits } from "../domain/limits.ts";
import { recordKinds } from "../domain/subject.ts";
import { createCompactSigner, type SignBytes } from "./compactJws.ts";
import { completeFrom, incompleteReasons } from "./completeFrom.ts";
import { type CopyName, copiesOf, copyNames, copySchema, type ErasureFacts, type Lifetimes } from "./copies.ts";

export const certificateType = "lethe-erasure-certificate";

const id = (kind: IdKind) => z.string().refine((value) => isId(kind, value));
const recordObjects = [...recordKinds, "subject_request"] as const;
const recordIdKinds: Record<(typeof recordObjects)[number], IdKind> = {
	...{ consent: "consent", opt_out: "optOut", hold: "hold", recipient_key: "recipientKey" },
	subject_request: "subjectRequest",
};
/** What no cohort's key protects. */
const plainObjects: readonly string[] = ["receipt", ...recordObjects];
const recordId = z.string().refine((value) => Object.values(recordIdKinds).some((kind) => isId(kind, value)));
const time = z.iso.datetime({ precision: 3 });

/** The signed payload. Times RFC 3339 UTC with milliseconds; ids are the only names in it. */
export const certificateSchema = z.strictObject({
	schema: z.literal("lethe/erasure-certificate/v1"),
	id: id("certificate"),
	kind: z.enum(["submission", "purge", "record", "request", "tenant"]),
	tenantId: id("tenant"),
	/** The subject's request that the erasures answer. */
	requestId: id("subjectRequest").optional(),
	issuedAt: time,
	/** Grouped by object and cohort; `erasedAt` is the group's last erasure. */
	objects: z
		.array(
			z.strictObject({
				object: z.enum(["content", "address", "receipt", "cohort_key", "subject_key", ...recordObjects]),
				cohortId: z.union([id("cohort"), id("linkCohort")]).optional(),
				messageIds: z.array(id("message")).min(1).optional(),
				/** Of what was on record of a recipient; kept under a pseudonym, and not encrypted. */
				recordIds: z.array(recordId).min(1).optional(),
				erasedAt: time,
			}),
		)
		.min(1),
	/** What the request, or the tenant that left, has left where it is, grouped by reason. */
	kept: z
		.array(
			z.strictObject({
				object: z.enum([
					...["content", "address", "receipt", "decision_record", ...recordObjects],
					...["certificate", "evidence", "ledger", "idempotent_answer", "tenant"],
				] as const),
				/** A row of the precedence table; of a tenant that has left, why it stays with us. */
				reason: z.string().regex(/^[a-z_]{1,32}$/),
				citations: z.array(z.string().max(200)),
				messageIds: z.array(id("message")).min(1).optional(),
				recordIds: z.array(recordId).min(1).optional(),
				/** When the last of it goes; absent where a release or a person ends it. */
				until: time.optional(),
			}),
		)
		.optional(),
	copies: z.array(copySchema).length(copyNames.length),
	status: z.enum(["complete", "incomplete"]),
	reasons: z.array(z.enum(incompleteReasons)),
	/** From then on nobody can read what was erased; absent when incomplete. May lie in the future. */
	completeFrom: time.optional(),
});
export type Certificate = z.infer<typeof certificateSchema>;

/** One erased object. Times epoch ms. */
export type ErasedObject = {
	object: Certificate["objects"][number]["object"];
	messageId?: string | undefined;
	recordId?: string | undefined;
	cohortId?: string | undefined;
	erasedAt: number;
	/** Read back after the erasure and found gone. */
	verified: boolean;
	/** When the cohort's key was destroyed; recorded only after it was read back and found gone. */
	keyDestroyedAt?: number | undefined;
	/** When the cohort's key is to be destroyed. */
	keyDueAt?: number | undefined;
};

/** One thing that a subject's request left. `until` epoch ms. */
export type Kept = Omit<NonNullable<Certificate["kept"]>[number], "messageIds" | "recordIds" | "until"> & {
	messageId?: string;
	recordId?: string;
	until?: number;
};

export type CertificateInput = {
	/** The caller's: the same erasure certified again gets the same id. */
	id: string;
	kind: Certificate["kind"];
	tenantId: string;
	objects: readonly ErasedObject[];
	/** Of a subject's request: which, and what it left. Times epoch ms. */
	request?: { id: string; kept: readonly Kept[] };
	/** What a tenant that has left leaves. */
	kept?: readonly Kept[];
	/** Of each message, what its carrier has; empty where no carrier was ever handed any of it. */
	carrierCopies: readonly CarrierCopy[];
	/** Copies whose check failed or could not be made. */
	unverified?: readonly CopyName[];
};

export type Certificates = ReturnType<typeof createCertificates>;

/**
 * `sign` makes an Ed25519 signature (64 bytes) and names the key that made it.
 * `clock` is epoch ms. `lifetimes` are declared by the operator.
 */
export function createCertificates(deps: { sign: SignBytes; clock: () => number; lifetimes: Lifetimes }) {
	const signCompact = createCompactSigner({ sign: deps.sign, typ: certificateType });

	return {
		/**
		 * Issues a certificate as a compact JWS (EdDSA).
		 * @throws RangeError when a time lies in the future; ZodError when an id is not opaque; whatever `sign` throws
		 */
		async issue(input: CertificateInput): Promise<{ id: string; jws: string; payload: Certificate }> {
			const payload = certificateSchema.parse(describe(input, deps.clock(), deps.lifetimes));
			return { id: payload.id, jws: await signCompact(canonicalize(payload) as string), payload };
		},
	};
}

function describe(input: CertificateInput, now: number, lifetimes: Lifetimes): Certificate {
	const copies = copiesOf(factsOf(input, now), { ...lifetimes, keyCacheMs: keyCacheMsOf(input.kind, lifetimes) });
	const kept = input.request?.kept ?? input.kept;
	return {
		schema: "lethe/erasure-certificate/v1",
		id: input.id,
		kind: input.kind,
		tenantId: input.tenantId,
		issuedAt: new Date(now).toISOString(),
		...(input.request ? { requestId: input.request.id } : {}),
		objects: grouped(input.objects),
		...(kept ? { kept: groupKept(kept) } : {}),
		copies,
		...completeFrom(copies, input.objects.some(isKeyless)),
	};
}

/** A tenant's own keys are no wrapping keys: while Vault is away processes go on with those that they hold. */
function keyCacheMsOf(kind: Certificate["kind"], { keyCacheMs }: Lifetimes): number {
	return kind === "tenant" ? Math.max(keyCacheMs, limits.hmacStaleMsMax, limits.senderKeyStaleMsMax) : keyCacheMs;
}

/** Whether an object was not encrypted, and so had no key. */
export function isKeyless({ object }: Pick<ErasedObject, "object">): boolean {
	return plainObjects.includes(object);
}

/** The worst of all objects: the certificate is as late as its last one. */
function factsOf(input: CertificateInput, now: number): ErasureFacts {
	const { objects } = input;
	const sealed = objects.filter((object) => !isKeyless(object));
	const destroyed = sealed.map((object) => object.keyDestroyedAt);
	const keyDueAt = latest(sealed.map((object) => object.keyDueAt));
	for (const at of [...objects.map((object) => object.erasedAt), ...destroyed]) {
		// What is still to come was not done; only clocks of two machines may differ.
		if (at !== undefined && !(at <= now + limits.clockSkewMs)) throw new RangeError("an erasure lies in the future");
	}
	return {
		erasedAt: Math.max(...objects.map((object) => object.erasedAt)),
		verified: objects.every((object) => object.verified),
		keyDestroyedAt: latest(destroyed),
		// A plan whose time has passed is no date any more.
		keyDueAt: keyDueAt !== undefined && keyDueAt > now ? keyDueAt : undefined,
		encrypted: sealed.length > 0,
		carrierCopies: input.carrierCopies,
		unverified: input.unverified ?? [],
	};
}

function latest(times: (number | undefined)[]): number | undefined {
	return times.length === 0 || times.includes(undefined) ? undefined : Math.max(...(times as number[]));
}

function grouped(objects: readonly ErasedObject[]): Certificate["objects"] {
	const groups = Map.groupBy(objects, ({ object, cohortId }) => `${object}/${cohortId ?? ""}`);
	return [...groups.values()].map((group) => {
		const [{ object, cohortId }] = group as [ErasedObject];
		const messageIds = [...new Set(group.flatMap((entry) => entry.messageId ?? []))].sort();
		const recordIds = [...new Set(group.flatMap((entry) => entry.recordId ?? []))].sort();
		return {
			object,
			...(cohortId ? { cohortId } : {}),
			...(messageIds.length > 0 ? { messageIds } : {}),
			...(recordIds.length > 0 ? { recordIds } : {}),
			erasedAt: new Date(Math.max(...group.map((entry) => entry.erasedAt))).toISOString(),
		};
	});
}

function groupKept(kept: readonly Kept[]): NonNullable<Certificate["kept"]> {
	const nameOf = ({ object, reason, citations }: Kept) => JSON.stringify([object, reason, citations]);
	const groups = [...Map.groupBy(kept, nameOf)].sort(([one], [other]) => (one < other ? -1 : 1));
	return groups.map(([, group]) => {
		const [{ object, reason, citations }] = group as [Kept];
		const messageIds = [...new Set(group.flatMap((entry) => entry.messageId ?? []))].sort();
		const recordIds = [...new Set(group.flatMap((entry) => entry.recordId ?? []))].sort();
		const until = latest(group.map((entry) => entry.until));
		return {
			object,
			reason,
			citations: [...citations],
			...(messageIds.length > 0 ? { messageIds } : {}),
			...(recordIds.length > 0 ? { recordIds } : {}),
			...(until === undefined ? {} : { until: new Date(until).toISOString() }),
		};
	});
}
