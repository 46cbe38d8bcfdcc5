// `lethe logs`: opens the processes' encrypted logs for the logreader role; that they are read is on record before a line is.

import { setTimeout as sleep } from "node:timers/promises";
import { Command, InvalidArgumentError, Option } from "commander";
import type { LogLine } from "../adapters/logs/logReader.ts";
import { addExample } from "./examples.ts";
import { logReading } from "./target.ts";

const levels = { debug: 20, info: 30, warn: 40, error: 50, fatal: 60 } as const;
type Level = keyof typeof levels;

const processes = ["api", "sender", "worker"] as const;
const followEveryMs = 1_000;
const units = { s: 1_000, m: 60_000, h: 3600_000, d: 24 * 3600_000 } as const;

/** Exit 0: all that there is was read; 1: some of it could not be opened; 2: misuse, or it may not be read. */
export function logsCommand(): Command {
	return addExample(new Command("logs"), "lethe logs --since 15m --process worker --level warn")
		.description("Read the processes' logs, by time; the reading is entered in the evidence log first.")
		.option("--since <time>", "a time (RFC 3339), or how long ago: 90s, 15m, 6h, 2d", parseSince)
		.addOption(new Option("--process <name>", "of one process").choices(processes))
		.addOption(new Option("--level <level>", "that level and graver").choices(Object.keys(levels)).default("info"))
		.option("--follow", "go on with what is written meanwhile, until interrupted")
		.option("--json", "print each line as JSON")
		.action(async (options: Options) => {
			const reading = await logReading();
			try {
				// Nothing is opened, let alone shown, before it is on record who asked for what.
				await reading.evidence.append([{ type: "logs_read", code: options.process ?? "all", by: "logreader" }]);
				await show(reading.openReader(await reading.identities()), options);
			} finally {
				await reading.close();
			}
		});
}

type Options = { since?: number; process?: (typeof processes)[number]; level: Level; follow?: true; json?: true };
type Reader = ReturnType<Awaited<ReturnType<typeof logReading>>["openReader"]>;

async function show(reader: Reader, { since, process: of, level, follow, json }: Options): Promise<void> {
	const interrupt = new AbortController();
	const stop = () => interrupt.abort();
	let shownCount = 0;
	process.once("SIGINT", stop).once("SIGTERM", stop);
	do {
		for await (const line of reader.read({ since, process: of, isLive: follow === true })) {
			if (line.level < levels[level]) continue;
			shownCount++;
			process.stdout.write(`${json ? shown(JSON.stringify(line)) : describe(line)}\n`);
		}
		if (follow) await sleep(followEveryMs, undefined, { signal: interrupt.signal }).catch(() => undefined);
	} while (follow && !interrupt.signal.aborted);
	process.off("SIGINT", stop).off("SIGTERM", stop);
	if (shownCount === 0)
		process.stderr.write(`lethe logs: no line of level ${level} or graver was written in that time.\n`);
	tellUnread(reader.unread);
}

function tellUnread({ torn, sealed, malformed }: Reader["unread"]): void {
	const what = [
		...(torn > 0 ? [`${torn} cut off by an end or a full disk`] : []),
		...(sealed > 0 ? [`${sealed} that no key here opens, or that were changed`] : []),
		...(malformed > 0 ? [`${malformed} lines that are no log lines`] : []),
	];
	if (what.length > 0) process.stderr.write(`lethe logs: left out: ${what.join("; ")}.\n`);
	if (sealed + malformed > 0) process.exitCode = 1;
}

/** One line for a terminal. Whoever knows the public key can write lines: no character of one may steer the terminal. */
function describe({ time, level, process: name, msg, ...fields }: LogLine): string {
	const word = Object.entries(levels).find(([, number]) => number === level)?.[0] ?? String(level);
	const told = Object.entries(fields).map(([key, value]) => `${key}=${JSON.stringify(value)}`);
	const line = [new Date(time).toISOString(), word.padEnd(5), name.padEnd(6), msg, ...told].join(" ");
	return shown(line);
}

function shown(line: string): string {
	return line.replace(/[\p{Cc}\p{Cf}]/gu, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

function parseSince(text: string): number {
	const [, count, unit] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
	if (unit !== undefined) return Date.now() - Number(count) * units[unit as keyof typeof units];
	const at = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN;
	if (Number.isNaN(at)) throw new InvalidArgumentError("Give a time like 2026-11-25T08:00:00Z, or 90s, 15m, 6h, 2d.");
	return at;
}
