// The feeder on a real store and Redis: tenants in turn, newcomers soon, nothing that is over, and nothing of a paused queue.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, afterEach, before, describe, it } from "node:test";
import { createFeed } from "../../activities/feed.ts";
import type { SendQueueDocument } from "../../adapters/mongo/models.ts";
import { createSendWorker } from "../../adapters/redis/sendWorker.ts";
import { backlogKey } from "../../domain/backlog.ts";
import type { Message } from "../../domain/message.ts";
import { createFeeder } from "../../workers/feeder.ts";
import { createEngine, type Engine, until } from "../harness/engine.ts";
import { messageOf } from "../harness/message.ts";

type Options = Parameters<typeof createFeeder>[0];

describe("the feeder", () => {
	let engine: Engine;
	const shelved: string[] = [];
	const running: { close: () => Promise<void> }[] = [];
	before(async () => {
		engine = await createEngine({ worker: false, sender: false });
	});
	afterEach(async () => {
		for (const one of running.splice(0)) await one.close();
		await Promise.all(shelved.splice(0).map((id) => engine.store.messages.transition({ id, unset: ["backlog"] })));
		for (const { _id } of await engine.store.sendQueues.all()) await engine.store.sendQueues.remove(_id);
	});
	after(() => engine.close());

	async function addQueue(more: Partial<SendQueueDocument> = {}): Promise<string> {
		const _id = `q${randomBytes(4).toString("hex")}`;
		const queue = { _id, carrier: "simulator", sender: "Lethe", settings: {}, ratePerSecond: 100, paused: false };
		await engine.store.sendQueues.put({ ...queue, ...more });
		return _id;
	}

	/** Messages that have waited in the backlog of a queue for a second. */
	async function shelve(sendQueue: string, count: number, shape: Parameters<typeof messageOf>[0] = {}) {
		const now = engine.clock();
		const messages = Array.from({ length: count }, (_, at): Message => {
			const id = engine.ids.random("message");
			const times = { acceptedAt: now, deadlineAt: now + 600_000, closeAt: now + 1_200_000 };
			const message = messageOf({ id, submissionId: id, sendQueue, state: "queued", ...times, ...shape });
			return { ...message, backlog: backlogKey(message, now - 1_000 + at) };
		});
		for (const { tenantId } of messages.slice(0, 1)) await engine.ensureTenant(tenantId);
		await Promise.all(messages.map((message) => engine.store.messages.insert(message)));
		const ids = messages.map(({ _id }) => _id);
		shelved.push(...ids);
		return ids;
	}

	function start(more: Partial<Options> = {}) {
		const errors: Error[] = [];
		const feeder = createFeeder({
			store: engine.store,
			feed: createFeed(engine),
			moveWaiting: async () => 0,
			areIll: async () => new Set(),
			onError: (error) => void errors.push(error),
			...more,
		});
		feeder.start();
		running.push(feeder);
		return errors;
	}

	/** Works a queue; what it claims leaves the backlog. Answers the order in which it does. */
	function work(sendQueue: string): string[] {
		const order: string[] = [];
		const worker = createSendWorker({
			...{ url: process.env.REDIS_URL as string, prefix: engine.name, clock: engine.clock, sendQueue },
			...{ concurrency: 20, ratePerSecond: 100, onError: () => undefined },
			async handle(job) {
				if (await engine.store.messages.claim(job)) order.push(job.messageId);
				return true;
			},
		});
		running.push(worker);
		return order;
	}
	const waiting = async (sendQueue: string) => {
		const { urgent, normal } = await engine.sendQueues.depth(sendQueue);
		return urgent + normal;
	};

	it("gives a tenant with little its turn before the rest of one with much, and codes theirs before either", async () => {
		const queue = await addQueue();
		const many = await shelve(queue, 600, { tenantId: "ten_many" });
		start();
		const order = work(queue);
		await until(() => order.length >= 50);
		const few = await shelve(queue, 10, { tenantId: "ten_few" });
		const codes = await shelve(queue, 5, { tenantId: "ten_code", category: "otp" });
		const from = order.length;
		const placeOf = (ids: string[]) => Math.max(...ids.map((id) => order.indexOf(id))) - from;
		await until(() => [...few, ...codes].every((id) => order.includes(id)));
		// A queue holds two seconds' worth, which stands before whoever comes; codes overtake that.
		assert.ok(placeOf(few) <= 320, `the tenth of the few was ${placeOf(few)}th`);
		assert.ok(placeOf(codes) < placeOf(few), "codes first");
		await until(() => order.length === 615, 30_000);
		assert.equal(new Set(order).size, many.length + 15, "each once");
	});

	it("leaves out what is over, and feeds what stands behind it", async () => {
		const queue = await addQueue();
		const over = await shelve(queue, 3, { deadlineAt: engine.clock() - 1 });
		const due = await shelve(queue, 3);
		start();
		const order = work(queue);
		await until(() => due.every((id) => order.includes(id)));
		assert.ok(over.every((id) => !order.includes(id)));
		assert.equal(await waiting(queue), 0);
	});

	it("finds what comes to another queue while one is busy, and to any once all were idle, without a restart", async () => {
		const [busy, other] = [await addQueue({ ratePerSecond: 1 }), await addQueue()];
		await shelve(busy, 50);
		start();
		await until(async () => (await waiting(busy)) > 0);
		await shelve(other, 5);
		await until(async () => (await waiting(other)) === 5);
		const order = work(other);
		await until(() => order.length === 5);
		await shelve(other, 2, { category: "otp" });
		await until(() => order.length === 7);
		const later = await addQueue();
		await shelve(later, 4);
		await until(async () => (await waiting(later)) === 4);
	});

	it("leaves a paused queue what it has, and asks the store no more for it than where nothing waits", async () => {
		const queue = await addQueue({ paused: true });
		await shelve(queue, 5);
		let asked = 0;
		let read = 0;
		const { messages, sendQueues } = engine.store;
		const store: Options["store"] = {
			messages: {
				findBacklog(range, itemsMax) {
					asked++;
					return messages.findBacklog(range, itemsMax);
				},
			},
			sendQueues: {
				all() {
					read++;
					return sendQueues.all();
				},
			},
		};
		start({ store });
		await until(() => read === 1);
		const since = { at: performance.now(), asked };
		await until(() => read === 3);
		const perSecond = ((asked - since.asked) * 1_000) / (performance.now() - since.at);
		// Twice a second, on either side of what is known.
		assert.ok(perSecond <= 5.5, `${perSecond} a second`);
		assert.equal(await waiting(queue), 0);
		await sendQueues.setFlow(queue, { paused: false, draining: false });
		await until(async () => (await waiting(queue)) === 5);
	});

	it("feeds the others where one fails, and empties those that are to be left", async () => {
		const [broken, well] = [await addQueue(), await addQueue()];
		const leaving = await addQueue({ paused: true, moveWaiting: true });
		const ill = await addQueue();
		for (const queue of [broken, well, leaving, ill]) await shelve(queue, 2);
		const feed = createFeed(engine);
		const left = new Map<string, string>();
		const errors = start({
			async feed(queue) {
				if (queue._id === broken) throw new Error("broken");
				return feed(queue);
			},
			async moveWaiting(queue, code) {
				left.set(queue, code);
				return 0;
			},
			areIll: async () => new Set([ill]),
		});
		// Found one after the other, in the order of their names.
		await until(async () => (await waiting(well)) === 2 && left.size === 2 && errors.length > 0);
		assert.deepEqual(
			left,
			new Map([
				[leaving, "queue_paused"],
				[ill, "carrier_failing"],
			]),
		);
		assert.ok(errors.every(({ message }) => message === "broken"));
	});
});
