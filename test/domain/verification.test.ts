// One-time codes as a pure record: however someone asks, guesses and waits, they get only so many guesses.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { bindToOrigin, codeText, codeTextLocales } from "../../domain/codeText.ts";
import { limits } from "../../domain/limits.ts";
import { segmentText } from "../../domain/segments.ts";
import {
	attemptsLeftOf,
	check as checkFor,
	hostPattern,
	issue,
	stateOf,
	tidy,
	type Verification,
} from "../../domain/verification.ts";

let asked = 0;
/** A guess of a request of its own. */
const check = (record: Verification, id: string, isRight: boolean, now: number, request = `req_${++asked}`) =>
	checkFor(record, id, isRight, { now, request });

const place = { _id: "vnr_a", tenantId: "ten_a" };
const codeOf = (id: string, now: number, validForMs: number = limits.verificationValidForMaxMs) => ({
	id,
	mac: { version: 1, mac: `mac of ${id}` },
	digits: 6,
	expiresAt: now + validForMs,
});
function issued(now = 0): Verification {
	const answer = issue(undefined, place, codeOf("ver_1", now), now);
	assert.ok("record" in answer);
	return answer.record;
}

test("a right code serves once, and its hash goes with it", () => {
	const { outcome, record } = check(issued(), "ver_1", true, 1);
	assert.equal(outcome, "approved");
	assert.equal(record?.current.mac, undefined);
	assert.equal(check(record as Verification, "ver_1", true, 2).outcome, "used");
});

test("the request that a code has served may ask again, and no other", () => {
	const { record } = check(issued(), "ver_1", true, 1, "req_of_mine");
	assert.deepEqual(check(record as Verification, "ver_1", true, 2, "req_of_mine"), { outcome: "approved" });
	assert.deepEqual(check(record as Verification, "ver_1", true, 2), { outcome: "used" });
	const wrong = check(issued(), "ver_1", false, 1, "req_of_mine").record as Verification;
	assert.equal(check(wrong, "ver_1", false, 2, "req_of_mine").outcome, "wrong");
});

test("a code is over at its end, right or not, and a newer one replaces it", () => {
	const record = issued();
	const end = limits.verificationValidForMaxMs;
	assert.equal(check(record, "ver_1", true, end - 1).outcome, "approved");
	assert.deepEqual(check(record, "ver_1", true, end), { outcome: "expired" });
	assert.deepEqual(check(record, "ver_1", true, -limits.clockSkewMs - 1), { outcome: "expired" }, "a clock set back");
	const again = issue(record, place, codeOf("ver_2", 60_000), 60_000);
	assert.ok("record" in again);
	assert.deepEqual(check(again.record, "ver_1", true, 60_001), { outcome: "replaced" });
	assert.equal(check(again.record, "ver_2", true, 60_001).outcome, "approved");
});

test("wrong guesses lock a code, and a number's codes of a day together", () => {
	let record = issued();
	let now = 0;
	let guesses = 0;
	for (let code = 1; ; code++) {
		const id = `ver_${code}`;
		while (stateOf(record, id, now) === "pending") {
			const left = attemptsLeftOf(record, id, now);
			record = check(record, id, false, now).record as Verification;
			assert.equal(attemptsLeftOf(record, id, now), left - 1);
			guesses++;
		}
		assert.deepEqual(check(record, id, true, now), { outcome: "locked" }, "though it is right");
		assert.equal(record.current.mac, undefined);
		now += limits.verificationCooldownMaxMs;
		const next = issue(record, place, codeOf(`ver_${code + 1}`, now), now);
		if ("retryAt" in next) {
			assert.equal(guesses, limits.verificationFailuresMax);
			assert.equal(next.retryAt, limits.verificationWindowMs, "a day after the first of them");
			return;
		}
		record = next.record;
	}
});

test("whoever asks for another code before each is locked gets no more guesses by it", () => {
	let record = issued();
	let now = 0;
	let guesses = 0;
	for (let code = 1; guesses < limits.verificationFailuresMax; code++) {
		for (let round = 0; round < limits.verificationAttemptsMax - 1; round++) {
			const { outcome, record: next } = check(record, record.current.id, false, now);
			if (outcome !== "wrong") break;
			guesses++;
			record = next as Verification;
		}
		now += limits.verificationCooldownMaxMs;
		const next = issue(record, place, codeOf(`ver_${code + 1}`, now), now);
		if ("record" in next) record = next.record;
	}
	assert.equal(guesses, limits.verificationFailuresMax);
	assert.equal(check(record, record.current.id, true, now - limits.verificationCooldownMaxMs).outcome, "locked");
});

