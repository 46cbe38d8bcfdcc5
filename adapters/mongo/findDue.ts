// What the sweep must look at: the one query over the one field that repairs everything.

import type { mongo } from "mongoose";
import { guardStore } from "./guard.ts";

/** Documents whose `nextCheckAt` has passed, the longest overdue first. @throws LetheError store_unavailable */
export function findDue<Document extends { nextCheckAt?: number }>(
	collection: mongo.Collection<Document>,
	now: number,
	itemsMax: number,
): Promise<mongo.WithId<Document>[]> {
	const filter = { nextCheckAt: { $lte: now } } as mongo.Filter<Document>;
	return guardStore(() => collection.find(filter).sort({ nextCheckAt: 1 }).limit(itemsMax).toArray());
}
