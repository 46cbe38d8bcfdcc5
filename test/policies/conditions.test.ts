// What a condition asks of a word.

import assert from "node:assert/strict";
import { test } from "node:test";
import { compileCondition } from "../../policies/conditions.ts";

test("a word mentions a phrase as whole words, and an absent one mentions none", () => {
	const phrases = ["9(2)(h)", "explicit consent"];
	const says = compileCondition({ "context.art9Condition": { mentions: phrases } });
	const cases: [string | undefined, boolean][] = [
		["Art. 9(2)(h) GDPR", true],
		["by explicit-consent", true],
		["39(2)(h)", false],
		["9(2)", false],
		["explicitconsent", false],
		["", false],
		[undefined, false],
	];
	for (const [art9Condition, mentioned] of cases) {
		const facts = { context: art9Condition === undefined ? {} : { art9Condition } };
		assert.equal(says(facts, 0), mentioned, art9Condition);
	}
	assert.equal(says({}, 0), false);
});
