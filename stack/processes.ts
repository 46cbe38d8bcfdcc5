// Lethe's own processes on a stack: each with its addresses and fresh credentials, supervised, told of in the stack's file.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Role } from "../adapters/vault/policies.ts";
import { limits } from "../domain/limits.ts";
import { demoCallbackUrl, setUpDemo } from "./demo.ts";
import { makePrivateFolder } from "./files.ts";
import { keepBundle } from "./keepBundle.ts";
import { localCertificate } from "./localCertificate.ts";
import type { Stack } from "./stack.ts";
import { ledgerDirOf, logDirOf, type ProcessName, witnessFilePath } from "./stackFile.ts";
import { type Plan, type Supervised, untilTold } from "./supervised.ts";

/**
 * How Node runs in every process of the engine. Told nothing, V8 takes a big machine for room to be used: the heap may grow
 * fourfold before it is collected. The less it is bounded to, the less it grows at once: by this bound by a third, and no
 * process has come near it. Of semi-spaces each of four heaps has up to three: of 8 MB they take some 50 MB more than of 4,
 * and a twenty-fifth less of the processor. At 5,000 open messages worker, sender and API had 1,545 MB together, what they
 * share counted once, and by these options, `memoryKept` and the worker's smaller cache (workers/settings.ts) 794. No signal
 * opens a debugger, and no report tells the environment.
 */
export const nodeOptions = "--max-semi-space-size=8 --max-old-space-size=384 --disable-sigusr1 --report-exclude-env";

/**
 * How the C library keeps what is freed: in few arenas, so that one thread takes what another gave back, and no more than
 * 128 KiB of it at an arena's end. By itself it keeps more the larger what was freed.
 */
export const memoryKept = { MALLOC_ARENA_MAX: "2", MALLOC_TRIM_THRESHOLD_: "131072" };

const readyMs = 60_000;
// A send that is under way has its answer, and that is written down.
const stopMs = 2 * limits.leaseMs;
const script = (path: string) => fileURLToPath(new URL(`../${path}`, import.meta.url));

const plans: Record<ProcessName, { script: string; roles: Role[] }> = {
	carrier: { script: script("stack/carrier/server.ts"), roles: [] },
	worker: { script: script("workers/worker.ts"), roles: ["eraser", "rewrapper", "signer", "sender"] },
	sender: { script: script("workers/sender.ts"), roles: ["sender"] },
	api: { script: script("api/server.ts"), roles: ["api"] },
};

export type Processes = Awaited<ReturnType<typeof startProcesses>>;

/**
 * Starts the simulated carrier, sets up the demo's tenant, queue and key, then starts worker, sender and API.
 * @throws one error that says what did not start and why; nothing of it is left running then
 */
