// The ledger in a folder on another disk than the stores: a file an entry, each written whole or not at all.

import { mkdir, open, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { LetheError } from "../../domain/errors.ts";
import { type Epoch, type LedgerEntry, ledgerKinds } from "../../domain/ledger.ts";
import type { LedgerPlace } from "./ledger.ts";

/** Throws LetheError store_unavailable when the folder can't be read or written. */
export function createFileLedger(folder: string): LedgerPlace {
	const pathOf = (kind: string, id: string) => join(folder, kind, `${safe(id)}.json`);
	const epochFile = join(folder, "epoch.json");

	return {
		name: "file",
		put: (entry, { once }) =>
			guardFile(async () => {
				const path = pathOf(entry.kind, entry._id);
				if (once && (await readJson(path)) !== undefined) return;
				await mkdir(join(folder, entry.kind), { recursive: true, mode: 0o700 });
				await writeWhole(path, entry);
			}),
		forget: (kind, id) => guardFile(() => rm(pathOf(kind, id), { force: true })),
		all: () =>
			guardFile(async () => {
				const entries: LedgerEntry[] = [];
				for (const kind of ledgerKinds) {
					for (const name of await namesIn(join(folder, kind))) {
						const entry = await readJson<LedgerEntry>(join(folder, kind, name));
						if (entry) entries.push(entry);
					}
				}
				return entries;
			}),
		readEpoch: () => guardFile(() => readJson<Epoch>(epochFile)),
		writeEpoch: (epoch) =>
			guardFile(async () => {
				await mkdir(folder, { recursive: true, mode: 0o700 });
				await writeWhole(epochFile, epoch);
			}),
	};
}

function safe(id: string): string {
	if (!/^[A-Za-z0-9_-]{1,128}$/.test(id)) throw new RangeError("not an id that may name a file");
	return id;
}

async function namesIn(folder: string): Promise<string[]> {
	const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
		if (error.code === "ENOENT") return [];
		throw error;
	});
	return names.filter((name) => name.endsWith(".json"));
}

async function readJson<T>(path: string): Promise<T | undefined> {
	try {
		return JSON.parse(await readFile(path, "utf8")) as T;
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
		throw error;
	}
}

async function writeWhole(path: string, value: unknown): Promise<void> {
	const next = `${path}.${process.pid}.next`;
	const file = await open(next, "w", 0o600);
	try {
		await file.writeFile(JSON.stringify(value));
		await file.sync();
	} finally {
		await file.close();
	}
	await rename(next, path);
}

async function guardFile<T>(act: () => Promise<T>): Promise<T> {
	try {
		return await act();
	} catch (error) {
		if (error instanceof RangeError) throw error;
		throw new LetheError("store_unavailable", { cause: `ledger file ${(error as { code?: string }).code ?? ""}` });
	}
}
