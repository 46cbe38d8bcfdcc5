// Send queues on a real Redis: ids and nothing else, one run a job whatever comes of it, and the rate that was asked for.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { type AddressInfo, connect, createServer } from "node:net";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import { createSendQueues, type SendJob, type SendQueues } from "../../../adapters/redis/sendQueues.ts";
import { createSendWorker } from "../../../adapters/redis/sendWorker.ts";
import { formatId } from "../../../domain/ids.ts";
import { limits } from "../../../domain/limits.ts";
import { type LineProxy, startProxy } from "../../faults/proxy.ts";
import { until } from "../../harness/engine.ts";

const url = process.env.REDIS_URL as string;

describe("send queues", () => {
	const prefix = `t${randomBytes(6).toString("hex")}`;
	let queues: SendQueues;
	let redis: Redis;
	before(() => {
		queues = createSendQueues({ url, prefix, clock: Date.now });
		redis = new Redis(url);
	});
	after(async () => {
		for (const worker of workers) await worker.close();
		const keys = await redis.keys(`${prefix}:*`);
		if (keys.length > 0) await redis.del(keys);
		redis.disconnect();
		await queues.close();
	});

	const jobOf = (more: Partial<SendJob> = {}): SendJob => ({
		messageId: formatId("message", randomBytes(16)),
		attempt: 1,
		sendQueue: `q${randomBytes(4).toString("hex")}`,
		urgent: false,
		delayMs: 0,
		segments: 1,
		...more,
	});
	type Work = Parameters<typeof createSendWorker>[0];
	const workers: ReturnType<typeof createSendWorker>[] = [];
	const work = (sendQueue: string, handle: Work["handle"], more: Partial<Work> = {}) => {
		const common = { url, prefix, clock: Date.now, concurrency: 1, ratePerSecond: 1_000, onError: () => undefined };
		const worker = createSendWorker({ ...common, sendQueue, handle, ...more });
		workers.push(worker);
		return worker;
	};
	const total = async (sendQueue: string) =>
		Object.values(await queues.counts(sendQueue)).reduce((sum, count) => sum + count, 0);

	it("a Redis that answers and takes no writes is not called well", async () => {
		const [user, password] = [`${prefix}-reader`, randomBytes(8).toString("hex")];
		await redis.call("ACL", "SETUSER", user, "on", `>${password}`, "~*", "+@all", "-@write");
		const readOnly = new URL(url);
		Object.assign(readOnly, { username: user, password });
		const reader = createSendQueues({ url: readOnly.href, prefix, clock: Date.now });
		try {
			assert.deepEqual(await reader.areIll(["none"]), new Set());
			await assert.rejects(reader.ping());
			await queues.ping();
		} finally {
			await reader.close();
			await redis.call("ACL", "DELUSER", user);
		}
	});

	/** Everything that Redis keeps of a queue, keys and values, as text. */
	async function dump(sendQueue: string): Promise<string> {
		const parts: string[] = [];
		for (const key of await redis.keys(`${prefix}:${sendQueue}:*`)) {
			const type = await redis.type(key);
			const read: Record<string, () => Promise<unknown>> = {
				string: () => redis.get(key),
				hash: () => redis.hgetall(key),
				list: () => redis.lrange(key, "0", "-1"),
				set: () => redis.smembers(key),
				zset: () => redis.zrange(key, "0", "-1"),
				stream: () => redis.xrange(key, "-", "+"),
			};
			parts.push(key, JSON.stringify(await read[type]?.()));
		}
		return parts.join("\n");
	}

	it("keep of a message its id and the attempt's number, whatever they are handed with it", async () => {
		const job = jobOf();
		const more = { to: "+12025550142", text: "The text in clear", subject: { mac: "00112233445566778899" } };
		await queues.add({ ...job, ...more });
		const kept = await dump(job.sendQueue);
		assert.ok(kept.includes(job.messageId));
		for (const secret of ["12025550142", "The text", "0011223344"]) assert.ok(!kept.includes(secret), secret);
		const [data] = await redis.hmget(`${prefix}:${job.sendQueue}:${job.messageId}-1`, "data");
		assert.deepEqual(JSON.parse(data as string), { m: job.messageId, a: 1 });
	});

	it("the same attempt waits once, however often it is added, and runs once", async () => {
		const job = jobOf();
		await Promise.all(Array.from({ length: 10 }, () => queues.add(job)));
		await queues.add(job);
		assert.equal(await total(job.sendQueue), 1);
		const seen: object[] = [];
		const worker = work(job.sendQueue, async (one) => void seen.push(one));
		await until(async () => (await total(job.sendQueue)) === 0);
		await worker.close();
		assert.deepEqual(seen, [{ messageId: job.messageId, attempt: 1, sendQueue: job.sendQueue }]);
	});

	it("who works a queue is counted, from its first moment to its last", async () => {
		const { sendQueue } = jobOf();
		assert.equal(await queues.senderCount(sendQueue), 0);
		const sender = work(sendQueue, async () => undefined);
		await until(async () => (await queues.senderCount(sendQueue)) === 1);
		await sender.close();
		await until(async () => (await queues.senderCount(sendQueue)) === 0);
	});

	it("a job that fails is run once, leaves nothing of its error, and does not block its id", async () => {
		const job = jobOf();
		await queues.add(job);
		let runs = 0;
		const failing = work(job.sendQueue, async () => {
			runs++;
			throw new Error("could not send The text in clear to +12025550142");
		});
		await until(async () => runs > 0 && (await total(job.sendQueue)) === 0);
		const kept = await dump(job.sendQueue);
		for (const secret of ["12025550142", "The text"]) assert.ok(!kept.includes(secret), kept);
		await queues.add(job);
		await until(async () => runs > 1 && (await total(job.sendQueue)) === 0);
		await failing.close();
		assert.equal(runs, 2, "once for each time it was added");
	});

	it("urgent ones overtake, and a delay is kept", async () => {
		const { sendQueue } = jobOf();
		const delayed = jobOf({ sendQueue, delayMs: 400 });
		const normal = [jobOf({ sendQueue }), jobOf({ sendQueue })];
		const urgent = jobOf({ sendQueue, urgent: true });
		const addedAt = performance.now();
		for (const job of [delayed, ...normal, urgent]) await queues.add(job);
		const order: string[] = [];
		let delayedMs = 0;
		const worker = work(sendQueue, async ({ messageId }) => {
			order.push(messageId);
			if (messageId === delayed.messageId) delayedMs = performance.now() - addedAt;
		});
		await until(() => order.length === 4);
		await worker.close();
		assert.equal(order[0], urgent.messageId);
		assert.equal(order[3], delayed.messageId);
		assert.ok(delayedMs >= 380, `${delayedMs} ms`);
	});

	it("no more start in a second than the rate allows, over two senders together; held back, none starts", async () => {
		const { sendQueue } = jobOf();
		const starts: number[] = [];
		const handle = async () => void starts.push(performance.now());
		const limited = { concurrency: 20, ratePerSecond: 50 };
		await Promise.all(Array.from({ length: 60 }, () => queues.add(jobOf({ sendQueue }))));
		// Not from the first start: on a busy machine that one is late, and the others are not.
		const beganAt = performance.now();
		const senders = [work(sendQueue, handle, limited), work(sendQueue, handle, limited)];
		await until(() => starts.length === 60);
		const tookMs = (starts.at(-1) as number) - beganAt;
		// 60 at 50 a second, by tenths: the last starts a good second after the first may.
		assert.ok(tookMs >= 1_000 && tookMs < 5_000, `${tookMs} ms`);
		for (const sender of senders) await sender.close();
		let asked = 0;
		const throttled = work(sendQueue, async (_job, control) => {
			if (asked++ === 0) await control.holdBack(700);
			else starts.push(performance.now());
		});
		await queues.add(jobOf({ sendQueue }));
		await until(() => asked === 1);
		const heldAt = performance.now();
		await queues.add(jobOf({ sendQueue }));
		await until(() => asked === 2);
		await throttled.close();
		assert.ok((starts.at(-1) as number) - heldAt >= 600, "held back as long as was asked");
	});

	it("held back by one attempt, none starts before its time, however many were waiting for their turn", async () => {
		const { sendQueue } = jobOf();
		await Promise.all(Array.from({ length: 120 }, () => queues.add(jobOf({ sendQueue }))));
		const starts: number[] = [];
		let heldAt = Number.POSITIVE_INFINITY;
		const handle: Work["handle"] = async (_job, control) => {
			starts.push(performance.now());
			if (starts.length !== 10) return true;
			heldAt = performance.now();
			await control.holdBack(1_500);
			return undefined;
		};
		const worker = work(sendQueue, handle, { concurrency: 20, ratePerSecond: 50 });
		await until(() => starts.length > 30);
		await worker.close();
		const early = starts.filter((at) => at > heldAt && at < heldAt + 1_490);
		assert.deepEqual(early, []);
	});

	it("the rate counts segments, and two senders together keep it within two in a hundred", async () => {
		const { sendQueue } = jobOf();
		const segmentsOf = new Map<string, number>();
		const jobs = Array.from({ length: 250 }, (_, index) => jobOf({ sendQueue, segments: 1 + (index % 3) }));
		for (const { messageId, segments } of jobs) segmentsOf.set(messageId, segments);
		await Promise.all(jobs.map(queues.add));
		const starts: { at: number; segments: number }[] = [];
		const handle: Work["handle"] = async ({ messageId }) =>
			void starts.push({ at: performance.now(), segments: segmentsOf.get(messageId) as number });
		const limited = { concurrency: 20, ratePerSecond: 100 };
		const senders = [work(sendQueue, handle, limited), work(sendQueue, handle, limited)];
		await until(() => starts.length === jobs.length);
		for (const sender of senders) await sender.close();
		// From where what was saved up is spent: both senders are under way by then.
		const steady = starts.slice(50);
		const seconds = ((steady.at(-1)?.at as number) - (steady[0]?.at as number)) / 1000;
		const segments = steady.slice(0, -1).reduce((sum, one) => sum + one.segments, 0);
		assert.ok(Math.abs(segments / seconds - 100) <= 2, `${segments / seconds} segments a second`);
	});

	it("a carrier that fails five times in a row is left alone, then asked by one attempt, and worked again once it is well", async () => {
		const { sendQueue } = jobOf();
		await Promise.all(Array.from({ length: 12 }, () => queues.add(jobOf({ sendQueue }))));
		const calls: { at: number; well: boolean }[] = [];
		const worker = work(sendQueue, async () => {
			const well = calls.length > 5;
			calls.push({ at: performance.now(), well });
			return well || { code: "timeout" };
		});
		await until(() => calls.length === 12);
		await worker.close();
		const gap = (index: number) => (calls[index]?.at ?? 0) - (calls[index - 1]?.at ?? 0);
		assert.ok(gap(5) >= 900, `${gap(5)} ms after five failures`);
		assert.ok(gap(6) >= 1_800, `${gap(6)} ms after the sixth`);
	});

	it("a carrier that was opened anew is asked within two seconds, however long the one before was to be left alone", async () => {
		const { sendQueue } = jobOf();
		await Promise.all(Array.from({ length: 4 }, () => queues.add(jobOf({ sendQueue }))));
		const calls: number[] = [];
		// After the third it is to be left alone for four seconds.
		const worker = work(sendQueue, async () => (calls.push(performance.now()) > 3 ? true : { code: "not_configured" }));
		await until(() => calls.length === 3);
		await until(async () => (await queues.counts(sendQueue)).active === 0);
		worker.retry();
		await until(() => calls.length === 4);
		await worker.close();
		const waitedMs = (calls[3] as number) - (calls[2] as number);
		assert.ok(waitedMs < 3_500, `${waitedMs} ms`);
	});

	it("a carrier that is left alone is known to whoever routes, and what waits for it is handed on where that can be", async () => {
		const { sendQueue } = jobOf();
		await Promise.all(Array.from({ length: 20 }, () => queues.add(jobOf({ sendQueue }))));
		let called = 0;
		const handedOn: string[] = [];
		const handle = async () => {
			called++;
			return { code: "credentials_refused" };
		};
		const codes = new Set<string>();
		const divert: Work["divert"] = async ({ messageId }, code) => codes.add(code) && handedOn.push(messageId) > 0;
		const worker = work(sendQueue, handle, { divert });
		await until(async () => (await total(sendQueue)) === 0);
		await worker.close();
		assert.equal(called + handedOn.length, 20);
		assert.ok(handedOn.length >= 14, `${handedOn.length} handed on`);
		assert.deepEqual([...codes], ["circuit_open"]);
		assert.deepEqual(await queues.areIll([sendQueue, "another"]), new Set([sendQueue]));
		const failing = await queues.failing([sendQueue, "another"]);
		assert.deepEqual([...failing.keys()], [sendQueue]);
		assert.equal(failing.get(sendQueue)?.code, "credentials_refused");
		assert.ok(Math.abs((failing.get(sendQueue)?.since ?? 0) - Date.now()) < 60_000);
		await redis.del(`${prefix}:open:${sendQueue}`);
		assert.equal(called > 10, (await queues.areIll([sendQueue])).has(sendQueue), "attempts tell too, enough of them");
		const later = createSendQueues({ url, prefix, clock: () => Date.now() + 120_000 });
		assert.deepEqual(await later.areIll([sendQueue]), new Set(), "what was two minutes ago tells nothing of today");
		assert.equal((await later.failing([sendQueue])).get(sendQueue)?.code, "credentials_refused", "but for what lasts");
		await later.close();
		const well = work(sendQueue, async () => true);
		await Promise.all(Array.from({ length: 40 }, () => queues.add(jobOf({ sendQueue }))));
		await until(async () => (await total(sendQueue)) === 0);
		await well.close();
		await redis.del(`${prefix}:open:${sendQueue}`);
		assert.deepEqual(await queues.areIll([sendQueue]), new Set());
		assert.deepEqual(await queues.failing([sendQueue]), new Map(), "one that was well ended it");
	});

	it("a carrier that asks to be left alone for long is known to whoever routes, and what came since is handed on where that can be", async () => {
		const { sendQueue } = jobOf();
		const staying = Array.from({ length: 60 }, () => jobOf({ sendQueue }));
		const others = Array.from({ length: 9 }, () => jobOf({ sendQueue }));
		const stay = new Set(staying.map(({ messageId }) => messageId));
		const asked: string[] = [];
		const handedOn: string[] = [];
		const handle: Work["handle"] = async ({ messageId }, control) => {
			asked.push(messageId);
			await control.holdBack(limits.throttleBearableMs + 10_000);
			return true;
		};
		const codes = new Set<string>();
		const divert: Work["divert"] = async ({ messageId }, code) =>
			!stay.has(messageId) && codes.add(code) && handedOn.push(messageId) > 0;
		const worker = work(sendQueue, handle, { divert });
		await queues.add(jobOf({ sendQueue }));
		await until(() => asked.length === 1);
		assert.deepEqual(await queues.areIll([sendQueue, "another"]), new Set([sendQueue]));
		for (const job of [...staying, ...others]) await queues.add(job);
		// Those in front, which can go nowhere else, hide none, and keep their places.
		await until(async () => (await total(sendQueue)) === staying.length);
		await worker.close();
		assert.deepEqual(new Set(handedOn), new Set(others.map(({ messageId }) => messageId)));
		const waiting = await redis.zrange(`${prefix}:${sendQueue}:prioritized`, "0", "-1");
		assert.deepEqual(
			waiting,
			staying.map(({ messageId }) => `${messageId}-1`),
		);
		assert.equal(asked.length, 1);
		assert.deepEqual([...codes], ["throttled"], "which no failure was");
	});

	it("of two waits that a carrier asks for the longer one counts, and neither for a queue that was given another account", async () => {
		const { sendQueue } = jobOf();
		let asked = 0;
		const worker = work(sendQueue, async (_job, control) => {
			if (asked++ > 0) return true;
			await control.holdBack(limits.backoffMaxMs);
			await control.holdBack(limits.throttleBearableMs + 10_000);
			return undefined;
		});
		await queues.add(jobOf({ sendQueue }));
		await until(async () => asked === 1 && (await total(sendQueue)) === 0);
		const leftMs = await redis.pttl(`${prefix}:left:${sendQueue}`);
		assert.ok(leftMs > limits.backoffMaxMs - 10_000, `${leftMs} ms`);
		await queues.forgetHealth(sendQueue);
		worker.retry();
		assert.deepEqual(await queues.areIll([sendQueue]), new Set());
		await queues.add(jobOf({ sendQueue }));
		await until(() => asked === 2);
		await worker.close();
	});

	it("a carrier that brings nothing is for people to see to, and takes what is sent all the same", async () => {
		const [{ sendQueue }, { sendQueue: other }] = [jobOf(), jobOf()];
		await queues.tellBrought(sendQueue, "credentials_refused");
		const [since] = [...(await queues.failing([other, sendQueue])).values()].map((failing) => failing.since);
		await queues.tellBrought(sendQueue, "credentials_refused");
		const failing = await queues.failing([other, sendQueue]);
		assert.deepEqual(failing, new Map([[sendQueue, { code: "credentials_refused", since }]]));
		assert.deepEqual(await queues.areIll([other, sendQueue]), new Set());
		assert.ok((await redis.pttl(`${prefix}:silence:${sendQueue}`)) > 0, "that it is over nobody has to tell");
		await queues.forgetHealth(sendQueue);
		assert.deepEqual(await queues.failing([sendQueue]), new Map());
	});

	it("a carrier that brings all to one sender and has no link for another is well; once it brings nothing to any, it is not", async () => {
		const { sendQueue } = jobOf();
		await queues.tellBrought(sendQueue, "credentials_refused");
		for (const told of [true, "credentials_refused"] as const) {
			await queues.tellBrought(sendQueue, told);
			assert.deepEqual(await queues.failing([sendQueue]), new Map(), `${told}`);
		}
		const brought = `${prefix}:brought:${sendQueue}`;
		assert.ok((await redis.pttl(brought)) > 0, "that it brings nothing any more nobody has to tell");
		await redis.del(brought);
		await queues.tellBrought(sendQueue, "credentials_refused");
		assert.equal((await queues.failing([sendQueue])).get(sendQueue)?.code, "credentials_refused");
	});

	it("what was sent is to be seen, in segments", async () => {
		const { sendQueue } = jobOf();
		await Promise.all(Array.from({ length: 20 }, () => queues.add(jobOf({ sendQueue, segments: 3 }))));
		let runs = 0;
		const worker = work(sendQueue, async () => {
			runs++;
			return true;
		});
		await until(() => runs === 20);
		await worker.close();
		const live = await until(async () => {
			const { segmentsPerSecond, ...rest } = await queues.live(sendQueue);
			return segmentsPerSecond > 0 && { segmentsPerSecond, ...rest };
		});
		assert.ok(live.segmentsPerSecond <= 12 && live.waiting === 0, JSON.stringify(live));
	});

	it("what outlasts its sender's patience with Redis is taken out of the queue all the same, and counted", async () => {
		const job = jobOf();
		await queues.add(job);
		let free: (() => void) | undefined;
		const failed = () =>
			new Promise<{ code: string }>((resolve) => {
				free = () => resolve({ code: "not_configured" });
			});
		const worker = work(job.sendQueue, failed);
		await until(async () => free !== undefined);
		const closed = worker.close();
		await sleep(limits.queuesAnswerMsMax + 500);
		free?.();
		await closed;
		assert.equal(await total(job.sendQueue), 0);
		assert.equal((await queues.failing([job.sendQueue])).get(job.sendQueue)?.code, "not_configured");
	});

	it("what a dead sender had in hand is not run again from here", async () => {
		const { sendQueue } = jobOf();
		const stalled = jobOf({ sendQueue });
		await queues.add(stalled);
		// A sender took the job and died: it is active without a lock, and was so when it was looked at before.
		await redis.zrem(`${prefix}:${sendQueue}:prioritized`, `${stalled.messageId}-1`);
		await redis.rpush(`${prefix}:${sendQueue}:active`, `${stalled.messageId}-1`);
		await redis.sadd(`${prefix}:${sendQueue}:stalled`, `${stalled.messageId}-1`);
		const seen: string[] = [];
		const worker = work(sendQueue, async ({ messageId }) => void seen.push(messageId));
		await until(async () => (await queues.counts(sendQueue)).active === 0);
		await worker.close();
		assert.deepEqual(seen, []);
	});
});

