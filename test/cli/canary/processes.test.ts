// What processes could leave of their memory is looked at where the kernel tells it, and what can't be told is no pass.

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { examineProcesses } from "../../../cli/canary/processes.ts";

const folder = mkdtempSync(join(tmpdir(), "lethe-processes-"));
after(() => rmSync(folder, { recursive: true, force: true }));

type Told = { core?: string; environ?: string; cmdline?: string; pattern?: string; swaps?: string; files?: string[] };

let count = 0;
function examine({
	core = "0  0",
	environ = "PATH=/bin",
	cmdline = "node",
	pattern = "core",
	swaps = "",
	files = [],
}: Told) {
	const proc = join(folder, String(count++));
	const cwd = join(proc, "app");
	for (const dir of [cwd, join(proc, "sys/kernel"), join(proc, "7"), join(proc, "8")])
		mkdirSync(dir, { recursive: true });
	for (const pid of ["7", "8"]) {
		writeFileSync(
			join(proc, pid, "limits"),
			`Limit\nMax core file size        ${pid === "7" ? core : "0  0"}  bytes\n`,
		);
		writeFileSync(join(proc, pid, "environ"), `${pid === "7" ? environ : "PATH=/bin"}\0`);
		writeFileSync(join(proc, pid, "cmdline"), pid === "7" ? cmdline : "node");
		symlinkSync(cwd, join(proc, pid, "cwd"));
	}
	for (const name of files) writeFileSync(join(cwd, name), "");
	writeFileSync(join(proc, "sys/kernel/core_pattern"), pattern);
	writeFileSync(join(proc, "swaps"), `Filename Type Size Used Priority\n${swaps}`);
	const entry = (pid: number | null) => ({ pid, logFile: "x" });
	const processes = { api: entry(7), worker: entry(8), carrier: entry(9) };
	const servers = { redis: { pid: 8 } } as never;
	return new Map(
		examineProcesses({ processes, servers }, proc).map(({ check, ok, detail }) => [check, { ok, detail }]),
	);
}

test("a machine where nothing is written of memory passes, and swap is noted", () => {
	const checks = examine({ pattern: "|/usr/lib/dumper %p", swaps: "/swapfile file 1 0 -2\n" });
	assert.ok(
		[...checks.values()].every(({ ok }) => ok),
		JSON.stringify([...checks]),
	);
	assert.match(checks.get("core dumps")?.detail ?? "", /api, worker, redis; .*\/usr\/lib\/dumper$/);
	assert.match(checks.get("swap")?.detail ?? "", /^NOTE: .*\/swapfile/);
	assert.equal(examine({}).get("swap")?.detail, "there is none");
});

test("each way out of memory fails its check, and names the process", () => {
	const ways: [string, Told][] = [
		["core dumps", { core: "0  unlimited" }],
		["core dumps", { core: "unlimited unlimited" }],
		["error reports", { environ: "NODE_OPTIONS=--report-on-fatalerror" }],
		["error reports", { environ: "A=b\0NODE_OPTIONS=--max-old-space-size=9 --heapsnapshot-signal=SIGUSR2" }],
		["error reports", { cmdline: "node\0--inspect=0\0api/server.ts" }],
		["error reports", { files: ["report.20261126.000000.7.0.001.json"] }],
		["error reports", { files: ["core.7"] }],
		["traces", { environ: "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:1" }],
		["traces", { environ: "NODE_OPTIONS=--require tracer" }],
	];
	for (const [check, told] of ways) {
		const checks = examine(told);
		const failed = [...checks].filter(([, { ok }]) => !ok).map(([name]) => name);
		assert.deepEqual(failed, [check], JSON.stringify(told));
	}
});

test("where the kernel tells nothing of it nothing passes", () => {
	const processes = { api: { pid: 7, logFile: "x" } };
	const checks = examineProcesses({ processes, servers: {} as never }, join(folder, "absent"));
	assert.ok(checks.length === 4 && checks.every(({ ok }) => !ok));
});
