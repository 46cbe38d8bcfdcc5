// A breach's clocks run from awareness, by the packs that the messages were judged by.

import assert from "node:assert/strict";
import { test } from "node:test";
import { breachClocks } from "../../policies/breach.ts";
import { openPolicies } from "../../policies/index.ts";
import type { PackFile } from "../../policies/schema.ts";

const policies = openPolicies();
const file = (id: string) => policies.file(id, "1.0.0") as PackFile;
const aware = Date.parse("2026-11-25T10:30:00Z");

test("hours count from the minute, days to the same time of day, and the soonest comes first", () => {
	const clocks = breachClocks([file("hipaa"), file("gdpr"), file("defaults")], aware);
	assert.deepEqual(
		clocks.map(({ rule, toAuthority, toController }) => [rule, toAuthority, toController]),
		[
			["gdpr.breach", "2026-11-28T10:30:00Z", "2026-11-26T10:30:00Z"],
			["hipaa.breach", "2027-01-24T10:30:00Z", "2027-01-24T10:30:00Z"],
		],
	);
	assert.equal(clocks[1]?.keepRecordUntil, "2032-11-25T10:30:00Z");
	assert.ok(clocks.every(({ citations }) => citations.length > 0));
});

test("a law that is not in force yet sets no clock", () => {
	assert.deepEqual(breachClocks([file("in-dpdp")], aware), []);
	const [clock] = breachClocks([file("in-dpdp")], Date.parse("2027-06-01T00:00:00Z"));
	assert.equal(clock?.toAuthority, "2027-06-04T00:00:00Z");
});

test("whether the persons are told where the risk to them is high is the rule's to say, and not what its citations read like", () => {
	const [rule] = file("gdpr").rules.filter(({ breach }) => breach);
	assert.ok(rule);
	const toldBy = (more: object) =>
		breachClocks([{ ...file("gdpr"), rules: [{ ...rule, id: "x.breach", ...more }] }], aware)[0]?.toSubjectsAtHighRisk;
	const toSubjectsAtHighRisk = "without_undue_delay" as const;
	assert.equal(toldBy({ citations: ["LGPD Art. 48"], breach: { toSubjectsAtHighRisk } }), toSubjectsAtHighRisk);
	assert.equal(toldBy({ breach: { toAuthority: "PT72H" } }), undefined);
	for (const id of ["gdpr", "uk"]) {
		for (const version of ["1.0.0", "1.1.0", "1.2.0", "1.3.0"]) {
			const [clock] = breachClocks([policies.file(id, version) as PackFile], aware);
			assert.equal(clock?.toSubjectsAtHighRisk, toSubjectsAtHighRisk, `${id} ${version}`);
		}
	}
});

test("business days end with their last day, holidays and weekends left out", () => {
	const [rule] = file("gdpr").rules.filter(({ breach }) => breach);
	assert.ok(rule);
	const toAuthority = { businessDays: 3, calendar: "DE" };
	const [clock] = breachClocks([{ ...file("gdpr"), rules: [{ ...rule, breach: { toAuthority } }] }], aware);
	assert.equal(clock?.toAuthority, "2026-11-30T23:59:59Z");
});
