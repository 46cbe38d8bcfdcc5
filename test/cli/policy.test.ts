// `lethe policy` as a shell sees it: one line a decision, exit codes, and errors that name the mend.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";

const folder = mkdtempSync(join(tmpdir(), "lethe-policy-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const program = `
	import { policyCommand } from ${JSON.stringify(new URL("../../cli/policy.ts", import.meta.url).href)};
	await policyCommand().parseAsync(process.argv.slice(1), { from: "user" });
`;

function policy(...args: string[]) {
	const result = spawnSync(process.execPath, ["--input-type=module", "-e", program, "--", ...args], {
		encoding: "utf8",
	});
	return { code: result.status, lines: result.stdout.split("\n").slice(0, -1), error: result.stderr };
}

function file(content: unknown): string {
	const path = join(folder, "facts.json");
	writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
	return path;
}

const context = { evaluatedAt: "2026-11-25T12:00:00Z", lawfulBasis: "contract" };
const allowed = { recipientCountry: "DE", category: "transactional", context };
const denied = { ...allowed, context: { ...context, lawfulBasis: null } };

test("one facts document gives one decision; a refusal is a negative answer", () => {
	const yes = policy("decide", "--facts", file(allowed));
	assert.deepEqual([yes.code, yes.lines.length, yes.error], [0, 1, ""]);
	assert.equal(JSON.parse(yes.lines[0] ?? "").allowed, true);
	const no = policy("decide", "--json", "--facts", file(denied));
	assert.deepEqual([no.code, JSON.parse(no.lines[0] ?? "").reasons], [1, ["LAWFUL_BASIS_MISSING"]]);
});

test("on a terminal a decision is told in words, by --json as JSON", () => {
	const path = file(denied);
	const onTerminal = (...args: string[]) => {
		const spawn = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))";
		const command = [process.execPath, "--input-type=module", "-e", program, "--", "decide", "--facts", path, ...args];
		return spawnSync("python3", ["-c", spawn, ...command], { encoding: "utf8", input: "" });
	};
	const { status, stdout } = onTerminal();
	assert.equal(status, 1, stdout);
	const [verdict, reason, ...more] = stdout.trimEnd().split(/\r?\n/);
	assert.deepEqual([verdict, /^ {2}LAWFUL_BASIS_MISSING: No lawful/.test(reason ?? "")], ["REFUSED", true]);
	assert.match(more.join("\n"), /^ {2}rules: gdpr\..*\n {2}sources: GDPR.*\n {2}packs: .*gdpr \d/m);
	assert.equal(JSON.parse(onTerminal("--json").stdout).allowed, false);
});

test("an array gives a decision a line, in order, and succeeds whatever they say", () => {
	const { code, lines, error } = policy("decide", "--facts", file([denied, allowed, denied]));
	assert.deepEqual([code, error], [0, ""]);
	assert.deepEqual(
		lines.map((line) => JSON.parse(line).allowed),
		[false, true, false],
	);
	assert.deepEqual(policy("decide", "--facts", file([])), { code: 0, lines: [], error: "" });
});

test("facts that can't be judged are misuse: one line that names the field, and nothing of its value", () => {
	const { code, lines, error } = policy("decide", "--facts", file({ ...allowed, body: "geheim" }));
	assert.deepEqual([code, lines], [2, []]);
	assert.match(error, /^lethe policy decide: .*facts\.json: body is not a field of the facts\..*\n$/);
	assert.doesNotMatch(error, /geheim/);
	const some = policy("decide", "--facts", file([allowed, { ...allowed, category: "spam" }, denied]));
	assert.deepEqual([some.code, some.lines.length], [2, 3]);
	assert.match(JSON.parse(some.lines[1] ?? "").error, /item 2: category/);
	assert.equal(JSON.parse(some.lines[2] ?? "").allowed, false);
});

test("a mistyped field is told what it may have meant", () => {
	const { error } = policy(
		"decide",
		"--facts",
		file({ ...allowed, context: { ...context, lawfullBasis: "contract" } }),
	);
	assert.match(error, /context\.lawfullBasis is not a field of the facts; did you mean lawfulBasis\?\n$/);
});

test("nothing is decided by packs whose own cases fail", () => {
	const packs = join(folder, "packs");
	cpSync(new URL("../../policies/packs/", import.meta.url), packs, { recursive: true });
	rmSync(join(packs, "published.json"), { force: true });
	const path = join(packs, "otp", "1.0.0.yaml");
	writeFileSync(path, readFileSync(path, "utf8").replace("below: 6", "below: 4"));
	const { code, lines, error } = policy("decide", "--packs", packs, "--facts", file(allowed));
	assert.deepEqual([code, lines], [2, []]);
	assert.match(
		error,
		/^lethe policy decide: .*otp.1\.0\.0\.yaml:\d+: case "x-04 four-digit OTP" fails: allowed is true.*\n$/,
	);
	rmSync(packs, { recursive: true });
});

test("facts that give one name twice are misuse: no decision rests on the last of two", () => {
	const { code, error, lines } = policy("decide", "--facts", file('{"category": "otp",\n"category": "marketing"}'));
	assert.deepEqual([code, lines], [2, []]);
	assert.match(
		error,
		/^lethe policy decide: .*facts\.json:2:1: a name that stands there already: .* Give each once\.\n$/,
	);
});

test("a file that is missing or not JSON is misuse", () => {
	const absent = policy("decide", "--facts", join(folder, "absent.json"));
	assert.deepEqual([absent.code, /can't be read/.test(absent.error)], [2, true]);
	const text = policy("decide", "--facts", file('{\n  "category": otp\n}'));
	assert.equal(text.code, 2);
	assert.match(text.error, /^lethe policy decide: .*facts\.json:2:15: not JSON: .*\n$/);
	assert.doesNotMatch(text.error, /otp/);
});

test("the published packs pass their own cases, and a pack that can't be read is named", () => {
	const { code, lines } = policy("test");
	assert.equal(code, 0);
	assert.match(lines.at(-1) ?? "", /^\d+ cases, 0 fault\(s\)$/);
	const bad = policy("test", "--packs", folder);
	assert.equal(bad.code, 2);
	assert.match(bad.error, /^lethe policy test: .*facts\.json:1: .*\n$/);
});
