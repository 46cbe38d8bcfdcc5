// A further attempt at a message: once the limits of its tenant and country have room for it, as for the first.

import { backlogKey, queueAheadMs } from "../domain/backlog.ts";
import type { Message } from "../domain/message.ts";
import { shelve } from "../domain/transition.ts";
import { limitsOn } from "./admit.ts";
import { addAttempt } from "./deliver.ts";
import type { ActivityDeps } from "./deps.ts";
import { createSendSettings, type SendSettingsDeps } from "./sendSettings.ts";

export type AddAgainDeps = Pick<ActivityDeps, "clock"> &
	SendSettingsDeps & {
		store: { messages: Pick<ActivityDeps["store"]["messages"], "transition"> };
		sendQueues: Pick<ActivityDeps["sendQueues"], "add" | "takeTurn">;
	};

/**
 * `addAgain` makes the job of a queued message's next attempt; without room for it the message waits in the backlog. What
 * can't be done now, for Redis or the store is away, the sweep does.
 */
export function createAddAgain(deps: AddAgainDeps) {
	const { findQueue, findTenant } = createSendSettings(deps);

	async function add(message: Message, now: number): Promise<void> {
		const [queue, tenant] = await Promise.all([findQueue(message.sendQueue), findTenant(message.tenantId)]);
		const limits = limitsOn(message, tenant, queue);
		if (limits.length === 0) return addAttempt(deps, message, now);
		const turn = await deps.sendQueues.takeTurn(limits, message.segments ?? 1, queueAheadMs);
		if (turn.taken) return addAttempt(deps, message, now, turn.waitMs);
		await deps.store.messages.transition(shelve(message, backlogKey(message, now)));
	}

	return (message: Message, now: number): Promise<void> => add(message, now).catch(() => undefined);
}
