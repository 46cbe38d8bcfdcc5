// When the keys are gone that an object was ever wrapped under: a copy of the database from before a move needs the former one.

import type { Cohort } from "../adapters/mongo/models.ts";
import { limits } from "../domain/limits.ts";
import { type Message, noEnd, type RetentionRecord, type SealedObjectName } from "../domain/message.ts";
import type { ActivityDeps } from "./deps.ts";

type Wrapped = Pick<RetentionRecord, "cohortId" | "formerCohorts"> | undefined;
type KeyDates = { keyDestroyedAt: number | undefined; keyDueAt: number | undefined };

/**
 * Of each object, the end of the last of its keys: `keyDestroyedAt` once all are destroyed, `keyDueAt` as planned; undefined
 * while one has no end. Every cohort is read once.
 * @throws LetheError store_unavailable
 */
export async function readKeyDates(
	{ cohorts }: { cohorts: Pick<ActivityDeps["store"]["cohorts"], "find"> },
	records: readonly Wrapped[],
): Promise<KeyDates[]> {
	const ids = [...new Set(records.flatMap(cohortsOf))];
	const known = new Map(await Promise.all(ids.map(async (id) => [id, await cohorts.find(id)] as const)));
	return records.map((record) => {
		const own = cohortsOf(record).map((id) => known.get(id));
		return { keyDestroyedAt: last(own.map((cohort) => cohort?.destroyedAt)), keyDueAt: last(own.map(endOf)) };
	});
}

/** The cohorts that an object has been in once it has moved to another; of very many the last. */
export function formerCohorts(message: Message, object: SealedObjectName, cohortId: string): string[] {
	const left = message[object]?.cohortId;
	const former = [...(message.retention[object]?.formerCohorts ?? []), ...(left === undefined ? [] : [left])];
	return [...new Set(former)].filter((id) => id !== cohortId).slice(-limits.formerCohortsMax);
}

function cohortsOf(record: Wrapped): string[] {
	return [...(record?.formerCohorts ?? []), ...(record?.cohortId === undefined ? [] : [record.cohortId])];
}

// What a hold keeps has no end yet.
function endOf(cohort: Pick<Cohort, "dueAt" | "destroyedAt"> | undefined): number | undefined {
	return cohort?.destroyedAt ?? (cohort?.dueAt === noEnd ? undefined : cohort?.dueAt);
}

function last(times: (number | undefined)[]): number | undefined {
	return times.length === 0 || times.includes(undefined) ? undefined : Math.max(...(times as number[]));
}
