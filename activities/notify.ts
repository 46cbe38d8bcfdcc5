// Tells tenants' servers of their messages: what messages have to tell becomes deliveries, and what is due of those is sent.

import { createCache } from "../domain/cache.ts";
import { limits } from "../domain/limits.ts";
import type { Message } from "../domain/message.ts";
import { evidenceAsRead } from "../domain/transition.ts";
import { eventsOf, freshDelivery, type WebhookDelivery, type WebhookEndpoint } from "../domain/webhook.ts";
import { type Addressed, createWebhookSlots } from "../domain/webhookSlots.ts";
import type { ActivityDeps } from "./deps.ts";
import { guarded } from "./guarded.ts";
import { type ClaimedDelivery, createTellEndpoint, type TellEndpointDeps } from "./tellEndpoint.ts";

export type NotifyDeps = TellEndpointDeps &
	Pick<ActivityDeps, "ids"> & {
		store: {
			messages: Pick<ActivityDeps["store"]["messages"], "findNotifying" | "postponeNotifying" | "transition">;
			webhookDeliveries: Pick<
				ActivityDeps["store"]["webhookDeliveries"],
				"claim" | "deleteOf" | "findByMessages" | "findDue" | "insert" | "settle"
			>;
		};
	};

/** Claimed deliveries of one message to one endpoint, in order: they are sent one after the other. */
export type WebhookGroup = Addressed & { deliveries: WebhookDelivery[] };

const endpointsMax = 1_000;
// Looks for what is due in one turn, each without those that the ones before found to be busy.
const looksMax = 8;
const dueItems = 2 * limits.webhooksInFlightMax;
// Within the lease, a request under way included.
const groupMs = limits.webhookLeaseMs - 2 * limits.webhookTimeoutMs;
// What could not be gathered is tried again after this; meanwhile it keeps no other waiting.
const gatherAgainMs = 5_000;
// One that waits for another to be told first is looked at again after this.
const followMs = 1_000;

/** Every step may be repeated, by several processes at once and after a kill: what was sent may then be sent again. */
export function createNotify(deps: NotifyDeps) {
	const { webhookDeliveries } = deps.store;
	const tellEndpoint = createTellEndpoint(deps);
	const findEndpoint = createCache<WebhookEndpoint>({
		load: deps.store.webhookEndpoints.find,
		clock: deps.clock,
		ttlMs: limits.webhookSeenMs,
		itemsMax: endpointsMax,
	});
	// Only of one that is enabled may what is remembered be older than the event.
	const findStanding = async (id: string) => {
		const known = await findEndpoint(id);
		return known?.state === "enabled" ? known : await deps.store.webhookEndpoints.find(id);
	};
	const postpone = (delivery: WebhookDelivery, nextAt: number) => {
		const { _id: id, claim } = delivery as ClaimedDelivery;
		return webhookDeliveries.settle({ id, claim, set: { nextAt: Math.max(nextAt, deps.clock()) } });
	};

	return {
		/** Makes deliveries of what a page of messages has to tell. Answers how many messages that were. */
		async gather(itemsMax: number): Promise<number> {
			const now = deps.clock();
			const messages = await deps.store.messages.findNotifying(now, itemsMax);
			const ids = messages.map(({ _id }) => _id);
			// First: a page that fails whole must not be the page that is found next.
			await deps.store.messages.postponeNotifying(ids, now, now + gatherAgainMs);
			await Promise.all(messages.map((message) => guarded(deps, () => gatherOne(deps, findEndpoint, message))));
			return messages.length;
		},
		/** Claims what is due and there are slots for, as groups; what must wait for an earlier event is put off. */
		async claimDue(underWay: readonly Addressed[]): Promise<WebhookGroup[]> {
			const now = deps.clock();
			const claimed = await webhookDeliveries.claim(await pickDue(deps, underWay, now), now, limits.webhookLeaseMs);
			if (claimed.length === 0) return [];
			const blocked = await findBlocked(deps, claimed);
			const waits = claimed.filter(({ _id }) => blocked.has(_id));
			await Promise.all(waits.map((delivery) => postpone(delivery, blocked.get(delivery._id) ?? 0)));
			const free = claimed.filter(({ _id }) => !blocked.has(_id));
			return [...Map.groupBy(free, groupOf).values()].map((deliveries) => {
				const [{ endpointId, tenantId }] = deliveries as [WebhookDelivery];
				return { endpointId, tenantId, deliveries: deliveries.toSorted((a, b) => sequenceOf(a) - sequenceOf(b)) };
			});
		},
		/** Sends a group's; once one fails the rest waits for it, and is left to others when this is to stop. Never throws. */
		async deliver({ endpointId, deliveries }: WebhookGroup, isStopping = () => false): Promise<void> {
			const until = deps.monotonic() + groupMs;
			let waitUntil: number | undefined;
			for (const delivery of deliveries) {
				const isOver = isStopping() || deps.monotonic() > until;
				const before = waitUntil ?? (isOver ? deps.clock() : undefined);
				// Until this one is surely over no later one is told, whatever fails here.
				waitUntil = deps.clock() + followMs;
				await guarded(deps, async () => {
					const endpoint = before === undefined ? await findStanding(endpointId) : undefined;
					if (before !== undefined) await postpone(delivery, before);
					else if (!endpoint) await webhookDeliveries.deleteOf(endpointId);
					waitUntil = endpoint ? await tellEndpoint(endpoint, delivery as ClaimedDelivery) : before;
				});
			}
		},
	};
}

