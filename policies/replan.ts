// What policies that came later mean for a message that is stored: dates anew, and what that changes, without doing it.

import type { RetentionPlan } from "../domain/decision.ts";
import { isFinal } from "../domain/lifecycle.ts";
import { limits } from "../domain/limits.ts";
import { linkNeed } from "../domain/link.ts";
import type { LinkRecord } from "../domain/linkRecord.ts";
import { erasableObjects, type Message, type RetentionObject, sealedObjects } from "../domain/message.ts";
import { type Replanned, replanRetention } from "./cohorts.ts";

/** A stored message as far as its dates go; of its encrypted parts only whether they are there counts. */
export type Planned = Pick<Message, "acceptedAt" | "deadlineAt" | "closeAt" | "state" | "holds" | "retention"> & {
	content?: object;
	address?: object;
	link?: Pick<LinkRecord, "expiresAt">;
};

/** Times are epoch milliseconds. An open message closes before what it needs must be gone, never later than it would. */
export type Replan = { deadlineAt: number; closeAt: number; retention: Replanned };

/** The dates of a message under another plan. @param needs what its tenant has stated */
export function replan(message: Planned, plan: RetentionPlan, needs: Partial<Record<RetentionObject, string>>): Replan {
	const { acceptedAt, closeAt, deadlineAt, link } = message;
	const needed = link ? { ...needs, content: linkNeed(acceptedAt, link.expiresAt) } : needs;
	const retention = keepAsked(message, replanRetention(plan, needed, { acceptedAt, closeAt }));
	if (isFinal(message.state)) return { deadlineAt, closeAt, retention };
	const latest = Math.min(...sealedObjects.map((object) => retention[object].eraseBy)) - limits.clockSkewMs;
	const closes = Math.min(closeAt, latest);
	// The grace in which receipts come stays as long as it was.
	return { closeAt: closes, deadlineAt: Math.min(deadlineAt, deadlineAt - (closeAt - closes)), retention };
}

// It goes where it is: its cohort ends by its own date.
function keepAsked({ retention: known }: Planned, dates: Replanned): Replanned {
	const kept = { ...dates };
	for (const object of erasableObjects) {
		const goesBy = known[object]?.goesBy ?? Number.POSITIVE_INFINITY;
		if (goesBy >= dates[object].eraseBy) continue;
		kept[object] = { ...dates[object], eraseBy: goesBy, dueAt: goesBy, bucketed: false };
	}
	return kept;
}

/** Objects of a message that are there still. */
export function findPresent(message: Planned): RetentionObject[] {
	const present = sealedObjects.filter((object) => message[object] !== undefined);
	const receipt = message.retention.receipt && message.retention.receipt.erasedAt === undefined;
	return [...present, ...(receipt ? (["receipt"] as const) : []), "decision_record"];
}

/** Whether an object of a message may not be there any more at a time. */
export function isDue(message: Planned, object: RetentionObject, retention: Replanned, now: number): boolean {
	const { eraseBy, atFinal } = retention[object];
	return eraseBy <= now || (atFinal && isFinal(message.state));
}

/** What the dates change, as counted: each word at most once a message. */
export function countEffects(message: Planned, { retention, closeAt }: Replan, now: number): string[] {
	const effects = new Set<string>();
	for (const object of findPresent(message)) {
		const before = message.retention[object];
		const { eraseBy } = retention[object];
		const due = object === "content" || object === "address" ? isDue(message, object, retention, now) : eraseBy <= now;
		const sooner = before === undefined || eraseBy < before.eraseBy || (due && before.eraseBy > now);
		if (sooner) effects.add(message.holds.length > 0 ? "blocked_by_hold" : "purge_sooner");
		else if (before !== undefined && eraseBy > before.eraseBy) effects.add("purge_later");
		if (sooner && due && message.holds.length === 0) effects.add("due_at_once");
	}
	if (closeAt < message.closeAt) effects.add("closes_sooner");
	return [...effects];
}
