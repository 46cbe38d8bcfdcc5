// A folder's four servers: found without a network, kept apart from others', remembered, and never left running.

import assert from "node:assert/strict";
import { once } from "node:events";
import {
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	readlinkSync,
	rmSync,
	statSync,
	writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it, mock } from "node:test";
import { prepare } from "../../cli/administer.ts";
import { loadConfig } from "../../config.ts";
import { createDeps, type ProcessName } from "../../deps.ts";
import { Plaintext } from "../../domain/plaintext.ts";
import { takeLock } from "../../stack/lock.ts";
import { createStack, type Stack } from "../../stack/stack.ts";
import type { ServerName, StackState } from "../../stack/stackFile.ts";
import { untilTold } from "../../stack/supervised.ts";
import { messageOf } from "../harness/message.ts";
import { bareEnvironment, root, runs, start } from "../harness/programs.ts";

const folder = mkdtempSync(join(tmpdir(), "lethe-stack-"));
const stacks = new Set<Stack>();
after(async () => {
	await Promise.all([...stacks].map((stack) => stack.stop()));
	rmSync(folder, { recursive: true });
});

const names: ServerName[] = ["temporal", "vault", "mongodb", "redis"];

/** A stack in a folder of its own, which shares the programs of this clone and reaches no registry. */
function stackIn(name: string, environment: Record<string, string> = {}) {
	const lines: string[] = [];
	const dir = join(folder, name);
	const stack = createStack({ root, dir, log: (line) => lines.push(line), environment: bareEnvironment(environment) });
	stacks.add(stack);
	return { ...stack, lines };
}

const pidsOf = (state: StackState) => names.flatMap((name) => state.servers[name].pid ?? []);

/** Processes that work in a folder or were started with a path below it; ids that nobody wrote down count too. */
function processesIn(dir: string): string[] {
	return readdirSync("/proc").filter((pid) => {
		if (!/^\d+$/.test(pid) || Number(pid) === process.pid) return false;
		try {
			const command = readFileSync(`/proc/${pid}/cmdline`, "utf8");
			return readlinkSync(`/proc/${pid}/cwd`).startsWith(dir) || command.includes(dir);
		} catch {
			return false;
		}
	});
}

/** Addresses, in hexadecimal, on which anything listens on these ports. */
function listeners(ports: number[]): string[] {
	const lines = ["/proc/net/tcp", "/proc/net/tcp6"].flatMap((file) => readFileSync(file, "utf8").split("\n").slice(1));
	return lines.flatMap((line) => {
		const [, local = "", , state] = line.trim().split(/\s+/);
		const [address = "", port = ""] = local.split(":");
		return state === "0A" && ports.includes(Number.parseInt(port, 16)) ? [address] : [];
	});
}

async function withDeps<T>(
	stack: Stack,
	name: ProcessName,
	act: (deps: Awaited<ReturnType<typeof createDeps>>) => Promise<T>,
) {
	const credentials = await stack.vaultCredentials([name as "api" | "sender" | "admin"]);
	const config = loadConfig({ ...stack.addresses(), ...credentials, LETHE_LOG_LEVEL: "silent" });
	const deps = await createDeps(config, name);
	try {
		return await act(deps);
	} finally {
		await deps.close();
	}
}

/** What happens to a root token that Vault hands out, as seen on the wire. */
function overhearRootToken() {
	const tokens: string[] = [];
	const listen = globalThis.fetch;
	mock.method(globalThis, "fetch", async (...args: Parameters<typeof fetch>) => {
		const answer = await listen(...args);
		if (String(args[0]).endsWith("/v1/sys/init") && args[1]?.method === "PUT") {
			tokens.push(((await answer.clone().json()) as { root_token: string }).root_token);
		}
		return answer;
	});
	return tokens;
}

