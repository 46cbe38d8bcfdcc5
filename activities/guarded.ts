// One thing's failure never stops the others: it is told by its code, and comes again.

import type { ActivityDeps } from "./deps.ts";

/** Runs `call`, and answers as it does; undefined where it throws, which is logged by code only. */
export async function guarded<T>(deps: Pick<ActivityDeps, "log">, call: () => Promise<T>): Promise<T | undefined> {
	try {
		return await call();
	} catch (error) {
		deps.log.warn({ code: (error as { code?: string }).code ?? "internal" }, "repair postponed");
		return undefined;
	}
}
