// A message at rest: what no change touches any more is packed into one field, and read as if it were not.

import {
	type Attempt,
	type Message,
	type RetentionRecord,
	type SealedObjectName,
	sealedObjects,
} from "../../domain/message.ts";
import { withoutUndefined } from "../../domain/withoutUndefined.ts";
import { type Packed, pack, unpack } from "./packing.ts";

/**
 * What changes no more once a message is final: no query, no condition and no projection of one names it. Nothing that is
 * erased before the record itself is among it.
 */
const archivedFields = [
	"submissionSize",
	"headId",
	"index",
	"principalId",
	"deliveryMode",
	"country",
	"region",
	"segments",
	"facts",
	"decision",
	"excluded",
	"abuse",
	"reroutes",
	"refused",
	"idempotency",
	"dataClasses",
	"commitment",
	"templateId",
	"clientReference",
	"deadlineAt",
	"closeAt",
] as const satisfies (keyof Message)[];

// Older ones have no retention among it.
type Told = Partial<Pick<Message, (typeof archivedFields)[number]>> &
	Pick<Message, "attempts" | "evidence"> & { retention?: Message["retention"] };

/** A message as it is stored; `archive` once it came to rest. */
export type StoredMessage = Message & { archive?: Packed };

/** What has a message stored so: to be set, and to be removed for it. */
export function archiveOf(message: Message): { set: Record<string, unknown>; unset: string[] } {
	const { evidence, attempts, retention } = message;
	const proven = sealedObjects.filter((name) => isProven(message, name));
	const told = {
		...Object.fromEntries(archivedFields.map((name) => [name, message[name]])),
		attempts: attempts.map((one) => split(one).told),
		evidence,
		retention: Object.fromEntries(proven.map((name) => [name, retention[name]])),
	};
	// Of what was packed as proven before, and is not any more, the rest stands in its place again.
	const reopened = message.archived === undefined ? [] : sealedObjects.filter((name) => !proven.includes(name));
	return {
		set: {
			archive: pack(JSON.stringify(told)),
			archived: evidence.length,
			attempts: attempts.map((one) => split(one).found),
			...Object.fromEntries(reopened.flatMap((name) => fieldsOnceErased(name, retention[name]))),
		},
		// Whoever packs a message has brought all that it carries into the log.
		unset: [...archivedFields, "evidence", "integrated", ...proven.map((name) => `retention.${name}`)],
	};
}

/** Whether it is gone for good. What a page erased is found by the page's certificate: that stays where it is. */
function isProven(message: Message, name: SealedObjectName): boolean {
	const { verifiedAt, certificateId } = message.retention[name] ?? {};
	return verifiedAt !== undefined && certificateId === undefined && message[name] === undefined;
}

/**
 * Each field by itself, and none of what was never erased, nor a page's certificate: that was never packed, and whoever is
 * about to change it is not undone.
 */
function fieldsOnceErased(name: SealedObjectName, record: RetentionRecord | undefined): [string, unknown][] {
	if (record?.erasedAt === undefined) return [];
	const { certificateId: _, ...packed } = record;
	return Object.entries(packed).map(([field, value]) => [`retention.${name}.${field}`, value]);
}

/** An attempt in two: what is read, and found by, without the rest, and that. */
function split({ startedAt, outcome, carrierId, ...told }: Attempt) {
	return { told, found: withoutUndefined({ startedAt, outcome, carrierId }) };
}

/** The message that is stored so, or that part of it that was read. */
export function whole<Read extends Partial<Message>>({
	archive,
	...read
}: Read & Pick<StoredMessage, "archive">): Read {
	if (archive === undefined) return read as unknown as Read;
	const { evidence, attempts, retention, ...told } = JSON.parse(unpack(archive)) as Told;
	return {
		...told,
		integrated: read.archived,
		...read,
		...(retention ? { retention: wholeRetention(retention, read.retention ?? {}) } : {}),
		attempts: attempts.map((one, index) => ({ ...one, ...read.attempts?.[index] })),
		evidence: [...evidence, ...(read.evidence ?? [])],
	} as unknown as Read;
}

function wholeRetention(told: Message["retention"], read: Message["retention"]): Message["retention"] {
	const proven = Object.entries(told).map(([name, record]) => [name, wholeRecord(record, read[name as "content"])]);
	return { ...read, ...Object.fromEntries(proven) };
}

/** What was set since counts; erased again, it is still to be read back. */
function wholeRecord(told: RetentionRecord, read: RetentionRecord | undefined): RetentionRecord {
	const { verifiedAt: _, ...unproven } = told;
	return { ...(read?.erasedAt === undefined ? told : unproven), ...read };
}
