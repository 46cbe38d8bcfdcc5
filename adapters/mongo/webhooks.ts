// Webhook endpoints in the store, and what became of every event for one of them: at once what is to be sent, and the log.

import type { mongo } from "mongoose";
import type { DisabledEndpoint, WebhookDelivery, WebhookEndpoint } from "../../domain/webhook.ts";
import type { Busy } from "../../domain/webhookSlots.ts";
import { createBatcher } from "../batcher.ts";
import { findPage, type Place } from "./findPage.ts";
import { guardStore } from "./guard.ts";
import { insertAll } from "./insertAll.ts";
import { insertOnce } from "./insertOnce.ts";

type DueDelivery = Pick<WebhookDelivery, "_id" | "endpointId" | "tenantId" | "event">;
/** A delivery as much as says whether it is to be replayed, and after which others. */
export type OutlinedDelivery = Pick<WebhookDelivery, "_id" | "at" | "state"> & { event?: { sequence: number } };
type Change<Document> = { set?: Partial<Document>; unset?: (keyof Document)[] };

/** @throws LetheError store_unavailable */
export function createWebhookEndpointStore(collection: mongo.Collection<WebhookEndpoint>) {
	const findDisabled = () =>
		guardStore((): Promise<DisabledEndpoint[]> => {
			const projection = { tenantId: 1, disabledFor: 1, disabledAt: 1 };
			return collection.find({ state: "disabled" }, { projection }).toArray();
		});
	return {
		/** False when one of that id stands. */
		insert: (endpoint: WebhookEndpoint) => guardStore(() => insertOnce(collection, endpoint)),
		find: (id: string) => guardStore(async () => (await collection.findOne({ _id: id })) ?? undefined),
		findByTenant: (tenantId: string) => guardStore(() => collection.find({ tenantId }).toArray()),
		/** A page of a tenant's, newest first, after the cursor's place. */
		page: (tenantId: string, itemsMax: number, after?: Place) =>
			findPage(collection, { tenantId }, "createdAt", { itemsMax, after }),
		/** Whether there is any at all. */
		isAny: () => guardStore(async () => (await collection.findOne({}, { projection: { _id: 1 } })) !== null),
		/** Of all tenants, by command or for their failures. */
		findDisabled,
		/** How many are disabled for their failures. */
		countFailed: async () => (await findDisabled()).filter(({ disabledFor }) => disabledFor !== "command").length,
		/** True for one caller alone that may disable it: it is enabled, and nobody has begun to since `staleAt`. */
		beginDisabling: (id: string, now: number, staleAt: number) =>
			guardStore(async () => {
				const free = { state: { $not: { $ne: "enabled" } }, disablingAt: { $not: { $gt: staleAt } } };
				const filter = { _id: id, ...free } as mongo.Filter<WebhookEndpoint>;
				return (await collection.updateOne(filter, { $set: { disablingAt: now } })).matchedCount === 1;
			}),
		/** Changes an endpoint while it is in one of these states; false when it is not. */
		change: (id: string, from: WebhookEndpoint["state"][], { set, unset }: Change<WebhookEndpoint>) =>
			guardStore(async () => {
				const filter = { _id: id, state: { $not: { $nin: from } } } as mongo.Filter<WebhookEndpoint>;
				return (await collection.updateOne(filter, updateOf({ set, unset }))).matchedCount === 1;
			}),
		/** Puts other secrets in the place of these; false when they are others by now. */
		setSecrets: (id: string, from: WebhookEndpoint["secrets"], to: WebhookEndpoint["secrets"]) =>
			guardStore(async () => {
				const newest = { "secrets.0.id": { $not: { $ne: from[0]?.id } } };
				const filter = { _id: id, ...newest } as mongo.Filter<WebhookEndpoint>;
				return (await collection.updateOne(filter, { $set: { secrets: to } })).matchedCount === 1;
			}),
		delete: (id: string) => guardStore(async () => void (await collection.deleteOne({ _id: id }))),
	};
}

