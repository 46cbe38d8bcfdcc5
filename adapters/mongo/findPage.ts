// A page of a list, newest first: every list of the API goes on from the place of the last item that was shown.

import type { mongo } from "mongoose";
import { guardStore } from "./guard.ts";

/** The last item that was shown: its time, epoch milliseconds, and its id. */
export type Place = { at: number; id: string };

/** @param by the time that the list is ordered by; the filter's fields, it and `_id` share an index */
export function findPage<Document extends { _id: string }>(
	collection: mongo.Collection<Document>,
	filter: mongo.Filter<Document>,
	by: keyof Document & string,
	{ itemsMax, after }: { itemsMax: number; after?: Place | undefined },
): Promise<Document[]> {
	return guardStore(() => {
		const older = after && { $or: [{ [by]: { $lt: after.at } }, { [by]: after.at, _id: { $lt: after.id } }] };
		const found = collection.find({ ...filter, ...older } as mongo.Filter<Document>);
		return found
			.sort({ [by]: -1, _id: -1 })
			.limit(itemsMax)
			.toArray() as Promise<Document[]>;
	});
}
