// Cohorts whose keys are gone, as the store knows: each tenant's, and those of receipts that waited for a message, which are no tenant's.

import type { Cohort } from "../../adapters/mongo/models.ts";
import type { Deps } from "../../deps.ts";
import { parkingTenant } from "../../domain/ids.ts";

/** @throws LetheError store_unavailable */
export async function* destroyedCohorts({ tenants, cohorts }: Deps["stored"]): AsyncGenerator<Cohort> {
	const ids = (await tenants.all()).map(({ _id }) => _id);
	for (const id of [...ids, parkingTenant]) {
		yield* (await cohorts.findByTenant(id)).filter(({ state }) => state === "destroyed");
	}
}
