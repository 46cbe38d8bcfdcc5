// Opens cohorts: the store's document is the lock, Vault's key comes first, and both are made ahead for the next bucket.

import { LetheError } from "../domain/errors.ts";
import type { IdKind } from "../domain/ids.ts";
import { limits } from "../domain/limits.ts";
import type { Cohort } from "./mongo/models.ts";

export type CohortPlace = { tenantId: string; region: string; retentionClass: string; dueAt: number };

export type Cohorts = ReturnType<typeof createCohorts>;

/** Cohorts this process has seen open, bounded; a cohort never reopens, and is due long after its last insert. */
export function createCohorts(deps: {
	cohorts: { open: (cohort: Cohort) => Promise<Cohort> };
	cohortKeys: { createCohortKey: (cohortId: string) => Promise<void> };
	ids: { derive: (kind: IdKind, text: string) => string };
	clock: () => number;
}) {
	const seen = new Map<string, Promise<string>>();

	async function open(id: string, place: CohortPlace): Promise<string> {
		const now = deps.clock();
		// The key first: a document without its key would accept messages that nothing can encrypt.
		await deps.cohortKeys.createCohortKey(id);
		const cohort = await deps.cohorts.open({
			_id: id,
			...place,
			state: "open",
			holds: [],
			createdAt: now,
			certificates: [],
			nextCheckAt: place.dueAt,
		});
		if (cohort.state !== "open") throw new LetheError("internal", { cause: "cohort_closed" });
		return id;
	}

	return {
		/**
		 * The id of the open cohort at that place.
		 * @throws LetheError keys_unavailable | store_unavailable when it is new and can't be made now
		 */
		ensure(place: CohortPlace): Promise<string> {
			const id = deps.ids.derive("cohort", `${place.tenantId}|${place.region}|${place.retentionClass}|${place.dueAt}`);
			let opening = seen.get(id);
			if (!opening) {
				opening = open(id, place);
				opening.catch(() => seen.delete(id));
				seen.set(id, opening);
				if (seen.size > limits.cohortsSeenMax) seen.delete(seen.keys().next().value as string);
			}
			return opening;
		},
	};
}
