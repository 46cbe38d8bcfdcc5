// A witness in a file: the last checkpoint, replaced at once or not at all.

import { randomBytes } from "node:crypto";
import { mkdir, open, readFile, rename } from "node:fs/promises";
import { dirname } from "node:path";
import { LetheError } from "../domain/errors.ts";
import type { Witness } from "./witness.ts";

const privateFolder = 0o700;
const privateFile = 0o600;

/** Throws LetheError store_unavailable when the file can't be read or written. */
export function createFileWitness(path: string): Witness {
	return {
		name: "file",
		read: () =>
			guardFile(async () => {
				try {
					return await readFile(path, "utf8");
				} catch (error) {
					if ((error as { code?: string }).code === "ENOENT") return undefined;
					throw error;
				}
			}),
		write: (note) =>
			guardFile(async () => {
				await mkdir(dirname(path), { recursive: true, mode: privateFolder });
				// Of two that write at once neither may write into the other's.
				const next = `${path}.${randomBytes(6).toString("hex")}`;
				const file = await open(next, "w", privateFile);
				try {
					await file.writeFile(note);
					await file.sync();
				} finally {
					await file.close();
				}
				await rename(next, path);
				return true;
			}),
	};
}

async function guardFile<T>(act: () => Promise<T>): Promise<T> {
	try {
		return await act();
	} catch (error) {
		throw new LetheError("store_unavailable", { cause: `witness file ${(error as { code?: string }).code ?? ""}` });
	}
}
