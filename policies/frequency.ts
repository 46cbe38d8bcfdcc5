// Frequency limits: whether any is asked about, and what counts towards them.

import type { Facts } from "../domain/decision.ts";
import { limits } from "../domain/limits.ts";
import { localDay } from "./localDay.ts";
import { judgedAt, type PackSet, sortOut } from "./packSet.ts";

/** What frequency rules may ask, as facts of `context`; with `sendsUncounted` more than these counts may have been sent. */
export type SendCounts = {
	sentToday: number;
	sentThisWeek: number;
	sameSubjectLast24h: number;
	sendsUncounted?: true;
};

const dayMs = 86_400_000;

/** Messages accepted longer ago than this can't have been sent within a week: they had expired. */
export const countedWithinMs = 7 * dayMs + limits.deadlineMsMax;

/**
 * Whether a frequency rule of the packs in force looks at these facts; for most messages none does.
 * @throws LetheError invalid_request when the facts name no time
 */
export function isCapped(packs: PackSet, facts: Facts): boolean {
	const now = judgedAt(facts);
	const limiting = packs.at(now).filter(({ frequency }) => frequency.length > 0);
	return sortOut(limiting, facts, now).packs.some(({ frequency }) => frequency.some(({ when }) => when(facts, now)));
}

/**
 * Counts around `at` what was sent, or is to be sent, at the times in `sends`: on the same local day, and within a week
 * and 24 hours to either side, since what is planned for later shares a span of that length too. Unless `sends` is
 * `complete`, the counts say so: every limit then refuses.
 */
export function countSends(sends: readonly number[], facts: Facts, at: number, complete: boolean): SendCounts {
	const today = localDay(facts, at);
	const within = (spanMs: number) => sends.filter((time) => Math.abs(time - at) < spanMs).length;
	return {
		sentToday: sends.filter((time) => time >= today.start && time < today.end).length,
		sentThisWeek: within(7 * dayMs),
		sameSubjectLast24h: within(dayMs),
		...(complete ? {} : { sendsUncounted: true }),
	};
}
