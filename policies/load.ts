// Reads pack files: checks each against the schema and the list of what was published. Runs nothing of what it reads.

import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { caseFault, runCases } from "./cases.ts";
import { findNameFault } from "./check.ts";
import { PackError, type PackFault } from "./faults.ts";
import { indexPacks, type LoadedPack, type PackSet } from "./packSet.ts";
import { readDeciding, readPackText } from "./packText.ts";
import { addPublished, findUnpublished, type Published, parsePublished } from "./published.ts";
import { readOnce } from "./readOnce.ts";
import type { WholePack } from "./schema.ts";

const ownDirectory = fileURLToPath(new URL("./packs/", import.meta.url));
const listName = "published.json";

/**
 * The packs of a directory, `<pack>/<version>.yaml`. Reads the disk; meant for the start of a process. What a directory
 * lists as published has had its cases run when it was; of one without a list they are run now.
 * @throws PackError in one line that names the file, the line and the mend: one bad pack stops them all
 */
export function loadPacks(directory: string = ownDirectory): PackSet {
	if (readList(directory) !== undefined) return indexPacks(readPacks(directory));
	const loaded = readFiles(directory);
	const packs = indexPacks(loaded);
	refuse(loaded.flatMap((pack) => findFailedCases(pack, packs)));
	return packs;
}

/**
 * Every pack of a directory, checked by itself; what it lists as published, and so as checked, without its cases.
 * @throws PackError as loadPacks
 */
export function readPacks(directory: string = ownDirectory): LoadedPack[] {
	const list = readList(directory);
	if (!list) return readFiles(directory);
	const published = new Set(list.packs.map(({ sha256 }) => sha256));
	const loaded = textsIn(directory).map(({ text, path }) => {
		const sha256 = hashText(text);
		return published.has(sha256) ? readPublished(text, path, sha256) : readPack(text, path);
	});
	refuse(findUnpublished(loaded.map(toStored), list, join(directory, listName)));
	return loaded;
}

const deciding = new Map<string, LoadedPack>();

/** One pack out of its text. @throws PackError as loadPacks */
export function readPack(text: string, path: string): LoadedPack<WholePack> {
	const { file, faults, lineOf } = readPackText(text);
	refuse([...faults, ...(file ? findNameFault(file, path, lineOf) : [])].map((fault) => at(path, fault)));
	if (!file) throw new Error(`${path}: neither a pack nor a fault`);
	return { file, source: { path, lineOf }, sha256: hashText(text) };
}

function readPublished(text: string, path: string, sha256: string): LoadedPack {
	return readOnce(deciding, `${sha256} ${path}`, () => {
		const { file, lineOf } = readDeciding(text) ?? {};
		if (!file || !lineOf || findNameFault(file, path, lineOf).length > 0) return readPack(text, path);
		return { file, source: { path, lineOf }, sha256 };
	});
}

/**
 * Lists the versions that are new in a directory as published, after running every case. What is listed stays as it is.
 * @param day the day of their publication, ISO 8601
 * @returns what was added, `<id> <version>` each
 * @throws PackError as loadPacks, also when a published text has changed
 */
export function sealPacks(day: string, directory: string = ownDirectory): string[] {
	const loaded = readFiles(directory);
	const packs = indexPacks(loaded);
	refuse(loaded.flatMap((pack) => findFailedCases(pack, packs)));
	const before = readList(directory) ?? { packs: [] };
	const after = addPublished(loaded.map(toStored), before, day);
	refuse(findUnpublished(loaded.map(toStored), after, join(directory, listName)));
	writeFileSync(join(directory, listName), `${JSON.stringify(after, null, 2)}\n`);
	return after.packs.slice(before.packs.length).map(({ id, version }) => `${id} ${version}`);
}

/** Every pack file of a directory whole, published or not. @throws PackError as loadPacks */
export function readFiles(directory: string = ownDirectory): LoadedPack<WholePack>[] {
	return textsIn(directory).map(({ text, path }) => readPack(text, path));
}

function textsIn(directory: string): { text: string; path: string }[] {
	const paths = entriesOf(directory)
		.filter((entry) => entry.isFile())
		.map((entry) => join(entry.parentPath, entry.name))
		.filter((path) => path !== join(directory, listName))
		.sort();
	if (paths.length === 0) throw new Error(`${directory}: no policy packs; without them everything would be denied`);
	return paths.map((path) => ({ path, text: readFileSync(path, "utf8") }));
}

function entriesOf(directory: string) {
	try {
		return readdirSync(directory, { recursive: true, withFileTypes: true });
	} catch (cause) {
		throw new Error(`${directory} can't be read: name a folder of policy packs, and check your rights.`, { cause });
	}
}

/** SHA-256 of a text, in hex. */
export function hashText(text: string): string {
	return createHash("sha256").update(text).digest("hex");
}

/** The text of a pack version that was shipped. @throws Error when there is no such file */
export function readShipped(id: string, version: string, directory: string = ownDirectory): string {
	return readFileSync(join(directory, id, `${version}.yaml`), "utf8");
}

function readList(directory: string): Published | undefined {
	const path = join(directory, listName);
	if (!existsSync(path)) return undefined;
	try {
		return parsePublished(readFileSync(path, "utf8"));
	} catch {
		const message = "not a list of published packs";
		throw new PackError([{ file: path, line: 1, message, mend: "Restore it." }]);
	}
}

function findFailedCases({ file, source }: LoadedPack<WholePack>, packs: PackSet) {
	return runCases([file], packs).flatMap((result, index) => {
		if (result.mismatches.length === 0) return [];
		const line = source?.lineOf(["cases", index, "name"]) ?? 1;
		return [at(source?.path ?? file.id, caseFault(result, line))];
	});
}

function toStored({ file, sha256, source }: LoadedPack) {
	return { path: source?.path ?? file.id, id: file.id, version: file.version, sha256 };
}

function at(file: string, fault: PackFault) {
	return { file, ...fault };
}

function refuse(faults: (PackFault & { file: string })[]): void {
	if (faults.length > 0) throw new PackError(faults);
}
