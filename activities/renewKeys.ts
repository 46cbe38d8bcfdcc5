// Cryptoperiods kept: cohorts whose key has been in use for its whole period get a new one, page by page of the sweep.

import { limits } from "../domain/limits.ts";
import type { ActivityDeps } from "./deps.ts";
import { guarded } from "./guarded.ts";

export type RenewKeysDeps = Pick<ActivityDeps, "clock" | "log" | "evidence" | "keyRotation" | "cohortKeyPeriodMs"> & {
	store: { cohorts: Pick<ActivityDeps["store"]["cohorts"], "findKeysMadeBefore" | "set"> };
};

/** Renews one page; a cohort is looked at again until its old key is ended. One's failure never stops the others. */
export function createRenewKeys(deps: RenewKeysDeps) {
	const { cohorts } = deps.store;

	return async function renewKeys(): Promise<void> {
		const now = deps.clock();
		const madeBefore = now - deps.cohortKeyPeriodMs;
		for (const { _id, tenantId } of await cohorts.findKeysMadeBefore(madeBefore, limits.keysRenewedPerSweepItems)) {
			await guarded(deps, async () => {
				const { state } = await deps.keyRotation.renew(_id, madeBefore);
				if (state === "resting") return;
				if (state === "gone") {
					deps.log.error({ code: "cohort_key_gone", about: _id }, "a cohort's key is not in the key server");
					// Looked at again, and in no other's way meanwhile; by its age it stays an old one.
					return cohorts.set(_id, { keyMadeAt: madeBefore + limits.heldCohortCheckMs });
				}
				await deps.evidence.append([{ type: "key_rotated", tenantId, about: _id, by: "engine" }]);
				await cohorts.set(_id, { keyMadeAt: now });
			});
		}
	};
}
