// Between the engine and its store: passes every byte on, and counts the commands by name and the documents they write.

import { connect, createServer, type Socket } from "node:net";
import mongoose from "mongoose";

/** By command: how often, and how many documents were in it. */
export type Commands = Record<string, { count: number; documents: number; bytes: number }>;

const headerBytes = 16;
const opMsg = 2013;
/** Command → where its documents are, in its body or as a sequence of their own. */
const written: Record<string, string> = { insert: "documents", update: "updates", delete: "deletes" };

/** Listens on loopback, for a store at that URL. */
export async function startMongoProxy(storeUrl: string) {
	const store = new URL(storeUrl);
	const commands: Commands = {};
	const sockets = new Set<Socket>();
	const server = createServer((caller) => {
		const onward = connect(Number(store.port || 27_017), store.hostname);
		for (const [one, other] of [
			[caller, onward],
			[onward, caller],
		] as const) {
			sockets.add(one);
			one.pipe(other);
			one.on("error", () => other.destroy()).on("close", () => sockets.delete(one));
		}
		caller.on(
			"data",
			createReader((message) => count(commands, message)),
		);
	});
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	const address = server.address();
	const url = new URL(storeUrl);
	url.port = String(typeof address === "object" ? address?.port : "");
	return {
		url: url.href,
		/** What has come so far. */
		read: (): Commands => structuredClone(commands),
		async stop(): Promise<void> {
			for (const socket of sockets) socket.destroy();
			await new Promise((resolve) => server.close(resolve));
		},
	};
}

/** Cuts a stream into messages of the wire protocol: each begins with its length. */
function createReader(take: (message: Buffer) => void) {
	let rest: Buffer = Buffer.alloc(0);
	return (chunk: Buffer) => {
		rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
		while (rest.length >= headerBytes) {
			const length = rest.readInt32LE(0);
			if (rest.length < length) return;
			take(rest.subarray(0, length));
			rest = rest.subarray(length);
		}
	};
}

// OP_MSG: flags, then sections: kind 0 is the command's body, kind 1 a named sequence of documents.
function count(commands: Commands, message: Buffer): void {
	if (message.readInt32LE(12) !== opMsg) return;
	let name = "";
	let documents = 0;
	for (let at = headerBytes + 4; at + 5 <= message.length; ) {
		const length = message.readInt32LE(at + 1);
		const section = message.subarray(at + 1, at + 1 + length);
		if (message[at] === 0) {
			const body = mongoose.mongo.BSON.deserialize(section) as Record<string, unknown>;
			name = Object.keys(body)[0] ?? "";
			const within = body[written[name] ?? ""];
			if (Array.isArray(within)) documents += within.length;
		} else {
			documents += documentsIn(section);
		}
		at += 1 + length;
	}
	const known = commands[name] ?? { count: 0, documents: 0, bytes: 0 };
	commands[name] = {
		count: known.count + 1,
		documents: known.documents + documents,
		bytes: known.bytes + message.length,
	};
}

function documentsIn(section: Buffer): number {
	let found = 0;
	for (let at = section.indexOf(0, 4) + 1; at + 4 < section.length; at += section.readInt32LE(at)) found++;
	return found;
}
