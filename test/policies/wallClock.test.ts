// Wall times are those of the calendar library, at every moment, though that is asked once for all that lies between two changes.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Temporal } from "temporal-polyfill";
import { wallClock } from "../../policies/windows.ts";

const zones = [
	...["UTC", "America/New_York", "America/St_Johns", "Asia/Kolkata", "Asia/Kathmandu", "Australia/Lord_Howe"],
	...["Antarctica/Troll", "Pacific/Chatham", "Africa/Casablanca", "Europe/Dublin", "Asia/Gaza"],
];
const shownBy = (at: number, zone: string) => {
	const local = Temporal.Instant.fromEpochMilliseconds(at).toZonedDateTimeISO(zone).toPlainDateTime();
	return local.toZonedDateTime("UTC").epochMilliseconds;
};

test("the time of any moment in any zone is what its clocks show", () => {
	const at = fc.integer({ min: Date.parse("2026-01-01T00:00:00Z"), max: Date.parse("2036-01-01T00:00:00Z") });
	fc.assert(
		fc.property(at, fc.constantFrom(...zones), (moment, zone) => {
			assert.equal(wallClock(zone, moment), shownBy(moment, zone));
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
				assert.equal(wallClock(zone, moment), shownBy(moment, zone), `${zone} ${next}`);
			}
			from = next;
		}
	}
});

test("also where the clocks were set at an odd minute", () => {
	for (const time of ["2022-10-01T16:00:30Z", "2022-10-01T16:01:30Z"]) {
		const at = Date.parse(time);
		assert.equal(wallClock("Antarctica/Casey", at), shownBy(at, "Antarctica/Casey"), time);
	}
});

test("a zone that there is not is refused", () => {
	assert.throws(() => wallClock("Europe/Nowhere", Date.now()), RangeError);
});
