// A proposal against a great many stored messages: each counted once and as what it is, in memory that does not grow with them, at a rate at which a million takes minutes.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, describe, it } from "node:test";
import { createSimulate } from "../../activities/simulate.ts";
import { deriveId } from "../../adapters/deriveId.ts";
import { connectMongo, type MongoConnection } from "../../adapters/mongo/connection.ts";
import { createStore, type Store } from "../../adapters/mongo/store.ts";
import { formatId, type IdKind } from "../../domain/ids.ts";
import type { Message } from "../../domain/message.ts";
import { planRetention } from "../../policies/cohorts.ts";
import type { Policies } from "../../policies/index.ts";
import { createPublish } from "../../policies/publish.ts";
import { messageOf } from "../harness/message.ts";
import { openStored, shorter } from "../harness/policies.ts";

const messageCount = 50_000;
const insertItems = 1_000;
const day = 24 * 3600_000;
const hour = 3600_000;
const needs = { content: "P30D", address: "P30D" };
// A million in about an hour, also on the slowest store beside other work; what it really was is printed.
const ratePerSecondMin = 250;
const growthBytesMax = 400e6;

const places = [
	{ recipientCountry: "DE", timezone: "Europe/Berlin", category: "transactional" },
	{ recipientCountry: "FR", timezone: "Europe/Paris", category: "transactional" },
	{ recipientCountry: "US", recipientRegion: "US-OH", timezone: "America/New_York", category: "transactional" },
	{ recipientCountry: "GB", timezone: "Europe/London", category: "transactional" },
] as const;

describe("a simulation over many messages", () => {
	const ids = {
		random: (kind: IdKind) => formatId(kind, randomBytes(16)),
		derive: deriveId,
	};
	const clock = () => Date.now();
	const tenantId = ids.random("tenant");
	let connection: MongoConnection;
	let store: Store;
	let policies: Policies;
	before(async () => {
		const database = `t${randomBytes(6).toString("hex")}`;
		connection = await connectMongo({ url: process.env.MONGODB_URL as string, database });
		store = createStore(connection, { clock, randomToken: () => randomBytes(9).toString("base64url") });
		await store.prepare();
		policies = openStored(store);
		await policies.refresh();
		const tenant = { name: "Many", establishment: "DE", destinations: ["*"], sendQueues: ["queue"], createdAt: 0 };
		await store.tenants.put({ _id: tenantId, retention: needs, ...tenant });
	});
	after(async () => {
		await connection.dropDatabase();
		await connection.close();
	});

	/** Of ten messages one is held, and of two nothing encrypted is left. */
	function stored(index: number): Message {
		const acceptedAt = clock() - 3 * hour - (index % 29) * day;
		const context = { event: "send", lawfulBasis: "contract", evaluatedAt: new Date(acceptedAt).toISOString() };
		const facts = {
			...places[index % places.length],
			dataClasses: ["contact"],
			context,
		} as unknown as Message["facts"];
		const times = { acceptedAt, deadlineAt: acceptedAt + hour, closeAt: acceptedAt + 2 * hour };
		const plan = planRetention(policies.retentionPlan(facts), needs, times);
		assert.ok(plan);
		const { content, address, ...rest } = messageOf({ id: ids.random("message"), tenantId, state: "delivered" });
		const message = { ...rest, ...times, facts, decision: policies.evaluate(facts) };
		message.retention = Object.fromEntries(
			Object.entries(plan).map(([object, { eraseBy, atFinal }]) => [object, { eraseBy, atFinal }]),
		);
		if (index % 10 === 7) message.holds = ["hold_a"];
		return index % 5 === 1 ? message : { ...message, content, address };
	}

	async function storeAll(): Promise<void> {
		const collection = connection.collection<Message>("messages");
		for (let start = 0; start < messageCount; start += insertItems) {
			const page = Array.from({ length: insertItems }, (_, offset) => stored(start + offset));
			await collection.insertMany(page as never, { ordered: false });
		}
	}

	it(`${messageCount} messages: every one is counted once, and as what it is`, {
		timeout: 280_000,
	}, async (context) => {
		await storeAll();
		const publish = createPublish({ clock, ids, policies, store, runs: { simulateSoon: () => undefined } });
		const { _id } = await publish.propose({ by: "key_a", why: "A week", pack: "defaults", changes: shorter });
		await publish.check(_id, "key_a");
		await publish.simulate(_id, "key_a");
		const { rss } = process.memoryUsage();
		const startedAt = performance.now();
		let percent = 0;
		for (let moreDue = true; moreDue; ) {
			// Whoever goes on knows nothing but what is stored.
			const { simulatePages } = createSimulate({ clock, monotonic: () => performance.now(), policies, store });
			const step = await simulatePages(_id);
			assert.ok(step.percent >= percent, "it only moves forward");
			({ moreDue, percent } = step);
		}
		const seconds = (performance.now() - startedAt) / 1_000;
		const growth = process.memoryUsage().rss - rss;
		const { state, simulation } = await publish.read(_id);
		assert.equal(state, "simulated");
		const { due_at_once, ...counts } = simulation?.counts ?? {};
		assert.deepEqual(counts, {
			messages: messageCount,
			purge_sooner: messageCount * 0.7,
			blocked_by_hold: messageCount * 0.1,
			unchanged: messageCount * 0.2,
		});
		assert.ok((due_at_once ?? 0) > messageCount * 0.4 && (due_at_once ?? 0) < messageCount * 0.6, `${due_at_once}`);
		const rate = messageCount / seconds;
		context.diagnostic(
			`simulated ${Math.round(rate)} messages/s; a million in ${(1e6 / rate / 60).toFixed(1)} minutes`,
		);
		assert.ok(rate >= ratePerSecondMin, `${rate} messages/s`);
		assert.ok(growth < growthBytesMax, `${growth} bytes`);
	});
});
