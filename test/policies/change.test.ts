// A new version out of the text of another: only what was asked for differs, to the last blank; and what differs, in words.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { LetheError } from "../../domain/errors.ts";
import { draftChange, type RuleChange, readName } from "../../policies/change.ts";
import { describeDifference, diffPacks } from "../../policies/diff.ts";
import { readPacks, readShipped } from "../../policies/load.ts";
import { readPackText } from "../../policies/packText.ts";
import type { PackFile } from "../../policies/schema.ts";
import { describeCondition, describeDuration } from "../../policies/sentences.ts";
import { editedText, shippedVersion } from "../harness/policies.ts";

const version = { version: "1.9.0", effectiveFrom: "2026-12-01T00:00:00Z" };
const read = (text: string) => readPackText(text).file as PackFile;
const sentences = (before: string, after: string) => diffPacks(read(before), read(after)).map(describeDifference);
const hours = (end: string) =>
	editedText("de", "1.0.0", ({ rules }) => {
		const open = [{ days: ["mon", "tue", "wed", "thu", "fri", "sat"], start: "08:00", end }];
		rules.push({ ...rules[0], id: "de.hours", consent: undefined, window: { open, closedOn: "DE" } });
	});

test("every line but those of the values stays as it was, comments and all", () => {
	const before = readShipped("defaults", "1.0.0");
	const changes: RuleChange[] = [{ rule: "defaults.retention", path: "retention.content.max", value: "P7D" }];
	const after = draftChange(before, version, changes);
	const [old, now] = [before.split("\n"), after.split("\n")];
	assert.equal(old.length, now.length);
	const changed = now.filter((line, index) => line !== old[index]);
	assert.equal(changed.length, 3);
	assert.ok(changed.includes("version: 1.9.0") && changed.includes("effectiveFrom: 2026-12-01T00:00:00Z"));
	assert.deepEqual(readName(after), { pack: "defaults", ...version });
});

test("a star stands for every item, a number for one, the name of an object for its term", () => {
	const text = hours("20:00");
	const each = draftChange(text, version, [{ rule: "de.hours", path: "window.open.*.end", value: "21:00" }]);
	assert.ok(sentences(text, each).includes("de.hours: quiet hours of DE, Mon-Sat: 20:00-08:00 → 21:00-08:00"));
	const one = draftChange(text, version, [{ rule: "de.hours", path: "window.open.0.start", value: "09:00" }]);
	assert.ok(sentences(text, one).includes("de.hours: quiet hours of DE, Mon-Sat: 20:00-08:00 → 20:00-09:00"));
});

test("of values that need quotes the text still reads as the same value", () => {
	const note = 'yes: "no" # or so';
	const rule = "de.hours";
	const text = draftChange(hours("20:00"), version, [
		{ rule, path: "confidence", value: "low" },
		{ rule, path: "window.closedOn", value: "NO" },
	]);
	const changed = read(text).rules.find(({ id }) => id === rule);
	assert.deepEqual([changed?.confidence, changed?.window?.closedOn], ["low", "NO"]);
	const noted = editedText("de", "1.0.0", ({ rules }) => Object.assign(rules[0] as object, { note: "x" }));
	const first = read(noted).rules[0]?.id as string;
	assert.equal(read(draftChange(noted, version, [{ rule: first, path: "note", value: note }])).rules[0]?.note, note);
});

test("a value with a comma or a bracket, of several lines or in place of such, is one value", () => {
	const changed = (pack: string, rule: string, path: string, value: string) => {
		const { file, faults } = readPackText(
			draftChange(readShipped(pack, shippedVersion(pack)), version, [{ rule, path, value }]),
		);
		assert.deepEqual(faults, []);
		return file?.rules.find(({ id }) => id === rule);
	};
	for (const citation of ["GDPR Art. 12(3), 12(4)", "see [1] {x}", "- a", "two\nlines"]) {
		const { citations = [] } = changed("gdpr", "gdpr.erasure", "citations.0", citation) ?? {};
		assert.deepEqual(citations, [citation, "GDPR Art. 17(1)", "GDPR Art. 19"]);
	}
	for (const note of ["Shorter.", "Two\nlines: of it."]) {
		assert.equal(changed("defaults", "defaults.retention", "note", note)?.note, note);
		assert.equal(changed("gdpr", "gdpr.restriction", "note", note)?.note, note);
	}
});

