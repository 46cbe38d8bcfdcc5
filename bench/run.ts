// `npm run bench -- SUITE [--json]`: measures beside a baseline in the same run; one JSON object comes last.

import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { cpus, loadavg, platform, release, totalmem } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Client, Connection } from "@temporalio/client";
import { loadConfig, required } from "../config.ts";
import { createDeps } from "../deps.ts";
import { limits } from "../domain/limits.ts";
import { makePrivateFolder } from "../stack/files.ts";
import { nodeOptions, startProcesses } from "../stack/processes.ts";
import { createStack, type Stack } from "../stack/stack.ts";
import { workflowNames } from "../workflows/contract.ts";
import { acceptSuite } from "./accept.ts";
import { batchSuite } from "./batch.ts";
import { growCohorts } from "./cohorts.ts";
import { costSuite } from "./cost.ts";
import { encryptSuite } from "./encrypt.ts";
import { type Engine, startEngine, unlimited } from "./engine.ts";
import { measureFairness } from "./fairness.ts";
import { drawFlames, profileOptions } from "./flame.ts";
import { growthSuite } from "./growth.ts";
import { lifecycleSuite, sharingSuite } from "./lifecycle.ts";
import { startMongoProxy } from "./mongoProxy.ts";
import { pageSuite } from "./page.ts";
import { peerNames, peersSuite } from "./peers.ts";
import { plot } from "./plot.ts";
import { policySuite } from "./policy.ts";
import { purgeSuite } from "./purge.ts";
import { limit, queuesSuite } from "./queues.ts";
import { type Figures, findRegressions, isBusy, record, recorded } from "./records.ts";
import { soakSuite } from "./soak.ts";

const root = fileURLToPath(new URL("..", import.meta.url)).replace(/\/$/, "");
const about: Record<keyof typeof suites | keyof typeof serverless, string> = {
	encrypt: "encryption in one process, beside bare node:crypto and one Vault call a message; 1 minute",
	accept: "acceptance beside bare journaled inserts, and under overload; 15 minutes",
	lifecycle: "single messages from POST to closed run, beside a bare one-activity workflow; 5 minutes",
	batch: "batches of 500 beside that workflow, and one-time codes while a bulk goes out; 4 minutes",
	queues: "the rate held by two senders, a queue without limit, fairness behind 100,000; 4 minutes",
	purge: "a cohort's whole purge with its certificates, beside bare writes; 3 minutes",
	growth: "the lifecycle's rates, memory and disk with 100,000 stored and 5,000 open messages; 20 minutes",
	peers: "Kannel, Jasmin and a plain sender over the same SMSC; 25 minutes, more while they are fetched",
	page: "a secure link's page in a browser on a slow line; 3 minutes",
	soak: "memory, handles and rate under a steady load; 35 minutes, of which --minutes are the load",
	cost: "what a message costs in calls, time and bytes, and what a rate needs; 2 minutes",
	policy: "decisions a second, beside reading and writing their facts as JSON; no servers; half a minute",
};
const usage = `npm run bench -- SUITE [--json] [--rounds N] [--messages N]

SUITE, what it measures, and about how long that takes on two cores unless told otherwise:
${Object.entries(about)
	.map(([name, line]) => `  ${name.padEnd(11)}${line}`)
	.join("\n")}

--json     print nothing but the JSON object
--rounds   rounds, interleaved with the baseline's but for the peers and growth (default 5; encrypt 40, policy 15; cost and soak have none)
--messages messages a round of acceptance (default 1000), the lifecycle (default 400), batches (default 2000) or the queues (default 1000), of each peer (default 3000), of a purge's cohort (default 10000)
--only     the peers whose names have one of these, commas between them
--behind   messages of another tenant behind which the queues' fairness is measured (default 100000)
--bulk     messages beside which one-time codes go out (default 10000)
--profile  write flame graphs of the engine's processes (of lifecycle, batch, growth, soak and cost)
--record   keep the figures in docs/benchmarks, draw them in docs/images; refused where more than half of the
           processors were busy in the minute before (by the load that the system tells)
--busy     record even so; the figures tell the load before them
--check    exit 1 when a figure that the suite is judged by is worse than the recorded one by more than 15 %, or when
           a promise is broken: a target, the budget of cost, what an overload is to leave whole, a soak without
           failures, a run of Lethe's beside the peers that did not fail and sent nothing twice
--overload seconds of overload (default 30)
--stored   finished messages that growth measures beside (default 100000), --open unfinished ones (default 5000)
--rate     messages a second that cost works out the needs of, commas between them (default 100,1000,10000)
--minutes  how long a soak lasts (default 30), --load at which share of the rate that it finds (default 0.7)
--cohorts  keys that growth makes in Vault (default 5000; 0 for none)
`;