/** @throws LetheError store_unavailable */
export function createWebhookDeliveryStore(
	collection: mongo.Collection<WebhookDelivery>,
	deps: { randomToken: () => string },
) {
	const settle = createBatcher<Settlement, undefined>({
		itemsMax: 200,
		inFlightMax: 2,
		run: (items) => guardStore(() => settleAll(collection, items)),
	});

	return {
		/** Inserts each once. */
		insert: (deliveries: WebhookDelivery[]) =>
			guardStore(async () => void (deliveries.length > 0 && (await insertAll(collection, deliveries)))),
		find: (id: string) => guardStore(async () => (await collection.findOne({ _id: id })) ?? undefined),
		/** What is due, the longest waiting first, but of those that are busy. */
		findDue: (now: number, { endpointIds, tenantIds }: Busy, itemsMax: number) =>
			guardStore(() => {
				// Step by step: of one condition with all of it a stand-in finds no index, and reads every delivery.
				return collection
					.aggregate<DueDelivery>([
						{ $match: { nextAt: { $lte: now } } },
						{ $sort: { nextAt: 1 } },
						{ $match: { endpointId: { $nin: endpointIds }, tenantId: { $nin: tenantIds } } },
						{ $limit: itemsMax },
						{ $project: { endpointId: 1, tenantId: 1, "event.messageId": 1 } },
					])
					.toArray();
			}),
		/** Claims those of them that are due: nobody else gets them before the lease is over. */
		claim: (ids: string[], now: number, leaseMs: number) =>
			guardStore(async () => {
				if (ids.length === 0) return [];
				const claim = deps.randomToken();
				// Not stated plainly: a stand-in would look for an index of these conditions instead of using the ids. Without its
				// state, one that another has told since it was found due would be due: it has no time any more.
				const due = { state: { $not: { $ne: "waiting" } }, nextAt: { $not: { $gt: now } } };
				const filter = { _id: { $in: ids }, ...due } as mongo.Filter<WebhookDelivery>;
				await collection.updateMany(filter, { $set: { claim, nextAt: now + leaseMs } });
				return (await collection.find({ _id: { $in: ids } }).toArray()).filter((delivery) => delivery.claim === claim);
			}),
		/** All deliveries of these messages. */
		findByMessages: (messageIds: string[]) =>
			guardStore(() => collection.find({ "event.messageId": { $in: messageIds } }).toArray()),
		/** Writes what became of a claimed delivery; nothing when it is not claimed by this any more. */
		settle,
		/** A page of an endpoint's, newest first, after the cursor's place. */
		page: (endpointId: string, itemsMax: number, after?: Place) =>
			findPage(collection, { endpointId }, "at", { itemsMax, after }),
		/** A page of an endpoint's, the oldest first, after the place; as much of each as a replay asks. */
		pageUp: (endpointId: string, itemsMax: number, { at, id }: Place): Promise<OutlinedDelivery[]> =>
			guardStore(() => {
				const later = [{ at: { $gt: at } }, { at, _id: { $gt: id } }];
				const filter = { endpointId, at: { $gte: at }, $or: later } as mongo.Filter<WebhookDelivery>;
				const projection = { at: 1, state: 1, "event.sequence": 1 };
				return collection.find(filter, { projection }).sort({ at: 1, _id: 1 }).limit(itemsMax).toArray();
			}),
		/** Has deliveries sent once more, in this order, until then; those that wait are tried now, but for who is being told. */
		replay: (ids: string[], now: number, tryUntil: number) =>
			guardStore(async () => {
				const operations = ids.map((id, index) => ({
					updateOne: {
						filter: { _id: id, claim: { $not: { $exists: true } } } as mongo.Filter<WebhookDelivery>,
						update: {
							$set: { state: "waiting" as const, nextAt: now + index, tryUntil, failures: 0 },
							$unset: { code: 1 as const },
						},
					},
				}));
				return operations.length === 0 ? 0 : (await collection.bulkWrite(operations, { ordered: false })).matchedCount;
			}),
		deleteOf: (endpointId: string) => guardStore(async () => void (await collection.deleteMany({ endpointId }))),
		eraseDue: (now: number) =>
			guardStore(async () => (await collection.deleteMany({ eraseBy: { $lte: now } })).deletedCount),
	};
}

type Settlement = Change<WebhookDelivery> & {
	id: string;
	claim: string;
	/** What was tried; the newest `keep` stay. */
	tried?: { value: WebhookDelivery["tries"][number]; keep: number };
};

async function settleAll(collection: mongo.Collection<WebhookDelivery>, items: Settlement[]): Promise<undefined[]> {
	const operations = items.map(({ id, claim, tried, ...change }) => ({
		updateOne: {
			filter: { _id: id, claim: { $not: { $ne: claim } } } as mongo.Filter<WebhookDelivery>,
			update: {
				...updateOf({ ...change, unset: [...(change.unset ?? []), "claim"] }),
				...(tried && { $push: { tries: { $each: [tried.value], $slice: -tried.keep } } }),
			} as mongo.UpdateFilter<WebhookDelivery>,
		},
	}));
	await collection.bulkWrite(operations, { ordered: false });
	return items.map(() => undefined);
}

function updateOf<Document>({ set, unset }: Change<Document>): mongo.UpdateFilter<Document> {
	return {
		...(set && Object.keys(set).length > 0 && { $set: set }),
		...(unset && unset.length > 0 && { $unset: Object.fromEntries(unset.map((name) => [name, 1])) }),
	} as mongo.UpdateFilter<Document>;
}
