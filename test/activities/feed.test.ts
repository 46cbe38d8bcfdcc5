// The backlog on real servers: what has no room waits in the store, tenants are served in turn, and nothing waits for ever.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, beforeEach, describe, it } from "node:test";
import { createAdmit } from "../../activities/admit.ts";
import { createDeliver } from "../../activities/deliver.ts";
import { createFeed } from "../../activities/feed.ts";
import { createPrepare } from "../../activities/prepare.ts";
import { createRejudge } from "../../activities/rejudge.ts";
import { createTenancy } from "../../activities/tenancy.ts";
import type { SendQueueDocument, TenantDocument } from "../../adapters/mongo/models.ts";
import { backlogKey } from "../../domain/backlog.ts";
import type { Message } from "../../domain/message.ts";
import { cancel, hold } from "../../domain/transition.ts";
import { createEngine, type Engine } from "../harness/engine.ts";
import { messageOf } from "../harness/message.ts";

describe("the backlog", () => {
	let engine: Engine;
	let queue: SendQueueDocument;
	before(async () => {
		engine = await createEngine({ worker: false, sender: false });
	});
	beforeEach(async () => {
		// Ten segments a second: it holds twenty, and ten are added without asking.
		const _id = `q${randomBytes(4).toString("hex")}`;
		queue = { _id, carrier: "simulator", sender: "Lethe", settings: {}, ratePerSecond: 10, paused: false };
		await engine.store.sendQueues.put(queue);
	});
	after(() => engine.close());

	const deliverer = () =>
		createDeliver({
			...engine,
			admit: createAdmit(engine),
			tenancy: createTenancy(engine),
			prepare: createPrepare({ ...engine, rejudge: createRejudge(engine) }),
		});
	async function insert(count: number, shape: Parameters<typeof messageOf>[0] = {}): Promise<Message[]> {
		const now = engine.clock();
		const messages = Array.from({ length: count }, () =>
			messageOf({
				id: engine.ids.random("message"),
				submissionId: engine.ids.random("submission"),
				sendQueue: queue._id,
				acceptedAt: now,
				deadlineAt: now + 60_000,
				closeAt: now + 120_000,
				...shape,
			}),
		);
		for (const { tenantId } of messages.slice(0, 1)) await engine.ensureTenant(tenantId);
		await Promise.all(messages.map((message) => engine.store.messages.insert(message)));
		return messages;
	}
	async function queueAll(messages: Message[]) {
		const { queueMessage } = deliverer();
		for (const message of messages) await queueMessage(message);
	}
	const depth = () => engine.sendQueues.depth(queue._id);
	const waiting = async (messages: Message[]) => {
		const stored = await Promise.all(messages.map(({ _id }) => engine.read(_id)));
		return stored.filter(({ backlog }) => backlog !== undefined);
	};
	const tenantWith = async (more: Partial<TenantDocument>) => {
		const _id = engine.ids.random("tenant");
		await engine.store.tenants.put({
			_id,
			name: "T",
			establishment: "DE",
			destinations: ["*"],
			sendQueues: [queue._id],
			retention: {},
			createdAt: 1,
			...more,
		});
		return _id;
	};

	it("takes what the queue has no room for, and its own deadline is all that is looked after", async () => {
		const messages = await insert(30);
		await queueAll(messages);
		const left = await waiting(messages);
		// Ten, and what is being added while the depth is read.
		assert.ok(left.length >= 18 && left.length <= 20, `${left.length}`);
		assert.equal((await depth()).normal, 30 - left.length);
		for (const { state, nextCheckAt, deadlineAt } of left) {
			assert.deepEqual([state, nextCheckAt], ["queued", deadlineAt]);
		}
	});

	it("gives the queue two seconds' worth and no more, the longest waiting first", async () => {
		const messages = await insert(60);
		await queueAll(messages);
		const before = (await depth()).normal;
		const feed = createFeed(engine);
		assert.equal((await feed(queue)).added, 20 - before);
		assert.equal((await feed(queue)).added, 0, "and nothing while it is full");
		assert.equal((await depth()).normal, 20);
	});

	it("lets nobody who comes later onto the queue while somebody waits for it, but a code, and anybody once nobody does", async () => {
		const messages = await insert(60);
		await queueAll(messages);
		let now = 0;
		let isSent = false;
		const depth = async (name: string) => (isSent ? { urgent: 0, normal: 0 } : engine.sendQueues.depth(name));
		const clocked = { ...engine, monotonic: () => now, sendQueues: { ...engine.sendQueues, depth } };
		const feed = createFeed(clocked);
		await feed(queue);
		isSent = true;
		const [late] = (await insert(1)) as [Message];
		const [code] = (await insert(1, { category: "otp" })) as [Message];
		assert.equal((await createAdmit(clocked)(late)).kind, "wait");
		assert.equal((await createAdmit(clocked)(code)).kind, "room");
		for (const message of await waiting(messages)) {
			await engine.store.messages.transition(cancel(message, engine.clock()));
		}
		now += 3_000;
		await feed(queue);
		assert.equal((await createAdmit(clocked)(late)).kind, "room");
	});

	it("what waits is sent before what comes later, by a carrier that is slower than its queue may be, too", async () => {
		let now = 0;
		const jobs: string[] = [];
		const sendQueues = {
			...engine.sendQueues,
			add: async ({ messageId }: { messageId: string }) => void jobs.push(messageId),
			depth: async () => ({ urgent: 0, normal: jobs.length }),
		};
		const clocked = { ...engine, monotonic: () => now, sendQueues };
		const { queueMessage } = createDeliver({
			...clocked,
			admit: createAdmit(clocked),
			tenancy: createTenancy(engine),
			prepare: createPrepare({ ...engine, rejudge: createRejudge(engine) }),
		});
		const feed = createFeed(clocked);
		const come = async (message: Message) => void (await queueMessage(message));
		const first = await insert(40);
		for (const message of first) await come(message);
		const later = await insert(100);
		const sent: string[] = [];
		// Four a second of the ten that it is allowed, and a fifth one comes.
		for (let turn = 0; sent.length < 80; turn++) {
			now += 50;
			if (turn % 4 === 0) await come(later[turn / 4] as Message);
			if (turn % 2 === 0) await feed(queue);
			if (turn % 5 !== 0) continue;
			const id = jobs.shift();
			if (id === undefined) continue;
			sent.push(id);
			assert.ok(await engine.store.messages.claim({ messageId: id, attempt: 1, sendQueue: queue._id }));
		}
		const place = new Map(sent.map((id, index) => [id, index]));
		const places = first.map(({ _id }) => place.get(_id) ?? Number.POSITIVE_INFINITY);
		assert.ok(Math.max(...places) < 45, `${places}`);
	});

	it("serves a tenant's ten before the rest of another's many", async () => {
		const many = await insert(80, { tenantId: "ten_many" });
		await queueAll(many);
		const ten = await insert(10, { tenantId: "ten_few" });
		await queueAll(ten);
		await engine.emptyRedis();
		const added: string[] = [];
		const add: typeof engine.sendQueues.add = async (job) => {
			added.push(job.messageId);
			await engine.sendQueues.add(job);
		};
		const feed = createFeed({ ...engine, sendQueues: { ...engine.sendQueues, add } });
		assert.equal((await feed(queue)).added, 20);
		const few = new Set(ten.map(({ _id }) => _id));
		assert.ok(added.filter((id) => few.has(id)).length >= 8, "half of what there was room for");
	});

	it("asks for little more than it takes, however much waits, and finds who comes later at once", async () => {
		const startedAt = engine.clock() - 600_000;
		const shelve = async (tenantId: string, count: number, everyMs: number) => {
			await engine.ensureTenant(tenantId);
			const messages = Array.from({ length: count }, (_, at): Message => {
				const id = engine.ids.random("message");
				const deadlineAt = engine.clock() + 60_000;
				const message = messageOf({
					id,
					submissionId: id,
					tenantId,
					sendQueue: queue._id,
					state: "queued",
					deadlineAt,
				});
				return { ...message, backlog: backlogKey(message, startedAt + at * everyMs) };
			});
			await Promise.all(messages.map((message) => engine.store.messages.insert(message)));
			return messages;
		};
		await shelve("ten_much", 1_000, 20);
		const late = await shelve("ten_rare", 2, 400_000);
		const asked: Parameters<typeof engine.store.messages.findBacklog>[0][] = [];
		const messages: typeof engine.store.messages = {
			...engine.store.messages,
			findBacklog: (range, itemsMax) => {
				asked.push(range);
				return engine.store.messages.findBacklog(range, itemsMax);
			},
		};
		const added = new Set<string>();
		const add = async ({ messageId }: { messageId: string }) => void added.add(messageId);
		const depths = async () => ({ urgent: 0, normal: 0 });
		let now = 0;
		const feed = createFeed({
			...engine,
			monotonic: () => now,
			store: { ...engine.store, messages },
			sendQueues: { ...engine.sendQueues, add, depth: depths },
		});
		// Until it knows who waits, it has to ask for all.
		await feed(queue);
		const known = asked.length;
		let few: Message[] = [];
		for (let turn = 0; added.size < 700; turn++) {
			now += 100;
			if (turn === 10) few = await shelve("ten_late", 5, 1);
			await feed(queue);
			assert.ok(turn !== 11 || few.every(({ _id }) => added.has(_id)), "late ones wait for two turns at most");
		}
		assert.ok(late.every(({ _id }) => added.has(_id)));
		const held = await Promise.all(asked.slice(known).map((range) => engine.store.messages.countBacklog(range, 1_000)));
		assert.ok(Math.max(...held) <= 250, `${Math.max(...held)} in one question`);
		assert.ok(held.length < 250, `${held.length} questions`);
	});

	it("lets codes go first, and the others still have a share", async () => {
		const codes = await insert(80, { category: "otp" });
		const others = await insert(80);
		await queueAll([...others, ...codes]);
		const added: { id: string; urgent: boolean }[] = [];
		const add = async ({ messageId: id, urgent }: { messageId: string; urgent: boolean }) =>
			void added.push({ id, urgent });
		const depths = async () => ({ urgent: 0, normal: 20 });
		const feed = createFeed({ ...engine, sendQueues: { ...engine.sendQueues, add, depth: depths } });
		assert.equal((await feed(queue)).added, 25);
		const isCode = new Set(codes.map(({ _id }) => _id));
		const urgent = added.filter((one) => one.urgent);
		assert.deepEqual([urgent.length, urgent.filter(({ id }) => isCode.has(id)).length], [25, 20]);
	});

	it("is found again when Redis was emptied, without any other driver", async () => {
		let now = 0;
		const feed = createFeed({ ...engine, monotonic: () => now });
		await queueAll(await insert(45));
		assert.ok((await feed(queue)).added >= 8);
		await engine.emptyRedis();
		now += 3_000;
		assert.equal((await feed(queue)).added, 20, "what comes behind is fed at once");
		await engine.emptyRedis();
		now += 60_000;
		assert.equal((await feed(queue)).added, 20, "and what was fed is fed again");
	});

	it("does not keep what was cancelled, and holds out of it what a hold restricts", async () => {
		const messages = await insert(25);
		await queueAll(messages);
		const [cancelled, held] = (await waiting(messages)) as [Message, Message];
		assert.ok(await engine.store.messages.transition(cancel(cancelled, engine.clock())));
		assert.ok(await engine.store.messages.transition(hold(held, "hld_a")));
		await createFeed(engine)(queue);
		assert.deepEqual(await waiting([cancelled, held]), []);
		const kept = await engine.read(held._id);
		assert.ok((kept.nextCheckAt ?? 0) > engine.clock(), "the sweep comes back to it");
	});

	it("feeds what a hold keeps from erasure only", async () => {
		const messages = await insert(25);
		await queueAll(messages);
		const kept = await waiting(messages);
		assert.ok(kept.length > 0);
		for (const { _id } of kept) {
			await engine.store.messages.transition({ id: _id, push: { holds: { value: "hld_a" } } });
		}
		assert.ok((await createFeed(engine)(queue)).added > 0);
		assert.equal((await waiting(kept)).length, kept.length, "none is taken out of the backlog");
	});

	it("is not asked for room for what a sender or a carrier has, whose time may be over all the same", async () => {
		const [message] = (await insert(1)) as [Message];
		let asked = 0;
		const { queueMessage } = createDeliver({
			...engine,
			async admit() {
				asked++;
				return { kind: "room", delayMs: 0 };
			},
			tenancy: createTenancy(engine),
			prepare: createPrepare({ ...engine, rejudge: createRejudge(engine) }),
		});
		assert.ok(await queueMessage(message));
		assert.ok(await engine.store.messages.claim({ messageId: message._id, attempt: 1, sendQueue: queue._id }));
		assert.ok(await queueMessage(await engine.read(message._id)));
		assert.equal(asked, 1);
		assert.equal(await queueMessage(await engine.read(message._id), message.closeAt), false);
		assert.equal((await engine.read(message._id)).state, "unknown");
		assert.equal(await queueMessage(await engine.read(message._id)), false);
		assert.equal(asked, 1);
	});

	it("of a paused queue all waits there", async () => {
		await engine.store.sendQueues.put({ ...queue, paused: true });
		const messages = await insert(3);
		await queueAll(messages);
		assert.deepEqual(await depth(), { urgent: 0, normal: 0 });
		assert.equal((await waiting(messages)).length, 3);
	});

	it("a tenant's own rate and its rate to a country pace it, and nobody else", async () => {
		const slow = await tenantWith({ ratePerSecond: 2 });
		const abroad = await tenantWith({ countryRates: { US: 1 } });
		const messages = await insert(30, { tenantId: slow });
		const others = await insert(5, { tenantId: abroad });
		await engine.store.sendQueues.put({ ...queue, paused: true });
		await queueAll([...messages, ...others]);
		const delays = new Map<string, number>();
		const add = async ({ messageId, delayMs }: { messageId: string; delayMs: number }) =>
			void delays.set(messageId, delayMs);
		const feed = createFeed({ ...engine, sendQueues: { ...engine.sendQueues, add } });
		await feed(queue);
		const of = (some: Message[]) => some.flatMap(({ _id }) => delays.get(_id) ?? []);
		// Two seconds of each, and the one that may go now.
		assert.ok(of(messages).length >= 4 && of(messages).length <= 6, `${of(messages)}`);
		assert.ok(of(others).length >= 2 && of(others).length <= 4, `${of(others)}`);
		assert.ok(Math.max(...of(messages)) > 1_000);
	});

	it("a code that its own tenant's queue can't send in time ends at once; anything else waits", async () => {
		// A second each: thirty of them outlast twenty seconds, in which even a slow machine is through with this.
		await engine.store.sendQueues.put({ ...queue, ratePerSecond: 1, paused: true });
		await queueAll(await insert(30, { category: "otp" }));
		const deadlineAt = engine.clock() + 20_000;
		const others = await insert(30, { deadlineAt });
		await queueAll(others);
		const late = (await insert(1, { category: "otp", deadlineAt })) as [Message];
		await queueAll(late);
		const ended = await engine.read(late[0]._id);
		assert.equal(ended.state, "rejected");
		assert.equal(ended.evidence.find(({ type }) => type === "rejected")?.code, "queue_hopeless");
		const states = await Promise.all(others.map(({ _id }) => engine.read(_id)));
		assert.ok(states.every(({ state }) => state === "queued"));
		const over = { ...late[0], deadlineAt: engine.clock() - 1_000 };
		assert.deepEqual(await createAdmit(engine)(over), { kind: "wait" }, "one that is over expires");
	});
});
