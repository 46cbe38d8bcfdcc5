// Words of a vocabulary that has no fixed list: the same by their letters, however they are joined.

import assert from "node:assert/strict";
import { test } from "node:test";
import { evaluate } from "../../policies/evaluate.ts";
import { parseFacts } from "../../policies/facts.ts";
import { mentions, setApart, spellings, toWord } from "../../policies/words.ts";
import { samplePack, samplePackSet, sampleRule } from "./samples.ts";

test("a word is its letters and digits", () => {
	assert.equal(toWord("9(2)(h)"), toWord("9_2_H"));
	assert.equal(toWord(" Legitimate-interests "), "legitimate_interests");
});

test("parts in camel case are set apart once, and abbreviations are left whole", () => {
	assert.equal(setApart("legitimateInterests"), "legitimate_Interests");
	assert.equal(setApart("healthCareExemption"), "health_Care_Exemption");
	for (const word of ["SCCs", "HIPAA", "9(2)(h)", "legitimate_interests", "legitimate_Interests", "10DLC"]) {
		assert.equal(setApart(word), word);
	}
});

test("what was set apart is also what it was before, and nothing else is", () => {
	assert.deepEqual(spellings("voice_Mail"), ["voice_mail", "voicemail"]);
	assert.deepEqual(spellings("voice_mail"), ["voice_mail"]);
	assert.ok(mentions("left_voice_Mail", ["voicemail"]));
	assert.ok(mentions("left_voice_Mail", ["voice_mail"]));
	assert.ok(mentions("oral_Consent", ["oral"]));
	assert.ok(!mentions("moral_Consent", ["oral"]));
});

test("a rule takes a word in camel case for the one in its list, whichever way that is written", () => {
	const list = ["legitimate_interests", "voicemail"];
	const rule = (name: string, when: object) => sampleRule(`words.${name}`, { when, deny: ["OPTED_OUT"] });
	const decide = (when: object, lawfulBasis: string) => {
		const set = samplePackSet(samplePack("words", [rule("one", when)], { destinations: ["DE"] }));
		const context = { lawfulBasis, evaluatedAt: "2026-11-25T12:00:00Z" };
		return evaluate(set, parseFacts({ recipientCountry: "DE", context })).allowed;
	};
	for (const word of ["legitimateInterests", "legitimate_interests", "voiceMail", "voicemail"]) {
		assert.equal(decide({ "context.lawfulBasis": list }, word), false, word);
		assert.equal(decide({ "context.lawfulBasis": { not: list } }, word), true, word);
		assert.equal(decide({ "context.lawfulBasis": { mentions: list } }, word), false, word);
	}
	assert.equal(decide({ "context.lawfulBasis": ["voiceMail"] }, "voiceMail"), false);
	for (const word of ["voice_mail", "legitimateinterests"]) {
		assert.equal(decide({ "context.lawfulBasis": list }, word), true, word);
	}
});

test("what a decision on record was made by is judged by the words as they stood then", () => {
	const rule = sampleRule("words.one", { when: { "context.lawfulBasis": ["vital_interests"] }, deny: ["OPTED_OUT"] });
	const set = samplePackSet(samplePack("words", [rule], { destinations: ["DE"] }));
	const context = { lawfulBasis: "vitalInterests", evaluatedAt: "2026-11-25T12:00:00Z" };
	assert.equal(evaluate(set, { recipientCountry: "DE", context }).allowed, true);
	assert.equal(evaluate(set, parseFacts({ recipientCountry: "DE", context })).allowed, false);
});
