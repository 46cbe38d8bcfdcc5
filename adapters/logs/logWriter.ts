// Writes one process's log lines to files, encrypted to a public key that the process can't undo (age, age-encryption.org/v1).
//
// A file is a row of armored age files, one a flush: each is whole by itself, so that what a crash or a full disk cuts off
// costs that one, and any age program opens it.

import { type FileHandle, mkdir, open } from "node:fs/promises";
import { join } from "node:path";
import { armor, Encrypter } from "age-encryption";
import { limits } from "../../domain/limits.ts";
import { dropLogFiles, logFileName } from "./logFiles.ts";

export type LogWriter = ReturnType<typeof createLogWriter>;

type Open = { handle: FileHandle; beganAt: number; bytes: number; recipient: string };

/**
 * @param deps `recipient` is asked for each new file; the last one known serves while it can't be had. `lifetimeMs`: no line
 * stays longer. `tell` hears, once, the code of what keeps lines from being written, and "written" once they are again
 */
// biome-ignore lint/complexity/noExcessiveLinesPerFunction: a factory; the functions in it are short.
export function createLogWriter(deps: {
	dir: string;
	process: string;
	recipient: () => Promise<string>;
	clock: () => number;
	/** Epoch milliseconds; may reject. */
	vaultTime: () => Promise<number>;
	randomBytes: (size: number) => Buffer;
	lifetimeMs: number;
	fileBytesMax: number;
	tell: (code: string) => void;
}) {
	const fileAgeMsMax = Math.min(limits.logFileAgeMsMax, deps.lifetimeMs / 2);
	let lines: string[] = [];
	let bytes = 0;
	let lostCount = 0;
	let file: Open | undefined;
	let told: string | undefined;
	let timer: NodeJS.Timeout | undefined;
	let dueAt = 0;
	let flushing: Promise<void> = Promise.resolve();
	const dropping = setInterval(() => void drop(), Math.min(limits.logDropEveryMs, deps.lifetimeMs / 2)).unref();

	async function drop(): Promise<void> {
		// By the earlier of two clocks: one that is ahead would take every process's lines along, also those that it writes.
		const other = await deps.vaultTime().catch(() => Number.POSITIVE_INFINITY);
		// What can't be deleted now is tried again.
		await dropLogFiles(deps.dir, deps.lifetimeMs, Math.min(deps.clock(), other)).catch(() => 0);
	}

	async function current(): Promise<Open> {
		const now = deps.clock();
		const isFresh = (known: Open) => known.bytes < deps.fileBytesMax && now < known.beganAt + fileAgeMsMax;
		if (file && isFresh(file)) return file;
		const recipient = await deps.recipient().catch(() => file?.recipient);
		if (recipient === undefined) throw Object.assign(new Error("no recipient"), { code: "log_key_unavailable" });
		await mkdir(deps.dir, { recursive: true, mode: 0o700 });
		const path = join(deps.dir, logFileName(deps.process, now, deps.randomBytes(8).toString("hex")));
		// Its own: nobody else writes to it, and what stands there already is never written over.
		const handle = await open(path, "ax", 0o600);
		await file?.handle.close();
		file = { handle, beganAt: now, bytes: 0, recipient };
		await drop();
		return file;
	}

	async function append(text: string): Promise<void> {
		const target = await current();
		const encrypter = new Encrypter();
		encrypter.addRecipient(target.recipient);
		const block = Buffer.from(`${armor.encode(await encrypter.encrypt(text)).trimEnd()}\n`);
		try {
			await target.handle.appendFile(block);
			target.bytes += block.length;
		} catch (error) {
			// Half a block helps nobody. Where that fails too, the reader steps over it.
			await target.handle.truncate(target.bytes).catch(() => undefined);
			throw error;
		}
	}

	async function flushNow(): Promise<void> {
		clearTimeout(timer);
		timer = undefined;
		if (lines.length === 0) return;
		const [taken, takenBytes, lost] = [lines, bytes, lostCount];
		[lines, bytes] = [[], 0];
		try {
			await append([...(lost > 0 ? [lostLine(lost)] : []), ...taken].join(""));
			lostCount -= lost;
			if (told !== undefined) deps.tell("written");
			told = undefined;
		} catch (error) {
			const { code = "failed" } = error as { code?: string };
			if (told !== code) deps.tell(code);
			told = code;
			// Tried again with the next ones, as many as there is room for: the oldest tell how it began.
			const newer = lines;
			[lines, bytes] = [taken, takenBytes];
			for (const line of newer) keep(line);
			later();
		}
	}

	function keep(line: string): boolean {
		if (bytes + line.length > limits.logBufferBytesMax) {
			lostCount++;
			return false;
		}
		lines.push(line);
		bytes += line.length;
		return true;
	}

	function lostLine(count: number): string {
		const said = { level: 50, time: deps.clock(), process: deps.process, code: "log_lines_lost", lostCount: count };
		return `${JSON.stringify({ ...said, msg: "log lines were lost" })}\n`;
	}

	function later(waitMs: number = limits.logFlushMs): void {
		const at = performance.now() + waitMs;
		if (timer && at >= dueAt) return;
		clearTimeout(timer);
		dueAt = at;
		timer = setTimeout(() => void flush(), waitMs).unref();
	}

	function flush(): Promise<void> {
		flushing = flushing.then(flushNow);
		return flushing;
	}

	return {
		/** Takes a line; it is in a file within a second. Never throws. */
		write(line: string): void {
			if (!keep(line)) return;
			// What may be the last line before an end is not kept waiting; nor may a flood of them take all the time.
			const isUrgent = told === undefined && (isGrave(line) || bytes >= limits.logBlockBytesMax);
			later(isUrgent ? limits.logFlushSoonMs : limits.logFlushMs);
		},
		/** Begins the first file. @throws what keeps it from that: no key, no folder, no room */
		start: async (): Promise<void> => void (await current()),
		/** Writes what waits, as far as that is possible. */
		flush,
		async close(): Promise<void> {
			clearInterval(dropping);
			await flush();
			clearTimeout(timer);
			await file?.handle.close();
			file = undefined;
		},
	};
}

function isGrave(line: string): boolean {
	return /^\{"level":[56]0,/.test(line);
}
