// Messages in the store: acceptance by one insert, every change by one conditional update, gathered into batches.

import type { mongo } from "mongoose";
import { type Bounds, queueRange } from "../../domain/backlog.ts";
import { redactionKey, redactionsDue } from "../../domain/carrierCopy.ts";
import { finalStates, openSince, openStates, type State, statesBefore, unsentStates } from "../../domain/lifecycle.ts";
import { limits } from "../../domain/limits.ts";
import {
	type Attempt,
	carrierIdsOf,
	isInDoubt,
	isNamedBy,
	type Message,
	type SealedObjectName,
	sealedObjects,
} from "../../domain/message.ts";
import { type HoldRecord, keepsOf } from "../../domain/subject.ts";
import { claim, spare, type Transition } from "../../domain/transition.ts";
import { withoutUndefined } from "../../domain/withoutUndefined.ts";
import { createBatcher } from "../batcher.ts";
import { archiveOf, whole } from "./archive.ts";
import { findDue } from "./findDue.ts";
import { guardStore, guardWrite } from "./guard.ts";
import { insertAll } from "./insertAll.ts";
import type { Models, PurgePage } from "./models.ts";
import {
	allOrError,
	findAside,
	readable,
	readableUntil,
	wholeOrAside,
	wholeOrError,
	wholeOrStored,
} from "./setAside.ts";
import { type Update, updateTogether } from "./updateTogether.ts";

export type MessageStore = ReturnType<typeof createMessageStore>;

// Each of 500 that becomes final asks after the others: those of a moment are answered by one look.
const groupGatherMs = 100;

// Other processes may change a message between a batch and its re-reading, but hardly this often.
const tokensKept = 4;
const tokensKeptAtRest = 2;

/** The message store. Writes are journaled before they are answered. @throws LetheError store_unavailable */
export function createMessageStore(models: Models, deps: StoreDeps) {
	const collection = models.messages.collection as unknown as mongo.Collection<Message>;

	const insert = createBatcher<Insertion, "inserted" | "duplicate" | "late">({
		itemsMax: 100,
		inFlightMax: 2,
		run: (items) => guardWrite(() => insertInTime(collection, items, deps.clock())),
	});

	const transition = createBatcher<Transition, boolean>({
		itemsMax: 200,
		keyOf: (item) => item.id,
		run: (items) => guardStore(() => applyAll(collection, items, deps)),
	});

	const take = createBatcher<Transition, Message | undefined>({
		itemsMax: 200,
		keyOf: (item) => item.id,
		run: (items) => guardStore(() => takeAll(collection, items, deps)),
	});

	const claims = createBatcher<AttemptName, Message | undefined>({
		itemsMax: 200,
		keyOf: (item) => item.messageId,
		run: (items) => guardStore(() => claimAll(collection, items, deps)),
	});

	const find = createBatcher<string, Message | undefined>({
		itemsMax: 200,
		inFlightMax: 2,
		run: (ids) => guardStore(() => findAll(collection, ids)),
	});

	const findByCarrierId = createBatcher<CarrierReference, Message | undefined>({
		itemsMax: 100,
		inFlightMax: 2,
		run: (references) => guardStore(() => findAllByCarrierId(collection, references)),
	});

	return {
		/**
		 * Accepts a message: journaled when it answers "inserted"; "duplicate" when that id was accepted before; "late", and
		 * not written, when its turn came after `notAfter`. @throws LetheError outcome_unknown when it may have been written
		 */
		insert: (message: Message, notAfter = Number.POSITIVE_INFINITY) => insert({ message, notAfter }),
		/** Applies one change; true if it took effect. */
		transition,
		/** Applies one change and answers the message as it then is; undefined if it took no effect. */
		take,
		/**
		 * Claims an attempt and answers its message as it then is, the attempt's record with it; undefined when another
		 * sender, a cancel, a hold or the deadline was first. Throws although it was claimed when the answer got lost.
		 */
		claim: claims,
		/** Reads one message by id. */
		find,
		/** Reads one message of a tenant; another tenant's answers like absence. */
		async findForTenant(tenantId: string, id: string): Promise<Message | undefined> {
			const message = await find(id);
			return message?.tenantId === tenantId ? message : undefined;
		},
		/** The message that a link is of. @param hash as in its record */
		findByLink: (hash: string) =>
			guardStore(async () => {
				const found = await collection.findOne({ "link.hash": hash });
				return found ? whole(found) : undefined;
			}),
		/** The message one of whose attempts the carrier knows by this id, on this send queue. */
		findByCarrierId: (sendQueue: string, carrierId: string) => findByCarrierId({ sendQueue, carrierId }),
		...createSubmissionQueries(collection, deps.clock),
		...createQueries(collection, deps.clock),
		...createWaitingQueries(collection, deps.clock),
		...createRedactionQueries(collection, deps.clock),
		...createPageWrites(collection),
		...createDeletions(collection),
	};
}

