// The life of one message as data: every state, what may follow it, and who may be overtaken by whom.

import { limits } from "./limits.ts";

/** One row a state. `order` ranks states within one attempt; `final` states end the message. */
export const lifecycle = {
	accepted: { order: 0, final: false, next: ["deferred", "queued", "expired", "cancelled", "rejected"] },
	deferred: { order: 1, final: false, next: ["queued", "expired", "cancelled", "rejected"] },
	queued: { order: 2, final: false, next: ["sending", "deferred", "expired", "cancelled", "rejected"] },
	// `sending → queued` only when that attempt surely was not accepted by the carrier.
	sending: {
		order: 3,
		final: false,
		next: ["queued", "submitted", "delivered", "undelivered", "expired", "rejected", "unknown"],
	},
	submitted: { order: 4, final: false, next: ["delivered", "undelivered", "expired", "rejected", "unknown"] },
	delivered: { order: 5, final: true, next: [] },
	undelivered: { order: 5, final: true, next: [] },
	// A late receipt tells the carrier's truth; it may correct a state that only our clock decided.
	expired: { order: 5, final: true, next: ["delivered", "undelivered"] },
	cancelled: { order: 5, final: true, next: [] },
	rejected: { order: 5, final: true, next: [] },
	unknown: { order: 5, final: true, next: ["delivered", "undelivered", "expired", "rejected"] },
} as const satisfies Record<string, { order: number; final: boolean; next: readonly string[] }>;

export type State = keyof typeof lifecycle;

export const states = Object.keys(lifecycle) as State[];
export const finalStates = states.filter((state) => lifecycle[state].final);
export const openStates = states.filter((state) => !lifecycle[state].final);
/** States in which nothing has been handed to a carrier yet. */
export const unsentStates = ["accepted", "deferred", "queued"] as const satisfies State[];
/** States a caller may still cancel from. */
export const cancellableStates: readonly State[] = unsentStates;

/** Whether `state` ends the message. */
export function isFinal(state: State): boolean {
	return lifecycle[state].final;
}

/** What was accepted before has closed by itself by now, clocks that differ included. Epoch milliseconds. */
export function openSince(now: number): number {
	return now - limits.deadlineMsMax - limits.receiptGraceMs - limits.clockSkewMs;
}

/** States from which `to` may be reached; the filter of every update that sets `to`. */
export function statesBefore(to: State): State[] {
	return states.filter((from) => (lifecycle[from].next as readonly string[]).includes(to));
}