// biome-ignore lint/complexity/noExcessiveLinesPerFunction: a factory; the functions in it are short.
export async function startProcesses(
	stack: Stack,
	options: {
		log: (line: string) => void;
		ratePerSecond?: number;
		environment?: Record<string, string>;
		/** What one of them has beyond that. */
		environmentOf?: (name: ProcessName) => Record<string, string>;
	},
) {
	const supervised = new Map<ProcessName, Supervised>();
	const apiPort = Number(options.environment?.LETHE_API_PORT) || (await stack.port("api"));
	const tlsPort = Number(options.environment?.LETHE_TLS_PORT) || (await stack.port("apiTls"));
	const certificate = await localCertificate(stack.dir);
	const carrierPort = await stack.port("carrier");
	const apiUrl = `http://127.0.0.1:${apiPort}`;
	const tlsUrl = `https://localhost:${tlsPort}`;
	const carrierUrl = `http://127.0.0.1:${carrierPort}`;
	const carrierDir = makePrivateFolder(join(stack.dir, "carrier"));
	const bundle = await keepBundle(stack.dir);
	const own: Record<ProcessName, Record<string, string>> = {
		carrier: {
			LETHE_CARRIER_DIR: carrierDir,
			LETHE_CARRIER_PORT: String(carrierPort),
			LETHE_CARRIER_CALLBACK_URL: demoCallbackUrl(apiUrl, "receipts"),
			LETHE_CARRIER_INBOUND_URL: demoCallbackUrl(apiUrl, "inbound"),
			// As real ones, whose receipts come after their answers; magic numbers make them overtake.
			LETHE_CARRIER_RECEIPT_DELAY_MS: "250",
		},
		worker: { LETHE_WORKFLOW_BUNDLE: bundle, LETHE_EVIDENCE_WITNESS_FILE: witnessFilePath(stack.dir) },
		sender: {},
		api: {
			LETHE_API_PORT: String(apiPort),
			LETHE_TLS_PORT: String(tlsPort),
			...(options.environment?.LETHE_TLS_CERTIFICATE_FILE
				? {}
				: { LETHE_TLS_CERTIFICATE_FILE: certificate.certificateFile, LETHE_TLS_KEY_FILE: certificate.keyFile }),
		},
	};
	const { PATH = "", HOME = "", NODE_COMPILE_CACHE = "" } = process.env;
	const base = { PATH, HOME, NODE_COMPILE_CACHE, NODE_OPTIONS: nodeOptions, ...memoryKept };
	const shared = {
		LETHE_PUBLIC_URL: apiUrl,
		LETHE_LOG_LEVEL: "warn",
		// Whoever tries this out has the receiver of webhooks beside it.
		LETHE_OUTBOUND_ALLOWED: "127.0.0.0/8,::1/128",
		LETHE_LEDGER_DIR: ledgerDirOf(stack.dir),
		LETHE_LOG_DIR: logDirOf(stack.dir),
		...stack.addresses(),
		...options.environment,
	};

	async function environmentOf(name: ProcessName): Promise<Record<string, string>> {
		const credentials = await stack.vaultCredentials(plans[name].roles);
		return { ...base, ...shared, ...own[name], ...options.environmentOf?.(name), ...credentials };
	}

	const planOf = async (name: ProcessName): Promise<Plan> => ({
		command: process.execPath,
		args: [plans[name].script],
		env: await environmentOf(name),
		ipc: true,
	});

	async function start(name: ProcessName): Promise<void> {
		const logFile = join(stack.logDir, `${name}.log`);
		const ofApi = { url: apiUrl, tlsUrl, publicUrl: shared.LETHE_PUBLIC_URL };
		const url = name === "api" ? ofApi : name === "carrier" ? { url: carrierUrl } : {};
		stack.update((state) => {
			state.processes[name] = { pid: null, logFile, ...url };
		});
		const one = stack.supervise({
			name,
			plan: () => planOf(name),
			ready: untilTold,
			readyMs,
			stopMs,
			onPid: (pid) =>
				stack.update((state) => {
					const entry = state.processes[name];
					if (entry) entry.pid = pid;
				}),
			log: options.log,
		});
		supervised.set(name, one);
		await one.start();
		options.log(`${name} is ready`);
	}

	/** Ends all of them, the door first. */
	async function stop(): Promise<void> {
		for (const name of ["api", "sender", "worker", "carrier"] as const) await supervised.get(name)?.stop();
	}

	try {
		await start("carrier");
		const { token, publicKey } = JSON.parse(readFileSync(join(carrierDir, "credentials.json"), "utf8"));
		const admin = { ...shared, ...(await stack.vaultCredentials(["admin"])) };
		const carrier = { url: carrierUrl, token, publicKey };
		const demo = await setUpDemo(admin, carrier, stack.state().demo, options.ratePerSecond);
		stack.update((state) => {
			state.demo = demo;
			state.authority = { certificateFile: certificate.authorityFile };
		});
		for (const name of ["worker", "sender", "api"] as const) await start(name);
		const one = (name: ProcessName) => supervised.get(name) as Supervised;
		return {
			apiUrl,
			tlsUrl,
			carrier,
			demo,
			/** What a further process of the same stack needs to find the servers. */
			baseEnvironment: { ...base, ...stack.addresses() },
			/** How one of them is run, with credentials of its own: for a second one beside it. */
			planOf,
			stop,
			/** Ends one as a power cut would; it stays down until `restart`. */
			kill: (name: ProcessName) => one(name).kill(),
			restart: async (name: ProcessName): Promise<void> => {
				await one(name).stop();
				await one(name).start();
			},
		};
	} catch (error) {
		await stop();
		throw error;
	}
}
