// Dates of what is kept: never after the maximum, as long as the tenant needs it, and the same again when nothing changed.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { limits } from "../../domain/limits.ts";
import { addDuration, planRetention, replanRetention } from "../../policies/cohorts.ts";
import { readPacks } from "../../policies/load.ts";
import { indexPacks } from "../../policies/packSet.ts";
import { retentionPlan } from "../../policies/retention.ts";

const day = 24 * 3600_000;
const base = retentionPlan(indexPacks(readPacks()), { context: { evaluatedAt: "2026-11-25T12:00:00Z" } });
const bounded = (max: string) => ({ ...base, content: { ...base.content, min: "PT0S", max } });

test("a need that reaches the maximum is met but for a seventh at most, and the maximum never passed", () => {
	const days = fc.integer({ min: 1, max: 60 });
	fc.assert(
		fc.property(fc.integer({ min: 1.7e12, max: 1.9e12 }), days, days, (acceptedAt, maxDays, needDays) => {
			const plan = bounded(`P${maxDays}D`);
			const times = { acceptedAt, closeAt: acceptedAt + 3600_000 };
			const kept = planRetention(plan, { content: `P${needDays}D` }, times)?.content;
			const latest = acceptedAt + maxDays * day;
			const wanted = Math.min(latest, acceptedAt + needDays * day);
			assert.ok(kept && kept.eraseBy <= latest);
			assert.ok(kept.eraseBy >= Math.min(wanted, latest - (maxDays * day) / 7), `${(wanted - kept.eraseBy) / day}`);
		}),
	);
});

test("planned anew under the same policies, nothing moves", () => {
	fc.assert(
		fc.property(
			fc.integer({ min: 1.7e12, max: 1.9e12 }),
			fc.constantFrom({}, { content: "P3D" }),
			(acceptedAt, needs) => {
				const times = { acceptedAt, closeAt: acceptedAt + 3600_000 };
				const before = planRetention(base, needs, times);
				const after = replanRetention(base, needs, times);
				for (const object of ["content", "address", "receipt", "decision_record"] as const) {
					const { bucketed, ...dates } = after[object];
					assert.deepEqual(dates, before?.[object]);
					assert.ok(bucketed);
				}
			},
		),
	);
});

test("what may not live until the message's close has no bucket, and goes at its maximum", () => {
	const times = { acceptedAt: Date.parse("2026-11-25T12:00:00Z"), closeAt: Date.parse("2026-11-27T12:00:00Z") };
	const plan = bounded("PT1H");
	assert.equal(planRetention(plan, {}, times), undefined);
	const { content } = replanRetention(plan, {}, times);
	assert.deepEqual([content.bucketed, content.eraseBy], [false, addDuration(times.acceptedAt, "PT1H")]);
	assert.ok(content.eraseBy < times.closeAt + limits.clockSkewMs);
});
