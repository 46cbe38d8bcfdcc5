// Fairness on the whole engine: what ten messages of one tenant wait while another's many wait before them.

import { setTimeout as sleep } from "node:timers/promises";
import { createApiKey, createTenant } from "../cli/administer.ts";
import { loadConfig } from "../config.ts";
import { createDeps } from "../deps.ts";
import { anywhere } from "../domain/abuse.ts";
import { queueRange } from "../domain/backlog.ts";
import { magicNumber } from "../stack/carrier/magic.ts";
import { ledgerDirOf } from "../stack/stackFile.ts";
import { acceptBatch, batchMessages } from "./batch.ts";
import type { Engine } from "./engine.ts";
import { rateOf, spread } from "./measure.ts";

const batchesAtOnce = 4;
const fewMessages = 10;
// The queue is at its pace by then.
const warmUpMs = 5_000;
const watchedMs = 5_000;
const shelvedMsMax = 1_200_000;
const sentMsMax = 300_000;

type Queue = { id: string };
type Deps = Awaited<ReturnType<typeof createDeps>>;
type Options = { behind: number; log: (line: string) => void };

/**
 * The queue is paused until `behind` messages and a few batches more wait in its backlog, accepted in batches of 500. `behind`:
 * those of them that the carrier had not been given when the ten were. `waitMs`: from each one's POST to the carrier.
 * `bulkPerSecond`: what the carrier was given of the others, from five seconds before.
 */
export async function measureFairness(engine: Engine, { behind, log }: Options) {
	const few = await createFew(engine);
	const { id } = await readQueue(engine);
	const before = (await engine.readLedger("limit=1")).total;
	await engine.ask("POST", `/v1/queues/${id}/pause`);
	// A thousand go out before the ten are sent.
	const batches = Math.ceil(behind / batchMessages) + 3;
	const many = batches * batchMessages;
	let accepted = 0;
	const batchesPerSecond = await rateOf(batches, batchesAtOnce, async () => {
		await acceptBatch(engine);
		accepted += batchMessages;
		if (accepted % (20 * batchMessages) === 0) log(`${accepted} of ${many} messages accepted`);
	});
	await withAdmin(engine, (deps) => untilShelved(deps, { id, behind, log }));
	await engine.ask("POST", `/v1/queues/${id}/resume`);
	while ((await engine.readLedger("limit=1")).total === before) await sleep(100);
	await sleep(warmUpMs);
	const since = { given: (await engine.readLedger("limit=1")).total, at: performance.now() };
	await sleep(watchedMs);
	const given = (await engine.readLedger("limit=1")).total;
	const waits = await sendFew(engine, few, given);
	const seconds = (performance.now() - since.at) / 1000;
	const bulk = (await engine.readLedger("limit=1")).total - since.given - waits.length;
	return {
		behind: many - (given - before),
		messages: waits.length,
		acceptedPerSecond: batchesPerSecond * batchMessages,
		waitMs: spread(waits),
		bulkPerSecond: bulk / seconds,
	};
}

async function withAdmin<Answer>({ stack }: Engine, act: (deps: Deps) => Promise<Answer>): Promise<Answer> {
	const environment = {
		...stack.addresses(),
		...(await stack.vaultCredentials(["admin"])),
		LETHE_LEDGER_DIR: ledgerDirOf(stack.dir),
		LETHE_LOG_LEVEL: "warn",
	};
	const deps = await createDeps(loadConfig(environment), "admin");
	try {
		return await act(deps);
	} finally {
		await deps.close();
	}
}

/** Another tenant of the same queue; answers its key. */
function createFew(engine: Engine): Promise<string> {
	return withAdmin(engine, async (deps) => {
		const sendQueues = (await deps.store.sendQueues.all()).map(({ _id }) => _id);
		const tenant = { name: "Few", establishment: "US", sendQueues, destinations: [anywhere] };
		const tenantId = await createTenant(deps, tenant);
		return (await createApiKey(deps, { tenantId, name: "few", roles: ["sender"] })).apiKey;
	});
}

async function readQueue({ ask }: Engine): Promise<Queue> {
	const [queue] = (await ask<{ items: Queue[] }>("GET", "/v1/queues")).items;
	if (!queue) throw new Error("the demo has no send queue");
	return queue;
}

// More than `GET /v1/queues` counts. The few batches beyond are there soon.
async function untilShelved({ store }: Deps, { id, behind, log }: Options & { id: string }): Promise<void> {
	const end = performance.now() + shelvedMsMax;
	for (;;) {
		const backlog = await store.messages.countBacklog(queueRange(id), behind);
		if (backlog >= behind) return;
		if (performance.now() > end) throw new Error(`${backlog} of ${behind} messages wait in the backlog`);
		log(`${backlog} of ${behind} messages wait in the backlog`);
		await sleep(5_000);
	}
}

/** Milliseconds from each one's POST until the carrier had it. */
async function sendFew(engine: Engine, apiKey: string, given: number): Promise<number[]> {
	const sent = new Map<string, number>();
	await rateOf(fewMessages, fewMessages, async (index) => {
		const body = `Your parcel ${index} is at the counter`;
		sent.set(body, Date.now());
		const to = magicNumber("delivered");
		await engine.post("/v1/messages", { to, body, category: "transactional", dataClasses: ["contact"] }, apiKey);
	});
	const waitMs: number[] = [];
	for (let after = given, end = Date.now() + sentMsMax; ; ) {
		const { messages } = await engine.readLedger(`after=${after}&limit=1000`);
		for (const { text, at } of messages) if (sent.has(text)) waitMs.push(at - (sent.get(text) as number));
		after = messages.at(-1)?.seq ?? after;
		if (waitMs.length === fewMessages) return waitMs;
		if (Date.now() > end) throw new Error(`the carrier has ${waitMs.length} of ${fewMessages} messages`);
		await sleep(200);
	}
}
