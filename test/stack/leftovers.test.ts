// Leftovers: what a killed launcher left is ended; what only bears a remembered id is left alone.

import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { identify } from "../../stack/identity.ts";
import { endLeftovers } from "../../stack/leftovers.ts";
import { runs, start } from "../harness/programs.ts";

const folder = mkdtempSync(join(tmpdir(), "lethe-leftovers-"));
after(() => rmSync(folder, { recursive: true }));

const linger = (script = "") => {
	const program = start(process.execPath, ["-e", `${script}; console.log("up"); setInterval(() => undefined, 1000)`], {
		detached: true,
	});
	return { program, pid: program.child.pid as number };
};
const remember = (name: string, entry: unknown) =>
	writeFileSync(join(folder, `${name}.json`), typeof entry === "string" ? entry : JSON.stringify(entry));

test("each remembered process is ended, and forgotten", async () => {
	const [one, two] = [linger(), linger()];
	for (const { program } of [one, two]) await program.says(/up/);
	remember("redis", { pid: one.pid, identity: identify(one.pid) });
	remember("vault", { pid: two.pid, identity: identify(two.pid) });
	assert.deepEqual((await endLeftovers(folder)).sort(), ["redis", "vault"]);
	assert.deepEqual([runs(one.pid), runs(two.pid)], [false, false]);
	assert.deepEqual(readdirSync(folder), []);
});

test("a process that only has the same id as a remembered one is left alone", async () => {
	const { program, pid } = linger();
	await program.says(/up/);
	remember("redis", { pid, identity: `${identify(pid)}0` });
	assert.deepEqual(await endLeftovers(folder), []);
	assert.equal(runs(pid), true);
	await program.end("SIGKILL");
});

test("a process that is gone, and a file cut off by a crash, name nobody", async () => {
	const { program, pid } = linger();
	await program.says(/up/);
	const identity = identify(pid);
	await program.end("SIGKILL");
	assert.equal(identify(pid), undefined);
	remember("gone", { pid, identity });
	remember("cut", '{"pid": 1');
	remember("odd", { pid: "1", identity: "x" });
	assert.deepEqual(await endLeftovers(folder), []);
	assert.deepEqual(readdirSync(folder), []);
});
