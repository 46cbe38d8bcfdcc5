// Send queues on BullMQ: one a carrier and sender, ids only in jobs, rate and priority kept by the queue.

import { Queue } from "bullmq";
import type { Redis } from "ioredis";
import type { Lane } from "../../domain/backlog.ts";
import { LetheError } from "../../domain/errors.ts";
import { limits } from "../../domain/limits.ts";
import { createBatcher } from "../batcher.ts";
import type { ServerTls } from "../serverTls.ts";
import { connectRedis } from "./connect.ts";
import { type Failing, findFailing, findIll, forgetHealth, tellBrought } from "./health.ts";
import { createRateBuckets, type RateBuckets, type Turn } from "./rateBuckets.ts";
import { sentKey, sentSlotSeconds } from "./sentCount.ts";
import { createVelocity } from "./velocity.ts";

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

/**
 * Opens the queues by name when first used. Its calls throw LetheError queues_unavailable while Redis is away or does not
 * answer; the store still has the message.
 */
export function createSendQueues(options: {
	url: string;
	prefix: string;
	clock: () => number;
	tls?: ServerTls | undefined;
}) {
	const { connection, ask } = openConnection(options);
	const queues = new Map<string, Queue>();
	const adders = new Map<string, (job: SendJob) => Promise<void>>();

	/** Only within `ask`: BullMQ waits without end for a connection that does not stand. */
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
					await ask(() => queue(name).addBulk(jobs.map(toBullJob)));
					return jobs.map(() => undefined);
				},
			});
			adders.set(name, found);
		}
		return found;
	}

	const buckets = createRateBuckets({ connection, prefix: options.prefix });
	const monotonic = () => performance.now();
	const velocity = createVelocity({ connection, prefix: options.prefix, monotonic });
	const anew = { connection, prefix: options.prefix, buckets };

	return {
		...createReads({ connection, ask, queue, prefix: options.prefix, clock: options.clock }),
		/** Takes segments of several limits; see `RateBuckets`. */
		takeTurn: (...args: Parameters<typeof buckets.take>): Promise<Turn> => ask(() => buckets.take(...args)),
		/** How fast a range of numbers is written to; see `Velocity`. */
		countRange: velocity.count,
		/**
		 * Whether the bearer of `token` is the one that fills a queue for the next `ms`. Two may believe it for a moment:
		 * the same attempt added twice waits once.
		 */
		lead: (name: string, token: string, ms: number): Promise<boolean> =>
			ask(async () => {
				const key = `${options.prefix}:lead:${name}`;
				if ((await connection.set(key, token, "PX", ms, "NX")) === "OK") return true;
				return (await connection.get(key)) === token && (await connection.pexpire(key, ms)) === 1;
			}),
		/** Whoever fills a queue says in which lanes something waits for room still; good for the next `ms`. */
		tellWaiting: (name: string, lanes: readonly Lane[], ms: number): Promise<void> =>
			ask(async () => void (await connection.set(`${options.prefix}:waiting:${name}`, lanes.join(), "PX", ms))),
		/** Removes what Redis has of a queue that nobody works any more. */
		forget: (name: string): Promise<void> =>
			ask(async () => {
				await queue(name).obliterate({ force: true });
				await beginAnew(anew, name);
			}),
		/** Tells again and again whether a queue's carrier brings anything, or why not; see `tellBrought`. */
		tellBrought: (sendQueue: string, told: true | string): Promise<void> =>
			ask(() => tellBrought(connection, { prefix: options.prefix, clock: options.clock, sendQueue }, told)),
		/** Forgets how a queue's carrier did. */
		forgetHealth: (name: string): Promise<void> => ask(() => beginAnew(anew, name)),
		/** Adds an attempt; adding it again while it waits changes nothing. */
		add: (job: SendJob): Promise<void> => adder(job.sendQueue)(job),
		/** Throws unless Redis takes writes: one without room, or a replica, answers a mere ping all the same. */
		ping: (): Promise<void> => ask(async () => void (await connection.set(`${options.prefix}:ping`, "", "PX", 1_000))),
		async close(): Promise<void> {
			await Promise.allSettled([...queues.values()].map((open) => open.close()));
			connection.disconnect();
		},
	};
}

/** For how long its carrier asked to be left alone is forgotten too: that was said to who had the account before. */
async function beginAnew(
	{ connection, prefix, buckets }: { connection: Redis; prefix: string; buckets: RateBuckets },
	name: string,
): Promise<void> {
	await forgetHealth(connection, prefix, name);
	await buckets.forget(name);
}

/** The one connection of all queues, and what keeps every use of it short. */
function openConnection({ url, tls }: { url: string; tls?: ServerTls | undefined }) {
	// No command of these waits for anything: a Redis that hangs must not keep whoever asks.
	const { connection, connect } = connectRedis(url, { commandTimeout: limits.queuesAnswerMsMax, tls });
	const patience = new Promise<void>((resolve) => setTimeout(resolve, limits.queuesReadyMsMax).unref());
	const tried = Promise.race([connect(), patience]);

	async function ask<T>(call: () => Promise<T>): Promise<T> {
		await tried;
		try {
			if (connection.status !== "ready") throw new Error(connection.status);
			return await call();
		} catch (error) {
			throw new LetheError("queues_unavailable", { cause: { source: "redis", reason: (error as Error).name } });
		}
	}

	return { connection, ask };
}

/** What is to be seen of the queues. */
function createReads({ connection, ask, queue, prefix, clock }: ReadDeps) {
	return {
		/** Attempts that wait for their turn now, by lane. */
		depth: (name: string): Promise<Record<Lane, number>> =>
			ask(async () => {
				const found = await queue(name).getCountsPerPriority(Object.values(priorities));
				return { urgent: found[priorities.urgent] ?? 0, normal: found[priorities.normal] ?? 0 };
			}),
		/** Lanes in which something waits for room, as whoever fills the queue said a moment ago; see `tellWaiting`. */
		waiting: (name: string): Promise<ReadonlySet<string>> =>
			ask(async () => new Set((await connection.get(`${prefix}:waiting:${name}`))?.split(","))),
		/** Jobs that wait, are delayed or run, by state. */
		counts: (name: string) => ask(() => queue(name).getJobCounts("waiting", "prioritized", "delayed", "active")),
		/** Senders that are connected to work it. */
		senderCount: (name: string): Promise<number> => ask(() => queue(name).getWorkersCount()),
		/** Those whose carrier fails at present. */
		areIll: (names: readonly string[]): Promise<Set<string>> =>
			ask(() => findIll(connection, { prefix, clock }, names)),
		/** Those that people have to see to; see `findFailing`. */
		failing: (names: readonly string[]): Promise<Map<string, Failing>> =>
			ask(() => findFailing(connection, { prefix, clock }, names)),
		/** What Redis holds of a queue, and how fast its senders were a moment ago. */
		live: (name: string) =>
			ask(async () => {
				const { prioritized = 0, waiting = 0, delayed = 0, active = 0 } = await queue(name).getJobCounts();
				const slot = Math.floor(clock() / 1000 / sentSlotSeconds) - 1;
				const sent = await connection.get(sentKey(prefix, name, slot));
				return {
					waiting: waiting + prioritized,
					delayed,
					active,
					segmentsPerSecond: Number(sent ?? 0) / sentSlotSeconds,
					senders: await queue(name).getWorkersCount(),
				};
			}),
	};
}

type ReadDeps = {
	connection: Redis;
	ask: <T>(call: () => Promise<T>) => Promise<T>;
	queue: (name: string) => Queue;
	prefix: string;
	clock: () => number;
};

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
