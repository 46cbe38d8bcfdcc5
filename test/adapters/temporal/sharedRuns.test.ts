// Runs that single messages share: whatever comes when, each message that was stored is in one run, which starts once, whole.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { RunMember } from "../../../adapters/temporal/client.ts";
import { createSharedRuns } from "../../../adapters/temporal/sharedRuns.ts";
import type { Category, Message } from "../../../domain/message.ts";
import { messageOf } from "../../harness/message.ts";

const gatherMs = 100;
const membersMax = 4;

function openRuns(settings: { gatherMs?: number } = {}) {
	const time = { ms: 0 };
	const timers: { at: number; call: () => void }[] = [];
	const started: { members: RunMember[]; at: number }[] = [];
	let drawn = 0;
	const after = (ms: number, call: () => void) => void timers.push({ at: time.ms + ms, call });
	const { join } = createSharedRuns({
		gatherMs,
		membersMax,
		randomSubmissionId: () => `sub_shared${drawn++}`,
		start: (members) => void started.push({ members, at: time.ms }),
		monotonic: () => time.ms,
		after,
		...settings,
	});
	/** Lets time pass up to `ms`, one timer after the other. */
	function passTo(ms: number): void {
		for (;;) {
			const next = timers.toSorted((one, other) => one.at - other.at)[0];
			if (!next || next.at > ms) break;
			timers.splice(timers.indexOf(next), 1);
			time.ms = Math.max(time.ms, next.at);
			next.call();
		}
		time.ms = Math.max(time.ms, ms);
	}
	return { join, after, passTo, time, timers, started };
}

const single = (of: Partial<Message> = {}) => ({ ...messageOf({ submissionId: "sub_own" }), ...of });
const idsOf = ({ members }: { members: RunMember[] }) => members.map((member) => (member as Message)._id);

test("who comes alone has a run of its own; those just after it gather, and start together once all are stored", () => {
	const runs = openRuns();
	assert.equal(runs.join(single()), undefined);
	const [slow, quick] = [runs.join(single({ _id: "msg_slow" })), runs.join(single({ _id: "msg_quick" }))];
	assert.equal(quick?.message.submissionId, slow?.message.submissionId);
	assert.deepEqual([quick?.message.sharesRun, slow?.message.sharesRun], [true, true]);
	quick?.leave(true);
	runs.passTo(gatherMs);
	assert.deepEqual(runs.started, [], "one is still being stored");
	const late = runs.join(single());
	assert.notEqual(late?.message.submissionId, slow?.message.submissionId, "that run takes nobody any more");
	slow?.leave(true);
	assert.deepEqual(runs.started.map(idsOf), [["msg_quick", "msg_slow"]]);
	late?.leave(false);
	runs.passTo(60_000);
	assert.equal(runs.started.length, 1, "of what was not stored nothing starts");
	assert.equal(runs.join(single()), undefined, "and the load is over");
	runs.passTo(120_000);
	assert.deepEqual(runs.timers, [], "nothing is left behind");
});

test("a one-time code shares with nobody and waits for nobody; nor does anything where no time is set", () => {
	const runs = openRuns();
	for (let times = 0; times < 5; times++) assert.equal(runs.join(single({ category: "otp" })), undefined);
	const off = openRuns({ gatherMs: 0 });
	for (let times = 0; times < 5; times++) assert.equal(off.join(single()), undefined);
	assert.deepEqual([...runs.timers, ...off.timers], []);
});

test("whatever comes when: a run has one tenant, category, region and release, room for so many, and starts once, whole and in time", () => {
	const arrival = fc.record({
		at: fc.oneof(fc.integer({ min: 0, max: 400 }), fc.integer({ min: 0, max: 3_000 })),
		tenantId: fc.constantFrom("ten_a", "ten_b"),
		category: fc.constantFrom<Category>("transactional", "health", "otp"),
		region: fc.constantFrom("US", "DE"),
		releaseAt: fc.constantFrom(undefined, 10_000),
		storesMs: fc.oneof(fc.integer({ min: 0, max: 30 }), fc.integer({ min: 0, max: 500 })),
		isStored: fc.oneof({ weight: 4, arbitrary: fc.constant(true) }, fc.constant(false)),
	});
	fc.assert(
		fc.property(fc.array(arrival, { minLength: 60, maxLength: 160 }), (arrivals) => {
			const runs = openRuns();
			const seats: { message: Message; joinedAt: number; leftAt: number; isStored: boolean }[] = [];
			for (const [index, { at, storesMs, isStored, ...kind }] of arrivals
				.toSorted((one, other) => one.at - other.at)
				.entries()) {
				runs.passTo(at);
				const own = single({ ...kind, _id: `msg_${index}` } as Partial<Message>);
				const seat = runs.join(own);
				if (!seat) continue;
				assert.notEqual(own.category, "otp");
				assert.deepEqual(
					{ ...seat.message, submissionId: "sub_own", sharesRun: undefined },
					{ ...own, sharesRun: undefined },
				);
				seats.push({ message: seat.message, joinedAt: at, leftAt: at + storesMs, isStored });
				runs.after(storesMs, () => seat.leave(isStored));
			}
			runs.passTo(60_000);
			assert.deepEqual(runs.timers, []);
			const stored = seats.filter(({ isStored }) => isStored).map(({ message }) => message._id);
			assert.deepEqual(runs.started.flatMap(idsOf).toSorted(), stored.toSorted());
			const bySubmission = Map.groupBy(seats, ({ message }) => message.submissionId);
			for (const { members, at } of runs.started) {
				const [{ submissionId }] = members as [RunMember];
				const own = bySubmission.get(submissionId) ?? [];
				bySubmission.delete(submissionId);
				assert.ok(own.length <= membersMax);
				const kinds = own.map(({ message }) => [message.tenantId, message.category, message.region, message.releaseAt]);
				assert.equal(new Set(kinds.map((kind) => JSON.stringify(kind))).size, 1);
				const firstAt = Math.min(...own.map(({ joinedAt }) => joinedAt));
				const storedAt = Math.max(...own.map(({ leftAt }) => leftAt));
				assert.ok(at >= storedAt, "all are stored");
				assert.ok(at <= Math.max(storedAt, firstAt + gatherMs), "nobody waits longer than is set");
			}
			assert.ok([...bySubmission.values()].flat().every(({ isStored }) => !isStored));
		}),
		{ numRuns: 300 },
	);
});
