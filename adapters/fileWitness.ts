// A witness in a file: the last checkpoint, replaced at once or not at all.

import { randomBytes } from "node:crypto";
import { link, readFile, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { LetheError } from "../domain/errors.ts";
import { isOfOneLog } from "../domain/evidence.ts";
import { makeFolder, syncFolder, writeSynced } from "./onDisk.ts";
import type { Witness } from "./witness.ts";

/**
 * On the disk when it answers. What it was shown of other logs stays beside it, numbered from 1. Throws LetheError
 * store_unavailable when the file can't be read or written.
 */
export function createFileWitness(path: string): Witness {
	async function readBefore(): Promise<string[]> {
		const found: string[] = [];
		for (;;) {
			const note = await readNote(`${path}.${found.length + 1}`);
			if (note === undefined) return found;
			found.push(note);
		}
	}

	/** Linked: it has two names until the other one is another's. */
	async function keepBefore(note: string): Promise<void> {
		const last = await readNote(path);
		if (last === undefined || isOfOneLog(last, note)) return;
		const before = await readBefore();
		if (before.at(-1) === last) return;
		await link(path, `${path}.${before.length + 1}`);
		await syncFolder(dirname(path));
	}

	return {
		name: "file",
		read: () => guardFile(() => readNote(path)),
		before: () => guardFile(readBefore),
		write: (note) =>
			guardFile(async () => {
				await keepBefore(note);
				await makeFolder(dirname(path));
				// Of two that write at once neither may write into the other's.
				const next = `${path}.${randomBytes(6).toString("hex")}`;
				try {
					await writeSynced(next, note);
					await rename(next, path);
				} finally {
					await rm(next, { force: true });
				}
				await syncFolder(dirname(path));
				return true;
			}),
	};
}

async function readNote(path: string): Promise<string | undefined> {
	try {
		return await readFile(path, "utf8");
	} catch (error) {
		if ((error as { code?: string }).code === "ENOENT") return undefined;
		throw error;
	}
}

async function guardFile<T>(act: () => Promise<T>): Promise<T> {
	try {
		return await act();
	} catch (error) {
		throw new LetheError("store_unavailable", { cause: `witness file ${(error as { code?: string }).code ?? ""}` });
	}
}
