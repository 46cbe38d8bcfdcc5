// The record of everything Lethe keeps: one object a collection.

import type { mongo } from "mongoose";
import { createCache } from "../../domain/cache.ts";
import { LetheError } from "../../domain/errors.ts";
import type { Epoch, WaitingEntry } from "../../domain/ledger.ts";
import { limits } from "../../domain/limits.ts";
import type { Message } from "../../domain/message.ts";
import type { PolicyVersion, Proposal, Retiming } from "../../domain/proposal.ts";
import { type HoldRecord, standingOf } from "../../domain/subject.ts";
import type { TenantStanding } from "../../domain/tenancy.ts";
import type { Verification } from "../../domain/verification.ts";
import type { WebhookDelivery, WebhookEndpoint } from "../../domain/webhook.ts";
import { createBatcher } from "../batcher.ts";
import { createCertificateStore, type StoredCertificate } from "./certificates.ts";
import { createCohortStore } from "./cohorts.ts";
import type { MongoConnection } from "./connection.ts";
import { createEvidenceStore } from "./evidence.ts";
import { findDue } from "./findDue.ts";
import { findPage, type Place } from "./findPage.ts";
import { guardStore } from "./guard.ts";
import { insertAll } from "./insertAll.ts";
import { insertOnce } from "./insertOnce.ts";
import { createMessageStore } from "./messages.ts";
import {
	type ApiKeyDocument,
	type Cohort,
	createModels,
	type EpochDocument,
	type IdempotencyDocument,
	type IdentityProviderDocument,
	type IssuerDocument,
	indexes,
	type ParkedReceipt,
	type PurgePage,
	type SendQueueDocument,
	type SpentProof,
	type TenantDocument,
	type WrappingKeyDocument,
} from "./models.ts";
import { pageAll } from "./pageAll.ts";
import { createPeopleStore, type PersonLoginDocument, type StoredPerson } from "./people.ts";
import { createMessageScan, createPolicyVersionStore, createProposalStore, createRetimingStore } from "./policies.ts";
import { createSpendingStore, type SpendingDocument } from "./spending.ts";
import { createSubjectMessageStore } from "./subjectMessages.ts";
import { createSubjectRecordStore } from "./subjectRecords.ts";
import {
	createExportStore,
	createSubjectRequestStore,
	type ExportJob,
	type ExportPage,
	type StoredRequest,
} from "./subjectRequests.ts";
import { createTemplateStore, type TemplateDocument } from "./templates.ts";
import { createVerificationStore } from "./verifications.ts";
import { createWebhookDeliveryStore, createWebhookEndpointStore } from "./webhooks.ts";
import { createWideHoldStore } from "./wideHolds.ts";

export type Store = ReturnType<typeof createStore>;

