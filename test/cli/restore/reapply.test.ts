// What a restore must not undo, over a real store that is older than its ledger: holds stand before anything goes, and nothing is sent.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { reapply } from "../../../cli/restore/reapply.ts";
import type { Deps } from "../../../deps.ts";
import type { LedgerEntry } from "../../../domain/ledger.ts";
import { isFinal } from "../../../domain/lifecycle.ts";
import { limits } from "../../../domain/limits.ts";
import type { HoldRecord } from "../../../domain/subject.ts";
import { end, enqueue } from "../../../domain/transition.ts";
import { createEngine, type Engine } from "../../harness/engine.ts";

describe("a store that is older than its ledger", () => {
	let engine: Engine;
	before(async () => {
		engine = await createEngine({ sender: false, worker: false });
	});
	after(() => engine.close());

	const reapplyAll = (entries: LedgerEntry[]) =>
		reapply({ ...engine, stored: engine.store, ledger: { all: async () => entries } } as unknown as Deps);
	function holdOn(tenantId: string, shape: Partial<HoldRecord>): HoldRecord {
		const now = engine.clock();
		return {
			_id: engine.ids.random("hold"),
			kind: "hold",
			tenantId,
			subjects: [tenantId],
			scope: "tenant",
			ground: "litigation",
			at: now,
			recordedAt: now,
			recordedBy: "key",
			nextCheckAt: now + limits.driverPatienceMs,
			...shape,
		};
	}
	const entryOf = (record: HoldRecord): LedgerEntry => ({ _id: record._id, kind: "record", record });
	const erasureOf = (tenantId: string, messageId: string): LedgerEntry => ({
		_id: messageId,
		kind: "erasure",
		tenantId,
		messageId,
		at: engine.clock(),
	});

	it("holds on a tenant and a period are on every message before one of them is ended, erased or purged", async () => {
		const tenantId = engine.ids.random("tenant");
		const open = await engine.accept({ tenantId });
		const early = await engine.accept({ tenantId, acceptedAt: engine.clock() - 60_000 });
		const other = await engine.accept();
		for (const { _id } of [open, early, other]) {
			assert.ok(await engine.store.messages.transition(enqueue(await engine.read(_id), engine.clock())));
		}
		const onTenant = holdOn(tenantId, {});
		const onPeriod = holdOn(tenantId, { scope: "period", to: engine.clock() - 30_000 });
		const applied = await reapplyAll([onTenant, onPeriod].map(entryOf));
		assert.deepEqual([applied.records, applied.unknown], [2, 3]);
		for (const { _id } of [open, early]) {
			const held = await engine.read(_id);
			assert.equal(held.state, "unknown");
			assert.ok(held.content && held.address, "ended, and kept");
		}
		assert.deepEqual((await engine.read(open._id)).holds, [onTenant._id]);
		assert.deepEqual(new Set((await engine.read(early._id)).holds), new Set([onTenant._id, onPeriod._id]));
		assert.equal((await engine.read(other._id)).content, undefined, "nothing holds another tenant's");
		const cohortId = open.content?.cohortId as string;
		await engine.store.cohorts.endNow([cohortId], engine.clock());
		assert.equal(await engine.activities.closeCohort(cohortId), true);
		assert.deepEqual(await engine.activities.erasePage(cohortId), { count: 0 }, "not before the second pass either");
		assert.ok((await engine.read(open._id)).content);
	});

	it("nothing is open afterwards, so nothing is sent, whatever is still on a queue", async () => {
		const message = await engine.accept();
		assert.ok(await engine.store.messages.transition(enqueue(message, engine.clock())));
		await reapplyAll([]);
		await engine.send({ messageId: message._id, attempt: 1, sendQueue: "queue" }, { holdBack: async () => undefined });
		assert.ok(isFinal((await engine.read(message._id)).state));
		assert.equal(engine.carrier.calls.length, 0);
	});

	it("an erasure whose message a hold keeps now goes once it is released, and others go at once", async () => {
		const tenantId = engine.ids.random("tenant");
		const delivered = async () => {
			const message = await engine.accept({ tenantId, contentAtFinal: false, addressAtFinal: false });
			await engine.store.messages.transition({ ...end(message, "delivered", engine.clock()), from: ["accepted"] });
			return message._id;
		};
		const [held, free] = [await delivered(), await delivered()];
		const hold = holdOn(tenantId, { scope: "message", subjects: [], messageId: held });
		const applied = await reapplyAll([entryOf(hold), erasureOf(tenantId, held), erasureOf(tenantId, free)]);
		assert.equal(applied.erasures, 2, "content and number of the one");
		assert.equal((await engine.read(free)).content, undefined);
		assert.ok((await engine.read(held)).content);
		const ended = { at: engine.clock(), recordedAt: engine.clock(), recordedBy: "key", source: "api" } as const;
		await engine.store.subjectRecords.end(hold._id, ended, { nextCheckAt: engine.clock() });
		for (let times = 0; times < 2; times++) {
			await engine.activities.sweepPage();
			engine.time.offsetMs += limits.driverPatienceMs * 2;
		}
		assert.equal((await engine.read(held)).content, undefined);
	});

	it("a hold that was released since is not put on again, and keeps nothing that comes later", async () => {
		const tenantId = engine.ids.random("tenant");
		const message = await engine.accept({ tenantId });
		const hold = holdOn(tenantId, {});
		const ended = { at: 5, recordedAt: 5, recordedBy: "key", source: "api" } as const;
		await reapplyAll([entryOf(hold), { _id: `${hold._id}-end`, kind: "ended", record: hold._id, ended }]);
		assert.deepEqual((await engine.read(message._id)).holds, []);
		const record = await engine.store.subjectRecords.find(hold._id);
		assert.deepEqual(record?.kind === "hold" && [record.ended, record.subjects], [ended, []]);
	});
});
