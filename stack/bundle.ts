// Writes the workflow bundle that the worker of a deployment loads, so that it starts without a bundler.

import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { bundleWorkflowCode } from "@temporalio/worker";
import { dataConverter } from "../adapters/temporal/client.ts";

const [path] = process.argv.slice(2);
if (!path) {
	console.error("Usage: node stack/bundle.ts FILE");
	process.exit(2);
}
const { code } = await bundleWorkflowCode({
	workflowsPath: fileURLToPath(import.meta.resolve("../workflows/index.ts")),
	...(dataConverter.failureConverterPath && { failureConverterPath: dataConverter.failureConverterPath }),
});
writeFileSync(path, code);
console.log(`${path}: ${code.length} characters`);