/** Binds every collection. Each call throws LetheError store_unavailable when the server can't answer. */
export function createStore(connection: MongoConnection, deps: { randomToken: () => string; clock: () => number }) {
	const models = createModels(connection);
	const raw = <Document extends { _id: string }>(name: keyof typeof models) =>
		models[name].collection as unknown as mongo.Collection<Document>;
	const subjectRecords = createSubjectRecordStore(models);
	const findKeeps = createCache<HoldRecord[]>({
		load: async (tenantId) => standingOf(await subjectRecords.findBySubjects([tenantId]), tenantId).keeps,
		clock: deps.clock,
		ttlMs: limits.holdSeenMs,
		itemsMax: limits.holdsSeenMax,
	});

	return {
		/** Creates the collections and their indexes; safe to repeat. */
		async prepare(): Promise<void> {
			for (const [name, model] of Object.entries(models)) {
				const keys = indexes[name as keyof typeof models];
				await guardStore(async () => {
					// A collection is made with its first index. In one command: each by itself takes a server more than twice as long.
					if (keys.length === 0) await model.createCollection();
					else await model.collection.createIndexes(keys.map((key) => ({ key })));
				});
			}
		},
		/** Collections and indexes that `prepare` would make, as `messages` or `messages {"nextCheckAt":1}`. */
		missing: () => guardStore(() => findMissing(connection, Object.keys(models) as (keyof typeof models)[])),
		/** Whether the server answers. */
		ping: () => guardStore(async () => void (await connection.db?.admin().ping())),
		close: () => connection.close(),
		messages: createMessageStore(models, { ...deps, findKeeps }),
		subjectMessages: createSubjectMessageStore(models, deps),
		subjectRecords,
		wideHolds: createWideHoldStore(models),
		subjectRequests: createSubjectRequestStore(raw<StoredRequest>("subjectRequests")),
		subjectExports: createExportStore(raw<ExportJob>("subjectExports"), raw<ExportPage>("subjectExportPages")),
		cohorts: createCohortStore(raw<Cohort>("cohorts")),
		wrappingKeys: createWrappingKeyStore(raw<WrappingKeyDocument>("wrappingKeys")),
		parkedReceipts: createParkedReceiptStore(raw<ParkedReceipt>("parkedReceipts")),
		purgePages: createPurgePageStore(raw<PurgePage>("purgePages")),
		certificates: createCertificateStore(raw<StoredCertificate>("certificates")),
		idempotencyKeys: createIdempotencyStore(raw<IdempotencyDocument>("idempotencyKeys")),
		apiKeys: createApiKeyStore(raw<ApiKeyDocument>("apiKeys")),
		spentProofs: createSpentProofStore(raw<SpentProof>("spentProofs")),
		issuers: createRemovableStore(raw<IssuerDocument>("issuers")),
		identityProviders: createRemovableStore(raw<IdentityProviderDocument>("identityProviders")),
		people: createPeopleStore(raw<StoredPerson>("people"), raw<PersonLoginDocument>("personLogins")),
		epochs: createEpochStore(raw<EpochDocument>("epochs")),
		ledgerWaiting: createWaitingStore(raw<WaitingEntry>("ledgerWaiting")),
		tenants: createTenantStore(raw<TenantDocument>("tenants")),
		sendQueues: createSendQueueStore(raw<SendQueueDocument>("sendQueues")),
		spending: createSpendingStore(raw<SpendingDocument>("spending")),
		templates: createTemplateStore(raw<TemplateDocument>("templates")),
		verifications: createVerificationStore(raw<Verification>("verifications")),
		webhookEndpoints: createWebhookEndpointStore(raw<WebhookEndpoint>("webhookEndpoints")),
		webhookDeliveries: createWebhookDeliveryStore(raw<WebhookDelivery>("webhookDeliveries"), deps),
		proposals: createProposalStore(raw<Proposal>("policyProposals"), deps),
		policyVersions: createPolicyVersionStore(raw<PolicyVersion>("policyVersions")),
		retimings: createRetimingStore(raw<Retiming>("policyRetimings")),
		messageScan: createMessageScan(raw<Message>("messages")),
		evidence: createEvidenceStore(models),
	};
}

async function findMissing(connection: MongoConnection, names: (keyof typeof indexes)[]): Promise<string[]> {
	const present = new Set((await connection.listCollections()).map(({ name }) => name));
	const missing: string[] = [];
	for (const name of names) {
		const keys = present.has(name) ? await connection.collection(name).indexes() : undefined;
		if (keys === undefined) missing.push(name);
		const made = new Set((keys ?? []).map(({ key }) => JSON.stringify(key)));
		const lacking = indexes[name].map((key) => JSON.stringify(key)).filter((key) => keys && !made.has(key));
		missing.push(...lacking.map((key) => `${name} ${key}`));
	}
	return missing;
}

function createWrappingKeyStore(collection: mongo.Collection<WrappingKeyDocument>) {
	return {
		insert: (document: WrappingKeyDocument) => guardStore(async () => void (await collection.insertOne(document))),
		find: (id: string) => guardStore(async () => (await collection.findOne({ _id: id })) ?? undefined),
		findByCohort: (cohortId: string) => guardStore(() => collection.find({ cohortId }).toArray()),
		/** Puts other wrapped copies of the same keys in the places of these; one that changed meanwhile stays. */
		replaceWrapped: (changes: { id: string; from: string; to: string }[]) =>
			guardStore(async () => {
				const operations = changes.map(({ id, from, to }) => ({
					updateOne: { filter: { _id: id, wrapped: from }, update: { $set: { wrapped: to } } },
				}));
				if (operations.length > 0) await collection.bulkWrite(operations, { ordered: false });
			}),
		deleteByCohort: (cohortId: string) =>
			guardStore(async () => (await collection.deleteMany({ cohortId })).deletedCount),
	};
}

