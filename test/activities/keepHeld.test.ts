// What a hold keeps outlives its cohort under the hold's own key, and goes within the hour of its release.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { LetheError } from "../../domain/errors.ts";
import { limits } from "../../domain/limits.ts";
import { type Message, noEnd } from "../../domain/message.ts";
import type { HoldRecord } from "../../domain/subject.ts";
import { end } from "../../domain/transition.ts";
import { createEngine, type Engine } from "../harness/engine.ts";
import { placeHold } from "../harness/records.ts";
import { spoilArchive } from "../harness/spoilArchive.ts";

const hour = 3600_000;
const text = "The text in clear";

describe("what a hold keeps", () => {
	let engine: Engine;
	before(async () => {
		engine = await createEngine({ sender: false, worker: false });
	});
	after(() => engine.close());

	async function delivered(count: number): Promise<Message[]> {
		const now = engine.clock();
		const common = { tenantId: engine.ids.random("tenant"), deadlineAt: now + 1_000, closeAt: now + 2_000 };
		const each = () => ({ ...common, contentAtFinal: false, subject: { version: 1, mac: engine.ids.random("claim") } });
		const messages = await Promise.all(Array.from({ length: count }, () => engine.accept(each())));
		for (const { _id } of messages) {
			const current = await engine.read(_id);
			await engine.store.messages.transition({ ...end(current, "delivered", engine.clock()), from: ["accepted"] });
		}
		return messages;
	}
	async function hold(message: Message): Promise<HoldRecord> {
		const record = await placeHold(engine, message);
		await engine.store.subjectMessages.hold(record);
		return record;
	}
	async function release(record: HoldRecord): Promise<void> {
		const now = engine.clock();
		const ended = { at: now, recordedAt: now, recordedBy: "key_a", source: "api" as const };
		await engine.store.subjectRecords.end(record._id, ended, { nextCheckAt: now });
	}
	const cohortOf = (message: Message) => message.content?.cohortId as string;
	async function runPurge(cohortId: string): Promise<string> {
		const { closeCohort, erasePage, destroyCohort } = engine.activities;
		if (!(await closeCohort(cohortId))) return "waiting";
		while ((await erasePage(cohortId)).count > 0);
		return (await destroyCohort(cohortId)).outcome;
	}
	async function purgeWhenDue(message: Message): Promise<string> {
		const cohort = await engine.store.cohorts.find(cohortOf(message));
		engine.time.offsetMs += Math.max(0, (cohort?.dueAt ?? 0) - engine.clock() + 1);
		return runPurge(cohortOf(message));
	}
	/** Sweeps, and runs the purges that are due, as time goes by. */
	async function pass(ms: number): Promise<void> {
		for (const until = engine.clock() + ms; engine.clock() < until; engine.time.offsetMs += 5 * 60_000) {
			await engine.activities.sweepPage().catch(() => undefined);
			for (const cohortId of engine.memory.keys.keys()) await runPurge(cohortId);
		}
	}
	const read = async (message: Message): Promise<string> => {
		const stored = await engine.read(message._id);
		const { tenantId, _id: messageId, content } = stored;
		assert.ok(content);
		engine.encryption.close();
		return (await engine.encryption.decrypt({ tenantId, messageId, object: "content", sealed: content })).reveal();
	};

	it("outlives its cohort's key under the hold's own, and the rest of the cohort is destroyed in time", async () => {
		const [held, free] = (await delivered(2)) as [Message, Message];
		const record = await hold(held);
		assert.equal(await purgeWhenDue(held), "destroyed");
		assert.equal((await engine.read(free._id)).content, undefined);
		assert.equal(await engine.memory.cohortKeys.exists(cohortOf(held)), false);
		assert.equal(await read(held), text);
		const kept = await engine.read(held._id);
		assert.notEqual(cohortOf(kept), cohortOf(held));
		assert.equal(kept.retention.content?.cohortId, cohortOf(kept));
		assert.deepEqual(kept.retention.content?.formerCohorts, [cohortOf(held)]);
		assert.equal((await engine.store.cohorts.find(cohortOf(kept)))?.holdId, record._id);
		assert.ok(kept.evidence.some(({ type, code }) => type === "kept" && code === "content"));
		// The document of before, put back: its key is gone.
		const { tenantId, _id: messageId } = held;
		const sealed = held.content as NonNullable<Message["content"]>;
		await assert.rejects(
			engine.encryption.decrypt({ tenantId, messageId, object: "content", sealed }),
			(error) => error instanceof LetheError && error.code === "content_erased",
		);
	});

	it("stays while the hold is live, however long, and is gone with the hold's key within an hour of the release", async () => {
		const [held] = (await delivered(1)) as [Message];
		const record = await hold(held);
		assert.equal(await purgeWhenDue(held), "destroyed");
		const key = cohortOf(await engine.read(held._id));
		await pass(2 * hour);
		engine.time.offsetMs += 30 * 24 * hour;
		assert.equal(await runPurge(key), "waiting");
		assert.equal(await read(held), text);
		await release(record);
		await pass(hour);
		const ended = await engine.read(held._id);
		assert.deepEqual([ended.holds, ended.content], [[], undefined]);
		assert.equal(await engine.memory.cohortKeys.exists(key), false);
		const cohort = await engine.store.cohorts.find(key);
		assert.equal(cohort?.state, "destroyed");
		const [certificateId] = cohort?.certificates ?? [];
		assert.ok(await engine.store.certificates.find(certificateId as string));
		assert.ok(ended.retention.content?.certificateId ?? ended.retention.content?.verifiedAt);
	});

	it("under a key whose end was said to be long ago, it stays for as long after the release as a move may be on its way", async () => {
		const [held] = (await delivered(1)) as [Message];
		const record = await hold(held);
		assert.equal(await purgeWhenDue(held), "destroyed");
		const key = cohortOf(await engine.read(held._id));
		const longAgo = engine.clock() - 10 * hour;
		await engine.store.cohorts.endNow([key], longAgo);
		assert.equal((await engine.store.cohorts.find(key))?.dueAt, noEnd, "it ends with the hold, and with nothing else");
		await engine.store.cohorts.set(key, { dueAt: longAgo });
		await release(record);
		await engine.store.subjectMessages.release(record, engine.clock());
		assert.equal(await runPurge(key), "waiting");
		assert.ok(await engine.memory.cohortKeys.exists(key));
		engine.time.offsetMs += limits.cohortRetireMs;
		assert.equal(await runPurge(key), "destroyed");
	});

	it("with two holds goes from the first's key to the second's, and is gone after both", async () => {
		const [held] = (await delivered(1)) as [Message];
		const [first, second] = [await hold(held), await hold(held)];
		assert.equal(await purgeWhenDue(held), "destroyed");
		const firstKey = cohortOf(await engine.read(held._id));
		await release(first);
		await pass(hour);
		const secondKey = cohortOf(await engine.read(held._id));
		assert.equal((await engine.store.cohorts.find(secondKey))?.holdId, second._id);
		assert.equal(await engine.memory.cohortKeys.exists(firstKey), false);
		assert.equal(await read(held), text);
		await release(second);
		await pass(hour);
		assert.equal((await engine.read(held._id)).content, undefined);
		assert.equal(await engine.memory.cohortKeys.exists(secondKey), false);
	});

	it("moves though nobody can read another that a hold keeps there; that one stays, is told, and goes once it is released", async () => {
		const [held, unread] = (await delivered(2)) as [Message, Message];
		const records = [await hold(held), await hold(unread)];
		await spoilArchive(engine.connection, await engine.read(unread._id));
		assert.equal(await purgeWhenDue(held), "waiting");
		assert.deepEqual((await engine.read(held._id)).retention.content?.formerCohorts, [cohortOf(held)]);
		const stored = () => engine.connection.collection<Message>("messages").findOne({ _id: unread._id });
		assert.equal((await stored())?.content?.cohortId, cohortOf(held));
		assert.ok(await engine.memory.cohortKeys.exists(cohortOf(held)));
		await engine.activities.sweepPage();
		assert.deepEqual(
			(await engine.store.messages.findUnreadable(10)).map(({ _id }) => _id),
			[unread._id],
		);
		for (const record of records) await release(record);
		assert.equal(await runPurge(cohortOf(held)), "waiting");
		assert.equal(await runPurge(cohortOf(held)), "destroyed");
		assert.equal((await stored())?.content, undefined);
		await engine.connection.collection<{ _id: string }>("messages").deleteOne({ _id: unread._id });
	});

	it("released while it is being moved, it is erased and not kept", async () => {
		const [held] = (await delivered(1)) as [Message];
		const record = await hold(held);
		const { rewrap } = engine.encryption;
		// Between the re-wrapping and the write that moves it.
		engine.encryption.rewrap = async (request) => {
			const wrapped = await rewrap(request);
			await release(record);
			await engine.store.subjectMessages.release(record, engine.clock());
			return wrapped;
		};
		await purgeWhenDue(held);
		engine.encryption.rewrap = rewrap;
		await pass(hour);
		assert.equal((await engine.read(held._id)).content, undefined);
		assert.equal(await engine.memory.cohortKeys.exists(cohortOf(held)), false);
	});

	it("by a hold that had ended before it came onto its message goes with its cohort", async () => {
		const [held, other] = (await delivered(2)) as [Message, Message];
		const record = await hold(other);
		await release(record);
		await engine.store.subjectMessages.release(record, engine.clock());
		await engine.store.messages.transition({ id: held._id, set: { holds: [record._id] } });
		assert.equal(await purgeWhenDue(held), "waiting");
		assert.deepEqual((await engine.read(held._id)).holds, []);
		assert.equal(await runPurge(cohortOf(held)), "destroyed");
		assert.equal((await engine.read(held._id)).content, undefined);
	});

	it("what a hold without a record keeps stays, with its cohort's key", async () => {
		const [held, other] = (await delivered(2)) as [Message, Message];
		await engine.store.messages.transition({ id: held._id, set: { holds: ["hld_nobody"] } });
		await hold(other);
		assert.equal(await purgeWhenDue(held), "waiting");
		assert.equal(await read(held), text);
		assert.notEqual(cohortOf(await engine.read(other._id)), cohortOf(held));
	});

	it("two workers at once move each member once, and nothing is lost when the key server goes away in the middle", async () => {
		const messages = await delivered(12);
		for (const message of messages) await hold(message);
		await engine.store.subjectMessages.hold(await placeHold(engine, messages[0] as Message));
		const cohort = await engine.store.cohorts.find(cohortOf(messages[0] as Message));
		engine.time.offsetMs += Math.max(0, (cohort?.dueAt ?? 0) - engine.clock() + 1);
		const { rewrap } = engine.encryption;
		let calls = 0;
		engine.encryption.rewrap = async (request) => {
			if (++calls === 7) engine.memory.away.value = true;
			if (engine.memory.away.value) throw new LetheError("keys_unavailable");
			return rewrap(request);
		};
		const cohortId = cohortOf(messages[0] as Message);
		const both = await Promise.allSettled([runPurge(cohortId), runPurge(cohortId)]);
		assert.ok(both.every(({ status }) => status === "rejected"));
		assert.ok(await engine.memory.cohortKeys.exists(cohortId), "nothing is destroyed on the way");
		engine.memory.away.value = false;
		engine.encryption.rewrap = rewrap;
		const outcomes = await Promise.all([runPurge(cohortId), runPurge(cohortId)]);
		assert.ok(outcomes.includes("destroyed"));
		for (const message of messages) assert.equal(await read(message), text);
	});
});
