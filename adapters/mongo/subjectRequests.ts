// Subjects' requests in the store, and the exports that wait a few minutes, sealed, for whoever asked for them.

import type { mongo } from "mongoose";
import type { HoldRecord } from "../../domain/subject.ts";
import { type Dated, requestStates, type SubjectRequest } from "../../domain/subjectRequest.ts";
import { changeRevised } from "./changeRevised.ts";
import { findDue } from "./findDue.ts";
import { findPage, type Place } from "./findPage.ts";
import { guardStore } from "./guard.ts";
import { insertOnce } from "./insertOnce.ts";

/** `revision` counts its changes: of two who read the same one, one changes it. */
export type StoredRequest = SubjectRequest & { revision: number };

/** Of a request that is not closed its dates alone. */
export type OpenRequest = Dated & Pick<SubjectRequest, "_id">;

const openStates = requestStates.filter((state) => state !== "closed");
const datedFields = {
	...{ ackBy: 1, acknowledgedAt: 1, respondBy: 1, extendedTo: 1 },
	...{ "tasks.raisedAt": 1, "tasks.decided": 1 },
};

/** What is left of a request that is being erased, until its certificate is stored. */
export type ErasedRequest = {
	_id: string;
	tenantId: string;
	state: "erased";
	/** Of the request; lists are ordered by it. */
	recordedAt: number;
	erasedAt: number;
	revision: number;
	nextCheckAt: number;
};

/** An export under way. Its pages can be opened only with the private key of the process that asked. Times epoch ms. */
export type ExportJob = {
	_id: string;
	tenantId: string;
	/** The request's, or the message's that is to be read out. */
	requestId: string;
	/** `disclosures` needs nothing decrypted; `message` is one message. */
	report: "data" | "disclosures" | "message";
	/** JWK, X25519. */
	publicKey: Record<string, unknown>;
	state: "open" | "ready" | "too_large";
	/** How far it is made: pages that are put, messages seen, and where the next page begins; at the start where there is none. */
	pageCount: number;
	messageCount?: number;
	cursor?: Cursor;
	eraseBy: number;
};

/** JWE in compact form. It ends by itself: of a job that is gone nothing leads to it any more. */
export type ExportPage = { _id: string; exportId: string; jwe: string; eraseBy: number };

type Cursor = NonNullable<SubjectRequest["erasure"]>["cursor"];

/** @throws LetheError store_unavailable */
export function createSubjectRequestStore(collection: mongo.Collection<StoredRequest>) {
	const find = (id: string) =>
		guardStore(async () => {
			const found = (await collection.findOne({ _id: id })) as StoredRequest | ErasedRequest | null;
			return found === null || found.state === "erased" ? undefined : found;
		});

	return {
		/** False when a request of that id stands. */
		insert: (request: SubjectRequest) => guardStore(() => insertOnce(collection, { ...request, revision: 0 })),
		/** Undefined when there is none, or none any more. */
		find,
		/** Reads one of a tenant; another tenant's answers like absence. */
		async findForTenant(tenantId: string, id: string): Promise<StoredRequest | undefined> {
			const request = await find(id);
			return request?.tenantId === tenantId ? request : undefined;
		},
		/** Changes a request by what `decide` makes of it; see `changeRevised`. */
		change: (id: string, decide: (request: StoredRequest) => SubjectRequest | undefined) =>
			changeRevised(collection, () => find(id), decide),
		/** A page of a tenant's, newest first, after the cursor's place. */
		page: (tenantId: string, itemsMax: number, after?: Place): Promise<(StoredRequest | ErasedRequest)[]> =>
			findPage(collection, { tenantId } as mongo.Filter<StoredRequest>, "recordedAt", { itemsMax, after }),
		/** A tenant's requests that are not closed, the oldest of each state first: what their reminders come from. */
		findOpen: (tenantId: string, itemsMax: number): Promise<OpenRequest[]> =>
			guardStore(async () => {
				// By what its index has alone, one state after the other: with a choice to make some servers scan.
				const ofState = (state: string) =>
					collection
						.find({ tenantId, state } as mongo.Filter<StoredRequest>, { projection: datedFields })
						.sort({ recordedAt: 1 })
						.limit(itemsMax)
						.toArray() as Promise<OpenRequest[]>;
				return (await Promise.all(openStates.map(ofState))).flat();
			}),
		/** Has the sweep look soon at requests that wait for a hold: which of them waited for this one they find out. */
		recheckHeld: (hold: Pick<HoldRecord, "tenantId" | "scope" | "subjects">, now: number) =>
			guardStore(async () => {
				const filter = {
					tenantId: hold.tenantId,
					"erasure.recheckAt": { $gt: now },
					"erasure.kept.reason": { $in: ["hold", "restriction"] },
					...(hold.scope === "subject" ? { subjects: { $in: hold.subjects } } : {}),
				} as mongo.Filter<StoredRequest>;
				const soon = { $set: { "erasure.recheckAt": now, nextCheckAt: now }, $inc: { revision: 1 } };
				await collection.updateMany(filter, soon as mongo.UpdateFilter<StoredRequest>);
			}),
		/** Requests that the sweep must look at, the longest overdue first. */
		findDue: (now: number, itemsMax: number) =>
			findDue(collection, now, itemsMax) as Promise<(StoredRequest | ErasedRequest)[]>,
		/** Takes everything from a request but that it is being erased; false when it was changed since it was read. */
		erase: ({ _id, tenantId, recordedAt, revision }: StoredRequest, now: number, nextCheckAt: number) =>
			guardStore(async () => {
				const rest = { _id, tenantId, state: "erased", recordedAt, erasedAt: now, revision: revision + 1, nextCheckAt };
				const filter = { _id, revision } as mongo.Filter<StoredRequest>;
				return (await collection.replaceOne(filter, rest as never)).matchedCount === 1;
			}),
		/** Deletes what an erased one left. */
		delete: (id: string) => guardStore(async () => void (await collection.deleteOne({ _id: id }))),
	};
}