function createSubmissionQueries(collection: mongo.Collection<Message>, clock: () => number) {
	const findBySubmission = createBatcher<string, Message[]>({
		// Of five hundred messages each, at most.
		itemsMax: 20,
		inFlightMax: 2,
		run: (ids) => guardStore(() => findAllBySubmission(collection, ids)),
	});

	const findGroup = createBatcher<Group, Message[]>({
		itemsMax: 20,
		inFlightMax: 2,
		run: (groups) => guardStore(() => findAllGroups(collection, groups)),
	});

	return {
		/** All messages of a submission, or it fails. */
		findBySubmission,
		/** The same, to be shown: of one that nobody can read there is what is not packed. */
		shownSubmission: (id: string) =>
			guardStore(async () => wholeOrAside(collection, await collection.find({ submissionId: id }).toArray(), clock())),
		/** Of a submission, the messages of one group. */
		findGroup: (submissionId: string, group: number) => findGroup({ submissionId, group }),
	};
}

function createQueries(collection: mongo.Collection<Message>, clock: () => number) {
	const isGroupOpen = createBatcher<Group, boolean>({
		itemsMax: 500,
		inFlightMax: 2,
		gatherMs: groupGatherMs,
		run: (groups) => guardStore(() => areGroupsOpen(collection, groups)),
	});

	return {
		/** Whether any message of the group is not final yet. */
		isGroupOpen: (submissionId: string, group: number) => isGroupOpen({ submissionId, group }),
		/** How many of a group's messages are in each state. */
		countStates: (submissionId: string, group: number) =>
			guardStore(async () => {
				const found = await collection.find({ submissionId }, { projection: { group: 1, state: 1 } }).toArray();
				const counts: Partial<Record<State, number>> = {};
				for (const { group: of, state } of found) if (of === group) counts[state] = (counts[state] ?? 0) + 1;
				return counts;
			}),
		/**
		 * A page of a tenant's messages, newest first, after the cursor's place: all of them. Of one that nobody can read there is
		 * what is not packed.
		 */
		page: (tenantId: string, itemsMax: number, after?: Place) =>
			guardStore(async () => {
				const found = await newestFirst(collection, afterPlace(tenantId, after)).limit(itemsMax).toArray();
				return wholeOrAside(collection, found, clock());
			}),
		/** The same of those that are so, for a list: what nobody can read is not in it. */
		shownPage: (tenantId: string, itemsMax: number, after?: Place, wanted: Wanted = {}) =>
			guardStore(() => {
				const { from, to, ...same } = wanted;
				const end = to !== undefined && !(after && after.acceptedAt < to) ? { acceptedAt: to, id: "" } : after;
				const filter = { ...afterPlace(tenantId, end, from), ...withoutUndefined(same) };
				const found = newestFirst(collection, filter).batchSize(itemsMax + 1);
				return readableUntil(collection, found, clock(), ({ length }) => length === itemsMax);
			}),
		/** The same of those since then of which nobody knows what became. */
		inDoubtPage: (tenantId: string, since: number, itemsMax: number, after?: Place) =>
			guardStore(() => {
				const found = inDoubtSince(newestFirst(collection, afterPlace(tenantId, after)), since);
				return readableUntil(collection, found, clock(), ({ length }) => length === itemsMax);
			}),
		/**
		 * A page of a tenant's messages since then, newest first, after the cursor's place, as much of each as tells what is left
		 * to do for it; and the place to go on from, unless that was the last.
		 */
		outlinePage: (of: OutlinePlace, itemsMax: number) => guardStore(() => readOutlines(collection, of, itemsMax)),
		/** Pages of a tenant's open messages, newest first: all that did not close by themselves before `now`. */
		openPages: (tenantId: string, now: number) => readOpenPages(collection, tenantId, now),
		/** A page of the messages whose object still has its ciphertext in this cohort, held ones left out. */
		findSealedIn: (cohortId: string, object: SealedObjectName, itemsMax: number) =>
			guardStore(async () => {
				const projection = { _id: 1, state: 1, holds: 1 };
				const page: Pick<Message, "_id" | "state" | "holds">[] = [];
				// Held ones are skipped here: a condition beside the indexed one makes some servers scan.
				for await (const found of collection.find({ [`${object}.cohortId`]: cohortId }, { projection })) {
					if (found.holds.length === 0 && page.push(found) === itemsMax) break;
				}
				return page;
			}),
		/**
		 * A page of the held messages whose object still has its wrapped key in this cohort, without ciphertext; none whose
		 * id, or whose every hold, is in `skip`. Of one that nobody can read there is what is not packed.
		 */
		findHeldIn: (cohortId: string, object: SealedObjectName, itemsMax: number, skip: ReadonlySet<string>) =>
			guardStore(async () => {
				const projection = { "content.ciphertext": 0, "address.ciphertext": 0 };
				const page: Message[] = [];
				for await (const found of collection.find({ [`${object}.cohortId`]: cohortId }, { projection })) {
					if (skip.has(found._id) || found.holds.every((hold) => skip.has(hold))) continue;
					if (page.push(wholeOrStored(found)) === itemsMax) break;
				}
				return page;
			}),
		/** How many messages, held ones included, still have ciphertext in this cohort. */
		countSealedIn: (cohortId: string) =>
			guardStore(async () => {
				const counts = [];
				for (const object of ["content", "address"] as const) {
					counts.push(await collection.countDocuments({ [`${object}.cohortId`]: cohortId }));
				}
				return counts.reduce((sum, count) => sum + count, 0);
			}),
	};
}

