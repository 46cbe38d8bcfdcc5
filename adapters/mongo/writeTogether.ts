// Many changes as one durable write: a transaction, so that the journal is waited for once and not once a change.

import type { Connection, mongo } from "mongoose";

// What a server that is no member of a replica set answers; its changes are written each on its own.
const illegalOperation = 20;
const transient = "TransientTransactionError";

/**
 * Applies each operation on its own conditions, and answers how many matched. Together where that can be; each on its own
 * where another writer was at one of the same documents, and on servers without transactions.
 * @throws the driver's error when for any of them it is not known whether it took effect
 */
export async function writeTogether<Document extends { _id: string }>(
	collection: mongo.Collection<Document>,
	operations: mongo.AnyBulkWriteOperation<Document>[],
): Promise<number> {
	const apart = async () => (await collection.bulkWrite(operations, { ordered: false })).matchedCount;
	if (operations.length === 0) return 0;
	if (operations.length === 1) return apart();
	return (await inTransaction(collection, operations)) ?? apart();
}

/** Undefined when nothing was written. */
async function inTransaction<Document extends { _id: string }>(
	collection: mongo.Collection<Document>,
	operations: mongo.AnyBulkWriteOperation<Document>[],
): Promise<number | undefined> {
	// Of mongoose's own collections, which know their connection.
	const session = await (collection as unknown as { conn: Connection }).conn.startSession();
	let isWritten = false;
	try {
		session.startTransaction();
		const { matchedCount } = await collection.bulkWrite(operations, { session, ordered: false });
		isWritten = true;
		await session.commitTransaction();
		return matchedCount;
	} catch (error) {
		if (!isAborted(error as mongo.MongoError, isWritten)) throw error;
		return undefined;
	} finally {
		await session.endSession();
	}
}

/** Whether it is certain that nothing of it stands, for a reason that its changes do not have each on its own. */
function isAborted(error: mongo.MongoError, isWritten: boolean): boolean {
	return error.hasErrorLabel?.(transient) === true || (!isWritten && error.code === illegalOperation);
}
