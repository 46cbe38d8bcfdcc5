// Looks after the records of recipients when their time has come: holds are applied again, what has lived long enough goes, with proof.

import { limits } from "../domain/limits.ts";
import {
	type ConsentRecord,
	type ErasedRecord,
	type HoldRecord,
	holdPassesOf,
	isRecordHeld,
	isWide,
	nextPassAt,
	type SubjectRecord,
	settlesAt,
} from "../domain/subject.ts";
import { addDuration } from "../policies/cohorts.ts";
import { consentEndedAt } from "../policies/standing.ts";
import type { ActivityDeps } from "./deps.ts";
import { guarded } from "./guarded.ts";
import { issueCertificate } from "./issueCertificate.ts";

export type TendDeps = Pick<ActivityDeps, "clock" | "ids" | "log" | "certificates" | "evidence"> & {
	store: {
		subjectRecords: Pick<
			ActivityDeps["store"]["subjectRecords"],
			"delete" | "erase" | "find" | "findBySubjects" | "findDue" | "nextCheck" | "note"
		>;
		certificates: Pick<ActivityDeps["store"]["certificates"], "insert" | "find">;
		subjectMessages: Pick<ActivityDeps["store"]["subjectMessages"], "hold" | "release">;
		wideHolds: Pick<ActivityDeps["store"]["wideHolds"], "apply">;
		cohorts: Pick<ActivityDeps["store"]["cohorts"], "endHold">;
	};
};

const lasting: readonly ConsentRecord["type"][] = ["express", "express_written"];

/** Tends one page of records that are due; every step may be repeated, and one record's failure never stops the others. */
export function createTend(deps: TendDeps) {
	const { subjectRecords } = deps.store;
	const applyHold = createApplyHold(deps);

	async function tendRecord(record: SubjectRecord | ErasedRecord, now: number): Promise<void> {
		if (record.kind === "erased") return tendErased(record, now);
		if (record.kind === "hold" && !(await applyHold(record, now))) return;
		if (record.eraseBy === undefined || record.eraseBy > now) return subjectRecords.nextCheck(record, record.eraseBy);
		const records = await recordsAround(record);
		if (isRecordHeld(records, record.tenantId)) return subjectRecords.nextCheck(record, now + limits.heldCohortCheckMs);
		const provesUntil = provenUntil(record, records, now);
		if (provesUntil > now) return subjectRecords.nextCheck(record, provesUntil);
		await eraseRecord(record, now);
	}

	/** Noted first: should this die in between, the sweep finds the note, and certifies what it sees gone. */
	async function eraseRecord(record: SubjectRecord, now: number): Promise<void> {
		const { _id, kind: was, tenantId } = record;
		const noteId = deps.ids.derive("evidence", `erased ${_id}`);
		const nextCheckAt = now + limits.driverPatienceMs;
		const note: ErasedRecord = { _id: noteId, kind: "erased", record: _id, was, tenantId, erasedAt: now, nextCheckAt };
		await deps.evidence.append([{ type: "record_erased", code: was, tenantId, about: _id, by: "engine" }]);
		await subjectRecords.note(note);
		if (!(await subjectRecords.erase(record))) return subjectRecords.delete(noteId);
		const verified = (await subjectRecords.find(_id)) === undefined;
		// A store that does not do what it answers is not asked all the time.
		if (!verified) await subjectRecords.nextCheck(record, now + limits.heldCohortCheckMs);
		await certify(note, verified);
	}

	async function tendErased(note: ErasedRecord, now: number): Promise<void> {
		// A key server that is away keeps no record from its turn.
		await subjectRecords.nextCheck(note, now + limits.driverPatienceMs);
		// What still stands, or stands again, is noted anew when it goes.
		if (await subjectRecords.find(note.record)) return subjectRecords.delete(note._id);
		// The ledger outside has it still where whoever erased it died, or lost the key server, before it was told.
		await subjectRecords.delete(note.record);
		await certify(note, true);
	}

	/** The note goes last: whoever comes by before issues the same certificate. */
	async function certify({ _id, record, was, tenantId, erasedAt }: ErasedRecord, verified: boolean): Promise<void> {
		const id = deps.ids.derive("certificate", `${record}/${was}/${erasedAt}`);
		const objects = [{ object: was, recordId: record, erasedAt, verified }];
		await issueCertificate(deps, { id, kind: "record", tenantId, about: record, objects, carrierCopies: [] });
		await subjectRecords.delete(_id);
	}

	/** All that is on record of its recipient, and of all of the tenant; of a hold, which nothing else keeps, none. */
	async function recordsAround({ kind, subjects, tenantId }: SubjectRecord): Promise<SubjectRecord[]> {
		if (kind === "hold" || subjects.length === 0) return [];
		return subjectRecords.findBySubjects([...subjects, tenantId]);
	}

	return async function tend(): Promise<void> {
		const now = deps.clock();
		const due = await subjectRecords.findDue(now, limits.sweepPageItems);
		for (const record of due) await guarded(deps, () => tendRecord(record, now), record._id);
	};
}

/** Until when a consent is proven: while it is in effect, and from its end, which an opt-out is too, for what a law wants. */
function provenUntil(record: SubjectRecord, records: readonly SubjectRecord[], now: number): number {
	// One that was withdrawn has its day from then. What was merely implied ends by itself, and proves nothing for ever.
	if (record.kind !== "consent" || record.ended || !lasting.includes(record.type)) return now;
	const endedAt = consentEndedAt(record, records);
	return endedAt === undefined ? now + limits.consentCheckMs : addDuration(endedAt, record.keptAfterEnd);
}

// A message that was accepted while the hold was being placed, or a door that died in between, is made good here: soon, and
// once more when all is stored that was judged without it.
function createApplyHold(deps: TendDeps) {
	const { subjectRecords, subjectMessages } = deps.store;

	async function applyWideHold(record: HoldRecord, now: number): Promise<boolean> {
		const { _id, passes = 0, ended } = record;
		const passesMax = holdPassesOf(record);
		if (passes >= passesMax) return true;
		const isOver = await deps.store.wideHolds.apply(record, now);
		if (isOver && ended) await deps.store.cohorts.endHold(_id, now);
		if (isOver && passes + 1 >= passesMax) return true;
		await subjectRecords.nextCheck(record, isOver ? now + limits.driverPatienceMs : Math.max(now, nextPassAt(record)));
		return false;
	}

	/** True when that is done for good; until then its next time is set. */
	return async function applyHold(record: HoldRecord, now: number): Promise<boolean> {
		if (isWide(record)) return applyWideHold(record, now);
		if (record.ended) {
			await subjectMessages.release(record, now);
			await deps.store.cohorts.endHold(record._id, now);
		} else await subjectMessages.hold(record);
		if (now >= settlesAt(record)) return true;
		await subjectRecords.nextCheck(record, settlesAt(record));
		return false;
	};
}
