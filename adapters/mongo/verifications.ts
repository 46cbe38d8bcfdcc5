// One-time codes in the store: one document a tenant and number, each change by compare-and-set of its revision.

import type { mongo } from "mongoose";
import type { Verification } from "../../domain/verification.ts";
import { findDue } from "./findDue.ts";
import { guardStore } from "./guard.ts";
import { insertOnce } from "./insertOnce.ts";
import { pageAll } from "./pageAll.ts";

/** @throws LetheError store_unavailable */
export function createVerificationStore(collection: mongo.Collection<Verification>) {
	const at = ({ _id, revision }: Pick<Verification, "_id" | "revision">) =>
		({ _id, revision: { $not: { $ne: revision } } }) as mongo.Filter<Verification>;

	return {
		/** The one under one of these ids. */
		findAny: (ids: string[]) => guardStore(async () => (await collection.findOne({ _id: { $in: ids } })) ?? undefined),
		/** The one that this was a code of. */
		findByCode: (id: string) => guardStore(async () => (await collection.findOne({ ids: id })) ?? undefined),
		/** Puts `to` in the place of what was read; false when something else stands there by now. */
		change: (from: Verification | undefined, to: Verification) =>
			guardStore(async () => {
				if (!from) return insertOnce(collection, to);
				return (await collection.replaceOne(at(from), to)).matchedCount === 1;
			}),
		/** Records that the sweep must look at. */
		findDue: (now: number, itemsMax: number) => findDue(collection, now, itemsMax),
		/** A page of all there are. */
		pageAll: (afterId: string, itemsMax: number) => pageAll(collection, afterId, itemsMax),
		/** Deletes what was read, unless it has changed. */
		delete: (record: Verification) => guardStore(async () => void (await collection.deleteOne(at(record)))),
		deleteOf: (tenantId: string) => guardStore(async () => void (await collection.deleteMany({ tenantId }))),
	};
}