/** What waits for somebody to come by. */
function createWaitingQueries(collection: mongo.Collection<Message>, clock: () => number) {
	return {
		/** Messages that the sweep must look at, the longest overdue first. What can't be read is set aside, and tried again. */
		findDue: (now: number, itemsMax: number) =>
			guardStore(async () => {
				const due = await findDue(collection, now, itemsMax);
				const left = itemsMax - due.length;
				const aside = left > 0 ? await findAside(collection, now - limits.unreadableCheckMs, left) : [];
				return readable(collection, [...due, ...aside], now);
			}),
		/** Messages that were set aside since nobody can read them. */
		findUnreadable: (itemsMax: number) =>
			guardStore(() => findAside(collection, Number.MAX_SAFE_INTEGER, itemsMax, { tenantId: 1 })) as Promise<
				Pick<Message, "_id" | "tenantId">[]
			>,
		/** What waits in the backlog with keys between these, in their order. */
		findBacklog: ({ after, before }: { after: string; before: string }, itemsMax: number) =>
			guardStore(() =>
				collection
					.find({ backlog: { $gt: after, $lt: before } }, { projection: backlogFields })
					.sort({ backlog: 1 })
					.limit(itemsMax)
					.toArray(),
			) as Promise<Waiting[]>,
		/** How many wait there; `itemsMax` says that there may be more. */
		countBacklog: ({ after, before }: { after: string; before: string }, itemsMax: number) =>
			guardStore(() => collection.countDocuments({ backlog: { $gt: after, $lt: before } }, { limit: itemsMax })),
		/**
		 * What still needs a send queue: what waits for it, what was sent over it and is open, and what its carrier has yet to
		 * forget, each by one of them; `endsAt`, epoch ms: when the last of them ends by itself at the latest. An
		 * administrator's question, for which all that anything is left to do about is read.
		 */
		findNeeding: (sendQueue: string) =>
			guardStore(async () => {
				const projection = { state: 1, sendQueue: 1, deadlineAt: 1, closeAt: 1, "carrierCopy.state": 1 };
				const needs: { waiting?: Needing; sent?: Needing; copyDue?: string } = {};
				const count = (of: "waiting" | "sent", id: string, endsAt: number) => {
					const before = needs[of] ?? { id, count: 0, endsAt };
					needs[of] = { ...before, count: before.count + 1, endsAt: Math.max(before.endsAt, endsAt) };
				};
				for await (const found of collection.find({ nextCheckAt: { $gt: 0 } }, { projection })) {
					if (found.sendQueue !== sendQueue) continue;
					if ((unsentStates as readonly State[]).includes(found.state)) count("waiting", found._id, found.deadlineAt);
					else if ((openStates as readonly State[]).includes(found.state)) count("sent", found._id, found.closeAt);
					else if (found.carrierCopy?.state === "due") needs.copyDue = found._id;
				}
				return needs;
			}),
		/** Messages with something to tell that is not among the deliveries yet, the longest waiting first; no ciphertext. */
		findNotifying: (now: number, itemsMax: number) =>
			guardStore(async () => {
				const found = await collection
					.find({ notifyAt: { $lte: now } }, { projection: { content: 0, address: 0 } })
					.sort({ notifyAt: 1 })
					.limit(itemsMax)
					.toArray();
				return readable(collection, found, now, (notifyAt) => ({ notifyAt }));
			}),
		/** Has those that nobody has looked at since `now` looked at again at `at`. */
		postponeNotifying: (ids: string[], now: number, at: number) =>
			guardStore(async () => {
				if (ids.length === 0) return;
				// Not stated plainly: a stand-in would look for an index of this condition instead of using the ids.
				const filter = { _id: { $in: ids }, notifyAt: { $not: { $gt: now } } } as mongo.Filter<Message>;
				await collection.updateMany(filter, { $set: { notifyAt: at } });
			}),
		/** Messages with evidence that has not been in the log since before `until`, the longest first. */
		findUnintegrated: (until: number, itemsMax: number) =>
			guardStore(async () => {
				const found = await collection
					.find({ unintegratedSince: { $lte: until } })
					.sort({ unintegratedSince: 1 })
					.limit(itemsMax)
					.toArray();
				return readable(collection, found, clock(), (unintegratedSince) => ({ unintegratedSince }));
			}),
	};
}

