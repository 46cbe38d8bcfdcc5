// A whole collection page by page, by id: for whoever counts what no index tells.

import type { mongo } from "mongoose";
import { guardStore } from "./guard.ts";

/** The documents after that id, `""` for the first page. @throws LetheError store_unavailable */
export function pageAll<Document extends { _id: string }>(
	collection: mongo.Collection<Document>,
	afterId: string,
	itemsMax: number,
): Promise<Document[]> {
	const filter = { _id: { $gt: afterId } } as mongo.Filter<Document>;
	return guardStore(
		() => collection.find(filter).sort({ _id: 1 }).limit(itemsMax).toArray() as unknown as Promise<Document[]>,
	);
}
