// Wall times are those of the calendar library, at every moment, though it is asked once a quarter of an hour.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Temporal } from "temporal-polyfill";
import { localTime } from "../../policies/localTime.ts";

const zones = [
	...["UTC", "America/New_York", "America/St_Johns", "Asia/Kolkata", "Asia/Kathmandu", "Australia/Lord_Howe"],
	...["Antarctica/Troll", "Pacific/Chatham", "Africa/Casablanca", "Europe/Dublin", "Asia/Gaza"],
];
const shownBy = (at: number, zone: string) =>
	Temporal.Instant.fromEpochMilliseconds(at)
		.toZonedDateTimeISO(zone)
		.toPlainDateTime()
		.toString({ smallestUnit: "second" });

test("the time of any moment in any zone is what its clocks show", () => {
	const at = fc.integer({ min: Date.parse("2026-01-01T00:00:00Z"), max: Date.parse("2036-01-01T00:00:00Z") });
	fc.assert(
		fc.property(at, fc.constantFrom(...zones), (moment, zone) => {
			assert.equal(localTime(moment, zone), shownBy(moment, zone));
		}),
		{ numRuns: 2_000 },
	);
});

test("to the second in which the clocks are set, also where the moment before it was asked for", () => {
	for (const zone of zones) {
		let from = Temporal.ZonedDateTime.from(`2026-06-01T00:00[${zone}]`);
		for (let changes = 0; changes < 6; changes++) {
			const next: Temporal.ZonedDateTime | null = from.getTimeZoneTransition("next");
			if (!next) break;
			for (const ms of [-1, 0, 1, -1]) {
				const moment: number = next.epochMilliseconds + ms;
				assert.equal(localTime(moment, zone), shownBy(moment, zone), `${zone} ${next}`);
			}
			from = next;
		}
	}
});

test("a zone that there is not is refused", () => {
	assert.throws(() => localTime(Date.now(), "Europe/Nowhere"), RangeError);
});
