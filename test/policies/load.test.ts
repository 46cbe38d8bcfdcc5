// Pack files on disk: one that can't be understood whole stops them all, and the error names it.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { stringify } from "yaml";
import { limits } from "../../domain/limits.ts";
import { loadPacks, readFiles, readPack, readPacks, sealPacks } from "../../policies/load.ts";
import { sampleBase, samplePack, sampleRule } from "./samples.ts";

const root = mkdtempSync(join(tmpdir(), "lethe-packs-"));
after(() => rmSync(root, { recursive: true, force: true }));
let directories = 0;

function directory(files: Record<string, string>): string {
	directories += 1;
	const path = join(root, String(directories));
	mkdirSync(path);
	for (const [name, text] of Object.entries({ "base/1.0.0.yaml": stringify(sampleBase), ...files })) {
		mkdirSync(dirname(join(path, name)), { recursive: true });
		writeFileSync(join(path, name), text);
	}
	return path;
}

const refuse = (pack: object, message: RegExp) =>
	assert.throws(
		() => loadPacks(directory({ "a/1.0.0.yaml": stringify(pack) })),
		(error: Error) => {
			assert.match(error.message, message);
			assert.doesNotMatch(error.message, /\n/);
			return true;
		},
	);
const refuseRule = (effect: Record<string, unknown>, message: RegExp) =>
	refuse(samplePack("a", [sampleRule("a.rule", effect)]), message);

test("a pack is known by its id, its version and the hash of its text", () => {
	const text = stringify(samplePack("a", [sampleRule("a.rule", { deny: ["OPTED_OUT"] })]));
	const { versions } = loadPacks(directory({ "a/1.0.0.yaml": text }));
	const sha256 = createHash("sha256").update(text).digest("hex");
	assert.deepEqual(
		versions.find(({ id }) => id === "a"),
		{ id: "a", version: "1.0.0", sha256 },
	);
});

test("what a process decides by is the published pack, all but its cases", () => {
	const whole = readFiles();
	const deciding = readPacks();
	assert.deepEqual(
		deciding.map(({ file, sha256 }) => ({ file, sha256 })),
		whole.map(({ file: { cases: _, ...file }, sha256 }) => ({ file, sha256 })),
	);
	const { file, source } = deciding[0] ?? {};
	const line = source?.lineOf(["cases", 0, "name"]) ?? 0;
	const lines = readFileSync(source?.path ?? "", "utf8").split("\n");
	assert.match(lines[line - 1] ?? "", new RegExp(`name: .*${whole[0]?.file.cases[0]?.name.slice(0, 20)}`));
	assert.ok(file && !("cases" in file));
});

test("nothing that follows the cases of a published pack is overlooked", () => {
	const { cases, ...rest } = samplePack("a", [sampleRule("a.rule", { deny: ["OPTED_OUT"] })]);
	const last = (more: string) => `${stringify(rest)}${stringify({ cases })}${more}`;
	const read = (text: string) => {
		const path = directory({ "a/1.0.0.yaml": text });
		sealPacks("2026-11-27", path);
		return readPacks(path).find(({ file }) => file.id === "a")?.file;
	};
	assert.equal(read(last("# nothing more\n"))?.effectiveTo, undefined);
	for (const more of ["effectiveTo: 2027-01-01T00:00:00Z\n", '"effectiveTo": 2027-01-01T00:00:00Z\n']) {
		assert.equal(read(last(more))?.effectiveTo, "2027-01-01T00:00:00Z");
	}
	assert.throws(() => read(last("mistyped: 1\n")), /mistyped is not a field here/);
});

test("a rule that the evidence log could not name is refused", () => {
	for (const id of ["a.rule-2026-11-26", `a.${"long".repeat(24)}`]) {
		refuse(samplePack("a", [sampleRule(id, { deny: ["OPTED_OUT"] })]), /rules\.0\.id/);
	}
});

