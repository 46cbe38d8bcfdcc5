// A record that is held stays, whether its message shows it yet or not, and the log says nothing of an end that did not come.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { deleteRecord } from "../../activities/deleteRecord.ts";
import type { Message } from "../../domain/message.ts";
import { end } from "../../domain/transition.ts";
import { createEngine, type Engine } from "../harness/engine.ts";
import { placeTenantHold } from "../harness/records.ts";

describe("a message's record", () => {
	let engine: Engine;
	before(async () => {
		engine = await createEngine({ worker: false, sender: false });
	});
	after(() => engine.close());

	async function ended(): Promise<Message> {
		const message = await engine.accept();
		await engine.store.messages.transition({ ...end(message, "delivered", engine.clock()), from: ["accepted"] });
		return engine.read(message._id);
	}
	const isEntered = async ({ _id }: Message) => {
		const found = await engine.store.evidence.findAbout([_id]);
		return JSON.stringify(found.map(({ entries }) => entries)).includes("record_erased");
	};

	it("goes once nothing holds it, and the log says so", async () => {
		const message = await ended();
		await deleteRecord(engine, message);
		assert.deepEqual([await engine.read(message._id), await isEntered(message)], [undefined, true]);
	});

	it("stays while a hold keeps it", async () => {
		const message = await ended();
		await engine.store.messages.transition({ id: message._id, set: { holds: ["hold_a"] } });
		await deleteRecord(engine, await engine.read(message._id));
		assert.deepEqual([(await engine.read(message._id))._id, await isEntered(message)], [message._id, false]);
	});

	it("stays while a hold on all of its tenant covers it and is not on it yet", async () => {
		const message = await ended();
		await placeTenantHold(engine, message, { appliedAt: engine.clock() });
		await deleteRecord(engine, message);
		assert.deepEqual([(await engine.read(message._id))._id, await isEntered(message)], [message._id, false]);
	});
});
