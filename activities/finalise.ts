// The end of a submission: what is still open ends, what was erased is read back and certified, what remains gets its date.

import { isFinal } from "../domain/lifecycle.ts";
import type { Message } from "../domain/message.ts";
import { abandon, close } from "../domain/transition.ts";
import type { Finalised } from "../workflows/contract.ts";
import type { createCertify } from "./certify.ts";
import { change } from "./change.ts";
import type { ActivityDeps } from "./deps.ts";
import type { createRefund } from "./refund.ts";

export type FinaliseDeps = Pick<ActivityDeps, "clock"> & {
	store: { messages: Pick<ActivityDeps["store"]["messages"], "find" | "findBySubmission" | "transition"> };
	certify: ReturnType<typeof createCertify>;
	refund: ReturnType<typeof createRefund>;
	/** Throws while no message may be ended by this machine's time; see `createClockGuard`. */
	checkClock: () => Promise<void>;
};

/** `finalise` may be repeated; what it can't end or certify now is left to the sweep. */
export function createFinalise(deps: FinaliseDeps) {
	const { messages } = deps.store;

	async function endMessage(message: Message, cancelled: boolean): Promise<void> {
		if (isFinal(message.state)) return;
		const now = deps.clock();
		if (!cancelled && close(message, now)) await deps.checkClock();
		const decide = cancelled ? abandon : close;
		await change(messages, message._id, (current) => decide(current, now), message);
	}

	return async function finalise(submissionId: string, cancelled: boolean): Promise<Finalised> {
		const found = await messages.findBySubmission(submissionId);
		const allFinal = found.every((message) => isFinal(message.state));
		const ending = allFinal ? [] : found.map((message) => endMessage(message, cancelled));
		await Promise.allSettled(ending);
		const ended = allFinal ? found : await messages.findBySubmission(submissionId);
		// Before anything sets the date on which the message is looked at again.
		const refunding = ended.map(deps.refund);
		await Promise.allSettled(refunding);
		await deps.certify(ended);
		// One that could not be ended has it all repeated, but keeps no other from its certificate.
		await Promise.all([...ending, ...refunding]);
		const counts: Record<string, number> = {};
		for (const { state } of ended) counts[state] = (counts[state] ?? 0) + 1;
		return { counts, openCount: ended.filter((message) => !isFinal(message.state)).length };
	};
}
