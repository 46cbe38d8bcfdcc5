// A sender's half of a send queue: takes jobs at the queue's rate, while its carrier is well.

import { setTimeout as sleep } from "node:timers/promises";
import { type Job, Worker } from "bullmq";
import { Redis } from "ioredis";
import { type Circuit, createCircuit, type Told } from "../../domain/circuit.ts";
import { limits } from "../../domain/limits.ts";
import type { ServerTls } from "../serverTls.ts";
import { lineOptions } from "./connect.ts";
import { createHandOn } from "./handOn.ts";
import { tellHealth } from "./health.ts";
import { createRateBuckets, type RateBucket, type RateBuckets } from "./rateBuckets.ts";
import { countSent } from "./sentCount.ts";

/** Holds a queue back for a while, as a carrier that throttles asks. */
export type QueueControl = { holdBack: (ms: number) => Promise<void> };

/** Why a carrier is left alone: it failed again and again, or asked for that. Recorded of what is handed on for it. */
export type LeftCode = "circuit_open" | "throttled";

/** One attempt, as a job names it. */
type Attempted = { messageId: string; attempt: number; sendQueue: string };

// A job that is taken waits for its turn here at most so long, and no urgent one can overtake it meanwhile; the others
// stay in the queue, and none is asked for until less than `inHandMs` is left: a sender that wakes late must lose no turn.
const aheadMs = 500;
const inHandMs = 400;

// While a carrier is left alone it is looked at so often: it may have been given what it lacked, and what came since may go
// another way.
const openLookMs = 2_000;

