// Erases what a tenant spent in a month once its records of that month would be gone too: by then nobody can be shown what it was for.

import { limits } from "../domain/limits.ts";
import { durationMs } from "../policies/durations.ts";
import type { ActivityDeps } from "./deps.ts";

export type EndSpendingDeps = Pick<ActivityDeps, "clock"> & {
	store: {
		spending: Pick<ActivityDeps["store"]["spending"], "delete" | "findDue" | "nextCheck">;
		tenants: Pick<ActivityDeps["store"]["tenants"], "find">;
	};
};

// A month of each season to compare with, where the tenant has said nothing.
const keptUnlessTold = "P13M";

/** One page, by what each tenant says of its records today. @throws LetheError store_unavailable */
export async function endSpending({ clock, store: { spending, tenants } }: EndSpendingDeps): Promise<void> {
	const now = clock();
	for (const { _id, tenantId, monthEndsAt } of await spending.findDue(now, limits.sweepPageItems)) {
		const { retention } = (await tenants.find(tenantId)) ?? {};
		const eraseAt = monthEndsAt + durationMs(retention?.decision_record ?? keptUnlessTold);
		if (eraseAt <= now) await spending.delete(_id);
		// A tenant may have its records kept for less by then.
		else await spending.nextCheck(_id, Math.min(eraseAt, now + limits.spendingCheckMs));
	}
}
