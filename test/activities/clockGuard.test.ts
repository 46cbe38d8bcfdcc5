// A clock that differs from Vault's ends nothing: no message, no cohort, no key. It is told, and others go on.

import assert from "node:assert/strict";
import { after, afterEach, before, describe, it } from "node:test";
import { createClockGuard } from "../../activities/clockGuard.ts";
import { limits } from "../../domain/limits.ts";
import type { Attempt } from "../../domain/message.ts";
import { end, enqueue } from "../../domain/transition.ts";
import { createEngine, type Engine } from "../harness/engine.ts";

const day = 24 * 3600_000;

describe("a guarded clock", () => {
	function start() {
		const time = { passedMs: 0, jumpMs: 0 };
		const vault = { isAway: false, isHanging: false, aheadMs: 0, readings: 0 };
		const errors: { why?: string }[] = [];
		const guard = createClockGuard({
			clock: () => 1_800_000_000_000 + time.passedMs + time.jumpMs,
			monotonic: () => 5_000 + time.passedMs,
			async vaultTime() {
				vault.readings++;
				if (vault.isAway) throw new Error("away");
				if (vault.isHanging) await new Promise(() => undefined);
				return 1_800_000_000_000 + time.passedMs + vault.aheadMs;
			},
			log: { info: () => undefined, warn: () => undefined, error: (fields) => void errors.push(fields) },
		});
		const isOff = () =>
			guard.checkClock().then(
				() => false,
				({ code }: { code?: string }) => code === "clock_off",
			);
		return { time, vault, errors, guard, isOff };
	}

	it("passes while it is within what clocks may differ by, and asks Vault now and then only", async () => {
		const { time, vault, isOff } = start();
		assert.equal(await isOff(), false);
		time.jumpMs = limits.clockSkewMs;
		for (let times = 0; times < 10; times++) assert.equal(await isOff(), false);
		assert.equal(vault.readings, 1);
		time.passedMs += limits.clockReadMs;
		assert.equal(await isOff(), false);
		assert.equal(vault.readings, 2);
	});

	it("is off from the moment it jumps, ahead or behind, and passes as soon as it is set right", async () => {
		const { time, vault, isOff } = start();
		assert.equal(await isOff(), false);
		for (const jumpMs of [day, -day, limits.clockSkewMs + 1_000]) {
			time.jumpMs = jumpMs;
			assert.equal(await isOff(), true, String(jumpMs));
			time.passedMs += limits.clockReadMs / 10;
			time.jumpMs = 0;
			assert.equal(await isOff(), false);
		}
		assert.equal(vault.readings, 1);
		vault.aheadMs = day;
		time.passedMs += limits.clockReadMs;
		assert.equal(await isOff(), true, "or Vault's is");
	});

	it("is told once a minute, with what is to be set", async () => {
		const { time, errors, isOff } = start();
		time.jumpMs = day;
		for (let times = 0; times < 3; times++) await isOff();
		assert.equal(errors.length, 1);
		assert.match(errors[0]?.why ?? "", /^86400 s ahead of Vault's: set the clock/);
		time.passedMs += limits.clockToldMs;
		await isOff();
		assert.equal(errors.length, 2);
	});

	it("is believed while Vault is away", async () => {
		const { time, vault, isOff } = start();
		vault.isAway = true;
		time.jumpMs = day;
		assert.equal(await isOff(), false);
	});

	it("goes by the reading of before where Vault hangs, and waits for that once", async () => {
		const { time, vault, isOff } = start();
		assert.equal(await isOff(), false);
		vault.isHanging = true;
		time.passedMs += limits.clockReadMs;
		assert.deepEqual(await Promise.all([isOff(), isOff()]), [false, false]);
		time.jumpMs = day;
		assert.equal(await isOff(), true);
		assert.equal(vault.readings, 2);
	});
});

describe("on a machine whose clock is a day ahead", () => {
	let engine: Engine;
	before(async () => {
		engine = await createEngine({ worker: false, sender: false });
	});
	afterEach(() => {
		engine.time.jumpMs = 0;
	});
	after(() => engine.close());

	const jump = () => {
		engine.time.jumpMs = day;
	};
	const off = { code: "clock_off" };

	it("no step ends a message, and one that is right ends what is over", async () => {
		const [accepted, queued, deferred] = [await engine.accept(), await engine.accept(), await engine.accept()];
		await engine.store.messages.transition(enqueue(queued, engine.clock()));
		const open = [accepted, queued, deferred];
		jump();
		const { prepare, deliver, finalise, sweepPage } = engine.activities;
		await assert.rejects(prepare(accepted.submissionId), off);
		for (const { submissionId } of [deferred, queued]) await assert.rejects(deliver(submissionId, 0), off);
		await assert.rejects(finalise(accepted.submissionId, false), off);
		await assert.rejects(sweepPage(), off);
		const job = { messageId: queued._id, attempt: 1, sendQueue: "queue" };
		await assert.rejects(engine.send(job, { holdBack: async () => undefined }), off);
		const states = await Promise.all(open.map(async ({ _id }) => (await engine.read(_id)).state));
		assert.deepEqual(states, ["accepted", "queued", "accepted"]);
		assert.ok((await engine.read(queued._id)).content);
		assert.ok(engine.errors.join().includes("clock_off"));
		engine.time.jumpMs = 0;
		engine.time.offsetMs += 3600_000;
		await sweepPage();
		for (const { _id } of open) assert.equal((await engine.read(_id)).state, "expired");
	});

	it("no sender claims, behind or ahead, and nothing that waits for its window is refused", async () => {
		const lasting = () => ({ deadlineAt: engine.clock() + 10 * day, closeAt: engine.clock() + 11 * day });
		const [queued, accepted] = [await engine.accept(lasting()), await engine.accept(lasting())];
		await engine.store.messages.transition(enqueue(queued, engine.clock()));
		const job = { messageId: queued._id, attempt: 1, sendQueue: "queue" };
		for (const jumpMs of [-3 * limits.clockSkewMs, day]) {
			engine.time.jumpMs = jumpMs;
			await assert.rejects(engine.send(job, { holdBack: async () => undefined }), off);
			await assert.rejects(engine.activities.prepare(accepted.submissionId), off);
		}
		assert.deepEqual([(await engine.read(queued._id)).state, (await engine.read(queued._id)).attempts], ["queued", []]);
		engine.time.jumpMs = 0;
		await engine.send(job, { holdBack: async () => undefined });
		assert.equal((await engine.read(queued._id)).attempts.length, 1);
	});

	it("no cohort is closed, nothing of it erased, and no key destroyed", async () => {
		const { content } = await engine.accept();
		const cohortId = content?.cohortId as string;
		const { closeCohort, erasePage, destroyCohort } = engine.activities;
		jump();
		for (const step of [closeCohort, erasePage, destroyCohort]) await assert.rejects(step(cohortId), off);
		assert.equal((await engine.store.cohorts.find(cohortId))?.state, "open");
		engine.time.jumpMs = 0;
		engine.time.offsetMs += day;
		assert.equal(await closeCohort(cohortId), true);
		while ((await erasePage(cohortId)).count > 0);
		jump();
		await assert.rejects(destroyCohort(cohortId), off);
		assert.ok(await engine.cohortKeys.exists(cohortId));
		engine.time.jumpMs = 0;
		assert.equal((await destroyCohort(cohortId)).outcome, "destroyed");
	});

	it("no person's request goes on: what a law's least keeps would go early", async () => {
		const requestId = engine.ids.random("subjectRequest");
		jump();
		await assert.rejects(engine.activities.stepRequest(requestId), off);
		engine.time.jumpMs = 0;
		assert.equal((await engine.activities.stepRequest(requestId)).moreDue, false);
	});

	it("nothing is re-timed", async () => {
		const retimingId = engine.ids.random("retiming");
		jump();
		await assert.rejects(engine.activities.retimePages(retimingId), off);
		engine.time.jumpMs = 0;
		assert.equal((await engine.activities.retimePages(retimingId)).moreDue, false);
	});

	it("no carrier is asked to forget: what it refuses would wait until that day, or be given up", async () => {
		let asked = 0;
		engine.carrier.redact = async () => ++asked < 0;
		const { _id, submissionId } = await engine.accept();
		const now = engine.clock();
		const attempt: Attempt = {
			number: 1,
			startedAt: now,
			leaseUntil: now,
			claim: "c",
			carrierId: _id,
			outcome: "accepted",
		};
		const delivered = end(await engine.read(_id), "delivered", now);
		await engine.store.messages.transition({
			...delivered,
			from: ["accepted"],
			push: { attempts: { value: attempt } },
		});
		await engine.activities.finalise(submissionId, false);
		engine.time.jumpMs = limits.redactionPatienceMs + day;
		await assert.rejects(engine.redact(), off);
		const { carrierCopy } = await engine.read(_id);
		assert.deepEqual([asked, carrierCopy?.state, carrierCopy?.tries], [0, "due", 0]);
		engine.time.jumpMs = 0;
		await engine.redact();
		assert.equal(asked, 1);
	});
});
