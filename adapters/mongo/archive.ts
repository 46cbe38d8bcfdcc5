// A message at rest: what no change touches any more is packed into one field, and read as if it were not.

import type { Attempt, Message } from "../../domain/message.ts";
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
] as const satisfies (keyof Message)[];

type Told = Partial<Pick<Message, (typeof archivedFields)[number]>> & Pick<Message, "attempts" | "evidence">;

/** A message as it is stored; `archive` once it came to rest. */
export type StoredMessage = Message & { archive?: Packed };

/** What has a message stored so: to be set, and to be removed for it. */
export function archiveOf(message: Message): { set: Record<string, unknown>; unset: string[] } {
	const { evidence, attempts } = message;
	const told = Object.fromEntries(archivedFields.map((name) => [name, message[name]]));
	return {
		set: {
			archive: pack(JSON.stringify({ ...told, attempts: attempts.map((one) => split(one).told), evidence })),
			archived: evidence.length,
			attempts: attempts.map((one) => split(one).found),
		},
		unset: [...archivedFields, "evidence"],
	};
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
	const { evidence, attempts, ...told } = JSON.parse(unpack(archive)) as Told;
	return {
		...told,
		...read,
		attempts: attempts.map((one, index) => ({ ...one, ...read.attempts?.[index] })),
		evidence: [...evidence, ...(read.evidence ?? [])],
	} as unknown as Read;
}
