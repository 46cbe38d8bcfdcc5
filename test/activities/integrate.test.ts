// What messages carry of their acts reaches the log: with their certificate, or by the sweep; once, whatever dies in between; and before it can go.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { integrated } from "../../activities/integrate.ts";
import { planErasure } from "../../activities/planErasure.ts";
import type { StoredMessage } from "../../adapters/mongo/archive.ts";
import { fsck } from "../../audit/fsck.ts";
import type { Entry } from "../../domain/evidence.ts";
import { limits } from "../../domain/limits.ts";
import type { Message, RetentionRecord } from "../../domain/message.ts";
import { claim, end, enqueue, receive, submit, type Transition } from "../../domain/transition.ts";
import { createEngine, type Engine, until } from "../harness/engine.ts";

const day = 24 * 3600_000;

describe("evidence of messages", () => {
	let engine: Engine;
	before(async () => {
		engine = await createEngine({ worker: false, sender: false });
	});
	after(() => engine.close());

	const entriesAbout = async (id: string): Promise<Entry[]> => {
		const found = await engine.store.evidence.findAbout([id]);
		const bundles = found.toSorted((a, b) => Number(a._id) - Number(b._id));
		const entries = bundles.flatMap((bundle) => bundle.entries.map((text) => JSON.parse(text) as Entry));
		return entries.filter(({ about }) => about === id);
	};
	const typesOf = async (id: string) =>
		(await entriesAbout(id)).map(({ type, code }) => (code ? `${type} ${code}` : type));
	const apply = async (message: Message, ...decide: ((message: Message) => Transition)[]) => {
		for (const next of decide) assert.ok(await engine.store.messages.transition(next(await engine.read(message._id))));
	};
	const delivered = async (message: Message) => {
		const now = engine.clock();
		await apply(
			message,
			(current) => enqueue(current, now),
			(current) => claim(current._id, 1, now, engine.ids.random("claim"), "queue"),
			(current) => submit(current, `c-${current._id}`, 1, now),
			(current) => end(current, "delivered", now),
		);
	};
	const all = ["queued", "sending", "submitted", "delivered", "erased content", "erased address", "certified"];

	it("is in the log when its message is certified, and the message says so in the same update", async () => {
		const message = await engine.accept();
		await delivered(message);
		const before = await engine.read(message._id);
		assert.ok(before.unintegratedSince !== undefined && before.integrated === undefined);
		await engine.activities.finalise(message.submissionId, false);
		const stored = await engine.read(message._id);
		assert.deepEqual(await typesOf(message._id), all);
		assert.deepEqual([stored.integrated, stored.unintegratedSince], [7, undefined]);
		assert.equal(stored.evidence.length, 7);
	});

	it("is packed with what else its message was told, once that is at rest; what comes later is added to it", async () => {
		const message = await engine.accept();
		const { _id } = message;
		await delivered(message);
		const before = await engine.read(_id);
		const stale = await integrated(engine.evidence, before, { id: _id });
		await engine.activities.finalise(message.submissionId, false);
		const kept = await engine.connection.collection<StoredMessage>("messages").findOne({ _id });
		assert.deepEqual(
			[kept?.facts, kept?.decision, kept?.evidence, kept?.archived],
			[undefined, undefined, undefined, 7],
		);
		assert.deepEqual(Object.keys(kept?.retention ?? {}).sort(), ["decision_record", "receipt"]);
		const rested = await engine.read(_id);
		for (const object of ["content", "address"] as const) {
			const { verifiedAt, ...record } = rested.retention[object] as RetentionRecord;
			assert.deepEqual([record, typeof verifiedAt], [before.retention[object], "number"]);
		}
		assert.deepEqual(
			[rested.facts, rested.decision, rested.attempts],
			[before.facts, before.decision, before.attempts],
		);
		assert.equal(await engine.store.messages.transition(stale), false, "it was read before the others came to it");
		assert.equal((await engine.store.messages.findByCarrierId("queue", `c-${_id}`))?._id, _id);
		const event = { eventId: "late", carrierId: `c-${_id}`, state: "delivered" as const, at: engine.clock() };
		await apply(message, (current) => receive(current, "queue", event, engine.clock(), false) as Transition);
		const later = await engine.read(_id);
		assert.deepEqual([later.archived, later.evidence.length, later.evidence[7]?.code], [7, 8, "late"]);
		engine.time.offsetMs += limits.integratePatienceMs + 1;
		await engine.activities.sweepPage();
		const again = await engine.read(_id);
		assert.deepEqual([again.archived, again.evidence], [8, later.evidence]);
		assert.deepEqual(await typesOf(_id), [...all, "receipt late"]);
	});

	it("is packed once more without undoing what was done to its message's parts meanwhile", async () => {
		const meanwhile: Record<string, (message: Message) => Promise<unknown>> = {
			"a page has erased one": ({ _id, tenantId, address }) =>
				engine.store.messages.erasePage({
					...{ _id: engine.ids.random("certificate"), tenantId, cohortId: address?.cohortId ?? "" },
					...{ object: "address", messageIds: [_id], erasedAt: engine.clock() },
				}),
			"a request has asked for one to go": (message) =>
				engine.store.messages.transition(
					planErasure(message, "request", engine.clock() + day, false, engine.clock()) as Transition,
				),
		};
		for (const [what, happen] of Object.entries(meanwhile)) {
			const message = await engine.accept({ addressAtFinal: false });
			await delivered(message);
			await engine.activities.finalise(message.submissionId, false);
			const rested = await engine.read(message._id);
			assert.ok(rested.archived !== undefined && rested.address && !rested.content, what);
			const packing = await integrated(engine.evidence, rested, { id: rested._id });
			await happen(rested);
			const { retention } = await engine.read(rested._id);
			assert.notDeepEqual(retention, rested.retention, what);
			assert.ok(await engine.store.messages.transition(packing), what);
			assert.deepEqual((await engine.read(rested._id)).retention, retention, what);
		}
	});

	it("is in the log once, though the worker died before the message could say so", async () => {
		const message = await engine.accept();
		await delivered(message);
		await engine.evidence.integrate(await engine.read(message._id));
		await engine.activities.finalise(message.submissionId, false);
		assert.deepEqual(await typesOf(message._id), all);
	});

	it("is in the log once, though two finalise at once", async () => {
		const message = await engine.accept();
		await delivered(message);
		await Promise.all([1, 2].map(() => engine.activities.finalise(message.submissionId, false)));
		assert.deepEqual(
			(await typesOf(message._id)).filter((type) => type !== "certified"),
			all.slice(0, -1),
		);
		const stored = await engine.read(message._id);
		assert.equal(stored.integrated, stored.evidence.length);
	});

	it("of what came while it was being integrated stays to be integrated, and is", async () => {
		const message = await engine.accept();
		await delivered(message);
		const event = { eventId: "e-1", carrierId: `c-${message._id}`, state: "undelivered", at: 1 } as const;
		const { integrate } = engine.evidence;
		engine.evidence.integrate = async (carrier, next) => {
			const count = await integrate(carrier, next);
			await apply(message, (current) => receive(current, "queue", event, engine.clock(), false) as Transition);
			return count;
		};
		await engine.activities.finalise(message.submissionId, false);
		engine.evidence.integrate = integrate;
		const raced = await engine.read(message._id);
		assert.ok(raced.unintegratedSince !== undefined && raced.certificates.length === 1);
		await sweepAfter(limits.driverPatienceMs);
		assert.ok((await typesOf(message._id)).includes("receipt late"));
		const stored = await engine.read(message._id);
		assert.deepEqual([stored.integrated, stored.unintegratedSince], [stored.evidence.length, undefined]);
	});

	it("of a message that waits is brought in by the sweep, and not before its time", async () => {
		const message = await engine.accept({ nextCheckAt: engine.clock() + day });
		await apply(message, (current) => enqueue(current, engine.clock()));
		await engine.activities.sweepPage();
		assert.deepEqual(await typesOf(message._id), []);
		await sweepAfter(limits.integratePatienceMs);
		assert.deepEqual(await typesOf(message._id), ["queued"]);
		const stored = await engine.read(message._id);
		assert.deepEqual([stored.integrated, stored.unintegratedSince], [1, undefined]);
	});

	it("that says what an entry may not is in the log without it, keeps none from there, and is told of", async () => {
		const [bad, good] = [await engine.accept(), await engine.accept()];
		const code = "please call +4915112345678";
		for (const { _id } of [bad, good]) {
			const said = _id === bad._id ? { code } : {};
			const evidence = [{ at: engine.clock(), type: "deferred" as const, ...said }];
			await engine.store.messages.transition({ id: _id, evidence, set: { nextCheckAt: engine.clock() + day } });
		}
		await sweepAfter(limits.integratePatienceMs);
		assert.deepEqual([await typesOf(bad._id), await typesOf(good._id)], [["deferred unfit"], ["deferred"]]);
		assert.equal((await engine.read(bad._id)).unintegratedSince, undefined);
		assert.ok(engine.errors.some((line) => line.includes("evidence_unfit") && line.includes(bad._id)));
		assert.ok(!engine.errors.some((line) => line.includes("4915")));
		await delivered(bad);
		await engine.activities.finalise(bad.submissionId, false);
		assert.equal((await engine.read(bad._id)).certificates.length, 1);
		assert.deepEqual(await typesOf(bad._id), ["deferred unfit", ...all]);
	});

	it("that can't be brought in has waited since it began to, and keeps none from there", async () => {
		const [bad, good] = [await engine.accept(), await engine.accept()];
		for (const { _id } of [bad, good]) {
			const evidence = [{ at: engine.clock(), type: "deferred" as const }];
			await engine.store.messages.transition({ id: _id, evidence, set: { nextCheckAt: engine.clock() + day } });
		}
		const since = (await engine.read(bad._id)).unintegratedSince;
		const { integrate } = engine.evidence;
		engine.evidence.integrate = async (carrier, next) => {
			if (carrier._id === bad._id) throw new Error("refused");
			return integrate(carrier, next);
		};
		await sweepAfter(limits.integratePatienceMs);
		await sweepAfter(limits.checkpointLateMs);
		assert.deepEqual(await typesOf(good._id), ["deferred"]);
		assert.equal((await engine.read(bad._id)).unintegratedSince, since, "so that it is told of");
		engine.evidence.integrate = integrate;
		await sweepAfter(0);
		assert.deepEqual(await typesOf(bad._id), ["deferred"]);
	});

	it("goes to the log before its message's record may go, and the end of the record with it", async () => {
		const message = await engine.accept();
		await delivered(message);
		await engine.activities.finalise(message.submissionId, false);
		await engine.store.messages.transition({
			id: message._id,
			set: { "retention.decision_record.eraseBy": 1, nextCheckAt: 1 },
			evidence: [{ at: 1, type: "receipt", code: "late" }],
		});
		await engine.store.messages.deleteRecord(message._id);
		assert.ok(await engine.store.messages.find(message._id), "not yet");
		await engine.activities.sweepPage();
		assert.equal(await engine.store.messages.find(message._id), undefined);
		const said = await typesOf(message._id);
		assert.ok(said.includes("receipt late") && said.includes("record_erased decision_record"));
	});

	it("of a record that ends with its text or before tells of their erasure first, and a certificate does", async () => {
		const message = await engine.accept();
		await engine.store.messages.transition({
			id: message._id,
			set: { "retention.content.atFinal": false, "retention.address.atFinal": false },
		});
		await delivered(message);
		await engine.activities.finalise(message.submissionId, false);
		assert.ok((await engine.read(message._id)).content, "it was to be kept for longer");
		const due = { "retention.decision_record.eraseBy": 1, nextCheckAt: 1 };
		await engine.store.messages.transition({ id: message._id, set: due });
		const { cohortId } = (await engine.read(message._id)).content as { cohortId: string };
		await engine.activities.sweepPage();
		const erased = await engine.read(message._id);
		assert.deepEqual([erased.content, erased.address], [undefined, undefined]);
		await sweepAfter(limits.driverPatienceMs);
		const [certificateId] = (await engine.read(message._id)).certificates;
		const certificate = await engine.store.certificates.find(certificateId as string);
		const payload = Buffer.from(certificate?.jws.split(".")[1] ?? "", "base64url").toString();
		assert.ok(payload.includes(message._id) && payload.includes(cohortId) && payload.includes("address"), payload);
		await sweepAfter(2 * limits.driverPatienceMs);
		assert.equal(await engine.store.messages.find(message._id), undefined);
	});

	it("of a record waits for the certificate of a purge page that is not through", async () => {
		const message = await engine.accept();
		await delivered(message);
		await engine.activities.finalise(message.submissionId, false);
		const certificateId = engine.ids.random("certificate");
		const set = { "retention.decision_record.eraseBy": 1, "retention.content.certificateId": certificateId };
		await engine.store.messages.transition({ id: message._id, set: { ...set, nextCheckAt: 1 } });
		await engine.activities.sweepPage();
		assert.ok(await engine.store.messages.find(message._id));
		const about = { kind: "purge" as const, tenantId: message.tenantId, about: "coh_a", issuedAt: 1 };
		await engine.store.certificates.insert({ _id: certificateId, ...about, jws: "a.b.c" });
		await sweepAfter(2 * limits.driverPatienceMs);
		assert.equal(await engine.store.messages.find(message._id), undefined);
	});

	it("is published by the sweep, and whole", async () => {
		const { standing, size } = await engine.checkpoints.publish();
		assert.equal(standing, "equal");
		const log = {
			bundles: engine.store.evidence.read(0),
			tiles: engine.store.evidence.tiles(),
			checkpoints: [{ source: "witness", note: engine.witness.kept.note ?? "" }],
		};
		const checked = await fsck(log, { keys: [engine.memory.publicJwk], origin: "lethe.test/evidence" });
		assert.deepEqual([checked.size, checked.findings], [size, []]);
	});

	it("that is not what its witness saw is told, and nothing is signed over it", async () => {
		const { note } = engine.witness.kept;
		engine.witness.kept.note = note?.replace(/\n\d+\n/, "\n1\n") ?? "";
		await engine.evidence.append([{ type: "denied" }]);
		await engine.activities.sweepPage();
		assert.notEqual(engine.witness.kept.note, note);
		assert.ok(engine.errors.some((line) => line.includes("evidence_forked")));
		engine.witness.kept.note = note ?? "";
		await until(async () => {
			await engine.activities.sweepPage();
			return engine.witness.kept.note !== note;
		});
	});

	async function sweepAfter(ms: number): Promise<void> {
		engine.time.offsetMs += ms + 1;
		await engine.activities.sweepPage();
	}
});
