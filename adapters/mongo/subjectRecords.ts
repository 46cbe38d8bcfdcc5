// Consents, opt-outs and holds in the store: inserted once, ended once, found by the recipient's pseudonym in one read.

import type { mongo } from "mongoose";
import type { Ending, ErasedRecord, HoldRecord, SubjectRecord } from "../../domain/subject.ts";
import { createBatcher } from "../batcher.ts";
import { findDue } from "./findDue.ts";
import { findPage, type Place } from "./findPage.ts";
import { guardStore } from "./guard.ts";
import { insertOnce } from "./insertOnce.ts";
import type { Models } from "./models.ts";
import { pageAll } from "./pageAll.ts";

export type SubjectRecordStore = ReturnType<typeof createSubjectRecordStore>;

/** Writes are journaled before they are answered. @throws LetheError store_unavailable */
export function createSubjectRecordStore(models: Models) {
	const collection = models.subjectRecords.collection as unknown as mongo.Collection<SubjectRecord>;

	const findBySubjects = createBatcher<readonly string[], SubjectRecord[]>({
		itemsMax: 200,
		inFlightMax: 2,
		run: (items) => guardStore(() => findAll(collection, items)),
	});

	return {
		/** All that is recorded of one recipient, whose pseudonyms these are. */
		findBySubjects,
		find: (id: string) =>
			guardStore(async () => ((await collection.findOne({ _id: id })) as SubjectRecord | ErasedRecord) ?? undefined),
		/** False when a record of that id stands. */
		insert: (record: SubjectRecord) => guardStore(() => insertOnce(collection, record)),
		/**
		 * Ends a record that has not ended, or only as `over` says; false when it had, or is not there, or is an opt-out that was
		 * said again then or later.
		 */
		end: (id: string, ended: Ending, set: EndSet = {}, over?: Ending["source"]) =>
			guardStore(() => endRecord(collection, { id, ended, set, over })),
		/** Takes back that an opt-out has ended so. */
		reopen: (id: string, ended: Ending) => guardStore(() => reopenRecord(collection, id, ended)),
		/** Notes that who is named as a hold's approver said yes; false when it waits for nobody. */
		approve: (id: string, at: number) => guardStore(() => approveHold(collection, id, at)),
		/** A tenant's holds that wait for their approver. */
		findAwaiting: (tenantId: string) => findHolds(collection, { awaits: tenantId }),
		/** A tenant's holds whose day of review has come. */
		findReviewDue: async (tenantId: string, now: number) => {
			// By what its index has alone: with more to ask for some servers scan.
			const holds = await findHolds(collection, { tenantId, kind: "hold" }, { recordedAt: -1, _id: -1 });
			return holds.filter(({ reviewAt, ended }) => !ended && reviewAt !== undefined && reviewAt <= now);
		},
		/** Has an opt-out know that it was said again at `at`; false when it has ended. */
		repeat: (id: string, at: number) =>
			guardStore(async () => {
				const filter = { _id: id, ended: { $exists: false } } as mongo.Filter<SubjectRecord>;
				const update = { $max: { repeatedAt: at } } as mongo.UpdateFilter<SubjectRecord>;
				return (await collection.updateOne(filter, update)).matchedCount === 1;
			}),
		/** A page of a tenant's records of one kind, newest first, after the cursor's place. */
		page: <Kind extends SubjectRecord["kind"]>(tenantId: string, kind: Kind, itemsMax: number, after?: Place) => {
			const filter = { tenantId, kind } as mongo.Filter<SubjectRecord>;
			const found = findPage(collection, filter, "recordedAt", { itemsMax, after });
			return found as Promise<Extract<SubjectRecord, { kind: Kind }>[]>;
		},
		/** Every tenant's, page by page. */
		pageAll: (afterId: string, itemsMax: number) =>
			pageAll<SubjectRecord | ErasedRecord>(collection as never, afterId, itemsMax),
		/** Records that the sweep must look at, the longest overdue first. */
		findDue: (now: number, itemsMax: number): Promise<(SubjectRecord | ErasedRecord)[]> =>
			findDue(collection, now, itemsMax),
		/** Look again at `at`; undefined when nothing is left to do. Whoever has set another date since it was read has a say. */
		nextCheck: (record: Looked, at: number | undefined) => guardStore(() => setNextCheck(collection, record, at)),
		/** Gives a record other dates when it is as it was read; false when it is not. */
		retime: (record: SubjectRecord, dates: RecordDates) => guardStore(() => retimeRecord(collection, record, dates)),
		/** Has a record go at `at` if it would have stayed for longer. */
		eraseFrom: (id: string, at: number) =>
			guardStore(
				async () => void (await collection.updateOne({ _id: id }, { $min: { eraseBy: at, nextCheckAt: at } })),
			),
		/** Notes an erasure before it happens; the last note of a record counts. */
		note: (erased: ErasedRecord) =>
			guardStore(
				async () => void (await collection.replaceOne({ _id: erased._id }, erased as never, { upsert: true })),
			),
		/** Erases a record that is due when it was as read; false when it is not. */
		erase: ({ _id, eraseBy }: SubjectRecord) =>
			guardStore(async () => {
				const filter = { _id, eraseBy } as mongo.Filter<SubjectRecord>;
				return (await collection.deleteOne(filter)).deletedCount === 1;
			}),
		delete: (id: string) => guardStore(async () => void (await collection.deleteOne({ _id: id }))),
	};
}

