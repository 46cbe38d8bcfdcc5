// What each tenant has spent of its budgets: one document a tenant and month, every counter of it in one conditional update.

import type { mongo } from "mongoose";
import type { Counter } from "../../domain/abuse.ts";
import { createBatcher } from "../batcher.ts";
import { findDue } from "./findDue.ts";
import { guardStore } from "./guard.ts";
import { insertOnce } from "./insertOnce.ts";

/** `spent`: country, or `all` → `day1` to `day31`, or `month` → segments, and money in millionths of the currency. */
export type SpendingDocument = {
	_id: string;
	tenantId: string;
	spent: Record<string, Record<string, { segments: number; cost: number }>>;
	/** Epoch milliseconds. */
	monthEndsAt: number;
	/** When the sweep must look whether it may go. */
	nextCheckAt: number;
};

/** Counters of one tenant and month that are added to together, or not at all. */
type Taking = { tenantId: string; at: number; counters: Counter[] };

/** A counter that has no room, and where it stands. */
export type Shortfall = { counter: Counter; seen: number };

// Another's charge may be given back between the update and the read: then there is room, and it is tried again.
const roundsMax = 5;

/** @throws LetheError store_unavailable: then nothing may be sent on it */
export function createSpendingStore(collection: mongo.Collection<SpendingDocument>) {
	async function add(_id: string, counters: Map<string, Counter>): Promise<boolean> {
		const limited = [...counters.values()].filter(({ limit, adds }) => limit !== undefined && adds > 0);
		// Negated, so that a counter that is not there yet has all its room.
		const room = limited.map(({ path, limit = 0, adds }) => [`spent.${path}`, { $not: { $gt: limit - adds } }]);
		if (limited.some(({ limit = 0, adds }) => adds > limit)) return false;
		const adding = [...counters.values()].filter(({ adds }) => adds !== 0);
		if (adding.length === 0) return true;
		const update = { $inc: Object.fromEntries(adding.map(({ path, adds }) => [`spent.${path}`, adds])) };
		const filter = { _id, ...Object.fromEntries(room) } as mongo.Filter<SpendingDocument>;
		const { matchedCount } = await collection.updateOne(filter, update as mongo.UpdateFilter<SpendingDocument>);
		return matchedCount === 1;
	}

	async function takeOne({ tenantId, at, counters }: Taking): Promise<Shortfall | undefined> {
		const _id = idOf(tenantId, at);
		const byPath = new Map(counters.map((counter) => [counter.path, counter]));
		for (let round = 0; round < roundsMax; round++) {
			if (await add(_id, byPath)) return undefined;
			const found = await collection.findOne({ _id });
			const monthEndsAt = endOfMonth(at);
			if (!found) await insertOnce(collection, { _id, tenantId, spent: {}, monthEndsAt, nextCheckAt: monthEndsAt });
			const short = counters
				.map((counter) => ({ counter, seen: readCounter(found ?? undefined, counter.path) }))
				.find(
					({ counter, seen }) => counter.limit !== undefined && counter.adds > 0 && seen + counter.adds > counter.limit,
				);
			if (short) return short;
		}
		throw new Error("lost every race");
	}

	// Of one tenant's charges that come at once, all have room as a rule: then they cost the store one update.
	async function takeAll(items: Taking[]): Promise<(Shortfall | undefined)[]> {
		const answers = new Map<Taking, Shortfall | undefined>();
		for (const [_id, together] of Map.groupBy(items, ({ tenantId, at }) => idOf(tenantId, at))) {
			if (together.length > 1 && (await add(_id, sumUp(together)))) continue;
			for (const item of together) answers.set(item, await takeOne(item));
		}
		return items.map((item) => answers.get(item));
	}

	const take = createBatcher<Taking, Shortfall | undefined>({
		itemsMax: 500,
		inFlightMax: 2,
		run: (items) => guardStore(() => takeAll(items)),
	});

	return {
		/** Adds to all counters, or, answering the first that has no room, to none. */
		take,
		/** Takes back what was added. */
		giveBack: ({ tenantId, at, counters }: Taking) =>
			guardStore(async () => {
				const back = counters.map(({ limit: _, ...counter }) => ({ ...counter, adds: -counter.adds }));
				await add(idOf(tenantId, at), new Map(back.map((counter) => [counter.path, counter])));
			}),
		/** What a tenant has spent in the month of `at`. */
		read: (tenantId: string, at: number) =>
			guardStore(async () => (await collection.findOne({ _id: idOf(tenantId, at) }))?.spent ?? {}),
		/** Months that the sweep must look at, the longest overdue first. */
		findDue: (now: number, itemsMax: number) => findDue(collection, now, itemsMax),
		nextCheck: (_id: string, nextCheckAt: number) =>
			guardStore(async () => void (await collection.updateOne({ _id }, { $set: { nextCheckAt } }))),
		delete: (_id: string) => guardStore(async () => void (await collection.deleteOne({ _id }))),
		deleteByTenant: (tenantId: string) => guardStore(async () => void (await collection.deleteMany({ tenantId }))),
	};
}

function idOf(tenantId: string, at: number): string {
	return `${tenantId}/${new Date(at).toISOString().slice(0, 7)}`;
}

function endOfMonth(at: number): number {
	const day = new Date(at);
	return Date.UTC(day.getUTCFullYear(), day.getUTCMonth() + 1);
}

// Settings may differ by the age of what was read of them: the strictest counts.
function sumUp(items: Taking[]): Map<string, Counter> {
	const sums = new Map<string, Counter>();
	for (const counter of items.flatMap(({ counters }) => counters)) {
		const { limit: known, adds = 0 } = sums.get(counter.path) ?? {};
		const limits = [known, counter.limit].filter((limit) => limit !== undefined);
		const { limit: _, ...rest } = counter;
		const strictest = limits.length > 0 ? { limit: Math.min(...limits) } : {};
		sums.set(counter.path, { ...rest, adds: adds + counter.adds, ...strictest });
	}
	return sums;
}

function readCounter(document: SpendingDocument | undefined, path: string): number {
	const [of = "", period = "", unit = ""] = path.split(".");
	return document?.spent[of]?.[period]?.[unit as "segments" | "cost"] ?? 0;
}
