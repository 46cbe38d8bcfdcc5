// Writes the workflow bundle that the worker of a deployment loads, so that it starts without a bundler.

import { writeFileSync } from "node:fs";
import { dataConverter } from "../adapters/temporal/client.ts";
import { bundleWorkflows } from "../workers/bundle.ts";

const [path] = process.argv.slice(2);
if (!path) {
	console.error("Usage: node stack/bundle.ts FILE");
	process.exit(2);
}
const code = await bundleWorkflows(dataConverter);
writeFileSync(path, code);
console.log(`${path}: ${code.length} characters`);