/** What waits for its carrier to be asked to forget it. */
function createRedactionQueries(collection: mongo.Collection<Message>, clock: () => number) {
	const firstOf = ({ after, before }: Bounds, itemsMax: number, projection: mongo.Document = {}) =>
		collection
			.find({ redaction: { $gt: after, $lt: before } }, { projection })
			.sort({ redaction: 1 })
			.limit(itemsMax);

	// One look a queue, however much waits there: the first key of each, and on behind its last.
	async function readQueues(now: number): Promise<string[]> {
		const due: string[] = [];
		for (let after = ""; ; ) {
			const [{ redaction = "" } = {}] = await firstOf({ after, before: "~" }, 1, { redaction: 1 }).toArray();
			if (redaction === "") return due;
			const sendQueue = redaction.slice(0, redaction.lastIndexOf("/"));
			if (redaction < redactionsDue(sendQueue, now).before) due.push(sendQueue);
			after = queueRange(sendQueue).before;
		}
	}

	return {
		/** Messages whose carriers have a turn due, the longest due first; see `redactionKey`. */
		findRedactions: (range: Bounds, itemsMax: number) =>
			guardStore(async () => {
				const found = await firstOf(range, itemsMax).toArray();
				return readable(collection, found, clock(), (at, { sendQueue }) => ({
					redaction: redactionKey(sendQueue, at),
				}));
			}),
		/**
		 * Since when the longest waiting of the first `itemsMax` in a queue's line has been due, however often its carrier was
		 * asked; undefined where none waits.
		 */
		redactionDueSince: (sendQueue: string, itemsMax: number) =>
			guardStore(async () => {
				const waiting = await firstOf(queueRange(sendQueue), itemsMax, { carrierCopy: 1 }).toArray();
				const due = waiting.flatMap(({ carrierCopy }) => (carrierCopy?.state === "due" ? [carrierCopy.dueAt] : []));
				return due.length > 0 ? Math.min(...due) : undefined;
			}),
		/** Send queues that have such messages. */
		redactionQueues: (now: number) => guardStore(() => readQueues(now)),
	};
}

const backlogFields = {
	tenantId: 1,
	sendQueue: 1,
	category: 1,
	country: 1,
	segments: 1,
	attempt: 1,
	restrictedBy: 1,
	notBefore: 1,
	deadlineAt: 1,
	backlog: 1,
} as const;

/** A message in the backlog, as much as is needed to make its attempt's job. */
export type Waiting = Pick<Message, "_id" | Exclude<keyof typeof backlogFields, "backlog">> & { backlog: string };