/** Works one send queue: at most `ratePerSecond` segments start in a second over all senders together. */
export function createSendWorker(options: {
	url: string;
	tls?: ServerTls | undefined;
	prefix: string;
	clock: () => number;
	sendQueue: string;
	concurrency: number;
	ratePerSecond: number;
	handle: (job: Attempted, control: QueueControl) => Promise<Told>;
	/** Has another queue make what this one's carrier can't; true when the job has nothing left to do. */
	divert?: (job: Attempted, code: LeftCode) => Promise<boolean>;
	onError: (error: Error) => void;
}) {
	// Before anything is opened: it would stay open.
	if (options.sendQueue.includes(":")) throw new RangeError("a send queue's name must not contain a colon");
	const connection = new Redis(options.url, { ...lineOptions(options.tls), maxRetriesPerRequest: null });
	connection.on("error", options.onError);
	const buckets = createRateBuckets({ connection, prefix: options.prefix });
	const bucket = { name: options.sendQueue, segmentsPerSecond: options.ratePerSecond };
	const circuit = createCircuit(() => performance.now());
	const sent = countSent(connection, options);
	const health = tellHealth(connection, options);

	const inHand = new Set<Promise<Told>>();
	let isOver = false;
	async function make(job: Attempted): Promise<Told> {
		const made = options.handle(job, turns);
		inHand.add(made);
		return made.finally(() => inHand.delete(made));
	}

	const rateLimit = (ms: number) => worker.rateLimit(ms);
	const turns = createTurns({ ...options, connection, buckets, bucket, circuit, health, rateLimit });
	const worker: Worker = new Worker(
		options.sendQueue,
		async ({ data }: Job<{ m: string; a: number; s?: number }>) => {
			const job = { messageId: data.m, attempt: data.a, sendQueue: options.sendQueue };
			const segments = data.s ?? 1;
			if (!(await turns.wait(job, segments)) || isOver) return;
			sent.count(segments);
			let told: Told;
			try {
				told = await make(job);
			} catch (error) {
				options.onError(error as Error);
				// BullMQ keeps the reason and the stack of a failure, in the queue's events too: they may quote anything.
				throw opaqueError(error);
			} finally {
				circuit.tell(told);
				health.tell(told, circuit.isOpen());
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
		/** The queue's carrier was opened anew: what is known of the one before keeps the queue shut for two seconds at most. */
		retry: turns.retry,
		/** Resolves once what is in hand has ended; whatever else it ends by, a Redis that is away keeps nobody waiting. */
		async close(): Promise<void> {
			const ended = worker.close().then(() => Promise.all([sent.close(), health.close()]));
			// What still waits for its turn is driven on from the store.
			isOver = !(await endsWithin(limits.queuesAnswerMsMax, ended));
			if (inHand.size > 0) {
				await Promise.allSettled(inHand);
				// It may have been the carrier that was slow: Redis is told of those too.
				await endsWithin(limits.queuesReadyMsMax, ended);
			}
			connection.disconnect();
		},
	};
}

/** Whether it has ended by then. @throws what it throws until then */
function endsWithin(ms: number, call: Promise<unknown>): Promise<boolean> {
	return Promise.race([call.then(() => true), sleep(ms, false, { ref: false })]);
}

/** When one job after the other may go. */
function createTurns({ buckets, bucket, circuit, health, rateLimit, divert, ...options }: TurnsOptions) {
	const handOn = createHandOn(options);
	let heldUntil = 0;
	const isLong = (ms: number) => ms > limits.throttleBearableMs;

	// Back to the front of its priority, and no sender asks for another before there is something to have.
	async function putBack(ms: number): Promise<never> {
		await rateLimit(Math.max(1, ms));
		throw Worker.RateLimitError();
	}

	/** False when another queue makes the attempt. @throws BullMQ's RateLimitError when there is none */
	async function leave(job: Attempted, ms: number, code: LeftCode): Promise<false> {
		if (await divert?.(job, code).catch(() => false)) return false;
		if (divert) await handOn((waiting) => divert(waiting, code)).catch(() => undefined);
		return putBack(Math.min(ms, openLookMs));
	}

	return {
		retry(): void {
			heldUntil = 0;
			circuit.retry();
		},
		async holdBack(ms: number): Promise<void> {
			heldUntil = Math.max(heldUntil, performance.now() + ms);
			// The bucket too: whoever puts a job back meanwhile would have it come as soon as the rate alone lets it.
			// Not for longer than Redis may take: whoever asks has more to do with its attempt, and may be about to end.
			const held = Promise.all([buckets.hold(bucket.name, ms), isLong(ms) && health.leave(ms)]);
			const told = held.then(() => rateLimit(isLong(ms) ? openLookMs : ms));
			await endsWithin(limits.queuesAnswerMsMax, told);
		},
		/** False when there is nothing left to do. @throws BullMQ's RateLimitError when the job is put back */
		async wait(job: Attempted, segments: number): Promise<boolean> {
			const shutMs = circuit.admit();
			if (shutMs > 0) return leave(job, shutMs, "circuit_open");
			const { taken, waitMs } = await buckets.take([bucket], segments, aheadMs);
			if (taken && waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
			// While it waited here, the carrier may have asked another attempt for more patience.
			const heldMs = heldUntil - performance.now();
			if (taken && heldMs <= 0) return true;
			circuit.tell(undefined);
			const restMs = taken ? heldMs : waitMs - inHandMs;
			return isLong(restMs) ? leave(job, restMs, "throttled") : putBack(restMs);
		},
	};
}

type TurnsOptions = Parameters<typeof createHandOn>[0] & {
	buckets: RateBuckets;
	bucket: RateBucket;
	circuit: Circuit;
	health: Pick<ReturnType<typeof tellHealth>, "leave">;
	rateLimit: (ms: number) => Promise<void>;
	divert?: (job: Attempted, code: LeftCode) => Promise<boolean>;
};

function opaqueError(error: unknown): Error {
	const { code } = error as { code?: unknown };
	const opaque = new Error(typeof code === "string" && /^[a-z_]{1,40}$/.test(code) ? code : "failed");
	opaque.stack = "";
	return opaque;
}