function createParkedReceiptStore(collection: mongo.Collection<ParkedReceipt>) {
	const findByCarrierId = createBatcher<Pick<ParkedReceipt, "sendQueue" | "carrierId">, ParkedReceipt[]>({
		itemsMax: 200,
		inFlightMax: 2,
		run: (wanted) =>
			guardStore(async () => {
				const found = await collection.find({ carrierId: { $in: wanted.map(({ carrierId }) => carrierId) } }).toArray();
				return wanted.map(({ sendQueue, carrierId }) =>
					found.filter((receipt) => receipt.sendQueue === sendQueue && receipt.carrierId === carrierId),
				);
			}),
	});

	return {
		/** Parks once; a repeated event changes nothing. */
		park: (receipt: ParkedReceipt) => guardStore(async () => void (await insertOnce(collection, receipt))),
		/** What waits for a carrier's id; calls made together share a read. */
		findByCarrierId: (sendQueue: string, carrierId: string) => findByCarrierId({ sendQueue, carrierId }),
		delete: (ids: string[]) => guardStore(async () => void (await collection.deleteMany({ _id: { $in: ids } }))),
		/** Receipts that the sweep must look at, the longest overdue first. */
		findDue: (now: number, itemsMax: number) => findDue(collection, now, itemsMax),
		/** Has the sweep look at each again at its own time. */
		nextChecks: (checks: { id: string; at: number }[]) =>
			guardStore(async () => {
				const operations = checks.map(({ id, at }) => ({
					updateOne: { filter: { _id: id }, update: { $set: { nextCheckAt: at } } },
				}));
				if (operations.length > 0) await collection.bulkWrite(operations, { ordered: false });
			}),
		eraseDue: (now: number) =>
			guardStore(async () => (await collection.deleteMany({ eraseBy: { $lte: now } })).deletedCount),
		eraseCohort: (cohortId: string) =>
			guardStore(async () => (await collection.deleteMany({ "sealed.cohortId": cohortId })).deletedCount),
		countIn: (cohortId: string) => guardStore(() => collection.countDocuments({ "sealed.cohortId": cohortId })),
		count: () => guardStore(() => collection.estimatedDocumentCount()),
	};
}

function createPurgePageStore(collection: mongo.Collection<PurgePage>) {
	return {
		insert: (page: PurgePage) => guardStore(async () => void (await collection.insertOne(page))),
		findByCohort: (cohortId: string) => guardStore(() => collection.find({ cohortId }).toArray()),
		find: (id: string) => guardStore(async () => (await collection.findOne({ _id: id })) ?? undefined),
		delete: (id: string) => guardStore(async () => void (await collection.deleteOne({ _id: id }))),
	};
}

const claimRoundsMax = 5;

/** A claimed key, by the time at which its holder claimed it or took it over, epoch milliseconds. */
export type Claim = { id: string; startedAt: number };