test("a rule that can't be read whole is not skipped: it stops the load", () => {
	refuseRule({ denny: ["OPTED_OUT"] }, /a.1\.0\.0\.yaml:\d+: rules\.0: denny .*Did you mean deny\?$/);
	refuseRule({ deny: ["OPTEDOUT"] }, /rules\.0\.deny\.0/);
	refuseRule({ deny: [] }, /rules\.0\.deny/);
	refuseRule({ deny: ["OPTED_OUT"], reasons: ["OPTED_OUT"] }, /exactly one effect.*deny, reasons/);
	refuseRule({}, /exactly one effect.*none/);
	refuseRule({ deny: ["OPTED_OUT"], when: { categry: "otp" } }, /rules\.0\.when: categry .*Did you mean category\?$/);
	refuseRule(
		{ deny: ["OPTED_OUT"], when: { category: "marketting" } },
		/category: marketting .*Did you mean marketing\?$/,
	);
	refuseRule(
		{ deny: ["OPTED_OUT"], when: { any: [{ dataClasses: ["helth"] }] } },
		/dataClasses\.0: helth .*Did you mean health\?$/,
	);
	refuseRule({ deny: ["OPTED_OUT"], when: { category: { nott: "otp" } } }, /category: nott .*Did you mean not\?$/);
	refuseRule({ deny: ["OPTED_OUT"], when: { category: {} } }, /empty test/);
	refuseRule({ deny: ["OPTED_OUT"], when: { legalHold: "yes" } }, /legalHold: yes/);
	refuseRule({ deny: ["OPTED_OUT"], on: ["sned"] }, /rules\.0\.on/);
	refuseRule({ deny: ["OPTED_OUT"], citations: [] }, /citations/);
	refuseRule({ deny: ["OPTED_OUT"], basis: "custom" }, /basis/);
	refuseRule({ deny: ["OPTED_OUT"], verifiedOn: "July" }, /verifiedOn/);
	refuseRule({ deny: ["OPTED_OUT"], id: "b.rule" }, /does not start with a\./);
	refuseRule({ window: { open: [{ days: ["mon"], start: "20:00", end: "08:00" }] } }, /start is not before end/);
	refuseRule({ window: { open: [{ days: ["mon"], start: "08:00", end: "8pm" }] } }, /HH:MM/);
	refuseRule({ window: { open: [{ days: ["mon"], start: "08:00", end: "20:00" }] }, on: ["inbound"] }, /its own event/);
	refuseRule({ retention: [{ object: "content" }] }, /none of min, max and keep/);
	refuseRule({ retention: [{ object: "content", max: null }] }, /only suppression/);
	refuseRule({ retention: [{ object: "content", max: "30 days" }] }, /ISO 8601/);
	refuseRule({ retention: [{ object: "body", max: "P1D" }] }, /object/);
	refuseRule(
		{ right: { to: "erasure", granted: true, reasons: ["ERASE_CONTENT"], respondWithin: "soon" } },
		/respondWithin/,
	);
});

test("a pack with an unknown field, without cases, or with facts that are none is not read", () => {
	const rules = [sampleRule("a.rule", { deny: ["OPTED_OUT"] })];
	refuse(samplePack("a", rules, { status: "draft" }), /status/);
	refuse(samplePack("a", rules, { cases: [] }), /cases/);
	refuse(samplePack("a", rules, { destinations: ["Germany"] }), /destinations\.0/);
	refuse(samplePack("a", rules, { effectiveFrom: "2026" }), /effectiveFrom/);
	const facts = { context: { evaluated: "2026-01-01T00:00:00Z" } };
	refuse(samplePack("a", rules, { cases: [{ name: "one", facts, expect: { allowed: true } }] }), /cases\.0\.facts/);
	refuse(samplePack("a", [...rules, ...rules]), /a\.rule is there twice/);
});

test("a file that is not where its name says, not YAML, or given twice stops the load", () => {
	const text = stringify(samplePack("a", [sampleRule("a.rule", { deny: ["OPTED_OUT"] })]));
	assert.throws(() => loadPacks(directory({ "a/2.0.0.yaml": text })), /Name it a\/1\.0\.0\.yaml/);
	assert.throws(() => loadPacks(directory({ "notes.txt": "see above" })), /notes\.txt/);
	assert.throws(() => loadPacks(directory({ "a/1.0.0.yaml": "id: [" })), /not YAML/);
	assert.throws(() => loadPacks(directory({ "a/1.0.0.yaml": "id: a\nid: b" })), /not YAML/);
	assert.throws(() => loadPacks(directory({ "a/1.0.0.yaml": `${"x".repeat(10)}` })), /1\.0\.0\.yaml/);
	assert.throws(
		() => loadPacks(directory({ "a/1.0.0.yaml": text, "b/a/1.0.0.yaml": text })),
		/a 1\.0\.0 is there twice/,
	);
	const swelling = `${"&a [x,x,x,x,x,x,x,x,x,x]\n".replace("&a", "a: &a")}b: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: [*b,*b,*b,*b,*b,*b,*b,*b,*b]`;
	assert.throws(() => loadPacks(directory({ "a/1.0.0.yaml": swelling })), /1\.0\.0\.yaml/);
});

