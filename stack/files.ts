// Files and folders that only their owner may read, written whole or not at all.

import { randomBytes } from "node:crypto";
import {
	chmodSync,
	closeSync,
	existsSync,
	fsyncSync,
	mkdirSync,
	openSync,
	readFileSync,
	renameSync,
	rmSync,
	statSync,
	writeFileSync,
} from "node:fs";
import { dirname, resolve } from "node:path";

/** Makes a folder, and those above it, at 0700; an existing one is closed to others. @throws the system's error */
export function makePrivateFolder(path: string): string {
	// Not mkdir's own `recursive`: it never ends where nothing can be made, as in /proc.
	const missing = [resolve(path)];
	for (let above = dirname(resolve(path)); !existsSync(above); above = dirname(above)) missing.unshift(above);
	for (const folder of missing) makeFolder(folder);
	chmodSync(path, 0o700);
	return path;
}

function makeFolder(path: string): void {
	try {
		mkdirSync(path, { mode: 0o700 });
	} catch (error) {
		const isThere = (error as NodeJS.ErrnoException).code === "EEXIST" && statSync(path).isDirectory();
		if (!isThere) throw error;
	}
}

/** Writes a file at 0600. Whoever reads meanwhile sees the old content or the new, never a part; so does a crash. @throws the system's error */
export function writePrivateFile(path: string, content: string | Uint8Array): void {
	const draft = `${path}.${randomBytes(4).toString("hex")}`;
	const file = openSync(draft, "wx", 0o600);
	try {
		// Not by `writeSync`: where the disk is full it writes a part, and is content.
		writeFileSync(file, content);
		fsyncSync(file);
		renameSync(draft, path);
	} catch (error) {
		rmSync(draft, { force: true });
		throw error;
	} finally {
		closeSync(file);
	}
}

/** A file's text, trimmed; undefined when there is none. */
export function readIfThere(path: string): string | undefined {
	try {
		return readFileSync(path, "utf8").trim();
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
		throw error;
	}
}
