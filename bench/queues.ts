// Send queues on real servers: how exactly a limit is kept, and what a queue without a limit costs.

import { createHash, randomBytes } from "node:crypto";
import { Queue, Worker } from "bullmq";
import { Redis } from "ioredis";
import { createSend } from "../activities/send.ts";
import type { Carrier } from "../adapters/carriers/carrier.ts";
import { openCarrier } from "../adapters/carriers/registry.ts";
import { connectMongo } from "../adapters/mongo/connection.ts";
import { createStore } from "../adapters/mongo/store.ts";
import { createSendQueues } from "../adapters/redis/sendQueues.ts";
import { createSendWorker } from "../adapters/redis/sendWorker.ts";
import { formatId, type IdKind } from "../domain/ids.ts";
import type { Message } from "../domain/message.ts";
import { Plaintext } from "../domain/plaintext.ts";
import { spread, spreadOfRatios } from "./measure.ts";

type Servers = { mongodb: string; redis: string };
type Bench = Awaited<ReturnType<typeof openBench>>;

const windowMs = 20_000;
const concurrency = 50;
/** Segments a second. */
export const limit = 100;

/**
 * `rate`: segments a second that two senders start over every window of twenty seconds, sliding by one, at a limit of 100.
 * `ratio`: jobs a second through the sender's own code, claim and outcome stored, over bare BullMQ jobs that write once.
 * The carrier, the keys and the policies answer at once: what is measured is the queue and the store.
 */
export async function queuesSuite(
	servers: Servers,
	options: { rounds: number; messages: number; rateSeconds: number; log: (line: string) => void },
) {
	const bench = await openBench(servers);
	try {
		options.log(`two senders at the limit, for ${options.rateSeconds} s`);
		const rate = await measureRate(bench, options.rateSeconds);
		const bare: number[] = [];
		const lethe: number[] = [];
		for (let round = 0; round < options.rounds; round++) {
			options.log(`a queue without a limit, round ${round + 1} of ${options.rounds}`);
			bare.push(await bareRate(bench, options.messages));
			lethe.push(await letheRate(bench, options.messages));
		}
		const ratios = spreadOfRatios(lethe, bare);
		return {
			suite: "queues",
			limitPerSecond: limit,
			rate,
			messagesPerRound: options.messages,
			messagesPerSecond: spread(lethe),
			baseline: { what: "bare BullMQ jobs that write once to the store", jobsPerSecond: spread(bare) },
			ratio: ratios.median,
			ratios,
		};
	} finally {
		await bench.close();
	}
}

async function openBench({ mongodb, redis }: Servers) {
	const prefix = `b${randomBytes(6).toString("hex")}`;
	const connection = await connectMongo({ url: mongodb, database: prefix });
	const store = createStore(connection, { clock: Date.now, randomToken: () => randomBytes(9).toString("base64url") });
	await store.prepare();
	const sendQueues = createSendQueues({ url: redis, prefix, clock: Date.now });
	const ids = {
		random: (kind: IdKind) => formatId(kind, randomBytes(16)),
		derive: (kind: IdKind, text: string) => formatId(kind, createHash("sha256").update(text).digest()),
	};
	const workers: ReturnType<typeof createSendWorker>[] = [];
	const failures: Error[] = [];
	const common = { clock: Date.now, monotonic: () => performance.now(), random: Math.random, ids };
	return {
		...common,
		store,
		sendQueues,
		failures,
		redis,
		prefix,
		collection: connection.collection<{ _id: string }>("bare"),
		work(sendQueue: string, ratePerSecond: number, handle: Parameters<typeof createSendWorker>[0]["handle"]) {
			const on = { url: redis, prefix, clock: Date.now, sendQueue, concurrency, ratePerSecond };
			const worker = createSendWorker({ ...on, handle, onError: (error) => failures.push(error) });
			workers.push(worker);
			return worker;
		},
		/** Also what a measurement that failed left open: it would keep the process, and whoever waits for it, for ever. */
		async close(): Promise<void> {
			await Promise.allSettled(workers.map((worker) => worker.close()));
			await connection.dropDatabase();
			await Promise.allSettled([sendQueues.close(), store.close()]);
		},
	};
}

async function measureRate(bench: Bench, seconds: number) {
	const sendQueue = "rate";
	const starts: { at: number; segments: number }[] = [];
	const segmentsOf = new Map<string, number>();
	const jobs = Array.from({ length: Math.ceil((seconds * limit) / 2) }, (_, index) => {
		const segments = 1 + (index % 3);
		const messageId = bench.ids.random("message");
		segmentsOf.set(messageId, segments);
		return { messageId, attempt: 1, sendQueue, urgent: false, delayMs: 0, segments };
	});
	await Promise.all(jobs.map(bench.sendQueues.add));
	const handle = async ({ messageId }: { messageId: string }) => {
		starts.push({ at: performance.now(), segments: segmentsOf.get(messageId) as number });
		return true as const;
	};
	const senders = [bench.work(sendQueue, limit, handle), bench.work(sendQueue, limit, handle)];
	await untilDone(bench, () => starts.length, jobs.length);
	for (const sender of senders) await sender.close();
	const [first, last] = [starts[0]?.at ?? 0, starts.at(-1)?.at ?? 0];
	const windows: number[] = [];
	for (let from = first + 500; from + windowMs <= last; from += 1_000) {
		const inside = starts.filter(({ at }) => at >= from && at < from + windowMs);
		windows.push(inside.reduce((sum, { segments }) => sum + segments, 0) / (windowMs / 1000));
	}
	return { senders: senders.length, windowSeconds: windowMs / 1000, segmentsPerSecond: spread(windows) };
}

