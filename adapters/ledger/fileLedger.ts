// The ledger in a folder on another disk than the stores: a file an entry and an epoch, each written whole or not at all.

import { randomUUID } from "node:crypto";
import { link, readdir, readFile, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { LetheError } from "../../domain/errors.ts";
import { type Epoch, keyOf, type LedgerEntry, ledgerKinds } from "../../domain/ledger.ts";
import { makeFolder, syncFolder, writeSynced } from "../onDisk.ts";
import type { LedgerPlace } from "./ledger.ts";

// What is being written, beside the epochs: there they are few, and looked through at every beat.
const halfExtension = ".next";
// Longer than any write takes.
const halfMsMax = 10 * 60_000;

/** Throws LetheError store_unavailable when the folder can't be read or written. */
export function createFileLedger(folder: string): LedgerPlace {
	const pathOf = (kind: string, id: string) => join(folder, kind, `${safe(id)}.json`);

	return {
		name: "file",
		put: (entry) => guardFile(async () => void (await writeOnce(folder, pathOf(entry.kind, entry._id), entry))),
		forget: (kind, id) => guardFile(() => removeSynced(pathOf(kind, id))),
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
		keys: () =>
			guardFile(async () => {
				const names = await Promise.all(ledgerKinds.map((kind) => namesIn(join(folder, kind))));
				return ledgerKinds.flatMap((kind, at) =>
					(names[at] ?? []).map((name) => keyOf({ kind, _id: basename(name, ".json") })),
				);
			}),
		readEpoch: async () => (await guardFile(() => newestEpoch(folder))).epoch,
		writeEpoch: (epoch, follows) => guardFile(() => followEpoch(folder, epoch, follows)),
	};
}

type Numbered = { number: number; epoch: Epoch | undefined };

/** Every epoch is a file with the next number, which one writer is given; the highest stands. The first had no number. */
async function newestEpoch(folder: string): Promise<Numbered> {
	for (;;) {
		const number = Math.max(-1, ...(await epochNumbers(folder)));
		const epoch = number < 0 ? undefined : await readJson<Epoch>(join(folder, epochName(number)));
		// One that is gone by now was followed by another.
		if (number < 0 || epoch) return { number, epoch };
	}
}

async function followEpoch(
	folder: string,
	epoch: Epoch,
	follows: (standing: Epoch | undefined) => boolean,
): Promise<void> {
	for (;;) {
		const standing = await newestEpoch(folder);
		if (!follows(standing.epoch)) return;
		const number = standing.number + 1;
		if (!(await writeOnce(folder, join(folder, epochName(number)), epoch))) continue;
		await dropHalves(folder, join(folder, epochName(number)));
		const former = (await epochNumbers(folder)).filter((one) => one < number);
		await Promise.all(former.map((one) => rm(join(folder, epochName(one)), { force: true })));
		return;
	}
}

/**
 * Removes what processes that were killed have left of entries: nobody forgets these. By the times of the folder's own disk,
 * as `written` tells what it is there now.
 */
async function dropHalves(folder: string, written: string): Promise<void> {
	const now = await changedAt(written);
	for (const half of (await readdir(folder)).filter((name) => name.endsWith(halfExtension))) {
		const path = join(folder, half);
		if ((await changedAt(path)) < now - halfMsMax) await rm(path, { force: true });
	}
}

/** Epoch milliseconds; of what is gone by now never: another took care of it. */
async function changedAt(path: string): Promise<number> {
	return stat(path).then(
		({ mtimeMs }) => mtimeMs,
		(error: NodeJS.ErrnoException) => {
			if (error.code !== "ENOENT") throw error;
			return Number.NaN;
		},
	);
}

async function epochNumbers(folder: string): Promise<number[]> {
	const names = (await namesIn(folder)).map((name) => /^epoch(?:\.(\d+))?\.json$/.exec(name));
	return names.flatMap((match) => (match ? [Number(match[1] ?? 0)] : []));
}

function epochName(number: number): string {
	return number === 0 ? "epoch.json" : `epoch.${number}.json`;
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

/** Durable when it answers, whoever writes the same file meanwhile; false when one is there, which stays. */
async function writeOnce(root: string, path: string, value: unknown): Promise<boolean> {
	await makeFolder(dirname(path));
	// Of this write alone: in containers every process has the same id.
	const next = join(root, `${randomUUID()}${halfExtension}`);
	try {
		await writeSynced(next, JSON.stringify(value));
		const isFirst = await linkOnce(next, path);
		await syncFolder(dirname(path));
		return isFirst;
	} finally {
		await rm(next, { force: true });
	}
}

/** Gone from the disk when it answers. */
async function removeSynced(path: string): Promise<void> {
	await rm(path, { force: true });
	try {
		await syncFolder(dirname(path));
	} catch (error) {
		// Where no folder is, no name is.
		if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
	}
}

async function linkOnce(from: string, to: string): Promise<boolean> {
	return link(from, to).then(
		() => true,
		(error: NodeJS.ErrnoException) => {
			if (error.code !== "EEXIST") throw error;
			return false;
		},
	);
}

async function guardFile<T>(act: () => Promise<T>): Promise<T> {
	try {
		return await act();
	} catch (error) {
		if (error instanceof RangeError) throw error;
		throw new LetheError("store_unavailable", { cause: `ledger file ${(error as { code?: string }).code ?? ""}` });
	}
}
