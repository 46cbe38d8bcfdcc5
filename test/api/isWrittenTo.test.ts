// A STOP that is taken for another sender's is lost: which senders are one.

import assert from "node:assert/strict";
import { test } from "node:test";
import { isWrittenTo } from "../../api/isWrittenTo.ts";

test("a sender is known with and without its plus, by the service that it is one of, and otherwise not", () => {
	assert.ok(isWrittenTo("Lethe", { to: "Lethe" }));
	assert.ok(isWrittenTo("+12025550100", { to: "12025550100" }));
	assert.ok(isWrittenTo("12025550100", { to: "+12025550100" }));
	assert.ok(isWrittenTo("MG1", { to: "+12025550100", service: "MG1" }));
	assert.ok(!isWrittenTo("MG1", { to: "+12025550100", service: "MG2" }));
	assert.ok(!isWrittenTo("MG1", { to: "+12025550100" }));
	assert.ok(!isWrittenTo("+12025550100", { to: "+12025550101", service: "MG1" }));
	assert.ok(!isWrittenTo("Lethe", { to: "lethe" }));
	assert.ok(isWrittenTo("+12025550100", {}), "it was brought to the queue's own address");
	assert.ok(!isWrittenTo("+12025550100", { service: "MG1" }));
});
