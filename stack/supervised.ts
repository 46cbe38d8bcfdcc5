// One child process: started, awaited until it answers, started again when it dies unasked, ended with its group.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, closeSync, openSync, readSync, renameSync, rmSync, statfsSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { writePrivateFile } from "./files.ts";
import { identify } from "./identity.ts";

/** What to run; asked again for each start, so that credentials can be fresh. */
export type Plan = { command: string; args: string[]; env: NodeJS.ProcessEnv; cwd?: string; ipc?: boolean };

export type Supervised = ReturnType<typeof createSupervised>;

// What a process has in memory, keys and plaintext among it, is not to be on a disk when it dies. The shell gives way to
// the process: its id, its descriptors and its group stay.
const withoutDumps = 'ulimit -c 0 && exec "$0" "$@"';

const logBytesMax = 20 * 1024 * 1024;
// With less no server begins: a log of its own, a database's first files.
const roomBytesMin = 4 * 1024 * 1024;
const reviveAfterMsMax = 10_000;
const steadyAfterMs = 30_000;

/** Resolves once the process answers; `signal` aborts when the wait is over, `note` hears why it does not answer yet. */
export type Ready = (child: ChildProcess, signal: AbortSignal, note: (why: string) => void) => Promise<void>;

/** Ready once it has told its parent so, as `runProcess` does. */
export const untilTold: Ready = async (child, signal) => void (await once(child, "message", { signal }));

/** `onPid` hears each change of the process id, null while nothing runs. */
export type SupervisedDeps = {
	name: string;
	runDir: string;
	logFile: string;
	plan: () => Promise<Plan>;
	ready: Ready;
	readyMs: number;
	stopMs: number;
	onPid: (pid: number | null) => void;
	log: (line: string) => void;
};

