// Policies that come into force apply to what is stored: what is due goes, what is held stays, and nothing is done twice.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { createRejudge } from "../../activities/rejudge.ts";
import { createRetime } from "../../activities/retime.ts";
import type { Certificate } from "../../audit/certificate.ts";
import { LetheError } from "../../domain/errors.ts";
import { isFinal } from "../../domain/lifecycle.ts";
import { limits } from "../../domain/limits.ts";
import type { Message } from "../../domain/message.ts";
import { Plaintext } from "../../domain/plaintext.ts";
import { addDuration, planRetention } from "../../policies/cohorts.ts";
import { explain } from "../../policies/explain.ts";
import type { Policies } from "../../policies/index.ts";
import { nextVersion } from "../../policies/published.ts";
import { createEngine, type Engine, until } from "../harness/engine.ts";
import { messageOf } from "../harness/message.ts";
import { editedText, openStored, publishChange, shippedVersion, shorter } from "../harness/policies.ts";
import { placeTenantHold } from "../harness/records.ts";

const day = 24 * 3600_000;
const hour = 3600_000;
const changed = nextVersion(shippedVersion("defaults"));
const needs = { content: "P30D", address: "P30D" };

describe("re-timing", () => {
	let engine: Engine;
	let policies: Policies;
	let tenantId: string;
	before(() => start());
	after(() => engine.close());

	async function restart(needed: object = needs): Promise<void> {
		await engine.close();
		await start(needed);
	}

	async function start(needed: object = needs): Promise<void> {
		engine = await createEngine({
			sender: false,
			policies: (store) => {
				policies = openStored(store);
				return policies;
			},
		});
		await policies.refresh();
		tenantId = engine.ids.random("tenant");
		await engine.store.tenants.put({
			_id: tenantId,
			name: "Test",
			establishment: "DE",
			destinations: ["*"],
			sendQueues: ["queue"],
			retention: needed,
			createdAt: 0,
		});
	}

	/** A message as the API stored it some time ago, under the policies of then. */
	async function stored(agoMs: number, shape: Partial<Message> = {}): Promise<Message> {
		const acceptedAt = engine.clock() - agoMs;
		const facts = {
			recipientCountry: "DE",
			senderEstablishment: "DE",
			category: "transactional",
			dataClasses: ["contact"],
			context: { event: "send", lawfulBasis: "contract", evaluatedAt: new Date(acceptedAt).toISOString() },
		} as const;
		const message: Message = {
			...messageOf({ id: engine.ids.random("message"), submissionId: engine.ids.random("submission"), tenantId }),
			country: "DE",
			region: "DE",
			facts: facts as unknown as Message["facts"],
			decision: policies.evaluate(facts as never),
			state: "delivered",
			acceptedAt,
			deadlineAt: acceptedAt + hour,
			closeAt: acceptedAt + 2 * hour,
			...shape,
		};
		const needed = (await engine.store.tenants.find(tenantId))?.retention ?? {};
		const plan = planRetention(policies.retentionPlan(message.facts), needed, message);
		assert.ok(plan);
		message.retention = {};
		for (const [object, { eraseBy, atFinal, dueAt, retentionClass }] of Object.entries(plan)) {
			const record: NonNullable<Message["retention"]["content"]> = { eraseBy, atFinal };
			message.retention[object as "content"] = record;
			if (object !== "content" && object !== "address") continue;
			const place = { tenantId, region: "DE", retentionClass, dueAt };
			record.cohortId = await engine.cohorts.ensure(place);
			message[object] = await engine.encryption.encrypt({
				...{ tenantId, messageId: message._id, object, cohortId: record.cohortId },
				plaintext: Plaintext.text(`${object} of ${message._id}`),
			});
		}
		return message;
	}

	async function storeAll(messages: Message[]): Promise<Message[]> {
		await Promise.all(messages.map((message) => engine.store.messages.insert(message)));
		return messages;
	}

	/** Publishes and lets the time pass after which it is in force. */
	async function publishShorter(changes = shorter) {
		const proposal = await publishChange({ ...engine, policies }, { pack: "defaults", changes });
		engine.time.offsetMs += limits.policyNoticeMs + 1_000;
		return proposal;
	}

	async function runPassAfterNotice(): Promise<void> {
		engine.time.offsetMs += limits.policyNoticeMs + 1_000;
		await runPass();
	}

	async function runPass(): Promise<void> {
		await engine.activities.sweepPage();
		await until(async () => (await engine.store.retimings.latest())?.state === "done", 120_000);
	}

	async function readAll(messages: Message[]): Promise<Message[]> {
		return (await Promise.all(messages.map(({ _id }) => engine.read(_id)))).filter(Boolean);
	}

	// What was stored before a published version of another pack came into force is re-timed by that one too.
	const versionOf = ({ decision }: Message) => decision.packs.find(({ id }) => id === "defaults")?.version;
	const retimed = (message: Message) =>
		message.evidence.filter(
			({ type, code }) => type === "retimed" && code === `defaults@${versionOf(message)}:to:${changed}`,
		);
	const cohortOf = (message: Message) => engine.store.cohorts.find(message.content?.cohortId as string);

	/** Lets time pass until the sweep has brought something about. */
	async function sweepUntil(condition: () => Promise<unknown>): Promise<void> {
		const end = Date.now() + 60_000;
		for (let round = 0; !(await condition()); round++) {
			assert.ok(Date.now() < end, `in vain: ${condition}`);
			// A slow machine needs more rounds, not a later day.
			if (round < 10) engine.time.offsetMs += 120_000;
			await engine.activities.sweepPage();
			await new Promise((resolve) => setTimeout(resolve, 50));
		}
	}

	function expectedEnd({ acceptedAt }: Message, days: number): number {
		return Math.floor((acceptedAt + days * day) / day) * day;
	}

	async function opens(message: Message, object: "content" | "address"): Promise<boolean> {
		const sealed = message[object];
		if (!sealed) return false;
		const place = { tenantId, messageId: message._id, object };
		const plaintext = await engine.encryption.decrypt({ ...place, sealed }).catch(() => undefined);
		return plaintext?.reveal() === `${object} of ${message._id}`;
	}

	it("30 days made 7: of 2,000 messages exactly those that are due go, with holds kept", async () => {
		// Every half hour or so over the last 29 days, so that some stand on either side of every boundary.
		const all = await Promise.all(
			Array.from({ length: 2_000 }, (_, index) => {
				const agoMs = 3 * hour + (index * (29 * day - 3 * hour)) / 2_000;
				return stored(agoMs, index % 40 === 7 ? { holds: ["hold_a"] } : {});
			}),
		);
		await storeAll(all);
		await publishShorter();
		await runPass();
		const now = engine.clock();
		const isOld = ({ acceptedAt }: Message) => acceptedAt + 7 * day <= now;
		const found = await readAll(all);
		assert.equal(found.length, 2_000);
		for (const message of found) {
			const latest = addDuration(message.acceptedAt, "P7D");
			const { content, address } = message.retention;
			assert.ok(
				(content?.eraseBy ?? Infinity) <= latest && (address?.eraseBy ?? Infinity) <= latest,
				"the new maximum",
			);
			// A bucket ends up to a day before the maximum; what is due is what the plan says, and nothing later than that.
			const due = (content?.eraseBy ?? 0) <= now;
			if (isOld(message)) assert.ok(due, "what is older than seven days is due");
			const kept = message.holds.length > 0 || !due;
			assert.equal(message.content !== undefined, kept, `${(now - message.acceptedAt) / day} days old`);
			assert.equal(await opens(message, "content"), kept);
			assert.equal(await opens(message, "address"), kept);
			assert.deepEqual(
				message.retimings?.map(({ from, packs }) => [from, packs].map((of) => of.find(({ id }) => id === "defaults"))),
				[
					[
						{ id: "defaults", version: versionOf(message) },
						{ id: "defaults", version: changed },
					],
				],
			);
			assert.equal(retimed(message).length, 1);
			if (!kept) assert.ok(content?.verifiedAt, "read back and certified");
			assert.ok(explain(message, policies).replay.agrees, "every decision replays");
		}
		const counts = (await engine.store.retimings.latest())?.counts;
		const gone = found.filter(({ content }) => !content).length;
		assert.ok(gone > 1_400 && gone < 1_700, `${gone}`);
		assert.equal(counts?.messages, 2_000);
		assert.equal(counts?.purged, gone);
		assert.equal(counts?.blocked_by_hold, 50);
		assert.equal(counts?.failed, undefined);
	});

	it("what is not due yet is wrapped anew for the cohort of its new date, and goes with that", async () => {
		await restart();
		const [young] = (await storeAll([await stored(2 * day)])) as [Message];
		await publishShorter();
		await runPass();
		const moved = await engine.read(young._id);
		assert.notEqual(moved.content?.cohortId, young.content?.cohortId);
		assert.notEqual(moved.content?.wrappingKeyId, young.content?.wrappingKeyId);
		assert.deepEqual(moved.content?.ciphertext, young.content?.ciphertext, "only the data key is wrapped anew");
		assert.ok(await opens(moved, "content"));
		const cohort = await engine.store.cohorts.find(moved.content?.cohortId as string);
		assert.equal(cohort?.dueAt, moved.retention.content?.eraseBy);
		assert.ok((cohort?.dueAt ?? Infinity) <= young.acceptedAt + 7 * day);
		assert.equal(cohort?.retentionClass, "content/P7D");
		engine.time.offsetMs += 5 * day;
		await sweepUntil(async () => (await engine.read(young._id)).content === undefined);
		await sweepUntil(async () => (await cohortOf(moved))?.state === "destroyed");
	});

	it("what was moved is certified by the end of the key that it had before, while a copy of then needs that one", async () => {
		await restart();
		const [young, stays] = [await stored(2 * day), await stored(2 * day)];
		await storeAll([young]);
		await publishShorter();
		await runPass();
		// One that joins the former cohort only now keeps its key to its own time.
		await storeAll([stays]);
		const moved = await engine.read(young._id);
		const former = young.content?.cohortId as string;
		assert.equal(stays.content?.cohortId, former);
		assert.deepEqual(moved.retention.content?.formerCohorts, [former]);
		engine.time.offsetMs += 5 * day;
		const about = moved.content?.cohortId as string;
		await sweepUntil(async () => (await engine.store.cohorts.find(about))?.state === "destroyed");
		const kept = await engine.store.certificates.page(tenantId, about, 10);
		const payloads = kept.map(
			({ jws }): Certificate => JSON.parse(Buffer.from(jws.split(".")[1] as string, "base64url").toString()),
		);
		const page = payloads.find(({ objects }) => objects[0]?.object === "content");
		const key = page?.copies.find(({ copy }) => copy === "vault cohort key");
		const { dueAt } = (await engine.store.cohorts.find(former)) ?? {};
		assert.deepEqual([key?.status, key?.endsAt], ["planned", new Date(dueAt ?? 0).toISOString()]);
	});

	it("a cohort that all have left is destroyed once the last of them is due, long before its own time", async () => {
		await restart();
		const [old, young] = (await storeAll([await stored(20 * day), await stored(2 * day)])) as [Message, Message];
		await publishShorter();
		await runPass();
		assert.equal((await engine.read(old._id)).content, undefined);
		const due = { old: await cohortOf(old), young: await cohortOf(young) };
		assert.ok((due.old?.dueAt ?? 0) > engine.clock() + day);
		await sweepUntil(async () => (await cohortOf(old))?.state === "destroyed");
		assert.ok(!(await engine.memory.cohortKeys.exists(old.content?.cohortId as string)));
		assert.equal(await opens(old, "content"), false, "the document of before, put back, opens no more");
		const certificates = await engine.store.certificates.page(old.tenantId, old.content?.cohortId as string, 10);
		assert.ok(certificates.length >= 2);
		// The other one left as well, but what it was moved to lives on: a backup of before must stay readable until then.
		assert.equal((await cohortOf(young))?.state, "open");
		engine.time.offsetMs += 5 * day;
		await sweepUntil(async () => (await cohortOf(young))?.state === "destroyed");
		assert.ok((due.young?.dueAt ?? 0) > engine.clock() + day);
	});

	it("a cohort in which a message stays is not destroyed early", async () => {
		await restart();
		const tied = { holds: ["hold_a"] };
		const [gone, held] = (await storeAll([await stored(20 * day), await stored(20 * day, tied)])) as [Message, Message];
		assert.equal(gone.content?.cohortId, held.content?.cohortId);
		await publishShorter();
		await runPass();
		for (let round = 0; round < 20; round++) {
			engine.time.offsetMs += 2 * 60_000;
			await engine.activities.sweepPage();
		}
		assert.equal((await cohortOf(held))?.state, "open");
		assert.ok(await opens(await engine.read(held._id), "content"));
		// Released, it is overdue: it goes by itself, and its cohort with it.
		const release = { id: held._id, set: { holds: [], nextCheckAt: engine.clock() } };
		assert.ok(await engine.store.messages.transition(release));
		await sweepUntil(async () => (await engine.read(held._id)).retention.content?.verifiedAt);
		assert.equal((await engine.read(held._id)).content, undefined);
		await sweepUntil(async () => (await cohortOf(held))?.state === "destroyed");
	});

	it("a cohort that was given up is never joined again: the next message opens its successor", async () => {
		await restart();
		const message = await stored(2 * day);
		const place = await cohortOf(message);
		assert.ok(place);
		const { _id: first, dueAt, retentionClass } = place;
		assert.ok(await engine.store.cohorts.retire(first, engine.clock()));
		const join = () => engine.cohorts.ensure({ tenantId, region: "DE", retentionClass, dueAt });
		assert.equal(await join(), first, "who has seen it lately still believes in it, which is why it waits");
		engine.time.offsetMs += limits.cohortSeenMs;
		const second = await join();
		assert.notEqual(second, first);
		assert.ok(await engine.memory.cohortKeys.exists(second));
		assert.ok(engine.cohorts.isAt(second, { tenantId, region: "DE", retentionClass, dueAt }));
	});

	it("30 days made 60 again keeps what is there for longer, and takes back nothing", async () => {
		await restart({ content: "P20D", address: "P20D" });
		const [message] = (await storeAll([await stored(6 * day)])) as [Message];
		await publishShorter();
		await runPass();
		const sooner = await engine.read(message._id);
		assert.ok(sooner.content && (sooner.retention.content?.eraseBy ?? 0) <= message.acceptedAt + 7 * day);
		await publishShorter(shorter.map((change) => ({ ...change, value: "P30D" })));
		await runPass();
		const later = await engine.read(message._id);
		assert.ok((later.retention.content?.eraseBy ?? 0) >= message.acceptedAt + 20 * day, "what the tenant needs");
		assert.ok(await opens(later, "content"));
		assert.equal(later.retimings?.length, 2);
		assert.ok(later.retimings?.[1]?.effects.includes("purge_later"));
	});

	it("what a hold on all of its tenant is about to reach stays, and other tenants' messages are re-timed meanwhile", async () => {
		await restart();
		const [held, young] = (await storeAll([await stored(20 * day), await stored(day)])) as [Message, Message];
		const open = { deadlineAt: engine.clock() - 1_000, closeAt: engine.clock() + hour, state: "accepted" } as const;
		const [ending] = (await storeAll([await stored(20 * day, open)])) as [Message];
		const own = tenantId;
		tenantId = engine.ids.random("tenant");
		await engine.ensureTenant(tenantId);
		await engine.store.tenants.set(tenantId, { retention: needs });
		const [other] = (await storeAll([await stored(20 * day)])) as [Message];
		tenantId = own;
		await publishShorter();
		const hold = await placeTenantHold(engine, held, { nextCheckAt: engine.clock() + 10 * day });
		await runPass();
		assert.equal((await engine.read(other._id)).content, undefined);
		for (const { _id } of [held, ending]) {
			const kept = await engine.read(_id);
			assert.ok(isFinal(kept.state) && kept.content && kept.address && kept.retimings?.length === 1);
			assert.ok(kept.retimings[0]?.effects.includes("blocked_by_hold"));
			assert.ok(await opens(kept, "content"));
		}
		assert.ok((await engine.read(young._id)).content);
		const ended = { at: engine.clock(), recordedAt: engine.clock(), recordedBy: "key_a", source: "api" as const };
		await engine.store.subjectRecords.end(hold._id, ended, { nextCheckAt: engine.clock(), subjects: [] });
		for (const { _id } of [held, ending]) {
			await sweepUntil(async () => (await engine.read(_id)).retention.content?.verifiedAt);
			assert.equal((await engine.read(_id)).content, undefined, "released, it is overdue");
		}
	});

	it("receipts and the record go by their new dates too, unless a hold keeps them", async () => {
		await restart({ receipt: "P60D" });
		const messages = [await stored(20 * day), await stored(20 * day, { holds: ["hold_a"] }), await stored(day)];
		await storeAll(messages);
		const changes = [{ rule: "defaults.retention", path: "retention.receipt.max", value: "P10D" }];
		await publishShorter(changes);
		await runPass();
		await sweepUntil(async () => (await engine.read(messages[0]?._id as string)).retention.receipt?.erasedAt);
		const [, held, young] = await readAll(messages);
		assert.equal(held?.retention.receipt?.erasedAt, undefined);
		assert.ok((held?.retention.receipt?.eraseBy ?? Infinity) <= engine.clock());
		assert.equal(young?.retention.receipt?.erasedAt, undefined);
		assert.equal(young?.retention.receipt?.eraseBy, expectedEnd(young as Message, 10));
	});

	describe("what is open", () => {
		const open = (more: Partial<Message> = {}): Partial<Message> => {
			const now = engine.clock();
			const soon = { deadlineAt: now + 20 * hour, closeAt: now + 21 * hour, nextCheckAt: now + 20 * hour };
			return { state: "accepted", ...soon, ...more };
		};

		it("is refused when the policies of now forbid it, before it is sent, and its run is told", async () => {
			await restart();
			const [message, sent] = (await storeAll([
				await stored(hour, open()),
				await stored(hour, open({ state: "submitted" })),
			])) as [Message, Message];
			const ban = { deny: ["PROCESSING_RESTRICTED"], id: "de.ban", basis: "default", citations: ["A test"] };
			const text = editedText("de", "1.7.0", ({ rules }) =>
				rules.push({ ...ban, verifiedOn: "2026-11-24", confidence: "high", when: { category: "transactional" } }),
			);
			await publishChange({ ...engine, policies }, { text });
			await runPassAfterNotice();
			const refused = await engine.read(message._id);
			assert.equal(refused.state, "rejected");
			assert.equal(refused.retimings?.[0]?.decision?.allowed, false);
			const { replay, retimings } = explain(refused, policies);
			assert.ok(replay.agrees, "the decision of then, and the one that stopped it");
			assert.equal(retimings[0]?.to[0]?.version, "1.7.0");
			const forged = { ...refused, retimings: [{ ...refused.retimings?.[0], decision: refused.decision }] } as Message;
			assert.match(explain(forged, policies).replay.differences[0] ?? "", /re-timing/);
			assert.ok(refused.evidence.some(({ type, code }) => type === "retimed" && code?.endsWith(":to:1.7.0")));
			const { counts } = (await engine.store.retimings.latest()) ?? {};
			assert.equal(counts?.ended_rejected, 1);
			assert.equal((await engine.read(sent._id)).state, "submitted", "what the carrier has can't be taken back");
		});

		it("is judged on the route that it was moved to, and what is recorded replays", async () => {
			await restart();
			const told = { route: { provider: "other" } };
			const at = engine.clock();
			const [moved, stays] = (await storeAll([await stored(hour, open()), await stored(hour, open())])) as [
				Message,
				Message,
			];
			const reroute = { at, from: "first", to: "queue", code: "unreachable", facts: told, decision: moved.decision };
			await engine.store.messages.transition({ id: moved._id, push: { reroutes: { value: reroute } } });
			const ban = { deny: ["PROCESSING_RESTRICTED"], id: "de.ban", basis: "default", citations: ["A test"] };
			const when = { "context.route.provider": "other" };
			const text = editedText("de", "1.7.0", ({ rules }) =>
				rules.push({ ...ban, verifiedOn: "2026-11-24", confidence: "high", when }),
			);
			await publishChange({ ...engine, policies }, { text });
			await runPassAfterNotice();
			const refused = await engine.read(moved._id);
			assert.deepEqual([refused.state, refused.retimings?.at(-1)?.decision?.allowed], ["rejected", false]);
			assert.equal((await engine.read(stays._id)).state, "accepted");
			for (const { _id } of [moved, stays]) assert.ok(explain(await engine.read(_id), policies).replay.agrees);
		});

		it("is refused when it may go by a more protective way only, which it was not made for", async () => {
			await restart();
			const [message] = (await storeAll([await stored(hour, open())])) as [Message];
			const delivery = { mode: "secure_link", reason: "SPECIAL_CATEGORY_SECURE_LINK" };
			const rule = { id: "de.link", basis: "default", citations: ["A test"], confidence: "high", delivery };
			const text = editedText("de", "1.7.0", ({ rules }) => rules.push({ ...rule, verifiedOn: "2026-11-24" }));
			await publishChange({ ...engine, policies }, { text });
			engine.time.offsetMs += limits.policyNoticeMs + 1_000;
			// The sender may be faster than the pass: it judges by the same.
			const { rejudge } = createRejudge(engine);
			assert.deepEqual(await rejudge(message), { kind: "refused", code: "delivery_mode", rule: "de.link" });
			await runPass();
			const refused = await engine.read(message._id);
			assert.equal(refused.state, "rejected");
			assert.ok(refused.evidence.some(({ code }) => code === "delivery_mode"));
		});

		it("waits longer when the hours are other now, and is driven on at its new release", async () => {
			await restart();
			const release = engine.clock() + hour;
			const [message] = (await storeAll([await stored(hour, open({ state: "deferred", releaseAt: release }))])) as [
				Message,
			];
			const text = editedText("de", "1.7.0", ({ rules }) =>
				rules.push(hoursIn("Europe/Berlin", engine.clock() + 3 * hour)),
			);
			await publishChange({ ...engine, policies }, { text });
			await runPassAfterNotice();
			const later = await engine.read(message._id);
			assert.equal(later.state, "deferred");
			assert.ok((later.releaseAt ?? 0) > release + hour, `${later.releaseAt} ${release}`);
			assert.equal(later.nextCheckAt, later.releaseAt);
			// The run that slept until the old release wakes up, and leaves it alone.
			engine.time.offsetMs += 1.5 * hour;
			await engine.activities.deliver(message.submissionId, 0).catch(() => undefined);
			assert.equal((await engine.read(message._id)).state, "deferred");
			engine.time.offsetMs += (later.releaseAt ?? 0) - engine.clock() + 1_000;
			await sweepUntil(async () => (await engine.read(message._id)).state === "queued");
		});

		it("never waits less", async () => {
			await restart();
			const release = engine.clock() + 5 * hour;
			const [message] = (await storeAll([await stored(hour, open({ state: "deferred", releaseAt: release }))])) as [
				Message,
			];
			await publishShorter();
			await runPass();
			const same = await engine.read(message._id);
			assert.deepEqual([same.state, same.releaseAt], ["deferred", release]);
			assert.equal(same.retimings?.length, 1);
		});

		it("closes before what it needs must be gone", async () => {
			await restart();
			const now = engine.clock();
			const [deadlineAt, closeAt] = [now + 6 * day, now + 6 * day + hour];
			const shape = { ...open(), deadlineAt, closeAt, nextCheckAt: deadlineAt };
			const [message] = (await storeAll([await stored(hour, shape)])) as [Message];
			await publishShorter(shorter.map((change) => ({ ...change, value: "P1D" })));
			await runPass();
			const closing = await engine.read(message._id);
			const latestEnd = message.acceptedAt + day;
			assert.ok(closing.closeAt < latestEnd && closing.deadlineAt === closing.closeAt - hour);
			assert.ok((closing.nextCheckAt ?? Infinity) <= closing.deadlineAt, "unsent, it expires by then");
			assert.ok(await opens(closing, "content"));
			engine.time.offsetMs += day;
			await sweepUntil(async () => (await engine.read(message._id)).retention.content?.verifiedAt);
			const ended = await engine.read(message._id);
			assert.deepEqual([ended.state, ended.content], ["expired", undefined]);
		});
	});

	describe("a pass that is disturbed", () => {
		/** The state that two runs of the same must share. */
		const essence = async (messages: Message[]) =>
			(await readAll(messages)).map(({ content, address, retention, retimings, holds }, index) => [
				index,
				[content?.cohortId, address?.cohortId].map(Boolean),
				[retention.content?.eraseBy, retention.address?.eraseBy, retention.receipt?.eraseBy],
				holds.length,
				retimings?.map(({ effects }) => effects),
			]);

		async function mixed(count: number): Promise<Message[]> {
			const ages = Array.from({ length: count }, (_, index) => (index * 29 * day) / count + 3 * hour);
			const held = (index: number) => (index % 9 === 4 ? { holds: ["hold_a"] } : {});
			return storeAll(await Promise.all(ages.map((age, index) => stored(age, held(index)))));
		}

		async function beginPass() {
			await engine.store.policyVersions.all();
			const { continueRetiming, retimePages } = createRetime({
				...engine,
				rejudge: createRejudge(engine),
				runs: { ...engine.runs, startRetime: async () => true },
			});
			await policies.refresh();
			await continueRetiming();
			const pass = await engine.store.retimings.latest();
			assert.ok(pass);
			// A call does what fits into its time; its workflow calls again.
			const run = async () => {
				while ((await retimePages(pass._id)).moreDue);
			};
			return { pass, run };
		}

		it("a worker that dies in a page, at whatever update, is repeated and ends the same, counts included", async () => {
			await restart();
			const messages = await mixed(300);
			await publishShorter();
			const { pass } = await beginPass();
			// Each try does some updates more than the one before, then dies, at every kind of step.
			for (let allowed = 0; ; allowed += 37) {
				const dying = dieAfter(engine, allowed);
				const outcome = await createRetime(dying)
					.retimePages(pass._id)
					.catch((error) => error as Error);
				if (!(outcome instanceof Error)) {
					if (outcome.moreDue) continue;
					break;
				}
				assert.equal(outcome.cause, "died");
			}
			const { counts, state } = (await engine.store.retimings.find(pass._id)) ?? {};
			const first = await essence(messages);
			assert.equal(state, "done");
			assert.equal(counts?.messages, 300);
			assert.equal(counts?.purged, first.filter(([, there]) => !(there as boolean[])[0]).length);
			for (const message of await readAll(messages)) {
				assert.equal(message.retimings?.length, 1);
				assert.equal(retimed(message).length, 1);
				if (message.content) assert.ok(await opens(message, "content"));
			}
		});

		it("policies that can't be read after a lost race stop the page, and no message is given up for it", async () => {
			await restart();
			const messages = await storeAll(await Promise.all([1, 2, 3].map((ago) => stored(ago * day))));
			await publishShorter();
			const { pass, run } = await beginPass();
			let lost = false;
			const away = createRetime({
				...engine,
				rejudge: createRejudge(engine),
				policies: {
					...policies,
					reevaluate(facts, at) {
						if (lost) throw new LetheError("policies_unavailable");
						return policies.reevaluate(facts, at);
					},
				},
				store: {
					...engine.store,
					messages: {
						...engine.store.messages,
						async transition() {
							lost = true;
							return false;
						},
					},
				},
			});
			await assert.rejects(away.retimePages(pass._id), { code: "policies_unavailable" });
			await run();
			const { counts } = (await engine.store.retimings.find(pass._id)) ?? {};
			assert.deepEqual([counts?.messages, counts?.failed], [messages.length, undefined]);
		});

		it("two workers at once do each message once, and count it once", async () => {
			await restart();
			const messages = await mixed(300);
			await publishShorter();
			const { pass, run } = await beginPass();
			await Promise.all([run(), run(), run()]);
			assert.equal((await engine.store.retimings.find(pass._id))?.counts.messages, 300);
			for (const message of await readAll(messages)) {
				assert.equal(message.retimings?.length, 1);
				assert.equal(retimed(message).length, 1);
				if (message.content) assert.ok(await opens(message, "content"));
			}
		});

		it("a key server that is away stops the pass, and loses nothing", async () => {
			await restart();
			const messages = await mixed(60);
			await publishShorter();
			const { run } = await beginPass();
			engine.encryption.forgetCohort("");
			engine.memory.away.value = true;
			engine.time.offsetMs += limits.wrappingKeyAgeMsMax;
			await assert.rejects(run, (error) => (error as { code?: string }).code === "keys_unavailable");
			engine.memory.away.value = false;
			await run();
			for (const message of await readAll(messages)) if (message.content) assert.ok(await opens(message, "content"));
		});

		it("a message that can't be judged, and one that can't be opened, stop no other and are counted", async () => {
			await restart();
			const messages = await mixed(20);
			const [unjudged, unopened] = [await stored(2 * day), await stored(2 * day)];
			unjudged.facts = {
				context: { evaluatedAt: "x", acceptedAt: "yesterday" },
				timezone: "Nowhere",
			} as Message["facts"];
			unjudged.facts.consent = { obtainedAt: "never", type: "express" };
			unjudged.facts.recipientCountry = "DE";
			unjudged.facts.category = "marketing";
			unopened.content = { ...(unopened.content as NonNullable<Message["content"]>), wrappedKey: new Uint8Array(61) };
			await storeAll([unjudged, unopened]);
			await publishShorter();
			const { pass, run } = await beginPass();
			await run();
			const { counts, state } = (await engine.store.retimings.find(pass._id)) ?? {};
			assert.deepEqual([state, counts?.messages, counts?.failed], ["done", 22, 2]);
			for (const message of await readAll(messages)) assert.equal(message.retimings?.length, 1);
			const stuck = await engine.read(unopened._id);
			assert.equal(stuck.content?.cohortId, unopened.content?.cohortId, "it ends with the cohort that it is in");
		});

		it("what was judged before and stored after the pass had gone by is found by a second look", async () => {
			await restart();
			await mixed(5);
			const late = await stored(2 * day);
			await publishShorter();
			const straggler = { ...late, acceptedAt: engine.clock() };
			await runPass();
			await storeAll([straggler]);
			await engine.activities.sweepPage();
			assert.equal((await engine.read(straggler._id)).retimings, undefined);
			engine.time.offsetMs += limits.retimeSettleMs;
			await runPass();
			assert.equal((await engine.read(straggler._id)).retimings?.length, 1);
			const { sequence } = (await engine.store.retimings.latest()) ?? {};
			await engine.activities.sweepPage();
			assert.equal((await engine.store.retimings.latest())?.sequence, sequence, "and there is no third");
		});

		it("a worker that does not know the version yet does nothing, and starts nothing", async () => {
			await restart();
			const messages = await mixed(5);
			const behind = openStored(engine.store);
			await behind.refresh();
			await publishShorter();
			const { pass } = await beginPass();
			const other = createRetime({ ...engine, rejudge: createRejudge(engine), policies: behind });
			await assert.rejects(other.retimePages(pass._id), { code: "policies_unavailable" });
			await other.continueRetiming();
			assert.equal((await engine.store.retimings.latest())?._id, pass._id);
			for (const message of await readAll(messages)) assert.equal(message.retimings, undefined);
		});
	});
});

