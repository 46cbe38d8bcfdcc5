// Checked again before anything is sent: what policies allow now may only be stricter than what they allowed before.

import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import type { Decision } from "../../domain/decision.ts";
import type { Message } from "../../domain/message.ts";
import { cancel, enqueue } from "../../domain/transition.ts";
import { createEngine, type Engine } from "../harness/engine.ts";

const minute = 60_000;

describe("prepare", () => {
	let engine: Engine;
	let asked: number[];
	before(async () => {
		engine = await createEngine({ worker: false, sender: false });
	});
	beforeEach(() => decide({}));
	after(() => engine.close());

	/** What policies answer from now on. */
	function decide(decision: Partial<Decision>): void {
		asked = [];
		engine.policies.reevaluate = (_facts, at) => {
			asked.push(at);
			return { allowed: true, reasons: [], citations: [], packs: [], rules: [], ...decision };
		};
	}
	const accept = (shape: Parameters<Engine["accept"]>[0] = {}) =>
		engine.accept({ deadlineAt: engine.clock() + 60 * minute, closeAt: engine.clock() + 90 * minute, ...shape });
	const prepare = ({ submissionId }: Message) => engine.activities.prepare(submissionId);
	const iso = (at: number) => new Date(at).toISOString();

	it("what is allowed still goes on as it was", async () => {
		const message = await accept();
		assert.deepEqual(await prepare(message), { groups: [{ group: 0, closeAt: message.closeAt, count: 1 }] });
		assert.equal((await engine.read(message._id)).state, "accepted");
	});

	it("what is forbidden by now ends unsent, its content gone, and is left out of its group", async () => {
		decide({ allowed: false });
		const message = await accept();
		assert.deepEqual(await prepare(message), { groups: [] });
		const ended = await engine.read(message._id);
		assert.equal(ended.state, "rejected");
		assert.equal(ended.content, undefined);
		assert.equal(ended.evidence.find(({ type }) => type === "rejected")?.code, "policy_denied");
		await engine.activities.deliver(message.submissionId, 0);
		assert.equal((await engine.read(message._id)).state, "rejected");
	});

	it("a window that opens later defers it; one that opens earlier than was promised does not hasten it", async () => {
		const releaseAt = engine.clock() + 10 * minute;
		const deferred = await accept({ state: "deferred", releaseAt });
		decide({ deferUntilUtc: iso(releaseAt - 5 * minute) });
		assert.equal((await prepare(deferred)).groups[0]?.releaseAt, releaseAt);
		decide({ deferUntilUtc: iso(releaseAt + 5 * minute) });
		assert.equal((await prepare(deferred)).groups[0]?.releaseAt, releaseAt + 5 * minute);
		const stored = await engine.read(deferred._id);
		assert.deepEqual([stored.state, stored.releaseAt], ["deferred", releaseAt + 5 * minute]);
		assert.ok((stored.nextCheckAt ?? 0) > releaseAt + 5 * minute, "nor does the sweep");
		const undelayed = await accept();
		assert.equal((await prepare(undelayed)).groups[0]?.releaseAt, releaseAt + 5 * minute);
		assert.equal((await engine.read(undelayed._id)).state, "deferred");
	});

	it("is asked again at its release: what must wait longer by then is not queued, but waits", async () => {
		const message = await accept({ state: "deferred", releaseAt: engine.clock() - 1_000 });
		const until = engine.clock() + 5 * minute;
		decide({ deferUntilUtc: iso(until) });
		assert.deepEqual(await engine.activities.deliver(message.submissionId, 0), { releaseAt: until });
		const stored = await engine.read(message._id);
		assert.deepEqual([stored.state, stored.releaseAt], ["deferred", until]);
	});

	it("is judged for the time at which it would be sent", async () => {
		const releaseAt = engine.clock() + 10 * minute;
		await prepare(await accept({ state: "deferred", releaseAt }));
		assert.deepEqual(asked, [releaseAt]);
		decide({});
		await prepare(await accept());
		assert.ok(Math.abs((asked[0] ?? 0) - engine.clock()) < minute);
	});

	it("a window that opens at the deadline or later ends it: nothing is sent past its deadline", async () => {
		const message = await accept();
		decide({ deferUntilUtc: iso(Math.ceil(message.deadlineAt / 1000) * 1000) });
		assert.deepEqual(await prepare(message), { groups: [] });
		const ended = await engine.read(message._id);
		assert.deepEqual([ended.state, ended.evidence.at(-1)?.type], ["rejected", "erased"]);
		assert.equal(ended.evidence.find(({ type }) => type === "rejected")?.code, "expires_before_window");
	});

	it("what is over expires, and what was cancelled, or is on its queue, is not judged again", async () => {
		const late = await accept({ deadlineAt: engine.clock() - 1, closeAt: engine.clock() + minute });
		const queued = await accept();
		await engine.store.messages.transition(enqueue(queued, engine.clock()));
		const cancelled = await accept();
		await engine.store.messages.transition(cancel(cancelled, engine.clock()));
		decide({ allowed: false });
		for (const message of [late, queued, cancelled]) await prepare(message);
		const states = await Promise.all([late, queued, cancelled].map(async ({ _id }) => (await engine.read(_id)).state));
		assert.deepEqual(states, ["expired", "queued", "cancelled"]);
		assert.deepEqual(asked, []);
	});
});
