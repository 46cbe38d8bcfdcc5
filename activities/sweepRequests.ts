// Subjects' requests whose time has come: their runs are woken, and a record that has lived long enough goes, with proof.

import type { ErasedRequest, StoredRequest } from "../adapters/mongo/subjectRequests.ts";
import { limits } from "../domain/limits.ts";
import { isRecordHeld } from "../domain/subject.ts";
import type { ActivityDeps } from "./deps.ts";
import { guarded } from "./guarded.ts";
import { issueCertificate } from "./issueCertificate.ts";

export type SweepRequestsDeps = Pick<ActivityDeps, "clock" | "ids" | "log" | "certificates" | "evidence"> & {
	store: Pick<ActivityDeps["store"], "subjectRequests" | "subjectExports" | "subjectRecords" | "certificates">;
	runs: Pick<ActivityDeps["runs"], "wakeRequest">;
};

/** One page; one request's failure never stops the others. Answers how many it found. */
export function createSweepRequests(deps: SweepRequestsDeps) {
	const { subjectRequests } = deps.store;

	async function look(request: StoredRequest | ErasedRequest, now: number): Promise<void> {
		if (request.state === "erased") return certify(request);
		const isOver = request.closed && request.eraseBy !== undefined && request.eraseBy <= now;
		if (isOver && !(await isHeld(request))) return erase(request, now);
		const nextCheckAt = now + (isOver ? limits.heldCohortCheckMs : limits.driverPatienceMs);
		// The new date is a claim: of two sweeps one wakes it, and one whose run can't be woken keeps no other from its turn.
		const claimed = await subjectRequests.change(request._id, (current) =>
			current.revision === request.revision ? { ...current, nextCheckAt } : undefined,
		);
		if (claimed?.revision !== request.revision + 1 || isOver) return;
		await deps.runs.wakeRequest({ requestId: request._id, tenantId: request.tenantId });
	}

	async function erase(request: StoredRequest, now: number): Promise<void> {
		const { _id: about, tenantId } = request;
		await deps.evidence.append([{ type: "record_erased", code: "subject_request", tenantId, about, by: "engine" }]);
		if (!(await subjectRequests.erase(request, now, now + limits.driverPatienceMs))) return;
		await certify({ _id: about, tenantId, erasedAt: now });
	}

	/** What is left goes last: whoever comes by before issues the same certificate. */
	async function certify({
		_id,
		tenantId,
		erasedAt,
	}: Pick<ErasedRequest, "_id" | "tenantId" | "erasedAt">): Promise<void> {
		const id = deps.ids.derive("certificate", `${_id}/subject_request/${erasedAt}`);
		const verified = (await subjectRequests.find(_id)) === undefined;
		const objects = [{ object: "subject_request" as const, recordId: _id, erasedAt, verified }];
		await issueCertificate(deps, { id, kind: "record", tenantId, about: _id, objects, carrierCopies: [] });
		await subjectRequests.delete(_id);
	}

	async function isHeld({ subjects, tenantId }: StoredRequest): Promise<boolean> {
		return isRecordHeld(await deps.store.subjectRecords.findBySubjects([...subjects, tenantId]), tenantId);
	}

	return async function sweepRequests(): Promise<number> {
		const now = deps.clock();
		await guarded(deps, () => deps.store.subjectExports.eraseDue(now));
		const due = await subjectRequests.findDue(now, limits.sweepPageItems);
		for (const request of due) await guarded(deps, () => look(request, now), request._id);
		return due.length;
	};
}
