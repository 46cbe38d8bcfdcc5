// `npm run bench -- SUITE [--json]`: measures beside a baseline in the same run; one JSON object comes last.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { loadConfig, required } from "../config.ts";
import { createDeps } from "../deps.ts";
import { startProcesses } from "../stack/processes.ts";
import { createStack, type Stack } from "../stack/stack.ts";
import { createSupervised } from "../stack/supervised.ts";
import { acceptSuite } from "./accept.ts";
import { encryptSuite } from "./encrypt.ts";
import { growthSuite } from "./growth.ts";
import { lifecycleSuite } from "./lifecycle.ts";
import { pageSuite } from "./page.ts";
import { policySuite } from "./policy.ts";
import { purgeSuite } from "./purge.ts";
import { queuesSuite } from "./queues.ts";

const root = fileURLToPath(new URL("..", import.meta.url)).replace(/\/$/, "");
const usage = `npm run bench -- SUITE [--json] [--rounds N] [--messages N]

SUITE      encrypt | accept | lifecycle | queues | purge | growth | page | policy (no servers)
--json     print nothing but the JSON object
--rounds   interleaved rounds (default 5)
--messages messages a round of acceptance (default 1000), the lifecycle (default 400) or the queues (default 1000), of a purge's cohort (default 10000)
--overload seconds of overload (default 30)
--cohorts  keys that growth makes (default 5000)
`;

const { values, positionals } = parseArgs({
	allowPositionals: true,
	options: {
		json: { type: "boolean", default: false },
		rounds: { type: "string", default: "5" },
		messages: { type: "string" },
		overload: { type: "string", default: "30" },
		cohorts: { type: "string", default: "5000" },
		help: { type: "boolean", default: false },
	},
});
const say = (line: string) => void (values.json || console.error(line));
const suites: Record<string, (stack: Stack) => Promise<object>> = {
	encrypt: async (stack) => {
		const { url, issuerTokenFile } = stack.state().servers.vault;
		return encryptSuite({ vault: { address: url, issuerToken: readFileSync(issuerTokenFile, "utf8").trim() } });
	},
	accept: runAccept,
	lifecycle: runLifecycle,
	queues: async (stack) => {
		const { mongodb, redis } = stack.state().servers;
		const options = { rounds: Number(values.rounds), messages: Number(values.messages ?? 1_000), rateSeconds: 26 };
		return queuesSuite({ mongodb: mongodb.url, redis: redis.url }, options);
	},
	purge: runPurge,
	page: runPage,
	growth: async (stack) => {
		const { url, issuerTokenFile, pid, dataDir } = stack.state().servers.vault;
		const issuerToken = readFileSync(issuerTokenFile, "utf8").trim();
		return growthSuite({ address: url, issuerToken, pid, dataDir }, { cohorts: Number(values.cohorts) });
	},
};
const serverless: Record<string, () => object> = { policy: () => policySuite({ rounds: Number(values.rounds) }) };
const suite = suites[positionals[0] ?? ""];
const bare = serverless[positionals[0] ?? ""];

if (values.help || (!suite && !bare)) {
	console.error(usage);
	process.exitCode = values.help ? 0 : 2;
} else if (bare) {
	console.log(JSON.stringify({ ...bare(), node: process.version }, null, values.json ? 0 : 2));
} else if (suite) {
	const stack = createStack({ root, dir: join(root, ".lethe", "bench"), log: say, fresh: true });
	for (const signal of ["SIGINT", "SIGTERM"] as const) {
		process.on(signal, () => void stack.stop().then(() => process.exit(130)));
	}
	try {
		await stack.start();
		const result = await suite(stack);
		const { servers } = stack.state();
		await stack.stop();
		const measured = { ...result, store: servers.mongodb.program, node: process.version };
		console.log(JSON.stringify(measured, null, values.json ? 0 : 2));
	} catch (error) {
		console.error((error as Error).message);
		await stack.stop();
		process.exitCode = 1;
	}
}

async function runAccept(stack: Stack): Promise<object> {
	// The limits are for callers; here one caller is all of them.
	const environment = {
		LETHE_KEY_REQUESTS_PER_SECOND: "100000",
		LETHE_TENANT_REQUESTS_PER_SECOND: "100000",
		LETHE_ADDRESS_REQUESTS_PER_SECOND: "100000",
		LETHE_REQUESTS_IN_FLIGHT_MAX: "128",
	};
	const processes = await startProcesses(stack, { log: say, ratePerSecond: 10_000, environment });
	try {
		return await acceptSuite(
			{
				apiUrl: processes.apiUrl,
				apiKey: processes.demo.apiKey,
				apiPid: () => stack.state().processes.api?.pid ?? 0,
				mongodb: { url: stack.state().servers.mongodb.url, database: loadConfig({}).mongodb.database },
				async pauseWorkers() {
					for (const name of ["worker", "sender"] as const) await processes.kill(name);
				},
				async resumeWorkers() {
					for (const name of ["worker", "sender"] as const) await processes.restart(name);
				},
			},
			{
				rounds: Number(values.rounds),
				perRound: Number(values.messages ?? 1_000),
				probes: 200,
				overloadSeconds: Number(values.overload),
				overloadLanes: 256,
			},
		);
	} finally {
		await processes.stop();
	}
}

async function runPurge(stack: Stack): Promise<object> {
	const credentials = await stack.vaultCredentials(["eraser", "rewrapper", "signer", "sender"]);
	const config = loadConfig({ ...stack.addresses(), ...credentials, LETHE_LOG_LEVEL: "warn" });
	const deps = await createDeps(config, "worker");
	try {
		await deps.store.prepare();
		const mongodb = { url: required(config.mongodb.url, "MONGODB_URL"), database: config.mongodb.database };
		const options = { rounds: Number(values.rounds), messages: Number(values.messages ?? 10_000) };
		return await purgeSuite({ deps, mongodb }, options);
	} finally {
		await deps.close();
	}
}

async function runLifecycle(stack: Stack): Promise<object> {
	const processes = await startProcesses(stack, { log: say, ratePerSecond: 10_000 });
	const bare = createSupervised({
		name: "bare",
		runDir: stack.runDir,
		logFile: join(stack.logDir, "bare.log"),
		plan: async () => ({
			command: process.execPath,
			args: [join(root, "bench", "bareWorker.ts")],
			env: processes.baseEnvironment,
			ipc: true,
		}),
		ready: (child, signal) =>
			new Promise((resolve) => {
				child.once("message", () => resolve());
				signal.addEventListener("abort", () => resolve());
			}),
		readyMs: 60_000,
		stopMs: 10_000,
		onPid: () => undefined,
		log: say,
	});
	try {
		await bare.start();
		const { temporal } = stack.state().servers;
		return await lifecycleSuite(
			{
				temporalAddress: temporal.address,
				temporalNamespace: temporal.namespace,
				apiUrl: processes.apiUrl,
				apiKey: processes.demo.apiKey,
				carrierUrl: processes.carrier.url,
				carrierToken: processes.carrier.token,
			},
			{ rounds: Number(values.rounds), perRound: Number(values.messages ?? 400), probes: 60 },
		);
	} finally {
		await bare.stop();
		await processes.stop();
	}
}

async function runPage(stack: Stack): Promise<object> {
	const processes = await startProcesses(stack, { log: say });
	try {
		const { apiUrl, demo, carrier } = processes;
		const target = { apiUrl, apiKey: demo.apiKey, carrierUrl: carrier.url, carrierToken: carrier.token };
		return await pageSuite(target, { rounds: Number(values.rounds) });
	} finally {
		await processes.stop();
	}
}
