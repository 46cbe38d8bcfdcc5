// Policies that come into force set anew how long consents, opt-outs and released holds live.

import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { limits } from "../../domain/limits.ts";
import type { ConsentRecord, HoldRecord, OptOutRecord, SubjectRecord } from "../../domain/subject.ts";
import type { RuleChange } from "../../policies/change.ts";
import { addDuration } from "../../policies/cohorts.ts";
import { createRetimingStage, day } from "../harness/retiming.ts";

const recipient = { country: "DE" };
// Of the defaults; for a recipient in Germany the GDPR's pack allows no more for a consent and a decision.
const [consentMax, consentMin, optOutMax, holdMax] = ["P6Y", "P2Y", "P12Y", "P6Y"];
const changes: RuleChange[] = Object.entries({
	"consent_evidence.max": consentMax,
	"consent_evidence.min": consentMin,
	"suppression.max": optOutMax,
	"decision_record.max": holdMax,
}).map(([place, value]) => ({ rule: "defaults.retention", path: `retention.${place}`, value }));
const year = 366 * day;

describe("re-timing of records", () => {
	const stage = createRetimingStage();
	before(() => stage.start());
	after(() => stage.close());
	beforeEach(() => stage.restart());

	function fields(prefix: "consent" | "optOut" | "hold", agoMs: number) {
		const recordedAt = stage.engine.clock() - agoMs;
		const _id = stage.engine.ids.random(prefix);
		return { _id, tenantId: stage.tenantId, subjects: [`1.${_id}`], at: recordedAt, recordedAt, recordedBy: "key_a" };
	}

	async function insert<Record extends SubjectRecord>(record: Record): Promise<Record> {
		await stage.engine.store.subjectRecords.insert(record);
		return record;
	}

	const consent = (agoMs: number, more: Partial<ConsentRecord> = {}) =>
		insert<ConsentRecord>({
			...fields("consent", agoMs),
			...{ kind: "consent", type: "express", purposes: ["marketing"], wording: "form-v3", evidence: "form-12" },
			...{ recipient, keptAfterEnd: "P0D", eraseBy: stage.engine.clock() + 20 * year },
			...more,
		});
	const optOut = (agoMs: number, more: Partial<OptOutRecord> = {}) =>
		insert<OptOutRecord>({
			...fields("optOut", agoMs),
			...{ kind: "opt_out", scope: "all", source: "api", recipient, ...more },
		});
	const hold = (agoMs: number, more: Partial<HoldRecord> = {}) =>
		insert<HoldRecord>({ ...fields("hold", agoMs), kind: "hold", scope: "message", ground: "audit", ...more });
	const ending = (agoMs: number) => {
		const at = stage.engine.clock() - agoMs;
		return { at, recordedAt: at, recordedBy: "key_a", source: "api" as const };
	};
	const read = async (record: SubjectRecord) =>
		(await stage.engine.store.subjectRecords.find(record._id)) as SubjectRecord | undefined;

	async function publishAndRun(): Promise<void> {
		await stage.publishShorter(changes);
		await stage.runPass();
	}

	it("a shorter maximum counts from the day on which each was recorded, or ended", async () => {
		const [given, stopped] = [await consent(10 * day), await optOut(10 * day)];
		const released = await hold(10 * day, { ended: ending(2 * day), eraseBy: stage.engine.clock() + 20 * year });
		await publishAndRun();
		const expected = [addDuration(given.recordedAt, consentMax), addDuration(stopped.recordedAt, optOutMax)];
		for (const [index, record] of [given, stopped].entries()) {
			const { eraseBy, nextCheckAt } = (await read(record)) ?? {};
			assert.equal(eraseBy, expected[index], record.kind);
			assert.ok((nextCheckAt ?? Infinity) <= (eraseBy ?? 0), "the sweep comes by then");
		}
		assert.equal((await read(released))?.eraseBy, addDuration(released.ended?.recordedAt ?? 0, holdMax));
	});

	it("a longer one keeps what would have gone, and what is over goes with proof", async () => {
		const soon = stage.engine.clock() + day;
		const staying = await consent(10 * day, { eraseBy: soon, nextCheckAt: soon });
		const over = await optOut(13 * year);
		await publishAndRun();
		await stage.sweepUntil(async () => (await read(over)) === undefined);
		const [certificate] = await stage.engine.store.certificates.page(stage.tenantId, over._id, 10);
		assert.ok(certificate, "certified");
		stage.engine.time.offsetMs += 2 * day;
		await stage.engine.activities.sweepPage();
		assert.equal((await read(staying))?.eraseBy, addDuration(staying.recordedAt, consentMax));
	});

	it("what a law has kept after a consent's end outlives the longest term, and is all that a subject's request leaves", async () => {
		const ended = ending(10 * day);
		const withdrawn = await consent(9 * year, { ended });
		const kept = (duration: string) => ({ keptAfterEnd: "P5Y", eraseBy: addDuration(ended.recordedAt, duration) });
		const byRequest = { ended: { ...ended, source: "erasure" as const } };
		const forgotten = await consent(20 * day, { ...byRequest, ...kept("P5Y") });
		// Who ended it had read it before other policies were in force.
		const overtaken = await consent(20 * day, { ...byRequest, ...kept("P1Y") });
		const recent = await consent(20 * day, { ended, ...kept("P5Y") });
		await publishAndRun();
		const proven = addDuration(ended.recordedAt, consentMin);
		for (const record of [withdrawn, forgotten, overtaken]) {
			const { eraseBy, keptAfterEnd } = (await read(record)) as ConsentRecord;
			assert.deepEqual([eraseBy, keptAfterEnd], [proven, consentMin]);
		}
		const longest = addDuration(recent.recordedAt, consentMax);
		assert.equal((await read(recent))?.eraseBy, longest, "its end shortens nothing");
	});

	it("a live hold, and a record of whose recipient nothing is known, keep their dates", async () => {
		const { recipient: _, ...unknown } = await optOut(10 * day);
		await stage.engine.store.subjectRecords.delete(unknown._id);
		const eraseBy = stage.engine.clock() + 20 * year;
		const kept = [await hold(10 * day), await insert<OptOutRecord>({ ...unknown, eraseBy })];
		await publishAndRun();
		assert.deepEqual(
			(await Promise.all(kept.map(read))).map((record) => record?.eraseBy),
			[undefined, eraseBy],
		);
	});

	it("all pages are seen, and the second look takes what was recorded meanwhile", async () => {
		const many = await Promise.all(Array.from({ length: 450 }, (_, index) => optOut(index * 1_000)));
		await publishAndRun();
		const found = await Promise.all(many.map(read));
		assert.ok(many.every(({ recordedAt }, index) => found[index]?.eraseBy === addDuration(recordedAt, optOutMax)));
		const late = await optOut(0);
		stage.engine.time.offsetMs += limits.retimeSettleMs;
		await stage.runPass();
		assert.equal((await read(late))?.eraseBy, addDuration(late.recordedAt, optOutMax));
	});
});