const { values, positionals } = readArguments();
const machine = machineFacts();
const commit = readCommit();
const rounds = (unlessTold = 5) => Number(values.rounds ?? unlessTold);
const say = (line: string) => void (values.json || console.error(line));
const suites = {
	encrypt: async (stack: Stack) => {
		const { url, issuerTokenFile } = stack.state().servers.vault;
		const vault = { address: url, issuerToken: readFileSync(issuerTokenFile, "utf8").trim() };
		return encryptSuite(vault, { rounds: rounds(40) });
	},
	accept: runAccept,
	lifecycle: async (stack: Stack) => {
		const options = { rounds: rounds(), perRound: Number(values.messages ?? 400) };
		const single = await withEngine(stack, (engine) => lifecycleSuite(engine, { ...options, probes: 60 }));
		const settings = { LETHE_SHARED_RUN_MS: "100" };
		return { ...single, ...(await withEngine(stack, (engine) => sharingSuite(engine, options), settings)) };
	},
	batch: (stack: Stack) =>
		withEngine(stack, (engine) =>
			batchSuite(engine, {
				rounds: rounds(),
				batches: Math.ceil(Number(values.messages ?? 2_000) / limits.submissionMessagesMax),
				bare: 400,
				probes: 60,
				bulkMessages: Number(values.bulk),
			}),
		),
	queues: runQueues,
	purge: runPurge,
	page: runPage,
	cost: runCost,
	peers: (stack: Stack) =>
		peersSuite(stack, {
			rounds: rounds(),
			messages: Number(values.messages ?? 3_000),
			only: values.only,
			log: say,
		}),
	soak: (stack: Stack) =>
		withEngine(stack, (engine) =>
			soakSuite(engine, {
				minutes: Number(values.minutes),
				load: Number(values.load),
				perRound: Number(values.messages ?? 400),
			}),
		),
	growth: async (stack: Stack) => {
		const { url, issuerTokenFile, pid, dataDir } = stack.state().servers.vault;
		const issuerToken = readFileSync(issuerTokenFile, "utf8").trim();
		const cohorts = Number(values.cohorts);
		const vault = { address: url, issuerToken, pid, dataDir };
		const grown = await withEngine(stack, (engine) =>
			growthSuite(engine, {
				rounds: rounds(),
				perRound: Number(values.messages ?? 400),
				stored: Number(values.stored),
				open: Number(values.open),
			}),
		);
		return { ...grown, ...(cohorts > 0 ? { cohorts: await growCohorts(vault, { cohorts }) } : {}) };
	},
} satisfies Record<string, (stack: Stack) => Promise<object>>;
const serverless = { policy: () => policySuite({ rounds: rounds(15) }) };
const named = <Table extends object>(table: Table) =>
	Object.entries(table).find(([name]) => name === positionals[0])?.[1] as Table[keyof Table] | undefined;
const suite = named(suites);
const bare = named(serverless);

