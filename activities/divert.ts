// An attempt that its send queue can't make, for its carrier is left alone: another queue's, where there is one.

import type { LeftCode } from "../adapters/redis/sendWorker.ts";
import { isRestricted } from "../domain/message.ts";
import { divert } from "../domain/transition.ts";
import { type AddAgainDeps, createAddAgain } from "./addAgain.ts";
import type { ActivityDeps } from "./deps.ts";
import type { createReroute } from "./reroute.ts";

export type DivertDeps = AddAgainDeps & {
	store: { messages: Pick<ActivityDeps["store"]["messages"], "find"> };
	reroute: ReturnType<typeof createReroute>;
};

/** `divert` answers true when the job has nothing left to do: its message was moved, by this or before, or is over. */
export function createDivert(deps: DivertDeps) {
	const addAgain = createAddAgain(deps);

	return async function divertJob(
		job: { messageId: string; attempt: number; sendQueue: string },
		code: LeftCode,
	): Promise<boolean> {
		const message = await deps.store.messages.find(job.messageId);
		const isOurs = message?.state === "queued" && message.sendQueue === job.sendQueue;
		if (!message || !isOurs || message.attempt !== job.attempt - 1) return true;
		if (isRestricted(message)) return false;
		const now = deps.clock();
		const moved = await deps.reroute(message, code, divert(message, now));
		if (!moved) return false;
		await addAgain({ ...moved, notBefore: now }, now);
		return true;
	};
}