/** The log has all that the message carries. */
const integrated = { unintegratedSince: { $exists: false } };
function createDeletions(collection: mongo.Collection<Message>) {
	return {
		/** Deletes a message's last trace, its record; only when it is final, nothing holds it, and the log has its evidence. */
		deleteRecord: createBatcher<string, undefined>({
			itemsMax: 200,
			run: (ids) => guardStore(() => deleteRecords(collection, ids)),
		}),
		/** Deletes what a torn batch left behind; not once it was confirmed, moved on or held by name, nor before the log has its evidence. */
		deleteOrphan: ({ _id, headId, nextCheckAt }: Message) =>
			guardStore(async () => {
				const untouched = {
					state: { $in: ["accepted", "deferred"] },
					attempt: 0,
					"restrictedBy.0": { $exists: false },
					...integrated,
				};
				const filter = { _id, ...checksOf({ headId, nextCheckAt, ...untouched }) } as mongo.Filter<Message>;
				return headId !== undefined && (await collection.deleteOne(filter)).deletedCount === 1;
			}),
	};
}

function createPageWrites(collection: mongo.Collection<Message>) {
	return {
		/**
		 * Erases one object of a page's messages, final and unheld ones that are still members of its cohort, in one write.
		 * Which it was are those that bear the page's certificate then.
		 */
		erasePage: ({ _id, object, cohortId, messageIds, erasedAt }: PurgePage) =>
			guardStore(async () => {
				const conditions = { state: { $in: finalStates }, holds: { $size: 0 }, [`${object}.cohortId`]: cohortId };
				const filter = { _id: { $in: messageIds }, ...checksOf(conditions) } as mongo.Filter<Message>;
				const update = {
					$unset: { [object]: 1, [`retention.${object}.verifiedAt`]: 1 },
					$set: { [`retention.${object}.erasedAt`]: erasedAt, [`retention.${object}.certificateId`]: _id },
					$push: { certificates: { $each: [_id], $slice: -limits.certificatesPerMessageMax } },
				};
				await collection.updateMany(filter, update as unknown as mongo.UpdateFilter<Message>);
			}),
		/**
		 * A page's messages as they are now, by what tells whether an object of theirs is gone, and what their carriers have. Of
		 * an object that came back the rest of its record is packed: where nobody can read that, it lacks its dates.
		 */
		readPage: ({ _id, object, messageIds }: PurgePage): Promise<PageMember[]> =>
			guardStore(async () => {
				const projection = { [`retention.${object}`]: 1, [`${object}.cohortId`]: 1, attempts: 1, carrierCopy: 1 };
				const found = await collection.find({ _id: { $in: messageIds } }, { projection }).toArray();
				const isPacked = ({ retention }: Message) =>
					retention[object]?.certificateId === _id && retention[object].eraseBy === undefined;
				const packed = found.filter(isPacked).map((message) => message._id);
				if (packed.length === 0) return found;
				const read = (await collection.find({ _id: { $in: packed } }).toArray()).map(wholeOrStored);
				return [...found.filter((message) => !isPacked(message)), ...read];
			}),
		/** Has the sweep see to messages one by one whose object a page's certificate can't vouch for. */
		disown: ({ _id, object }: Pick<PurgePage, "_id" | "object">, messageIds: string[], now: number) =>
			guardStore(async () => {
				const checks = checksOf({ [`retention.${object}.certificateId`]: _id });
				const filter = { _id: { $in: messageIds }, ...checks } as mongo.Filter<Message>;
				const update = { $unset: { [`retention.${object}.certificateId`]: 1 as const }, $set: { nextCheckAt: now } };
				await collection.updateMany(filter, update as unknown as mongo.UpdateFilter<Message>);
			}),
	};
}

type PageMember = Pick<Message, "_id" | "retention" | "attempts" | "carrierCopy" | SealedObjectName>;

type Place = { acceptedAt: number; id: string };

/** What a page is to hold only; accepted from then on and before then. */
type Wanted = { [Name in "state" | "category"]?: Message[Name] | undefined } & {
	[Name in "from" | "to"]?: number | undefined;
};

type Needing = { id: string; count: number; endsAt: number };

type OutlinePlace = { tenantId: string; since?: number | undefined; after?: Place | undefined };

/** A message, as much as tells whether it is open, held, or with a carrier that is still to forget it. */
export type MessageOutline = Pick<Message, "_id" | "acceptedAt" | "state" | "holds" | "carrierCopy">;