if (values.help || (!suite && !bare)) {
	console.error(usage);
	process.exitCode = values.help ? 0 : 2;
} else if (values.record && !values.busy && isBusy(machine)) {
	console.error(
		`the load of the last minute is ${machine.loadBefore}: record once the machine is idle, or with --busy`,
	);
	process.exitCode = 1;
} else if (bare) {
	try {
		tell(await bare());
	} catch (error) {
		console.error((error as Error).message);
		process.exitCode = 1;
	}
} else if (suite) {
	const stack = createStack({ root, dir: join(root, ".lethe", "bench"), log: say, fresh: true });
	for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
		process.on(signal, () => void stack.stop().then(() => process.exit(130)));
	}
	try {
		await stack.start();
		const result = await suite(stack);
		const { servers } = stack.state();
		await stack.stop();
		tell({ ...result, store: servers.mongodb.program });
	} catch (error) {
		console.error((error as Error).message);
		await stack.stop();
		process.exitCode = 1;
	}
}

/** Ends the process where they can't be used: what was mistyped would be told of after a quarter of an hour, or never. */
function readArguments() {
	try {
		const read = parseArgs({
			allowPositionals: true,
			options: {
				json: { type: "boolean", default: false },
				rounds: { type: "string" },
				messages: { type: "string" },
				only: { type: "string" },
				profile: { type: "boolean", default: false },
				record: { type: "boolean", default: false },
				busy: { type: "boolean", default: false },
				check: { type: "boolean", default: false },
				behind: { type: "string", default: "100000" },
				bulk: { type: "string", default: "10000" },
				overload: { type: "string", default: "30" },
				stored: { type: "string", default: "100000" },
				open: { type: "string", default: "5000" },
				cohorts: { type: "string", default: "5000" },
				rate: { type: "string", default: "100,1000,10000" },
				minutes: { type: "string", default: "30" },
				load: { type: "string", default: "0.7" },
				help: { type: "boolean", default: false },
			},
		});
		if (read.positionals.length > 1) throw new Error(`One suite at a time, not '${read.positionals.join(" ")}'`);
		const { only = "", rate, ...amounts } = read.values;
		const unknown = only.split(",").find((part) => !peerNames.some((name) => name.includes(part)));
		if (unknown !== undefined) throw new Error(`--only takes parts of the peers' names, not '${unknown}'`);
		for (const [name, value] of [...Object.entries(amounts), ...rate.split(",").map((one) => ["rate", one] as const)]) {
			if (typeof value !== "string" || Number(value) > 0 || (name === "cohorts" && value === "0")) continue;
			throw new Error(`--${name} takes a number above 0, not '${value}'`);
		}
		return read;
	} catch (error) {
		console.error(`${(error as Error).message.split(/\.?\n|\. /)[0]}; --help says how it is run.`);
		process.exit(2);
	}
}

async function runAccept(stack: Stack): Promise<object> {
	const environment = { ...unlimited, LETHE_REQUESTS_IN_FLIGHT_MAX: "128" };
	const processes = await startProcesses(stack, { log: say, ratePerSecond: 10_000, environment });
	const { address, namespace } = stack.state().servers.temporal;
	const connection = Connection.lazy({ address });
	const client = new Client({ connection, namespace });
	const submissions = `WorkflowType = '${workflowNames.lifecycle}'`;
	const count = async (query: string) => (await client.workflow.count(query)).count;
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
				countRuns: () => count(submissions),
				countOpenRuns: () => count(`${submissions} AND ExecutionStatus = 'Running'`),
			},
			{
				rounds: rounds(),
				perRound: Number(values.messages ?? 1_000),
				probes: 200,
				overloadSeconds: Number(values.overload),
				overloadLanes: 1_024,
			},
		);
	} finally {
		await connection.close();
		await processes.stop();
	}
}

