// Looks after the records of recipients when their time has come: holds are applied again, what has lived long enough goes.

import { limits } from "../domain/limits.ts";
import { type HoldRecord, type SubjectRecord, standingOf } from "../domain/subject.ts";
import type { ActivityDeps } from "./deps.ts";
import { guarded } from "./guarded.ts";

export type TendDeps = Pick<ActivityDeps, "clock" | "log"> & {
	store: {
		subjectRecords: Pick<
			ActivityDeps["store"]["subjectRecords"],
			"delete" | "findBySubjects" | "findDue" | "nextCheck"
		>;
		subjectMessages: Pick<ActivityDeps["store"]["subjectMessages"], "hold" | "release">;
	};
};

/** Tends one page of records that are due; every step may be repeated, and one record's failure never stops the others. */
export function createTend(deps: TendDeps) {
	const { subjectRecords, subjectMessages } = deps.store;

	async function tendRecord(record: SubjectRecord, now: number): Promise<void> {
		if (record.kind === "hold") await applyHold(record, now);
		if (record.eraseBy === undefined || record.eraseBy > now)
			return subjectRecords.nextCheck(record._id, record.eraseBy);
		if (await isHeld(record)) return subjectRecords.nextCheck(record._id, now + limits.heldCohortCheckMs);
		await subjectRecords.delete(record._id);
	}

	// A message that was accepted while the hold was being placed, or a door that died in between, is made good here.
	async function applyHold(record: HoldRecord, now: number): Promise<void> {
		if (record.ended) await subjectMessages.release(record, now);
		else await subjectMessages.hold(record);
	}

	async function isHeld({ kind, subjects, tenantId }: SubjectRecord): Promise<boolean> {
		if (kind === "hold" || subjects.length === 0) return false;
		return standingOf(await subjectRecords.findBySubjects(subjects), tenantId).holds.length > 0;
	}

	return async function tend(): Promise<void> {
		const now = deps.clock();
		const due = await subjectRecords.findDue(now, limits.sweepPageItems);
		for (const record of due) await guarded(deps, () => tendRecord(record, now));
	};
}
