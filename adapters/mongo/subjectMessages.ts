// Messages by their recipient's pseudonym: what was sent to whom of late, and holds on all of them.

import type { mongo } from "mongoose";
import { categories, type Message } from "../../domain/message.ts";
import type { HoldRecord } from "../../domain/subject.ts";
import { guardStore } from "./guard.ts";
import type { Models } from "./models.ts";
import { readableUntil, wholeOrStored } from "./setAside.ts";

export type SubjectMessageStore = ReturnType<typeof createSubjectMessageStore>;

/** What of a message counts towards a frequency limit. */
export type CountedMessage = Pick<Message, "_id" | "tenantId" | "state" | "acceptedAt" | "releaseAt" | "attempts">;

/** What a count rests on; not `complete` when there are more than were read: then nobody knows how many were sent. */
export type CountedMessages = { messages: CountedMessage[]; complete: boolean };

const counted = { tenantId: 1, state: 1, acceptedAt: 1, releaseAt: 1, attempts: 1 } as const;

type UnderKeyVersion = { tenantId: string; version: number; from: number; to: number; itemsMax: number };

/** @throws LetheError store_unavailable */
export function createSubjectMessageStore(models: Models, { clock }: { clock: () => number }) {
	const collection = models.messages.collection as unknown as mongo.Collection<Message>;

	return {
		/** When the newest message to a recipient was accepted; undefined when there is none. */
		newestAt: (macs: readonly string[]): Promise<number | undefined> =>
			guardStore(() => readNewestAt(collection, macs)),
		/** The sender of the newest message of a category to a recipient that was accepted after `since`. */
		newestSender: (
			macs: readonly string[],
			category: Message["category"],
			since: number,
		): Promise<string | undefined> => guardStore(() => readNewestSender(collection, macs, category, since)),
		/** All messages of one category to a recipient that were accepted after `since`, up to `itemsMax`. */
		findCounted: (
			macs: readonly string[],
			category: Message["category"],
			since: number,
			itemsMax: number,
		): Promise<CountedMessages> =>
			guardStore(async () => {
				// One query a pseudonym: asked for several at once, some servers scan.
				const reads = macs.map((mac) =>
					collection
						.find({ "subject.mac": mac, category, acceptedAt: { $gt: since } }, { projection: counted })
						.limit(itemsMax + 1)
						.toArray(),
				);
				const messages = (await Promise.all(reads)).flat() as CountedMessage[];
				return { messages, complete: messages.length <= itemsMax };
			}),
		/**
		 * Messages of one category by one pseudonym, accepted before `before`, the newest first: so many, and all others of the last one's
		 * moment, so that the next page may begin before it. By `others`: of those whose own is under a later key version. Of
		 * one that nobody can read there is what is not packed.
		 */
		pageBefore: (
			mac: string,
			category: Message["category"],
			before: number,
			itemsMax: number,
			by: "mac" | "others" = "mac",
		): Promise<Message[]> =>
			guardStore(() =>
				readPageBefore(collection, { [`subject.${by}`]: mac, category, acceptedAt: { $lt: before } }, itemsMax),
			),
		/** The same by their own pseudonym, for a list: what nobody can read is not in it. */
		shownBefore: (mac: string, category: Message["category"], before: number, itemsMax: number): Promise<Message[]> =>
			guardStore(() => {
				const found = newestBefore(collection, { "subject.mac": mac, category, acceptedAt: { $lt: before } }, itemsMax);
				return readableUntil(collection, found, clock(), (read, next) => isPageOver(read, next, itemsMax));
			}),
		/**
		 * Ids of a tenant's messages whose pseudonym is under that version of its key, among those accepted in `from` to `to`, the
		 * newest first.
		 */
		findByKeyVersion: (wanted: UnderKeyVersion) => guardStore(() => readByKeyVersion(collection, wanted)),
		/** Puts a hold on its messages: at once no erasure of theirs takes place any more. */
		hold: (record: HoldRecord) =>
			changeMembers(collection, record, { $addToSet: { holds: record._id, restrictedBy: record._id } }),
		/** Takes the hold off again and has the sweep look at each message now: what is overdue goes. */
		release: (record: HoldRecord, now: number) =>
			changeMembers(collection, record, {
				$pull: { holds: record._id, restrictedBy: record._id },
				$set: { nextCheckAt: now },
			} as mongo.UpdateFilter<Message>),
	};
}

