// The sweep drives what is due and nothing else, whatever woke it.

import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { limits } from "../../domain/limits.ts";
import type { Message } from "../../domain/message.ts";
import { cancel, end, enqueue, hold } from "../../domain/transition.ts";
import { startProxy } from "../faults/proxy.ts";
import { createEngine, type Engine } from "../harness/engine.ts";
import { placeHold } from "../harness/records.ts";

const hour = 3600_000;

describe("the sweep", () => {
	let engine: Engine;
	let judged: number;
	before(async () => {
		engine = await createEngine({ worker: false, sender: false });
		const { reevaluate } = engine.policies;
		engine.policies.reevaluate = (...args) => {
			judged++;
			return reevaluate(...args);
		};
	});
	beforeEach(() => {
		judged = 0;
	});
	after(() => engine.close());

	const accept = (shape: Parameters<Engine["accept"]>[0] = {}) => {
		const now = engine.clock();
		const subject = { version: 1, mac: engine.ids.random("evidence") };
		return engine.accept({ deadlineAt: now + 6 * hour, closeAt: now + 7 * hour, subject, ...shape });
	};
	const sweep = () => engine.activities.sweepPage();
	const sweepAfter = async (ms: number) => {
		engine.time.offsetMs += ms;
		await sweep();
	};
	/** Holds a message's recipient and lets go again: the sweep is to look at it now. */
	const holdAndRelease = async (message: Message) => {
		const record = await placeHold(engine, message);
		await engine.store.subjectMessages.hold(record);
		engine.time.offsetMs += 1;
		await engine.store.subjectRecords.end(record._id, {
			at: engine.clock(),
			recordedAt: engine.clock(),
			recordedBy: "key_a",
			source: "api",
		});
		await engine.store.subjectMessages.release(record, engine.clock());
		await engine.store.subjectRecords.nextCheck(record, undefined);
	};
	/** Messages of which a job was made meanwhile. */
	const addedBy = async (work: () => Promise<unknown>) => {
		const { add } = engine.sendQueues;
		const added: string[] = [];
		engine.sendQueues.add = async (job) => {
			added.push(job.messageId);
			return add(job);
		};
		await work();
		engine.sendQueues.add = add;
		return added;
	};
	const waiting = async () => Object.values(await engine.sendQueues.counts("queue")).reduce((sum, one) => sum + one, 0);

	it("leaves a deferred message until its release, once the release of a hold has had it looked at", async () => {
		const releaseAt = engine.clock() + hour;
		const message = await accept({ state: "deferred", releaseAt });
		await engine.start(message);
		await holdAndRelease(message);
		await sweep();
		const looked = await engine.read(message._id);
		assert.deepEqual([looked.state, looked.nextCheckAt], ["deferred", releaseAt + limits.driverPatienceMs]);
		await sweepAfter(limits.driverPatienceMs + 1);
		assert.equal(judged, 0);
		await sweepAfter(hour);
		assert.equal((await engine.read(message._id)).state, "queued", "and then does what its run did not");
	});

	it("starts the run of a deferred message that has none, and leaves the rest to it", async () => {
		const releaseAt = engine.clock() + hour;
		const message = await accept({ state: "deferred", releaseAt });
		await sweepAfter(limits.driverPatienceMs + 1);
		const description = await engine.temporal.client.workflow.getHandle(message.submissionId).describe();
		assert.equal(description.status.name, "RUNNING");
		assert.equal((await engine.read(message._id)).nextCheckAt, releaseAt + limits.driverPatienceMs);
	});

	it("leaves a queued message until its next attempt may start", async () => {
		const message = await accept();
		await engine.store.messages.transition(enqueue(message, engine.clock()));
		const notBefore = engine.clock() + hour;
		await engine.store.messages.transition({ id: message._id, set: { notBefore } });
		await holdAndRelease(message);
		await sweep();
		const looked = await engine.read(message._id);
		assert.deepEqual([looked.state, looked.nextCheckAt], ["queued", notBefore + limits.driverPatienceMs]);
	});

	it("looks seldom at a queued message that is held, ends it at its deadline, and at once when it is let go", async () => {
		const deadlineAt = engine.clock() + limits.heldCohortCheckMs + hour;
		const message = await accept({ deadlineAt, holds: ["hold_a"], restrictedBy: ["hold_a"] });
		await engine.store.messages.transition(enqueue(message, engine.clock()));
		const added = await addedBy(() => sweepAfter(limits.driverPatienceMs + 1));
		assert.ok(!added.includes(message._id), "no sender could claim it");
		assert.ok(((await engine.read(message._id)).nextCheckAt ?? 0) >= engine.clock() + limits.heldCohortCheckMs);
		await engine.emptyRedis();
		const set = { holds: [], restrictedBy: [], nextCheckAt: engine.clock() };
		await engine.store.messages.transition({ id: message._id, set });
		await sweep();
		assert.equal(await waiting(), 1);
		const held = await accept({ deadlineAt: engine.clock() + 60_000, holds: ["hold_a"], restrictedBy: ["hold_a"] });
		await engine.store.messages.transition(enqueue(held, engine.clock()));
		await sweepAfter(limits.driverPatienceMs + 1);
		await sweepAfter(60_000);
		assert.equal((await engine.read(held._id)).state, "expired");
	});

	it("erases a text that is due in its place, though the receipts had to go before it", async () => {
		const message = await accept({ contentAtFinal: false });
		await engine.store.messages.transition({ ...end(message, "delivered", engine.clock()), from: ["accepted"] });
		await engine.activities.finalise(message.submissionId, false);
		const now = engine.clock();
		await engine.store.messages.transition({
			id: message._id,
			set: {
				"retention.content.inPlace": true,
				"retention.content.eraseBy": now + 12 * hour,
				"retention.receipt": { eraseBy: now + 6 * hour, atFinal: false },
				nextCheckAt: now + 6 * hour,
			},
		});
		await sweepAfter(6 * hour + 1);
		const first = await engine.read(message._id);
		assert.ok(first.retention.receipt?.erasedAt !== undefined && first.content);
		assert.equal(first.nextCheckAt, now + 12 * hour);
		await sweepAfter(6 * hour);
		assert.equal((await engine.read(message._id)).content, undefined);
	});

	describe("finds a hold that came onto a message after it had ended, and", () => {
		const endedHold = async (message: Message) => {
			const hold = await placeHold(engine, message);
			const now = engine.clock();
			const ended = { at: now, recordedAt: now, recordedBy: "key_a", source: "api" as const };
			await engine.store.subjectRecords.end(hold._id, ended);
			await engine.store.subjectRecords.nextCheck(hold, undefined);
			return hold._id;
		};

		it("lets go of a queued one, which is sent", async () => {
			const message = await accept();
			await engine.store.messages.transition(enqueue(message, engine.clock()));
			const id = await endedHold(message);
			await engine.store.messages.transition(hold(await engine.read(message._id), id));
			await sweepAfter(limits.driverPatienceMs + 1);
			assert.deepEqual((await engine.read(message._id)).restrictedBy, []);
			assert.ok((await addedBy(sweep)).includes(message._id));
		});

		it("lets go of a final one, which is erased; a hold that is live, or of no record, stays", async () => {
			const [message, live, strange] = [await accept(), await accept(), await accept()];
			const on = [await endedHold(message), (await placeHold(engine, live))._id, "hold_nobody"];
			for (const [index, one] of [message, live, strange].entries()) {
				await engine.store.messages.transition(hold(one, on[index] as string));
				await engine.store.messages.transition(cancel(await engine.read(one._id), engine.clock()));
				assert.ok((await engine.read(one._id)).content);
			}
			await sweepAfter(limits.driverPatienceMs + 1);
			await sweep();
			const read = await Promise.all([message, live, strange].map(({ _id }) => engine.read(_id)));
			assert.deepEqual(
				read.map(({ holds, content }) => [holds.length, content !== undefined]),
				[
					[0, false],
					[1, true],
					[1, true],
				],
			);
		});
	});
});

describe("the sweep beside a Redis that hangs", () => {
	it("ends its page, leaves what is to be queued in the backlog, and forgets what is due", async () => {
		const line = await startProxy(Number(new URL(process.env.REDIS_URL as string).port || 6379));
		line.set("hung");
		const engine = await createEngine({ worker: false, sender: false, redisUrl: `redis://127.0.0.1:${line.port}` });
		try {
			const now = engine.clock();
			const shape = { deadlineAt: now + 6 * hour, closeAt: now + 7 * hour };
			const waiting = await Promise.all(Array.from({ length: 30 }, () => engine.accept(shape)));
			for (const message of waiting) await engine.store.messages.transition(enqueue(message, now));
			const over = await engine.accept({ deadlineAt: now + 1_000, closeAt: now + 2_000 });
			engine.time.offsetMs += 60_000;
			const late = new Promise<"late">((resolve) => setTimeout(resolve, 30_000, "late").unref());
			assert.notEqual(await Promise.race([engine.activities.sweepPage(), late]), "late");
			assert.equal((await engine.read(over._id)).state, "expired");
			for (const { _id } of waiting) assert.ok((await engine.read(_id)).backlog !== undefined);
		} finally {
			await engine.close();
			await line.close();
		}
	});
});
