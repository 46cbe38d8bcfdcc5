// From intervals to dates: what the packs ask for can be kept, whatever laws meet.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Facts } from "../../domain/decision.ts";
import { addDuration, bucketEnd, planRetention } from "../../policies/cohorts.ts";
import { readPacks } from "../../policies/load.ts";
import { indexPacks } from "../../policies/packSet.ts";
import { retentionPlan } from "../../policies/retention.ts";

const packs = indexPacks(readPacks());
const day = 24 * 3600_000;

function planFor(facts: Facts, at: string, needs: Parameters<typeof planRetention>[1] = {}) {
	const acceptedAt = Date.parse(at);
	const times = { acceptedAt, closeAt: acceptedAt + 3600_000 };
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

test("six years at least and at most is a date, not a refusal", () => {
	const facts = { recipientCountry: "US", senderEstablishment: "DE", dataClasses: ["phi"], category: "health" };
	const { plan } = planFor(facts, "2026-11-25T12:00:00Z");
	assert.equal(plan?.decision_record.eraseBy, Date.parse("2032-11-25T12:00:00Z"));
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
