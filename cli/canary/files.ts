// Raw files as places: a server's data directory, or a log with the files it was rotated into.

import { constants, type Stats } from "node:fs";
import { lstat, open as openFile, readdir, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { joined } from "./bytes.ts";
import type { Open, Place } from "./examine.ts";

/** Every file in a directory, however deep. */
export function dataFilesPlace(name: string, directory: string, id: string): Place {
	return filesPlace(name, join(directory, controlName(id)), () => filesUnder(directory));
}

/** A log file and those beside it whose names begin with its name. Its control is such a neighbour. */
export function logFilesPlace(name: string, file: string, id: string): Place {
	return filesPlace(name, `${file}.${controlName(id)}`, async () => {
		await lstat(file);
		const names = await readdir(dirname(file));
		return names.filter((other) => other.startsWith(basename(file))).map((other) => join(dirname(file), other));
	});
}

const controlName = (id: string) => `lethe-canary-control-${id}`;
const pieceBytes = 1024 * 1024;
const roundsMax = 5;

function filesPlace(name: string, controlFile: string, list: () => Promise<string[]>): Place {
	return {
		name,
		holds: "bytes",
		async plant(samples) {
			await writeFile(controlFile, joined(samples), { mode: 0o600, flag: "wx" });
			return { sources: [controlFile], remove: () => rm(controlFile, { force: true }) };
		},
		async read(open) {
			const seen = new Set<string>();
			// Servers write, rotate and rename meanwhile: read again until nothing is new.
			for (let round = 0; round < roundsMax; round++) {
				let news = 0;
				for (const file of await list()) news += (await readOnce(file, seen, open)) ? 1 : 0;
				if (news === 0) return;
			}
		},
	};
}

async function filesUnder(directory: string): Promise<string[]> {
	const entries = await readdir(directory, { withFileTypes: true, recursive: true });
	return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

/** True when the file was there and had not been read before. */
async function readOnce(file: string, seen: Set<string>, open: Open): Promise<boolean> {
	const stats = await unlessGone(lstat(file));
	if (!stats?.isFile() || seen.has(identity(stats))) return false;
	const handle = await unlessGone(openFile(file, constants.O_RDONLY));
	if (!handle) return false;
	seen.add(identity(stats));
	const sink = open(file);
	try {
		const piece = Buffer.allocUnsafe(pieceBytes);
		for (;;) {
			const { bytesRead } = await handle.read(piece, 0, piece.length, null);
			if (bytesRead === 0) break;
			await sink.write(piece.subarray(0, bytesRead));
		}
		await sink.end();
	} finally {
		await handle.close();
	}
	return true;
}

function identity({ dev, ino }: Stats): string {
	return `${dev}:${ino}`;
}

/** A file that is gone by now holds nothing; any other failure is one. */
async function unlessGone<T>(attempt: Promise<T>): Promise<T | undefined> {
	try {
		return await attempt;
	} catch (error) {
		if ((error as { code?: string }).code === "ENOENT") return undefined;
		throw error;
	}
}
