// The canary runs again when it is due, never two at once, and a restart of the launcher does not put it off for ever.

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { formatId } from "../../domain/ids.ts";
import { repeatCanary } from "../../stack/canaryRuns.ts";
import { until } from "../harness/until.ts";

const folder = mkdtempSync(join(tmpdir(), "lethe-canary-runs-"));
after(() => rmSync(folder, { recursive: true, force: true }));

test("it runs once it is due, one at a time, keeps its report for its owner, and says how it ended", async () => {
	const reportFile = join(folder, "canary", "report.json");
	const said: string[] = [];
	const signed = { id: formatId("canary", new Uint8Array(32)), jws: "a.b.c" };
	const results = [{ code: 0, report: JSON.stringify({ signed }) }, { code: 1, report: "[]" }, undefined];
	let atOnce = 0;
	let runs = 0;
	const stop = repeatCanary({
		...{ everyMs: 20, reportFile, log: (line) => said.push(line) },
		async run() {
			assert.equal(++atOnce, 1);
			await new Promise((resolve) => setTimeout(resolve, 50));
			atOnce--;
			const result = results[runs++ % results.length];
			if (!result) throw new Error("no shell");
			return result;
		},
	});
	await until(() => said.length >= 3);
	stop();
	assert.deepEqual(
		said.slice(0, 3).map((line) => line.split(";")[0]),
		["canary: clean", "canary: NOT CLEAN", "canary: could not run"],
	);
	assert.equal(statSync(reportFile).mode & 0o777, 0o600);
	assert.equal(readFileSync(join(folder, "canary", `${signed.id}.jws`), "utf8"), signed.jws);
	const count = runs;
	await new Promise((resolve) => setTimeout(resolve, 120));
	assert.ok(runs <= count + 1, "but for the one under way none begins after the end");
});

test("what was due while nothing ran is run at once; what is not due yet is not", async () => {
	const reportFile = join(folder, "canary", "report.json");
	let runs = 0;
	const run = async () => ({ code: 0, report: `${++runs}` });
	const options = { everyMs: 3600_000, reportFile, log: () => undefined, run };
	utimesSync(reportFile, 1, 1);
	const stopLate = repeatCanary(options);
	await until(() => readFileSync(reportFile, "utf8") === "1");
	stopLate();
	const stopEarly = repeatCanary(options);
	await new Promise((resolve) => setTimeout(resolve, 100));
	stopEarly();
	assert.equal(runs, 1);
});

test("where its report can't be kept it says so, ends nothing else, and runs again no sooner than the next one is due", async () => {
	const occupied = join(folder, "occupied");
	writeFileSync(occupied, "");
	const said: string[] = [];
	const begun: number[] = [];
	const stop = repeatCanary({
		...{ everyMs: 500, reportFile: join(occupied, "report.json"), log: (line) => said.push(line) },
		async run() {
			begun.push(Date.now());
			return { code: 0, report: "" };
		},
	});
	await until(() => begun.length === 2);
	stop();
	const [first = 0, second = 0] = begun;
	// A timer may be over a millisecond before its time.
	assert.ok(second - first >= 498, `${second - first} ms`);
	assert.match(said[0] ?? "", /^canary: clean; its report can't be kept: EEXIST/);
});
