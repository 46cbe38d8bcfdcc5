// Policies that come into force apply to what is stored: what is due goes, what is held stays, and nothing is done twice.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { createRejudge } from "../../activities/rejudge.ts";
import type { Certificate } from "../../audit/certificate.ts";
import { isFinal } from "../../domain/lifecycle.ts";
import { limits } from "../../domain/limits.ts";
import type { Message } from "../../domain/message.ts";
import { addDuration } from "../../policies/cohorts.ts";
import { explain } from "../../policies/explain.ts";
import { editedText, publishChange, shorter } from "../harness/policies.ts";
import { placeTenantHold, recordFields } from "../harness/records.ts";
import { changed, createRetimingStage, day, hour, needs, retimed, versionOf } from "../harness/retiming.ts";

describe("re-timing", () => {
	const stage = createRetimingStage();
	const {
		restart,
		stored,
		storeAll,
		publishShorter,
		runPassAfterNotice,
		runPass,
		readAll,
		cohortOf,
		sweepUntil,
		opens,
	} = stage;
	before(() => stage.start());
	after(() => stage.close());

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
		const now = stage.engine.clock();
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
			assert.ok(explain(message, stage.policies).replay.agrees, "every decision replays");
		}
		const counts = (await stage.engine.store.retimings.latest())?.counts;
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
		const moved = await stage.engine.read(young._id);
		assert.notEqual(moved.content?.cohortId, young.content?.cohortId);
		assert.notEqual(moved.content?.wrappingKeyId, young.content?.wrappingKeyId);
		assert.deepEqual(moved.content?.ciphertext, young.content?.ciphertext, "only the data key is wrapped anew");
		assert.ok(await opens(moved, "content"));
		const cohort = await stage.engine.store.cohorts.find(moved.content?.cohortId as string);
		assert.equal(cohort?.dueAt, moved.retention.content?.eraseBy);
		assert.ok((cohort?.dueAt ?? Infinity) <= young.acceptedAt + 7 * day);
		assert.equal(cohort?.retentionClass, "content/P7D");
		stage.engine.time.offsetMs += 5 * day;
		await sweepUntil(async () => (await stage.engine.read(young._id)).content === undefined);
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
		const moved = await stage.engine.read(young._id);
		const former = young.content?.cohortId as string;
		assert.equal(stays.content?.cohortId, former);
		assert.deepEqual(moved.retention.content?.formerCohorts, [former]);
		stage.engine.time.offsetMs += 5 * day;
		const about = moved.content?.cohortId as string;
		await sweepUntil(async () => (await stage.engine.store.cohorts.find(about))?.state === "destroyed");
		const kept = await stage.engine.store.certificates.page(stage.tenantId, about, 10);
		const payloads = kept.map(
			({ jws }): Certificate => JSON.parse(Buffer.from(jws.split(".")[1] as string, "base64url").toString()),
		);
		const page = payloads.find(({ objects }) => objects[0]?.object === "content");
		const key = page?.copies.find(({ copy }) => copy === "vault cohort key");
		const { dueAt } = (await stage.engine.store.cohorts.find(former)) ?? {};
		assert.deepEqual([key?.status, key?.endsAt], ["planned", new Date(dueAt ?? 0).toISOString()]);
	});

	it("a cohort that all have left is destroyed once the last of them is due, long before its own time", async () => {
		await restart();
		const [old, young] = (await storeAll([await stored(20 * day), await stored(2 * day)])) as [Message, Message];
		await publishShorter();
		await runPass();
		assert.equal((await stage.engine.read(old._id)).content, undefined);
		const due = { old: await cohortOf(old), young: await cohortOf(young) };
		assert.ok((due.old?.dueAt ?? 0) > stage.engine.clock() + day);
		await sweepUntil(async () => (await cohortOf(old))?.state === "destroyed");
		assert.ok(!(await stage.engine.memory.cohortKeys.exists(old.content?.cohortId as string)));
		assert.equal(await opens(old, "content"), false, "the document of before, put back, opens no more");
		const certificates = await stage.engine.store.certificates.page(old.tenantId, old.content?.cohortId as string, 10);
		assert.ok(certificates.length >= 2);
		// The other one left as well, but what it was moved to lives on: a backup of before must stay readable until then.
		assert.equal((await cohortOf(young))?.state, "open");
		stage.engine.time.offsetMs += 5 * day;
		await sweepUntil(async () => (await cohortOf(young))?.state === "destroyed");
		assert.ok((due.young?.dueAt ?? 0) > stage.engine.clock() + day);
	});

	it("a cohort in which a message stays is not destroyed early", async () => {
		await restart();
		const tied = { holds: ["hold_a"] };
		const [gone, held] = (await storeAll([await stored(20 * day), await stored(20 * day, tied)])) as [Message, Message];
		assert.equal(gone.content?.cohortId, held.content?.cohortId);
		await publishShorter();
		await runPass();
		for (let round = 0; round < 20; round++) {
			stage.engine.time.offsetMs += 2 * 60_000;
			await stage.engine.activities.sweepPage();
		}
		assert.equal((await cohortOf(held))?.state, "open");
		assert.ok(await opens(await stage.engine.read(held._id), "content"));
		// Released, it is overdue: it goes by itself, and its cohort with it.
		const release = { id: held._id, set: { holds: [], nextCheckAt: stage.engine.clock() } };
		assert.ok(await stage.engine.store.messages.transition(release));
		await sweepUntil(async () => (await stage.engine.read(held._id)).retention.content?.verifiedAt);
		assert.equal((await stage.engine.read(held._id)).content, undefined);
		await sweepUntil(async () => (await cohortOf(held))?.state === "destroyed");
	});

	it("a cohort that was given up is never joined again: the next message opens its successor", async () => {
		await restart();
		const message = await stored(2 * day);
		const place = await cohortOf(message);
		assert.ok(place);
		const { _id: first, dueAt, retentionClass } = place;
		assert.ok(await stage.engine.store.cohorts.retire(first, stage.engine.clock()));
		const join = () => stage.engine.cohorts.ensure({ tenantId: stage.tenantId, region: "DE", retentionClass, dueAt });
		assert.equal(await join(), first, "who has seen it lately still believes in it, which is why it waits");
		stage.engine.time.offsetMs += limits.cohortSeenMs;
		const second = await join();
		assert.notEqual(second, first);
		assert.ok(await stage.engine.memory.cohortKeys.exists(second));
		assert.ok(stage.engine.cohorts.isAt(second, { tenantId: stage.tenantId, region: "DE", retentionClass, dueAt }));
	});

	it("what an erasure of before a restore is to take stays marked for its day, and goes then", async () => {
		await restart();
		const message = await stored(2 * day);
		const goesBy = stage.engine.clock() + day;
		for (const object of ["content", "address"] as const) {
			Object.assign(message.retention[object] ?? {}, { goesBy, inPlace: true, eraseBy: goesBy });
		}
		await storeAll([message]);
		await publishShorter();
		await runPass();
		const { retention } = await stage.engine.read(message._id);
		for (const object of ["content", "address"] as const) {
			assert.deepEqual([retention[object]?.eraseBy, retention[object]?.inPlace], [goesBy, true], object);
		}
		stage.engine.time.offsetMs += day;
		await sweepUntil(async () => (await stage.engine.read(message._id)).address === undefined);
		assert.equal((await stage.engine.read(message._id)).content, undefined);
		assert.ok(stage.engine.clock() < goesBy + day, "long before its cohort's end");
	});

	it("30 days made 60 again keeps what is there for longer, and takes back nothing", async () => {
		await restart({ content: "P20D", address: "P20D" });
		const [message] = (await storeAll([await stored(6 * day)])) as [Message];
		await publishShorter();
		await runPass();
		const sooner = await stage.engine.read(message._id);
		assert.ok(sooner.content && (sooner.retention.content?.eraseBy ?? 0) <= message.acceptedAt + 7 * day);
		await publishShorter(shorter.map((change) => ({ ...change, value: "P30D" })));
		await runPass();
		const later = await stage.engine.read(message._id);
		assert.ok((later.retention.content?.eraseBy ?? 0) >= message.acceptedAt + 20 * day, "what the tenant needs");
		assert.ok(await opens(later, "content"));
		assert.equal(later.retimings?.length, 2);
		assert.ok(later.retimings?.[1]?.effects.includes("purge_later"));
	});

	it("what a hold on all of its tenant is about to reach stays, and other tenants' messages are re-timed meanwhile", async () => {
		await restart();
		const [held, young] = (await storeAll([await stored(20 * day), await stored(day)])) as [Message, Message];
		const open = {
			deadlineAt: stage.engine.clock() - 1_000,
			closeAt: stage.engine.clock() + hour,
			state: "accepted",
		} as const;
		const [ending] = (await storeAll([await stored(20 * day, open)])) as [Message];
		const own = stage.tenantId;
		stage.tenantId = stage.engine.ids.random("tenant");
		await stage.engine.ensureTenant(stage.tenantId);
		await stage.engine.store.tenants.set(stage.tenantId, { retention: needs });
		const [other] = (await storeAll([await stored(20 * day)])) as [Message];
		stage.tenantId = own;
		await publishShorter();
		const hold = await placeTenantHold(stage.engine, held, { nextCheckAt: stage.engine.clock() + 10 * day });
		await runPass();
		assert.equal((await stage.engine.read(other._id)).content, undefined);
		for (const { _id } of [held, ending]) {
			const kept = await stage.engine.read(_id);
			assert.ok(isFinal(kept.state) && kept.content && kept.address && kept.retimings?.length === 1);
			assert.ok(kept.retimings[0]?.effects.includes("blocked_by_hold"));
			assert.ok(await opens(kept, "content"));
		}
		assert.ok((await stage.engine.read(young._id)).content);
		const ended = {
			at: stage.engine.clock(),
			recordedAt: stage.engine.clock(),
			recordedBy: "key_a",
			source: "api" as const,
		};
		await stage.engine.store.subjectRecords.end(hold._id, ended, { nextCheckAt: stage.engine.clock(), subjects: [] });
		for (const { _id } of [held, ending]) {
			await sweepUntil(async () => (await stage.engine.read(_id)).retention.content?.verifiedAt);
			assert.equal((await stage.engine.read(_id)).content, undefined, "released, it is overdue");
		}
	});

	it("receipts and the record go by their new dates too, unless a hold keeps them", async () => {
		await restart({ receipt: "P60D" });
		const messages = [await stored(20 * day), await stored(20 * day, { holds: ["hold_a"] }), await stored(day)];
		await storeAll(messages);
		const changes = [{ rule: "defaults.retention", path: "retention.receipt.max", value: "P10D" }];
		await publishShorter(changes);
		await runPass();
		await sweepUntil(async () => (await stage.engine.read(messages[0]?._id as string)).retention.receipt?.erasedAt);
		const [, held, young] = await readAll(messages);
		assert.equal(held?.retention.receipt?.erasedAt, undefined);
		assert.ok((held?.retention.receipt?.eraseBy ?? Infinity) <= stage.engine.clock());
		assert.equal(young?.retention.receipt?.erasedAt, undefined);
		assert.equal(young?.retention.receipt?.eraseBy, expectedEnd(young as Message, 10));
	});

	describe("what is open", () => {
		const open = (more: Partial<Message> = {}): Partial<Message> => {
			const now = stage.engine.clock();
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
			await publishChange({ ...stage.engine, policies: stage.policies }, { text });
			await runPassAfterNotice();
			const refused = await stage.engine.read(message._id);
			assert.equal(refused.state, "rejected");
			assert.equal(refused.retimings?.[0]?.decision?.allowed, false);
			const { replay, retimings } = explain(refused, stage.policies);
			assert.ok(replay.agrees, "the decision of then, and the one that stopped it");
			assert.equal(retimings[0]?.to[0]?.version, "1.7.0");
			const forged = { ...refused, retimings: [{ ...refused.retimings?.[0], decision: refused.decision }] } as Message;
			assert.match(explain(forged, stage.policies).replay.differences[0] ?? "", /re-timing/);
			assert.ok(refused.evidence.some(({ type, code }) => type === "retimed" && code?.endsWith(":to:1.7.0")));
			const { counts } = (await stage.engine.store.retimings.latest()) ?? {};
			assert.equal(counts?.ended_rejected, 1);
			assert.equal((await stage.engine.read(sent._id)).state, "submitted", "what the carrier has can't be taken back");
		});

		it("is refused and keeps what a hold on its recipient covers, whether it bears that yet or not", async () => {
			await restart();
			const [message] = (await storeAll([await stored(hour, open())])) as [Message];
			const ban = { deny: ["PROCESSING_RESTRICTED"], id: "de.ban", basis: "default", citations: ["A test"] };
			const text = editedText("de", "1.7.0", ({ rules }) =>
				rules.push({ ...ban, verifiedOn: "2026-11-24", confidence: "high", when: { category: "transactional" } }),
			);
			await publishChange({ ...stage.engine, policies: stage.policies }, { text });
			const _id = stage.engine.ids.random("hold");
			await stage.engine.store.subjectRecords.insert({
				...{ ...recordFields(stage.engine, message), _id, kind: "hold", scope: "subject", ground: "litigation" },
				...{ nextCheckAt: stage.engine.clock() + hour },
			});
			await runPassAfterNotice();
			const { state, holds, content } = await stage.engine.read(message._id);
			assert.deepEqual([state, holds, content !== undefined], ["rejected", [_id], true]);
		});

		it("is judged on the route that it was moved to, and what is recorded replays", async () => {
			await restart();
			const told = { route: { provider: "other" } };
			const at = stage.engine.clock();
			const [moved, stays] = (await storeAll([await stored(hour, open()), await stored(hour, open())])) as [
				Message,
				Message,
			];
			const reroute = { at, from: "first", to: "queue", code: "unreachable", facts: told, decision: moved.decision };
			await stage.engine.store.messages.transition({ id: moved._id, push: { reroutes: { value: reroute } } });
			const ban = { deny: ["PROCESSING_RESTRICTED"], id: "de.ban", basis: "default", citations: ["A test"] };
			const when = { "context.route.provider": "other" };
			const text = editedText("de", "1.7.0", ({ rules }) =>
				rules.push({ ...ban, verifiedOn: "2026-11-24", confidence: "high", when }),
			);
			await publishChange({ ...stage.engine, policies: stage.policies }, { text });
			await runPassAfterNotice();
			const refused = await stage.engine.read(moved._id);
			assert.deepEqual([refused.state, refused.retimings?.at(-1)?.decision?.allowed], ["rejected", false]);
			assert.equal((await stage.engine.read(stays._id)).state, "accepted");
			for (const { _id } of [moved, stays])
				assert.ok(explain(await stage.engine.read(_id), stage.policies).replay.agrees);
		});

		it("is refused when it may go by a more protective way only, which it was not made for", async () => {
			await restart();
			const [message] = (await storeAll([await stored(hour, open())])) as [Message];
			const delivery = { mode: "secure_link", reason: "SPECIAL_CATEGORY_SECURE_LINK" };
			const rule = { id: "de.link", basis: "default", citations: ["A test"], confidence: "high", delivery };
			const text = editedText("de", "1.7.0", ({ rules }) => rules.push({ ...rule, verifiedOn: "2026-11-24" }));
			await publishChange({ ...stage.engine, policies: stage.policies }, { text });
			stage.engine.time.offsetMs += limits.policyNoticeMs + 1_000;
			// The sender may be faster than the pass: it judges by the same.
			const { rejudge } = createRejudge(stage.engine);
			assert.deepEqual(await rejudge(message), { kind: "refused", code: "delivery_mode", rule: "de.link" });
			await runPass();
			const refused = await stage.engine.read(message._id);
			assert.equal(refused.state, "rejected");
			assert.ok(refused.evidence.some(({ code }) => code === "delivery_mode"));
		});

		it("waits longer when the hours are other now, and is driven on at its new release", async () => {
			await restart();
			const release = stage.engine.clock() + hour;
			const [message] = (await storeAll([await stored(hour, open({ state: "deferred", releaseAt: release }))])) as [
				Message,
			];
			const text = editedText("de", "1.7.0", ({ rules }) =>
				rules.push(hoursIn("Europe/Berlin", stage.engine.clock() + 3 * hour)),
			);
			await publishChange({ ...stage.engine, policies: stage.policies }, { text });
			await runPassAfterNotice();
			const later = await stage.engine.read(message._id);
			assert.equal(later.state, "deferred");
			assert.ok((later.releaseAt ?? 0) > release + hour, `${later.releaseAt} ${release}`);
			assert.equal(later.nextCheckAt, later.releaseAt);
			// The run that slept until the old release wakes up, and leaves it alone.
			stage.engine.time.offsetMs += 1.5 * hour;
			await stage.engine.activities.deliver(message.submissionId, 0).catch(() => undefined);
			assert.equal((await stage.engine.read(message._id)).state, "deferred");
			stage.engine.time.offsetMs += (later.releaseAt ?? 0) - stage.engine.clock() + 1_000;
			await sweepUntil(async () => (await stage.engine.read(message._id)).state === "queued");
		});

		it("never waits less", async () => {
			await restart();
			const release = stage.engine.clock() + 5 * hour;
			const [message] = (await storeAll([await stored(hour, open({ state: "deferred", releaseAt: release }))])) as [
				Message,
			];
			await publishShorter();
			await runPass();
			const same = await stage.engine.read(message._id);
			assert.deepEqual([same.state, same.releaseAt], ["deferred", release]);
			assert.equal(same.retimings?.length, 1);
		});

		it("closes before what it needs must be gone", async () => {
			await restart();
			const now = stage.engine.clock();
			const [deadlineAt, closeAt] = [now + 6 * day, now + 6 * day + hour];
			const shape = { ...open(), deadlineAt, closeAt, nextCheckAt: deadlineAt };
			const [message] = (await storeAll([await stored(hour, shape)])) as [Message];
			await publishShorter(shorter.map((change) => ({ ...change, value: "P1D" })));
			await runPass();
			const closing = await stage.engine.read(message._id);
			const latestEnd = message.acceptedAt + day;
			assert.ok(closing.closeAt < latestEnd && closing.deadlineAt === closing.closeAt - hour);
			assert.ok((closing.nextCheckAt ?? Infinity) <= closing.deadlineAt, "unsent, it expires by then");
			assert.ok(await opens(closing, "content"));
			stage.engine.time.offsetMs += day;
			await sweepUntil(async () => (await stage.engine.read(message._id)).retention.content?.verifiedAt);
			const ended = await stage.engine.read(message._id);
			assert.deepEqual([ended.state, ended.content], ["expired", undefined]);
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

function expectedEnd({ acceptedAt }: Message, days: number): number {
	return Math.floor((acceptedAt + days * day) / day) * day;
}
