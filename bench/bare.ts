// The baseline's workflow: one activity that does nothing, under the same server and worker settings.

import { proxyActivities } from "@temporalio/workflow";

const { nothing } = proxyActivities<{ nothing: (id: string) => Promise<void> }>({ startToCloseTimeout: "1 minute" });

/** The least that an engine on Temporal can cost: one workflow, one activity. */
export async function bare(id: string): Promise<void> {
	await nothing(id);
}
