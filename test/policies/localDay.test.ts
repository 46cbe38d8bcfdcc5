// The day at the recipient: its own zone's where that is known, else every day it may be.

import assert from "node:assert/strict";
import { test } from "node:test";
import { localDay } from "../../policies/localDay.ts";

const show = ({ start, end }: { start: number; end: number }) => [start, end].map((at) => new Date(at).toISOString());
const at = (text: string) => Date.parse(text);

test("a day is the recipient's, not UTC's", () => {
	const facts = { recipientCountry: "US", timezone: "America/New_York" };
	assert.deepEqual(show(localDay(facts, at("2026-11-26T02:00:00Z"))), [
		"2026-11-25T05:00:00.000Z",
		"2026-11-26T05:00:00.000Z",
	]);
});

test("the days on which the clock changes are 23 and 25 hours long", () => {
	const hours = (text: string) => {
		const { start, end } = localDay({ timezone: "Europe/Berlin" }, at(text));
		return (end - start) / 3600_000;
	};
	assert.deepEqual(["2026-03-29T12:00:00Z", "2026-10-25T12:00:00Z", "2026-11-25T12:00:00Z"].map(hours), [23, 25, 24]);
});

test("without a zone it reaches over the days of all that may be", () => {
	const region = localDay({ recipientCountry: "US", recipientRegion: "US-TX" }, at("2026-11-25T17:00:00Z"));
	assert.deepEqual(show(region), ["2026-11-25T06:00:00.000Z", "2026-11-26T07:00:00.000Z"]);
	const anywhere = localDay({ recipientCountry: "KP" }, at("2026-11-25T12:00:00Z"));
	assert.ok(anywhere.end - anywhere.start > 26 * 3600_000);
});
