// Reads encrypted log files back: whole blocks only, in the order of time over all processes.

import { open, stat } from "node:fs/promises";
import { armor, Decrypter } from "age-encryption";
import { type LogFile, listLogFiles } from "./logFiles.ts";

/** One line. `time`: epoch ms; `level` as pino counts; the rest are listed fields. */
export type LogLine = { time: number; level: number; process: string; msg: string; [field: string]: unknown };

/** What could not be read: blocks cut off by a crash or a full disk, blocks for another key, lines that are none. */
export type Unread = { torn: number; sealed: number; malformed: number };

export type LogReader = ReturnType<typeof createLogReader>;

// Later than this is no date.
const timeMax = 8.64e15;
const begin = "-----BEGIN AGE ENCRYPTED FILE-----";
const end = "-----END AGE ENCRYPTED FILE-----";

/** `identities`: the private keys to try. */
export function createLogReader(deps: { dir: string; identities: readonly string[] }) {
	const decrypter = new Decrypter();
	for (const identity of deps.identities) decrypter.addIdentity(identity);
	const readUpTo = new Map<string, number>();
	const unread: Unread = { torn: 0, sealed: 0, malformed: 0 };

	async function openBlock(block: string): Promise<string> {
		try {
			return await decrypter.decrypt(armor.decode(block), "text");
		} catch {
			unread.sealed++;
			return "";
		}
	}

	function parse(text: string): LogLine[] {
		const lines = text.split("\n").filter((line) => line !== "");
		const parsed = lines.flatMap((line) => parseLine(line) ?? []);
		unread.malformed += lines.length - parsed.length;
		return parsed;
	}

	/** What a file has beyond what was read of it before. A last block without its end may still be on its way. */
	async function* textsOf({ path }: LogFile, isLive: boolean): AsyncGenerator<string> {
		const from = readUpTo.get(path) ?? 0;
		const text = await readFrom(path, from);
		let at = 0;
		for (let start = text.indexOf(begin); start !== -1; start = text.indexOf(begin, at)) {
			const next = text.indexOf(begin, start + begin.length);
			const stop = text.indexOf(end, start);
			if (stop === -1 || (next !== -1 && next < stop)) {
				if (next === -1 && isLive) break;
				unread.torn++;
				at = next === -1 ? text.length : next;
				continue;
			}
			at = stop + end.length;
			yield await openBlock(text.slice(start, at));
			readUpTo.set(path, from + at);
		}
		readUpTo.set(path, from + at);
	}

	async function* linesOf(file: LogFile, isLive: boolean): AsyncGenerator<LogLine> {
		for await (const text of textsOf(file, isLive)) yield* parse(text);
	}

	/**
	 * What was written since the last call, by time. A file is opened only once those before it have come to its beginning.
	 * @param options `since` epoch ms; `isLive`: more is to come, and is asked for again
	 * @throws the system's error when the folder can't be read
	 */
	async function* read(options: { since?: number | undefined; process?: string | undefined; isLive?: boolean } = {}) {
		const { since = 0, process, isLive = false } = options;
		const files = (await listLogFiles(deps.dir)).filter((file) => process === undefined || file.process === process);
		const waiting = await sinceThen(files, since);
		const opened: { lines: AsyncGenerator<LogLine>; head: LogLine }[] = [];
		const advance = async (lines: AsyncGenerator<LogLine>) => {
			const { value, done } = await lines.next();
			if (!done) opened.push({ lines, head: value });
		};
		for (;;) {
			opened.sort((one, other) => one.head.time - other.head.time);
			const [next] = waiting;
			if (next && (opened.length === 0 || next.beganAt <= (opened[0]?.head.time ?? 0))) {
				waiting.shift();
				await advance(linesOf(next, isLive));
				continue;
			}
			const first = opened.shift();
			if (!first) return;
			if (first.head.time >= since) yield first.head;
			await advance(first.lines);
		}
	}

	/** All that stands in the files now, block by block, lines or not. */
	async function* texts(): AsyncGenerator<{ path: string; text: string }> {
		for (const file of await listLogFiles(deps.dir)) {
			for await (const text of textsOf(file, true)) yield { path: file.path, text };
		}
	}

	return { read, texts, unread };
}

// A file's last line is no younger than its last change, but for the coarse clock of file systems.
const fileClockMs = 2_000;
async function sinceThen(files: LogFile[], since: number): Promise<LogFile[]> {
	const kept: LogFile[] = [];
	for (const file of files) {
		// One that was dropped meanwhile is gone.
		const stats = await stat(file.path).catch(() => undefined);
		if (stats && stats.mtimeMs + fileClockMs >= since) kept.push(file);
	}
	return kept;
}

async function readFrom(path: string, from: number): Promise<string> {
	const handle = await open(path, "r").catch(() => undefined);
	if (!handle) return "";
	try {
		const { size } = await handle.stat();
		const bytes = Buffer.alloc(Math.max(0, size - from));
		const { bytesRead } = await handle.read(bytes, 0, bytes.length, from);
		return bytes.toString("latin1", 0, bytesRead);
	} finally {
		await handle.close();
	}
}

function parseLine(text: string): LogLine | undefined {
	try {
		const line = JSON.parse(text) as LogLine;
		const { time, level, process } = line;
		const isTime = Number.isFinite(time) && time >= 0 && time <= timeMax;
		return isTime && Number.isFinite(level) && typeof process === "string" ? line : undefined;
	} catch {
		return undefined;
	}
}