/** Exports that wait to be fetched. @throws LetheError store_unavailable */
export function createExportStore(jobs: mongo.Collection<ExportJob>, pages: mongo.Collection<ExportPage>) {
	return {
		insert: (job: ExportJob) => guardStore(async () => void (await jobs.insertOne(job))),
		find: (id: string) => guardStore(async () => (await jobs.findOne({ _id: id })) ?? undefined),
		/** A request's exports that nobody has made yet, the oldest first. */
		open: (requestId: string) =>
			guardStore(async () => {
				const open = (await jobs.find({ requestId }).toArray()).filter(({ state }) => state === "open");
				return open.sort((a, b) => a.eraseBy - b.eraseBy);
			}),
		/** Puts a page, or the same again. */
		putPage: (page: ExportPage) =>
			guardStore(async () => void (await pages.replaceOne({ _id: page._id }, page, { upsert: true }))),
		/** Notes that one more page is put; false when the export is gone, or somebody else has put that page. */
		advance: ({ _id, pageCount }: ExportJob, messageCount: number, cursor: Cursor) =>
			guardStore(async () => {
				const set = { pageCount: pageCount + 1, messageCount, cursor };
				return (await jobs.updateOne({ _id, pageCount }, { $set: set })).matchedCount === 1;
			}),
		end: (id: string, state: ExportJob["state"], pageCount: number) =>
			guardStore(async () => void (await jobs.updateOne({ _id: id }, { $set: { state, pageCount } }))),
		/** In any order. */
		pages: (exportId: string) => guardStore(() => pages.find({ exportId }).toArray()),
		erase: (id: string) =>
			guardStore(async () => {
				await pages.deleteMany({ exportId: id });
				await jobs.deleteOne({ _id: id });
			}),
		/** Erases all of one request. */
		eraseOf: (requestId: string) =>
			guardStore(async () => {
				for (const { _id } of await jobs.find({ requestId }, { projection: { _id: 1 } }).toArray()) {
					await pages.deleteMany({ exportId: _id });
					await jobs.deleteOne({ _id });
				}
			}),
		/** Erases those whose asker has not come back, and pages that were put when their export was gone already. */
		eraseDue: (now: number) =>
			guardStore(async () => {
				await pages.deleteMany({ eraseBy: { $lte: now } });
				await jobs.deleteMany({ eraseBy: { $lte: now } });
			}),
	};
}
