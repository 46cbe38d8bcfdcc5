// What crosses the line between workflows and everything else: names, shapes and the words an operator reads.

import { limits } from "../domain/limits.ts";

/** Ids, enums, counts and times only; the payload guard refuses anything else. */
export type LifecycleInput = {
	submissionId: string;
	tenantId: string;
	category: string;
	region: string;
	/** The plan, where acceptance deferred nothing: `prepare` is then left out, and `deliver` alone checks again. */
	groups?: Group[];
};

/** One release group of a submission, as `prepare` planned it. Times are epoch milliseconds. */
export type Group = { group: number; releaseAt?: number; closeAt: number; count: number };

export type Preparation = { groups: Group[] };

/** What `deliver` answers at once: nothing of the group is open now; with `releaseAt`, it is open again from then on. */
export type Delivered = { releaseAt?: number };

/** Final states and how many messages reached each. */
export type Finalised = { counts: Record<string, number>; openCount: number };

/** `erasedCount` and `pageCount`: of the runs before, when this one goes on for them. */
export type PurgeInput = {
	cohortId: string;
	tenantId: string;
	region: string;
	erasedCount?: number;
	pageCount?: number;
};

/** `waiting`: a hold or a late insert keeps the cohort; the sweep starts another run when it is due again. */
export type Purged = { outcome: "destroyed" | "waiting"; erasedCount: number; pageCount: number };

export type Swept = { messageCount: number; cohortCount: number; moreDue: boolean };

export type RetimeInput = { retimingId: string };

export type SimulateInput = { proposalId: string };

/** A subject's request; its run is named for it. */
export type SubjectRequestInput = { requestId: string; tenantId: string };

/** A message that is read out for a person who waits; its run is named for the reading. */
export type RevealInput = { exportId: string };

/** What a step of a request leaves: more at once, a time to look again, or nothing. Times are epoch milliseconds. */
export type RequestStepped = {
	outcome: string;
	moreDue: boolean;
	erasedCount: number;
	keptCount: number;
	wakeAt?: number;
};

/** How far a pass over all messages has come, for people; whether there is more to do, for the workflow. */
export type Stepped = { moreDue: boolean; percent: number };

/** Steps of one run: then it goes on with a fresh history. */
export const stepsMax = 500;

/** Pages that one run of a purge erases: then it goes on with a fresh history. */
export const purgePagesMax = 50;

export const workflowNames = {
	lifecycle: "lifecycle",
	purge: "purge",
	retime: "retime",
	simulate: "simulate",
	sweep: "sweep",
	subjectRequest: "subjectRequest",
	reveal: "reveal",
} as const;

/** Has a request's run look at it now; it carries nothing. */
export const wakeSignal = "wake";

/** Steps of one run of a request: then it goes on with a fresh history. */
export const requestStepsMax = 200;

/** A group's activity id: what a callback completes. */
export function deliverActivityId(group: number): string {
	return `deliver-${group}`;
}

/** A submission's run has the submission's id; a purge's run is named for its cohort. */
export function purgeWorkflowId(cohortId: string): string {
	return `purge-${cohortId}`;
}

/** A request's run. */
export function requestWorkflowId(requestId: string): string {
	return `request-${requestId}`;
}

export const searchAttributes = {
	tenant: "TenantId",
	category: "Category",
	region: "Region",
	state: "MessageState",
} as const;

/** The sentences that operators read in the Temporal UI. Static: no run writes words of its own. */
export const summaries = {
	lifecycle: "Submission: prepare, deliver, finalise",
	purge: "Cohort due: erase, verify, destroy key",
	sweep: "Repair what drivers lost",
	retime: "Policies in force: apply to what is stored",
	retimeStep: "Re-time pages",
	simulate: "Proposal: count what it would change",
	simulateStep: "Simulate pages",
	deliver: "Waits for the last receipt",
	release: "Deferred by policy",
	prepare: "Check again",
	finalise: "End, certify",
	erase: "Erase a page",
	request: "Subject request: clocks, erasure, certificate",
	requestStep: "Next step of the request",
	reveal: "Read a message out for a person",
	revealStep: "Seal it for whoever asked",
	requestWait: "Waits for a person, a date or a release",
} as const;

// Each field a payload may carry, and what it may hold. Short on purpose: an event's bytes are counted.
const id = /^[a-z]{2,4}_[a-km-zA-G]{26}$/;
const word = /^[a-z][a-z_]{0,30}$/;
const region = /^[A-Z]{2}(-[A-Z0-9]{1,3})?$/;
const isCount = (value: unknown) =>
	Number.isInteger(value) && (value as number) >= 0 && (value as number) <= limits.toldCountMax;
const isTime = (value: unknown) => Number.isInteger(value) && (value as number) > 1.5e12 && (value as number) < 1e13;
const matches = (pattern: RegExp) => (value: unknown) => typeof value === "string" && pattern.test(value);

export const payloadFields: Record<string, (value: unknown) => boolean> = {
	submissionId: matches(id),
	tenantId: matches(id),
	cohortId: matches(id),
	retimingId: matches(id),
	proposalId: matches(id),
	requestId: matches(id),
	exportId: matches(id),
	percent: isCount,
	keptCount: isCount,
	wakeAt: isTime,
	category: matches(word),
	region: matches(region),
	outcome: matches(word),
	group: isCount,
	count: isCount,
	openCount: isCount,
	erasedCount: isCount,
	pageCount: isCount,
	messageCount: isCount,
	cohortCount: isCount,
	releaseAt: isTime,
	closeAt: isTime,
	moreDue: (value) => typeof value === "boolean",
	// Sentences with counts: a run of digits long enough for a phone number is refused.
	currentDetails: (value) =>
		typeof value === "string" && /^[a-z ,:;()_\d-]{0,200}$/.test(value) && !/\d{6}/.test(value),
};

/** Objects whose keys are enums and whose values are counts. */
export const countFields = ["counts"];
