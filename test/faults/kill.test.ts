// Each process and server killed with -9 while 200 messages are on the way: all end, none twice, none missing.

import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { verifyEvidence } from "../../audit/verifyEvidence.ts";
import type { Entry } from "../../domain/evidence.ts";
import { finalStates } from "../../domain/lifecycle.ts";
import { magicNumber } from "../../stack/carrier/magic.ts";
import { type Processes, startProcesses } from "../../stack/processes.ts";
import { createStack, type Stack } from "../../stack/stack.ts";
import { untilTold } from "../../stack/supervised.ts";
import { ofArray } from "../audit/memoryEvidence.ts";
import { freePort } from "../harness/freePort.ts";
import { exitOnSignal } from "./exitOnSignal.ts";

exitOnSignal();

const root = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");
const messageCount = 200;
const waitMsMax = 240_000;
// The most that may be set.
const gatherMs = 1_000;

describe("kill -9 with messages on the way", () => {
	let stack: Stack;
	let processes: Processes;
	const all: string[] = [];
	before(async () => {
		const environment = { PATH: process.env.PATH, HOME: process.env.HOME };
		stack = createStack({
			root,
			dir: join(root, ".lethe", "faults-kill"),
			log: () => undefined,
			environment,
			fresh: true,
		});
		await stack.start();
		processes = await startProcesses(stack, { log: () => undefined, ratePerSecond: 100 });
	});
	after(async () => {
		await processes?.stop();
		await stack?.stop();
	});

	const headers = () => ({ authorization: `Bearer ${processes.demo.apiKey}`, "content-type": "application/json" });

	/** Posts until it is accepted: the same key sends once, however often it takes. */
	async function accept(key: string, apiUrl = processes.apiUrl): Promise<string> {
		const end = Date.now() + waitMsMax;
		const body = JSON.stringify({
			to: magicNumber("delivered"),
			body: `Your parcel ${key} is at the counter`,
			category: "transactional",
			dataClasses: ["contact"],
		});
		for (;;) {
			const url = `${apiUrl}/v1/messages`;
			const request = { method: "POST", headers: { ...headers(), "idempotency-key": key }, body };
			const response = await fetch(url, { ...request, signal: AbortSignal.timeout(15_000) }).catch(() => undefined);
			if (response?.status === 202) return ((await response.json()) as { id: string }).id;
			await response?.arrayBuffer().catch(() => undefined);
			assert.ok(Date.now() < end, `not accepted in time: ${response?.status}`);
			await new Promise((resolve) => setTimeout(resolve, 200));
		}
	}

	type Seen = { state: string; submissionId: string; sharesRun?: true };
	async function read(id: string): Promise<Seen | undefined> {
		const url = `${processes.apiUrl}/v1/messages/${id}`;
		const response = await fetch(url, { headers: headers(), signal: AbortSignal.timeout(15_000) }).catch(
			() => undefined,
		);
		return response?.ok ? ((await response.json()) as Seen) : undefined;
	}

	async function ledgerTotal(): Promise<{ total: number; repeatedReferences: number }> {
		const url = `${processes.carrier.url}/ledger?limit=1`;
		const response = await fetch(url, { headers: { authorization: `Bearer ${processes.carrier.token}` } });
		return (await response.json()) as { total: number; repeatedReferences: number };
	}

	async function survive(name: string, kill: () => Promise<void>, restart: () => Promise<void>): Promise<void> {
		const before = await ledgerTotal();
		const ids: string[] = [];
		const keys = Array.from({ length: messageCount }, (_, index) => `${name}-${index}-${process.pid}`);
		let killing: Promise<void> | undefined;
		const lane = async () => {
			for (let key = keys.pop(); key; key = keys.pop()) {
				ids.push(await accept(key));
				if (ids.length >= messageCount / 2) killing ??= kill().then(restart);
			}
		};
		await Promise.all(Array.from({ length: 10 }, lane));
		await killing;
		assert.equal(new Set(ids).size, messageCount);
		await untilDelivered(ids, before);
	}

	async function untilDelivered(ids: string[], before: { total: number }): Promise<void> {
		const end = Date.now() + waitMsMax;
		const counts: Record<string, number> = {};
		for (const id of ids) {
			let state = (await read(id))?.state ?? "unreadable";
			while (!(finalStates as string[]).includes(state)) {
				assert.ok(Date.now() < end, `${id} is still ${state}`);
				await new Promise((resolve) => setTimeout(resolve, 250));
				state = (await read(id))?.state ?? "unreadable";
			}
			counts[state] = (counts[state] ?? 0) + 1;
		}
		const { total } = await ledgerTotal();
		all.push(...ids);
		assert.deepEqual(counts, { delivered: ids.length }, JSON.stringify(counts));
		assert.equal(total - before.total, ids.length, "each message is in the carrier's ledger once");
	}

	/** A second API, whose single messages share runs. */
	async function startSharing() {
		const port = await freePort();
		const plan = async () => {
			const { env, ...planned } = await processes.planOf("api");
			const own = { LETHE_API_PORT: String(port), LETHE_TLS_PORT: "0", LETHE_SHARED_RUN_MS: String(gatherMs) };
			return { ...planned, env: { ...env, ...own } };
		};
		const about = { name: "sharing", ready: untilTold, readyMs: 60_000, stopMs: 10_000 };
		const sharing = stack.supervise({ ...about, plan, onPid: () => undefined, log: () => undefined });
		await sharing.start();
		return { ...sharing, url: `http://127.0.0.1:${port}` };
	}

	for (const name of ["api", "worker", "sender"] as const) {
		it(`the ${name} killed: all are delivered once`, () =>
			survive(
				name,
				() => processes.kill(name),
				() => processes.restart(name),
			));
	}

	it("an API killed while messages gather for the run that they share: the sweep starts it, and all are delivered once", async () => {
		const sharing = await startSharing();
		const before = await ledgerTotal();
		const keys = Array.from({ length: 40 }, (_, index) => `sharing-${index}-${process.pid}`);
		const ids = await Promise.all(keys.map((key) => accept(key, sharing.url)));
		await sharing.kill();
		const gathered = (await Promise.all(ids.map(read))).filter((message) => message?.sharesRun);
		const runs = new Set(gathered.map((message) => message?.submissionId));
		assert.ok(gathered.length > runs.size, "they share");
		assert.ok(
			gathered.some((message) => message?.state === "accepted"),
			"nobody has started that run",
		);
		await untilDelivered(ids, before);
		await sharing.stop();
	});

	for (const name of ["temporal", "mongodb", "vault"] as const) {
		it(`${name} killed: all are delivered once`, () =>
			survive(
				name,
				() => stack.kill(name),
				() => stack.restart(name),
			));
	}

	it("Redis killed and its files deleted: all are delivered once", () =>
		survive(
			"redis",
			async () => {
				await stack.kill("redis");
				const { dataDir } = stack.state().servers.redis;
				for (const file of ["appendonly.aof", "dump.rdb", "appendonlydir"]) {
					rmSync(join(dataDir as string, file), { recursive: true, force: true });
				}
			},
			() => stack.restart("redis"),
		));

	it("after all of it the evidence log is whole, and has each message's acceptance and delivery once", async () => {
		const jwks = (await (await fetch(`${processes.apiUrl}/.well-known/jwks.json`)).json()) as { keys: { x: string }[] };
		const end = Date.now() + waitMsMax;
		for (;;) {
			const response = await fetch(`${processes.apiUrl}/v1/evidence/export`, { headers: headers() });
			const lines = (await response.text()).trimEnd().split("\n");
			const result = await verifyEvidence(ofArray(lines), jwks.keys);
			assert.ok(result.valid, JSON.stringify(result));
			const entries = lines.slice(1).map((line) => JSON.parse(line) as Entry);
			const about = (type: string) => entries.filter((entry) => entry.type === type).map((entry) => entry.about);
			const [accepted, delivered] = [about("accepted"), about("delivered")];
			if (all.every((id) => delivered.includes(id))) {
				for (const found of [accepted, delivered]) {
					assert.deepEqual(found.filter((id) => id && all.includes(id)).toSorted(), all.toSorted());
				}
				return;
			}
			assert.ok(Date.now() < end, "the log lacks messages that were delivered");
			await new Promise((resolve) => setTimeout(resolve, 1000));
		}
	});
});