describe("a stack", { skip: process.platform !== "linux" && "it looks into /proc" }, () => {
	const a = stackIn("a");
	const b = stackIn("b");
	const text = "The parcel is at the counter.";
	const place = { tenantId: "ten_a", messageId: "msg_kept", object: "content" as const };
	let first: StackState;
	let rootTokens: string[];

	it("starts beside another one, without a network, on free ports of loopback only", async () => {
		rootTokens = overhearRootToken();
		const [stateA, stateB] = await Promise.all([a.start(), b.start()]);
		mock.restoreAll();
		first = structuredClone(stateA);
		assert.deepEqual(
			[...a.lines, ...b.lines].filter((line) => /install/.test(line)),
			[],
		);
		const [portsA, portsB] = [stateA, stateB].map(({ ports }) => Object.values(ports));
		assert.equal(new Set([...(portsA ?? []), ...(portsB ?? [])]).size, 12);
		const addresses = new Set(listeners(portsA ?? []));
		assert.deepEqual(addresses, new Set(["0100007F"]));
		assert.equal(new Set([...pidsOf(stateA), ...pidsOf(stateB)]).size, 8);
	});

	it("writes down what runs, for its owner's eyes only", () => {
		assert.equal(statSync(a.file).mode & 0o777, 0o600);
		assert.equal(statSync(a.dir).mode & 0o777, 0o700);
		const state = JSON.parse(readFileSync(a.file, "utf8")) as StackState;
		assert.equal(state.pid, process.pid);
		for (const name of names) {
			const server = state.servers[name];
			assert.ok(server.pid && runs(server.pid), name);
			assert.ok(statSync(server.dataDir as string).isDirectory());
			assert.ok(statSync(server.logFile as string).isFile());
			assert.ok(Number.isInteger(state.ports[name]), name);
		}
		const { temporal, vault, mongodb, redis } = state.servers;
		assert.equal(temporal.address, `127.0.0.1:${state.ports.temporal}`);
		assert.equal(vault.url, `http://127.0.0.1:${state.ports.vault}`);
		assert.match(mongodb.url, new RegExp(`^mongodb://127\\.0\\.0\\.1:${state.ports.mongodb}/`));
		assert.equal(redis.url, `redis://127.0.0.1:${state.ports.redis}`);
	});

	it("keeps no root token: it authenticates no more, and is in no file", async () => {
		assert.equal(rootTokens.length, 2);
		for (const token of rootTokens) {
			const status = async (url: string) => {
				const init = { headers: { "X-Vault-Token": token } };
				return (await fetch(`${url}/v1/auth/token/lookup-self`, init)).status;
			};
			assert.deepEqual([await status(first.servers.vault.url), await status(b.state().servers.vault.url)], [403, 403]);
			const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
			assert.ok(files.length > 20);
			const holders = files.filter((entry) => readFileSync(join(entry.parentPath, entry.name)).includes(token));
			assert.deepEqual(holders, []);
		}
	});

	it("is refused a second time in the same folder, and the first goes on", async () => {
		const again = stackIn("a");
		await assert.rejects(
			again.start(),
			new RegExp(`^Error: A stack runs in .*/a already \\(process ${process.pid}\\)\\.`),
		);
		assert.equal(a.state().pid, process.pid);
		assert.deepEqual(pidsOf(a.state()).filter(runs), pidsOf(first));
	});

	it("uses a server that the environment names, and never ends it", async () => {
		const guest = stackIn("guest", {
			MONGODB_URL: first.servers.mongodb.url,
			TEMPORAL_ADDRESS: first.servers.temporal.address,
			REDIS_URL: first.servers.redis.url,
		});
		const { servers } = await guest.start();
		for (const name of ["mongodb", "temporal", "redis"] as const) {
			assert.deepEqual([servers[name].source, servers[name].pid, servers[name].dataDir], ["environment", null, null]);
		}
		assert.equal(servers.redis.url, first.servers.redis.url);
		await guest.stop();
		assert.deepEqual(pidsOf(first).filter(runs), pidsOf(first));
	});

	it("goes on undisturbed while another one ends, which leaves nothing running", async () => {
		await withDeps(a, "admin", prepare);
		await withDeps(a, "api", async (deps) => {
			const dueAt = Date.now() + 86_400_000;
			const cohortId = await deps.cohorts.ensure({ ...place, region: "US", retentionClass: "content/P1D", dueAt });
			const content = await deps.encryption.encrypt({ ...place, cohortId, plaintext: Plaintext.text(text) });
			const message = messageOf({ id: place.messageId, tenantId: place.tenantId });
			assert.equal(await deps.store.messages.insert({ ...message, content }), "inserted");
			const before = pidsOf(b.state());
			await b.stop();
			assert.deepEqual(before.filter(runs), []);
			assert.deepEqual(processesIn(b.dir), []);
			assert.equal(JSON.parse(readFileSync(b.file, "utf8")).pid, null);
			for (const [name, check] of Object.entries(deps.checks)) await assert.doesNotReject(check, name);
		});
	});

	it("keeps keys and messages over a restart, on the same ports but one that was taken meanwhile", async () => {
		await a.stop();
		assert.deepEqual(pidsOf(first).filter(runs), []);
		// As after an update that asks more of Vault: it is set up again, by a root token that is made and revoked.
		writeFileSync(join(a.dir, "vault", "provision-version"), "11");
		const squatter = createServer().listen(first.ports.redis, "127.0.0.1");
		await once(squatter, "listening");
		const state = await a.start();
		squatter.close();
		assert.deepEqual(
			a.lines.filter((line) => /install/.test(line)),
			[],
		);
		const { redis, ...same } = state.ports;
		assert.deepEqual({ ...same, redis: first.ports.redis }, first.ports);
		assert.notEqual(redis, first.ports.redis);
		assert.deepEqual(Object.keys(JSON.parse(readFileSync(join(a.dir, "vault", "root.json"), "utf8"))), ["key"]);
		const read = await withDeps(a, "sender", async (deps) => {
			const message = await deps.store.messages.find(place.messageId);
			assert.ok(message?.content);
			return (await deps.encryption.decrypt({ ...place, sealed: message.content })).reveal();
		});
		assert.equal(read, text);
	});

	it("ends, at its next start, what a launcher killed with -9 left running; and what runs on it before its servers", async () => {
		await a.stop();
		const program = `
			import { createStack } from ${JSON.stringify(join(root, "stack/stack.ts"))};
			const stack = createStack({ root: ${JSON.stringify(root)}, dir: ${JSON.stringify(b.dir)}, log: console.log });
			await stack.start();
			console.log("all are up");
		`;
		const launcher = start(process.execPath, ["--input-type=module", "-e", program]);
		await launcher.says(/all are up/);
		const left = pidsOf(JSON.parse(readFileSync(b.file, "utf8")));
		await launcher.end("SIGKILL");
		assert.equal(left.length, 4);
		assert.deepEqual(left.filter(runs), left);
		const next = stackIn("b");
		const state = await next.start();
		assert.match(next.lines[0] ?? "", /^ended what an earlier start left running: (\w+(, )?){4}$/);
		assert.deepEqual(left.filter(runs), []);
		assert.deepEqual(pidsOf(state).filter(runs), pidsOf(state));
		await endsGuestsFirst(next, state.servers.redis.url);
		assert.deepEqual(processesIn(b.dir), []);
	});

	/** Ends a stack with two processes on it, each of which looks for a server at its end. */
	async function endsGuestsFirst(stack: Stack, url: string) {
		const script = `
			process.on("SIGTERM", () => {
				const socket = require("node:net").connect(${new URL(url).port}, "127.0.0.1");
				for (const seen of ["connect", "error"]) {
					socket.once(seen, () => process.stdout.write(seen + " " + Date.now() + "\\n", () => process.exit(0)));
				}
			});
			setInterval(() => undefined, 1000);
			process.send("up");
		`;
		const guests = ["one", "other"].map((name) =>
			stack.supervise({
				name,
				plan: async () => ({ command: process.execPath, args: ["-e", script], env: {}, ipc: true }),
				ready: untilTold,
				readyMs: 30_000,
				stopMs: 10_000,
				onPid: () => undefined,
				log: () => undefined,
			}),
		);
		for (const guest of guests) await guest.start();
		const pids = guests.map((guest) => guest.pid() as number);
		await stack.stop();
		assert.deepEqual(pids.filter(runs), []);
		const seen = ["one", "other"].map((name) => readFileSync(join(stack.logDir, `${name}.log`), "utf8").split(" "));
		assert.deepEqual(
			seen.map(([how]) => how),
			["connect", "connect"],
		);
		const [one = 0, other = 0] = seen.map(([, at]) => Number(at));
		assert.ok(other <= one, "the last that came is ended first");
	}

	it("makes the token anew by which credentials are issued, once that has ended", async () => {
		const stack = stackIn("ended");
		const { url, issuerTokenFile } = (await stack.start()).servers.vault;
		const token = readFileSync(issuerTokenFile, "utf8");
		const headers = { "X-Vault-Token": token };
		const revoked = await fetch(`${url}/v1/auth/token/revoke-self`, { method: "POST", headers });
		assert.equal(revoked.status, 204);
		await assert.rejects(stack.vaultCredentials(["api"]));
		await stack.stop();
		await stack.start();
		assert.notEqual(readFileSync(issuerTokenFile, "utf8"), token);
		assert.ok((await stack.vaultCredentials(["api"])).LETHE_VAULT_API_ROLE_ID);
		await stack.stop();
	});

	it("ends whole where that can't be written down, and says so; the next start finds nothing in its way", async () => {
		const bin = join(folder, "bin-full");
		mkdirSync(bin);
		const full = stackIn("full", { PATH: `${bin}:${process.env.PATH}` });
		// Once the others are written down nothing more can be: as where the disk is full.
		const program = `#!/bin/sh\nsleep 1\nrm ${full.file}\nmkdir ${full.file}\nexit 3\n`;
		writeFileSync(join(bin, "redis-server"), program, { mode: 0o755 });
		await assert.rejects(full.start(), /^Error: redis did not start: ended with exit code 3\./);
		assert.match(full.lines.at(-1) ?? "", /^\S+stack\.json can't be written: EISDIR/);
		assert.deepEqual(processesIn(full.dir), []);
		const lock = takeLock(join(full.dir, "stack.lock"));
		assert.ok(lock, "its folder is free");
		lock.release();
	});

	it("leaves nothing running when a server can't start, and says which and why", async () => {
		const bin = join(folder, "bin");
		mkdirSync(bin);
		writeFileSync(join(bin, "redis-server"), '#!/bin/sh\necho "no room on the disk" >&2\nexit 3\n', { mode: 0o755 });
		const broken = stackIn("broken", { PATH: `${bin}:${process.env.PATH}` });
		await assert.rejects(
			broken.start(),
			/^Error: redis did not start: ended with exit code 3\. Its log ends with:\nno room on the disk$/,
		);
		assert.deepEqual(processesIn(broken.dir), []);
		assert.deepEqual(readdirSync(broken.runDir), []);
		assert.equal(JSON.parse(readFileSync(broken.file, "utf8")).pid, null);
		assert.equal(statSync(broken.file).mode & 0o777, 0o600);
	});
});

describe("a folder that can't be used", () => {
	it("is named in one line with the mend", async () => {
		const file = join(folder, "file");
		writeFileSync(file, "");
		for (const [name, code] of [
			["file", "EEXIST"],
			["file/below", "ENOTDIR"],
		] as const) {
			await assert.rejects(
				stackIn(name).start(),
				new RegExp(`^Error: .*${name} can't be used \\(${code}\\): mend its rights`),
			);
		}
	});
});
