// Where a message waits for room on its send queue: one ordered key, so that a single index answers every question.

import type { Category } from "./message.ts";

/** One-time codes go first; everything else has a share that they can't take. */
export const lanes = ["urgent", "normal"] as const;
export type Lane = (typeof lanes)[number];

/** A queue in the store holds what waits; one in Redis holds what it sends within this time. */
export const queueAheadMs = 2_000;

export function laneOf(category: Category): Lane {
	return category === "otp" ? "urgent" : "normal";
}

/** Where one message waits: those of a send queue, lane and tenant stand together, the longest waiting first. */
export function backlogKey(
	{ _id, sendQueue, tenantId, category }: { _id: string; sendQueue: string; tenantId: string; category: Category },
	now: number,
): string {
	return `${lanePrefix(sendQueue, laneOf(category))}${tenantId}/${timeOf(now)}/${_id}`;
}

/** When a message began to wait, epoch milliseconds, by its key. */
export function waitingSince(backlog: string): number {
	return Number.parseInt(backlog.split("/").at(-2) ?? "", 36);
}

/** Keys greater than `after` and less than `before`. */
export type Bounds = { after: string; before: string };

/** Bounds of all keys of a send queue. */
export function queueRange(sendQueue: string): Bounds {
	return { after: `${sendQueue}/`, before: `${sendQueue}0` };
}

/** Bounds of the keys of a send queue's lane, or of one tenant in it. */
export function backlogRange(sendQueue: string, lane: Lane, tenantId = ""): Bounds {
	const prefix = `${lanePrefix(sendQueue, lane)}${tenantId}`;
	return tenantId === "" ? { after: prefix, before: rangeEnd(prefix) } : { after: `${prefix}/`, before: `${prefix}0` };
}

/** Of the bounds of a tenant's keys, those of what has waited since before `time`. */
export function backlogUntil({ after }: Bounds, time: number): Bounds {
	return { after, before: `${after}${timeOf(time)}` };
}

/** What lies between the keys of two tenants in a lane: from its start where the first is "", and to its end without a second. */
export function backlogBetween(sendQueue: string, lane: Lane, behind: string, ahead?: string): Bounds {
	const { after, before } = backlogRange(sendQueue, lane);
	return {
		after: behind === "" ? after : `${after}${behind}0`,
		before: ahead === undefined ? before : `${after}${ahead}/`,
	};
}

/** What lies outside the keys of these send queues, piece by piece. */
export function backlogOutside(sendQueues: Iterable<string>): Bounds[] {
	const ranges = [...sendQueues].map(queueRange).toSorted((a, b) => (a.after < b.after ? -1 : 1));
	const starts = ["", ...ranges.map(({ before }) => before)];
	const ends = [...ranges.map(({ after }) => after), "~"];
	return starts.map((after, index) => ({ after, before: ends[index] as string }));
}

/** Jobs that a send queue holds when it has work for `queueAheadMs`; at least one. */
export function queueCapacity(segmentsPerSecond: number, segmentsMean: number): number {
	return Math.max(1, Math.ceil((segmentsPerSecond * queueAheadMs) / 1000 / Math.max(1, segmentsMean)));
}

/** A time as keys have it: in their order. */
export function timeOf(time: number): string {
	return time.toString(36).padStart(9, "0");
}

function lanePrefix(sendQueue: string, lane: Lane): string {
	return `${sendQueue}/${lane}/`;
}

// The character after the slash is the nought.
function rangeEnd(prefix: string): string {
	return `${prefix.slice(0, -1)}0`;
}