function createIdempotencyStore(collection: mongo.Collection<IdempotencyDocument>) {
	return {
		/** Claims a key; undefined when the caller now holds it, else the document that stands. */
		claim: (document: IdempotencyDocument) =>
			guardStore(async () => {
				// Whoever held it may let go between the insert and the read: then it is there to be claimed again.
				for (let round = 0; round < claimRoundsMax; round++) {
					if (await insertOnce(collection, document)) return undefined;
					const standing = await collection.findOne({ _id: document._id });
					if (standing) return standing;
				}
				throw new LetheError("store_unavailable", { cause: "lost every race" });
			}),
		/** The document that stands under one of these ids. */
		findAny: async (ids: string[]) => {
			if (ids.length === 0) return undefined;
			return guardStore(async () => (await collection.findOne({ _id: { $in: ids } })) ?? undefined);
		},
		/** Takes over a claim whose process died; true for one caller only. */
		takeOver: (id: string, startedAt: number, now: number) =>
			guardStore(async () => {
				const filter = { _id: id, startedAt, answer: { $exists: false } };
				return (await collection.updateOne(filter, { $set: { startedAt: now } })).matchedCount === 1;
			}),
		/** Keeps the answer, unless the claim was taken over meanwhile: whoever holds it answers for it. */
		answer: ({ id, startedAt }: Claim, answer: NonNullable<IdempotencyDocument["answer"]>) =>
			guardStore(async () => void (await collection.updateOne({ _id: id, startedAt }, { $set: { answer } }))),
		/** As if its process had died long ago: whoever comes next takes it over. */
		abandon: ({ id, startedAt }: Claim) =>
			guardStore(async () => void (await collection.updateOne({ _id: id, startedAt }, { $set: { startedAt: 0 } }))),
		release: ({ id, startedAt }: Claim) =>
			guardStore(async () => void (await collection.deleteOne({ _id: id, startedAt }))),
		eraseDue: (now: number) =>
			guardStore(async () => (await collection.deleteMany({ eraseBy: { $lte: now } })).deletedCount),
	};
}

/** The keyed hash of a network, and the one under an older version of the hash's key that it stands in place of. */
export type SeenNetwork = { mac: string; instead?: string | undefined };

function createApiKeyStore(collection: mongo.Collection<ApiKeyDocument>) {
	return {
		/** False when one of that id stands. */
		insert: (document: ApiKeyDocument) => guardStore(() => insertOnce(collection, document)),
		// Asked for by whoever says that they are it: whatever stands there is compared, and is no operator.
		find: (id: string) => guardStore(async () => (await collection.findOne({ _id: { $eq: id } })) ?? undefined),
		/** The key whose hash under any live key version this is. */
		findByMacs: (macs: string[]) =>
			guardStore(async () => (await collection.findOne({ "secrets.mac": { $in: macs } })) ?? undefined),
		/** The time of the first revocation stands. False when there is no such key. */
		revoke: (id: string, now: number) =>
			guardStore(async () => {
				const filter = { _id: id, revokedAt: { $exists: false } };
				const { matchedCount } = await collection.updateOne(filter, { $set: { revokedAt: now } });
				return matchedCount === 1 || (await collection.findOne({ _id: id })) !== null;
			}),
		/** Puts others in the place of its secrets; false when its newest is not `newest` by now, or it was revoked. */
		replaceSecrets: (id: string, newest: string, set: Pick<ApiKeyDocument, "secrets" | "shownTo">) =>
			guardStore(async () => {
				const filter = { _id: id, "secrets.0.mac": newest, revokedAt: { $exists: false } };
				return (await collection.updateOne(filter as never, { $set: set })).matchedCount === 1;
			}),
		/** Notes that it was used, and a network that it came from beside those that others note meanwhile. */
		noteUse: (id: string, lastUsedAt: number, network?: SeenNetwork) =>
			guardStore(async () => {
				await collection.updateOne({ _id: id }, { $set: { lastUsedAt } });
				if (!network) return;
				const { mac, instead } = network;
				const push = { seenFrom: { $each: [mac], $slice: -limits.networksSeenMax } };
				await collection.updateOne({ _id: id, seenFrom: { $ne: mac } }, { $push: push });
				if (instead !== undefined) await collection.updateOne({ _id: id }, { $pull: { seenFrom: instead } });
			}),
		/** A page of a tenant's, newest first, after the cursor's place. */
		page: (tenantId: string, itemsMax: number, after?: Place) =>
			findPage(collection, { tenantId }, "createdAt", { itemsMax, after }),
		findByTenant: (tenantId: string) =>
			guardStore(() => collection.find({ tenantId }).toArray() as Promise<ApiKeyDocument[]>),
		/** When each of a tenant's ended or will, epoch ms; Infinity where nothing ends it. */
		findEnds: (tenantId: string): Promise<{ _id: string; endsAt: number }[]> =>
			guardStore(() => {
				const found = collection.find({ tenantId }, { projection: { revokedAt: 1, expiresAt: 1 } });
				const never = Number.POSITIVE_INFINITY;
				return found
					.map(({ _id, revokedAt = never, expiresAt = never }) => ({ _id, endsAt: Math.min(revokedAt, expiresAt) }))
					.toArray();
			}),
		/** Every tenant's, page by page. */
		pageAll: (afterId: string, itemsMax: number) => pageAll(collection, afterId, itemsMax),
		deleteByTenant: (tenantId: string) => guardStore(async () => void (await collection.deleteMany({ tenantId }))),
	};
}

