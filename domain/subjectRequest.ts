// A subject's request: what is asked for, by when the law wants it answered, and how far it has come. Times are epoch milliseconds.

import type { Decision, Facts } from "./decision.ts";
import type { SubjectRecord } from "./subject.ts";

export const requestKinds = ["access", "portability", "correction", "erasure", "restriction", "objection"] as const;
export type RequestKind = (typeof requestKinds)[number];

/**
 * `received`: who asks is to be checked. `executing`: the engine is at work. `deciding`: a person has to decide.
 * `ready`: nothing is left but the answer. `closed`: answered.
 */
export const requestStates = ["received", "executing", "deciding", "ready", "closed"] as const;
export type RequestState = (typeof requestStates)[number];

export const requestOutcomes = ["granted", "partly_granted", "refused", "withdrawn"] as const;
export type RequestOutcome = (typeof requestOutcomes)[number];

/** What a person does with a task: of a conflict erase or keep, of everything else do it or refuse it. */
export const taskVerdicts = ["erase", "keep", "done", "refuse"] as const;
export type TaskVerdict = (typeof taskVerdicts)[number];

/** Which reminder was raised; each once. */
export const alertCodes = [
	"acknowledge_soon",
	"acknowledge_late",
	"answer_soon",
	"answer_late",
	"decision_due",
] as const;
export type AlertCode = (typeof alertCodes)[number];

/** Who checked the requester, how, and for which time the number was theirs: numbers are recycled. */
export type Identity = {
	confirmed: boolean;
	checkedBy: string;
	checkedAt: number;
	/** How, in a word. */
	method: string;
	/** Opaque reference to where the proof is kept. */
	evidence: string;
	ownedFrom: number;
	/** Absent while it is still theirs. */
	ownedUntil?: number;
};

/** Something that a person decides; never an exception. */
export type Task = {
	/** A word, once a request. */
	name: string;
	reasons: string[];
	citations: string[];
	/** Of a conflict; ids only. */
	messageIds: string[];
	raisedAt: number;
	decided?: { at: number; by: string; verdict: TaskVerdict; ground: string };
};

/** What a request leaves where it is, and why. */
export type KeptGroup = {
	object: "content" | "address" | "receipt" | "decision_record" | SubjectRecord["kind"];
	/** A row of the precedence table. */
	reason: string;
	citations: string[];
	count: number;
	/** When the last of it goes; absent where a person or a release ends it. */
	until?: number;
};

/** What happened, in order; ids, words and times only. */
export type RequestEvent = { at: number; type: string; by?: string; code?: string };

export type SubjectRequest = {
	_id: string;
	tenantId: string;
	kind: RequestKind;
	state: RequestState;
	/** The subject's pseudonyms, one under every key version that was live when it was recorded. */
	subjects: string[];
	receivedAt: number;
	recordedAt: number;
	recordedBy: string;
	/** How it came, in a word. */
	channel: string;
	/** The caller's opaque reference. */
	reference?: string;
	/** What an erasure or objection blocks from then on. */
	scope?: "marketing" | "all";
	/** What the policies were asked and said; neither holds the number. */
	facts: Facts;
	decision: Decision;
	/** The law's latest dates, ISO 8601 days; `extendedTo` once a person has extended, within `extendableTo`. */
	ackBy?: string;
	respondBy?: string;
	extendableTo?: string;
	extendedTo?: string;
	/** When the person was told of that. */
	extensionToldAt?: number;
	acknowledgedAt?: number;
	identity?: Identity;
	/** The hold that restricts, and the opt-out that stands for it. */
	holdId?: string;
	optOutId?: string;
	tasks: Task[];
	alerts: { code: AlertCode; at: number }[];
	/** Of an erasure that is under way: when it began, and how far its pages have come. */
	erasure?: {
		startedAt: number;
		/** How often all of it was begun; what a pass of before has found changes nothing. */
		pass: number;
		/** `settle`: messages that were being accepted as it began are waited for, then the pages are gone through again. */
		step: "erase" | "settle" | "certify" | "done";
		/** Which pseudonym and category, as `readPage` counts them, and the acceptance of the last message seen of it. */
		cursor: { index: number; acceptedAt?: number };
		erasedCount: number;
		keptCount: number;
		/** As read back last, grouped. */
		kept: KeptGroup[];
		/** When something that was kept may go. */
		recheckAt?: number;
	};
	certificates: string[];
	exports: { id: string; at: number; by: string; format: string; report: string; purpose: string }[];
	log: RequestEvent[];
	closed?: { at: number; by: string; outcome: RequestOutcome; ground?: string };
	eraseBy?: number;
	nextCheckAt?: number;
};

