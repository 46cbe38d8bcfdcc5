// What a reason code means is said in words that fit wherever a pack gives it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { readPacks } from "../../policies/load.ts";
import { reasonMeanings } from "../../policies/reasons.ts";

test("nobody who asks for a correction, a restriction or an objection is told of erasing alone", () => {
	const rights = readPacks().flatMap(({ file }) => file.rules.flatMap(({ right }) => right ?? []));
	const others = rights.filter(({ to }) => to !== "erasure");
	assert.ok(others.some(({ reasons }) => reasons.includes("NOTIFY_SERVICE_PROVIDERS")));
	for (const { to, reasons } of others) {
		for (const code of reasons) {
			const means = reasonMeanings[code];
			assert.ok(!/\beras/.test(means) || means.includes(to.slice(0, "correct".length)), `${to}: ${code}: ${means}`);
		}
	}
});

test("the reach of an opt-out is told of the text that opts out as of a message after it", () => {
	assert.doesNotMatch(reasonMeanings.OPT_OUT_SCOPE_PROGRAM, /this message/);
});
