// Drills beside each other, and one that is broken off: what is another's is left alone, and nothing is left running.

import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, it } from "node:test";
import type { StackState } from "../../stack/stackFile.ts";
import { bareEnvironment, root, run, runs, start } from "../harness/programs.ts";

const folder = mkdtempSync(join(tmpdir(), "lethe-drill-"));
after(() => rmSync(folder, { recursive: true, force: true }));

it("a second drill in a folder leaves the first one's as it is; one that is broken off leaves nothing", async () => {
	const args = [`${root}/cli/lethe.ts`, "drill", "restore", "--dir", folder];
	const first = start(process.execPath, args, { cwd: root });
	await first.says(/carrier is ready/);
	const file = join(folder, "restore", "stack.json");
	const { servers } = JSON.parse(readFileSync(file, "utf8")) as StackState;
	const pids = Object.values(servers).map(({ pid }) => pid as number);
	assert.deepEqual(pids.filter(runs), pids);
	const second = await run(process.execPath, args);
	assert.equal(second.code, 2);
	assert.match(second.error, /^lethe: A stack runs in \S+ already \(process \d+\)\./);
	assert.ok(existsSync(file), "the first one's folder is there");
	assert.equal(await first.end("SIGINT"), 130);
	assert.deepEqual(pids.filter(runs), []);
	assert.ok(!existsSync(join(folder, "restore")), "nothing of it is left");
});

it("one whose servers do not start leaves nothing in its folder either", async () => {
	const bin = join(folder, "bin");
	mkdirSync(bin);
	writeFileSync(join(bin, "redis-server"), "#!/bin/sh\nexit 3\n", { mode: 0o755 });
	const env = bareEnvironment({ PATH: `${bin}:${process.env.PATH}` });
	const { code, error } = await run(process.execPath, [`${root}/cli/lethe.ts`, "drill", "forget", "--dir", folder], {
		env,
	});
	assert.deepEqual([code, existsSync(join(folder, "forget"))], [2, false], error);
	assert.match(error, /redis did not start/);
});
