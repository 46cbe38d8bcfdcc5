// The one way workflows are bundled: for the worker, for a deployment's image, for the tests that replay old runs.

import { fileURLToPath } from "node:url";
import { bundleWorkflowCode, DefaultLogger } from "@temporalio/worker";

const workflows = fileURLToPath(import.meta.resolve("../workflows/index.ts"));

/**
 * Bundles the workflows, or those of another file, into the code that a worker loads.
 * @param dataConverter whose failure converter the workflows use, too
 */
export async function bundleWorkflows(
	dataConverter: { failureConverterPath?: string },
	workflowsPath = workflows,
): Promise<string> {
	const { failureConverterPath } = dataConverter;
	const { code } = await bundleWorkflowCode({
		workflowsPath,
		logger: new DefaultLogger("ERROR"),
		...(failureConverterPath === undefined ? {} : { failureConverterPath }),
	});
	return code;
}
