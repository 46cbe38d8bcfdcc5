// Failover: another send queue for a message that its own surely did not send, where routing, policies and budgets let it.

import type { SendQueueDocument, TenantDocument } from "../adapters/mongo/models.ts";
import { chargeOf, countersOf, countsCost } from "../domain/abuse.ts";
import { limits } from "../domain/limits.ts";
import { currentFacts, type Message, type RerouteRecord } from "../domain/message.ts";
import { priceOf, routeFacts, routes } from "../domain/routes.ts";
import { moved, type Transition } from "../domain/transition.ts";
import type { ActivityDeps } from "./deps.ts";
import type { createRejudge } from "./rejudge.ts";
import { createSendSettings } from "./sendSettings.ts";

export type RerouteDeps = Pick<ActivityDeps, "clock" | "monotonic" | "policies"> & {
	sendQueues: Pick<ActivityDeps["sendQueues"], "areIll">;
	store: {
		messages: Pick<ActivityDeps["store"]["messages"], "find" | "transition">;
		sendQueues: Pick<ActivityDeps["store"]["sendQueues"], "find">;
		spending: Pick<ActivityDeps["store"]["spending"], "giveBack" | "take">;
		tenants: Pick<ActivityDeps["store"]["tenants"], "find">;
	};
	rejudge: Pick<ReturnType<typeof createRejudge>, "judge">;
};

/**
 * `reroute` makes `transition`, by which the message stays or becomes queued, with another send queue in it, and answers
 * the message as it then is. Undefined, and nothing changed, when there is no other that may have it, or the race was
 * lost. Only for what was surely not sent: whoever asks knows that.
 */
export function createReroute(deps: RerouteDeps) {
	const { findQueue, findTenant } = createSendSettings(deps);

	/** The queues to try, the best first; none whose carrier fails, or that failed this message lately. */
	async function candidates(message: Message, tenant: TenantDocument): Promise<SendQueueDocument[]> {
		const now = deps.clock();
		const failed = message.attempts.filter(({ endedAt }) => now - (endedAt ?? now) < limits.rerouteAgainMs);
		const avoided = new Set([message.sendQueue, ...failed.flatMap(({ sendQueue }) => sendQueue ?? [])]);
		const queues = await Promise.all(tenant.sendQueues.filter((id) => !avoided.has(id)).map(findQueue));
		const known = queues.filter((queue) => queue !== undefined && !queue.paused) as SendQueueDocument[];
		const ill = await deps.sendQueues.areIll(known.map(({ _id }) => _id)).catch(() => new Set<string>());
		const { country, category, dataClasses, senderId } = message;
		const sender = message.senderAsked ? senderId : undefined;
		const asked = { country, category, dataClasses, sender, regions: tenant.regions };
		return routes(known, asked, { known: senderId }).filter(({ _id }) => !ill.has(_id));
	}

	/** What the policies say of the message on that queue; undefined when they don't let it go there now. */
	function judge(message: Message, queue: SendQueueDocument, code: string): RerouteRecord | undefined {
		const now = deps.clock();
		const told = routeFacts(queue, message.country);
		const facts = currentFacts({ facts: message.facts, reroutes: [{ facts: told }] });
		const record: RerouteRecord = {
			...{ at: now, from: message.sendQueue, to: queue._id, code, facts: told },
			decision: deps.policies.reevaluate({ ...facts, legalHold: undefined }, now),
		};
		const verdict = deps.rejudge.judge({ ...message, reroutes: [...(message.reroutes ?? []), record] }, now);
		return record.decision.allowed && verdict.kind === "due" ? record : undefined;
	}

	/** Charges what the other queue costs more; false when the budget has no room for it. */
	async function recharge(message: Message, tenant: TenantDocument, price: number | undefined) {
		const { charge, country, tenantId } = message;
		if (!charge) return { settle: async () => undefined, undo: async () => undefined };
		if (price === undefined && countsCost(tenant, country)) return undefined;
		const { costMicros } = chargeOf(charge.at, charge.segments, price);
		const more = { at: charge.at, segments: 0, costMicros: costMicros - charge.costMicros };
		const taking = { tenantId, at: charge.at, counters: countersOf(more, country, tenant.budgets) };
		const { spending } = deps.store;
		// What costs more is charged before it is moved, what costs less given back after: never too little in between.
		if (more.costMicros > 0 && (await spending.take(taking))) return undefined;
		return {
			charge: { ...charge, costMicros },
			settle: async () => (more.costMicros < 0 ? void (await spending.take(taking)) : undefined),
			undo: async () => (more.costMicros > 0 ? spending.giveBack(taking) : undefined),
		};
	}

	/**
	 * Whether the message was moved. Where the answer got lost it is asked for once more: the change leaves nothing that it
	 * applies to, so it takes effect once. @throws LetheError store_unavailable when nobody can tell; then the charge stays
	 */
	async function move(done: Transition, { at, to }: RerouteRecord): Promise<boolean> {
		const { messages } = deps.store;
		try {
			return await messages.transition(done);
		} catch {
			if (await messages.transition(done)) return true;
			const { reroutes = [] } = (await messages.find(done.id)) ?? {};
			return reroutes.some((record) => record.at === at && record.to === to);
		}
	}

	return async function reroute(message: Message, code: string, change: Transition): Promise<Message | undefined> {
		const tenant = await findTenant(message.tenantId);
		if (!tenant || (message.reroutes?.length ?? 0) >= limits.reroutesMax) return undefined;
		for (const queue of await candidates(message, tenant)) {
			const record = judge(message, queue, code);
			const paid = record && (await recharge(message, tenant, priceOf(queue, message.country)));
			if (!record || !paid) continue;
			const done = moved(change, record, queue.sender, paid.charge);
			if (!(await move(done, record))) return void (await paid.undo());
			await paid.settle().catch(() => undefined);
			return { ...message, sendQueue: queue._id, senderId: queue.sender };
		}
		return undefined;
	};
}
