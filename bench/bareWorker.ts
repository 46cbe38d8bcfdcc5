// The baseline's worker process: the engine's worker settings around one empty activity.

import { fileURLToPath } from "node:url";
import { DefaultLogger, NativeConnection, Runtime, Worker } from "@temporalio/worker";
import { loadConfig, required } from "../config.ts";
import { runProcess } from "../workers/process.ts";
import { workerSettings } from "../workers/settings.ts";

await runProcess(async () => {
	const config = loadConfig();
	Runtime.install({ logger: new DefaultLogger("ERROR"), shutdownSignals: [] });
	const connection = await NativeConnection.connect({ address: required(config.temporal.address, "TEMPORAL_ADDRESS") });
	const worker = await Worker.create({
		...workerSettings,
		connection,
		taskQueue: "bare",
		workflowsPath: fileURLToPath(import.meta.resolve("./bare.ts")),
		activities: { nothing: async () => undefined },
	});
	const running = worker.run();
	return {
		ready: {},
		ended: running,
		async stop() {
			worker.shutdown();
			await running;
			await connection.close();
		},
	};
});
