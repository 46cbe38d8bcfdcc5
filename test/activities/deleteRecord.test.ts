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

	it("goes though its text's purge page was given up before it was erased, with a certificate of its own", async () => {
		const message = await ended();
		const late = engine.ids.random("certificate");
		const { retention, ...rest } = message;
		assert.ok(retention.content);
		const [erasedAt, over] = [engine.clock(), { eraseBy: engine.clock() }];
		await engine.store.messages.transition({
			id: rest._id,
			set: { "retention.content": { ...retention.content, erasedAt, certificateId: late }, nextCheckAt: erasedAt },
			unset: ["content"],
		});
		await engine.store.messages.transition({
			id: rest._id,
			set: Object.fromEntries(Object.entries(retention).map(([name]) => [`retention.${name}.eraseBy`, over.eraseBy])),
		});
		for (let looks = 0; looks < 8 && (await engine.read(message._id)); looks++) {
			engine.time.offsetMs += 20 * 60_000;
			await engine.activities.sweepPage();
		}
		assert.equal(await engine.read(message._id), undefined);
		const texts = await engine.store.certificates.page(message.tenantId, message.submissionId, 10);
		assert.ok(texts.length > 0);
	});

	it("stays while a hold on all of its tenant covers it and is not on it yet", async () => {
		const message = await ended();
		await placeTenantHold(engine, message, { appliedAt: engine.clock() });
		await deleteRecord(engine, message);
		assert.deepEqual([(await engine.read(message._id))._id, await isEntered(message)], [message._id, false]);
	});
});
