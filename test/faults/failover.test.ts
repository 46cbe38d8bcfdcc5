// Senders and the API killed with -9 while messages fail over from a carrier that comes and goes: none lost, none twice, no budget too low.

import assert from "node:assert/strict";
import { randomBytes, randomInt } from "node:crypto";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { after, before, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import { createApiKey, createTenant, putSendQueue } from "../../cli/administer.ts";
import { loadConfig } from "../../config.ts";
import { createDeps, type Deps } from "../../deps.ts";
import { isFinal } from "../../domain/lifecycle.ts";
import type { Message } from "../../domain/message.ts";
import { createCarrierApp } from "../../stack/carrier/app.ts";
import { openCredentials } from "../../stack/carrier/credentials.ts";
import { openLedger } from "../../stack/carrier/ledger.ts";
import { magicNumber } from "../../stack/carrier/magic.ts";
import { type Processes, startProcesses } from "../../stack/processes.ts";
import { createStack, type Stack } from "../../stack/stack.ts";
import { ledgerDirOf } from "../../stack/stackFile.ts";
import { root } from "../harness/programs.ts";
import { exitOnSignal } from "./exitOnSignal.ts";
import { readLedger } from "./ledger.ts";

exitOnSignal();

const kills = 6;
const lanes = 6;
const waitMsMax = 150_000;
// The second is the one that the stack has: its receipts come to that queue.
const second = "simulator-demo";
const prices: Record<string, number> = { first: 0.01, [second]: 0.03 };
const priceMost = 0.03;
const micros = 1_000_000;
const dir = join(root, ".lethe", "faults-failover");

let stack: Stack;
let processes: Processes;
let deps: Deps;
let redis: Redis;
let tenantId: string;
let apiKey: string;
let first: Awaited<ReturnType<typeof startFirst>>;

before(async () => {
	const environment = { PATH: process.env.PATH, HOME: process.env.HOME };
	stack = createStack({ root, dir, log: () => undefined, environment, fresh: true });
	await stack.start();
	processes = await startProcesses(stack, { log: () => undefined, ratePerSecond: 200 });
	const admin = {
		...processes.baseEnvironment,
		...(await stack.vaultCredentials(["admin"])),
		LETHE_LOG_LEVEL: "silent",
	};
	deps = await createDeps(loadConfig({ ...admin, LETHE_LEDGER_DIR: ledgerDirOf(stack.dir) }), "admin");
	redis = new Redis(stack.state().servers.redis.url);
	first = await startFirst();
	const { url, token, publicKey } = first;
	const about = { carrier: "simulator", sender: "Lethe", registrations: { US: "C-A1" } };
	const queue = { ...about, settings: { url }, ratePerSecond: 200, paused: false };
	const secrets = { send: { token }, callback: { publicKey } };
	await putSendQueue(deps, { _id: "first", ...queue, carrierCopy: "keep" }, secrets);
	for (const [id, price] of Object.entries(prices)) await deps.store.sendQueues.set(id, { prices: { "*": price } });
	const sendQueues = Object.keys(prices);
	tenantId = await createTenant(deps, { name: "Failover", establishment: "US", sendQueues, destinations: ["*"] });
	await deps.store.tenants.set(tenantId, { budgets: { "*": { month: { segments: 100_000, cost: 10_000 } } } });
	({ apiKey } = await createApiKey(deps, { tenantId, name: "failover", roles: ["sender"] }));
});
after(async () => {
	await first?.close();
	redis?.disconnect();
	await deps?.close();
	await processes?.stop();
	await stack?.stop();
});

/** The first carrier, behind a door that is shut at will: what is on its way is cut then, wherever it is. */
async function startFirst() {
	const folder = join(dir, "first-carrier");
	const { signingKey, publicKey, token } = openCredentials(folder, { randomBytes });
	const ledger = openLedger(join(folder, "ledger.jsonl"));
	const app = createCarrierApp({
		...{ clock: Date.now, randomBytes, signingKey, token, ledger },
		...{ callbackUrl: `${processes.apiUrl}/v1/callbacks/simulator/first/receipts`, receiptDelayMs: 250 },
	});
	const inner = Number(new URL(await app.listen()).port);
	const sockets = new Set<Socket>();
	const door = createServer((outer) => {
		const socket = connect(inner, "127.0.0.1");
		for (const each of [outer, socket]) {
			sockets.add(each);
			each.on("error", () => undefined).on("close", () => sockets.delete(each));
		}
		outer.pipe(socket).pipe(outer);
	});
	const listen = (port: number) => new Promise<void>((resolve) => door.listen(port, "127.0.0.1", resolve));
	await listen(0);
	const { port } = door.address() as { port: number };
	return {
		...{ url: `http://127.0.0.1:${port}`, token, publicKey, ledger },
		open: async () => {
			if (!door.listening) await listen(port);
		},
		shut: async () => {
			const closed = new Promise((resolve) => door.close(resolve));
			for (const socket of sockets) socket.destroy();
			await closed;
		},
		async close() {
			for (const socket of sockets) socket.destroy();
			door.close();
			await app.close();
			ledger.close();
		},
	};
}

/** Repeats until it is accepted; answers how many tries nobody answered: each may have been charged. */
async function accept(key: string, ids: string[]): Promise<number> {
	const body = JSON.stringify({
		...{ to: magicNumber("delivered"), body: `Your parcel ${key} is at the counter` },
		...{ category: "transactional", dataClasses: ["contact"] },
	});
	const headers = { authorization: `Bearer ${apiKey}`, "content-type": "application/json", "idempotency-key": key };
	for (let unanswered = 0, end = Date.now() + waitMsMax; ; ) {
		const asking = fetch(`${processes.apiUrl}/v1/messages`, {
			...{ method: "POST", headers, body, signal: AbortSignal.timeout(15_000) },
		});
		const response = await asking.catch(() => undefined);
		const answer = (await response?.json().catch(() => undefined)) as { id: string } | undefined;
		if (response?.status === 202 && answer) {
			ids.push(answer.id);
			return unanswered;
		}
		if (response?.status !== 409) unanswered++;
		assert.ok(Date.now() < end, `not accepted in time: ${response?.status}`);
		await sleep(50);
	}
}

it("moves each message once, and charges it for the carrier that took it, whenever a process dies", async () => {
	const ids: string[] = [];
	let unanswered = 0;
	let senderKills = 0;
	let over = false;
	// Redis may forget: then the first carrier looks well, and is tried first again.
	const forget = async () => {
		while (!over) {
			const keys = [...(await redis.keys("*:fate:first:*")), ...(await redis.keys("*:open:first"))];
			if (keys.length > 0) await redis.del(...keys);
			await sleep(100);
		}
	};
	const flap = async () => {
		while (!over) {
			await first.shut();
			await sleep(randomInt(200, 1_500));
			await first.open();
			await sleep(randomInt(100, 600));
		}
	};
	const lane = async (number: number) => {
		for (let index = 0; !over; index++) unanswered += await accept(`failover-${number}-${index}-${process.pid}`, ids);
	};
	const loading = Promise.all([...Array.from({ length: lanes }, (_, number) => lane(number)), flap(), forget()]);
	for (let kill = 0; kill < kills; kill++) {
		const [name, before] = [kill % 3 === 2 ? "api" : "sender", ids.length] as const;
		for (const end = Date.now() + waitMsMax; ids.length < before + lanes && name !== "api"; ) {
			assert.ok(Date.now() < end, "nothing is accepted");
			await sleep(5);
		}
		await sleep(randomInt(0, 400));
		await processes.kill(name);
		senderKills += Number(name === "sender");
		await processes.restart(name);
	}
	over = true;
	await loading;
	// From here on the first carrier answers what became of attempts that nobody knows the end of.
	await first.open();
	const messages = await endOf(ids);
	const attempts = messages.flatMap((message) => message.attempts.map((attempt) => ({ ...attempt, message })));
	const moved = messages.filter(({ reroutes = [] }) => reroutes.length > 0);
	assert.ok(moved.length > kills, `${moved.length} of ${messages.length} failed over`);
	assert.deepEqual(Object.keys(Object.groupBy(messages, ({ state }) => state)), ["delivered"]);
	// Ours and theirs, each attempt by its queue and the carrier's own id.
	const ours = attempts.flatMap(({ outcome, sendQueue, carrierId }) =>
		outcome === "accepted" ? [`${sendQueue} ${carrierId}`] : [],
	);
	const theirs = [
		...first.ledger.page({ after: 0, limit: 100_000 }).map(({ id }) => `first ${id}`),
		// Its ledger has nobody else's.
		...(await readLedger(processes.carrier)).map(({ id }) => `${second} ${id}`),
	];
	assert.equal(ours.length, messages.length, "one carrier took each");
	assert.deepEqual(ours.toSorted(), theirs.toSorted());
	for (const queue of Object.keys(prices))
		assert.ok(
			ours.some((one) => one.startsWith(queue)),
			`${queue} took none`,
		);
	await budgetsFit(messages, { unanswered, senderKills });
});

/** The messages once all are final. */
async function endOf(ids: string[]): Promise<Message[]> {
	for (const end = Date.now() + waitMsMax; ; await sleep(500)) {
		const found = await Promise.all([...new Set(ids)].map((id) => deps.store.messages.find(id)));
		const messages = found.filter((message) => message !== undefined);
		assert.equal(messages.length, ids.length, "each was accepted once");
		const open = messages.filter(({ state }) => !isFinal(state));
		if (open.length === 0) return messages;
		const states = open.map(({ _id, state, sendQueue }) => `${_id} is ${state} on ${sendQueue}`);
		assert.ok(Date.now() < end, states.slice(0, 5).join(", "));
	}
}

/** A death between a charge and what it is for leaves it too much: one a post that nobody answered, one a job in hand. */
async function budgetsFit(
	messages: Message[],
	{ unanswered, senderKills }: { unanswered: number; senderKills: number },
) {
	const spent = (await deps.store.spending.read(tenantId, Date.now())).all?.month ?? {};
	for (const { charge, sendQueue, segments = 1 } of messages) {
		const price = (prices[sendQueue] ?? 0) * micros;
		assert.deepEqual([charge?.segments, charge?.costMicros], [segments, Math.round(price) * segments]);
	}
	const sum = (of: (charge: NonNullable<Message["charge"]>) => number) =>
		messages.reduce((total, { charge }) => total + (charge ? of(charge) : 0), 0);
	const [segments, cost] = [sum((charge) => charge.segments), sum((charge) => charge.costMicros)];
	const inHandMax = senderKills * loadConfig({}).sender.concurrency;
	const about = `${JSON.stringify(spent)} for ${segments} segments, ${cost}; ${unanswered} unanswered`;
	const { segments: spentSegments = 0, cost: spentCost = 0 } = spent as { segments?: number; cost?: number };
	assert.ok(spentSegments >= segments && spentSegments <= segments + unanswered, about);
	const most = cost + (unanswered + inHandMax) * priceMost * micros;
	assert.ok(spentCost >= cost && spentCost <= most, about);
}
