// Inserts one document unless its id is taken: what may be repeated is inserted by this.

import type { mongo } from "mongoose";

/** What a server answers to an id that is taken. */
export const duplicateKey = 11000;

/** False when a document of that id stands. @throws the driver's error */
export async function insertOnce<Document extends { _id: string }>(
	collection: mongo.Collection<Document>,
	document: Document,
): Promise<boolean> {
	try {
		await collection.insertOne(document as mongo.OptionalUnlessRequiredId<Document>);
		return true;
	} catch (error) {
		if ((error as { code?: number }).code !== duplicateKey) throw error;
		return false;
	}
}
