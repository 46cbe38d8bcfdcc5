// A hold that has ended may come onto a message all the same, by a process that had read it as live and stood still since.

import { createCache } from "../domain/cache.ts";
import { limits } from "../domain/limits.ts";
import type { Message } from "../domain/message.ts";
import type { ErasedRecord, SubjectRecord } from "../domain/subject.ts";
import type { ActivityDeps } from "./deps.ts";

export type DropEndedHoldsDeps = Pick<ActivityDeps, "clock"> & {
	store: {
		subjectRecords: Pick<ActivityDeps["store"]["subjectRecords"], "find">;
		subjectMessages: Pick<ActivityDeps["store"]["subjectMessages"], "release">;
	};
};

/**
 * Takes those of a message's holds off it that have ended, and has the sweep look at it now; true when there were any. One
 * without a record stays: nobody knows whether it has.
 */
export function createDropEndedHolds(deps: DropEndedHoldsDeps) {
	// Many messages bear the same.
	const find = createCache<SubjectRecord | ErasedRecord>({
		load: deps.store.subjectRecords.find,
		clock: deps.clock,
		ttlMs: limits.holdSeenMs,
		itemsMax: limits.holdsSeenMax,
	});

	return async function dropEndedHolds({ _id, holds, restrictedBy = [] }: Message): Promise<boolean> {
		const records = await Promise.all([...new Set([...holds, ...restrictedBy])].map(find));
		const ended = records.flatMap((record) => (record?.kind === "hold" && record.ended ? [record] : []));
		for (const record of ended) {
			await deps.store.subjectMessages.release({ ...record, messageId: _id }, deps.clock());
		}
		return ended.length > 0;
	};
}