async function readOutlines(
	collection: mongo.Collection<Message>,
	{ tenantId, since = 0, after }: OutlinePlace,
	itemsMax: number,
): Promise<{ page: MessageOutline[]; after?: Place }> {
	const found: MessageOutline[] = await collection
		.find(afterPlace(tenantId, after), { projection: { acceptedAt: 1, state: 1, holds: 1, carrierCopy: 1 } })
		.sort({ acceptedAt: -1, _id: -1 })
		.limit(itemsMax)
		.toArray();
	// Sorted out here: a condition beside the indexed ones makes some servers scan.
	const page = found.filter(({ acceptedAt }) => acceptedAt >= since);
	const last = page.at(-1);
	return {
		page,
		...(last && page.length === itemsMax ? { after: { acceptedAt: last.acceptedAt, id: last._id } } : {}),
	};
}

/** @param from a stand-in leaves out what is at a bound that stands by itself, so it stands within the alternatives */
function afterPlace(tenantId: string, after: Place | undefined, from?: number): mongo.Filter<Message> {
	if (!after && from === undefined) return { tenantId };
	const { acceptedAt, id } = after ?? { acceptedAt: Number.MAX_SAFE_INTEGER, id: "" };
	const bound = from === undefined ? {} : { $gte: from };
	const alternatives = [
		{ acceptedAt: { $lt: acceptedAt, ...bound } },
		{ acceptedAt: { $eq: acceptedAt, ...bound }, _id: { $lt: id } },
	];
	return { tenantId, $or: alternatives };
}

async function* readOpenPages(
	collection: mongo.Collection<Message>,
	tenantId: string,
	now: number,
): AsyncGenerator<MessageOutline[]> {
	let after: Place | undefined;
	do {
		const of = { tenantId, since: openSince(now), after };
		const read = await guardStore(() => readOutlines(collection, of, limits.tenantPageItems));
		yield read.page.filter(isOpen);
		after = read.after;
	} while (after);
}

const isOpen = ({ state }: Pick<Message, "state">) => (openStates as string[]).includes(state);

function newestFirst(collection: mongo.Collection<Message>, filter: mongo.Filter<Message>) {
	return collection.find(filter).sort({ acceptedAt: -1, _id: -1 });
}

// Sorted out here: a condition beside the indexed ones makes some servers scan.
async function* inDoubtSince<Found extends Message>(found: AsyncIterable<Found>, since: number): AsyncGenerator<Found> {
	for await (const message of found) {
		if (message.acceptedAt < since) return;
		if (isInDoubt(message)) yield message;
	}
}

async function deleteRecords(collection: mongo.Collection<Message>, ids: string[]): Promise<undefined[]> {
	const erased = Object.fromEntries(sealedObjects.map((name) => [name, { $exists: false }]));
	const ended = { state: { $in: finalStates }, holds: { $size: 0 }, ...erased, ...integrated };
	const operations = ids.map((_id) => ({
		deleteOne: { filter: { _id, ...checksOf(ended) } as mongo.Filter<Message> },
	}));
	await collection.bulkWrite(operations, { ordered: false });
	return ids.map(() => undefined);
}

type Insertion = { message: Message; notAfter: number };

// Looked at here and not before: an item may wait for its batch, behind a store that is slow.
async function insertInTime(
	collection: mongo.Collection<Message>,
	items: Insertion[],
	now: number,
): Promise<("inserted" | "duplicate" | "late")[]> {
	const inTime = items.filter(({ notAfter }) => now <= notAfter);
	const messages = inTime.map(({ message }) => message);
	const answers = messages.length > 0 ? await insertAll(collection, messages) : [];
	const byItem = new Map(inTime.map((item, index) => [item, answers[index]]));
	return items.map((item) => byItem.get(item) ?? "late");
}

type StoreDeps = {
	randomToken: () => string;
	clock: () => number;
	/** A tenant's live holds on a period or on all of it, as of a moment ago: asked for each change that erases. */
	findKeeps: (tenantId: string) => Promise<HoldRecord[] | undefined>;
};

// A hold on a period or on all of a tenant keeps what it covers from when it is recorded, and is put on message by message:
// until a message bears it, whatever would erase something of it has it bear the hold instead.
async function spareKept(items: Transition[], { findKeeps }: StoreDeps): Promise<Transition[]> {
	return Promise.all(
		items.map(async (item) => {
			if (!item.erases) return item;
			const { tenantId, acceptedAt } = item.erases;
			const [holdId] = keepsOf({ keeps: (await findKeeps(tenantId)) ?? [] }, acceptedAt);
			return holdId === undefined ? item : spare(item, holdId);
		}),
	);
}