function createSpentProofStore(collection: mongo.Collection<SpentProof>) {
	const insert = createBatcher<SpentProof, boolean>({
		itemsMax: 200,
		inFlightMax: 2,
		keyOf: ({ _id }) => _id,
		run: (proofs) =>
			guardStore(async () => (await insertAll(collection, proofs)).map((outcome) => outcome === "inserted")),
	});
	return {
		/** True for one caller only, until then. In this store, not in Redis: whoever empties that opens no door. */
		spend: (id: string, eraseBy: number): Promise<boolean> => insert({ _id: id, eraseBy }),
		eraseDue: (now: number) =>
			guardStore(async () => (await collection.deleteMany({ eraseBy: { $lte: now } })).deletedCount),
	};
}

function createRemovableStore<Document extends { _id: string }>(collection: mongo.Collection<Document>) {
	return {
		...createNamedStore(collection),
		findByTenant: (tenantId: string) =>
			guardStore(() => collection.find({ tenantId } as never).toArray() as Promise<Document[]>),
		remove: (id: string) =>
			guardStore(async () => (await collection.deleteOne({ _id: id } as never)).deletedCount === 1),
	};
}

const epochId = "store";

function createEpochStore(collection: mongo.Collection<EpochDocument>) {
	return {
		read: () => guardStore(async () => (await collection.findOne({ _id: epochId })) ?? undefined),
		/** Compare-and-set of the store's epoch; false when it is another by now. */
		advance: (from: Epoch | undefined, to: Epoch) =>
			guardStore(async () => {
				if (!from) return insertOnce(collection, { ...to, _id: epochId });
				const filter = { _id: epochId, epoch: from.epoch, beat: from.beat };
				return (await collection.updateOne(filter, { $set: to })).matchedCount === 1;
			}),
	};
}

/** What the ledger outside is still to be told. */
function createWaitingStore(collection: mongo.Collection<WaitingEntry>) {
	return {
		/** Durable when it answers; the first of an id stands. */
		add: (waiting: WaitingEntry) => guardStore(async () => void (await insertOnce(collection, waiting))),
		/** Those that wait for the longest. */
		oldest: (itemsMax: number): Promise<WaitingEntry[]> =>
			guardStore(() =>
				collection
					.find({ at: { $gte: 0 } })
					.sort({ at: 1 })
					.limit(itemsMax)
					.toArray(),
			),
		has: (id: string) => guardStore(async () => (await collection.findOne({ _id: id })) !== null),
		remove: (id: string) => guardStore(async () => void (await collection.deleteOne({ _id: id }))),
	};
}

