// What the cost of a message is counted by: nothing is changed on its way, and every document is counted, however it was cut.

import assert from "node:assert/strict";
import { connect, createServer } from "node:net";
import { test } from "node:test";
import mongoose from "mongoose";
import { startMongoProxy } from "../../bench/mongoProxy.ts";

const { BSON } = mongoose.mongo;

/** An OP_MSG: a command, and documents in a sequence of their own. */
function message(body: object, sequence?: { name: string; documents: object[] }): Buffer {
	const sections = [Buffer.from([0]), BSON.serialize(body)];
	if (sequence) {
		const inner = Buffer.concat([
			Buffer.from(`${sequence.name}\0`),
			...sequence.documents.map((one) => BSON.serialize(one)),
		]);
		const length = Buffer.alloc(4);
		length.writeInt32LE(inner.length + 4);
		sections.push(Buffer.from([1]), length, inner);
	}
	const header = Buffer.alloc(20);
	const payload = Buffer.concat(sections);
	header.writeInt32LE(header.length + payload.length, 0);
	header.writeInt32LE(2013, 12);
	return Buffer.concat([header, payload]);
}

test("every byte is passed on, and commands and their documents are counted", async (context) => {
	const received: Buffer[] = [];
	const store = createServer((socket) => socket.on("data", (chunk) => received.push(chunk)));
	await new Promise<void>((resolve) => store.listen(0, "127.0.0.1", resolve));
	const { port } = store.address() as { port: number };
	const proxy = await startMongoProxy(`mongodb://127.0.0.1:${port}/?directConnection=true`);
	context.after(async () => {
		await proxy.stop();
		store.close();
	});
	assert.match(proxy.url, /\?directConnection=true$/);
	const socket = connect(Number(new URL(proxy.url).port), "127.0.0.1");
	const sent = Buffer.concat([
		message({ find: "messages", filter: { _id: "1" } }),
		message({ insert: "messages" }, { name: "documents", documents: [{ _id: "1" }, { _id: "2" }, { _id: "3" }] }),
		message({ update: "messages", updates: [{ q: {}, u: {} }] }),
		message({ find: "cohorts" }),
	]);
	for (let at = 0; at < sent.length; at += 7) socket.write(sent.subarray(at, at + 7));
	while (Buffer.concat(received).length < sent.length) await new Promise((resolve) => setTimeout(resolve, 5));
	assert.deepEqual(Buffer.concat(received), sent);
	const { find, insert, update } = proxy.read();
	assert.deepEqual([find?.count, find?.documents], [2, 0]);
	assert.deepEqual([insert?.count, insert?.documents], [1, 3]);
	assert.deepEqual([update?.count, update?.documents], [1, 1]);
	assert.equal((find?.bytes ?? 0) + (insert?.bytes ?? 0) + (update?.bytes ?? 0), sent.length);
	socket.destroy();
});