async function applyAll(
	collection: mongo.Collection<Message>,
	asked: Transition[],
	deps: StoreDeps,
	token = deps.randomToken(),
): Promise<(boolean | Error)[]> {
	const items = asked.some(({ erases }) => erases) ? await spareKept(asked, deps) : asked;
	const now = deps.clock();
	const changes = items.map((item) => ({
		id: item.id,
		conditions: conditionsOf(item),
		update: updateOf(item, token, now),
	}));
	const operations = updateTogether(changes) as mongo.AnyBulkWriteOperation<Message>[];
	const result = await collection.bulkWrite(operations, { ordered: false }).catch((error: unknown) => {
		if (items.length > 1 && isRefused(error)) return undefined;
		throw error;
	});
	if (result?.matchedCount === items.length) return items.map(() => true);
	if (result?.matchedCount === 0) return items.map(() => false);
	const applied = await collection
		.find({ _id: { $in: items.map((item) => item.id) } }, { projection: { tokens: 1 } })
		.toArray();
	const changed = new Set(applied.filter(({ tokens }) => tokens?.includes(token)).map(({ _id }) => _id));
	if (result) return items.map(({ id }) => changed.has(id));
	// An operation failed, and with it what it had not come to: what did not apply is tried alone, and its failure is its own.
	const alone = async (item: Transition) => {
		const [done = false] = await guardStore(() => applyAll(collection, [item], deps, token));
		return done;
	};
	return Promise.all(asked.map((item) => changed.has(item.id) || alone(item).catch((error: Error) => error)));
}

/**
 * The server's word on some of the operations, or for one of them on the whole command: what is done is durable. No word of a
 * connection that broke, nor of a server that takes no writes now: each change alone would hear the same.
 */
function isRefused(error: unknown): boolean {
	const { writeErrors, errorResponse, result } = error as Partial<mongo.MongoBulkWriteError>;
	const { ok, errorLabels = [] } = errorResponse ?? {};
	const isAnswered =
		[writeErrors ?? []].flat().length > 0 || (ok === 0 && !errorLabels.includes("RetryableWriteError"));
	return isAnswered && !result?.getWriteConcernError();
}

async function takeAll(
	collection: mongo.Collection<Message>,
	items: Transition[],
	deps: StoreDeps,
	token?: string,
): Promise<(Message | undefined | Error)[]> {
	// Not findOneAndUpdate, even for one: the stand-ins scan the collection for it.
	const applied = await applyAll(collection, items, deps, token);
	const found = await findAll(
		collection,
		items.map(({ id }) => id),
	);
	return found.map((message, index) => {
		const result = applied[index];
		return result === true ? message : result || undefined;
	});
}

type AttemptName = { messageId: string; attempt: number; sendQueue: string };

async function claimAll(
	collection: mongo.Collection<Message>,
	items: AttemptName[],
	deps: StoreDeps,
): Promise<(Message | undefined | Error)[]> {
	const now = deps.clock();
	const token = deps.randomToken();
	const claims = items.map(({ messageId, attempt, sendQueue }) => claim(messageId, attempt, now, token, sendQueue));
	const taken = await takeAll(collection, claims, deps, token);
	// A later change may have come in between: what counts is whose claim the attempt bears.
	return taken.map((message) =>
		message instanceof Error || message?.attempts.at(-1)?.claim === token ? message : undefined,
	);
}

function conditionsOf(item: Transition): Record<string, unknown> {
	const from = item.from ?? (item.to ? statesBefore(item.to) : undefined);
	return checksOf({ ...(from ? { state: { $in: from } } : {}), ...item.where });
}

function checksOf(conditions: Record<string, unknown>): Record<string, unknown> {
	return Object.fromEntries(Object.entries(conditions).map(([path, condition]) => [path, toCheck(condition)]));
}

/**
 * The same condition, negated twice. A stand-in spends more on finding out that no index serves a condition in its plain
 * form than on the update itself; one in this form it only checks, on the document that the id has found.
 */
function toCheck(condition: unknown): unknown {
	const isOperator =
		typeof condition === "object" && condition !== null && Object.keys(condition).some((key) => key.startsWith("$"));
	return { $not: isOperator ? { $not: condition } : { $ne: condition } };
}

