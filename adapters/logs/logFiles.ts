// The files that encrypted logs are kept in: their names, and the end of those whose time is over.

import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";

const pattern = /^([a-z]+)-(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)(\d{3})Z-[0-9a-f]{16}\.log\.age$/;

/** One file: which process wrote it, and when it began, epoch ms: nothing in it is older. */
export type LogFile = { path: string; process: string; beganAt: number };

/** `token`: sixteen hex digits, for two processes may begin at once. */
export function logFileName(process: string, beganAt: number, token: string): string {
	return `${process}-${new Date(beganAt).toISOString().replace(/[-:.]/g, "")}-${token}.log.age`;
}

/** The files in a folder, by when they began; others are not Lethe's logs and are left alone. */
export async function listLogFiles(dir: string): Promise<LogFile[]> {
	const files = (await readdir(dir)).flatMap((name) => {
		const [, process, ...parts] = pattern.exec(name) ?? [];
		if (process === undefined) return [];
		const [year, month, day, hour, minute, second, ms] = parts;
		const beganAt = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}.${ms}Z`);
		return Number.isNaN(beganAt) ? [] : [{ path: join(dir, name), process, beganAt }];
	});
	return files.sort((one, other) => one.beganAt - other.beganAt || (one.path < other.path ? -1 : 1));
}

/** Deletes every file, whichever process wrote it, whose oldest line may be older than that; answers how many. */
export async function dropLogFiles(dir: string, lifetimeMs: number, now: number): Promise<number> {
	const over = (await listLogFiles(dir)).filter(({ beganAt }) => beganAt + lifetimeMs <= now);
	for (const { path } of over) await rm(path, { force: true });
	return over.length;
}
