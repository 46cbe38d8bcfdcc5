// Changes a document by what a function makes of it: of two who read the same revision one changes it, the other reads again.

import type { mongo } from "mongoose";
import { LetheError } from "../../domain/errors.ts";
import { guardStore } from "./guard.ts";

const roundsMax = 16;

/**
 * Answers the document as it then is, unchanged when `decide` has nothing to change; undefined when there is none. What
 * `decide` throws ends it; it is asked again after every lost race. A revision that it gives is made, if it is a later one.
 * `before` comes before each try; what it throws ends it, too. @throws LetheError store_unavailable
 */
export async function changeRevised<Document extends { _id: string; revision: number }>(
	collection: mongo.Collection<Document>,
	find: () => Promise<Document | undefined>,
	decide: (document: Document) => (Omit<Document, "revision"> & { revision?: number }) | undefined,
	before: (from: Document, to: Document) => Promise<void> = async () => undefined,
): Promise<Document | undefined> {
	for (let round = 0; round < roundsMax; round++) {
		const document = await find();
		const changed = document && decide(document);
		if (!document || !changed) return document;
		const { _id, revision } = document;
		const next = { ...changed, revision: Math.max(revision + 1, changed.revision ?? 0) } as Document;
		await before(document, next);
		const applied = await guardStore(async () => {
			const filter = { _id, revision } as mongo.Filter<Document>;
			return (await collection.replaceOne(filter, next as mongo.WithoutId<Document>)).matchedCount === 1;
		});
		if (applied) return next;
	}
	throw new LetheError("store_unavailable", { cause: "lost every race" });
}
