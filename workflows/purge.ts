// A cohort's end: close it, erase it page by page, verify, destroy its key, certify.

import { proxyActivities, setCurrentDetails } from "@temporalio/workflow";
import type { Activities } from "../activities/index.ts";
import { type Purged, type PurgeInput, summaries } from "./contract.ts";

const activities = proxyActivities<Activities>({
	startToCloseTimeout: "2 minutes",
	summary: summaries.erase,
	retry: { initialInterval: "1 second", maximumInterval: "1 minute" },
});

/** One run a cohort; started again by the sweep while something still keeps the cohort. */
export async function purge(input: PurgeInput): Promise<Purged> {
	let erasedCount = 0;
	let pageCount = 0;
	setCurrentDetails("closing: no message may join this cohort any more");
	if (!(await activities.closeCohort(input.cohortId))) return { outcome: "waiting", erasedCount, pageCount };
	for (;;) {
		const page = await activities.erasePage(input.cohortId);
		if (page.count === 0) break;
		erasedCount += page.count;
		pageCount++;
		setCurrentDetails(`erasing: ${erasedCount} object(s) in ${pageCount} page(s)`);
	}
	const { outcome } = await activities.destroyCohort(input.cohortId);
	setCurrentDetails(`${outcome}: ${erasedCount} object(s) erased in ${pageCount} page(s)`);
	return { outcome, erasedCount, pageCount };
}
