// The whole engine with every line through a proxy, two of each worker, and the hands that break and mend it.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
	closeSync,
	existsSync,
	globSync,
	mkdtempSync,
	openSync,
	readdirSync,
	readFileSync,
	rmSync,
	writeFileSync,
	writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import mongoose from "mongoose";
import { makeRootToken } from "../../adapters/vault/rootToken.ts";
import { createApiKey, createTenant } from "../../cli/administer.ts";
import { loadConfig } from "../../config.ts";
import { createDeps, createLogReading } from "../../deps.ts";
import { unpackDebian } from "../../stack/debian.ts";
import { makePrivateFolder } from "../../stack/files.ts";
import { endLeftovers } from "../../stack/leftovers.ts";
import { takeLock } from "../../stack/lock.ts";
import { startProcesses } from "../../stack/processes.ts";
import { createStack, type Stack } from "../../stack/stack.ts";
import { logDirOf } from "../../stack/stackFile.ts";
import { type Supervised, untilTold } from "../../stack/supervised.ts";
import { root } from "../harness/programs.ts";
import { type LineProxy, startProxy } from "./proxy.ts";
import {
	type Fault,
	type FaultKind,
	type ProcessTarget,
	processTargets,
	type ServerTarget,
	type Target,
} from "./schedule.ts";

const servers = ["temporal", "mongodb", "vault", "redis"] as const;

const seconds = { worker2: "worker", sender2: "sender" } as const;
const diskMegabytes: Record<ServerTarget, number> = { temporal: 300, mongodb: 500, vault: 150, redis: 100 };
const mendMsMax = 180_000;
const canMount = tryMount();
const fakeTime = await findFakeTime();

export type Targets = Awaited<ReturnType<typeof startTargets>>;

/** Kinds of faults that can't be had on this machine, with why. */
export function missingKinds(): Partial<Record<FaultKind, string>> {
	return {
		...(canMount ? {} : { full: "no full disks: mounting small ones needs root" }),
		...(fakeTime
			? {}
			: { jump: "no clock jumps: libfaketime is neither there nor to be had (Debian's package of that name)" }),
	};
}

/**
 * Starts all of it anew below `dir`: small disks for the servers' data where they can be had, clocks that can be moved. When
 * this process exits, however early, servers and disks go with it.
 * @throws when a run is under way there, or anything does not start; nothing is left running or mounted then
 */
export async function startTargets(dir: string) {
	await layGround(dir);
	const unmountAll = () => unmountDisks(dir);
	process.on("exit", unmountAll);
	const environment = { PATH: process.env.PATH, HOME: process.env.HOME };
	const stack = createStack({ root, dir, log: () => undefined, environment });
	async function stop(): Promise<void> {
		await stack.stop();
		unmountAll();
		process.off("exit", unmountAll);
		forgetClocks();
	}
	try {
		await stack.start();
		return await startOn(stack, stop);
	} catch (error) {
		await stop();
		throw error;
	}
}

/**
 * Ends what an earlier run left that was killed before it could, and forgets it: witnesses and ledgers of another schedule
 * would contradict this one's. All under the stack's own lock.
 */
async function layGround(dir: string): Promise<void> {
	const lockName = "stack.lock";
	const lock = takeLock(join(makePrivateFolder(dir), lockName));
	if (!lock) throw new Error(`Random faults are under way in ${dir} already: wait for their end.`);
	try {
		await endLeftovers(makePrivateFolder(join(dir, "run")));
		unmountDisks(dir);
		const left = readdirSync(dir).filter((name) => name !== lockName);
		for (const name of left) rmSync(join(dir, name), { recursive: true, force: true });
		forgetClocks();
		if (canMount) mountDisks(dir);
	} finally {
		lock.release();
	}
}

