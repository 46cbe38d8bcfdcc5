// A cohort's end: close it, erase it page by page, verify, destroy its key, certify.

import { continueAsNew, proxyActivities, setCurrentDetails } from "@temporalio/workflow";
import type { Activities } from "../activities/index.ts";
import { limits } from "../domain/limits.ts";
import { type Purged, type PurgeInput, purgePagesMax, summaries } from "./contract.ts";

const activities = proxyActivities<Activities>({
	startToCloseTimeout: "2 minutes",
	summary: summaries.erase,
	retry: { initialInterval: "1 second", maximumInterval: "1 minute" },
});

/** One run a cohort at a time, which goes on with a fresh history; started again by the sweep while something keeps the cohort. */
export async function purge(input: PurgeInput): Promise<Purged> {
	let { erasedCount = 0, pageCount = 0 } = input;
	setCurrentDetails("closing: no message may join this cohort any more");
	if (!(await activities.closeCohort(input.cohortId))) return { outcome: "waiting", erasedCount, pageCount };
	for (let page = 0; ; page++) {
		if (page === purgePagesMax) await continueAsNew<typeof purge>({ ...input, erasedCount, pageCount });
		const { count } = await activities.erasePage(input.cohortId);
		if (count === 0) break;
		erasedCount = Math.min(erasedCount + count, limits.toldCountMax);
		pageCount = Math.min(pageCount + 1, limits.toldCountMax);
		setCurrentDetails(`erasing: ${erasedCount} object(s) in ${pageCount} page(s)`);
	}
	const { outcome } = await activities.destroyCohort(input.cohortId);
	setCurrentDetails(`${outcome}: ${erasedCount} object(s) erased in ${pageCount} page(s)`);
	return { outcome, erasedCount, pageCount };
}
