// What a proposal would do to stored messages: counted page by page, once each, with examples, and nothing is changed.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { createSimulate } from "../../activities/simulate.ts";
import { limits } from "../../domain/limits.ts";
import type { Message } from "../../domain/message.ts";
import type { Proposal } from "../../domain/proposal.ts";
import { draftChange } from "../../policies/change.ts";
import { planRetention } from "../../policies/cohorts.ts";
import type { Policies } from "../../policies/index.ts";
import { createPublish } from "../../policies/publish.ts";
import { type Engine, until } from "../harness/engine.ts";
import { messageOf } from "../harness/message.ts";
import { editedText, shorter } from "../harness/policies.ts";
import { spoilArchive } from "../harness/spoilArchive.ts";
import { createStoredPolicies } from "../harness/storedPolicies.ts";

const day = 24 * 3600_000;
const hour = 3600_000;
const needs = { content: "P30D", address: "P30D" };

describe("simulation", () => {
	let engine: Engine;
	let policies: Policies;
	let tenantId: string;
	before(start);
	after(() => engine.close());

	async function start(): Promise<void> {
		({ engine, policies, tenantId } = await createStoredPolicies(needs));
	}

	/** A message as it was stored some time ago; nothing of it needs to be opened. */
	function stored(agoMs: number, shape: Partial<Message> = {}, more: object = {}): Message {
		const acceptedAt = engine.clock() - agoMs;
		const evaluatedAt = new Date(acceptedAt).toISOString();
		const context = { event: "send", lawfulBasis: "contract", evaluatedAt };
		const place = { recipientCountry: "DE", timezone: "Europe/Berlin", category: "transactional" };
		const facts = { ...place, dataClasses: ["contact"], context, ...more } as unknown as Message["facts"];
		const message: Message = {
			...messageOf({ id: engine.ids.random("message"), submissionId: engine.ids.random("submission"), tenantId }),
			facts,
			decision: policies.evaluate(facts),
			state: "delivered",
			acceptedAt,
			deadlineAt: acceptedAt + hour,
			closeAt: acceptedAt + 2 * hour,
			...shape,
		};
		const plan = planRetention(policies.retentionPlan(facts), needs, message);
		assert.ok(plan);
		message.retention = Object.fromEntries(
			Object.entries(plan).map(([object, { eraseBy, atFinal }]) => [object, { eraseBy, atFinal }]),
		);
		return message;
	}

	const storeAll = (messages: Message[]) =>
		Promise.all(messages.map((message) => engine.store.messages.insert(message)));
	const publish = () => createPublish({ ...engine, policies, runs: { simulateSoon: () => undefined } });

	/** A checked proposal whose simulation has begun. */
	async function begun(draft: { pack: string; changes: typeof shorter } | { text: string }): Promise<string> {
		const { propose, check, simulate } = publish();
		const { _id } = await propose({ by: "key_a", why: "A test", ...draft });
		await check(_id, "key_a");
		await simulate(_id, "key_a");
		return _id;
	}

	async function simulated(id: string): Promise<NonNullable<Proposal["simulation"]>> {
		await engine.activities.simulatePages(id);
		const proposal = await publish().read(id);
		assert.equal(proposal.state, "simulated");
		return proposal.simulation as NonNullable<Proposal["simulation"]>;
	}

	it("counts what would purge sooner, what a hold keeps and what is due at once, with examples, and changes nothing", async () => {
		const old = Array.from({ length: 12 }, () => stored(10 * day));
		const held = Array.from({ length: 9 }, () => stored(10 * day, { holds: ["hold_a"] }));
		const young = Array.from({ length: 7 }, () => stored(hour * 3));
		const gone = Array.from({ length: 5 }, () => {
			const { content, address, ...rest } = stored(10 * day);
			return rest as Message;
		});
		await storeAll([...old, ...held, ...young, ...gone]);
		const before = await engine.read(old[0]?._id as string);
		const { counts, samples, total } = await simulated(await begun({ pack: "defaults", changes: shorter }));
		assert.deepEqual(counts, { messages: 33, purge_sooner: 19, due_at_once: 12, blocked_by_hold: 9, unchanged: 5 });
		assert.equal(total, 33);
		const ids = (list: Message[]) => new Set(list.map(({ _id }) => _id));
		assert.equal(samples.blocked_by_hold?.length, limits.policySamplesMax);
		assert.ok(samples.blocked_by_hold?.every((id) => ids(held).has(id)));
		assert.ok(samples.due_at_once?.every((id) => ids(old).has(id)));
		assert.deepEqual(await engine.read(old[0]?._id as string), before);
	});

	it("counts what would have been denied, deferred or sent another way, and what waits and would be stopped", async () => {
		await engine.close();
		await start();
		const waiting = { state: "accepted", deadlineAt: engine.clock() + day, closeAt: engine.clock() + 2 * day } as const;
		await storeAll([
			...Array.from({ length: 4 }, () => stored(day)),
			...Array.from({ length: 3 }, () => stored(day, {}, { dataClasses: ["order"] })),
			...Array.from({ length: 2 }, () => stored(hour, waiting)),
		]);
		const rule = { basis: "default", citations: ["A test"], verifiedOn: "2026-11-24", confidence: "high" };
		const simulate = async (...rules: object[]) => {
			const text = editedText("de", "1.9.0", (document) =>
				document.rules.push(...rules.map((one, index) => ({ id: `de.new-${index}`, ...rule, ...one }))),
			);
			return (await simulated(await begun({ text }))).counts;
		};
		const denied = await simulate({ deny: ["PROCESSING_RESTRICTED"], when: { dataClasses: "contact" } });
		assert.deepEqual([denied.newly_denied, denied.stopped_before_sending, denied.unchanged], [6, 2, 3]);
		const link = await simulate({
			delivery: { mode: "secure_link", reason: "SPECIAL_CATEGORY_SECURE_LINK" },
			when: { dataClasses: "order" },
		});
		assert.deepEqual([link.delivery_mode_changed, link.unchanged], [3, 6]);
		const minute = new Date(engine.clock() + 2 * 60_000).toISOString().slice(11, 16);
		const open = [{ days: ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], start: "00:00", end: "00:01" }];
		const deferred = await simulate({ window: { open }, when: { category: "transactional" } });
		assert.ok((deferred.deferred_longer ?? 0) >= 7, `${minute}: ${JSON.stringify(deferred)}`);
	});

	it("a worker that dies between two pages, and two workers at once, count each message once", async () => {
		await engine.close();
		await start();
		const messages = Array.from({ length: limits.policyPageItems * 2 + 50 }, (_, index) =>
			stored((index % 25) * day + 3 * hour),
		);
		await storeAll(messages);
		const id = await begun({ pack: "defaults", changes: shorter });
		let pages = 0;
		const dying = createSimulate({
			...engine,
			policies,
			store: {
				...engine.store,
				messageScan: {
					...engine.store.messageScan,
					async scan(...given) {
						if (++pages > 1) throw new Error("died");
						return engine.store.messageScan.scan(...given);
					},
				},
			},
		});
		await assert.rejects(dying.simulatePages(id), /died/);
		assert.equal((await publish().read(id)).simulation?.counts.messages, limits.policyPageItems);
		await Promise.all([engine.activities.simulatePages(id), engine.activities.simulatePages(id)]);
		assert.equal((await publish().read(id)).simulation?.counts.messages, messages.length);
	});

	it("the workflow does it, and the sweep starts it when nobody else has", async () => {
		const id = await begun({ pack: "defaults", changes: shorter });
		engine.time.offsetMs += limits.driverPatienceMs;
		await engine.activities.sweepPage();
		await until(async () => (await publish().read(id)).state === "simulated");
		assert.equal((await publish().read(id)).nextCheckAt, undefined);
	});

	it("a simulation begun anew starts from nothing, and the one before it adds no more to it", async () => {
		const id = await begun({ pack: "defaults", changes: shorter });
		const stale = await publish().read(id);
		await publish().simulate(id, "key_b");
		const change = { where: { "simulation.id": stale.simulation?.id }, set: { "simulation.counts": { messages: 1 } } };
		assert.equal(await engine.store.proposals.change(id, change), false);
		const { by, counts } = await simulated(id);
		assert.deepEqual([by, counts.messages], ["key_b", limits.policyPageItems * 2 + 50]);
	});

	it("a message that can't be judged is counted as that, and stops nothing", async () => {
		const broken = { ...stored(day), facts: { context: { evaluatedAt: "yesterday" } } as Message["facts"] };
		await engine.store.messages.insert(broken);
		const unread = stored(day);
		await storeAll([unread]);
		await spoilArchive(engine.connection, unread);
		const { samples, counts } = await simulated(
			await begun({
				text: draftChange(
					editedText("otp", "1.9.0", () => undefined),
					{ version: "1.9.0", effectiveFrom: "2026-11-24T00:00:00Z" },
					[],
				),
			}),
		);
		assert.deepEqual([counts.unjudged, samples.unjudged], [2, [broken._id, unread._id].toSorted()]);
	});
});
