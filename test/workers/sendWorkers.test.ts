// What the sender works, on a real Redis: queues come, pause and change their rate while it runs.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, describe, it } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { Redis } from "ioredis";
import type { SendQueueDocument } from "../../adapters/mongo/models.ts";
import { createSendQueues, type SendQueues } from "../../adapters/redis/sendQueues.ts";
import { createSendWorker } from "../../adapters/redis/sendWorker.ts";
import { formatId } from "../../domain/ids.ts";
import { createSendWorkers } from "../../workers/sendWorkers.ts";
import { until } from "../harness/until.ts";

const url = process.env.REDIS_URL as string;

describe("the sender's workers", () => {
	const prefix = `t${randomBytes(6).toString("hex")}`;
	const stored = new Map<string, SendQueueDocument>();
	const starts: { queue: string; at: number }[] = [];
	const errors: Error[] = [];
	const received: string[] = [];
	const held = new Map<string, object>();
	let finished = 0;
	let opened = 0;
	let slowMs = 0;
	let isFit = true;
	let queues: SendQueues;
	const workers = createSendWorkers({
		async receive(sendQueue) {
			received.push(sendQueue);
			if (sendQueue === "broken") throw new Error("no carrier");
			return held.get(sendQueue);
		},
		queues: { all: async () => [...stored.values()] },
		open: (queue) => {
			opened++;
			const handle = async () => {
				starts.push({ queue: queue.sendQueue, at: performance.now() });
				await new Promise((resolve) => setTimeout(resolve, slowMs));
				finished++;
				return undefined;
			};
			return createSendWorker({
				url,
				clock: Date.now,
				prefix,
				concurrency: 50,
				handle,
				onError: () => undefined,
				...queue,
			});
		},
		ratePerSecondDefault: 1_000,
		async mayWork() {
			if (!isFit) throw new Error("clock_off");
		},
		onError: (error) => void errors.push(error),
	});
	before(() => {
		queues = createSendQueues({ url, prefix, clock: Date.now });
	});
	after(async () => {
		await workers.close();
		const redis = new Redis(url);
		const keys = await redis.keys(`${prefix}:*`);
		if (keys.length > 0) await redis.del(keys);
		redis.disconnect();
		await queues.close();
	});

	const put = (_id: string, more: Partial<SendQueueDocument> = {}) =>
		void stored.set(_id, { _id, carrier: "simulator", sender: "Lethe", settings: {}, paused: false, ...more });
	const add = (sendQueue: string, count: number) =>
		Promise.all(
			Array.from({ length: count }, () => {
				const messageId = formatId("message", randomBytes(16));
				return queues.add({ messageId, attempt: 1, sendQueue, urgent: false, delayMs: 0, segments: 1 });
			}),
		);
	it("has every queue's carrier bring receipts, a paused one's too, and goes on when one can't", async () => {
		put("resting", { paused: true });
		put("broken");
		await workers.watch();
		await until(() => received.includes("resting") && received.includes("broken"));
		await until(() => errors.length === 1);
		for (const queue of ["resting", "broken"]) stored.delete(queue);
		await workers.watch();
		await until(() => errors.length === 2);
		assert.ok(errors.splice(0).every(({ message }) => message === "no carrier"));
	});

	it("ask for the carrier of a queue that is gone until it is closed, a paused one's too", async () => {
		for (const [queue, paused] of [
			["gone", false],
			["gone-paused", true],
		] as const) {
			put(queue, { paused });
			held.set(queue, {});
			await workers.watch();
			await until(() => received.includes(queue));
			stored.delete(queue);
			const timesAsked = () => received.filter((one) => one === queue).length;
			for (const asked of [2, 3]) {
				await workers.watch();
				await until(() => timesAsked() === asked);
			}
			held.delete(queue);
			await workers.watch();
			await until(() => timesAsked() === 4);
			await workers.watch();
			await turn();
			assert.equal(timesAsked(), 4);
		}
	});

	const startsOf = (queue: string) => starts.filter((one) => one.queue === queue).map(({ at }) => at);
	/** How long the starts from one to another took, ms. */
	const tookMs = (times: number[], from: number, to: number) => (times[to - 1] as number) - (times[from] as number);

	it("take no job while this process may send nothing, whose others then have them, and go on once it may", async () => {
		put("fit");
		await workers.watch();
		isFit = false;
		await workers.watch();
		await add("fit", 5);
		assert.equal(errors.splice(0).at(-1)?.message, "clock_off");
		await workers.watch();
		assert.equal(startsOf("fit").length, 0);
		isFit = true;
		await workers.watch();
		await until(() => startsOf("fit").length === 5);
		errors.length = 0;
		stored.delete("fit");
		await workers.watch();
	});

	it("take up a changed rate while they run, upwards and downwards, without letting go of anything", async () => {
		put("rate", { ratePerSecond: 10 });
		await workers.watch();
		await add("rate", 100);
		await until(() => startsOf("rate").length >= 5);
		put("rate", { ratePerSecond: 1_000 });
		const openedBefore = opened;
		await workers.watch();
		// The rest would take nine seconds at ten a second.
		await until(() => startsOf("rate").length === 100);
		const fast = startsOf("rate");
		assert.ok(tookMs(fast, 10, 100) < 4_000, `${tookMs(fast, 10, 100)} ms`);
		put("rate", { ratePerSecond: 20 });
		await workers.watch();
		await add("rate", 30);
		await until(() => startsOf("rate").length === 130);
		const slow = startsOf("rate");
		// Thirty at twenty a second, by tenths.
		assert.ok(tookMs(slow, 102, 130) >= 1_200, `${tookMs(slow, 102, 130)} ms`);
		assert.equal(opened, openedBefore, "by the worker that was there");
	});

	it("go back to the rate that goes without saying when a queue names none any more", async () => {
		put("default", { ratePerSecond: 1 });
		await workers.watch();
		await add("default", 40);
		await until(() => startsOf("default").length >= 1);
		put("default");
		await workers.watch();
		await until(() => startsOf("default").length === 40);
		assert.ok(tookMs(startsOf("default"), 0, 40) < 20_000);
	});

	it("take no job of a paused queue, end what they have in hand, and go on when it is not paused any more", async () => {
		put("paused");
		await workers.watch();
		await until(() => finished === starts.length);
		slowMs = 200;
		const finishedBefore = finished;
		await add("paused", 1);
		await until(() => startsOf("paused").length === 1);
		put("paused", { paused: true });
		await workers.watch();
		slowMs = 0;
		await until(() => finished === finishedBefore + 1);
		await add("paused", 1);
		put("beside");
		await workers.watch();
		await add("beside", 1);
		await until(() => startsOf("beside").length === 1);
		assert.equal(startsOf("paused").length, 1);
		put("paused");
		await workers.watch();
		await until(() => startsOf("paused").length === 2);
	});

	it("have ended all that they had in hand once they are closed, of a queue that was just paused, too", async () => {
		const hand = Promise.withResolvers<void>();
		const all: SendQueueDocument[] = [];
		const own = createSendWorkers({
			queues: { all: async () => all },
			open: () => ({ close: () => hand.promise, setRate: () => undefined, retry: () => undefined }),
			receive: async () => undefined,
			mayWork: async () => undefined,
			ratePerSecondDefault: 1,
			onError: (error) => void errors.push(error),
		});
		const queue = { _id: "slow", carrier: "simulator", sender: "Lethe", settings: {} };
		all.push({ ...queue, paused: false });
		await own.watch();
		all.splice(0, 1, { ...queue, paused: true });
		void own.watch();
		await turn();
		let isClosed = false;
		const closing = own.close().then(() => {
			isClosed = true;
		});
		await turn();
		assert.equal(isClosed, false);
		hand.resolve();
		await closing;
	});

	it("take no other queue up once they are closed, whatever was being looked at", async () => {
		const looked = Promise.withResolvers<SendQueueDocument[]>();
		let count = 0;
		const own = createSendWorkers({
			queues: { all: () => looked.promise },
			open: () => ({ close: async () => void count++, setRate: () => undefined, retry: () => void count++ }),
			receive: async () => void count++,
			...{ mayWork: async () => undefined, ratePerSecondDefault: 1, onError: () => undefined },
		});
		const watching = own.watch();
		await own.close();
		looked.resolve([{ _id: "late", carrier: "simulator", sender: "Lethe", settings: {}, paused: false }]);
		await watching;
		await own.close();
		assert.equal(count, 0);
	});

	it("ask a queue's carrier again once it is another, and not while it stays", async () => {
		const state = { retries: 0, carrier: {} as object | undefined, fails: false };
		const worker = { close: async () => undefined, setRate: () => undefined, retry: () => void state.retries++ };
		const own = createSendWorkers({
			queues: { all: async () => [{ _id: "q", carrier: "simulator", sender: "Lethe", settings: {}, paused: false }] },
			open: () => worker,
			async receive() {
				if (state.fails) throw new Error("no carrier");
				return state.carrier;
			},
			...{ mayWork: async () => undefined, ratePerSecondDefault: 1, onError: () => undefined },
		});
		const watch = async () => {
			await own.watch();
			await turn();
			return state.retries;
		};
		const before = await watch();
		assert.equal(await watch(), before, "the same");
		state.fails = true;
		assert.equal(await watch(), before, "one that can't be opened");
		Object.assign(state, { fails: false, carrier: {} });
		assert.equal(await watch(), before + 1, "another");
		assert.equal(await watch(), before + 1);
		await own.close();
	});

	it("let go of a queue that is there no more, and have its carrier closed", async () => {
		put("gone");
		await workers.watch();
		await add("gone", 1);
		await until(() => startsOf("gone").length === 1);
		await until(async () => (await queues.senderCount("gone")) === 1);
		stored.delete("gone");
		received.length = 0;
		await workers.watch();
		// Asked for, it is found to have no queue.
		await until(() => received.includes("gone"));
		await until(async () => (await queues.senderCount("gone")) === 0);
		received.length = 0;
		await workers.watch();
		assert.ok(!received.includes("gone"));
	});

	it("work the others though one queue can't be opened", async () => {
		stored.clear();
		// BullMQ takes no such name.
		put("a:b");
		put("well");
		await workers.watch();
		assert.equal(errors.length, 1);
		await add("well", 1);
		await until(() => startsOf("well").length === 1);
	});
});
