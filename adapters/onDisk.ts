// What is on the disk when it is said to be: a file that was synced is lost all the same while its name, or its folder's, is not.

import { mkdir, open } from "node:fs/promises";
import { dirname, resolve } from "node:path";

/** Makes a folder, and those above it, for its owner alone; a name that was made is on the disk when it answers. */
export async function makeFolder(path: string): Promise<void> {
	const first = await mkdir(path, { recursive: true, mode: 0o700 });
	if (first === undefined) return;
	const top = resolve(first);
	for (let made = resolve(path); made.length >= top.length; made = dirname(made)) await syncFolder(dirname(made));
}

/** Writes a new file for its owner alone; what it holds is on the disk when it answers, its name with its folder. */
export async function writeSynced(path: string, text: string): Promise<void> {
	const file = await open(path, "wx", 0o600);
	try {
		await file.writeFile(text);
		await file.sync();
	} finally {
		await file.close();
	}
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
