// The API killed with -9 at random instants under load, 20 times: every 202 is in the store, every repeat is the same message.

import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { join } from "node:path";
import { after, before, it } from "node:test";
import { fileURLToPath } from "node:url";
import mongoose, { type Connection } from "mongoose";
import { magicNumber } from "../../stack/carrier/magic.ts";
import { type Processes, startProcesses } from "../../stack/processes.ts";
import { createStack, type Stack } from "../../stack/stack.ts";
import { exitOnSignal } from "./exitOnSignal.ts";

exitOnSignal();

const root = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");
const kills = 20;
const lanes = 16;
const batchEvery = 10;
const batchMessages = 5;
const waitMsMax = 120_000;

let stack: Stack;
let processes: Processes;
let store: Connection;
before(async () => {
	const environment = { PATH: process.env.PATH, HOME: process.env.HOME };
	stack = createStack({
		root,
		dir: join(root, ".lethe", "faults-accept"),
		log: () => undefined,
		environment,
		fresh: true,
	});
	await stack.start();
	processes = await startProcesses(stack, { log: () => undefined, ratePerSecond: 1_000 });
	const { url } = stack.state().servers.mongodb;
	store = await mongoose.createConnection(url, { dbName: "lethe", autoIndex: false }).asPromise();
});
after(async () => {
	await store?.close();
	await processes?.stop();
	await stack?.stop();
});

type Asked = { key: string; batch: boolean };

/** What the last one that was not accepted was answered. */
let refusal = "";

async function post({ key, batch }: Asked): Promise<string[] | undefined> {
	const one = { to: magicNumber("delivered"), body: `Your parcel ${key} is at the counter` };
	const shared = { category: "transactional", dataClasses: ["contact"] };
	const body = batch
		? { ...shared, messages: Array.from({ length: batchMessages }, () => one) }
		: { ...shared, ...one };
	const response = await fetch(`${processes.apiUrl}/v1/${batch ? "batches" : "messages"}`, {
		method: "POST",
		headers: {
			authorization: `Bearer ${processes.demo.apiKey}`,
			"content-type": "application/json",
			"idempotency-key": key,
		},
		body: JSON.stringify(body),
		signal: AbortSignal.timeout(15_000),
	}).catch((error: Error) => {
		refusal = error.name;
		return undefined;
	});
	if (!response) return undefined;
	const answer = (await response.json().catch(() => undefined)) as
		| { id: string; code?: string; items?: { id: string }[] }
		| undefined;
	if (response.status !== 202 || !answer) {
		refusal = `${response.status} ${answer?.code}`;
		return undefined;
	}
	return answer.items ? answer.items.map(({ id }) => id) : [answer.id];
}

/** Repeats until it is answered. */
async function insist(asked: Asked): Promise<string[]> {
	for (const end = Date.now() + waitMsMax; ; ) {
		const ids = await post(asked);
		if (ids) return ids;
		assert.ok(Date.now() < end, `${asked.key} is not accepted in time: ${refusal}`);
		await new Promise((resolve) => setTimeout(resolve, 100));
	}
}

async function assertStored(ids: string[]): Promise<void> {
	for (let at = 0; at < ids.length; at += 500) {
		const page = ids.slice(at, at + 500);
		const found = await store.collection("messages").countDocuments({ _id: { $in: page as never[] } });
		assert.equal(found, page.length, "what was answered 202 is in the store");
	}
}

it("accepts each key once, whenever the process dies", { timeout: 900_000 }, async () => {
	const answered = new Map<string, string[]>();
	const all: Asked[] = [];
	for (let kill = 0; kill < kills; kill++) {
		const before = answered.size;
		const round: Asked[] = [];
		let over = false;
		const lane = async (number: number) => {
			for (let index = 0; !over; index++) {
				const asked = { key: `kill-${kill}-${number}-${index}-${process.pid}`, batch: index % batchEvery === 0 };
				round.push(asked);
				const ids = await post(asked);
				if (ids) answered.set(asked.key, ids);
				else await new Promise((resolve) => setTimeout(resolve, 20));
			}
		};
		const loading = Promise.all(Array.from({ length: lanes }, (_, number) => lane(number)));
		for (const end = Date.now() + waitMsMax; answered.size < before + lanes; ) {
			assert.ok(Date.now() < end, "nothing is accepted");
			await new Promise((resolve) => setTimeout(resolve, 5));
		}
		await new Promise((resolve) => setTimeout(resolve, randomInt(0, 500)));
		await processes.kill("api");
		over = true;
		await loading;
		// Before any repeat: ids follow from keys, so that one would put back what was lost.
		await assertStored(round.flatMap(({ key }) => answered.get(key) ?? []));
		await processes.restart("api");
		for (const asked of round) {
			const ids = await insist(asked);
			assert.deepEqual(ids, answered.get(asked.key) ?? ids, asked.key);
			answered.set(asked.key, ids);
		}
		all.push(...round);
	}
	const ids = [...answered.values()].flat();
	assert.equal(new Set(ids).size, ids.length);
	await assertStored(ids);
	const messages = store.collection("messages");
	// Members of a batch whose head was never inserted are orphans, and are swept away.
	for (const end = Date.now() + 2 * waitMsMax; ; ) {
		const found = await messages.countDocuments({});
		if (found === ids.length) break;
		assert.ok(found > ids.length && Date.now() < end, `${found} in the store, ${ids.length} accepted`);
		await new Promise((resolve) => setTimeout(resolve, 1_000));
	}
	assert.ok(all.length > kills * lanes);
});
