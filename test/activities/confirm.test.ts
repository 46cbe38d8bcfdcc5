// A batch is accepted by its head: with one every member is sent, without one none is, and what was left goes.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { ensureIntegrated } from "../../activities/integrate.ts";
import { chargeOf, countersOf } from "../../domain/abuse.ts";
import { limits } from "../../domain/limits.ts";
import type { Message } from "../../domain/message.ts";
import { cancel, type Transition } from "../../domain/transition.ts";
import { createEngine, type Engine } from "../harness/engine.ts";

type Shape = NonNullable<Parameters<Engine["accept"]>[0]>;

describe("batches, whole and torn", () => {
	let engine: Engine;
	before(async () => {
		engine = await createEngine({ worker: false, sender: false });
	});
	after(() => engine.close());

	/** The members of a batch of three, and its head, which is not inserted yet. */
	async function membersOf(shape: Shape = {}): Promise<{ members: Message[]; insertHead: () => Promise<Message> }> {
		const headId = engine.ids.random("message");
		const common = {
			submissionId: engine.ids.random("submission"),
			tenantId: engine.ids.random("tenant"),
			submissionSize: 3,
			acceptedAt: engine.clock(),
			...shape,
		};
		const members = [await engine.accept({ ...common, headId }), await engine.accept({ ...common, headId })];
		return { members, insertHead: () => engine.accept({ ...common, id: headId }) };
	}
	const sweepAfter = async (ms: number) => {
		engine.time.offsetMs += ms;
		await engine.activities.sweepPage();
	};
	const statesOf = (messages: Message[]) =>
		Promise.all(messages.map(async ({ _id }) => (await engine.store.messages.find(_id))?.state));
	const jobs = async () =>
		Object.values(await engine.sendQueues.counts("queue")).reduce((sum, count) => sum + count, 0);
	const isStarted = async ({ submissionId }: Message) => {
		const run = engine.temporal.client.workflow.getHandle(submissionId).describe();
		return run.then(
			() => true,
			() => false,
		);
	};

	it("without a head no member is ever queued, started or expired, and all are erased in the end", async () => {
		const now = engine.clock();
		const { members } = await membersOf({ deadlineAt: now + limits.validForMinMs, closeAt: now + 150_000 });
		const before = await jobs();
		const stepMs = limits.driverPatienceMs + 1;
		for (let passedMs = stepMs; passedMs < limits.orphanPatienceMs; passedMs += stepMs) {
			await sweepAfter(stepMs);
			assert.deepEqual(await statesOf(members), ["accepted", "accepted"], `after ${passedMs} ms`);
		}
		await sweepAfter(stepMs);
		assert.deepEqual(await statesOf(members), [undefined, undefined]);
		assert.equal(await jobs(), before);
		for (const member of members) assert.equal(await isStarted(member), false);
	});

	it("one that a hold is on stays, and the log does not say that it went", async () => {
		const { members } = await membersOf();
		const [held] = members as [Message];
		await engine.store.messages.transition({ id: held._id, set: { holds: ["hold_a"], restrictedBy: ["hold_a"] } });
		for (const ms of [limits.orphanPatienceMs + 1, limits.heldCohortCheckMs + 1]) await sweepAfter(ms);
		assert.deepEqual(await statesOf(members), ["accepted", undefined]);
		const entries = async () =>
			JSON.stringify((await engine.store.evidence.findAbout([held._id])).map(({ entries }) => entries));
		assert.doesNotMatch(await entries(), /orphan_discarded/);
		await engine.store.messages.transition({ id: held._id, set: { holds: [], restrictedBy: [] } });
		await sweepAfter(limits.heldCohortCheckMs + 1);
		assert.deepEqual(await statesOf([held]), [undefined]);
		assert.match(await entries(), /orphan_discarded/);
	});

	it("what its members took of the budgets goes back once, and only with those that are erased", async () => {
		const deadline = { deadlineAt: engine.clock() + 3600_000, closeAt: engine.clock() + 7200_000 };
		const tenantId = engine.ids.random("tenant");
		const [torn, whole] = [await membersOf({ tenantId, ...deadline }), await membersOf({ tenantId, ...deadline })];
		const messages = [...torn.members, ...whole.members, await whole.insertHead()];
		const charge = chargeOf(engine.clock(), 1, 2);
		const counters = countersOf(charge, "US");
		for (const { _id } of messages) {
			assert.equal(await engine.store.spending.take({ tenantId, at: charge.at, counters }), undefined);
			await engine.store.messages.transition({ id: _id, set: { charge } });
		}
		const spent = async () => (await engine.store.spending.read(tenantId, charge.at)).US?.month?.segments;
		await sweepAfter(limits.driverPatienceMs + 1);
		assert.equal(await spent(), 5);
		engine.time.offsetMs += limits.orphanPatienceMs;
		await Promise.all([engine.activities.sweepPage(), engine.activities.sweepPage()]);
		await sweepAfter(limits.driverPatienceMs + 1);
		assert.deepEqual(await statesOf(torn.members), [undefined, undefined]);
		assert.equal(await spent(), 3);
	});

	it("deferred orphans do not wait for their release", async () => {
		const releaseAt = engine.clock() + 3600_000;
		const shape = {
			state: "deferred",
			releaseAt,
			deadlineAt: releaseAt + 60_000,
			closeAt: releaseAt + 90_000,
		} as const;
		const { members } = await membersOf(shape);
		await sweepAfter(limits.driverPatienceMs + 1);
		assert.deepEqual(await statesOf(members), ["deferred", "deferred"]);
		await sweepAfter(limits.orphanPatienceMs);
		assert.deepEqual(await statesOf(members), [undefined, undefined]);
	});

	it("with a head every member is driven on, however late the sweep comes", async () => {
		const deadline = { deadlineAt: engine.clock() + 3600_000, closeAt: engine.clock() + 7200_000 };
		const { members, insertHead } = await membersOf(deadline);
		const head = await insertHead();
		await sweepAfter(limits.orphanPatienceMs + 1);
		// The first look starts the run; with nobody to work it, the next one does its work.
		await sweepAfter(limits.driverPatienceMs + 1);
		assert.equal(await isStarted(head), true);
		assert.deepEqual(await statesOf([head, ...members]), ["queued", "queued", "queued"]);
	});

	it("a head that comes while its members are doubted makes them accepted, in whatever order they are looked at", async () => {
		const deadline = { deadlineAt: engine.clock() + 7200_000, closeAt: engine.clock() + 7200_000 };
		for (let round = 0; round < 5; round++) {
			const { members, insertHead } = await membersOf({ ...deadline, acceptedAt: engine.clock() });
			engine.time.offsetMs += limits.driverPatienceMs + 1;
			const { sweepPage } = engine.activities;
			const [head] = await Promise.all([insertHead(), sweepPage(), sweepPage()]);
			await sweepAfter(limits.orphanPatienceMs + 1);
			await sweepAfter(limits.driverPatienceMs + 1);
			assert.deepEqual(await statesOf([head, ...members]), ["queued", "queued", "queued"], `round ${round}`);
		}
	});

	it("a head that an API with a clock far behind is about to write finds its members", async () => {
		const acceptedAt = engine.clock() - 2 * limits.orphanPatienceMs;
		const deadline = { deadlineAt: engine.clock() + 3600_000, closeAt: engine.clock() + 7200_000 };
		const { members, insertHead } = await membersOf({ ...deadline, acceptedAt, nextCheckAt: acceptedAt });
		// Two sweeps, whose clocks are as far apart as any that may erase.
		for (const ms of [-limits.clockSkewMs, 2 * limits.clockSkewMs]) {
			await sweepAfter(ms);
			assert.deepEqual(await statesOf(members), ["accepted", "accepted"]);
		}
		const head = await insertHead();
		await sweepAfter(limits.headMissedMs + 1);
		await sweepAfter(limits.driverPatienceMs + 1);
		assert.deepEqual(await statesOf([head, ...members]), ["queued", "queued", "queued"]);
		assert.equal((await engine.read(members[0]?._id as string)).headMissedAt, undefined);
	});

	it("a repeat's head, under the same id, confirms its own members and none of the torn try's", async () => {
		const deadline = { deadlineAt: engine.clock() + 3600_000, closeAt: engine.clock() + 7200_000 };
		const torn = await membersOf(deadline);
		const headId = torn.members[0]?.headId as string;
		const repeat = { submissionId: engine.ids.random("submission"), submissionSize: 2, ...deadline };
		const member = await engine.accept({ ...repeat, headId });
		const head = await engine.accept({ ...repeat, id: headId });
		await sweepAfter(limits.orphanPatienceMs + 1);
		await sweepAfter(limits.headMissedMs + 1);
		assert.deepEqual(await statesOf(torn.members), [undefined, undefined]);
		assert.deepEqual(await statesOf([head, member]), ["queued", "queued"]);
	});

	it("a member that was confirmed stays accepted when its head's record is gone before its release", async () => {
		const releaseAt = engine.clock() + 3600_000;
		const shape = {
			state: "deferred",
			releaseAt,
			deadlineAt: releaseAt + 60_000,
			closeAt: releaseAt + 90_000,
		} as const;
		const { members, insertHead } = await membersOf(shape);
		const head = await insertHead();
		await sweepAfter(limits.driverPatienceMs + 1);
		const confirmed = await engine.read(members[0]?._id as string);
		assert.equal(confirmed.headId, undefined);
		assert.equal(confirmed.nextCheckAt, releaseAt + limits.driverPatienceMs);
		await engine.store.messages.transition(cancel(await engine.read(head._id), engine.clock()));
		assert.ok(await ensureIntegrated(engine, await engine.read(head._id)));
		await engine.store.messages.deleteRecord(head._id);
		assert.equal(await engine.store.messages.find(head._id), undefined);
		await sweepAfter(limits.orphanPatienceMs + 1);
		assert.deepEqual(await statesOf(members), ["deferred", "deferred"]);
		await sweepAfter(3600_000 - limits.orphanPatienceMs);
		await sweepAfter(limits.driverPatienceMs + 1);
		assert.deepEqual(await statesOf(members), ["queued", "queued"]);
	});

	it("what was confirmed, cancelled or held since it was read is not erased as an orphan", async () => {
		const changes: Omit<Transition, "id">[] = [
			{ unset: ["headId"] },
			{ to: "cancelled", from: ["accepted"] },
			{ set: { holds: ["hold_a"], restrictedBy: ["hold_a"] } },
			{ set: { nextCheckAt: 1 } },
		];
		for (const change of changes) {
			const { members } = await membersOf();
			const read = await engine.read(members[0]?._id as string);
			await engine.store.messages.transition({ ...change, id: read._id });
			assert.equal(await engine.store.messages.deleteOrphan(read), false);
			assert.ok(await engine.store.messages.find(read._id));
			assert.equal(await engine.store.messages.deleteOrphan(members[1] as Message), true);
		}
	});
});
