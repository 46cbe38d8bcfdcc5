// Applies packs that came into force to all that is stored: pages of it, until none is left.

import { continueAsNew, proxyActivities, setCurrentDetails } from "@temporalio/workflow";
import type { Activities } from "../activities/index.ts";
import { type RetimeInput, stepsMax, summaries } from "./contract.ts";

const { retimePages } = proxyActivities<Activities>({
	// A step takes some seconds; one that takes longer has died with its worker.
	startToCloseTimeout: "30 seconds",
	summary: summaries.retimeStep,
	retry: { initialInterval: "1 second", maximumInterval: "30 seconds" },
});

/** One run a deployment at a time; the sweep starts it, and starts it again. */
export async function retime(input: RetimeInput): Promise<void> {
	setCurrentDetails("re-timing: begins");
	for (let step = 0; step < stepsMax; step++) {
		const { moreDue, percent } = await retimePages(input.retimingId);
		setCurrentDetails(`re-timing: ${percent} percent`);
		if (!moreDue) return;
	}
	await continueAsNew<typeof retime>(input);
}