/** Ids of what is due, the longest waiting first; of an endpoint that is busy nothing, so that it keeps no other waiting. */
async function pickDue({ store }: NotifyDeps, underWay: readonly Addressed[], now: number): Promise<string[]> {
	const slots = createWebhookSlots(underWay);
	const ids = new Set<string>();
	const groups = new Set<string>();
	for (let looks = 0; looks < looksMax && slots.free() > 0; looks++) {
		const due = await store.webhookDeliveries.findDue(now, slots.busy(), dueItems);
		const picked = due.filter((one) => groups.has(groupOf(one)) || (slots.take(one) && groups.add(groupOf(one))));
		for (const { _id } of picked) ids.add(_id);
		if (due.length < dueItems || picked.length === due.length) break;
	}
	return [...ids];
}

function groupOf({ endpointId, event, _id }: Pick<WebhookDelivery, "_id" | "endpointId" | "event">): string {
	return `${endpointId} ${event?.messageId ?? _id}`;
}

function sequenceOf({ event }: WebhookDelivery): number {
	return event?.sequence ?? 0;
}

/** Each delivery is inserted once, however often this is repeated. */
async function gatherOne(
	deps: NotifyDeps,
	findEndpoint: (id: string) => Promise<WebhookEndpoint | undefined>,
	message: Message,
): Promise<void> {
	const events = eventsOf(message);
	const found = await Promise.all((message.webhooks ?? []).map(findEndpoint));
	const fresh = events.slice(message.notified ?? 0);
	const deliveries = found
		.filter((endpoint) => endpoint !== undefined)
		.flatMap((endpoint) =>
			fresh
				.filter(({ state }) => endpoint.states.includes(state))
				.map((event) => toDelivery(deps, message, endpoint, event)),
		);
	await deps.store.webhookDeliveries.insert(deliveries);
	const isAll = await deps.store.messages.transition({
		id: message._id,
		where: evidenceAsRead(message),
		set: { notified: events.length },
		unset: ["notifyAt"],
	});
	// What came meanwhile is told by the next look, at once.
	if (!isAll) await deps.store.messages.transition({ id: message._id, set: { notifyAt: deps.clock() } });
}

function toDelivery(
	deps: NotifyDeps,
	{ _id: messageId, submissionId, tenantId }: Message,
	{ _id: endpointId }: WebhookEndpoint,
	{ at, state, sequence }: ReturnType<typeof eventsOf>[number],
): WebhookDelivery {
	const now = deps.clock();
	return {
		_id: deps.ids.derive("webhookDelivery", `${endpointId} ${messageId} ${sequence}`),
		tenantId,
		endpointId,
		event: { messageId, submissionId, state, sequence },
		at,
		tryUntil: at + limits.webhookTryMs,
		...freshDelivery(now),
	};
}

/** Of the claimed, those that an earlier event of their message must reach first, and when to look again. */
async function findBlocked(deps: NotifyDeps, claimed: WebhookDelivery[]): Promise<Map<string, number>> {
	const mine = new Set(claimed.map(({ _id }) => _id));
	const messageIds = [...new Set(claimed.flatMap(({ event }) => event?.messageId ?? []))];
	const others = messageIds.length === 0 ? [] : await deps.store.webhookDeliveries.findByMessages(messageIds);
	const waiting = Map.groupBy(
		others.filter(({ _id, state }) => state === "waiting" && !mine.has(_id)),
		groupOf,
	);
	const now = deps.clock();
	const blocked = new Map<string, number>();
	for (const delivery of claimed) {
		const earlier = (waiting.get(groupOf(delivery)) ?? []).filter((one) => sequenceOf(one) < sequenceOf(delivery));
		const [last] = earlier.toSorted((a, b) => (b.nextAt ?? 0) - (a.nextAt ?? 0));
		// One that is being told is over in a moment, whatever its lease; one that failed is tried at its time.
		if (last) blocked.set(delivery._id, last.claim === undefined ? (last.nextAt ?? now) : now + followMs);
	}
	return blocked;
}
