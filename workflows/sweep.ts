// Repairs everything that can be lost: started by a Temporal Schedule, never two at once.

import { proxyActivities, setCurrentDetails } from "@temporalio/workflow";
import type { Activities } from "../activities/index.ts";
import { type Swept, summaries } from "./contract.ts";

const { sweepPage } = proxyActivities<Activities>({
	startToCloseTimeout: "1 minute",
	scheduleToCloseTimeout: "5 minutes",
	summary: summaries.sweep,
	retry: { initialInterval: "1 second", maximumInterval: "10 seconds" },
});

// A run's history stays small; what is left is the next run's.
const pagesMax = 20;

/** One run a tick: pages of what is due, until nothing is. */
export async function sweep(): Promise<Swept> {
	const total: Swept = { messageCount: 0, cohortCount: 0, moreDue: false };
	for (let page = 0; page < pagesMax; page++) {
		const swept = await sweepPage();
		total.messageCount += swept.messageCount;
		total.cohortCount += swept.cohortCount;
		total.moreDue = swept.moreDue;
		setCurrentDetails(`repaired ${total.messageCount} message(s), ${total.cohortCount} cohort(s)`);
		if (!swept.moreDue) break;
	}
	return total;
}
