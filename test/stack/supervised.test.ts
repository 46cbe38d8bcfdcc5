// One supervised process: awaited, started again when it dies unasked, ended with all that it started.

import assert from "node:assert/strict";
import fs, { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { createSupervised, fatal, type Ready, untilAnswered } from "../../stack/supervised.ts";
import { runs } from "../harness/programs.ts";
import { until } from "../harness/until.ts";

const folder = mkdtempSync(join(tmpdir(), "lethe-supervised-"));
after(() => rmSync(folder, { recursive: true }));

function supervise(
	name: string,
	script: string,
	more: { ready?: Ready; readyMs?: number; stopMs?: number; onPid?: () => void } = {},
) {
	const lines: string[] = [];
	const pids: (number | null)[] = [];
	const logFile = join(folder, `${name}.log`);
	let plans = 0;
	const said = async (signal: AbortSignal) =>
		untilAnswered(
			async () => assert.match(readFileSync(logFile, "utf8"), /up/),
			signal,
			() => undefined,
		);
	const one = createSupervised({
		name,
		runDir: folder,
		logFile,
		plan: async () => {
			plans++;
			return { command: process.execPath, args: ["-e", script], env: { PLAN: String(plans) } };
		},
		ready: more.ready ?? ((_child, signal) => said(signal)),
		readyMs: more.readyMs ?? 30_000,
		stopMs: more.stopMs ?? 10_000,
		onPid(pid) {
			more.onPid?.();
			pids.push(pid);
		},
		log: (line) => lines.push(line),
	});
	const pidFile = join(folder, `${name}.json`);
	return { ...one, lines, pids, logFile, pidFile, plans: () => plans, text: () => readFileSync(logFile, "utf8") };
}

const forever = "setInterval(() => undefined, 1000)";

test("it is remembered while it runs, its log is its owner's, and its end is told", async () => {
	const one = supervise("plain", `console.log("up"); ${forever}`);
	await one.start();
	const pid = one.pid() as number;
	assert.deepEqual(one.pids, [pid]);
	assert.equal(JSON.parse(readFileSync(one.pidFile, "utf8")).pid, pid);
	assert.equal(statSync(one.logFile).mode & 0o777, 0o600);
	await one.stop();
	assert.deepEqual([runs(pid), one.pid(), existsSync(one.pidFile)], [false, null, false]);
	assert.deepEqual(one.pids, [pid, null]);
});

const limitsTold = existsSync("/proc/self/limits") ? false : "no /proc/PID/limits here";

test("what it has in memory is on no disk when it dies: no core is dumped", { skip: limitsTold }, async () => {
	const told = 'require("fs").readFileSync("/proc/self/limits", "utf8").match(/Max core file size.*/)[0]';
	const one = supervise("dumpless", `console.log(${told}, "up", process.argv.length); ${forever}`);
	await one.start();
	assert.match(one.text(), /^Max core file size +0 +0 +bytes +up 1\n$/);
	await one.stop();
});

test("one that dies while it starts leaves nothing, and says how it ended and what it said last", async () => {
	const one = supervise("dying", 'console.error("no such luck"); process.exit(3)');
	await assert.rejects(
		one.start(),
		/^Error: dying did not start: ended with exit code 3\. Its log ends with:\nno such luck$/,
	);
	assert.deepEqual([one.pid(), existsSync(one.pidFile), one.plans()], [null, false, 1]);
});

test("one that dies on a full disk, where no log says so, names the disk", async (t) => {
	const statfs = t.mock.method(fs, "statfsSync", () => ({ bavail: 0, bsize: 4096 }));
	syncBuiltinESMExports();
	const one = supervise("roomless", "process.exit(1)");
	await assert.rejects(one.start(), {
		message: `roomless did not start: ended with exit code 1. The disk of ${one.logFile} is full: make room.`,
	});
	statfs.mock.restore();
	syncBuiltinESMExports();
});

test("one that can't be written down is not left running, where nothing would find it", async () => {
	const one = createSupervised({
		name: "unwritten",
		runDir: join(folder, "absent"),
		logFile: join(folder, "unwritten.log"),
		plan: async () => ({ command: process.execPath, args: ["-e", forever], env: {} }),
		ready: () => new Promise(() => undefined),
		readyMs: 30_000,
		stopMs: 10_000,
		onPid: () => undefined,
		log: () => undefined,
	});
	await assert.rejects(one.start(), { code: "ENOENT" });
	assert.equal(one.pid(), null);
});

test("where its end can't be written down it is told, and started again all the same", async () => {
	let isFull = false;
	const one = supervise("full", `console.log("up with plan", process.env.PLAN); ${forever}`, {
		onPid() {
			if (isFull) throw new Error("no room on the disk");
		},
	});
	await one.start();
	isFull = true;
	process.kill(one.pid() as number, "SIGKILL");
	await until(() => one.lines.some((line) => /tried again/.test(line)));
	isFull = false;
	await until(() => one.pid() !== null && /up with plan [^1]/.test(one.text()));
	assert.equal(one.lines[0], "full: its end can't be written down: no room on the disk");
	await one.stop();
});

test("a program that can't be run at all is told by its name", async () => {
	const one = createSupervised({
		name: "absent",
		runDir: folder,
		logFile: join(folder, "absent.log"),
		plan: async () => ({ command: join(folder, "absent"), args: [], env: {} }),
		ready: () => new Promise(() => undefined),
		readyMs: 30_000,
		stopMs: 1_000,
		onPid: () => undefined,
		log: () => undefined,
	});
	await assert.rejects(one.start(), /^Error: absent did not start: .*absent: not found/s);
});

test("one that never answers is ended when its time is over, and the last reason is told", async () => {
	const refuse = async () => {
		throw new Error("still loading");
	};
	const ready: Ready = (_child, signal, note) => untilAnswered(refuse, signal, note);
	const one = supervise("mute", forever, { ready, readyMs: 300 });
	await assert.rejects(one.start(), /^Error: mute did not start: no answer within 0\.3 s \(still loading\)\./);
	assert.equal(runs(one.pids[0] as number), false);
});

test("what no wait can mend ends the wait at once", async () => {
	const ready: Ready = (_child, signal, note) =>
		untilAnswered(
			async () => {
				throw fatal("its key is gone");
			},
			signal,
			note,
		);
	const one = supervise("hopeless", forever, { ready });
	await assert.rejects(one.start(), /hopeless did not start: its key is gone\./);
});

test("its end is the end of all that it started", async () => {
	const child = `require("node:child_process").spawn(process.execPath, ["-e", ${JSON.stringify(forever)}])`;
	const one = supervise("parent", `console.log("up", ${child}.pid); ${forever}`);
	await one.start();
	const grandchild = Number(/up (\d+)/.exec(one.text())?.[1]);
	assert.equal(runs(grandchild), true);
	await one.kill();
	await until(() => !runs(grandchild));
});

test("one that ignores a polite end is ended by force", async () => {
	const one = supervise("stubborn", `process.on("SIGTERM", () => undefined); console.log("up"); ${forever}`, {
		stopMs: 200,
	});
	await one.start();
	const pid = one.pid() as number;
	await one.stop();
	assert.equal(runs(pid), false);
});

test("one that dies unasked is started again with a fresh plan; one that was stopped is not", async () => {
	const one = supervise("revived", `console.log("up with plan", process.env.PLAN); ${forever}`);
	await one.start();
	const first = one.pid() as number;
	process.kill(first, "SIGKILL");
	await until(() => /up with plan 2/.test(one.text()));
	assert.deepEqual(one.lines, ["revived died; starting it again"]);
	assert.notEqual(one.pid(), first);
	await one.stop();
	await one.start();
	await one.stop();
	assert.equal(one.plans(), 3);
	assert.equal(one.pid(), null);
});
