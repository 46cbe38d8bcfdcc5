// Gives a tenant's budget back what it was charged for a message that is over and was surely never sent.

import { countersOf } from "../domain/abuse.ts";
import { isFinal } from "../domain/lifecycle.ts";
import { type Message, wasHandedOver } from "../domain/message.ts";
import type { ActivityDeps } from "./deps.ts";

export type RefundDeps = {
	store: {
		messages: Pick<ActivityDeps["store"]["messages"], "transition">;
		spending: Pick<ActivityDeps["store"]["spending"], "giveBack">;
	};
};

/** `refund` gives back once, however often it is asked to; what is open, or was or may have been sent, stays charged. */
export function createRefund(deps: RefundDeps) {
	return async function refund({ _id, state, attempts, charge, tenantId, country }: Message): Promise<void> {
		if (!charge || !isFinal(state) || wasHandedOver(attempts)) return;
		// The mark goes first: who dies in between leaves the budget charged for nothing, and never twice credited.
		const change = { id: _id, from: [state], where: { charge: { $exists: true } }, unset: ["charge"] };
		if (!(await deps.store.messages.transition(change))) return;
		await deps.store.spending.giveBack({ tenantId, at: charge.at, counters: countersOf(charge, country) });
	};
}