test("rules that are new, gone or otherwise changed are told, and a change of nothing is none", () => {
	const before = hours("20:00");
	assert.deepEqual(sentences(before, before), []);
	const without = editedText("de", "1.0.0", () => undefined);
	assert.ok(sentences(before, without).some((line) => line.startsWith("de.hours: rule removed: quiet hours of DE")));
	assert.ok(
		sentences(without, before).some((line) =>
			/^de\.hours: new rule: quiet hours of DE, Mon-Sat: 20:00-08:00/.test(line),
		),
	);
	const law = draftChange(before, version, [{ rule: "de.hours", path: "basis", value: "carrier" }]);
	assert.ok(sentences(before, law).includes("de.hours: basis law → carrier"));
});

test("what an approver has to know of a change is told: the clock, every term, why, and what an exclusion cites", () => {
	const told = (pack: string, old: string, now: string) => {
		const before = readShipped(pack, shippedVersion(pack));
		assert.ok(before.includes(old), old);
		return sentences(before, before.replace(old, now));
	};
	const kept = "hipaa.documentation: policy documentation is kept";
	const long = "at least 6 years from when it was last in effect";
	const term = "{ object: policy_documentation, min: P6Y, clock: last_in_effect }";
	const created = term.replace("last_in_effect", "created");
	assert.deepEqual(told("hipaa", term, created), [`${kept} ${long} → at least 6 years`]);
	const more = `${term}\n      - { object: policy_documentation, min: P2Y }`;
	assert.deepEqual(told("hipaa", term, more), [`${kept} ${long} → ${long} and at least 2 years`]);
	const mode = "mode: secure_link, reason: ";
	assert.deepEqual(told("hipaa", `${mode}PHI_SECURE_LINK`, `${mode}WARNING_NOT_RECORDED`), [
		"hipaa.secure-link: delivery by secure link, or more protective (PHI_SECURE_LINK) → by secure link, or more protective (WARNING_NOT_RECORDED)",
	]);
	// A list of every spelling is as long as a page: what is new in it must not be lost there.
	const [spelled] = told("gdpr", "            adequacy,\n", "            adequacy,\n            a_new_word,\n");
	assert.match(spelled ?? "", /^gdpr\.transfer: counts when context\..* → .*adequacy or a_new_word or/);
	assert.ok((spelled ?? "").length < 400, spelled);
	const cited = told("ccpa", '["Cal. Civ. Code 1798.145(c)(1)(A)"]', '["another"]');
	assert.match(
		cited.join(),
		/^pack: leaves out dataClasses is phi \(CCPA_EXEMPT_PHI; Cal\..* → .*\(CCPA_EXEMPT_PHI; another\)/,
	);
	assert.match(told("ccpa", "    reason: CCPA_EXEMPT_PHI\n", "").join(), /^pack: leaves out/);
});

test("every rule of every shipped pack can be put in words", () => {
	for (const { file } of readPacks()) {
		const [first] = diffPacks(undefined, file);
		assert.ok(first);
		for (const { after } of diffPacks(undefined, file)) {
			assert.ok(after && after.length > 3 && !/undefined|\[object/.test(after), `${file.id}: ${after}`);
		}
		for (const { when } of file.rules) assert.doesNotMatch(describeCondition(when), /undefined|\[object/);
	}
	assert.equal(describeDuration("P1Y2M"), "1 year 2 months");
	assert.equal(describeDuration("PT10M"), "10 minutes");
});

test("a text that can't be told by its name is refused with what is wrong of it, and where", () => {
	const text = readShipped("de", "1.0.0");
	const told = (changed: string) => {
		try {
			return readName(changed);
		} catch (error) {
			assert.equal((error as LetheError).code, "policy_refused");
			return (error as LetheError).errors[0]?.detail;
		}
	};
	assert.match(
		String(told(text.replace("version: 1.0.0", "version: 1.2"))),
		/^line \d+: version: 1\.2 is not a text\. /,
	);
	assert.match(String(told(text.replace("id: de\n", "id: DE\n"))), /^line \d+: id: not lower-case words/);
	assert.match(String(told(`${text}---\n${text}`)), /^line \d+: a second text begins/);
	assert.match(String(told(text.replace("version: 1.0.0\n", ""))), /version is missing/);
	assert.match(String(told(text.replace("version: 1.0.0", `version: 1.0.${"1".repeat(30)}`))), /too long/);
});