test("the wait for another code doubles, and an hour and a day each have only so many", () => {
	let record = issued();
	let now = 0;
	for (const wait of [1, 2, 4, 8]) {
		const early = issue(record, place, codeOf("ver_x", now), now + wait * limits.verificationCooldownMs - 1);
		assert.ok("retryAt" in early && early.retryAt === now + wait * limits.verificationCooldownMs);
		now = early.retryAt;
		record = (issue(record, place, codeOf("ver_x", now), now) as { record: Verification }).record;
	}
	const sixth = issue(record, place, codeOf("ver_x", now), now + 16 * limits.verificationCooldownMs);
	assert.ok("retryAt" in sixth && sixth.retryAt === 3600_000);
	let sent = limits.verificationSendsPerHourMax;
	for (let at = now; at < limits.verificationWindowMs; at += limits.verificationCooldownMaxMs) {
		const next = issue(record, place, codeOf("ver_x", at), at);
		if ("retryAt" in next) continue;
		record = next.record;
		sent++;
	}
	assert.equal(sent, limits.verificationSendsPerDayMax);
});

test("whatever is asked, guessed and waited, no day has more wrong guesses than the limit, and no wrong one is approved", () => {
	const step = fc.record({
		wait: fc.oneof(fc.integer({ min: 0, max: 1_000 }), fc.integer({ min: 0, max: 8 * 3600_000 })),
		act: fc.constantFrom("issue", "guess", "guess", "guess", "guess", "right", "old", "tidy"),
	});
	fc.assert(
		fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
			let record: Verification | undefined;
			let now = 0;
			let ids = 0;
			const wrong: number[] = [];
			const sent: number[] = [];
			for (const { wait, act } of steps) {
				now += wait;
				if (act === "issue") {
					const next = issue(record, place, codeOf(`ver_${ids++}`, now), now);
					if ("record" in next) {
						record = next.record;
						sent.push(now);
					}
				} else if (act === "tidy") {
					if (record && record.nextCheckAt <= now) record = tidy(record, now);
				} else if (record) {
					const id = act === "old" ? (record.ids.at(-2) ?? "") : record.current.id;
					const was = stateOf(record, id, now);
					const { outcome, record: next } = check(record, id, act === "right", now);
					assert.equal(outcome === "approved", act === "right" && was === "pending");
					if (outcome === "approved") wrong.length = 0;
					if (outcome === "wrong") wrong.push(now);
					if (was !== "pending") assert.equal(next, undefined, "what can't be right is not even counted");
					record = next ?? record;
				}
				const day = (times: number[]) => times.filter((at) => at > now - limits.verificationWindowMs).length;
				assert.ok(day(wrong) <= limits.verificationFailuresMax);
				assert.ok(day(sent) <= limits.verificationSendsPerDayMax);
			}
		}),
		{ numRuns: 300 },
	);
});

test("at its end a code's hash goes, and a day later all of the number", () => {
	const record = issued();
	const expired = tidy(record, record.nextCheckAt) as Verification;
	assert.equal(expired.current.mac, undefined);
	assert.equal(expired.nextCheckAt, limits.verificationWindowMs);
	assert.equal(tidy(expired, expired.nextCheckAt), undefined);
});

test("each built-in text is one SMS, and its last line is the origin's", () => {
	for (const locale of codeTextLocales) {
		const text = bindToOrigin(codeText(locale, "123456", "Example Bank"), "login.example.com", "123456");
		assert.ok(text.endsWith("\n@login.example.com #123456"));
		assert.ok(text.startsWith("123456 "));
		assert.deepEqual([segmentText(text).segments, locale], [1, locale]);
	}
	for (const host of ["Example.com", "example.com:80", "a b.com", "-a.com", "a..com", "localhost", "x".repeat(70)]) {
		assert.doesNotMatch(host, hostPattern);
	}
});