function updateOf(item: Transition, token: string, now: number): Update {
	const { to, evidence = [], unset = [] } = item;
	const archive = item.rest && archiveOf(item.rest);
	// What is packed, or set anew with that, has in it what is set of it.
	const renewed = archive ? [...Object.keys(archive.set), ...archive.unset] : [];
	const isRenewed = (path: string) => renewed.some((whole) => `${path}.`.startsWith(`${whole}.`));
	const set = Object.entries(item.set ?? {}).filter(([path]) => !isRenewed(path));
	const pushed = Object.entries(item.push ?? {}).map(([path, { value, keep }]) => [
		path,
		{ $each: [value], ...(keep === undefined ? {} : { $slice: -keep }) },
	]);
	// The first that is not in the log counts: later ones leave the date, and its index, as they are.
	const isWaiting = evidence.length > 0 && !unset.includes("unintegratedSince");
	return {
		$set: {
			...(to ? { stateAt: now } : {}),
			...Object.fromEntries(set),
			...(to ? { state: to } : {}),
			...archive?.set,
		},
		$unset: [...new Set([...unset.filter((path) => !isRenewed(path)), ...(archive?.unset ?? [])])],
		$push: {
			tokens: { $each: [token], $slice: -(archive ? tokensKeptAtRest : tokensKept) },
			...Object.fromEntries(pushed),
			...(evidence.length > 0 && !archive ? { evidence: { $each: evidence } } : {}),
		},
		$min: isWaiting ? { unintegratedSince: now } : {},
	};
}

async function findAll(collection: mongo.Collection<Message>, ids: string[]): Promise<(Message | undefined | Error)[]> {
	const found = await collection.find({ _id: { $in: [...new Set(ids)] } }).toArray();
	// One that can't be read is the failure of whoever asks for it.
	const byId = new Map(found.map((stored) => [stored._id, wholeOrError(stored)]));
	return ids.map((id) => byId.get(id));
}

type CarrierReference = { sendQueue: string; carrierId: string };

async function findAllByCarrierId(
	collection: mongo.Collection<Message>,
	references: CarrierReference[],
): Promise<(Message | undefined | Error)[]> {
	const carrierIds = [...new Set(references.map(({ carrierId }) => carrierId))];
	const found = await collection.find({ "attempts.carrierId": { $in: carrierIds } }).toArray();
	// Two carriers may give the same id: the queue tells them apart. One may give it again: then it names who had it last.
	return references.map((reference) => {
		const bears = (attempt: Attempt) => carrierIdsOf(attempt).includes(reference.carrierId);
		const read = allOrError(found.filter(({ attempts }) => attempts.some(bears)));
		if (read instanceof Error) return read;
		const named = read.flatMap((message) =>
			message.attempts
				.filter((attempt) => isNamedBy(attempt, message, reference))
				.map(({ startedAt }) => ({ message, startedAt })),
		);
		return named.sort((one, other) => other.startedAt - one.startedAt)[0]?.message;
	});
}

type Group = { submissionId: string; group: number };

async function areGroupsOpen(collection: mongo.Collection<Message>, groups: Group[]): Promise<boolean[]> {
	const looks = new Map<string, Promise<boolean>>();
	for (const { submissionId, group } of groups) {
		const name = `${submissionId} ${group}`;
		if (looks.has(name)) continue;
		const filter = { submissionId, group, state: { $in: openStates } };
		const look = collection.findOne(filter, { projection: { _id: 1 } });
		looks.set(
			name,
			look.then((open) => open !== null),
		);
	}
	return Promise.all(groups.map(({ submissionId, group }) => looks.get(`${submissionId} ${group}`) ?? false));
}

async function findAllBySubmission(
	collection: mongo.Collection<Message>,
	ids: string[],
): Promise<(Message[] | Error)[]> {
	const found = await collection.find({ submissionId: { $in: [...new Set(ids)] } }).toArray();
	const bySubmission = Map.groupBy(found, (message) => message.submissionId);
	return ids.map((id) => allOrError(bySubmission.get(id) ?? []));
}

// A read a submission: asked of several by what `group` is one of, a stand-in takes no index.
async function findAllGroups(collection: mongo.Collection<Message>, groups: Group[]): Promise<(Message[] | Error)[]> {
	const nameOf = ({ submissionId, group }: Group) => `${submissionId} ${group}`;
	const reads = [...Map.groupBy(groups, ({ submissionId }) => submissionId)].map(([submissionId, asked]) =>
		collection.find({ submissionId, group: { $in: [...new Set(asked.map(({ group }) => group))] } }).toArray(),
	);
	const byGroup = Map.groupBy((await Promise.all(reads)).flat(), nameOf);
	return groups.map((group) => allOrError(byGroup.get(nameOf(group)) ?? []));
}
