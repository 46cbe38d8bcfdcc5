// The four servers of one folder: found, started together, watched, remembered in a file, ended.

import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { issueCredentials } from "../adapters/vault/issue.ts";
import type { Role } from "../adapters/vault/policies.ts";
import { makePrivateFolder, readIfThere, writePrivateFile } from "./files.ts";
import { endLeftovers } from "./leftovers.ts";
import { takeLock } from "./lock.ts";
import { createPorts } from "./ports.ts";
import { adoptMongodb, planMongodb } from "./servers/mongodb.ts";
import { adoptRedis, planRedis } from "./servers/redis.ts";
import type { ForeignOptions, ForeignServer, Server, ServerOptions } from "./servers/server.ts";
import { adoptTemporal, planTemporal } from "./servers/temporal.ts";
import { adoptVault, planVault } from "./servers/vault.ts";
import { type Engine, findSource, urlVariables } from "./sources.ts";
import { readStackFile, type ServerName, type StackState, stackFilePath, writeStackFile } from "./stackFile.ts";
import { createSupervised, type Supervised, type SupervisedDeps, untilAnswered } from "./supervised.ts";
import { installWheels, type Wheels } from "./wheels.ts";

const stopMs = 10_000;
const foreignReadyMs = 15_000;

export type Stack = ReturnType<typeof createStack>;

/**
 * A stack of servers with its data, logs and ids below `dir`.
 * @param deps.root the repository, whose stacks share the installed programs
 * @param deps.alone takes no server that the environment names
 * @param deps.fresh forgets the data of earlier starts first
 */
