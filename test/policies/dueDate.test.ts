// Legal clocks: months that are shorter, and days on which offices are closed.

import assert from "node:assert/strict";
import { test } from "node:test";
import { dueDate } from "../../policies/dueDate.ts";

test("a month ends on the same day of the next, or on its last", () => {
	assert.equal(dueDate("2027-01-31", "P1M"), "2027-02-28");
	assert.equal(dueDate("2028-01-31", "P1M"), "2028-02-29");
	assert.equal(dueDate("2026-11-30", "P1M"), "2026-12-30");
	assert.equal(dueDate("2027-03-01", "P45D"), "2027-04-15");
});

test("business days leave out weekends and the holidays of the calendar named", () => {
	assert.equal(dueDate("2027-03-01", { businessDays: 10, calendar: "US" }), "2027-03-15");
	assert.equal(dueDate("2026-11-25", { businessDays: 10, calendar: "US" }), "2026-12-10");
	assert.equal(dueDate("2026-11-25", { businessDays: 10 }), "2026-12-09");
	assert.equal(dueDate("2026-11-27", { businessDays: 1 }), "2026-11-30");
	assert.equal(dueDate("2026-11-28", { businessDays: 1 }), "2026-11-30");
	// 4 July 2026 is a Saturday; offices close on Friday.
	assert.equal(dueDate("2026-07-02", { businessDays: 1, calendar: "US" }), "2026-07-06");
	assert.equal(dueDate("2026-12-24", { businessDays: 5, calendar: "US" }), "2027-01-04");
});
