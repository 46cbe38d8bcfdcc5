// Limits against misuse as pure values: nothing goes where nobody allowed it, and each counter says what it refuses.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
	chargeOf,
	countersOf,
	countsCost,
	endsInMs,
	isDestination,
	isExempt,
	refusedBy,
	velocityDefault,
} from "../../domain/abuse.ts";

const country = fc.constantFrom("DE", "FR", "US");
const amounts = fc.record({ segments: fc.nat(100), cost: fc.nat(100) }, { requiredKeys: [] });
const budgets = fc.dictionary(
	fc.constantFrom("DE", "FR", "*"),
	fc.record({ day: amounts, month: amounts }, { requiredKeys: [] }),
);

describe("limits against misuse", () => {
	it("let nothing go to a country that is not named, whatever else is", () =>
		fc.assert(
			fc.property(fc.subarray(["DE", "FR", "US", "*"]), country, (destinations, to) => {
				const allowed = destinations.includes("*") || destinations.includes(to);
				assert.equal(isDestination({ destinations }, to), allowed);
				assert.equal(isDestination({}, to), false);
			}),
		));

	it("count each charge in every counter of its country and of all, and bind those that a budget names", () =>
		fc.assert(
			fc.property(budgets, country, fc.integer({ min: 1, max: 12 }), fc.nat(5), (of, to, segments, price) => {
				const counters = countersOf(chargeOf(Date.UTC(2026, 10, 26), segments, price), to, of);
				assert.equal(new Set(counters.map(({ path }) => path)).size, 8);
				for (const { country: whose, period, unit, limit, adds } of counters) {
					const set = of[whose]?.[period]?.[unit];
					assert.equal(limit, set === undefined ? undefined : set * (unit === "cost" ? 1e6 : 1));
					assert.equal(adds, unit === "cost" ? segments * price * 1e6 : segments);
				}
				const binds = counters.some(({ unit, limit }) => unit === "cost" && limit !== undefined);
				assert.equal(countsCost({ budgets: of }, to), binds);
			}),
		));

	it("never charge less than a price says, nor let more be spent than a budget does, and bend neither by binary fractions", () => {
		const at = Date.UTC(2026, 10, 26);
		const limitOf = (cost: number) =>
			countersOf(chargeOf(at, 1, 0), "DE", { DE: { day: { cost } } }).find(({ limit }) => limit !== undefined)?.limit;
		assert.deepEqual([4.35, 1.1, 0.000001, 0.0000019].map(limitOf), [4_350_000, 1_100_000, 1, 1]);
		const charged = [0.07, 1.1, 4.35, 0.0000001, 0.0550001].map((price) => chargeOf(at, 1, price).costMicros);
		assert.deepEqual(charged, [70_000, 1_100_000, 4_350_000, 1, 55_001]);
		fc.assert(
			fc.property(fc.integer({ min: 0, max: 1_000_000_000 }), (amount) => {
				assert.equal(chargeOf(at, 1, amount / 1e6).costMicros, amount);
				assert.equal(limitOf(amount / 1e6), amount);
			}),
		);
	});

	it("name the counter that has no room, with what it would have seen", () => {
		const charge = chargeOf(Date.UTC(2026, 10, 26), 2, 0.07);
		const counters = countersOf(charge, "DE", { "*": { month: { cost: 1 } } });
		const counter = counters.find(({ limit }) => limit !== undefined);
		assert.ok(counter);
		assert.deepEqual(refusedBy(counter, 900_000, "DE"), {
			check: "budget",
			verdict: "refused",
			reason: "BUDGET_EXHAUSTED",
			country: "DE",
			unit: "cost",
			period: "month",
			everywhere: true,
			limit: 1,
			seen: 1.04,
		});
	});

	it("begin anew with the day and the month of UTC", () => {
		const at = Date.UTC(2026, 11, 31, 23);
		assert.deepEqual([endsInMs("day", at), endsInMs("month", at)], [3600_000, 3600_000]);
		assert.equal(endsInMs("month", Date.UTC(2026, 1, 1)), 28 * 24 * 3600_000);
	});

	it("let an exempt range pass until its time, and no other", () => {
		const limit = { ...velocityDefault, exempt: { "DE:15": 0, FR: 1_000 } };
		const passes = (range: string, now: number) => isExempt(limit, range, now);
		assert.deepEqual([passes("DE:1512", 5_000), passes("DE:1612", 0)], [true, false]);
		assert.deepEqual([passes("FR:6123", 999), passes("FR:6123", 1_000)], [true, false]);
	});
});
