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

const counted = { tenantId: 1, category: 1, state: 1, acceptedAt: 1, releaseAt: 1, attempts: 1 } as const;

/** @throws LetheError store_unavailable */
export function createSubjectMessageStore(models: Models) {
	const collection = models.messages.collection as unknown as mongo.Collection<Message>;

	return {
		/** The newest messages to a recipient that were accepted after `since`. */
		findRecent: (macs: readonly string[], since: number, itemsMax: number) =>
			guardStore(async () => {
				// The newest first, so the rest can be left out here: a second condition makes some servers scan.
				const found = await collection
					.find({ "subject.mac": { $in: [...macs] } }, { projection: counted })
					.sort({ acceptedAt: -1 })
					.limit(itemsMax)
					.toArray();
				return found.filter(({ acceptedAt }) => acceptedAt > since) as CountedMessage[];
			}),
		/** Puts a hold on its messages: at once no erasure of theirs takes place any more. */
		hold: (record: HoldRecord) =>
			guardStore(
				async () =>
					(await collection.updateMany(membersOf(record), { $addToSet: { holds: record._id } })).modifiedCount,
			),
		/** Takes the hold off again and has the sweep look at each message now: what is overdue goes. */
		release: (record: HoldRecord, now: number) =>
			guardStore(async () => {
				const update = { $pull: { holds: record._id }, $set: { nextCheckAt: now } } as mongo.UpdateFilter<Message>;
				return (await collection.updateMany(membersOf(record), update)).modifiedCount;
			}),
	};
}

// A pseudonym is of one tenant, as a message is. No condition beside the indexed one: some servers would scan.
function membersOf({ messageId, subjects }: HoldRecord): mongo.Filter<Message> {
	return messageId === undefined ? { "subject.mac": { $in: subjects } } : { _id: messageId };
}
