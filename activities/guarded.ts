// One thing's failure never stops the others: it is told by its code, its cause and what it was about, and comes again.

import { describeCause } from "../domain/describeCause.ts";
import { LetheError } from "../domain/errors.ts";
import type { ActivityDeps } from "./deps.ts";

/** Runs `call`, and answers as it does; undefined where it throws, which is logged. `about`: the id of what it is done for. */
export async function guarded<T>(
	deps: Pick<ActivityDeps, "log">,
	call: () => Promise<T>,
	about?: string,
): Promise<T | undefined> {
	try {
		return await call();
	} catch (error) {
		const { code = "internal" } = error as { code?: string };
		const cause = describeCause(error instanceof LetheError ? error.cause : error);
		deps.log.warn({ code, ...(about !== undefined && { about }), cause }, "repair postponed");
		return undefined;
	}
}