async function approveHold(collection: mongo.Collection<SubjectRecord>, id: string, at: number): Promise<boolean> {
	const filter = { _id: id, awaits: { $exists: true } } as mongo.Filter<SubjectRecord>;
	const update = { $set: { approvedAt: at }, $unset: { awaits: 1 } } as mongo.UpdateFilter<SubjectRecord>;
	return (await collection.updateOne(filter, update)).matchedCount === 1;
}

type Looked = Pick<SubjectRecord, "_id" | "nextCheckAt" | "eraseBy">;

async function setNextCheck(
	collection: mongo.Collection<SubjectRecord>,
	{ _id, nextCheckAt, eraseBy }: Looked,
	at: number | undefined,
): Promise<void> {
	const update = at === undefined ? { $unset: { nextCheckAt: 1 as const } } : { $set: { nextCheckAt: at } };
	const asRead = { nextCheckAt: nextCheckAt ?? { $exists: false }, eraseBy: eraseBy ?? { $exists: false } };
	const filter = { _id, ...asRead } as mongo.Filter<SubjectRecord>;
	await collection.updateOne(filter, update as mongo.UpdateFilter<SubjectRecord>);
}

/** `eraseBy` is undefined where no law ends it. */
export type RecordDates = { eraseBy: number | undefined; keptAfterEnd?: string };

// When to look again is earlier at most: whoever looks sets what is right.
async function retimeRecord(
	collection: mongo.Collection<SubjectRecord>,
	{ _id, eraseBy, ended }: SubjectRecord,
	{ eraseBy: until, ...dates }: RecordDates,
): Promise<boolean> {
	const filter = {
		_id,
		eraseBy: eraseBy ?? { $exists: false },
		"ended.recordedAt": ended?.recordedAt ?? { $exists: false },
	} as mongo.Filter<SubjectRecord>;
	const update =
		until === undefined
			? { $set: dates, $unset: { eraseBy: 1 } }
			: { $set: { ...dates, eraseBy: until }, $min: { nextCheckAt: until } };
	return (await collection.updateOne(filter, update as mongo.UpdateFilter<SubjectRecord>)).matchedCount === 1;
}

type EndSet = Partial<Pick<SubjectRecord, "eraseBy" | "nextCheckAt" | "subjects">>;

function findHolds(
	collection: mongo.Collection<SubjectRecord>,
	filter: mongo.Filter<HoldRecord>,
	sort: mongo.Sort = {},
): Promise<HoldRecord[]> {
	const holds = collection as unknown as mongo.Collection<HoldRecord>;
	return guardStore(() => holds.find(filter).sort(sort).toArray() as Promise<HoldRecord[]>);
}

async function endRecord(
	collection: mongo.Collection<SubjectRecord>,
	{ id, ended, set, over }: { id: string; ended: Ending; set: EndSet; over: Ending["source"] | undefined },
): Promise<boolean> {
	const standing = over === undefined ? { ended: { $exists: false } } : { "ended.source": over };
	const saidBefore = { repeatedAt: { $not: { $gte: ended.at } } };
	const filter = { _id: id, ...standing, ...saidBefore } as mongo.Filter<SubjectRecord>;
	const update = {
		$set: { ended, ...set },
		$unset: { place: 1, passes: 1, awaits: 1 },
	} as mongo.UpdateFilter<SubjectRecord>;
	return (await collection.updateOne(filter, update)).matchedCount === 1;
}

async function reopenRecord(
	collection: mongo.Collection<SubjectRecord>,
	id: string,
	{ at, recordedAt }: Ending,
): Promise<void> {
	const filter = { _id: id, "ended.at": at, "ended.recordedAt": recordedAt } as mongo.Filter<SubjectRecord>;
	await collection.updateOne(filter, { $unset: { ended: 1 } } as mongo.UpdateFilter<SubjectRecord>);
}

async function findAll(
	collection: mongo.Collection<SubjectRecord>,
	items: (readonly string[])[],
): Promise<SubjectRecord[][]> {
	const filter = { subjects: { $in: [...new Set(items.flat())] } } as mongo.Filter<SubjectRecord>;
	const found = (await collection.find(filter).toArray()) as SubjectRecord[];
	if (found.length === 0) return items.map(() => []);
	return items.map((macs) => found.filter(({ subjects }) => subjects.some((mac) => macs.includes(mac))));
}
