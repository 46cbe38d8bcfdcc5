// The cases that the published packs carry, each as one test.

import assert from "node:assert/strict";
import { describe, it, test } from "node:test";
import { runCases } from "../../policies/cases.ts";
import { evaluate } from "../../policies/evaluate.ts";
import { parseFacts } from "../../policies/facts.ts";
import { readFiles } from "../../policies/load.ts";
import { indexPacks } from "../../policies/packSet.ts";
import { packSchema, type WholePack } from "../../policies/schema.ts";
import { candidateZones } from "../../policies/zones.ts";
import { samplePack, samplePackSet, sampleRule } from "./samples.ts";

const loaded = readFiles();
const files = loaded.map(({ file }) => file);
const packs = indexPacks(loaded);

for (const file of files) {
	describe(`pack ${file.id} ${file.version}`, () => {
		for (const { name, mismatches } of runCases([file], packs)) {
			it(name, () => assert.deepEqual(mismatches, []));
		}
	});
}

test("a case that expects something else fails, whatever it expects", () => {
	const [first] = files.find(({ id }) => id === "us-tcpa")?.cases ?? [];
	assert.ok(first);
	const wrong: WholePack["cases"][number]["expect"][] = [
		{ allowed: false },
		{ allowed: true, reasons: ["OPTED_OUT"] },
		{ allowed: true, absentReasons: ["CONSENT_SUFFICIENT"] },
		{ allowed: true, citations: ["47 CFR 1.1"] },
		{ allowed: true, deliveryMode: "secure_link" },
		{ allowed: true, deferUntilUtc: "2026-11-25T14:00:00Z" },
		{ allowed: true, contentRetentionMax: "P29D" },
		{ allowed: true, recordRetentionMin: "P6Y" },
		{ allowed: true, recordRetentionMax: "P5Y" },
		{ allowed: true, recordRetentionMin: null },
		{ allowed: true, respondBy: "2026-12-01" },
	];
	for (const expect of wrong) {
		const file = { ...files[0], id: "x", version: "1.0.0", cases: [{ ...first, expect }] } as WholePack;
		const { mismatches = [] } = runCases([file], packs)[0] ?? {};
		assert.equal(mismatches.length, 1, JSON.stringify(expect));
		// Whoever writes a case need not know what programs call a field that is not there.
		assert.doesNotMatch(mismatches.join(), /undefined|null/);
	}
});

test("a case is judged by the version that carries it, also at a time when another one is in force", () => {
	const rule = (code: string) => [sampleRule("dated.rule", { deny: [code] })];
	const facts = { recipientCountry: "DE", context: { evaluatedAt: "2026-02-01T00:00:00Z" } };
	const version = (number: string, effectiveFrom: string, code: string) => {
		const cases = [{ name: "sample", facts, expect: { allowed: false, reasons: [code] } }];
		return samplePack("dated", rule(code), { version: number, effectiveFrom, destinations: ["DE"], cases });
	};
	const versions = [
		version("1.0.0", "2026-01-01T00:00:00Z", "OPTED_OUT"),
		version("1.1.0", "2026-03-01T00:00:00Z", "BAA_MISSING"),
	];
	const results = runCases(
		versions.map((pack) => packSchema.parse(pack)),
		samplePackSet(...versions),
	);
	assert.deepEqual(
		results.map(({ pack, mismatches }) => [pack, mismatches]),
		[
			["dated 1.0.0", []],
			["dated 1.1.0", []],
		],
	);
});

test("every rule says where it comes from, when that was checked and how sure it is", () => {
	for (const { rules } of files) {
		for (const rule of rules) assert.ok(rule.citations.length > 0 && rule.verifiedOn && rule.confidence && rule.basis);
	}
});

test("every rule fires in a case of its own pack, and does not in another", () => {
	for (const { rules, cases } of files) {
		const fired = cases.map(({ facts }) => new Set(evaluate(packs, parseFacts(facts)).rules));
		for (const { id, breach, when } of rules) {
			// A breach is no event of a message.
			if (breach) continue;
			assert.ok(
				fired.some((ids) => ids.has(id)),
				`${id} never fires`,
			);
			if (Object.keys(when).length > 0) assert.ok(!fired.every((ids) => ids.has(id)), `${id} always fires`);
		}
	}
});

test("every destination that a pack opens has its time zones", () => {
	for (const pack of packs.at(Date.parse("2026-11-25T00:00:00Z"))) {
		for (const country of pack.destinations) {
			assert.ok(!candidateZones(country).some(({ zone }) => zone.startsWith("Etc/")), country);
		}
	}
});
