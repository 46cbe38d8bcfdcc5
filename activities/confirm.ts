// A batch's head is its acceptance: members that have one are driven on, those of a torn batch are erased unsent.

import { countersOf } from "../domain/abuse.ts";
import { limits } from "../domain/limits.ts";
import { isRestricted, type Message } from "../domain/message.ts";
import { confirm as confirmed } from "../domain/transition.ts";
import type { ActivityDeps } from "./deps.ts";
import { ensureIntegrated } from "./integrate.ts";

export type ConfirmDeps = Pick<ActivityDeps, "clock" | "log" | "evidence"> & {
	store: {
		messages: Pick<ActivityDeps["store"]["messages"], "deleteOrphan" | "find" | "transition">;
		spending: Pick<ActivityDeps["store"]["spending"], "giveBack">;
	};
};

/**
 * `confirm` answers whether an unsent message may be driven now. A member whose head is missing may not: the head's insert
 * may be on its way for a while; once it can't be any more, the member goes. A repeat of the request makes members of
 * its own, so nothing that is erased here can belong to a batch that was completed meanwhile.
 */
export function createConfirm(deps: ConfirmDeps) {
	const { messages } = deps.store;

	async function putOff({ _id: id, state, headId }: Message, set: Partial<Message>): Promise<false> {
		await messages.transition({ id, from: [state], where: { headId }, set });
		return false;
	}

	return async function confirm(message: Message): Promise<boolean> {
		const { headId } = message;
		if (headId === undefined) return true;
		const now = deps.clock();
		const head = await messages.find(headId);
		if (head?.submissionId === message.submissionId) {
			await messages.transition(confirmed(message, now));
			return (message.releaseAt ?? now) <= now;
		}
		const { headMissedAt = now } = message;
		const orphanAt = Math.max(message.acceptedAt + limits.orphanPatienceMs, headMissedAt + limits.headMissedMs);
		if (now < orphanAt) return putOff(message, { headMissedAt, nextCheckAt: orphanAt });
		// It stays for as long as somebody's hold is on it, and the log must not say otherwise.
		if (isRestricted(message)) return putOff(message, { nextCheckAt: now + limits.heldCohortCheckMs });
		if (!(await ensureIntegrated(deps, message))) return false;
		const { _id: about, tenantId, charge, country } = message;
		await deps.evidence.append([{ type: "orphan_discarded", tenantId, about, by: "engine" }]);
		if (!(await messages.deleteOrphan(message))) return false;
		deps.log.info({ messageId: message._id, submissionId: message.submissionId }, "orphan erased");
		// It goes once, and only then: who dies in between leaves the budget charged for nothing, and never twice credited.
		if (charge) await deps.store.spending.giveBack({ tenantId, at: charge.at, counters: countersOf(charge, country) });
		return false;
	};
}
