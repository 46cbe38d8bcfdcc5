// What `lethe verify` says of an evidence export: a log as it should be is not called one that somebody has put entries into.

import assert from "node:assert/strict";
import { test } from "node:test";
import { describeEvidence } from "../../../cli/verify/evidence.ts";

const whole = {
	valid: true,
	origin: "lethe.example/evidence",
	size: 9,
	start: 0,
	end: 9,
	shown: 9,
	hidden: 0,
} as const;
const told = (ms: number) => describeEvidence({ ...whole, stepBack: { ms, line: 4 } });

test("a step back that waiting for the sweep explains is the usual; a longer one may be an entry put in later", () => {
	assert.match(told(17_045), /line 4 says 17\.045 s .*within the usual/);
	assert.doesNotMatch(told(29_999), /put in later/);
	assert.match(told(30_000), /line 4 says 30 s .*put in later$/);
});
