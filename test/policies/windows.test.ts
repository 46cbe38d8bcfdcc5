// Open hours against the runtime's own clock, above all where the clock changes.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isHoliday } from "../../policies/holidays.ts";
import { closedBecause, firstOpen, type Gate, type OpenHours } from "../../policies/windows.ts";

const minute = 60_000;
const week = 7 * 24 * 60 * minute;

test("it opens at the first moment of the first minute and is closed at the last", () => {
	const gate = { zone: "Europe/Berlin", hours: daily(8 * 60, 20 * 60) };
	const at = (time: string) => firstOpen([gate], Date.parse(time), Date.parse(time) + week);
	assert.equal(at("2026-11-25T07:00:00Z"), Date.parse("2026-11-25T07:00:00Z"));
	assert.equal(at("2026-11-25T06:59:59.999Z"), Date.parse("2026-11-25T07:00:00Z"));
	assert.equal(at("2026-11-25T18:59:59.999Z"), Date.parse("2026-11-25T18:59:59.999Z"));
	assert.equal(at("2026-11-25T19:00:00Z"), Date.parse("2026-11-26T07:00:00Z"));
});

test("hours that begin in a skipped hour begin when the clock has jumped", () => {
	// Berlin skips 02:00 to 03:00 on 29 March 2026, Cairo the hour after midnight on 24 April.
	const berlin = { zone: "Europe/Berlin", hours: daily(2 * 60 + 30, 6 * 60) };
	const from = Date.parse("2026-03-28T23:00:00Z");
	assert.equal(firstOpen([berlin], from, from + week), Date.parse("2026-03-29T01:00:00Z"));
	const cairo = { zone: "Africa/Cairo", hours: daily(0, 24 * 60, [5]) };
	const thursday = Date.parse("2026-04-23T12:00:00Z");
	assert.equal(firstOpen([cairo], thursday, thursday + week), Date.parse("2026-04-23T22:00:00Z"));
});

test("an hour that comes twice is open both times", () => {
	// New York repeats 01:00 to 02:00 on 1 November 2026.
	const gate = { zone: "America/New_York", hours: daily(60, 90) };
	const at = (time: string) => firstOpen([gate], Date.parse(time), Date.parse(time) + week);
	assert.equal(at("2026-11-01T05:00:00Z"), Date.parse("2026-11-01T05:00:00Z"));
	assert.equal(at("2026-11-01T05:30:00Z"), Date.parse("2026-11-01T06:00:00Z"));
	assert.equal(at("2026-11-01T06:29:59Z"), Date.parse("2026-11-01T06:29:59Z"));
	assert.equal(at("2026-11-01T06:30:00Z"), Date.parse("2026-11-02T06:00:00Z"));
});

test("what it answers is open by the runtime's clock, and nothing before it was", () => {
	const zones = ["Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "America/Santiago"];
	// Around changes of the clock, or anywhere in the year.
	const moments = fc.oneof(
		fc.constantFrom("2026-03-08", "2026-03-29", "2026-04-05", "2026-09-06", "2026-10-25", "2026-11-01").map(Date.parse),
		fc.integer({ min: Date.UTC(2026, 0, 1), max: Date.UTC(2026, 11, 20) }),
	);
	const spans = fc
		.tuple(fc.nat(95), fc.integer({ min: 1, max: 96 }))
		.filter(([start, end]) => start < end)
		.map(([start, end]) => daily(start * 15, end * 15, [0, 1, 3, 5, 6]));
	const gates = fc.array(fc.record({ zone: fc.constantFrom(...zones), hours: spans }), { minLength: 1, maxLength: 3 });
	fc.assert(
		fc.property(gates, moments, fc.nat(24 * 60), (some, day, offset) => {
			const at = Math.floor((day + offset * minute) / minute) * minute;
			const until = at + 3 * 24 * 60 * minute;
			const open = firstOpen(some, at, until);
			const isOpen = (time: number) => some.every((gate) => isOpenByTheRuntime(gate, time));
			if (open !== undefined) assert.ok(isOpen(open), new Date(open).toISOString());
			for (let time = at; time < (open ?? until); time += 15 * minute) {
				assert.ok(!isOpen(time), new Date(time).toISOString());
			}
			for (const gate of some) assert.equal(closedBecause(gate, at) === undefined, isOpenByTheRuntime(gate, at));
		}),
		{ numRuns: 100 },
	);
});

test("a closed day says that it is the day, a closed hour that it is the hour", () => {
	const gate = { zone: "Europe/Paris", hours: { ...daily(480, 1200, [1, 2, 3, 4, 5, 6]), closedOn: "FR" } };
	assert.equal(closedBecause(gate, Date.parse("2026-11-29T11:00:00Z")), "QUIET_DAY");
	assert.equal(closedBecause(gate, Date.parse("2026-07-14T11:00:00Z")), "QUIET_DAY");
	assert.equal(closedBecause(gate, Date.parse("2026-07-13T20:00:00Z")), "QUIET_HOURS");
	assert.equal(closedBecause(gate, Date.parse("2026-07-13T11:00:00Z")), undefined);
});

test("holidays are those of the country, with the days on which they are made up for", () => {
	const day = (date: string) => Date.parse(date) / (24 * 60 * minute);
	for (const date of ["2026-11-26", "2026-07-03", "2027-07-05", "2026-06-19", "2026-01-19"]) {
		assert.ok(isHoliday("US", day(date)), date);
	}
	assert.ok(!isHoliday("US", day("2026-11-27")) && !isHoliday("US", day("2026-07-14")));
	assert.ok(isHoliday("FR", day("2026-07-14")) && isHoliday("FR", day("2026-05-25")));
});

function daily(start: number, end: number, days = [0, 1, 2, 3, 4, 5, 6]): OpenHours {
	return { byWeekday: [0, 1, 2, 3, 4, 5, 6].map((day) => (days.includes(day) ? [{ start, end }] : [])) };
}

const formats = new Map<string, Intl.DateTimeFormat>();

function isOpenByTheRuntime({ zone, hours }: Gate, at: number): boolean {
	const fields = { hour: "numeric", minute: "numeric", weekday: "short", hourCycle: "h23" } as const;
	const format = formats.get(zone) ?? new Intl.DateTimeFormat("en-US", { timeZone: zone, ...fields });
	formats.set(zone, format);
	const parts = Object.fromEntries(format.formatToParts(at).map(({ type, value }) => [type, value]));
	const minutes = Number(parts.hour) * 60 + Number(parts.minute);
	const weekday = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"].indexOf(String(parts.weekday));
	return (hours.byWeekday[weekday] ?? []).some(({ start, end }) => minutes >= start && minutes < end);
}