describe("send queues without an answer from Redis", () => {
	const prefix = `t${randomBytes(6).toString("hex")}`;
	const bucket = { name: "tenant:ten_a", segmentsPerSecond: 100 };
	let line: LineProxy;
	before(async () => {
		line = await startProxy(Number(new URL(url).port || 6379));
	});
	after(async () => {
		await line.close();
		const redis = new Redis(url);
		const keys = await redis.keys(`${prefix}:*`);
		if (keys.length > 0) await redis.del(keys);
		redis.disconnect();
	});
	const open = () => createSendQueues({ url: `redis://127.0.0.1:${line.port}`, prefix, clock: Date.now });
	const jobOf = (sendQueue: string): SendJob => ({
		messageId: formatId("message", randomBytes(16)),
		...{ attempt: 1, sendQueue, urgent: false, delayMs: 0, segments: 1 },
	});
	/** Every call on a queue that was not used before, one at a time: the slowest counts. */
	const calls = (queues: SendQueues, name: string) => [
		queues.depth(name),
		queues.add(jobOf(name)),
		queues.takeTurn([bucket], 1, 100),
		queues.lead(name, "token", 1_000),
		queues.areIll([name]),
		queues.failing([name]),
		queues.counts(name),
		queues.senderCount(name),
		queues.live(name),
		queues.forgetHealth(name),
		queues.forget(name),
		queues.ping(),
	];
	const untilThere = (queues: SendQueues) =>
		until(() => queues.ping().then(...([() => true, () => false] as const)), 30_000);
	async function assertAbsent(queues: SendQueues, name: string, withinMs: number) {
		const began = performance.now();
		const late = new Promise<"late">((resolve) => setTimeout(resolve, withinMs, "late").unref());
		const ended = await Promise.race([Promise.allSettled(calls(queues, name)), late]);
		assert.ok(ended !== "late", `not within ${withinMs} ms`);
		const codes = ended.map((one) => (one.status === "rejected" ? one.reason.code : "answered"));
		assert.deepEqual(
			codes,
			codes.map(() => "queues_unavailable"),
		);
		return performance.now() - began;
	}

	for (const state of ["cut", "hung"] as const) {
		it(`are absent while it is ${state} from their first use on, and serve once it is there, without a restart`, async () => {
			line.set(state);
			const queues = open();
			try {
				await assertAbsent(queues, `q${state}`, limits.queuesReadyMsMax + 1_000);
				await assertAbsent(queues, `q${state}2`, 1_000);
				line.set("whole");
				await untilThere(queues);
				await queues.add(jobOf(`q${state}`));
				assert.deepEqual(await queues.depth(`q${state}`), { urgent: 0, normal: 1 });
			} finally {
				line.set("whole");
				await queues.close();
			}
		});
	}

	it("serve again after their line has gone silent without an end, and so do their senders", async () => {
		const queues = open();
		const seen: string[] = [];
		const common = { prefix, clock: Date.now, concurrency: 1, ratePerSecond: 1_000, onError: () => undefined };
		const handle = async ({ messageId }: { messageId: string }) => void seen.push(messageId);
		const worker = createSendWorker({
			...{ ...common, url: `redis://127.0.0.1:${line.port}`, sendQueue: "qsilent", handle },
		});
		try {
			await queues.add(jobOf("qsilent"));
			await until(() => Promise.resolve(seen.length === 1));
			line.strand();
			await untilThere(queues);
			await queues.add(jobOf("qsilent"));
			await until(() => Promise.resolve(seen.length === 2), 30_000);
		} finally {
			line.reset();
			await worker.close();
			await queues.close();
		}
	});

	it("have their senders end while it hangs, once what is in hand has ended", async () => {
		const queues = open();
		const sendQueue = "qend";
		let free = (): void => undefined;
		const held = new Promise<void>((resolve) => {
			free = resolve;
		});
		let [began, ended] = [0, 0];
		const worker = createSendWorker({
			...{ prefix, clock: Date.now, concurrency: 2, ratePerSecond: 1_000, onError: () => undefined },
			...{ url: `redis://127.0.0.1:${line.port}`, sendQueue },
			async handle(_job, control) {
				if (began++ === 0) return;
				await held;
				// As where its carrier throttles: what Redis is to be told of that it does not take.
				await control.holdBack(1);
				ended++;
			},
		});
		try {
			for (let count = 1; count <= 2; count++) {
				await queues.add(jobOf(sendQueue));
				await until(() => Promise.resolve(began === count));
			}
			line.set("hung");
			await sleep(1_000);
			const closed = worker.close().then(() => ended);
			assert.equal(await Promise.race([closed, sleep(1_000, "waits", { ref: false })]), "waits");
			free();
			const late = sleep(limits.queuesAnswerMsMax + limits.queuesReadyMsMax + 3_000, "late", { ref: false });
			assert.equal(await Promise.race([closed, late]), 1);
		} finally {
			line.set("whole");
			await queues.close();
		}
	});

	it("leave a Redis that became a replica for the one that took its place", async () => {
		let isDemoted = true;
		const server = createServer((near) => {
			const far = connect({ port: Number(new URL(url).port || 6379), host: "127.0.0.1" });
			const refuses = isDemoted;
			far.pipe(near);
			near.on("data", (piece) => {
				if (refuses && piece.includes("token"))
					near.write("-READONLY You can't write against a read only replica.\r\n");
				else far.write(piece);
			});
			for (const [one, other] of [[near, far] as const, [far, near] as const]) {
				one.on("error", () => undefined);
				one.on("close", () => other.destroy());
			}
		});
		await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
		const { port } = server.address() as AddressInfo;
		const queues = createSendQueues({ url: `redis://127.0.0.1:${port}`, prefix, clock: Date.now });
		try {
			await queues.ping();
			isDemoted = false;
			await assert.rejects(queues.lead("qmoved", "token", 1_000), { code: "queues_unavailable" });
			await until(() => queues.lead("qmoved", "token", 1_000).catch(() => false));
		} finally {
			await queues.close();
			server.close();
		}
	});

	it("are absent while it hangs in the middle of their use, known ones and new ones, and can be closed then", async () => {
		const queues = open();
		try {
			await queues.add(jobOf("qlater"));
			line.set("hung");
			await assertAbsent(queues, "qlater", limits.queuesAnswerMsMax + 2_000);
			await assertAbsent(queues, "qnew", limits.queuesAnswerMsMax + 2_000);
			line.set("whole");
			await untilThere(queues);
			// What was asked for when it began to hang may have been done since.
			await queues.add(jobOf("qnew"));
			assert.ok((await queues.depth("qnew")).normal >= 1);
			line.set("hung");
		} finally {
			const began = performance.now();
			await queues.close();
			assert.ok(performance.now() - began < limits.queuesAnswerMsMax + 2_000);
			line.set("whole");
		}
	});
});