// biome-ignore lint/complexity/noExcessiveLinesPerFunction: a factory; the functions in it are short.
export function createStack(deps: {
	root: string;
	dir: string;
	log: (line: string) => void;
	environment?: NodeJS.ProcessEnv;
	alone?: boolean;
	fresh?: boolean;
}) {
	const { root, dir, log } = deps;
	const { PATH, HOME } = process.env;
	const environment = deps.environment ?? (deps.alone ? { PATH, HOME } : process.env);
	const file = stackFilePath(dir);
	const runDir = join(dir, "run");
	const logDir = join(dir, "logs");
	const supervised = new Map<ServerName, Supervised>();
	// What runs on the servers, in the order in which it came.
	const guests: Supervised[] = [];
	let lock: { release: () => void } | undefined;
	let hadFolder = false;
	let state: StackState | undefined;
	let ports = createPorts({});

	function current(): StackState {
		if (!state) throw new Error("The stack is not started.");
		return state;
	}

	/** Changes the state and its file. */
	function update(change: (state: StackState) => void): void {
		const next = structuredClone(current());
		change(next);
		next.ports = { ...next.ports, ...ports.given() };
		state = next;
		writeStackFile(file, next);
	}

	async function start(): Promise<StackState> {
		// What servers write is for this user only, too.
		process.umask(0o077);
		lock = lockFolder(dir);
		if (!lock) throw new Error(runsAlready(dir, file));
		hadFolder = true;
		process.on("exit", killNow);
		try {
			const known = readStackFile(file);
			await clearGround();
			ports = createPorts(known?.ports ?? {});
			await startServers(known);
			return current();
		} catch (error) {
			await stop();
			throw error;
		}
	}

	async function clearGround(): Promise<void> {
		makePrivateFolder(runDir);
		makePrivateFolder(logDir);
		const ended = await endLeftovers(runDir);
		if (ended.length > 0) log(`ended what an earlier start left running: ${ended.join(", ")}`);
		if (!deps.fresh) return;
		for (const name of readdirSync(dir)) {
			if (!["stack.lock", "stack.json", "run"].includes(name))
				rmSync(join(dir, name), { recursive: true, force: true });
		}
		makePrivateFolder(logDir);
	}

	async function startServers(known: StackState | undefined): Promise<void> {
		let installing: Promise<Wheels> | undefined;
		const wheels = () => {
			installing ??= installWheels({ root, environment, log });
			return installing;
		};
		const common = { dir, environment, wheels, port: ports.pick };
		const temporal = await prepare("temporal", planTemporal, adoptTemporal, common);
		const vault = await prepare("vault", planVault, adoptVault, common);
		const mongodb = await prepare("mongodb", planMongodb, adoptMongodb, common);
		const redis = await prepare("redis", planRedis, adoptRedis, common);
		state = {
			version: 1,
			startedAt: new Date().toISOString(),
			pid: process.pid,
			dir,
			ports: { ...known?.ports, ...ports.given() },
			servers: { temporal: temporal.entry, vault: vault.entry, mongodb: mongodb.entry, redis: redis.entry },
			processes: {},
			...(known?.demo && !deps.fresh ? { demo: known.demo } : {}),
		};
		writeStackFile(file, state);
		const results = await Promise.allSettled([temporal, vault, mongodb, redis].map(startServer));
		const failed = results.find((result) => result.status === "rejected");
		if (failed) throw failed.reason;
	}

	async function startServer(prepared: Prepared<object>): Promise<void> {
		const { name, run } = prepared;
		const startedAt = performance.now();
		const tell = (how: string) => log(`${name} ${how} (${((performance.now() - startedAt) / 1000).toFixed(1)} s)`);
		if (!run) {
			await waitForForeign(prepared);
			return tell("answers, as named by the environment");
		}
		const server = createSupervised({
			name,
			runDir,
			logFile: join(logDir, `${name}.log`),
			plan: async () => ({ ...run, env: serverEnvironment(environment), cwd: prepared.dataDir }),
			ready: (_child, signal, note) => untilAnswered(prepared.answers, signal, note),
			readyMs: run.readyMs,
			stopMs,
			onPid: (pid) => {
				if (!state) return;
				update((next) => {
					next.servers[name].pid = pid;
				});
			},
			log,
		});
		supervised.set(name, server);
		await server.start();
		tell("is ready");
	}

	/** A process on these servers, not started yet. It is ended before them, the last that came first. */
	function supervise(guest: Omit<SupervisedDeps, "runDir" | "logFile"> & { logFile?: string }): Supervised {
		const one = createSupervised({ logFile: join(logDir, `${guest.name}.log`), ...guest, runDir });
		guests.push(one);
		return one;
	}

	async function stop(): Promise<void> {
		for (let guest = guests.pop(); guest; guest = guests.pop()) await guest.stop();
		await Promise.all([...supervised.values()].map((server) => server.stop()));
		supervised.clear();
		if (lock && state) tellEnd();
		lock?.release();
		lock = undefined;
		process.off("exit", killNow);
	}

	// All have ended by then: a disk without room for saying so is not to keep the folder locked, or hide why they ended.
	function tellEnd(): void {
		try {
			update((next) => {
				next.pid = null;
				next.processes = {};
			});
		} catch (error) {
			log(`${file} can't be written: ${(error as Error).message}`);
		}
	}

	function killNow(): void {
		for (const one of [...guests, ...supervised.values()]) one.killNow();
	}

	function ours(name: ServerName): Supervised {
		const server = supervised.get(name);
		if (!server) throw new Error(`${name} is not a server that this stack started.`);
		return server;
	}

	return {
		dir,
		file,
		runDir,
		logDir,
		/** @throws one error that says what did not start and why; nothing is left running then. */
		start,
		supervise,
		/** Ends every server that was started here, and what runs on them. */
		stop,
		/** Ends one server as a power cut would; it stays down until `restart`. */
		kill: (name: ServerName) => ours(name).kill(),
		/** Starts one server again on the same port and data, ending it first if it runs. */
		async restart(name: ServerName): Promise<void> {
			await ours(name).stop();
			await ours(name).start();
		},
		state: current,
		/** Whether its folder is or was its own: not where another stack has run in it all along. */
		hadFolder: () => hadFolder,
		update,
		/** A free port that later starts use again. */
		port: (name: string) => ports.pick(name),
		/** The variables that tell a process where the servers are. */
		addresses: () => addressesOf(current()),
		/** Fresh credentials as variables, each good for one login within minutes. */
		vaultCredentials: (roles: readonly Role[]) => vaultCredentials(current(), roles),
	};
}

