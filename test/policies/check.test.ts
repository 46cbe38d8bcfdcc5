// One pack checked before it may be used: each fault comes with its line and its mend, and nothing is thrown.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import { stringify } from "yaml";
import { limits } from "../../domain/limits.ts";
import { checkPack } from "../../policies/check.ts";
import { readPacks } from "../../policies/load.ts";
import { sampleBase, samplePack, sampleRule } from "./samples.ts";

const published = readPacks();
const text = `# Quiet mornings, for a test.
id: quiet
version: 1.0.0
title: Quiet mornings
effectiveFrom: 2026-01-01T00:00:00Z
destinations: [JP]
applies: { recipientCountry: JP }

rules:
  - id: quiet.consent
    basis: default
    citations: ["a choice"]
    verifiedOn: 2026-07-01
    confidence: high
    when: { category: marketing }
    deny: [CONSENT_MISSING]

cases:
  - name: marketing is refused
    facts:
      recipientCountry: JP
      category: marketing
      context: { evaluatedAt: 2026-11-25T12:00:00Z }
    expect: { allowed: false, reasons: [CONSENT_MISSING] }
  - name: a code goes
    facts: { recipientCountry: JP, category: otp, context: { evaluatedAt: 2026-11-25T12:00:00Z } }
    expect: { allowed: true }
`;
const check = (changed: string, others = published) => checkPack(changed, undefined, others);
const lineOf = (changed: string, part: string) => changed.split("\n").findIndex((line) => line.includes(part)) + 1;

test("a pack that fits has no errors, and every case of it passed", () => {
	const { pack, errors, cases } = check(text);
	assert.deepEqual(errors, []);
	assert.equal(pack?.id, "quiet");
	assert.deepEqual(
		cases.map(({ id, line, passed }) => [id, line, passed]),
		[
			["marketing is refused", 19, true],
			["a code goes", 25, true],
		],
	);
});

test("of very many faults the first are told, and soon", { timeout: 60_000 }, () => {
	const [head] = text.split("  - id: quiet.consent") as [string];
	const mistyped = Array.from({ length: 25_000 }, () => "  - a: 1\n").join("");
	assert.equal(check(`${head}${mistyped}`).errors.length, limits.packFaultsMax);
	const keys = Array.from({ length: 2_000 }, (_, index) => `x${index}: 1\n`).join("");
	assert.equal(check(`${keys}${text}`).errors.length, limits.packFaultsMax);
});

test("a clock that counts days is given in days; the other clocks may have hours", () => {
	const clocked = (effect: string) => text.replace("    deny: [CONSENT_MISSING]", effect);
	const right = "right: { to: access, granted: true, reasons: [DSR_CLOCK_STARTED]";
	const optOut = "optOut: { reasons: [OPT_OUT_RECORDED]";
	const hours = (effect: string) => check(clocked(effect)).errors.filter(({ message }) => /counts days/.test(message));
	for (const effect of [
		`    ${right}, ackWithin: PT48H }`,
		`    ${right}, respondWithin: P1DT12H }`,
		`    ${right}, extendBy: P1MT1M }`,
		`    ${optOut}, honorWithin: PT48H }`,
		"    erase: { backupsWithin: P1DT1H }",
	]) {
		const [fault, ...others] = hours(effect);
		assert.equal(others.length, 0);
		assert.equal(fault?.line, lineOf(clocked(effect), effect.trim()), effect);
	}
	for (const effect of [
		`    ${right}, ackWithin: P2D, respondWithin: P1M }`,
		`    ${optOut}, honorWithin: { businessDays: 5 }, confirmWithin: PT5M }`,
		"    erase: { contentWithin: PT1H }",
		"    breach: { toAuthority: PT72H }",
	]) {
		assert.deepEqual(hours(effect), [], effect);
	}
});

