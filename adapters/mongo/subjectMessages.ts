// Messages by their recipient's pseudonym: what was sent to whom of late, and holds on all of them.

import type { mongo } from "mongoose";
import type { Message } from "../../domain/message.ts";
import type { HoldRecord } from "../../domain/subject.ts";
import { guardStore } from "./guard.ts";
import type { Models } from "./models.ts";

export type SubjectMessageStore = ReturnType<typeof createSubjectMessageStore>;

/** What of a message counts towards a frequency limit. */
export type CountedMessage = Pick<
	Message,
	"_id" | "tenantId" | "category" | "state" | "acceptedAt" | "releaseAt" | "attempts"
>;

const bySubject = { "subject.mac": 1, acceptedAt: -1 } as const;
const counted = { tenantId: 1, category: 1, state: 1, acceptedAt: 1, releaseAt: 1, attempts: 1 } as const;

/** @throws LetheError store_unavailable */
export function createSubjectMessageStore(models: Models) {
	const collection = models.messages.collection as unknown as mongo.Collection<Message>;

	return {
		/** The newest messages to a recipient that were accepted after `since`. */
		findRecent: (macs: readonly string[], since: number, itemsMax: number) =>
			guardStore(
				() =>
					collection
						.find(
							{ "subject.mac": { $in: [...macs] }, acceptedAt: { $gt: since } },
							{ projection: counted, hint: bySubject },
						)
						.sort({ acceptedAt: -1 })
						.limit(itemsMax)
						.toArray() as Promise<CountedMessage[]>,
			),
		/** Puts a hold on its messages: at once no erasure of theirs takes place any more. */
		hold: (record: HoldRecord) =>
			guardStore(
				async () =>
					(await collection.updateMany(membersOf(record), { $addToSet: { holds: record._id } }, hintFor(record)))
						.modifiedCount,
			),
		/** Takes the hold off again and has the sweep look at each message now: what is overdue goes. */
		release: (record: HoldRecord, now: number) =>
			guardStore(async () => {
				const filter = { ...membersOf(record), holds: record._id } as mongo.Filter<Message>;
				const update = { $pull: { holds: record._id }, $set: { nextCheckAt: now } } as mongo.UpdateFilter<Message>;
				return (await collection.updateMany(filter, update, hintFor(record))).modifiedCount;
			}),
	};
}

function membersOf({ tenantId, messageId, subjects }: HoldRecord): mongo.Filter<Message> {
	return messageId === undefined ? { "subject.mac": { $in: subjects }, tenantId } : { _id: messageId, tenantId };
}

// Not every server prefers the narrow index once further fields are named.
function hintFor({ messageId }: HoldRecord) {
	return { hint: messageId === undefined ? bySubject : { _id: 1 } };
}
