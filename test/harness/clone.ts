// A fresh clone of this tree, as a new user has it, that shares the installed packages and server programs.

import { cpSync, mkdirSync, mkdtempSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { installWheels } from "../../stack/wheels.ts";
import { treePaths } from "../tidy/tree.ts";
import { root } from "./programs.ts";

/** Absolute path of a clone with nothing of its own under `.lethe/`; whoever asks for it deletes it. */
export async function makeClone(): Promise<string> {
	const folder = mkdtempSync(join(tmpdir(), "lethe-clone-"));
	for (const path of treePaths) cpSync(join(root, path), join(folder, path));
	symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
	await installWheels({ root, environment: process.env, log: () => undefined });
	mkdirSync(join(folder, ".lethe"));
	symlinkSync(join(root, ".lethe", "venv"), join(folder, ".lethe", "venv"));
	return folder;
}