const faults: [what: string, from: string, to: string, at: string, message: RegExp, mend: RegExp][] = [
	["a mistyped effect", "    deny:", "    denny:", "denny", /denny is not a field here/, /^Did you mean deny\?$/],
	["an unknown field", "title:", "titel: x\ntitle:", "titel", /titel is not a field/, /^Did you mean title\?$/],
	["an unknown field far from any", "title:", "status: draft\ntitle:", "status", /status is not a field/, /Use one of/],
	[
		"a mistyped code",
		"deny: [CONSENT_MISSING]",
		"deny: [CONSENT_MISING]",
		"MISING",
		/CONSENT_MISING/,
		/CONSENT_MISSING\?/,
	],
	["a fact that is none", "when: { category", "when: { categry", "categry", /categry/, /^Did you mean category\?$/],
	[
		"a value that no fact has",
		"category: marketing }",
		"category: marketting }",
		"tting",
		/marketting/,
		/mean marketing\?/,
	],
	["a missing field", "title: Quiet mornings\n", "", "id: quiet", /title is missing/, /^Add it\.$/],
	[
		"a missing field of few words",
		"    confidence: high\n",
		"",
		"- id: quiet.",
		/confidence is missing/,
		/^Use one of: high, medium, low\.$/,
	],
	[
		"a field that is left empty",
		"title: Quiet mornings",
		"title:",
		"title:",
		/title: nothing is not a text/,
		/^Give a text/,
	],
	["a wrong kind of value", "title: Quiet mornings", "title: 3", "title: 3", /title: 3 is not a text/, /in quotes/],
	["a list without anything", "deny: [CONSENT_MISSING]", "deny: []", "deny", /deny: there is nothing in it/, /./],
	[
		"a word without anything",
		"category: marketing }",
		'context.lawfulBasis: "" }',
		"lawfulBasis",
		/lawfulBasis: there is nothing in it/,
		/./,
	],
	[
		"a code far from any",
		"[CONSENT_MISSING]",
		"[QUIETNESS]",
		"QUIETN",
		/not one of its values/,
		/^Use one of docs\/reasons\.md\.$/,
	],
	["a second text", "cases:", "---\ncases:", "---", /a second text begins/, /^Leave one of them/],
	["a time that is none", "effectiveFrom: 2026-01-01T00:00:00Z", "effectiveFrom: soon", "soon", /effectiveFrom/, /./],
	["a version that hides a number", "version: 1.0.0", "version: 2026.11.24", "2026", /seven digits/, /26\.11\.24/],
	["a rule of another pack", "id: quiet.consent", "id: loud.consent", "loud", /does not start with quiet\./, /./],
	["text that is not YAML", "rules:", "rules: [", "- id: quiet.consent", /not YAML/, /./],
	["a field given twice", "title:", "id: quiet\ntitle:", "id: quiet\ntitle", /not YAML: .*unique/, /./],
	[
		"a case that fails",
		"expect: { allowed: true }",
		"expect: { allowed: false }",
		"a code goes",
		/"a code goes" fails/,
		/expects/,
	],
	[
		"a case without a time",
		"evaluatedAt: 2026-11-25T12:00:00Z } }",
		"event: send } }",
		"a code goes",
		/evaluatedAt/,
		/./,
	],
];
for (const [what, from, to, at, message, mend] of faults) {
	test(`${what} is refused with its line and the mend`, () => {
		const changed = text.replace(from, to);
		assert.notEqual(changed, text);
		const [error] = check(changed).errors;
		assert.ok(error);
		assert.match(error.message, message);
		assert.match(error.mend, mend);
		if (!at.includes("\n")) assert.equal(error.line, lineOf(changed, at), JSON.stringify(error));
	});
}

test("a version is refused that with its pack's id is no code of the evidence log; the longest that is one is not", () => {
	const error = (id: string, version: string) =>
		check(text.replaceAll("quiet", id).replace("1.0.0", version)).errors[0]?.message ?? "";
	assert.match(error("quiet-2026", "1.0.0"), /seven digits/);
	assert.match(error("q".repeat(76), "10.10.10"), /too long/);
	for (const [id, version] of [
		["quiet", "100.10.1"],
		["quiet-202", "1.0.0"],
		["q".repeat(75), "10.10.10"],
	] as const) {
		assert.equal(error(id, version), "", id);
	}
});

