// What counts towards a frequency limit, and for which messages anybody asks.

import assert from "node:assert/strict";
import { test } from "node:test";
import { countSends, isCapped } from "../../policies/frequency.ts";
import { loadPacks } from "../../policies/load.ts";

const hourMs = 3600_000;
const now = Date.parse("2026-11-25T17:00:00Z");
const facts = { recipientCountry: "US", timezone: "America/New_York" };

test("the day is the local one, the week and the 24 hours reach to either side", () => {
	const sends = [-16, -11, -24, -23, 30, 23, 24, -7 * 24, -7 * 24 + 1].map((hours) => now + hours * hourMs);
	assert.deepEqual(countSends(sends, facts, now, true), { sentToday: 1, sentThisWeek: 8, sameSubjectLast24h: 4 });
	assert.deepEqual(countSends([], facts, now, true), { sentToday: 0, sentThisWeek: 0, sameSubjectLast24h: 0 });
	assert.equal(countSends([], facts, now, false).sendsUncounted, true);
});

test("only messages that a rule limits are counted at all", () => {
	const packs = loadPacks();
	const ask = (more: object) =>
		isCapped(packs, { ...facts, context: { evaluatedAt: "2026-11-25T17:00:00Z" }, ...more });
	assert.equal(ask({ category: "transactional", recipientRegion: "US-DC" }), false);
	assert.equal(ask({ category: "marketing", recipientRegion: "US-FL" }), true);
	assert.equal(ask({ category: "marketing" }), true);
	assert.equal(ask({ recipientCountry: "DE", timezone: "Europe/Berlin", category: "transactional" }), false);
});
