// Cohorts in the store: each is the lock of its members' end, changed by compare-and-set, and found when it is due, old or held.

import type { mongo } from "mongoose";
import { createBatcher } from "../batcher.ts";
import { findDue } from "./findDue.ts";
import { guardStore } from "./guard.ts";
import { insertOnce } from "./insertOnce.ts";
import type { Cohort } from "./models.ts";

const cohortStates = ["open", "closing", "condemned", "destroyed"] as const;
const standingStates = cohortStates.filter((state) => state !== "destroyed");

/** The cohort store. @throws LetheError store_unavailable */
export function createCohortStore(collection: mongo.Collection<Cohort>) {
	return {
		find: createBatcher<string, Cohort | undefined>({
			itemsMax: 200,
			inFlightMax: 2,
			run: (ids) =>
				guardStore(async () => {
					const found = await collection.find({ _id: { $in: [...new Set(ids)] } }).toArray();
					return ids.map((id) => found.find((cohort) => cohort._id === id));
				}),
		}),
		/** Inserts an open cohort unless it exists; answers what stands in the store. */
		open: (cohort: Cohort) =>
			guardStore(async () => {
				if (await insertOnce(collection, cohort)) return cohort;
				return (await collection.findOne({ _id: cohort._id })) as Cohort;
			}),
		/** Compare-and-set of the cohort's state. Its messages bear holds, not it: what is held leaves for the hold's key. */
		advance: (id: string, from: Cohort["state"], to: Cohort["state"], set: Partial<Cohort> = {}) =>
			guardStore(async () => {
				const result = await collection.updateOne({ _id: id, state: from }, { $set: { ...set, state: to } });
				return result.matchedCount === 1;
			}),
		/** Notes of cohorts, before it happens, that members leave them, and when the last of those is due now. */
		noteLeaving: (leaving: { cohortId: string; dueAt: number }[], now: number, checkAt: number) =>
			guardStore(async () => {
				const operations = leaving.map(({ cohortId, dueAt }) => ({
					updateOne: {
						filter: { _id: cohortId, state: "open" as const },
						update: { $max: { leftDueAt: dueAt, leftAt: now }, $min: { nextCheckAt: checkAt } },
					},
				}));
				if (operations.length > 0) await collection.bulkWrite(operations, { ordered: false });
			}),
		/** Lets nothing join an open cohort any more. */
		retire: (id: string, now: number) =>
			guardStore(async () => {
				const filter = { _id: id, state: "open", retiredAt: { $exists: false } } as const;
				return (await collection.updateOne(filter, { $set: { retiredAt: now } })).matchedCount === 1;
			}),
		set: (id: string, set: Partial<Cohort>) =>
			guardStore(async () => void (await collection.updateOne({ _id: id }, { $set: set }))),
		/** Nothing is left to do for this cohort; or look again at `at`. */
		nextCheck: (id: string, at: number | undefined) =>
			guardStore(
				async () =>
					void (await collection.updateOne(
						{ _id: id },
						at === undefined ? { $unset: { nextCheckAt: 1 } } : { $set: { nextCheckAt: at } },
					)),
			),
		...createCohortWatch(collection),
		/** Has the sweep look now at the keys of a hold that was released. */
		endHold: (holdId: string, now: number) =>
			guardStore(async () => {
				const found = await collection.find({ holdId }, { projection: { state: 1 } }).toArray();
				const standing = found.filter(({ state }) => state !== "destroyed").map(({ _id }) => _id);
				if (standing.length > 0)
					await collection.updateMany({ _id: { $in: standing } }, { $set: { nextCheckAt: now } });
			}),
		/** All cohorts of a tenant, the destroyed ones too. */
		findByTenant: (tenantId: string) => guardStore(() => collection.find({ tenantId }).toArray() as Promise<Cohort[]>),
		/** Of a tenant's cohorts whose key is there so many of each state at most; those that are a hold's last. */
		findStanding: (tenantId: string, itemsMax: number) =>
			guardStore(async () => {
				const found = standingStates.map((state) =>
					collection.find({ tenantId, state }).sort({ holdId: 1 }).limit(itemsMax).toArray(),
				);
				return (await Promise.all(found)).flat() as Cohort[];
			}),
		/** Has cohorts end at `now`, whatever they were made for: the tenant they are of leaves. A hold's key ends with the hold. */
		endNow: (ids: string[], now: number) =>
			guardStore(async () => {
				const operations = ids.map((_id) => ({
					updateOne: {
						filter: { _id, holdId: { $exists: false } },
						update: { $min: { dueAt: now, nextCheckAt: now } },
					},
				}));
				if (operations.length > 0) await collection.bulkWrite(operations, { ordered: false });
			}),
		findDue: (now: number, itemsMax: number) => findDue(collection, now, itemsMax),
	};
}

function createCohortWatch(collection: mongo.Collection<Cohort>) {
	return {
		/** The cohort that is overdue for the longest; undefined when none is. */
		oldestDue: (now: number) =>
			guardStore(async () => {
				const oldest = standingStates.map((state) =>
					collection
						.find({ state, dueAt: { $lte: now } })
						.sort({ dueAt: 1 })
						.limit(1)
						.toArray(),
				);
				const dues = (await Promise.all(oldest)).flat().map(({ _id, dueAt }) => ({ _id, dueAt }));
				return dues.toSorted((one, other) => one.dueAt - other.dueAt).at(0);
			}),
		/** Open cohorts whose key is that old, the oldest first. */
		findKeysMadeBefore: (madeAt: number, itemsMax: number) =>
			guardStore(() =>
				collection
					.find({ state: "open", keyMadeAt: { $lte: madeAt } })
					.sort({ keyMadeAt: 1 })
					.limit(itemsMax)
					.toArray(),
			),
		/** How many there are in each state. */
		countByState: () =>
			guardStore(async () => {
				const counts = cohortStates.map(async (state) => [state, await collection.countDocuments({ state })] as const);
				return Object.fromEntries(await Promise.all(counts)) as Record<Cohort["state"], number>;
			}),
		/** A page of those whose key is there, by id. */
		pageStanding: (afterId: string, itemsMax: number) =>
			guardStore(async () => {
				const found = collection.find({ _id: { $gt: afterId } }).sort({ _id: 1 });
				const page: Cohort[] = [];
				for await (const cohort of found) {
					if (cohort.state !== "destroyed" && page.push(cohort) === itemsMax) break;
				}
				return page;
			}),
	};
}
