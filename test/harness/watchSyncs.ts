// What is brought to the disk: every file and folder that is synced while a test runs.

import { statSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import type { TestContext } from "node:test";

/**
 * Answers whether what stands at a path now was synced. `fail` has every further sync fail as on a disk that is full, `stop`
 * the next one of a file wait, as that of a process that was killed, until what it answers is called.
 */
export async function watchSyncs(t: TestContext) {
	const file = await open(import.meta.filename, "r");
	const handles = Object.getPrototypeOf(file) as FileHandle;
	await file.close();
	const synced = new Set<number>();
	const { sync } = handles;
	let isFull = false;
	let stopped: Promise<void> | undefined;
	t.mock.method(handles, "sync", async function (this: FileHandle) {
		if (isFull) throw Object.assign(new Error("no space left on device"), { code: "ENOSPC" });
		const { ino, isFile } = await this.stat().then((stats) => ({ ino: stats.ino, isFile: stats.isFile() }));
		const waiting = isFile ? stopped : undefined;
		if (isFile) stopped = undefined;
		await waiting;
		synced.add(ino);
		return sync.call(this);
	});
	return {
		isSynced: (path: string): boolean => synced.has(statSync(path).ino),
		forget: (): void => synced.clear(),
		stop(): () => void {
			const { promise, resolve } = Promise.withResolvers<void>();
			stopped = promise;
			return resolve;
		},
		fail: (): void => {
			isFull = true;
		},
	};
}