async function readNewestAt(
	collection: mongo.Collection<Message>,
	macs: readonly string[],
): Promise<number | undefined> {
	// One query a category, by the index that counting needs: another index would cost every change of a message.
	const reads = macs.flatMap((mac) =>
		categories.map((category) =>
			collection
				.find({ "subject.mac": mac, category }, { projection: { acceptedAt: 1 } })
				.sort({ acceptedAt: -1 })
				.limit(1)
				.toArray(),
		),
	);
	const times = (await Promise.all(reads)).flat().map(({ acceptedAt }) => acceptedAt);
	return times.length > 0 ? Math.max(...times) : undefined;
}

async function readPageBefore(
	collection: mongo.Collection<Message>,
	filter: mongo.Filter<Message>,
	itemsMax: number,
): Promise<Message[]> {
	const page: Message[] = [];
	for await (const found of newestBefore(collection, filter, itemsMax)) {
		if (isPageOver(page, found, itemsMax)) break;
		page.push(wholeOrStored(found));
	}
	return page;
}

function newestBefore(collection: mongo.Collection<Message>, filter: mongo.Filter<Message>, itemsMax: number) {
	return collection.find(filter).sort({ acceptedAt: -1 }).batchSize(itemsMax);
}

function isPageOver(page: readonly Message[], { acceptedAt }: Message, itemsMax: number): boolean {
	return page.length >= itemsMax && acceptedAt !== page.at(-1)?.acceptedAt;
}

async function readByKeyVersion(
	collection: mongo.Collection<Message>,
	{ tenantId, version, from, to, itemsMax }: UnderKeyVersion,
): Promise<string[]> {
	const ids: string[] = [];
	const projection = { acceptedAt: 1, "subject.version": 1 };
	const found = collection.find({ tenantId, acceptedAt: { $lte: to } }, { projection });
	// Sorted out here: a condition beside the indexed ones makes some servers scan.
	for await (const { _id, acceptedAt, subject } of found.sort({ acceptedAt: -1, _id: -1 })) {
		if (acceptedAt < from || ids.length === itemsMax) break;
		if (subject?.version === version) ids.push(_id);
	}
	return ids;
}

async function readNewestSender(
	collection: mongo.Collection<Message>,
	macs: readonly string[],
	category: Message["category"],
	since: number,
): Promise<string | undefined> {
	const reads = macs.map((mac) =>
		collection
			.find({ "subject.mac": mac, category }, { projection: { acceptedAt: 1, senderId: 1 } })
			.sort({ acceptedAt: -1 })
			.limit(1)
			.toArray(),
	);
	const found = (await Promise.all(reads)).flat().filter(({ acceptedAt }) => acceptedAt > since);
	return found.toSorted((one, other) => other.acceptedAt - one.acceptedAt)[0]?.senderId;
}

/** Answers how many it changed. */
function changeMembers(
	collection: mongo.Collection<Message>,
	record: HoldRecord,
	update: mongo.UpdateFilter<Message>,
): Promise<number> {
	return guardStore(async () => {
		let count = 0;
		for (const filter of membersOf(record)) count += (await collection.updateMany(filter, update)).modifiedCount;
		return count;
	});
}

// A pseudonym is of one tenant, as a message is. What was accepted after a rotation of their key bears those of before it
// beside its own. No condition beside the indexed one: some servers would scan.
function membersOf({ messageId, subjects }: HoldRecord): mongo.Filter<Message>[] {
	if (messageId !== undefined) return [{ _id: messageId }];
	return [{ "subject.mac": { $in: subjects } }, { "subject.others": { $in: subjects } }];
}