async function bareRate(bench: Bench, count: number): Promise<number> {
	const name = `bare${randomBytes(3).toString("hex")}`;
	const connection = new Redis(bench.redis, { maxRetriesPerRequest: null });
	const queue = new Queue(name, { connection, prefix: bench.prefix, skipVersionCheck: true });
	const ids = Array.from({ length: count }, () => bench.ids.random("message"));
	const startedAt = performance.now();
	for (let at = 0; at < count; at += 200) {
		const jobs = ids
			.slice(at, at + 200)
			.map((id) => ({ name: "send", data: { id }, opts: { removeOnComplete: true } }));
		await queue.addBulk(jobs);
	}
	let done = 0;
	const worker = new Worker(
		name,
		async (job) => {
			await bench.collection.updateOne({ _id: job.data.id }, { $set: { at: Date.now() } }, { upsert: true });
			done++;
		},
		{ connection, prefix: bench.prefix, concurrency, skipVersionCheck: true },
	);
	await untilDone(bench, () => done, count);
	const seconds = (performance.now() - startedAt) / 1000;
	await worker.close();
	await queue.close();
	connection.disconnect();
	return count / seconds;
}

async function letheRate(bench: Bench, count: number): Promise<number> {
	const sendQueue = `free${randomBytes(3).toString("hex")}`;
	const messages = messagesOf(bench, sendQueue, count);
	await Promise.all(messages.map((message) => bench.store.messages.insert(message)));
	const send = createSender(bench);
	let done = 0;
	const startedAt = performance.now();
	await Promise.all(
		messages.map(({ _id: messageId }) =>
			bench.sendQueues.add({ messageId, attempt: 1, sendQueue, urgent: false, delayMs: 0, segments: 1 }),
		),
	);
	const worker = bench.work(sendQueue, 100_000, async (job, control) => {
		const isWell = await send(job, control);
		if (!isWell) bench.failures.push(new Error("an attempt was not accepted"));
		done++;
		return isWell;
	});
	await untilDone(bench, () => done, count);
	const seconds = (performance.now() - startedAt) / 1000;
	await worker.close();
	return count / seconds;
}

function createSender(bench: Bench) {
	const simulator = openCarrier("simulator", { settings: {}, secrets: {}, allowSimulator: true });
	const carrier: Carrier = {
		...simulator,
		send: async ({ reference }) => ({ kind: "accepted", carrierId: reference, segments: 1 }),
	};
	return createSend({
		...bench,
		log: { info: () => undefined, warn: () => undefined, error: () => undefined },
		linkSeal: { carriedText: (content) => content },
		encryption: {
			decrypt: async () => Plaintext.text("Your order is ready"),
			forgetCohort: () => undefined,
			rewrap: () => Promise.reject(new Error("nothing is wrapped anew here")),
		},
		runs: { settleSoon: () => undefined },
		carriers: { sender: async () => carrier },
		unpark: async () => undefined,
		rejudge: { rejudge: async () => ({ kind: "due" }) },
		tenancy: { isSuspended: async () => false, allows: async () => true },
		isStopping: () => false,
		checkClock: async () => undefined,
		reroute: async () => undefined,
	});
}

function messagesOf(bench: Bench, sendQueue: string, count: number): Message[] {
	const now = Date.now();
	const sealed = { cohortId: "", wrappingKeyId: "", wrappedKey: randomBytes(60), ciphertext: randomBytes(120) };
	return Array.from({ length: count }, () => ({
		_id: bench.ids.random("message"),
		submissionId: bench.ids.random("submission"),
		...{ tenantId: "ten_a", sendQueue, submissionSize: 1, group: 0, principalId: "key_a", dataClasses: ["contact"] },
		...{ category: "transactional", deliveryMode: "sms", country: "US", region: "US", segments: 1 },
		subject: { version: 1, mac: "mac" },
		facts: {},
		decision: { allowed: true, reasons: [], citations: [], packs: [], rules: [] },
		...{ state: "queued", attempt: 0, acceptedAt: now, stateAt: now },
		...{ deadlineAt: now + 3600_000, closeAt: now + 7200_000 },
		...{ attempts: [], receipts: [], evidence: [], holds: [], certificates: [], retention: {} },
		content: sealed,
		address: sealed,
	}));
}

/** @throws what went wrong meanwhile: a rate of which a part failed is none. */
async function untilDone({ failures }: Bench, count: () => number, jobs: number): Promise<void> {
	const end = performance.now() + 300_000;
	while (count() < jobs && failures.length === 0) {
		if (performance.now() > end) throw new Error(`${count()} of ${jobs} jobs were done within five minutes`);
		await new Promise((resolve) => setTimeout(resolve, 20));
	}
	if (failures[0]) throw failures[0];
}
