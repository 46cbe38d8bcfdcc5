// Locks between processes that the system itself releases when their holder dies, however it dies.

import { closeSync, openSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";

const busy = 5;

/** Takes the lock named by a file path; undefined when another holds it. Held until released or this process ends. */
export function takeLock(path: string): { release: () => void } | undefined {
	createIfAbsent(path);
	const database = new DatabaseSync(path, { timeout: 0 });
	try {
		database.exec("BEGIN EXCLUSIVE");
	} catch (error) {
		database.close();
		if ((error as { errcode?: number }).errcode === busy) return undefined;
		throw error;
	}
	return { release: () => database.close() };
}

/** Waits for the lock; `onWait` is called once if another holds it. */
export async function waitForLock(path: string, onWait: () => void): Promise<{ release: () => void }> {
	for (let waits = 0; ; waits++) {
		const lock = takeLock(path);
		if (lock) return lock;
		if (waits === 0) onWait();
		await sleep(200);
	}
}

// Only "wx": opening a file that this process has locked, and closing it again, would release the lock.
function createIfAbsent(path: string): void {
	try {
		closeSync(openSync(path, "wx", 0o600));
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
	}
}
