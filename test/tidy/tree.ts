// The project's files: everything that git keeps or would keep, and the parsed sources among them.

import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseSource, type Source } from "./source.ts";

/** Absolute path of the repository. */
export const root = join(import.meta.dirname, "../..");

/** Paths of all files, tracked or not yet, that are not ignored. */
export const treePaths: string[] = execFileSync(
	"git",
	["ls-files", "-z", "--cached", "--others", "--exclude-standard"],
	{
		cwd: root,
		encoding: "utf8",
	},
)
	.split("\0")
	.filter((path) => path !== "" && existsSync(join(root, path)));

/** The text of one file of the tree. */
export function readTreeFile(path: string): string {
	return readFileSync(join(root, path), "utf8");
}

/** Every TypeScript and JavaScript file of the tree, parsed. */
export const treeSources: Source[] = treePaths
	.filter((path) => /\.(ts|mjs|js)$/.test(path))
	.map((path) => parseSource(path, readTreeFile(path)));
