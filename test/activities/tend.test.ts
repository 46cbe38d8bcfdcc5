// Records of recipients when their time has come: holds reach what slipped by, and what has lived long enough goes.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { createTend } from "../../activities/tend.ts";
import { withLedger } from "../../adapters/ledger/withLedger.ts";
import { LetheError } from "../../domain/errors.ts";
import { isFinal } from "../../domain/lifecycle.ts";
import { limits } from "../../domain/limits.ts";
import type { Message } from "../../domain/message.ts";
import type { ConsentRecord, HoldRecord } from "../../domain/subject.ts";
import { cancel, close, refuse, type Transition } from "../../domain/transition.ts";
import { createEngine, type Engine } from "../harness/engine.ts";
import { placeHold, placeTenantHold, recordFields } from "../harness/records.ts";

describe("records of recipients", () => {
	let engine: Engine;
	before(async () => {
		engine = await createEngine({ worker: false, sender: false });
	});
	after(() => engine.close());

	const common = (message: Message) => recordFields(engine, message);
	const hold = (message: Message) => placeHold(engine, message);
	const consentOf = (message: Message, eraseBy: number): ConsentRecord => ({
		...common(message),
		_id: engine.ids.random("consent"),
		kind: "consent",
		type: "express",
		purposes: ["marketing"],
		wording: "w:1",
		evidence: "form-7",
		keptAfterEnd: "P1Y",
		ended: { at: engine.clock(), recordedAt: engine.clock(), recordedBy: "key_a", source: "api" },
		eraseBy,
		nextCheckAt: eraseBy,
	});
	const sweep = () => engine.activities.sweepPage();
	const accept = () => engine.accept({ subject: { version: 1, mac: engine.ids.random("evidence") } });

	it("a hold whose door died before it was applied is applied by the sweep", async () => {
		const message = await accept();
		const record = await hold(message);
		await sweep();
		assert.deepEqual((await engine.read(message._id)).holds, [record._id]);
		engine.time.offsetMs += limits.holdSettleMs;
		await sweep();
		assert.equal((await engine.store.subjectRecords.find(record._id)).nextCheckAt, undefined);
	});

	it("a hold that ends while it is looked after is looked at again when its end says so", async () => {
		const message = await accept();
		const { _id } = await hold(message);
		const { subjectRecords } = engine.store;
		const read = (await subjectRecords.find(_id)) as HoldRecord;
		const nextCheckAt = engine.clock() + 1_000;
		await subjectRecords.end(
			_id,
			{ at: engine.clock(), recordedAt: engine.clock(), recordedBy: "usr_a", source: "api" },
			{ nextCheckAt },
		);
		await subjectRecords.nextCheck(read, undefined);
		assert.equal((await subjectRecords.find(_id))?.nextCheckAt, nextCheckAt);
	});

	it("a record that gets an earlier day while it is looked after is looked at again by then", async () => {
		const { subjectRecords } = engine.store;
		const now = engine.clock();
		const record = { ...consentOf(await accept(), now + 2_000), nextCheckAt: now };
		await subjectRecords.insert(record);
		assert.ok(await subjectRecords.retime(record, { eraseBy: now + 1_000, keptAfterEnd: "P0D" }));
		await subjectRecords.nextCheck(record, record.eraseBy);
		const { nextCheckAt, eraseBy } = (await subjectRecords.find(record._id)) as ConsentRecord;
		assert.ok((nextCheckAt as number) <= (eraseBy as number));
		await subjectRecords.delete(record._id);
	});

	it("what was judged before a hold, and comes late into the store, bears it before the hold counts as placed", async () => {
		const first = await accept();
		const { tenantId, subject } = first;
		const holds = [await placeHold(engine, first), await placeTenantHold(engine, first)];
		const isApplied = async () => {
			const records = await engine.store.subjectRecords.findBySubjects([tenantId]);
			return (records as HoldRecord[]).some(({ appliedAt }) => appliedAt !== undefined);
		};
		const acceptedAt = engine.clock() - 100;
		for (let looks = 0; looks < 2; looks++) {
			await sweep();
			engine.time.offsetMs += limits.driverPatienceMs + 1;
		}
		const times = { deadlineAt: engine.clock() + 3600_000, closeAt: engine.clock() + 3600_000 };
		const nextCheckAt = engine.clock() + 3600_000;
		const late = await engine.accept({ tenantId, subject, acceptedAt, nextCheckAt, ...times });
		await sweep();
		assert.equal(await isApplied(), false);
		engine.time.offsetMs += limits.holdSettleMs;
		await sweep();
		assert.deepEqual(new Set((await engine.read(late._id)).holds), new Set(holds.map(({ _id }) => _id)));
		assert.equal(await isApplied(), true);
	});

	it("what was judged before a release, and comes late into the store, does not keep the hold", async () => {
		const first = await accept();
		const ended = { at: engine.clock(), recordedAt: engine.clock(), recordedBy: "key_a", source: "api" as const };
		const record = await placeTenantHold(engine, first, { ended, subjects: [] });
		for (let looks = 0; looks < 2; looks++) {
			await sweep();
			engine.time.offsetMs += limits.driverPatienceMs + 1;
		}
		const { tenantId } = first;
		const late = await engine.accept({ tenantId, acceptedAt: record.at - 100, holds: [record._id] });
		await sweep();
		engine.time.offsetMs += limits.holdSettleMs;
		await sweep();
		assert.deepEqual((await engine.read(late._id)).holds, []);
	});

	it("what a hold kept beyond its time is erased and certified soon after the release", async () => {
		const message = await accept();
		const record = await hold(message);
		await engine.store.subjectMessages.hold(record);
		await engine.store.messages.transition(cancel(await engine.read(message._id), engine.clock()));
		assert.ok((await engine.read(message._id)).content);
		engine.time.offsetMs += limits.driverPatienceMs + 1;
		await sweep();
		assert.ok((await engine.read(message._id)).content, "held, it stays");
		const ended = { at: engine.clock(), recordedAt: engine.clock(), recordedBy: "key_a", source: "api" as const };
		await engine.store.subjectRecords.end(record._id, ended, { eraseBy: engine.clock() + 3600_000 });
		await engine.store.subjectMessages.release(record, engine.clock());
		await sweep();
		engine.time.offsetMs += limits.driverPatienceMs + 1;
		await sweep();
		const gone = await engine.read(message._id);
		assert.deepEqual([gone.content, gone.address], [undefined, undefined]);
		assert.ok(gone.retention.content?.verifiedAt);
		assert.equal(gone.certificates.length, 1);
	});

	it("a hold on all of a tenant is put on by the page, and nothing is purged of it before each message bears it", async () => {
		const [first] = await Promise.all([accept(), accept()]);
		const { tenantId } = first as Message;
		const messages = [first as Message, ...(await Promise.all([1, 2, 3].map(() => engine.accept({ tenantId }))))];
		const record = await placeTenantHold(engine, first as Message);
		for (const message of messages.slice(1)) {
			await engine.store.messages.transition(cancel(await engine.read(message._id), engine.clock()));
		}
		// Its record is due, and the hold is not on it yet.
		const [, due] = messages as [Message, Message];
		const set = { "retention.decision_record.eraseBy": engine.clock(), nextCheckAt: engine.clock() };
		await engine.store.messages.transition({ id: due._id, set });
		await sweep();
		assert.ok(await engine.read(due._id));
		engine.time.offsetMs += limits.driverPatienceMs + 1;
		await sweep();
		engine.time.offsetMs += limits.holdSettleMs;
		await sweep();
		const applied = (await engine.store.subjectRecords.find(record._id)) as HoldRecord;
		assert.ok(applied.appliedAt);
		for (const { _id } of messages) assert.deepEqual((await engine.read(_id)).holds, [record._id]);
		engine.time.offsetMs += limits.heldCohortCheckMs + 1;
		await sweep();
		assert.ok(await engine.read(due._id), "held, it stays");
		const ended = { at: engine.clock(), recordedAt: engine.clock(), recordedBy: "key_a", source: "api" as const };
		await engine.store.subjectRecords.end(record._id, ended, { nextCheckAt: engine.clock(), subjects: [] });
		for (let minutes = 0; minutes < 60; minutes += 5) {
			await sweep();
			engine.time.offsetMs += 5 * 60_000;
		}
		assert.equal(await engine.read(due._id), undefined);
		assert.deepEqual((await engine.read((first as Message)._id)).holds, []);
	});

	it("what ends while a hold on all of its tenant is being placed is kept, whatever ends it, and goes after the release", async () => {
		const first = await accept();
		const { tenantId } = first;
		const time = { acceptedAt: engine.clock() - 60_000, deadlineAt: engine.clock() + 1_000 };
		const more = [1, 2, 3].map(() => engine.accept({ tenantId, ...time }));
		const messages = [first, ...(await Promise.all(more))] as [Message, Message, Message, Message];
		const [, expired, refused, finalised] = messages;
		// Read before the hold was recorded.
		const cancelling = cancel(first, engine.clock());
		const record = await placeTenantHold(engine, first);
		const outside = await accept();
		await placeTenantHold(engine, outside, { scope: "period", to: outside.acceptedAt - 1 });
		assert.ok(await engine.store.messages.transition(cancelling));
		assert.ok(await engine.store.messages.transition(refuse(refused, engine.clock(), "policy_denied")));
		await engine.activities.finalise(finalised.submissionId, true);
		assert.ok(await engine.store.messages.transition(cancel(outside, engine.clock())));
		engine.time.offsetMs += 2_000;
		assert.ok(await engine.store.messages.transition(close(expired, engine.clock()) as Transition));
		assert.equal((await engine.read(outside._id)).content, undefined, "of another time, it is not covered");
		for (const { _id } of messages) {
			const kept = await engine.read(_id);
			assert.ok(isFinal(kept.state) && kept.content && kept.address, kept.state);
			assert.deepEqual([kept.holds, kept.retention.content?.erasedAt], [[record._id], undefined]);
			assert.ok(!kept.evidence.some(({ type }) => type === "erased"));
		}
		const ended = { at: engine.clock(), recordedAt: engine.clock(), recordedBy: "key_a", source: "api" as const };
		await engine.store.subjectRecords.end(record._id, ended, { nextCheckAt: engine.clock(), subjects: [] });
		for (let looks = 0; looks < 20; looks++) {
			engine.time.offsetMs += limits.driverPatienceMs + 1;
			await sweep();
		}
		for (const { _id } of messages) {
			const { content, address, holds, retention } = await engine.read(_id);
			assert.deepEqual([content, address, holds], [undefined, undefined, []]);
			assert.ok(retention.content?.verifiedAt);
		}
	});

	it("a record goes when no law keeps it any more, unless its recipient is held", async () => {
		const message = await accept();
		const due = consentOf(message, engine.clock());
		const later = consentOf(message, engine.clock() + 7200_000);
		await engine.store.subjectRecords.insert(due);
		await engine.store.subjectRecords.insert(later);
		const record = await hold(message);
		await sweep();
		assert.ok(await engine.store.subjectRecords.find(due._id));
		const ended = { at: engine.clock(), recordedAt: engine.clock(), recordedBy: "key_a", source: "api" as const };
		await engine.store.subjectRecords.end(record._id, ended);
		engine.time.offsetMs += limits.heldCohortCheckMs + 1;
		await sweep();
		assert.equal(await engine.store.subjectRecords.find(due._id), undefined);
		assert.ok(await engine.store.subjectRecords.find(later._id));
	});

	const dueRecord = async () => {
		const now = engine.clock();
		const due = { ...consentOf(await accept(), now), nextCheckAt: now };
		await engine.store.subjectRecords.insert(due);
		return due;
	};
	const certificatesOf = async ({ _id, tenantId }: { _id: string; tenantId: string }) =>
		(await engine.store.certificates.page(tenantId, _id, 100)).map(({ jws }) =>
			JSON.parse(Buffer.from(jws.split(".")[1] as string, "base64url").toString()),
		);

	it("an erased record is read back and certified, and leaves nothing else behind", async () => {
		const due = await dueRecord();
		await sweep();
		assert.equal(await engine.store.subjectRecords.find(due._id), undefined);
		const [certificate, ...more] = await certificatesOf(due);
		assert.deepEqual([certificate?.status, certificate?.kind, more.length], ["complete", "record", 0]);
		assert.deepEqual(certificate.objects[0].recordIds, [due._id]);
		assert.ok(!JSON.stringify(certificate).includes(due.subjects[0] as string));
		engine.time.offsetMs += limits.heldCohortCheckMs;
		const notes = (await engine.store.subjectRecords.findDue(engine.clock(), 500)).filter(
			({ kind }) => kind === "erased",
		);
		assert.deepEqual(notes, []);
	});

	it("a record that was erased while no certificate could be signed gets its own later, once", async () => {
		const due = await dueRecord();
		engine.memory.away.value = true;
		await sweep();
		engine.memory.away.value = false;
		assert.equal(await engine.store.subjectRecords.find(due._id), undefined);
		assert.deepEqual(await certificatesOf(due), []);
		engine.time.offsetMs += limits.driverPatienceMs + 1;
		await sweep();
		engine.time.offsetMs += limits.driverPatienceMs + 1;
		await sweep();
		const certificates = await certificatesOf(due);
		assert.deepEqual(
			certificates.map(({ status }) => status),
			["complete"],
		);
	});

	it("a record that the store answers to have erased, and shows still, is certified as incomplete", async () => {
		const due = await dueRecord();
		const { subjectRecords } = engine.store;
		const store = { ...engine.store, subjectRecords: { ...subjectRecords, erase: async () => true } };
		await createTend({ ...engine, store })();
		const [certificate] = await certificatesOf(due);
		assert.deepEqual([certificate?.status, certificate?.reasons], ["incomplete", ["copy_unverified"]]);
		engine.time.offsetMs += limits.heldCohortCheckMs + 1;
		await sweep();
		const statuses = (await certificatesOf(due)).map(({ status }) => status);
		assert.deepEqual(statuses.toSorted(), ["complete", "incomplete"]);
	});

	it("a sweep that dies between the note and the erasure certifies nothing that still stands", async () => {
		const due = await dueRecord();
		const { subjectRecords } = engine.store;
		const dies = async () => {
			throw new LetheError("store_unavailable");
		};
		await createTend({ ...engine, store: { ...engine.store, subjectRecords: { ...subjectRecords, erase: dies } } })();
		const { tenantId } = due;
		await placeHold(engine, { ...(await accept()), tenantId, subject: { version: 1, mac: due.subjects[0] as string } });
		engine.time.offsetMs += limits.driverPatienceMs + 1;
		await sweep();
		assert.ok(await subjectRecords.find(due._id));
		assert.deepEqual(await certificatesOf(due), []);
	});

	it("a record is certified as gone only once the ledger outside has forgotten it too", async () => {
		const due = await dueRecord();
		const forgotten: string[] = [];
		let isAway = true;
		const nothing = async () => undefined;
		const forget = async (_kind: string, id: string) => {
			if (isAway) throw new LetheError("keys_unavailable");
			forgotten.push(id);
		};
		const store = withLedger(engine.store, { put: nothing, putWhole: nothing, putStanding: nothing, forget }, engine);
		const tend = createTend({ ...engine, store });
		await tend();
		assert.equal(await engine.store.subjectRecords.find(due._id), undefined);
		engine.time.offsetMs += limits.driverPatienceMs + 1;
		await tend();
		assert.deepEqual(await certificatesOf(due), []);
		isAway = false;
		engine.time.offsetMs += limits.driverPatienceMs + 1;
		await tend();
		assert.ok(forgotten.includes(due._id));
		assert.deepEqual((await certificatesOf(due)).length, 1);
	});

	it("one that can't be tended keeps no other from its turn", async () => {
		const [poor, well] = [await accept(), await accept()];
		const [stuck, applied] = [await hold(poor), await hold(well)];
		const { subjectMessages } = engine.store;
		const tend = createTend({
			...engine,
			store: {
				...engine.store,
				subjectMessages: {
					...subjectMessages,
					hold: async (record) => {
						if (record._id === stuck._id) throw new LetheError("store_unavailable");
						return subjectMessages.hold(record);
					},
				},
			},
		});
		await tend();
		assert.deepEqual((await engine.read(well._id)).holds, [applied._id]);
		assert.ok((await engine.store.subjectRecords.find(stuck._id)).nextCheckAt, "and its own comes again");
	});

	it("a final message that a hold keeps beyond its record's time is not looked at all the time", async () => {
		const message = await accept();
		const record = await hold(message);
		await engine.store.subjectMessages.hold(record);
		await engine.store.messages.transition(cancel(await engine.read(message._id), engine.clock()));
		const now = engine.clock();
		const set = { "retention.decision_record.eraseBy": now, "retention.receipt.eraseBy": now, nextCheckAt: now };
		await engine.store.messages.transition({ id: message._id, set });
		await sweep();
		const kept = await engine.read(message._id);
		assert.ok((kept.nextCheckAt ?? 0) >= now + limits.heldCohortCheckMs);
	});

	it("what proves a consent stays while that is in effect, and from an opt-out, which ends it, too, as long as a law wants", async () => {
		const message = await accept();
		const { ended: _, ...inEffect } = consentOf(message, engine.clock());
		const consent = { ...inEffect, keptAfterEnd: "PT1H" };
		await engine.store.subjectRecords.insert(consent);
		const implied = { ...inEffect, _id: engine.ids.random("consent"), type: "implied" as const };
		await engine.store.subjectRecords.insert(implied);
		const find = (id = consent._id) => engine.store.subjectRecords.find(id);
		await sweep();
		assert.ok(((await find())?.nextCheckAt ?? 0) >= consent.at + limits.consentCheckMs);
		assert.equal(await find(implied._id), undefined, "which ends by itself, goes at its maximum");
		engine.time.offsetMs += limits.consentCheckMs;
		const optOut = {
			...common(message),
			_id: engine.ids.random("optOut"),
			kind: "opt_out",
			scope: "marketing",
		} as const;
		await engine.store.subjectRecords.insert({ ...optOut, source: "api" });
		await sweep();
		assert.equal((await find())?.nextCheckAt, optOut.at + 3600_000);
		engine.time.offsetMs += 1800_000;
		assert.ok(await engine.store.subjectRecords.repeat(optOut._id, engine.clock()));
		engine.time.offsetMs += 1800_000;
		await sweep();
		assert.equal(await find(), undefined, "by the first that ended it: said again, it ends no more");
		assert.equal((await certificatesOf(consent)).length, 1);
	});
});
