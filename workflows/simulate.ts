// Counts what a proposal would change of all that is stored: pages of it, until none is left.

import { continueAsNew, proxyActivities, setCurrentDetails } from "@temporalio/workflow";
import type { Activities } from "../activities/index.ts";
import { type SimulateInput, stepsMax, summaries } from "./contract.ts";

const { simulatePages } = proxyActivities<Activities>({
	// A step takes some seconds; one that takes longer has died with its worker.
	startToCloseTimeout: "30 seconds",
	summary: summaries.simulateStep,
	retry: { initialInterval: "1 second", maximumInterval: "30 seconds" },
});

/** One run a proposal at a time; a simulation begun anew goes on in the run that stands. */
export async function simulate(input: SimulateInput): Promise<void> {
	setCurrentDetails("simulating: begins");
	for (let step = 0; step < stepsMax; step++) {
		const { moreDue, percent } = await simulatePages(input.proposalId);
		setCurrentDetails(`simulating: ${percent} percent`);
		if (!moreDue) return;
	}
	await continueAsNew<typeof simulate>(input);
}
