// What a condition asks of a word, and of a country.

import assert from "node:assert/strict";
import { test } from "node:test";
import { compileCondition } from "../../policies/conditions.ts";
import { parseFacts } from "../../policies/facts.ts";
import { samplePack, samplePackSet, sampleRule } from "./samples.ts";

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

test("a country that a pack calls by another code than ISO 3166-1 does is the one that facts are read as", () => {
	const { senderEstablishment } = parseFacts({ senderEstablishment: "UK", context: {} });
	for (const names of [["UK"], ["GB"], ["EL", "UK"]]) {
		assert.equal(compileCondition({ senderEstablishment: { country: names } })({ senderEstablishment }, 0), true);
		assert.equal(compileCondition({ senderEstablishment: { notCountry: names } })({ senderEstablishment }, 0), false);
	}
	const opened = samplePackSet(
		samplePack("open", [sampleRule("open.note", { deny: ["CONSENT_MISSING"], when: { category: "marketing" } })], {
			destinations: ["UK"],
		}),
	);
	assert.deepEqual([...(opened.at(Date.now()).find(({ ref }) => ref.id === "open")?.destinations ?? [])], ["GB"]);
});
