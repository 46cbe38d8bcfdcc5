// A decision at a terminal reads as a person says it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { describeDecision } from "../../../cli/policy/describeDecision.ts";

const decision = { allowed: false, reasons: [], citations: [], packs: [], rules: [] };

test("content that is refused at the door is not kept, any other for so long at most", () => {
	const told = (contentRetentionMax: string) => describeDecision({ ...decision, contentRetentionMax })[1];
	assert.deepEqual([told("PT0S"), told("P30D")], ["  content not kept", "  content kept at most 30 days"]);
});
