// A subject's request from its receipt to the last thing that was kept: steps while there is work, else it waits for its next date.

import {
	condition,
	continueAsNew,
	defineSignal,
	proxyActivities,
	setCurrentDetails,
	setHandler,
} from "@temporalio/workflow";
import type { Activities } from "../activities/index.ts";
import { type RequestStepped, requestStepsMax, type SubjectRequestInput, summaries, wakeSignal } from "./contract.ts";

const { stepRequest } = proxyActivities<Activities>({
	// A step is a page, or one certificate; one that takes longer has died with its worker.
	startToCloseTimeout: "2 minutes",
	summary: summaries.requestStep,
	retry: { initialInterval: "1 second", maximumInterval: "1 minute" },
});

const wake = defineSignal(wakeSignal);
// By this clock the time may have come already, by the one that judges not yet: it is not asked in a circle.
const waitMsMin = 1_000;
const waitMsMax = 24 * 3600_000;

/** One run a request at a time; whoever changes the request wakes it, and the sweep does when it was lost. */
export async function subjectRequest(input: SubjectRequestInput): Promise<{ outcome: string }> {
	let woken = false;
	setHandler(wake, () => {
		woken = true;
	});
	for (let step = 0; step < requestStepsMax; step++) {
		woken = false;
		const stepped = await stepRequest(input.requestId);
		setCurrentDetails(describe(stepped));
		if (stepped.moreDue || woken) continue;
		if (stepped.wakeAt === undefined) return { outcome: stepped.outcome };
		const waitMs = Math.min(Math.max(stepped.wakeAt - Date.now(), waitMsMin), waitMsMax);
		await condition(() => woken, waitMs, { summary: summaries.requestWait });
	}
	return continueAsNew<typeof subjectRequest>(input);
}

function describe({ outcome, erasedCount, keptCount }: RequestStepped): string {
	return `${outcome}: ${erasedCount} object(s) erased, ${keptCount} kept`;
}