test("a directory without packs is an error, not a licence", () => {
	const empty = mkdtempSync(join(root, "empty-"));
	assert.throws(() => loadPacks(empty), /no policy packs/);
	assert.throws(() => loadPacks(join(empty, "absent")), /absent can't be read: name a folder of policy packs/);
});

test("one pack is read out of its text, under the name that it should have", () => {
	const text = stringify(samplePack("a", [sampleRule("a.rule", { deny: ["OPTED_OUT"] })]));
	const { file, sha256, source } = readPack(text, "drafts/a/1.0.0.yaml");
	assert.deepEqual([file.id, sha256.length, source?.lineOf(["rules", 0, "deny"])], ["a", 64, 13]);
	assert.throws(() => readPack(text, "drafts/a/1.0.1.yaml"), /drafts.a.1\.0\.1\.yaml:1: .*Name it a\/1\.0\.0\.yaml/);
});

test("a pack is read once, and of many those that nobody asked for again are forgotten", () => {
	const read = (number: number) => {
		const pack = samplePack("a", [sampleRule("a.rule", { deny: ["OPTED_OUT"] })], { title: `Draft ${number}` });
		return readPack(stringify(pack), "a/1.0.0.yaml").file;
	};
	const [asked, unasked] = [read(0), read(1)];
	for (let number = 2; number <= limits.packsReadMax; number++) {
		read(number);
		assert.equal(read(0), asked);
	}
	assert.notEqual(read(1), unasked);
	assert.equal(read(0), asked);
});

test("a pack whose cases fail stops the load, with the line of the case", () => {
	const cases = [
		{ name: "it goes", facts: { context: { evaluatedAt: "2026-01-01T00:00:00Z" } }, expect: { allowed: true } },
	];
	const text = stringify(samplePack("a", [sampleRule("a.rule", { deny: ["OPTED_OUT"] })], { cases }));
	const line = text.split("\n").findIndex((part) => part.includes("it goes")) + 1;
	refuse(
		samplePack("a", [sampleRule("a.rule", { deny: ["OPTED_OUT"] })], { cases }),
		new RegExp(`:${line}: case "it goes" fails`),
	);
});

test("what was published never changes: neither another text, nor a missing file, nor a file that was not published", () => {
	const text = stringify(samplePack("a", [sampleRule("a.rule", { deny: ["OPTED_OUT"] })]));
	const path = directory({ "a/1.0.0.yaml": text });
	assert.deepEqual(sealPacks("2026-11-24", path), ["a 1.0.0", "base 1.0.0"]);
	assert.deepEqual(sealPacks("2026-11-25", path), []);
	assert.doesNotThrow(() => loadPacks(path));

	const file = join(path, "a/1.0.0.yaml");
	writeFileSync(file, `${text}# one more word\n`);
	const changed = /a.1\.0\.0\.yaml:1: a 1\.0\.0 was published on 2026-11-24 and has been changed since\. .* 1\.0\.1 /;
	assert.throws(() => readPacks(path), changed);
	assert.throws(() => sealPacks("2026-11-25", path), changed);
	rmSync(file);
	assert.throws(() => readPacks(path), /published\.json:1: a 1\.0\.0 .* its file is gone\. Restore/);
	writeFileSync(file, text);
	const next = text.replace("version: 1.0.0", "version: 1.0.1").replace("2000-01-01", "2026-12-01");
	writeFileSync(join(path, "a/1.0.1.yaml"), next);
	assert.throws(() => loadPacks(path), /a.1\.0\.1\.yaml:1: a 1\.0\.1 is not published\. .*policies:seal/);
	assert.deepEqual(sealPacks("2026-11-25", path), ["a 1.0.1"]);
	assert.match(
		readFileSync(join(path, "published.json"), "utf8"),
		/"publishedOn": "2026-11-24"[\s\S]*"publishedOn": "2026-11-25"/,
	);
	assert.doesNotThrow(() => loadPacks(path));
	writeFileSync(join(path, "published.json"), "[]");
	assert.throws(() => loadPacks(path), /published\.json:1: not a list/);
});
