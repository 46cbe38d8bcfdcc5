// Reads pack files: checks each against the schema, hashes its text, and indexes them all. Runs nothing of what it reads.

import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import { indexPacks, type LoadedPack, type PackSet } from "./packSet.ts";
import { packSchema } from "./schema.ts";

const ownDirectory = fileURLToPath(new URL("./packs/", import.meta.url));

/**
 * The packs of a directory, `<pack>/<version>.yaml`. Reads the disk; meant for the start of a process.
 * @throws Error in one line that names the file and the field: one bad pack stops them all
 */
export function loadPacks(directory: string = ownDirectory): PackSet {
	return indexPacks(readPacks(directory));
}

/** Every pack file of a directory, checked by itself. @throws Error as loadPacks */
export function readPacks(directory: string = ownDirectory): LoadedPack[] {
	const paths = readdirSync(directory, { recursive: true, withFileTypes: true })
		.filter((entry) => entry.isFile())
		.map((entry) => join(entry.parentPath, entry.name))
		.sort();
	if (paths.length === 0) throw new Error(`${directory}: no policy packs; without them everything would be denied`);
	return paths.map((path) => parsePack(readFileSync(path, "utf8"), path));
}

/** One pack out of its text; `path` ends in `<pack>/<version>.yaml`. @throws Error as loadPacks */
function parsePack(text: string, path: string): LoadedPack {
	const result = packSchema.safeParse(parseYaml(text, path));
	if (!result.success) {
		const [issue] = result.error.issues;
		throw new Error(`${path}: ${issue?.path.join(".") || "the file"}: ${issue?.message}`);
	}
	const { id, version } = result.data;
	const named = `${basename(join(path, ".."))}/${basename(path)}`;
	if (named !== `${id}/${version}.yaml`)
		throw new Error(`${path}: holds ${id} ${version}; name it ${id}/${version}.yaml`);
	return { file: result.data, sha256: createHash("sha256").update(text).digest("hex") };
}

function parseYaml(text: string, path: string): unknown {
	try {
		// Values stay text, numbers and booleans; aliases are bounded against files that swell when read.
		return parse(text, { schema: "core", uniqueKeys: true, maxAliasCount: 50 });
	} catch (error) {
		throw new Error(`${path}: not YAML: ${(error as Error).message.split("\n")[0]}`);
	}
}
