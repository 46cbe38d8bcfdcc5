// Puts a group's messages on their send queues, then stays open until the last of them is final.

import { CompleteAsyncError } from "@temporalio/activity";
import { backlogKey, laneOf } from "../domain/backlog.ts";
import { isFinal, type State, unsentStates } from "../domain/lifecycle.ts";
import type { Message } from "../domain/message.ts";
import { close, enqueue, refuse, shelve, type Transition, waitForTenant } from "../domain/transition.ts";
import type { Delivered } from "../workflows/contract.ts";
import type { createAdmit } from "./admit.ts";
import { change } from "./change.ts";
import type { ActivityDeps } from "./deps.ts";
import type { createPrepare } from "./prepare.ts";
import type { Tenancy } from "./tenancy.ts";

export type DeliverDeps = Pick<ActivityDeps, "clock"> & {
	store: { messages: Pick<ActivityDeps["store"]["messages"], "find" | "findGroup" | "transition"> };
	sendQueues: Pick<ActivityDeps["sendQueues"], "add">;
	admit: ReturnType<typeof createAdmit>;
	prepare: Pick<ReturnType<typeof createPrepare>, "prepareMessage">;
	tenancy: Pick<Tenancy, "isSuspended">;
};

/** `deliver` is completed from outside, by {workflow id, activity id}; at once when nothing of the group is open. */
export function createDeliver(deps: DeliverDeps) {
	const { messages } = deps.store;

	/**
	 * Queues one message's next attempt, leaves it in the backlog where there is no room, or ends it when its time is, or
	 * surely will be, over. True while it is open.
	 * @param now epoch milliseconds, the same for messages that are queued together
	 */
	async function queueMessage(message: Message, now = deps.clock()): Promise<boolean> {
		// What is with a sender or a carrier asks for no room.
		if (!isUnsent(message)) return settle(message, (current) => close(current, now));
		// Of a suspended tenant nothing is queued: it waits, or ends when its time is over.
		if (await deps.tenancy.isSuspended(message.tenantId)) {
			return settle(message, (current) => close(current, now) ?? waitForTenant(current, now));
		}
		if (message.state === "queued" && message.backlog !== undefined && now < message.deadlineAt) return true;
		const admission = await deps.admit(message);
		const backlog = admission.kind === "room" ? undefined : backlogKey(message, now);
		const changed = await change(
			messages,
			message._id,
			(current) => {
				const over = close(current, now);
				if (over) return over;
				if (!isUnsent(current)) return undefined;
				if (admission.kind === "hopeless") return refuse(current, now, "queue_hopeless");
				if (current.state !== "queued") return enqueue(current, now, backlog);
				return backlog !== undefined && current.backlog === undefined ? shelve(current, backlog) : undefined;
			},
			message,
		);
		const state = changed?.applied.to ?? message.state;
		if (isFinal(state)) return false;
		if (state === "queued" && admission.kind === "room") await addAttempt(deps, message, now, admission.delayMs);
		return true;
	}

	/** True while it is open. */
	async function settle(message: Message, decide: (current: Message) => Transition | undefined): Promise<boolean> {
		const changed = await change(messages, message._id, decide, message);
		return !isFinal(changed?.applied.to ?? message.state);
	}

	/** Judges a message once more, and queues it unless it must wait: then it is `deferred`. Undefined when it is over. */
	async function deliverMessage(message: Message, now: number): Promise<Message | undefined> {
		const prepared = await deps.prepare.prepareMessage(message);
		if (isFinal(prepared.state)) return undefined;
		const waits = prepared.state === "deferred" && (prepared.releaseAt ?? 0) > deps.clock();
		if (waits) return prepared;
		return (await queueMessage(prepared, now)) ? { ...prepared, state: "queued" } : undefined;
	}

	return {
		queueMessage,
		async deliver(submissionId: string, group: number): Promise<Delivered> {
			const members = await messages.findGroup(submissionId, group);
			// Of one moment: what is then changed alike in many messages is one write.
			const now = deps.clock();
			const delivering = members.map((message) => deliverMessage(message, now));
			// A failure has all of them looked at again: not before each has been, this time.
			await Promise.allSettled(delivering);
			const open = (await Promise.all(delivering)).filter((message) => message !== undefined);
			// Read after this activity had started: whoever ends a message from here on can complete it by id.
			if (open.some(({ state }) => state !== "deferred")) throw new CompleteAsyncError();
			const releases = open.map(({ releaseAt }) => releaseAt as number);
			return releases.length > 0 ? { releaseAt: Math.max(...releases) } : {};
		},
	};
}

function isUnsent({ state }: Message): boolean {
	return (unsentStates as readonly State[]).includes(state);
}

/** Makes the job of a queued message's next attempt, due after `delayMs` at the earliest. */
export function addAttempt(
	deps: Pick<DeliverDeps, "sendQueues">,
	message: Pick<Message, "_id" | "attempt" | "sendQueue" | "category" | "notBefore" | "segments">,
	now: number,
	delayMs = 0,
	urgent = laneOf(message.category) === "urgent",
): Promise<void> {
	return deps.sendQueues.add({
		messageId: message._id,
		attempt: message.attempt + 1,
		sendQueue: message.sendQueue,
		urgent,
		delayMs: Math.max(0, delayMs, (message.notBefore ?? 0) - now),
		segments: message.segments ?? 1,
	});
}
