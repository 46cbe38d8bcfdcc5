// One thing's failure never stops the others: it is told by its code and cause, and comes again.

import type { ActivityDeps } from "./deps.ts";

/** Runs `call`, and answers as it does; undefined where it throws, which is logged by its code and cause. */
export async function guarded<T>(deps: Pick<ActivityDeps, "log">, call: () => Promise<T>): Promise<T | undefined> {
	try {
		return await call();
	} catch (error) {
		const { code = "internal", cause } = error as { code?: string; cause?: unknown };
		// Another's error may quote what it was given; a cause of ours names a place, a server's refusal.
		deps.log.warn({ code, ...(!(cause instanceof Error) && { cause }) }, "repair postponed");
		return undefined;
	}
}