function createTenantStore(collection: mongo.Collection<TenantDocument>) {
	return {
		...createNamedStore(collection),
		/** Sets fields of a tenant, and removes those that are null; the others stay. */
		set: (id: string, fields: Record<string, unknown>) => guardStore(() => setFields(collection, id, fields)),
		/** The tenants that a send queue serves. */
		findBySendQueue: (sendQueue: string) =>
			guardStore(() => collection.find({ sendQueues: sendQueue }).toArray() as Promise<TenantDocument[]>),
		/** Takes a send queue from every tenant that has it; their others stay, in their order. */
		dropSendQueue: (sendQueue: string) =>
			guardStore(
				async () => void (await collection.updateMany({ sendQueues: sendQueue }, { $pull: { sendQueues: sendQueue } })),
			),
		/**
		 * Compare-and-set of where a tenant stands: `from` is what was read, undefined for an active one; undefined as `to`
		 * makes it active. The sweep looks at it at `nextCheckAt`, or not any more. False when it stands elsewhere by now.
		 * Each time makes a new revision, the one given or the next.
		 */
		setStanding: (
			id: string,
			from: TenantStanding | undefined,
			to: TenantStanding | undefined,
			nextCheckAt?: number,
			revision?: number,
		) =>
			guardStore(async () => {
				// Its step too: a sweep that read it long ago must not take a leave back to where it has been.
				const step = from?.state === "leaving" && { "standing.step": from.step };
				const filter = from
					? { _id: id, "standing.state": from.state, "standing.since": from.since, ...step }
					: { _id: id, standing: { $exists: false } };
				const set = {
					...(to && { standing: to }),
					...(nextCheckAt !== undefined && { nextCheckAt }),
					...(revision !== undefined && { standingRevision: revision }),
				};
				const unset = { ...(!to && { standing: 1 }), ...(nextCheckAt === undefined && { nextCheckAt: 1 }) };
				const update = {
					...(Object.keys(set).length > 0 && { $set: set }),
					...(Object.keys(unset).length > 0 && { $unset: unset }),
					...(revision === undefined && { $inc: { standingRevision: 1 } }),
				};
				return (await collection.updateOne(filter as mongo.Filter<TenantDocument>, update as never)).matchedCount === 1;
			}),
		/** Makes a revision of where it stands: what is read after this is of a later one than what was read before. */
		reviseStanding: (id: string) =>
			guardStore(async () => void (await collection.updateOne({ _id: id }, { $inc: { standingRevision: 1 } }))),
		/** What of one-time codes a tenant sets; all else of it stays. */
		setVerification: (id: string, verification: NonNullable<TenantDocument["verification"]>) =>
			guardStore(async () => (await collection.updateOne({ _id: id }, { $set: { verification } })).matchedCount === 1),
		/** Tenants that the sweep must look at, the longest overdue first. */
		findDue: (now: number, itemsMax: number) => findDue(collection, now, itemsMax),
	};
}

function createSendQueueStore(collection: mongo.Collection<SendQueueDocument>) {
	return {
		...createNamedStore(collection),
		/** False where there is one of that id; it stays as it is. */
		insert: (document: SendQueueDocument) => guardStore(() => insertOnce(collection, document)),
		remove: (id: string) => guardStore(async () => void (await collection.deleteOne({ _id: id }))),
		/** Sets fields of a queue, and removes those that are null; the others stay. */
		set: (id: string, fields: Record<string, unknown>) => guardStore(() => setFields(collection, id, fields)),
		/** Stops or starts a queue; what else is set of it stays. */
		setFlow: (
			id: string,
			{ moveWaiting = false, ...flow }: Pick<SendQueueDocument, "paused" | "moveWaiting"> & { draining: boolean },
		) => guardStore(async () => void (await collection.updateOne({ _id: id }, { $set: { ...flow, moveWaiting } }))),
	};
}

async function setFields<Document extends { _id: string }>(
	collection: mongo.Collection<Document>,
	id: string,
	fields: Record<string, unknown>,
): Promise<void> {
	const given = Object.entries(fields).filter(([, value]) => value !== undefined);
	const [removed, set] = [given.filter(([, value]) => value === null), given.filter(([, value]) => value !== null)];
	const update = {
		...(set.length > 0 && { $set: Object.fromEntries(set) }),
		...(removed.length > 0 && { $unset: Object.fromEntries(removed.map(([name]) => [name, 1])) }),
	};
	if (Object.keys(update).length > 0) await collection.updateOne({ _id: id } as never, update as never);
}

function createNamedStore<Document extends { _id: string }>(collection: mongo.Collection<Document>) {
	return {
		find: (id: string) =>
			guardStore(async () => ((await collection.findOne({ _id: id } as never)) as Document | null) ?? undefined),
		put: (document: Document) =>
			guardStore(
				async () =>
					void (await collection.replaceOne({ _id: document._id } as never, document as never, { upsert: true })),
			),
		all: () => guardStore(() => collection.find({}).toArray() as Promise<Document[]>),
	};
}