/** Begins an erasure, or goes through all of it again; what was found of it before stands until then. */
export function beginErasure(request: SubjectRequest, now: number): SubjectRequest {
	const { erasure } = request;
	const counts = {
		erasedCount: erasure?.erasedCount ?? 0,
		keptCount: erasure?.keptCount ?? 0,
		kept: erasure?.kept ?? [],
	};
	return {
		...request,
		state: request.closed ? "closed" : "executing",
		erasure: {
			startedAt: erasure?.startedAt ?? now,
			pass: (erasure?.pass ?? 0) + 1,
			step: "erase",
			cursor: { index: 0 },
			...counts,
		},
		nextCheckAt: now,
	};
}

/** Whether what it asks for is not to be done any more, or was never owed. */
export function isGivenUp({ closed }: Pick<SubjectRequest, "closed">): boolean {
	return closed?.outcome === "withdrawn" || closed?.outcome === "refused";
}

/** The state of a request that nothing is done about at the moment. */
export function restingState({ closed, tasks }: Pick<SubjectRequest, "closed" | "tasks">): RequestState {
	if (closed) return "closed";
	return tasks.some(({ decided }) => decided === undefined) ? "deciding" : "ready";
}

/** The log of a closed request without anything that leads to a person: no pseudonym, reference, proof or message. */
export function bare<Request extends SubjectRequest>(request: Request): Request {
	const { reference: _, identity: __, holdId: ___, optOutId: ____, erasure: _____, ...rest } = request;
	const emptied = { subjects: [], facts: {}, tasks: [], alerts: [], exports: [] };
	return { ...rest, ...emptied, nextCheckAt: request.eraseBy } as unknown as Request;
}

export function isBare({ subjects, identity, erasure }: SubjectRequest): boolean {
	return subjects.length === 0 && identity === undefined && erasure === undefined;
}

/** The end of an ISO 8601 day in UTC. */
export function endOfDay(day: string): number {
	return Date.parse(`${day}T00:00:00.000Z`) + 86_400_000;
}

/** By when it must be answered; undefined where no pack says. */
function answerBy({ respondBy, extendedTo }: Pick<SubjectRequest, "respondBy" | "extendedTo">): number | undefined {
	const day = extendedTo ?? respondBy;
	return day === undefined ? undefined : endOfDay(day);
}

const soonMs = { acknowledge: 2 * 86_400_000, answer: 7 * 86_400_000 };

/** What a request's reminders come from. */
export type Dated = Pick<SubjectRequest, "closed" | "ackBy" | "acknowledgedAt" | "respondBy" | "extendedTo"> & {
	tasks: Pick<Task, "raisedAt" | "decided">[];
};

/** When each reminder of an open request is due; those of what is done or has no date are left out. */
export function reminders(request: Dated): { code: AlertCode; at: number }[] {
	if (request.closed) return [];
	const answer = answerBy(request);
	const acknowledge = request.ackBy === undefined || request.acknowledgedAt ? undefined : endOfDay(request.ackBy);
	const open = request.tasks.filter(({ decided }) => decided === undefined);
	const times: [AlertCode, number | undefined][] = [
		["acknowledge_soon", acknowledge === undefined ? undefined : acknowledge - soonMs.acknowledge],
		["acknowledge_late", acknowledge],
		["answer_soon", answer === undefined ? undefined : answer - soonMs.answer],
		["answer_late", answer],
		["decision_due", open.length > 0 ? Math.min(...open.map(({ raisedAt }) => raisedAt)) : undefined],
	];
	return times.flatMap(([code, at]) => (at === undefined ? [] : [{ code, at }]));
}

/** Reminders that are due and were not raised yet, and when the next one is. */
export function dueAlerts(request: SubjectRequest, now: number): { due: AlertCode[]; nextAt?: number } {
	// One of before its day is of another: of the time before an extension, or of a task that is decided.
	const open = reminders(request).filter(
		({ code, at }) => !request.alerts.some((alert) => alert.code === code && alert.at >= at),
	);
	const due = open.flatMap(({ code, at }) => (at <= now ? [code] : []));
	const later = open.flatMap(({ at }) => (at > now ? [at] : []));
	return { due, ...(later.length > 0 ? { nextAt: Math.min(...later) } : {}) };
}
