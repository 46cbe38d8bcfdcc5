// Reads one message out for a person who waits for it: one step, or none in time.

import { proxyActivities } from "@temporalio/workflow";
import type { Activities } from "../activities/index.ts";
import { type RevealInput, summaries } from "./contract.ts";

const { revealMessage } = proxyActivities<Activities>({
	startToCloseTimeout: "10 seconds",
	// Nobody waits for it any longer than that.
	scheduleToCloseTimeout: "30 seconds",
	summary: summaries.revealStep,
	retry: { initialInterval: "500 milliseconds" },
});

/** One run an asking. */
export async function reveal(input: RevealInput): Promise<void> {
	await revealMessage(input.exportId);
}
