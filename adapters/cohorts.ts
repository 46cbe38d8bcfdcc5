// Opens cohorts: the store's document is the lock, Vault's key comes first. It knows which are needed next.

import { LetheError } from "../domain/errors.ts";
import type { IdKind } from "../domain/ids.ts";
import { limits } from "../domain/limits.ts";
import type { Cohort } from "./mongo/models.ts";

export type CohortPlace = {
	tenantId: string;
	region: string;
	retentionClass: string;
	dueAt: number;
	/** The hold whose key is kept there. */
	holdId?: string;
	/** For what secure links open: the API may decrypt it, and reads nothing of it without their other half. */
	linked?: true;
};

/** When an object like the one that a cohort is wanted for is due, made so many milliseconds later. */
export type DueAfter = (ms: number) => number | undefined;

type Seen = { place: CohortPlace; opening: Promise<string>; until: number; use?: { at: number; dueAfter: DueAfter } };

export type Cohorts = ReturnType<typeof createCohorts>;

// Each generation of a place was given up while messages could still come for it: there are few.
const generationsMax = 16;

/** Cohorts this process has seen open, bounded in number; each is looked at again after `limits.cohortSeenMs`. */
export function createCohorts(deps: {
	cohorts: { open: (cohort: Cohort) => Promise<Cohort>; find: (id: string) => Promise<Cohort | undefined> };
	cohortKeys: { createCohortKey: (cohortId: string) => Promise<void> };
	ids: { derive: (kind: IdKind, text: string) => string };
	clock: () => number;
}) {
	const seen = new Map<string, Seen>();
	const idOf = (place: CohortPlace, generation: number) => {
		const name = nameOf(place);
		return deps.ids.derive(place.linked ? "linkCohort" : "cohort", generation === 0 ? name : `${name}|${generation}`);
	};

	async function create(id: string, place: CohortPlace): Promise<Cohort> {
		// The key first: a document without its key would accept messages that nothing can encrypt.
		await deps.cohortKeys.createCohortKey(id);
		return deps.cohorts.open({
			_id: id,
			...place,
			state: "open",
			createdAt: deps.clock(),
			keyMadeAt: deps.clock(),
			certificates: [],
			nextCheckAt: place.holdId === undefined ? place.dueAt : deps.clock() + limits.holdKeyCheckMs,
		});
	}

	async function open(place: CohortPlace): Promise<string> {
		for (let generation = 0; generation < generationsMax; generation++) {
			const id = idOf(place, generation);
			const cohort = (await deps.cohorts.find(id)) ?? (await create(id, place));
			// Given up early: the next generation stands in its place.
			if (cohort.retiredAt !== undefined) continue;
			if (cohort.state === "open") return id;
			break;
		}
		throw new LetheError("internal", { cause: "cohort_closed" });
	}

	return {
		/**
		 * The id of the open cohort at that place. With `dueAfter` the place counts as in use, and the next is foreseen.
		 * @throws LetheError keys_unavailable | store_unavailable when it is new, or due for a look, and that is not possible
		 */
		ensure(place: CohortPlace, dueAfter?: DueAfter): Promise<string> {
			const name = nameOf(place);
			const now = deps.clock();
			const known = seen.get(name);
			const use = dueAfter ? { at: now, dueAfter } : known?.use;
			if (known && use) known.use = use;
			if (known && now < known.until && known.until <= now + limits.cohortSeenMs) return known.opening;
			const entry: Seen = { place, opening: open(place), until: now + limits.cohortSeenMs, ...(use && { use }) };
			entry.opening.catch(() => {
				if (seen.get(name) === entry) seen.delete(name);
			});
			seen.delete(name);
			seen.set(name, entry);
			if (seen.size > limits.cohortsSeenMax) seen.delete(seen.keys().next().value as string);
			return entry.opening;
		},
		/** Places that what is in use now is going to need within `limits.cohortAheadMs`, bounded in number. */
		upcoming(): CohortPlace[] {
			const now = deps.clock();
			const found = new Map<string, CohortPlace>();
			for (const entry of seen.values()) {
				for (const place of placesAfter(entry, now)) found.set(nameOf(place), place);
				if (found.size >= limits.cohortsAheadMax) break;
			}
			return [...found.values()].slice(0, limits.cohortsAheadMax);
		},
		/** Forgets which were seen open. */
		forget: (): void => seen.clear(),
		/** Whether a cohort is the one at that place, or was before it was given up. */
		isAt(cohortId: string, place: CohortPlace): boolean {
			return Array.from({ length: generationsMax }, (_, generation) => generation).some(
				(generation) => idOf(place, generation) === cohortId,
			);
		},
	};
}

function placesAfter({ place, use }: Seen, now: number): CohortPlace[] {
	if (!use) return [];
	const dueIn = (ms: number) => use.dueAfter(now - use.at + ms);
	const [first, last] = [dueIn(0), dueIn(limits.cohortAheadMs)];
	if (first === undefined || last === undefined || first === last) return [];
	// The wider its buckets, the longer a place may lie idle and still be in use.
	if (now - use.at > Math.min(limits.cohortIdleMsMax, 2 * (last - first))) return [];
	const dues = new Set<number>();
	for (let ms = limits.cohortAheadStepMs; ms <= limits.cohortAheadMs; ms += limits.cohortAheadStepMs) {
		dues.add(dueIn(ms) ?? first);
	}
	dues.delete(first);
	return [...dues].map((dueAt) => ({ ...place, dueAt }));
}

function nameOf({ tenantId, region, retentionClass, dueAt, linked }: CohortPlace): string {
	return `${tenantId}|${region}|${retentionClass}|${dueAt}${linked ? "|linked" : ""}`;
}
