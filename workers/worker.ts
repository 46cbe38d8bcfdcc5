// The Temporal worker: runs the lifecycle, purge and sweep workflows and their activities.

import { readFileSync } from "node:fs";
import type { DataConverter } from "@temporalio/common";
import { DefaultLogger, NativeConnection, Runtime, Worker } from "@temporalio/worker";
import { createCertifyAgain } from "../activities/certify.ts";
import { createClockGuard } from "../activities/clockGuard.ts";
import { createActivities } from "../activities/index.ts";
import { createRedact } from "../activities/redact.ts";
import { loadConfig, required } from "../config.ts";
import { createDeps } from "../deps.ts";
import { isSound } from "../domain/evidence.ts";
import { limits } from "../domain/limits.ts";
import { bundleWorkflows } from "./bundle.ts";
import { runProcess } from "./process.ts";
import { quarantined } from "./quarantined.ts";
import { createRedactor } from "./redactor.ts";
import { workerSettings } from "./settings.ts";
import { createSweepKeeper } from "./sweepKeeper.ts";

await runProcess(async () => {
	const config = loadConfig();
	const deps = await createDeps(config, "worker");
	// Before this process adds to it: a log that was put back from an older copy is told at once.
	const { standing, ...sizes } = await deps.checkpoints.standing();
	if (!isSound(standing)) deps.log.error({ code: `evidence_${standing}`, ...sizes }, "evidence log not as witnessed");
	await deps.evidence.append([{ type: "process_started", code: "worker", by: "engine" }]);
	// Whoever comes first finds a checkpoint.
	await deps.checkpoints.publish();
	// Temporal's own log lines carry workflow ids and codes only; they go where ours go.
	Runtime.install({
		logger: new DefaultLogger("WARN", ({ level, message }) => {
			deps.log.warn({ severity: level, from: "temporal" }, message);
		}),
		shutdownSignals: [],
	});
	const connection = await NativeConnection.connect({
		address: required(config.temporal.address, "TEMPORAL_ADDRESS"),
		...deps.temporalTls,
	});
	const worker = await Worker.create({
		connection,
		namespace: config.temporal.namespace,
		taskQueue: config.temporal.taskQueue,
		identity: deps.identity,
		dataConverter: deps.dataConverter,
		activities: quarantined(createActivities(deps), deps.quarantine.check),
		workflowBundle: { code: await workflowCode(config.temporal.workflowBundle, deps.dataConverter) },
		...workerSettings,
	});
	const { ensureSweep } = deps.runs;
	const keeper = createSweepKeeper({ ensureSweep, everyMs: limits.sweepEnsuredEveryMs, log: deps.log });
	await keeper.start();
	const { checkClock } = createClockGuard(deps);
	const redactor = createRedactor({
		redact: createRedact({ ...deps, certifyAgain: createCertifyAgain(deps), checkClock }),
		check: deps.quarantine.check,
		onError: (error: Error) => deps.log.warn({ code: (error as { code?: string }).code ?? error.name }, "redaction"),
	});
	redactor.start();
	const running = worker.run();
	return {
		ready: {},
		ended: running,
		async stop() {
			const keeping = keeper.close();
			const redacting = redactor.close();
			worker.shutdown();
			await Promise.all([running, redacting]);
			await connection.close();
			await deps.close();
			await keeping;
		},
	};
});

async function workflowCode(prebuilt: string | undefined, dataConverter: DataConverter): Promise<string> {
	return prebuilt ? readFileSync(prebuilt, "utf8") : bundleWorkflows(dataConverter);
}
