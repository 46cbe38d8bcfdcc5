// The first start of a clone where packages can't be had: one line that names the mend, and soon.

import assert from "node:assert/strict";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { readIfThere } from "../../stack/files.ts";
import { bareEnvironment, root, run, runs, start } from "../harness/programs.ts";
import { until } from "../harness/until.ts";

const folder = mkdtempSync(join(tmpdir(), "lethe-boot-"));
after(() => rmSync(folder, { recursive: true }));
mkdirSync(join(folder, "stack"));
for (const path of ["package.json", "package-lock.json", ".npmrc", "stack/boot.mjs"]) {
	copyFileSync(join(root, path), join(folder, path));
}
const boot = (...args: string[]) => {
	const env = bareEnvironment({ npm_config_cache: join(folder, "cache") });
	return run(process.execPath, ["stack/boot.mjs", ...args], { cwd: folder, env });
};

test("with the registry out of reach it says so in one line, after the one that tells of the wait", async () => {
	const { code, out, error } = await boot("stack/start.ts");
	assert.deepEqual([code, out], [2, ""], "1 would be an answer");
	assert.match(
		error,
		/^Installing the pinned packages .*\nThe package registry can't be reached \(ECONNREFUSED\)\. Check the network .*\n$/,
	);
});

test("a lock that a killed start left keeps nobody waiting, though another process has its number by now", async () => {
	mkdirSync(join(folder, ".lethe"), { recursive: true });
	writeFileSync(join(folder, ".lethe", "install.lock"), `${process.pid} 1`);
	const { code, error } = await boot("stack/start.ts");
	assert.equal(code, 2);
	assert.match(error, /The package registry can't be reached/);
	assert.doesNotMatch(error, /Waiting/);
});

test("where nothing can be written it says so in one line", async () => {
	rmSync(join(folder, ".lethe"), { recursive: true, force: true });
	writeFileSync(join(folder, ".lethe"), "");
	const { code, error } = await boot("stack/start.ts");
	assert.equal(code, 2);
	assert.match(error, /^.*\.lethe can't be written \(E\w+\)\. Mend its rights, then try again\.\n$/);
	rmSync(join(folder, ".lethe"));
});

test("what installs ends with whoever asked for it, and the next one finds nothing in its way", async () => {
	const bin = join(folder, "bin");
	mkdirSync(bin);
	// In place of npm, whose work is never done.
	writeFileSync(join(bin, "npm"), '#!/bin/sh\necho $$ > "$HOME/npm.pid"\nexec sleep 600\n', { mode: 0o755 });
	const env = bareEnvironment({ PATH: `${bin}:${process.env.PATH}`, HOME: folder });
	const asking = start(process.execPath, ["stack/boot.mjs", "stack/start.ts"], { cwd: folder, env });
	const npm = await until(() => Number(readIfThere(join(folder, "npm.pid"))));
	assert.ok(runs(npm));
	assert.equal(await asking.end("SIGTERM"), 143);
	await until(() => !runs(npm));
	assert.equal(existsSync(join(folder, ".lethe", "install.lock")), false);
});

test("without a script it says how it is used", async () => {
	const { code, error } = await boot();
	assert.deepEqual([code, error], [2, "Usage: node stack/boot.mjs SCRIPT.ts [arguments]\n"]);
});

test("an error that nobody foresaw is none of the script's answers either", async () => {
	const script = 'import("./stack/boot.mjs").then(({ boot }) => { boot("x.ts"); throw new Error("unforeseen"); })';
	const { code, error } = await run(process.execPath, ["-e", script], { cwd: folder });
	assert.deepEqual([code, error.endsWith("x.ts could not be run: unforeseen\n")], [2, true], error);
});
