// A change of policy as a document: its states, what may follow each, and what a published version is made of. Times are epoch milliseconds.

import type { Decision } from "./decision.ts";

/** One row a state. Every change of state is conditional on the states that may come before it. */
const proposalLifecycle = {
	draft: { next: ["checked", "withdrawn"] },
	checked: { next: ["simulated", "withdrawn"] },
	simulated: { next: ["simulated", "approved", "withdrawn"] },
	approved: { next: ["published", "withdrawn"] },
	published: { next: [] },
	withdrawn: { next: [] },
} as const satisfies Record<string, { next: readonly string[] }>;

export type ProposalState = keyof typeof proposalLifecycle;

export const proposalStates = Object.keys(proposalLifecycle) as ProposalState[];

/** States from which `to` may be reached; the filter of every update that sets `to`. */
export function proposalStatesBefore(to: ProposalState): ProposalState[] {
	return proposalStates.filter((from) => (proposalLifecycle[from].next as readonly string[]).includes(to));
}

/** `verified` only when a person signed in to give it; an API key proves nobody. */
export type Approval = { by: string; at: number; verified: boolean };

/** What a pack would do to the stored messages; `counts` are of messages, `samples` are some of their ids. */
export type Simulation = {
	/** Names one run: progress of an earlier one is refused. */
	id: string;
	by: string;
	startedAt: number;
	endedAt?: number;
	/** SHA-256 over the versions in force without the proposal. */
	base: string;
	/** The time as of which open messages are judged: when the version would be in force at the earliest. */
	asOf: number;
	cursor: string;
	/** Messages there were when it started. */
	total: number;
	counts: Record<string, number>;
	samples: Record<string, string[]>;
};

/** A whole version of a pack that somebody wants in force. Its text never changes: another text is another proposal. */
export type Proposal = {
	_id: string;
	pack: string;
	version: string;
	/** YAML. */
	text: string;
	sha256: string;
	/** The version in force that it is compared with; absent for a new pack. */
	base?: string;
	why: string;
	state: ProposalState;
	createdBy: string;
	createdAt: number;
	check?: { at: number; caseCount: number };
	simulation?: Simulation;
	approval?: Approval;
	/** Set while somebody publishes it: the same values are used by whoever completes that. */
	publishing?: { by: string; at: number; effectiveFrom: number };
	/** Append-only: who moved it to which state, and when. */
	history: { state: ProposalState; at: number; by: string }[];
	nextCheckAt?: number;
};

/**
 * A published version. Immutable; `digest` covers every other field and the digest of the revision before it, so that
 * none can be edited, exchanged or left out unnoticed.
 */
export type PolicyVersion = {
	/** The revision, as digits: the insert of a number that is taken fails, so publishes queue up. */
	_id: string;
	revision: number;
	pack: string;
	version: string;
	text: string;
	sha256: string;
	/** From then on it is in force; never before every process had the time to notice it. */
	effectiveFrom: number;
	proposalId: string;
	publishedBy: string;
	publishedAt: number;
	approval: Approval;
	previous: string;
	digest: string;
};

/** One pass over all stored messages after the packs in force have changed. */
export type Retiming = {
	_id: string;
	/** One higher than the pass before. */
	sequence: number;
	/** SHA-256 over the versions in force, and the time from which they were. */
	fingerprint: string;
	inForceFrom: number;
	state: "running" | "done" | "superseded";
	cursor: string;
	/** A second look at what was accepted since then, which the first may have passed by. */
	since?: number;
	total: number;
	counts: Record<string, number>;
	startedAt: number;
	endedAt?: number;
};

/** A pack version that a decision was made by. */
export type PackRef = Decision["packs"][number];

/** One conditional change of one proposal; without `to` the state stays. */
export type ProposalChange = {
	to?: ProposalState;
	by?: string;
	/** States that it may come from; those that may precede `to` unless told. */
	from?: readonly ProposalState[];
	where?: Record<string, unknown>;
	set?: Record<string, unknown>;
	unset?: string[];
};