async function runQueues(stack: Stack): Promise<object> {
	const { mongodb, redis } = stack.state().servers;
	const options = { rounds: rounds(), messages: Number(values.messages ?? 1_000), rateSeconds: 26 };
	const queues = await queuesSuite({ mongodb: mongodb.url, redis: redis.url }, { ...options, log: say });
	// Afterwards: its processes would take their share of the machine from the rest.
	const engine = await startEngine(stack, { log: say, ratePerSecond: limit });
	try {
		return { ...queues, fairness: await measureFairness(engine, { behind: Number(values.behind), log: say }) };
	} finally {
		await engine.stop();
	}
}

async function runPurge(stack: Stack): Promise<object> {
	const credentials = await stack.vaultCredentials(["eraser", "rewrapper", "signer", "sender"]);
	const config = loadConfig({ ...stack.addresses(), ...credentials, LETHE_LOG_LEVEL: "warn" });
	const deps = await createDeps(config, "worker");
	try {
		await deps.store.prepare();
		const mongodb = { url: required(config.mongodb.url, "MONGODB_URL"), database: config.mongodb.database };
		const options = { rounds: rounds(), messages: Number(values.messages ?? 10_000) };
		return await purgeSuite({ deps, mongodb }, options);
	} finally {
		await deps.close();
	}
}

async function runCost(stack: Stack): Promise<object> {
	const proxy = await startMongoProxy(stack.state().servers.mongodb.url);
	try {
		const options = { messages: Number(values.messages ?? 1_000), rates: values.rate.split(",").map(Number) };
		return await withEngine(stack, (engine) => costSuite(engine, proxy, options), { MONGODB_URL: proxy.url });
	} finally {
		await proxy.stop();
	}
}

async function withEngine<Result>(
	stack: Stack,
	use: (engine: Engine) => Promise<Result>,
	settings: Record<string, string> = {},
): Promise<Result> {
	const folder = makePrivateFolder(join(stack.dir, "profiles"));
	const environment: Record<string, string> = values.profile
		? { NODE_OPTIONS: `${nodeOptions} ${profileOptions(folder)}` }
		: {};
	const engine = await startEngine(stack, { log: say, environment: { ...environment, ...settings } });
	try {
		return await use(engine);
	} finally {
		await engine.stop();
		for (const file of drawFlames(folder)) console.error(file);
	}
}

async function runPage(stack: Stack): Promise<object> {
	const processes = await startProcesses(stack, { log: say });
	try {
		const { apiUrl, demo, carrier } = processes;
		const target = { apiUrl, apiKey: demo.apiKey, carrierUrl: carrier.url, carrierToken: carrier.token };
		return await pageSuite(target, { rounds: rounds() });
	} finally {
		await processes.stop();
	}
}

/** Prints the figures with what they were made of and on, and keeps or judges them where that was asked. */
function tell(result: object): void {
	const figures: Figures = { ...result, commit, node: process.version, machine };
	console.log(JSON.stringify(figures, null, values.json ? 0 : 2));
	const worse = values.check ? findRegressions(figures, recorded(figures.suite ?? "")) : [];
	for (const line of worse) console.error(line);
	if (worse.length > 0) process.exitCode = 1;
	if (!values.record) return;
	record(figures);
	say(`drawn: ${plot().join(", ") || "nothing"}`);
}

/** The commit of the code, and whether files differ from it that are no pages; null where git does not tell. */
function readCommit(): string | null {
	const git = (...args: string[]) => spawnSync("git", args, { cwd: root, encoding: "utf8" });
	const { status, stdout } = git("rev-parse", "--short", "HEAD");
	if (status !== 0) return null;
	// What an earlier suite has just recorded is no change of what is measured.
	const changes = git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!docs", ":!README.md").stdout;
	return `${stdout.trim()}${changes === "" ? "" : "-dirty"}`;
}

/** What the figures were made on. */
function machineFacts() {
	const processors = cpus();
	return {
		processor: processors[0]?.model ?? "unknown",
		cores: processors.length,
		memoryBytes: totalmem(),
		system: `${platform()} ${release()}`,
		// Others' work shows here: figures of a busy machine compare with nothing.
		loadBefore: loadavg()[0] ?? 0,
	};
}
