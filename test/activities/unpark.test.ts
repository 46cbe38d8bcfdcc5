// Receipts that came before their message was known: whoever was to apply them may die, the receipts are applied.

import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { createRejudge } from "../../activities/rejudge.ts";
import { createReroute } from "../../activities/reroute.ts";
import { createSend } from "../../activities/send.ts";
import { createTenancy } from "../../activities/tenancy.ts";
import { createUnpark } from "../../activities/unpark.ts";
import type { CarrierEvent } from "../../adapters/carriers/carrier.ts";
import type { ParkedReceipt } from "../../adapters/mongo/models.ts";
import { createReceive } from "../../api/receive.ts";
import { parkingTenant } from "../../domain/ids.ts";
import { limits } from "../../domain/limits.ts";
import { Plaintext } from "../../domain/plaintext.ts";
import { enqueue } from "../../domain/transition.ts";
import { createEngine, type Engine, until } from "../harness/engine.ts";

describe("a parked receipt", () => {
	let engine: Engine;
	before(async () => {
		engine = await createEngine({ worker: false, sender: false });
	});
	after(() => engine.close());
	let carrierId: string;
	beforeEach(() => {
		carrierId = `c-${engine.ids.random("reference")}`;
	});

	const eventOf = (more: Partial<CarrierEvent> = {}): CarrierEvent => ({
		eventId: engine.ids.random("receipt"),
		carrierId,
		state: "delivered",
		at: engine.clock(),
		...more,
	});
	const park = async (event: CarrierEvent, sendQueue = "queue") =>
		assert.equal(await createReceive(engine)(sendQueue, event, false), "parked");
	const parked = (sendQueue = "queue") => engine.store.parkedReceipts.findByCarrierId(sendQueue, carrierId);
	const sweepAfter = async (ms: number) => {
		engine.time.offsetMs += ms;
		await engine.activities.sweepPage();
	};
	/** Sends a message; its sender stores the carrier's answer and is gone before it looks for what is parked. */
	async function submitAndDie(beforeAnswer: () => Promise<void>, partIds?: string[]) {
		const message = await engine.accept();
		await engine.store.messages.transition(enqueue(message, engine.clock()));
		const send = async () => {
			await beforeAnswer();
			return { kind: "accepted", carrierId, segments: 1, ...(partIds && { partIds }) } as const;
		};
		const carriers = { sender: async () => ({ ...engine.carrier, send }) };
		const dead = new Promise<never>(() => undefined);
		const sender = createSend({
			...engine,
			carriers,
			unpark: () => dead,
			rejudge: createRejudge(engine),
			tenancy: createTenancy(engine),
			reroute: createReroute({ ...engine, rejudge: createRejudge(engine) }),
		});
		void sender({ messageId: message._id, attempt: 1, sendQueue: "queue" }, { holdBack: async () => undefined });
		await until(async () => (await engine.read(message._id)).state === "submitted");
		return message;
	}

	it("ends its message though the sender died between storing the carrier's id and looking for it", async () => {
		const message = await submitAndDie(() => park(eventOf()));
		const { nextCheckAt = 0 } = await engine.read(message._id);
		assert.ok(nextCheckAt > engine.clock() + limits.driverPatienceMs, "nothing else looks at it before");
		await sweepAfter(limits.driverPatienceMs + 1);
		const ended = await engine.read(message._id);
		assert.equal(ended.state, "delivered");
		assert.deepEqual(
			ended.receipts.map(({ effect }) => effect),
			["applied"],
		);
		assert.equal(ended.content, undefined);
		assert.deepEqual(await parked(), []);
	});

	it("of each of many parts is applied in one turn, though all wait", async () => {
		const partIds = [carrierId, ...Array.from({ length: 23 }, (_, index) => `${carrierId}-${index}`)];
		const events = partIds.map((part) => eventOf({ carrierId: part }));
		const message = await submitAndDie(
			async () => void (await Promise.all(events.map((event) => park(event)))),
			partIds,
		);
		const warned = engine.warnings.length;
		await sweepAfter(limits.driverPatienceMs + 1);
		assert.equal((await engine.read(message._id)).state, "delivered");
		assert.equal(engine.warnings.length, warned);
	});

	it("is its sender's while that is alive: no sweep takes it at once", async () => {
		const message = await submitAndDie(() => park(eventOf()));
		await sweepAfter(0);
		assert.equal((await engine.read(message._id)).state, "submitted");
		await createUnpark(engine)(message._id, "queue", carrierId);
		assert.equal((await engine.read(message._id)).state, "delivered");
	});

	it("comes before the end of its message's time, when both are due at once", async () => {
		const message = await submitAndDie(() => park(eventOf()));
		await sweepAfter(message.closeAt - engine.clock() + 1);
		const ended = await engine.read(message._id);
		assert.ok(!ended.evidence.some(({ type }) => type === "unknown"), "it was never said to be unknown");
		assert.equal(ended.state, "delivered");
	});

	it("is its message's though the clock of the API that parked it is two minutes behind", async () => {
		const message = await submitAndDie(async () => {
			engine.time.offsetMs -= 120_000;
			await park(eventOf());
			engine.time.offsetMs += 120_000;
		});
		await sweepAfter(limits.driverPatienceMs + 1);
		assert.equal((await engine.read(message._id)).state, "delivered");
		assert.deepEqual(await parked(), []);
	});

	it("of the same carrier id on another send queue is not its message's", async () => {
		const message = await submitAndDie(() => park(eventOf(), "elsewhere"));
		await sweepAfter(limits.driverPatienceMs + 1);
		assert.equal((await engine.read(message._id)).state, "submitted");
		assert.equal((await parked("elsewhere")).length, 1);
	});

	it("of an id that its carrier gave before is not the message's that has it now", async () => {
		await park(eventOf());
		engine.time.offsetMs += limits.callbackFreshnessMs + 1_000;
		const message = await submitAndDie(async () => undefined);
		await sweepAfter(limits.driverPatienceMs + 1);
		await createUnpark(engine)(message._id, "queue", carrierId);
		assert.equal((await engine.read(message._id)).state, "submitted");
		assert.equal((await parked()).length, 1);
	});

	it("of no known message is looked at ever more rarely, and is erased in its time", async () => {
		await park(eventOf());
		const waits: number[] = [];
		for (let round = 0; round < 4; round++) {
			const [before] = (await parked()) as [ParkedReceipt];
			await sweepAfter(before.nextCheckAt - engine.clock() + 1);
			const [later] = (await parked()) as [ParkedReceipt];
			waits.push(later.nextCheckAt - engine.clock());
		}
		for (const [index, wait] of waits.entries()) {
			assert.ok(wait >= (waits[index - 1] ?? limits.driverPatienceMs / 2) * 1.9, `${waits}`);
		}
		await sweepAfter(limits.parkedReceiptMs);
		assert.deepEqual(await parked(), []);
	});

	it("that can't be read keeps no other from its message", async () => {
		const message = await submitAndDie(async () => {
			// Bound to another id: nothing opens it.
			const place = { tenantId: parkingTenant, region: "ZZ", retentionClass: "parked/PT72H" };
			const cohortId = await engine.cohorts.ensure({ ...place, dueAt: engine.clock() + limits.parkedReceiptMs });
			const [id, plaintext] = [engine.ids.random("receipt"), Plaintext.text(JSON.stringify(eventOf()))];
			const object = { tenantId: parkingTenant, messageId: "another", object: "receipt", cohortId, plaintext } as const;
			const sealed = await engine.encryption.encrypt(object);
			const now = engine.clock();
			const times = { parkedAt: now, nextCheckAt: now, eraseBy: now + limits.parkedReceiptMs };
			await engine.store.parkedReceipts.park({ _id: id, sendQueue: "queue", carrierId, sealed, ...times });
			await park(eventOf());
		});
		const warned = engine.warnings.length;
		await sweepAfter(limits.driverPatienceMs + 1);
		assert.equal((await engine.read(message._id)).state, "delivered");
		assert.equal((await parked()).length, 1, "and stays itself");
		assert.equal(engine.warnings.length, warned + 1, "and is told of");
	});
});