async function startOn(stack: Stack, stopStack: () => Promise<void>) {
	const clocks = createClocks(join(stack.dir, "clocks"));
	const proxies = {} as Record<ServerTarget | "carrier", LineProxy>;
	const addresses: Record<string, string> = {};
	for (const [name, value] of Object.entries(stack.addresses())) {
		const server = serverOf[name];
		const port = /:(\d+)/.exec(value)?.[1];
		if (!server || !port) continue;
		proxies[server] = await startProxy(Number(port));
		addresses[name] = value.replace(port, String(proxies[server].port));
	}
	const processes = await startProcesses(stack, {
		log: () => undefined,
		ratePerSecond: 200,
		environmentOf: clocks.environmentOf,
		environment: {
			...addresses,
			LETHE_SHARED_RUN_MS: "100",
			LETHE_KEY_REQUESTS_PER_SECOND: "1000",
			LETHE_TENANT_REQUESTS_PER_SECOND: "1000",
			LETHE_ADDRESS_REQUESTS_PER_SECOND: "1000",
		},
	});
	const keeper = await addKeeper(stack, processes.demo.tenantId);
	proxies.carrier = await startProxy(Number(new URL(processes.carrier.url).port));
	const store = await mongoose
		.createConnection(stack.state().servers.mongodb.url, { dbName: "lethe", autoIndex: false })
		.asPromise();
	await store
		.collection("sendQueues")
		.updateOne(
			{ _id: "simulator-demo" as never },
			{ $set: { "settings.url": `http://127.0.0.1:${proxies.carrier.port}` } },
		);
	await processes.restart("sender");
	const second = {} as Record<keyof typeof seconds, Supervised>;
	for (const [name, of] of Object.entries(seconds) as [keyof typeof seconds, "worker" | "sender"][]) {
		second[name] = stack.supervise({
			name,
			plan: async () => {
				const plan = await processes.planOf(of);
				return { ...plan, env: { ...plan.env, ...clocks.environmentOf(name) } };
			},
			ready: untilTold,
			readyMs: 60_000,
			stopMs: 10_000,
			onPid: () => undefined,
			log: () => undefined,
		});
		await second[name].start();
	}
	const vault = stack.state().servers.vault;
	const { key } = JSON.parse(readFileSync(join(vault.dataDir as string, "root.json"), "utf8")) as { key: string };
	const rootToken = await makeRootToken({ address: vault.url, keys: [key] });

	function pidOf(target: Target): number {
		const { state } = stack;
		const pid = isServer(target)
			? state().servers[target].pid
			: isSecond(target)
				? second[target].pid()
				: state().processes[target]?.pid;
		if (!pid) throw new Error(`${target} does not run`);
		return pid;
	}

	async function kill(target: Target): Promise<void> {
		if (isServer(target)) await stack.kill(target);
		else if (isSecond(target)) await second[target].kill();
		else await processes.kill(target);
	}

	/** Starts it again, as often as it takes: what it needs may be broken too. */
	async function restart(target: Target): Promise<void> {
		await insist(async () => {
			if (isServer(target)) return stack.restart(target);
			if (!isSecond(target)) return processes.restart(target);
			await second[target].stop();
			await second[target].start();
		});
	}

	function proxyOf(target: Target): LineProxy {
		return proxies[target as ServerTarget | "carrier"];
	}

	/** Names of all keys that Vault has in transit. @throws when it does not answer */
	async function transitKeys(): Promise<string[]> {
		const headers = { "x-vault-token": rootToken };
		const response = await fetch(`${vault.url}/v1/transit/keys?list=true`, { headers });
		const { data } = (await response.json()) as { data: { keys: string[] } };
		return data.keys;
	}

	/** Breaks what a fault says; answers what mends it. A process that is down already can't be broken. */
	async function begin({ kind, target, byMs = 0 }: Fault): Promise<() => Promise<void>> {
		const nothing = async () => undefined;
		const { servers: known } = stack.state();
		switch (kind) {
			case "kill":
				await kill(target);
				return () => restart(target);
			case "stop": {
				const pid = pidOf(target);
				process.kill(pid, "SIGSTOP");
				return async () => void process.kill(pid, "SIGCONT");
			}
			case "cut":
			case "hang":
			case "slow":
				proxyOf(target).set(kind === "hang" ? "hung" : kind);
				return async () => proxyOf(target).set("whole");
			case "reset":
				proxyOf(target).reset();
				return nothing;
			case "empty":
				await emptyRedis(known.redis.url);
				return nothing;
			case "seal":
				await sealVault(vault.url, rootToken);
				return () => restart("vault");
			case "full": {
				const ballast = join(known[target as ServerTarget].dataDir as string, "ballast");
				fill(ballast);
				return async () => {
					rmSync(ballast, { force: true });
					// An engine that found no room may be at its end: a mongod then ends too, and is started again; a stand-in goes on
					// and refuses everything.
					if (target === "mongodb" && !(await takesWrites(store))) await restart(target);
				};
			}
			case "jump":
				clocks.set(target as ProcessTarget, byMs);
				return async () => clocks.set(target as ProcessTarget, 0);
		}
	}

	return {
		...processes,
		/** Another tenant, which keeps text and number of what it sends for a month. */
		keeper,
		store,
		transitKeys,
		begin,
		readLogs: () => readLogs(stack),
		async stop(): Promise<void> {
			await store.close();
			await stopStack();
			for (const proxy of Object.values(proxies)) await proxy.close();
		},
	};
}

