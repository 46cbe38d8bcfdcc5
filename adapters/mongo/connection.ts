// One connection to the MongoDB protocol: journaled majority writes, bounded waits, no automatic index builds.

import mongoose from "mongoose";
import { limits } from "../../domain/limits.ts";
import type { ServerTls } from "../serverTls.ts";

export type MongoConnection = Awaited<ReturnType<typeof connectMongo>>;

/**
 * Opens a connection pool. Writes are acknowledged by a majority and journaled.
 * @throws when the server can't be reached within `timeoutMs`
 */
export async function connectMongo(options: {
	url: string;
	database: string;
	timeoutMs?: number;
	poolMax?: number;
	tls?: ServerTls | undefined;
}) {
	const timeoutMs = options.timeoutMs ?? 5_000;
	const connection = mongoose.createConnection(options.url, {
		dbName: options.database,
		autoIndex: false,
		autoCreate: false,
		bufferCommands: false,
		maxPoolSize: options.poolMax ?? 20,
		serverSelectionTimeoutMS: timeoutMs,
		connectTimeoutMS: timeoutMs,
		socketTimeoutMS: limits.storeAnswerMsMax,
		writeConcern: { w: "majority", journal: true, wtimeoutMS: limits.storeAcknowledgeMsMax },
		retryWrites: false,
		promoteBuffers: true,
		...(options.tls ? { tls: true, ...options.tls } : {}),
	});
	await connection.asPromise();
	return connection;
}