test("a mistyped effect is the one thing told of its rule", () => {
	const changed = text.replace("    deny:", '    "on": [inbound]\n    dney:');
	assert.deepEqual(check(changed).errors, [
		{ line: lineOf(changed, "dney"), message: "rules.0: dney is not a field here", mend: "Did you mean deny?" },
	]);
});

test("two rules of one id, and two cases of one name, are refused at the second", () => {
	const rule = sampleRule("twice.rule", { deny: ["OPTED_OUT"] });
	const twice = stringify(samplePack("twice", [rule, structuredClone(rule)]));
	assert.deepEqual(
		check(twice).errors.map(({ line, message }) => [line, message]),
		[[twice.split("\n").lastIndexOf("  - id: twice.rule") + 1, "rules.1.id: twice.rule is there twice"]],
	);
	const [one] = (samplePack("twice", [rule]) as { cases: object[] }).cases;
	assert.match(
		check(stringify(samplePack("twice", [rule], { cases: [one, structuredClone(one)] }))).errors[0]?.message ?? "",
		/cases\.1/,
	);
});

test("a version that overlaps another, or comes later with a lower number, is refused; the next one is not", () => {
	const others = [...published, checkedPack(text)];
	const next = (version: string, from: string) =>
		check(text.replace("version: 1.0.0", `version: ${version}`).replace("2026-01-01T", `${from}T`), others).errors[0];
	const same = next("1.0.1", "2026-01-01");
	assert.match(same?.message ?? "", /1\.0\.1 overlaps 1\.0\.0/);
	assert.equal(same?.line, 5);
	assert.match(same?.mend ?? "", /after that version/);
	const lower = next("0.9.0", "2026-02-01");
	assert.match(lower?.message ?? "", /0\.9\.0 comes into force after 1\.0\.0/);
	assert.equal(lower?.line, 3);
	// Before one that is to come it begins as little, and no number helps.
	const earlier = next("1.0.1", "2025-12-01");
	assert.match(earlier?.mend ?? "", /if it is published, let 1\.0\.1 begin after 2026-01-01/);
	assert.match(next("1.0.0", "2026-02-01")?.message ?? "", /quiet 1\.0\.0 is there twice/);
	assert.equal(next("1.0.1", "2026-02-01"), undefined);
	const ending = checkedPack(text.replace("destinations", "effectiveTo: 2026-03-01T00:00:00Z\ndestinations"));
	const early = check(text.replace("1.0.0", "1.1.0").replace("2026-01-01T", "2026-02-01T"), [...published, ending]);
	assert.match(early.errors[0]?.message ?? "", /overlaps 1\.0\.0, in force from .* to 2026-03-01/);
});

test("retention that leaves no interval beside the packs that are there is refused at its rule", () => {
	const keep = stringify(
		samplePack("keep", [sampleRule("keep.logs", { retention: [{ object: "content", min: "P1Y" }] })]),
	);
	const [error] = check(keep).errors;
	assert.match(error?.message ?? "", /content: keep\.logs keeps it P1Y at least, defaults\.retention P30D at most/);
	assert.equal(error?.line, lineOf(keep, "keep.logs"));
	assert.match(error?.mend ?? "", /resolution/);
});

test("the example of the manual passes", () => {
	const manual = readFileSync(new URL("../../docs/packs.md", import.meta.url), "utf8");
	const example = /```yaml\n([\s\S]*?)```/.exec(manual)?.[1] ?? "";
	const { errors, cases } = check(example);
	assert.deepEqual([errors, cases.length], [[], 1]);
});

test("a name that says another pack or version is refused", () => {
	assert.deepEqual(checkPack(text, "drafts/quiet/1.0.0.yaml", published).errors, []);
	assert.match(checkPack(text, "quiet/1.0.1.yaml", published).errors[0]?.mend ?? "", /Name it quiet\/1\.0\.0\.yaml/);
});

test("whatever the text, there is an answer, and every error has a line of the text", () => {
	const lines = text.split("\n");
	const mutations = fc.record({ at: fc.nat(lines.length - 1), by: fc.string(), cut: fc.nat(3) });
	fc.assert(
		fc.property(fc.oneof(fc.string(), mutations), (given) => {
			const changed =
				typeof given === "string"
					? given
					: [...lines.slice(0, given.at), given.by, ...lines.slice(given.at + given.cut)].join("\n");
			const { pack, errors } = check(changed);
			assert.ok(pack !== undefined || errors.length > 0);
			for (const { line } of errors) assert.ok(line >= 1 && line <= changed.split("\n").length + 1);
		}),
		{ numRuns: 200 },
	);
});