/** What the processes have logged, in clear, a line each: the keys to it go with Vault. */
async function readLogs(stack: Stack): Promise<string> {
	const environment = { ...stack.addresses(), ...(await stack.vaultCredentials(["logreader"])) };
	const reading = await createLogReading(loadConfig({ ...environment, LETHE_LOG_DIR: logDirOf(stack.dir) }));
	try {
		const reader = reading.openReader(await reading.identities());
		const lines: string[] = [];
		for await (const line of reader.read({ since: undefined, process: undefined, isLive: false })) {
			lines.push(`${new Date(line.time).toISOString()} ${JSON.stringify(line)}\n`);
		}
		return lines.join("");
	} finally {
		await reading.close();
	}
}

async function addKeeper(stack: Stack, demoTenantId: string): Promise<{ tenantId: string; apiKey: string }> {
	const environment = { ...stack.addresses(), ...(await stack.vaultCredentials(["admin"])) };
	const deps = await createDeps({ ...loadConfig(environment), logLevel: "silent" }, "admin");
	try {
		const demo = await deps.store.tenants.find(demoTenantId);
		assert.ok(demo?.destinations);
		const { establishment, sendQueues, destinations } = demo;
		const retention = { content: "P30D", address: "P30D" };
		const tenantId = await createTenant(deps, {
			...{ name: "Keeper", establishment, sendQueues, destinations, retention },
			governsPolicies: false,
		});
		const roles = ["sender", "compliance", "auditor"];
		return { tenantId, ...(await createApiKey(deps, { tenantId, name: "faults", roles })) };
	} finally {
		await deps.close();
	}
}

async function takesWrites(store: mongoose.Connection): Promise<boolean> {
	const written = store.useDb("probe").collection("writes").insertOne({});
	return written.then(
		() => true,
		() => false,
	);
}

/** What moves clocks: this machine's, or Debian's, unpacked. Undefined without one; the processes run as they always do then. */
async function findFakeTime(): Promise<string | undefined> {
	const library = "usr/lib/*/faketime/libfaketime.so.1";
	const [own] = globSync(`/${library}`);
	if (own) return own;
	const unpacked = await unpackDebian("faketime", join(root, ".lethe", "debian")).catch(() => undefined);
	return unpacked && globSync(join(unpacked, library))[0];
}

