// The life of a submission, in order: prepare, wait for release, deliver, finalise. It never judges: activities decide.

import {
	CancellationScope,
	isCancellation,
	proxyActivities,
	proxyLocalActivities,
	setCurrentDetails,
	sleep,
	upsertSearchAttributes,
	workflowInfo,
} from "@temporalio/workflow";
import type { Activities } from "../activities/index.ts";
import {
	type Delivered,
	deliverActivityId,
	type Group,
	type LifecycleInput,
	searchAttributes,
	summaries,
} from "./contract.ts";

const local = proxyLocalActivities<Activities>({
	startToCloseTimeout: "10 seconds",
	// A store that is away is waited for: short pauses stay in the worker, long ones become timers.
	retry: { initialInterval: "100 milliseconds", maximumInterval: "30 seconds" },
	localRetryThreshold: "5 seconds",
});

// Its timeout must be positive: zero or less fails the workflow task for ever.
const deliverTimeoutMinMs = 1_000;
const askAgainMs = 1_000;

/** One run a submission of 1..500 messages; its id is the submission's. */
export async function lifecycle(input: LifecycleInput): Promise<void> {
	let cancelled = false;
	try {
		const groups = input.groups ?? (await prepare(input.submissionId));
		// Each to its end: one whose time is over, or that failed, must not end the run while another still waits.
		const ended = await Promise.allSettled(groups.map((group) => deliverGroup(input.submissionId, group)));
		cancelled = ended.some((group) => group.status === "rejected" && isCancellation(group.reason));
	} catch (error) {
		cancelled = isCancellation(error);
	}
	// Cancelled by an operator, or over: either way what is open must now end.
	await CancellationScope.nonCancellable(() => finalise(input, cancelled));
}

async function prepare(submissionId: string): Promise<Group[]> {
	setCurrentDetails("prepare: consent, opt-out, hold and windows are checked again");
	const { groups } = await local.prepare(submissionId);
	return groups;
}

async function deliverGroup(submissionId: string, group: Group): Promise<void> {
	const waitMs = (group.releaseAt ?? 0) - Date.now();
	if (waitMs > 0) {
		setCurrentDetails(`deferred: ${group.count} message(s) wait for their release time`);
		await sleep(waitMs, { summary: summaries.release });
	}
	setCurrentDetails("deliver: checked again, on the send queue, with the carrier; ends with the last receipt");
	const remainingMs = Math.max(group.closeAt - Date.now(), deliverTimeoutMinMs);
	const { deliver } = proxyActivities<Activities>({
		activityId: deliverActivityId(group.group),
		summary: summaries.deliver,
		scheduleToCloseTimeout: remainingMs,
		startToCloseTimeout: remainingMs,
		retry: { initialInterval: "1 second", maximumInterval: "30 seconds" },
	});
	// Completed from outside it answers nothing.
	const delivered: Delivered | undefined = await deliver(submissionId, group.group);
	// The check before the queue may be stricter than the one at acceptance: then the group waits, and comes again.
	const releaseAt = delivered?.releaseAt;
	if (!releaseAt) return;
	// By this clock the time may have come already, by the one that judges not yet: it is not asked in a circle.
	await deliverGroup(submissionId, { ...group, releaseAt: Math.max(releaseAt, Date.now() + askAgainMs) });
}

async function finalise(input: LifecycleInput, cancelled: boolean): Promise<void> {
	setCurrentDetails("finalise: what is open ends, then what was erased is certified");
	const { counts, openCount } = await local.finalise(input.submissionId, cancelled);
	const told = Object.entries(counts).map(([state, count]) => `${count} ${state}`);
	if (openCount > 0) told.push(`${openCount} open, left to the sweep`);
	setCurrentDetails(`final: ${told.join(", ")}`);
	const [state] = Object.keys(counts);
	if (state && workflowInfo().searchAttributes[searchAttributes.state]?.[0] !== state) {
		upsertSearchAttributes({ [searchAttributes.state]: [Object.keys(counts).length === 1 ? state : "mixed"] });
	}
}
