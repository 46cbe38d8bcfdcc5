// Folders that are on the disk: a file that was synced is lost all the same while its name, or its folder's, is not.

import { mkdir, open } from "node:fs/promises";
import { dirname, resolve } from "node:path";

/** Makes a folder, and those above it, for its owner alone; a name that was made is on the disk when it answers. */
export async function makeFolder(path: string): Promise<void> {
	const first = await mkdir(path, { recursive: true, mode: 0o700 });
	if (first === undefined) return;
	const top = resolve(first);
	for (let made = resolve(path); made.length >= top.length; made = dirname(made)) await syncFolder(dirname(made));
}

/** Has the names in a folder on the disk. */
export async function syncFolder(path: string): Promise<void> {
	const folder = await open(path, "r");
	try {
		await folder.sync();
	} finally {
		await folder.close();
	}
}