/** Supervises one process. */
// biome-ignore lint/complexity/noExcessiveLinesPerFunction: a factory; the functions in it are short.
export function createSupervised(deps: SupervisedDeps) {
	const pidFile = join(deps.runDir, `${deps.name}.json`);
	// Rises whenever someone starts or ends it, so that what began before then gives way.
	let turn = 0;
	let wanted = false;
	let current: ChildProcess | undefined;
	let exited: Promise<void> = Promise.resolve();
	const ready = new WeakSet<ChildProcess>();

	async function launch(myTurn: number): Promise<void> {
		const plan = await deps.plan();
		if (turn !== myTurn) throw new Error(`${deps.name} was stopped while it started.`);
		const { file, from } = openLog(deps.logFile);
		const child = spawn("/bin/sh", ["-c", withoutDumps, plan.command, ...plan.args], {
			env: plan.env,
			cwd: plan.cwd,
			// A group of its own: Ctrl-C reaches the launcher alone, which then ends everything in order.
			detached: true,
			stdio: ["ignore", file, file, ...(plan.ipc ? (["ipc"] as const) : [])],
		});
		closeSync(file);
		current = child;
		const died = watch(child);
		exited = died.then(() => undefined);
		try {
			if (child.pid !== undefined) remember(child.pid);
		} catch (error) {
			// As one whose launcher died it would be found by nobody, and the next beside it.
			signalGroup(child, "SIGKILL");
			await exited;
			throw error;
		}
		const why = await whyNotReady(child, died);
		if (why === undefined) return;
		signalGroup(child, "SIGKILL");
		await exited;
		const lines = lastLines(deps.logFile, from);
		const told = lines ? ` Its log ends with:\n${lines}` : "";
		throw new Error(`${deps.name} did not start: ${why}.${wantOfRoom(deps.logFile)}${told}`);
	}

	function remember(pid: number): void {
		writePrivateFile(pidFile, JSON.stringify({ pid, identity: identify(pid) }));
		deps.onPid(pid);
	}

	// Never throws: a full disk, by which it may have died, is not to end the launcher and all else with it.
	function forget(): void {
		try {
			rmSync(pidFile, { force: true });
			deps.onPid(null);
		} catch (error) {
			deps.log(`${deps.name}: its end can't be written down: ${(error as Error).message}`);
		}
	}

	function watch(child: ChildProcess): Promise<string> {
		const startedAt = performance.now();
		return new Promise((done) => {
			const end = (why: string) => {
				if (current === child) {
					current = undefined;
					forget();
					// A parent's death must not leave its children behind.
					signalGroup(child, "SIGKILL");
				}
				done(why);
			};
			child.once("error", (error) => child.pid === undefined && end(error.message));
			child.once("exit", (code, signal) => {
				end(signal ? `ended by ${signal}` : `ended with exit code ${code}`);
				if (ready.has(child) && wanted) void revive(performance.now() - startedAt);
			});
		});
	}

	async function whyNotReady(child: ChildProcess, died: Promise<string>): Promise<string | undefined> {
		const waiting = new AbortController();
		const timer = setTimeout(() => waiting.abort(), deps.readyMs);
		let noted = "";
		const late = new Promise<string>((done) => {
			waiting.signal.addEventListener("abort", () => done(`no answer within ${deps.readyMs / 1000} s${noted}`));
		});
		const note = (why: string) => {
			noted = ` (${why})`;
		};
		const answered = deps.ready(child, waiting.signal, note).then(
			() => undefined,
			(error: Error) => error.message,
		);
		try {
			const why = await Promise.race([answered, died, late]);
			if (why === undefined) ready.add(child);
			return why;
		} finally {
			clearTimeout(timer);
			waiting.abort();
		}
	}

	async function revive(livedMs: number): Promise<void> {
		const myTurn = turn;
		deps.log(`${deps.name} died; starting it again`);
		let waitMs = livedMs > steadyAfterMs ? 100 : 500;
		for (; turn === myTurn; waitMs = Math.min(waitMs * 2, reviveAfterMsMax)) {
			await sleep(waitMs);
			if (turn !== myTurn) return;
			try {
				return await launch(myTurn);
			} catch (error) {
				if (turn === myTurn) deps.log(`${(error as Error).message}\n${deps.name} is tried again`);
			}
		}
	}

	async function end(signal: NodeJS.Signals): Promise<void> {
		turn++;
		wanted = false;
		const child = current;
		if (!child) return;
		signalGroup(child, signal);
		const timer = setTimeout(() => signalGroup(child, "SIGKILL"), deps.stopMs);
		await exited;
		clearTimeout(timer);
	}

	return {
		/** @throws one error with the end of its log when it does not get ready; nothing of it is left running then. */
		async start(): Promise<void> {
			if (current) throw new Error(`${deps.name} runs already.`);
			turn++;
			wanted = true;
			const myTurn = turn;
			try {
				await launch(myTurn);
			} catch (error) {
				if (turn === myTurn) wanted = false;
				throw error;
			}
		},
		/** Ends it, by force after `stopMs`. */
		stop: () => end("SIGTERM"),
		/** Ends it as a power cut would; it stays down until started. */
		kill: () => end("SIGKILL"),
		/** As `kill`, for a launcher that can wait for nothing any more. */
		killNow(): void {
			turn++;
			wanted = false;
			if (current) signalGroup(current, "SIGKILL");
		},
		pid: (): number | null => current?.pid ?? null,
	};
}

/** What no further wait can mend. */
export function fatal(message: string): Error {
	return Object.assign(new Error(message), { fatal: true });
}

/**
 * Repeats a probe until it does not throw, or the signal aborts.
 * @throws what `fatal` made
 */
export async function untilAnswered(
	probe: () => Promise<unknown>,
	signal: AbortSignal,
	note: (why: string) => void,
): Promise<void> {
	while (!signal.aborted) {
		try {
			await probe();
			return;
		} catch (error) {
			if ((error as { fatal?: boolean }).fatal) throw error;
			note((error as Error).message);
			await sleep(100);
		}
	}
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
	if (child.pid === undefined) return;
	try {
		process.kill(-child.pid, signal);
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
	}
}

function openLog(path: string): { file: number; from: number } {
	const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
	if (size > logBytesMax) renameSync(path, `${path}.1`);
	const file = openSync(path, "a", 0o600);
	chmodSync(path, 0o600);
	return { file, from: size > logBytesMax ? 0 : size };
}

// On a full disk no log says so.
function wantOfRoom(path: string): string {
	const { bavail, bsize } = statfsSync(path);
	return bavail * bsize < roomBytesMin ? ` The disk of ${path} is full: make room.` : "";
}

function lastLines(path: string, from: number): string {
	const file = openSync(path, "r");
	try {
		const bytes = Buffer.alloc(4096);
		const size = statSync(path).size;
		const read = readSync(file, bytes, 0, bytes.length, Math.max(from, size - bytes.length));
		return bytes.toString("utf8", 0, read).trimEnd().split("\n").slice(-12).join("\n");
	} finally {
		closeSync(file);
	}
}
