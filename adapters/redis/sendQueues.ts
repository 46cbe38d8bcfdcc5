// Send queues on BullMQ: one a carrier and sender, ids only in jobs, rate and priority kept by the queue.

import { type Job, Queue, Worker } from "bullmq";
import { Redis } from "ioredis";
import type { Lane } from "../../domain/backlog.ts";
import { createBatcher } from "../batcher.ts";
import { createRateBuckets, type Turn } from "./rateBuckets.ts";

/** One attempt to be made. BullMQ never retries it: only Lethe does, from the store. */
export type SendJob = {
	messageId: string;
	attempt: number;
	sendQueue: string;
	urgent: boolean;
	delayMs: number;
	/** SMS that its text takes: what the rate counts. */
	segments: number;
};

export type SendQueues = ReturnType<typeof createSendQueues>;

// BullMQ serves a lower number first; 0 would mean "no priority" and overtake both.
const priorities = { urgent: 1, normal: 10 };

/** Opens the queues by name when first used. A Redis that is away fails the call; the store still has the message. */
export function createSendQueues(options: { url: string; prefix: string }) {
	const connection = new Redis(options.url, {
		maxRetriesPerRequest: 1,
		enableOfflineQueue: false,
		lazyConnect: true,
		connectTimeout: 5_000,
		retryStrategy: (times) => Math.min(times * 100, 2_000),
	});
	connection.on("error", () => undefined);
	const ready = connection.connect().catch(() => undefined);
	const queues = new Map<string, Queue>();
	const adders = new Map<string, (job: SendJob) => Promise<void>>();

	function queue(name: string): Queue {
		let found = queues.get(name);
		if (!found) {
			found = new Queue(name, {
				connection,
				prefix: options.prefix,
				skipVersionCheck: true,
				defaultJobOptions: { attempts: 1, removeOnComplete: true, removeOnFail: true },
			});
			found.on("error", () => undefined);
			queues.set(name, found);
		}
		return found;
	}

	function adder(name: string): (job: SendJob) => Promise<void> {
		let found = adders.get(name);
		if (!found) {
			found = createBatcher<SendJob, void>({
				itemsMax: 200,
				inFlightMax: 2,
				run: async (jobs) => {
					await ready;
					await queue(name).addBulk(jobs.map(toBullJob));
					return jobs.map(() => undefined);
				},
			});
			adders.set(name, found);
		}
		return found;
	}

	const buckets = createRateBuckets({ connection, prefix: options.prefix });

	return {
		/** Takes segments of several limits; see `RateBuckets`. */
		async takeTurn(...[limits, segments, aheadMsMax]: Parameters<typeof buckets.take>): Promise<Turn> {
			await ready;
			return buckets.take(limits, segments, aheadMsMax);
		},
		/** Attempts that wait for their turn now, by lane. */
		async depth(name: string): Promise<Record<Lane, number>> {
			await ready;
			const found = await queue(name).getCountsPerPriority(Object.values(priorities));
			return { urgent: found[priorities.urgent] ?? 0, normal: found[priorities.normal] ?? 0 };
		},
		/**
		 * Whether the bearer of `token` is the one that fills a queue for the next `ms`. Two may believe it for a moment:
		 * the same attempt added twice waits once.
		 */
		async lead(name: string, token: string, ms: number): Promise<boolean> {
			await ready;
			const key = `${options.prefix}:lead:${name}`;
			if ((await connection.set(key, token, "PX", ms, "NX")) === "OK") return true;
			return (await connection.get(key)) === token && (await connection.pexpire(key, ms)) === 1;
		},
		/** Adds an attempt; adding it again while it waits changes nothing. */
		add: (job: SendJob): Promise<void> => adder(job.sendQueue)(job),
		/** Jobs that wait, are delayed or run, by state. */
		counts: (name: string) => queue(name).getJobCounts("waiting", "prioritized", "delayed", "active"),
		/** Senders that are connected to work it. */
		senderCount: async (name: string): Promise<number> => queue(name).getWorkersCount(),
		/** Whether Redis answers. */
		async ping(): Promise<void> {
			await ready;
			await connection.ping();
		},
		async close(): Promise<void> {
			await Promise.allSettled([...queues.values()].map((open) => open.close()));
			connection.disconnect();
		},
	};
}

