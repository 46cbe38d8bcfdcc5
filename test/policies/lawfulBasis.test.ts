// What rests on consent or a contract: whatever the newest packs know as such, and nothing that they know as another basis.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { restsOnConsent, restsOnContract } from "../../policies/lawfulBasis.ts";
import { readFiles } from "../../policies/load.ts";

type Test = { not?: string[]; mentions?: string[] };

/** Every test on a fact in a condition, in the order of the file. */
function testsOn(fact: string, condition: unknown): Test[] {
	if (Array.isArray(condition)) return condition.flatMap((part) => testsOn(fact, part));
	if (typeof condition !== "object" || condition === null) return [];
	return Object.entries(condition).flatMap(([key, value]) => (key === fact ? [value] : testsOn(fact, value)));
}

function newest(id: string) {
	const [pack] = readFiles()
		.filter(({ file }) => file.id === id)
		.sort((a, b) => Date.parse(b.file.effectiveFrom) - Date.parse(a.file.effectiveFrom));
	return (rule: string) => pack?.file.rules.find((one) => one.id === `${id}.${rule}`)?.when;
}

for (const id of ["gdpr", "uk"]) {
	describe(`by the pack ${id}`, () => {
		const rule = newest(id);
		const bases = testsOn("context.lawfulBasis", rule("lawful-basis")).map(({ not = [] }) => not);
		const conditions = testsOn("context.art9Condition", rule("special-categories")).map(({ not = [] }) => not);
		const [consent = [], contract = [], ...others] = bases;
		const [explicit = [], ...otherwise] = conditions;

		it("every spelling of a basis is that basis and no other", () => {
			assert.ok(consent.includes("consent") && contract.includes("contract") && others.flat().length > 40);
			for (const lawfulBasis of consent) {
				assert.deepEqual(
					[restsOnConsent({ lawfulBasis }), restsOnContract({ lawfulBasis })],
					[true, false],
					lawfulBasis,
				);
			}
			for (const lawfulBasis of contract) {
				assert.deepEqual(
					[restsOnConsent({ lawfulBasis }), restsOnContract({ lawfulBasis })],
					[false, true],
					lawfulBasis,
				);
			}
			for (const lawfulBasis of others.flat()) {
				assert.deepEqual(
					[restsOnConsent({ lawfulBasis }), restsOnContract({ lawfulBasis })],
					[false, false],
					lawfulBasis,
				);
			}
		});

		it("explicit consent is consent, and no other condition is", () => {
			assert.ok(explicit.includes("explicit_consent") && otherwise.flat().length > 80);
			for (const art9Condition of explicit) assert.ok(restsOnConsent({ art9Condition }), art9Condition);
			for (const art9Condition of otherwise.flat()) assert.ok(!restsOnConsent({ art9Condition }), art9Condition);
		});

		it("what a rule on consent finds in a longer word is found", () => {
			const inBasis = testsOn("context.lawfulBasis", rule("basis-consent")).flatMap(({ mentions = [] }) => mentions);
			const inCondition = testsOn("context.art9Condition", rule("special-categories-consent"));
			assert.ok(inBasis.length > 5);
			for (const phrase of inBasis) assert.ok(restsOnConsent({ lawfulBasis: `by ${phrase} of 2026` }), phrase);
			for (const phrase of inCondition.flatMap(({ mentions = [] }) => mentions)) {
				assert.ok(restsOnConsent({ art9Condition: `by ${phrase} of 2026` }), phrase);
			}
		});
	});
}

describe("a basis", () => {
	it("is known in any case and join, and as it was before its parts were set apart", () => {
		for (const lawfulBasis of ["Article 6(1)(a)", "Art. 6(1)a GDPR", "CONSENT", "explicit_Consent"]) {
			assert.ok(restsOnConsent({ lawfulBasis }), lawfulBasis);
		}
		for (const lawfulBasis of ["6(1)(b)", "Contract", "performance_Of_Contract", "Art6(1)(b)"]) {
			assert.ok(restsOnContract({ lawfulBasis }), lawfulBasis);
		}
	});

	it("that is not told is none", () => {
		for (const lawfulBasis of [undefined, "", false, "6(1)(f)", "subcontractor"]) {
			const context = { lawfulBasis };
			assert.deepEqual([restsOnConsent(context), restsOnContract(context)], [false, false]);
		}
	});
});
