// Locks: one holder at a time, and free again when the holder dies, however it dies.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { takeLock, waitForLock } from "../../stack/lock.ts";
import { root, start } from "../harness/programs.ts";

const folder = mkdtempSync(join(tmpdir(), "lethe-lock-"));
after(() => rmSync(folder, { recursive: true }));

test("a lock has one holder, until it is released", () => {
	const path = join(folder, "one.lock");
	const first = takeLock(path);
	assert.ok(first);
	assert.equal(takeLock(path), undefined);
	first.release();
	const second = takeLock(path);
	assert.ok(second);
	second.release();
});

test("kill -9 of the holder frees it, and whoever waits gets it", async () => {
	const path = join(folder, "killed.lock");
	const program = `
		import { takeLock } from ${JSON.stringify(join(root, "stack/lock.ts"))};
		console.log(takeLock(${JSON.stringify(path)}) ? "held" : "refused");
		setInterval(() => undefined, 1000);
	`;
	const holder = start(process.execPath, ["--input-type=module", "-e", program]);
	await holder.says(/^held$/m);
	assert.equal(takeLock(path), undefined);
	let waits = 0;
	const waiting = waitForLock(path, () => {
		waits++;
		holder.child.kill("SIGKILL");
	});
	(await waiting).release();
	assert.equal(waits, 1);
});