/** The variables that tell a process where the servers are. */
function addressesOf({ servers }: StackState): Record<string, string> {
	return {
		TEMPORAL_ADDRESS: servers.temporal.address,
		TEMPORAL_NAMESPACE: servers.temporal.namespace,
		VAULT_ADDR: servers.vault.url,
		MONGODB_URL: servers.mongodb.url,
		REDIS_URL: servers.redis.url,
	};
}

type Prepared<Address> = ForeignServer<Address> & {
	name: ServerName;
	dataDir: string;
	entry: Address & { pid: null; source: "environment" | "path" | "cache" | "wheel" } & Record<Where, string | null>;
	/** Absent for a server that someone else runs. */
	run?: Pick<Server<Address>, "command" | "args" | "readyMs">;
};
type Where = "program" | "dataDir" | "logFile";

async function prepare<Address>(
	name: ServerName,
	plan: (options: ServerOptions) => Promise<Server<Address>>,
	adopt: (options: ForeignOptions) => ForeignServer<Address>,
	common: {
		dir: string;
		environment: NodeJS.ProcessEnv;
		wheels: () => Promise<Wheels>;
		port: (name: string) => Promise<number>;
	},
): Promise<Prepared<Address>> {
	const dataDir = makePrivateFolder(join(common.dir, name));
	const engineFile = join(dataDir, "engine");
	const madeBy = readIfThere(engineFile) as Engine | undefined;
	const found = await findSource(name, { ...common, madeBy });
	if (found.source === "environment") {
		const foreign = adopt({ url: found.url, dataDir, environment: common.environment });
		const nowhere = { pid: null, source: found.source, program: null, dataDir: null, logFile: null };
		return { name, dataDir, ...foreign, entry: { ...foreign.address, ...nowhere } };
	}
	const server = await plan({ program: found, dataDir, port: common.port });
	writePrivateFile(engineFile, found.engine);
	const logFile = join(common.dir, "logs", `${name}.log`);
	const where = { pid: null, source: found.source, program: found.engine, dataDir, logFile };
	return { name, dataDir, ...server, entry: { ...server.address, ...where }, run: server };
}

async function waitForForeign({ name, answers }: Prepared<object>): Promise<void> {
	const signal = AbortSignal.timeout(foreignReadyMs);
	let why = "no answer";
	await untilAnswered(answers, signal, (noted) => {
		why = noted;
	});
	if (!signal.aborted) return;
	throw new Error(`${urlVariables[name]} names a server that can't be used: ${why}. Correct it, or unset it.`);
}

async function vaultCredentials(state: StackState, roles: readonly Role[]): Promise<Record<string, string>> {
	const { url, issuerTokenFile } = state.servers.vault;
	const issuerToken = readIfThere(issuerTokenFile) ?? "";
	const variables: Record<string, string> = {};
	for (const role of roles) {
		const { roleId, wrappedSecretId } = await issueCredentials({ address: url, issuerToken, role });
		variables[`LETHE_VAULT_${role.toUpperCase()}_ROLE_ID`] = roleId;
		variables[`LETHE_VAULT_${role.toUpperCase()}_WRAPPED_SECRET_ID`] = wrappedSecretId;
	}
	return variables;
}

function lockFolder(dir: string): { release: () => void } | undefined {
	try {
		makePrivateFolder(dir);
		return takeLock(join(dir, "stack.lock"));
	} catch (error) {
		const { code, message } = error as NodeJS.ErrnoException;
		throw new Error(`${dir} can't be used (${code ?? message}): mend its rights, or take another folder with --dir.`);
	}
}

function runsAlready(dir: string, file: string): string {
	const pid = readStackFile(file)?.pid;
	const who = pid ? ` (process ${pid})` : "";
	return `A stack runs in ${dir} already${who}. End it, or take another folder with --dir.`;
}

// Variables of the user's own tools must not reach the servers: Vault alone reads dozens of them.
function serverEnvironment(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
	const names = ["PATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "TZ"];
	return Object.fromEntries(names.flatMap((name) => (environment[name] ? [[name, environment[name]]] : [])));
}
