// Failover: only what surely was not sent goes to another queue, once, in time, and where routing, policies and budgets let it.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { createDivert } from "../../activities/divert.ts";
import { createMoveWaiting } from "../../activities/moveWaiting.ts";
import { createRejudge } from "../../activities/rejudge.ts";
import { createReroute } from "../../activities/reroute.ts";
import { createSend } from "../../activities/send.ts";
import { createTenancy } from "../../activities/tenancy.ts";
import { createUnpark } from "../../activities/unpark.ts";
import type { SendOutcome } from "../../adapters/carriers/carrier.ts";
import type { SendQueueDocument, TenantDocument } from "../../adapters/mongo/models.ts";
import { chargeOf, countersOf } from "../../domain/abuse.ts";
import { backlogKey } from "../../domain/backlog.ts";
import { LetheError } from "../../domain/errors.ts";
import { limits } from "../../domain/limits.ts";
import type { Message } from "../../domain/message.ts";
import { divert, enqueue, shelve } from "../../domain/transition.ts";
import { createFeeder } from "../../workers/feeder.ts";
import { createEngine, type Engine } from "../harness/engine.ts";
import { until } from "../harness/until.ts";

describe("failover", () => {
	let engine: Engine;
	const judged: unknown[] = [];
	const policy = { refused: undefined as string | undefined };
	/** By queue: what its carrier answers. */
	const answers = new Map<string, SendOutcome>();
	const asked: string[] = [];
	before(async () => {
		engine = await createEngine({
			worker: false,
			sender: false,
			policies: {
				reevaluate(facts) {
					const provider = (facts.context?.route as { provider?: string } | undefined)?.provider;
					judged.push(provider);
					const allowed = provider === undefined || provider !== policy.refused;
					return { allowed, reasons: [], citations: [], packs: [{ id: "p", version: "1" }], rules: ["r"] };
				},
			},
		});
	});
	after(() => engine.close());

	const transient: SendOutcome = { kind: "rejected", code: "unreachable", permanent: false };
	const accepted: SendOutcome = { kind: "accepted", carrierId: "c-other", segments: 1 };
	let count = 0;
	/** A tenant with a first queue and others, and a message queued on the first. */
	async function prepare(
		others: Partial<SendQueueDocument>[] = [{}],
		more: Partial<Message> = {},
		tenant: Partial<TenantDocument> = {},
	) {
		count++;
		const ids = ["first", ...others.map((_, index) => `other${index}`)].map((name) => `${name}-${count}`);
		for (const [index, _id] of ids.entries()) {
			const about = { carrier: `carrier${index}`, sender: "Lethe", settings: {}, paused: false };
			await engine.store.sendQueues.put({ _id, ...about, ...(index > 0 ? others[index - 1] : {}) });
		}
		const tenantId = engine.ids.random("tenant");
		await engine.store.tenants.put({
			...{ _id: tenantId, name: "T", establishment: "DE", sendQueues: ids, retention: {}, createdAt: 1 },
			...{ destinations: ["*"], ...tenant },
		});
		const message = await engine.accept({ tenantId, sendQueue: ids[0] as string });
		await engine.store.messages.transition({ id: message._id, set: { senderId: "Lethe", ...more } });
		assert.ok(await engine.store.messages.transition(enqueue(message, engine.clock())));
		asked.length = 0;
		answers.clear();
		return { message: await engine.read(message._id), ids };
	}
	function sender() {
		const rejudge = createRejudge(engine);
		const reroute = createReroute({ ...engine, rejudge });
		const carriers = {
			sender: async (name: string) => ({
				...engine.carrier,
				send: async () => {
					asked.push(name);
					return answers.get(name) ?? transient;
				},
			}),
		};
		const parts = { unpark: createUnpark(engine), rejudge, reroute, tenancy: createTenancy(engine) };
		return { send: createSend({ ...engine, carriers, ...parts }), divert: createDivert({ ...engine, reroute }) };
	}
	const noControl = { holdBack: async () => undefined };
	const job = ({ _id }: Message, attempt: number, sendQueue: string) => ({ messageId: _id, attempt, sendQueue });

	it("gives what the first queue's carrier refused to the next one, which sends it; each attempt names its queue", async () => {
		const { message, ids } = await prepare();
		const [first = "", other = ""] = ids;
		answers.set(other, accepted);
		const { send } = sender();
		await send(job(message, 1, first), noControl);
		const moved = await engine.read(message._id);
		assert.deepEqual([moved.state, moved.sendQueue, moved.deadlineAt], ["queued", other, message.deadlineAt]);
		assert.ok((moved.notBefore ?? 0) <= engine.clock(), "at once");
		assert.deepEqual(moved.evidence.at(-1), { at: moved.notBefore, type: "rerouted", code: other });
		assert.equal((await engine.sendQueues.counts(other)).prioritized, 1);
		await send(job(message, 2, first), noControl);
		assert.equal(asked.length, 1, "a job that is left on the first queue sends nothing");
		await send(job(message, 2, other), noControl);
		const sent = await engine.read(message._id);
		assert.deepEqual(
			sent.attempts.map(({ sendQueue, outcome }) => [sendQueue, outcome]),
			[
				[first, "failed"],
				[other, "accepted"],
			],
		);
		assert.equal((await engine.store.messages.findByCarrierId(other, "c-other"))?._id, message._id);
		assert.equal(
			await engine.store.messages.findByCarrierId(first, "c-other"),
			undefined,
			"and receipts are its own queue's",
		);
		assert.deepEqual([sent.reroutes?.[0]?.facts.route.provider, sent.reroutes?.[0]?.code], ["carrier1", "unreachable"]);
	});

	it("never after an outcome that nobody knows, nor a refusal for good, nor a wait that can be borne, nor where we were the trouble", async () => {
		const outcomes: [SendOutcome, string][] = [
			[{ kind: "ambiguous", code: "timeout" }, "sending"],
			[{ kind: "rejected", code: "invalid_recipient", permanent: true }, "rejected"],
			[{ kind: "throttled", retryAfterMs: limits.throttleBearableMs }, "queued"],
			[{ kind: "rejected", code: "withdrawn", permanent: false }, "queued"],
		];
		for (const [outcome, state] of outcomes) {
			const { message, ids } = await prepare();
			answers.set(ids[0] as string, outcome);
			await sender().send(job(message, 1, ids[0] as string), noControl);
			const after = await engine.read(message._id);
			assert.deepEqual([after.state, after.sendQueue], [state, ids[0]], JSON.stringify(outcome));
		}
		const { message, ids } = await prepare();
		answers.set(ids[0] as string, { kind: "throttled", retryAfterMs: limits.throttleBearableMs + 1 });
		await sender().send(job(message, 1, ids[0] as string), noControl);
		assert.equal((await engine.read(message._id)).sendQueue, ids[1]);
	});

	it("no sooner than the other queue's rate to its country allows: until then it waits there", async () => {
		const { message, ids } = await prepare([{ countryRates: { US: 1 } }]);
		const taken = await Promise.all(
			[1, 2, 3, 4].map(() =>
				engine.sendQueues.takeTurn([{ name: `queue:${ids[1]}:US`, segmentsPerSecond: 1 }], 1, 2_000),
			),
		);
		assert.ok(
			taken.some((turn) => !turn.taken),
			"its turns are used up",
		);
		await sender().send(job(message, 1, ids[0] as string), noControl);
		const moved = await engine.read(message._id);
		assert.equal(moved.sendQueue, ids[1]);
		assert.ok(moved.backlog?.startsWith(`${ids[1]}/`), moved.backlog);
		assert.equal((await engine.sendQueues.counts(ids[1] as string)).prioritized, 0);
	});

	it("after a carrier has throttled it as often as can be borne", async () => {
		const { message, ids } = await prepare();
		answers.set(ids[0] as string, { kind: "throttled", retryAfterMs: 1 });
		for (let attempt = 1; attempt <= limits.throttledBearableMax + 1; attempt++) {
			assert.equal((await engine.read(message._id)).sendQueue, ids[0]);
			await sender().send(job(message, attempt, ids[0] as string), noControl);
		}
		assert.equal((await engine.read(message._id)).sendQueue, ids[1]);
	});

	it("goes to no queue that routing or the policies refuse, keeps the sender that was asked for, and returns to none too soon", async () => {
		const refused = [{ countries: ["FR"] }, { paused: true }, { draining: true }, { categories: ["otp" as const] }];
		for (const other of refused) {
			const { message, ids } = await prepare([other]);
			await sender().send(job(message, 1, ids[0] as string), noControl);
			assert.equal((await engine.read(message._id)).sendQueue, ids[0], JSON.stringify(other));
		}
		const asking = await prepare([{ sender: "Else" }], { senderAsked: true });
		await sender().send(job(asking.message, 1, asking.ids[0] as string), noControl);
		assert.equal((await engine.read(asking.message._id)).sendQueue, asking.ids[0]);
		policy.refused = "carrier1";
		const { message, ids } = await prepare([{}, {}]);
		await sender().send(job(message, 1, ids[0] as string), noControl);
		policy.refused = undefined;
		assert.equal((await engine.read(message._id)).sendQueue, ids[2], "the policies judge the new route");
		await sender().send(job(message, 2, ids[2] as string), noControl);
		await sender().send(job(message, 3, ids[1] as string), noControl);
		const stays = await engine.read(message._id);
		assert.deepEqual(
			[stays.state, stays.sendQueue],
			["queued", ids[1]],
			"all have failed it by now: it waits where it is",
		);
		assert.ok((stays.notBefore ?? 0) > engine.clock() - 1_000);
	});

	it("charges what the other queue costs more, and goes to none that the budget has no room for", async () => {
		const budgets = { "*": { month: { cost: 3 } } };
		const { message, ids } = await prepare([{ prices: { "*": 9 } }, { prices: { "*": 2 } }], {}, { budgets });
		const charge = chargeOf(engine.clock(), 1, 1);
		const { spending } = engine.store;
		const counters = countersOf(charge, "US", budgets);
		assert.equal(await spending.take({ tenantId: message.tenantId, at: charge.at, counters }), undefined);
		await engine.store.messages.transition({ id: message._id, set: { charge } });
		await sender().send(job(message, 1, ids[0] as string), noControl);
		const moved = await engine.read(message._id);
		assert.deepEqual([moved.sendQueue, moved.charge?.costMicros], [ids[2], 2_000_000]);
		const spent = await spending.read(message.tenantId, charge.at);
		assert.deepEqual(spent.all?.month, { segments: 1, cost: 2_000_000 });
	});

	it("is charged for once, and as it is, when the store's answer to the change gets lost; unless nobody can tell", async () => {
		const budgets = { "*": { month: { cost: 10 } } };
		const lost = { written: 0, unwritten: 0 };
		const { transition } = engine.store.messages;
		const messages = {
			...engine.store.messages,
			transition: async (change: Parameters<typeof transition>[0]) => {
				const isMove = change.set?.sendQueue !== undefined;
				if (isMove && lost.unwritten-- > 0) throw new LetheError("store_unavailable");
				const answer = await transition(change);
				if (isMove && lost.written-- > 0) throw new LetheError("store_unavailable");
				return answer;
			},
		};
		const reroute = createReroute({ ...engine, store: { ...engine.store, messages }, rejudge: createRejudge(engine) });
		const cases = [
			{ why: "it was made", lost: { written: 1, unwritten: 0 }, queue: 1, spent: 2_000_000 },
			{ why: "it was not", lost: { written: 0, unwritten: 1 }, queue: 1, spent: 2_000_000 },
			{
				why: "and then another was first",
				lost: { written: 0, unwritten: 1 },
				claimed: true,
				queue: 0,
				spent: 1_000_000,
			},
			{ why: "the store stays away", lost: { written: 0, unwritten: 2 }, queue: 0, spent: 2_000_000 },
		];
		for (const { why, claimed, queue, spent, ...one } of cases) {
			const { message, ids } = await prepare([{ prices: { "*": 2 } }], {}, { budgets });
			const charge = chargeOf(engine.clock(), 1, 1);
			const taking = { tenantId: message.tenantId, at: charge.at, counters: countersOf(charge, "US", budgets) };
			assert.equal(await engine.store.spending.take(taking), undefined);
			await transition({ id: message._id, set: { charge } });
			const asked = divert({ ...message, charge }, engine.clock());
			if (claimed) await engine.store.messages.claim(job(message, 1, ids[0] as string));
			Object.assign(lost, one.lost);
			const moved = await reroute({ ...message, charge }, "circuit_open", asked).catch(() => undefined);
			assert.equal(moved?.sendQueue, queue === 1 ? ids[1] : undefined, why);
			const after = await engine.read(message._id);
			assert.equal(after.sendQueue, ids[queue], why);
			const { all } = await engine.store.spending.read(message.tenantId, charge.at);
			assert.equal(all?.month?.cost, spent, why);
			if (moved) assert.equal(after.charge?.costMicros, spent, why);
		}
	});

	it("a queue whose carrier is left alone hands its jobs on; of several hands one does it, and what is held or over stays", async () => {
		const { message, ids } = await prepare();
		const [first = "", other = ""] = ids;
		const { divert, send } = sender();
		answers.set(first, accepted);
		const racing = [
			divert(job(message, 1, first), "circuit_open"),
			sender().divert(job(message, 1, first), "circuit_open"),
			send(job(message, 1, first), noControl),
		];
		await Promise.all(racing);
		const { state, sendQueue, attempts, reroutes = [] } = await engine.read(message._id);
		if (state === "queued") assert.deepEqual([sendQueue, attempts.length, reroutes.length], [other, 0, 1]);
		else assert.deepEqual([state, sendQueue, attempts.length], ["submitted", first, 1], "sent, and moved nowhere");
		assert.equal(await divert(job(message, 1, first), "circuit_open"), true, "nothing is left to do");
		const held = await prepare([{}], { restrictedBy: ["hld_a"] });
		assert.equal(await divert(job(held.message, 1, held.ids[0] as string), "circuit_open"), false);
		const alone = await prepare([]);
		assert.equal(await divert(job(alone.message, 1, alone.ids[0] as string), "circuit_open"), false);
		const behind = await prepare();
		assert.equal(await divert(job(behind.message, 1, behind.ids[0] as string), "throttled"), true);
		const { reroutes: moves = [] } = await engine.read(behind.message._id);
		assert.deepEqual(
			moves.map(({ code }) => code),
			["throttled"],
		);
	});

	/** Has a message wait in the backlog of the queue that it is queued on, since then. */
	async function shelved({ message }: { message: Message }, since: number, more: Partial<Message> = {}) {
		await engine.store.messages.transition({ id: message._id, set: more });
		const backlog = backlogKey({ ...message, ...more }, since);
		assert.ok(await engine.store.messages.transition(shelve({ ...message, ...more }, backlog)));
		return engine.read(message._id);
	}
	const mover = (more: Partial<Parameters<typeof createMoveWaiting>[0]> = {}) => {
		const reroute = createReroute({ ...engine, rejudge: createRejudge(engine) });
		return createMoveWaiting({ ...engine, reroute, ...more });
	};

	it("empties a queue that is to be left: codes first, each in its place on the other, and what may go nowhere stays", async () => {
		const { message, ids } = await prepare([{}], { category: "marketing" });
		const [first = "", other = ""] = ids;
		const { tenantId } = message;
		const more = async (shape: Partial<Message>) => {
			const next = await engine.accept({ tenantId, sendQueue: first });
			await engine.store.messages.transition({ id: next._id, set: { senderId: "Lethe", ...shape } });
			assert.ok(await engine.store.messages.transition(enqueue({ ...next, ...shape }, engine.clock())));
			return { message: await engine.read(next._id) };
		};
		const waiting = await shelved({ message }, engine.clock() - 60_000);
		const held = await shelved(await more({ restrictedBy: ["hld_a"] }), engine.clock());
		const asking = await shelved(await more({ senderAsked: true, senderId: "Another" }), engine.clock());
		const code = await shelved(await more({ category: "otp" }), engine.clock());
		const claimed = await shelved(await more({}), engine.clock());
		await engine.store.messages.claim(job(claimed, 1, first));
		const order: string[] = [];
		const reroute = createReroute({ ...engine, rejudge: createRejudge(engine) });
		const moveWaiting = mover({
			reroute: async (...args) => {
				order.push(args[0]._id);
				return reroute(...args);
			},
		});
		assert.equal(await mover()("another", "queue_paused"), 0);
		assert.equal(await moveWaiting(first, "queue_paused"), 2);
		assert.equal(order[0], code._id);
		for (const one of [waiting, code]) {
			const moved = await engine.read(one._id);
			assert.deepEqual([moved.state, moved.sendQueue, moved.nextCheckAt], ["queued", other, one.deadlineAt]);
			assert.equal(moved.backlog, one.backlog?.replace(first, other), "it has waited as long as before");
			assert.deepEqual(
				moved.reroutes?.map((each) => each.code),
				["queue_paused"],
			);
		}
		for (const one of [held, asking]) assert.equal((await engine.read(one._id)).sendQueue, first);
		assert.equal((await engine.read(claimed._id)).state, "sending");
		assert.equal(await mover()(first, "queue_paused"), 0, "another sender does not do the same");
		assert.equal(await moveWaiting(first, "queue_paused"), 0);
	});

	it("is driven by the senders: a queue that its operator leaves or whose carrier fails is emptied, one that only pauses is not", async () => {
		const left = await prepare([{}]);
		const still = await prepare([{}]);
		const failing = await prepare([{}]);
		const drained = await prepare([{}]);
		const all = [left, still, failing, drained];
		for (const one of all) await shelved(one, engine.clock());
		const firstOf = ({ ids }: { ids: string[] }) => ids[0] ?? "";
		await engine.store.sendQueues.setFlow(firstOf(left), { paused: true, draining: false, moveWaiting: true });
		await engine.store.sendQueues.setFlow(firstOf(still), { paused: true, draining: false });
		await engine.store.sendQueues.setFlow(firstOf(drained), { paused: false, draining: true, moveWaiting: true });
		const queuesOf = () => Promise.all(all.map(async ({ message }) => (await engine.read(message._id)).sendQueue));
		const feeder = createFeeder({
			store: engine.store,
			feed: async () => ({ added: 0, waits: true }),
			moveWaiting: mover(),
			areIll: async () => new Set([firstOf(failing), firstOf(still)]),
			onError: (error) => assert.fail(error),
		});
		feeder.start();
		const expected = [left.ids[1], still.ids[0], failing.ids[1], drained.ids[1]];
		await until(async () => (await queuesOf()).filter((name, at) => name === expected[at]).length === all.length);
		await feeder.close();
		const codes = await Promise.all(
			all.map(async ({ message }) => (await engine.read(message._id)).reroutes?.[0]?.code),
		);
		assert.deepEqual(codes, ["queue_paused", undefined, "carrier_failing", "queue_draining"]);
	});
});
