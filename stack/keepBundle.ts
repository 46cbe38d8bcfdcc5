// The workflow bundle of what runs here: made once, for the processes of a stack and for tests.

import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { dataConverter } from "../adapters/temporal/client.ts";
import { bundleWorkflows } from "../workers/bundle.ts";
import { writePrivateFile } from "./files.ts";

/** Bundles the workflows once per content, so that a worker starts without a bundler. Answers the bundle's file, in `dir`. */
export async function keepBundle(dir: string): Promise<string> {
	const root = new URL("../", import.meta.url);
	const hash = createHash("sha256").update(readFileSync(new URL("package-lock.json", root)));
	// Workflows import nothing else of ours.
	for (const room of ["workflows/", "domain/"]) {
		const folder = new URL(room, root);
		for (const name of readdirSync(folder).sort()) hash.update(name).update(readFileSync(new URL(name, folder)));
	}
	const file = join(dir, `workflows-${hash.digest("hex").slice(0, 16)}.js`);
	if (!existsSync(file)) writePrivateFile(file, await bundleWorkflows(dataConverter));
	return file;
}
