// From intervals to dates: what the packs ask for can be kept, whatever laws meet.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Temporal } from "temporal-polyfill";
import type { Facts } from "../../domain/decision.ts";
import { limits } from "../../domain/limits.ts";
import { addDuration, bucketEnd, planRetention } from "../../policies/cohorts.ts";
import { readPacks } from "../../policies/load.ts";
import { indexPacks } from "../../policies/packSet.ts";
import { retentionPlan } from "../../policies/retention.ts";

const packs = indexPacks(readPacks());
const day = 24 * 3600_000;

function planFor(facts: Facts, at: string, needs: Parameters<typeof planRetention>[1] = {}, openMs = 3600_000) {
	const acceptedAt = Date.parse(at);
	const times = { acceptedAt, closeAt: acceptedAt + openMs };
	const plan = planRetention(retentionPlan(packs, { ...facts, context: { evaluatedAt: at } }), needs, times);
	const days = (object: "content" | "address" | "receipt" | "decision_record") =>
		plan && (plan[object].eraseBy - acceptedAt) / day;
	return { plan, days };
}

test("a record is kept for a year where no law says more, and as long as a tenant says within the maximum", () => {
	const facts = { recipientCountry: "DE", category: "transactional" };
	const { plan, days } = planFor(facts, "2026-11-25T12:00:00Z");
	assert.ok(plan?.content.atFinal && !plan.decision_record.atFinal);
	assert.ok((days("decision_record") ?? 0) >= 365 && (days("decision_record") ?? 0) < 367);
	assert.equal(planFor(facts, "2026-11-25T12:00:00Z", { decision_record: "PT0S" }).plan?.decision_record.atFinal, true);
	const longest = planFor(facts, "2026-11-25T12:00:00Z", { decision_record: "P9Y" });
	assert.ok((longest.days("decision_record") ?? 0) <= 6 * 366);
});

test("a duration is added as the calendar does, at any moment of any day, whatever was added on that day before", () => {
	const at = fc.integer({ min: Date.parse("1970-01-01T00:00:00Z"), max: Date.parse("2100-01-01T00:00:00Z") });
	const durations = ["P1M", "P6Y", "P13M", "P1Y2M10DT3H4M5S", "P2W", "PT90M", "P0D"];
	fc.assert(
		fc.property(at, fc.constantFrom(...durations), (moment, duration) => {
			const start = Temporal.Instant.fromEpochMilliseconds(moment).toZonedDateTimeISO("UTC");
			const end = start.add(Temporal.Duration.from(duration)).epochMilliseconds;
			assert.equal(addDuration(moment, duration), end);
			const earlier = start.startOfDay().epochMilliseconds;
			assert.equal(addDuration(earlier, duration), end - (moment - earlier));
		}),
	);
	assert.equal(addDuration(Date.parse("2028-01-31T12:00:00Z"), "P1M"), Date.parse("2028-02-29T12:00:00Z"));
});

test("six years at least and at most is a date, not a refusal", () => {
	const facts = { recipientCountry: "US", senderEstablishment: "DE", dataClasses: ["phi"], category: "health" };
	const { plan } = planFor(facts, "2026-11-25T12:00:00Z");
	assert.equal(plan?.decision_record.eraseBy, Date.parse("2032-11-25T13:00:00Z") + limits.clockSkewMs);
});

test("a minimum that a law sets is counted from the message's close: by then it was processed, and its record written", () => {
	const openMs = limits.deadlineMsMax + limits.receiptGraceMs;
	const at = "2027-06-25T12:00:00Z";
	const closeAt = Date.parse(at) + openMs;
	const india = planFor({ recipientCountry: "IN", category: "transactional" }, at, {}, openMs).plan;
	for (const object of ["content", "address", "receipt", "decision_record"] as const) {
		assert.ok((india?.[object].eraseBy ?? 0) >= addDuration(closeAt, "P1Y"), object);
	}
	assert.ok((india?.content.eraseBy ?? Infinity) <= addDuration(Date.parse(at), "P13M"), "and never after its maximum");
	const us = { recipientCountry: "US", senderEstablishment: "DE", dataClasses: ["phi"], category: "health" };
	const record = planFor(us, at, {}, openMs).plan?.decision_record;
	assert.ok((record?.eraseBy ?? 0) >= addDuration(closeAt, "P6Y"));
	assert.ok((record?.dueAt ?? 0) >= addDuration(closeAt, "P6Y"));
});

test("content of which a law leaves too little room for its validity is refused, not kept too short or too long", () => {
	const times = { acceptedAt: Date.parse("2026-11-25T12:00:00Z"), closeAt: Date.parse("2026-11-29T12:00:00Z") };
	const base = retentionPlan(packs, { context: { evaluatedAt: "2026-11-25T12:00:00Z" } });
	const plan = (max: string) => planRetention({ ...base, content: { ...base.content, min: "P30D", max } }, {}, times);
	assert.equal(plan("P33D"), undefined);
	assert.ok((plan("P36D")?.content.eraseBy ?? 0) >= times.closeAt + 30 * day);
});

test("where a law keeps content for a year there is a bucket for its key", () => {
	for (const category of ["otp", "transactional"]) {
		const { plan, days } = planFor({ recipientCountry: "IN", category }, "2027-06-25T12:00:00Z");
		assert.ok(plan && !plan.content.atFinal);
		for (const object of ["content", "address", "receipt"] as const) {
			assert.ok((days(object) ?? 0) >= 365 && (days(object) ?? 0) <= 398, object);
		}
	}
});

test("a bucket lies within its bounds, in the widest size that has one", () => {
	const noon = Date.parse("2026-11-25T12:00:00Z");
	assert.equal(bucketEnd(noon, noon + 2 * day), Date.parse("2026-11-26T00:00:00Z"));
	assert.equal(bucketEnd(noon + 1, noon + 600_000), noon + 600_000);
	assert.equal(bucketEnd(noon + 1, noon + 2), undefined);
	assert.equal(addDuration(Date.parse("2024-02-29T00:00:00Z"), "P1Y"), Date.parse("2025-02-28T00:00:00Z"));
});