/** The wall clock of each process is this machine's and an offset, read from a file; its monotonic one goes on. */
function createClocks(dir: string) {
	makePrivateFolder(dir);
	for (const name of processTargets) set(name, 0);
	function fileOf(name: ProcessTarget): string {
		return join(dir, name);
	}

	function set(name: ProcessTarget, offsetMs: number): void {
		writeFileSync(fileOf(name), `${offsetMs < 0 ? "-" : "+"}${(Math.abs(offsetMs) / 1000).toFixed(3)}`);
	}

	function environmentOf(name: ProcessTarget): Record<string, string> {
		if (!fakeTime) return {};
		return {
			LD_PRELOAD: fakeTime,
			FAKETIME_TIMESTAMP_FILE: fileOf(name),
			FAKETIME_CACHE_DURATION: "1",
			FAKETIME_DONT_FAKE_MONOTONIC: "1",
		};
	}

	return { set, environmentOf };
}

/** Removes what libfaketime leaves of processes that were killed. */
function forgetClocks(): void {
	for (const left of globSync("/dev/shm/*faketime_s*")) {
		const pid = Number(/(\d+)$/.exec(left)?.[1]);
		if (!existsSync(`/proc/${pid}`)) rmSync(left, { force: true });
	}
}

const serverOf: Record<string, ServerTarget> = {
	TEMPORAL_ADDRESS: "temporal",
	VAULT_ADDR: "vault",
	MONGODB_URL: "mongodb",
	REDIS_URL: "redis",
};
const isServer = (target: Target): target is ServerTarget => (servers as readonly string[]).includes(target);
const isSecond = (target: Target): target is keyof typeof seconds => target in seconds;

async function insist(act: () => Promise<void>): Promise<void> {
	for (const end = Date.now() + mendMsMax; ; ) {
		try {
			return await act();
		} catch (error) {
			if (Date.now() > end) throw error;
			await sleep(500);
		}
	}
}

async function emptyRedis(url: string): Promise<void> {
	const redis = new Redis(url, { maxRetriesPerRequest: 1, connectTimeout: 2_000, commandTimeout: 2_000 });
	redis.on("error", () => undefined);
	// One that is down now has nothing to be emptied of.
	await redis.flushall().catch(() => undefined);
	redis.disconnect();
}

async function sealVault(url: string, token: string): Promise<void> {
	const request = { method: "PUT", headers: { "x-vault-token": token }, signal: AbortSignal.timeout(5_000) };
	await fetch(`${url}/v1/sys/seal`, request).catch(() => undefined);
}

function fill(path: string): void {
	const file = openSync(path, "w");
	try {
		for (let bytes = 4 * 1024 * 1024; bytes >= 4_096; ) {
			try {
				writeSync(file, Buffer.alloc(bytes));
			} catch (error) {
				if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
				bytes /= 4;
			}
		}
	} finally {
		closeSync(file);
	}
}

/** A small disk in memory for each server's data. @throws when one can't be had; none is left then */
function mountDisks(dir: string): void {
	try {
		for (const server of servers) mountDisk(makePrivateFolder(join(dir, server)), diskMegabytes[server]);
	} catch (error) {
		unmountDisks(dir);
		throw error;
	}
}

function unmountDisks(dir: string): void {
	for (const server of servers) unmount(join(dir, server));
}

function mountDisk(folder: string, megabytes: number): void {
	const options = ["-t", "tmpfs", "-o", `size=${megabytes}m,mode=0700`, "tmpfs", folder];
	execFileSync("mount", options, { stdio: "ignore" });
}

function unmount(folder: string): void {
	try {
		execFileSync("umount", ["-l", folder], { stdio: "ignore" });
	} catch {
		// It was none.
	}
}

/** Tried in a folder of its own: the disks of this one's may be a run's that is under way. */
function tryMount(): boolean {
	const folder = mkdtempSync(join(tmpdir(), "lethe-disk-"));
	try {
		mountDisk(folder, 1);
		return true;
	} catch {
		return false;
	} finally {
		unmount(folder);
		rmSync(folder, { recursive: true, force: true });
	}
}