/** Sends are open in one hour of the day only: the one in which a time falls there. */
function hoursIn(zone: string, at: number) {
	const hourThere = Number(
		new Intl.DateTimeFormat("en-GB", { hour: "2-digit", hourCycle: "h23", timeZone: zone }).format(at),
	);
	const [start, end] = [hourThere, hourThere + 1].map((value) => `${String(value).padStart(2, "0")}:00`);
	const days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
	const rule = {
		id: "de.hours",
		basis: "default",
		citations: ["A test"],
		verifiedOn: "2026-11-24",
		confidence: "high",
	};
	return { ...rule, when: { category: "transactional" }, window: { open: [{ days, start, end }] } };
}

/** The same engine, in which every write of a message fails once so many have been made: the worker is dead. */
function dieAfter(engine: Engine, allowed: number): Parameters<typeof createRetime>[0] {
	let left = allowed;
	const spend = () => {
		if (left-- <= 0) throw new LetheError("store_unavailable", { cause: "died" });
	};
	const { messages, retimings, cohorts } = engine.store;
	return {
		...engine,
		rejudge: createRejudge(engine),
		store: {
			...engine.store,
			messages: {
				...messages,
				async transition(change) {
					spend();
					return messages.transition(change);
				},
			},
			cohorts: {
				...cohorts,
				async noteLeaving(...given) {
					spend();
					return cohorts.noteLeaving(...given);
				},
			},
			retimings: {
				...retimings,
				async advance(...given) {
					spend();
					return retimings.advance(...given);
				},
			},
		},
	};
}
