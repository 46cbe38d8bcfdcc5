// The workflows as no one may change them: the same names and the same steps in another order. Every saved history
// must refuse to be replayed by these.

import { proxyActivities, proxyLocalActivities, sleep } from "@temporalio/workflow";
import type { Activities } from "../../activities/index.ts";
import type {
	LifecycleInput,
	PurgeInput,
	RetimeInput,
	RevealInput,
	SimulateInput,
	SubjectRequestInput,
} from "../../workflows/contract.ts";

const steps = proxyActivities<Activities>({ startToCloseTimeout: "1 minute" });
const local = proxyLocalActivities<Activities>({ startToCloseTimeout: "1 minute" });

export async function lifecycle({ submissionId }: LifecycleInput): Promise<void> {
	await sleep("1 second");
	const { groups } = await local.prepare(submissionId);
	await Promise.all(groups.map(({ group }) => steps.deliver(submissionId, group)));
	await local.finalise(submissionId, false);
}

export async function purge({ cohortId }: PurgeInput): Promise<void> {
	await steps.destroyCohort(cohortId);
	await steps.closeCohort(cohortId);
	await steps.erasePage(cohortId);
}

export async function sweep(): Promise<void> {
	await sleep("1 second");
	await steps.sweepPage();
}

export async function retime({ retimingId }: RetimeInput): Promise<void> {
	await sleep("1 second");
	await steps.retimePages(retimingId);
}

export async function simulate({ proposalId }: SimulateInput): Promise<void> {
	await sleep("1 second");
	await steps.simulatePages(proposalId);
}

export async function reveal({ exportId }: RevealInput): Promise<void> {
	await sleep("1 second");
	await steps.revealMessage(exportId);
}

export async function subjectRequest({ requestId }: SubjectRequestInput): Promise<void> {
	await sleep("1 second");
	await steps.stepRequest(requestId);
}
