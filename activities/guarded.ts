// One thing's failure never stops the others: it is told by its code, and comes again.

import type { ActivityDeps } from "./deps.ts";

/** Runs `call`; what it throws is logged by code only. */
export async function guarded(deps: Pick<ActivityDeps, "log">, call: () => Promise<unknown>): Promise<void> {
	try {
		await call();
	} catch (error) {
		deps.log.warn({ code: (error as { code?: string }).code ?? "internal" }, "repair postponed");
	}
}