/** Holds a queue back for a while, as a carrier that throttles asks. */
export type QueueControl = { holdBack: (ms: number) => Promise<void> };

// A job that is taken waits for its turn here at most so long, and no urgent one can overtake it meanwhile; the others
// stay in the queue, and none is asked for until less than `inHandMs` is left: a sender that wakes late must lose no turn.
const aheadMs = 300;
const inHandMs = 200;

/** Works one send queue: at most `ratePerSecond` segments start in a second over all senders together. */
export function createSendWorker(options: {
	url: string;
	prefix: string;
	sendQueue: string;
	concurrency: number;
	ratePerSecond: number;
	handle: (job: { messageId: string; attempt: number }, control: QueueControl) => Promise<void>;
	onError: (error: Error) => void;
}) {
	// Before anything is opened: it would stay open.
	if (options.sendQueue.includes(":")) throw new RangeError("a send queue's name must not contain a colon");
	const connection = new Redis(options.url, {
		maxRetriesPerRequest: null,
		retryStrategy: (times) => Math.min(times * 100, 2_000),
	});
	connection.on("error", options.onError);
	const buckets = createRateBuckets({ connection, prefix: options.prefix });
	const bucket = { name: options.sendQueue, segmentsPerSecond: options.ratePerSecond };
	const control: QueueControl = { holdBack: (ms) => worker.rateLimit(ms) };

	async function waitTurn(segments: number): Promise<void> {
		const { taken, waitMs } = await buckets.take([bucket], segments, aheadMs);
		if (!taken) {
			// Back to the front of its priority, and no sender asks again before there is something to have.
			await worker.rateLimit(Math.max(1, waitMs - inHandMs));
			throw Worker.RateLimitError();
		}
		if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
	}

	const worker: Worker = new Worker(
		options.sendQueue,
		async (job: Job<{ m: string; a: number; s?: number }>) => {
			await waitTurn(job.data.s ?? 1);
			try {
				await options.handle({ messageId: job.data.m, attempt: job.data.a }, control);
			} catch (error) {
				options.onError(error as Error);
				// BullMQ keeps the reason and the stack of a failure, in the queue's events too: they may quote anything.
				throw opaqueError(error);
			}
		},
		{
			connection,
			prefix: options.prefix,
			concurrency: options.concurrency,
			// Never reached: BullMQ counts jobs, in windows. It is there so that a queue can be held back.
			limiter: { max: Number.MAX_SAFE_INTEGER, duration: 1_000 },
			removeOnComplete: { count: 0 },
			removeOnFail: { count: 0 },
			// A stalled job is a dead sender's: its message is repaired from the store, never run again from here.
			maxStalledCount: 0,
			skipVersionCheck: true,
			drainDelay: 1,
		},
	);
	worker.on("error", options.onError);
	return {
		/** Another rate from the next job on; what runs goes on. */
		setRate(ratePerSecond: number): void {
			bucket.segmentsPerSecond = ratePerSecond;
		},
		async close(): Promise<void> {
			await worker.close();
			connection.disconnect();
		},
	};
}

function opaqueError(error: unknown): Error {
	const { code } = error as { code?: unknown };
	const opaque = new Error(typeof code === "string" && /^[a-z_]{1,40}$/.test(code) ? code : "failed");
	opaque.stack = "";
	return opaque;
}

function toBullJob(job: SendJob) {
	return {
		name: "send",
		data: { m: job.messageId, a: job.attempt, ...(job.segments > 1 ? { s: job.segments } : {}) },
		opts: {
			jobId: `${job.messageId}-${job.attempt}`,
			priority: job.urgent ? priorities.urgent : priorities.normal,
			...(job.delayMs > 0 ? { delay: job.delayMs } : {}),
		},
	};
}
