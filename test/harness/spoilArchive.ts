// A stored message at rest whose packed part is broken: what a disk, or a copy of the database, may leave of one.

import { archiveOf } from "../../adapters/mongo/archive.ts";
import type { MongoConnection } from "../../adapters/mongo/connection.ts";
import type { Message } from "../../domain/message.ts";

/** Packs it as when it came to rest, and breaks that: nobody can read it. */
export async function spoilArchive(connection: MongoConnection, message: Message): Promise<void> {
	const { set, unset } = archiveOf(message);
	const update = {
		$set: { ...set, archive: Buffer.from("none") },
		$unset: Object.fromEntries(unset.map((name) => [name, 1])),
	};
	await connection.collection<{ _id: string }>("messages").updateOne({ _id: message._id }, update as never);
}
