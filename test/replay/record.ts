// `npm run test:record`: runs every scenario that has no saved history yet on real servers, and saves its history.
// After a new workflow type was added: as it is. While no release has run the present types: `-- --anew` replaces all.

import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createStack } from "../../stack/stack.ts";
import { createEngine } from "../harness/engine.ts";
import { encodeHistory, historyFolder } from "./histories.ts";
import { historyName, scenarios } from "./scenarios.ts";

const root = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");
const anew = process.argv.includes("--anew");
const missing = Object.entries(scenarios).filter(
	([name, scenario]) => anew || !existsSync(pathOf(historyName(name, scenario))),
);

if (missing.length === 0) console.log("Every scenario has its history. To replace them: npm run test:record -- --anew");
else await recordAll();

function pathOf(name: string): string {
	return join(historyFolder, `${name}.bin`);
}

async function recordAll(): Promise<void> {
	const stack = createStack({ root, dir: join(root, ".lethe", "record"), log: () => undefined, fresh: true });
	for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
		process.on(signal, () => void stack.stop().then(() => process.exit(130)));
	}
	await stack.start();
	try {
		Object.assign(process.env, stack.addresses());
		mkdirSync(historyFolder, { recursive: true });
		for (const [name, scenario] of missing) await record(historyName(name, scenario), scenario);
	} finally {
		await stack.stop();
	}
}

async function record(name: string, scenario: (typeof scenarios)[string]): Promise<void> {
	// Each has its own clock, and its own servers' worth of data.
	const engine = await createEngine(scenario.replace ? { replace: scenario.replace } : {});
	try {
		const run = await scenario.run(engine);
		const { workflowId, runId } = typeof run === "string" ? { workflowId: run, runId: undefined } : run;
		const history = await engine.temporal.client.workflow.getHandle(workflowId, runId).fetchHistory();
		const bytes = encodeHistory(history);
		writeFileSync(pathOf(name), bytes);
		console.log(`${name}: ${history.events?.length} events, ${bytes.length} bytes`);
	} finally {
		await engine.close();
	}
}
