// One connection to the MongoDB protocol: journaled majority writes, bounded waits, no automatic index builds.

import mongoose from "mongoose";
import { limits } from "../../domain/limits.ts";
import type { ServerTls } from "../serverTls.ts";

export type MongoConnection = Awaited<ReturnType<typeof connectMongo>>;

/**
 * Opens a connection pool. Writes are acknowledged by a majority and journaled, and reads see them: whatever the URL says,
 * as those that services hand out do (Amazon DocumentDB's asks for secondaries).
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
		// `journal` in its place would give way to the URL's.
		writeConcern: { w: "majority", j: true, wtimeoutMS: limits.storeAcknowledgeMsMax },
		// Claims, holds and opt-outs are read just after they were written, often by another process.
		readPreference: mongoose.mongo.ReadPreference.primary,
		retryWrites: false,
		promoteBuffers: true,
		...(options.tls ? { tls: true, ...options.tls } : {}),
	});
	await connection.asPromise();
	return connection;
}
