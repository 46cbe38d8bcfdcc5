// When the minimum time for which a law has something kept is over.

import type { FactsContext } from "../domain/decision.ts";
import { formatDayFrom } from "./bounds.ts";
import { addDuration } from "./cohorts.ts";
import type { RetentionTerm } from "./compile.ts";
import { instantMs } from "./durations.ts";

/** The end of the minimum, in epoch milliseconds and as a day; undefined when nothing says when its clock started. */
export function notBefore(
	{ clock, min }: RetentionTerm,
	context: FactsContext,
): { at: number; day: string } | undefined {
	const start = startOf(clock, context);
	if (start === undefined) return undefined;
	const at = addDuration(start, min);
	return { at, day: formatDayFrom(at) };
}

// Of two times that may start a clock the later counts: creation or when it was last in effect, 45 CFR 164.316(b)(2)(i).
function startOf(clock: RetentionTerm["clock"], context: FactsContext): number | undefined {
	const time = (name: string) => instantMs(context[name]);
	const created = time("createdAt");
	const processed = time("processedAt");
	const other = { created: undefined, last_in_effect: time("lastInEffectAt"), processed }[clock];
	const times = [created, other].filter((at) => at !== undefined);
	return times.length > 0 ? Math.max(...times) : (processed ?? time("acceptedAt"));
}
