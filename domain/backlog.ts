// Where a message waits for room on its send queue: one ordered key, so that a single index answers every question.

import type { Category } from "./message.ts";

/** One-time codes go first; everything else has a share that they can't take. */
export type Lane = "urgent" | "normal";

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
	return `${lanePrefix(sendQueue, laneOf(category))}${tenantId}/${now.toString(36).padStart(9, "0")}/${_id}`;
}

/** Bounds of all keys of a send queue. */
export function queueRange(sendQueue: string): { after: string; before: string } {
	return { after: `${sendQueue}/`, before: `${sendQueue}0` };
}

/** Bounds of the keys of a send queue's lane, or of one tenant in it: greater than `after`, less than `before`. */
export function backlogRange(sendQueue: string, lane: Lane, tenantId = ""): { after: string; before: string } {
	const prefix = `${lanePrefix(sendQueue, lane)}${tenantId}`;
	return tenantId === "" ? { after: prefix, before: rangeEnd(prefix) } : { after: `${prefix}/`, before: `${prefix}0` };
}

/** The rest of a lane, behind the last of a tenant's keys. */
export function backlogBehind(sendQueue: string, lane: Lane, tenantId: string): { after: string; before: string } {
	const { after, before } = backlogRange(sendQueue, lane);
	return { after: tenantId === "" ? after : `${after}${tenantId}0`, before };
}

/** Jobs that a send queue holds when it has work for `queueAheadMs`; at least one. */
export function queueCapacity(segmentsPerSecond: number, segmentsMean: number): number {
	return Math.max(1, Math.ceil((segmentsPerSecond * queueAheadMs) / 1000 / Math.max(1, segmentsMean)));
}

function lanePrefix(sendQueue: string, lane: Lane): string {
	return `${sendQueue}/${lane}/`;
}

// The character after the slash is the nought.
function rangeEnd(prefix: string): string {
	return `${prefix.slice(0, -1)}0`;
}
