// The house rules: each is seen to break on its own samples, then holds over this tree.

import assert from "node:assert/strict";
import { test } from "node:test";
import { applyRule, rules } from "./rules.ts";
import { parseSource } from "./source.ts";
import { treeSources } from "./tree.ts";

for (const rule of rules) {
	test(`${rule.guarantee}: the rule can fail`, () => {
		const found = (text: string) => applyRule(rule, parseSource("domain/sample.ts", text)).length > 0;
		assert.deepEqual(
			rule.breaks.filter((text) => !found(text)),
			[],
			"these should break it",
		);
		assert.deepEqual(rule.keeps.filter(found), [], "these should keep it");
	});

	test(`${rule.guarantee}: over this tree`, () => {
		assert.deepEqual(
			treeSources.flatMap((source) => applyRule(rule, source)),
			[],
		);
	});
}
