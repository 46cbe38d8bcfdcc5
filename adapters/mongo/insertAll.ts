// Inserts many documents in one write, and tells those that were there before from those that are new.

import type { mongo } from "mongoose";
import { duplicateKey, insertOnce } from "./insertOnce.ts";

/**
 * Inserts the documents, each on its own. Every one that it answers for is durable.
 * @throws the driver's error when for any document it is not known whether it is
 */
export async function insertAll<Document extends { _id: string }>(
	collection: mongo.Collection<Document>,
	documents: Document[],
): Promise<("inserted" | "duplicate")[]> {
	const [first, ...rest] = documents;
	// A bulk write of one costs the driver twice as much.
	if (first && rest.length === 0) return [(await insertOnce(collection, first)) ? "inserted" : "duplicate"];
	try {
		await collection.insertMany(documents as mongo.OptionalUnlessRequiredId<Document>[], { ordered: false });
		return documents.map(() => "inserted" as const);
	} catch (error) {
		const failed = duplicatesIn(error);
		// A connection that broke has no list of errors, or an empty one: then nothing is known to be durable.
		if (failed.size === 0) throw error;
		return documents.map((_, index) => (failed.has(index) ? ("duplicate" as const) : ("inserted" as const)));
	}
}

/** Indexes of the documents that were there before; empty when anything else went wrong too. */
function duplicatesIn(error: unknown): Set<number> {
	const { writeErrors, result } = error as Partial<mongo.MongoBulkWriteError>;
	const errors = writeErrors === undefined ? [] : [writeErrors].flat();
	const onlyDuplicates = errors.every(({ code }) => code === duplicateKey) && !result?.getWriteConcernError();
	return new Set(onlyDuplicates ? errors.map(({ index }) => index) : []);
}