test("beside packs that clash with each other no pack is judged", () => {
	const keep = samplePack("keep", [sampleRule("keep.logs", { retention: [{ object: "content", min: "P1Y" }] })]);
	const clashing = [sampleBase, keep].map((pack) => checkedPack(stringify(pack)));
	assert.match(check(text, clashing).errors[0]?.message ?? "", /keep\.logs/);
});

function checkedPack(given: string) {
	const { pack } = checkPack(given, undefined, []);
	assert.ok(pack);
	return { file: pack, sha256: "" };
}

test("a map of very many keys is read as soon as a list of them, and one that is there twice is told", () => {
	const keys = (count: number) => Array.from({ length: count }, (_, index) => `k${index.toString(36)}:\n`).join("");
	const startedAt = performance.now();
	assert.ok(check(`${text}${keys(32_000)}`).errors.length > 0);
	assert.ok(performance.now() - startedAt < 15_000);
	const [double, ...others] = check(`${text}${keys(40)}kz:\n`).errors;
	assert.deepEqual(others, []);
	assert.equal(double?.line, text.split("\n").length + 40);
	assert.match(double?.message ?? "", /^not YAML: .* unique, kz is there already$/);
});

test("a place that no facts can say is refused with the one that is meant, wherever a rule asks for it", () => {
	const asked = (when: string) => text.replace("{ category: marketing }", when);
	const faults = (changed: string) =>
		check(changed).errors.map(({ line, message, mend }) => [line, `${message}. ${mend}`]);
	const line = lineOf(text, "when:");
	for (const [when, fault] of [
		["{ subjectResidence: UK }", /\.when\.subjectResidence: UK is not a country's code of ISO 3166-1\. Write GB\.$/],
		["{ senderEstablishment: { not: [FR, EL] } }", /\.not\.1: EL is not .* Write GR\.$/],
		["{ any: [{ recipientCountry: { country: [XX] } }] }", /\.country\.0: XX is not .* Correct it\.$/],
		["{ subjectResidence: UK-LND }", /UK-LND is not .* Write GB-LND\.$/],
	] as const) {
		const [[at, said] = [], ...others] = faults(asked(when));
		assert.deepEqual([at, others], [line, []], when);
		assert.match(String(said), fault);
	}
	assert.deepEqual(faults(asked("{ senderEstablishment: [GB, EEA], subjectResidence: { orAbsent: US-FL } }")), []);
	const window = (region: string) =>
		text.replace(
			"deny: [CONSENT_MISSING]",
			`window: { regions: [US-FL, ${region}], open: [{ days: [mon], start: "08:00", end: "20:00" }] }`,
		);
	const [[, said] = []] = faults(window("US-FLA"));
	assert.match(String(said), /\.window\.regions\.1: US-FLA is not a region that the country has\. Correct it\.$/);
	const open = (code: string) => text.replace("destinations: [JP]", `destinations: [JP, ${code}]`);
	const closed = (code: string) => window("US-NY").replace("window: { ", `window: { closedOn: ${code}, `);
	const due = (code: string) =>
		text.replace(
			"deny: [CONSENT_MISSING]",
			`optOut: { reasons: [OPT_OUT_RECORDED], honorWithin: { businessDays: 3, calendar: ${code} } }`,
		);
	for (const [where, changed] of [
		["destinations.1", open],
		["rules.0.window.closedOn", closed],
		["rules.0.optOut.honorWithin.calendar", due],
	] as const) {
		const mended = `${where}: UK is not a country's code of ISO 3166-1. Write GB.`;
		assert.deepEqual(
			faults(changed("UK")).map(([, fault]) => fault),
			[mended],
		);
		assert.deepEqual(faults(changed("GB")), []);
	}
	assert.deepEqual(faults(open("EEA")), []);
});
