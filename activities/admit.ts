// Whether a message may go onto its send queue now: it holds about two seconds of work, and the store what waits behind.

import type { SendQueueDocument, TenantDocument } from "../adapters/mongo/models.ts";
import type { RateBucket } from "../adapters/redis/rateBuckets.ts";
import { backlogRange, type Lane, laneOf, queueAheadMs, queueCapacity } from "../domain/backlog.ts";
import { createMemory } from "../domain/cache.ts";
import type { Category, Message } from "../domain/message.ts";
import type { ActivityDeps } from "./deps.ts";
import { createSendSettings } from "./sendSettings.ts";

export type AdmitDeps = Pick<ActivityDeps, "clock" | "monotonic" | "segmentsPerSecondDefault"> & {
	store: {
		messages: Pick<ActivityDeps["store"]["messages"], "countBacklog">;
		sendQueues: Pick<ActivityDeps["store"]["sendQueues"], "find">;
		tenants: Pick<ActivityDeps["store"]["tenants"], "find">;
	};
	sendQueues: Pick<ActivityDeps["sendQueues"], "depth" | "takeTurn" | "waiting">;
};

/** `room`: a job may be made, due after `delayMs`. `hopeless`: what its tenant has ahead of it outlasts its deadline. */
export type Admission = { kind: "room"; delayMs: number } | { kind: "wait" } | { kind: "hopeless" };

type Asking = Pick<Message, "sendQueue" | "tenantId" | "category" | "country" | "segments" | "deadlineAt">;
type View = { depth: Record<Lane, number>; waiting: ReadonlySet<string>; readAt: number; segmentsMean: number };

// A queue that fills or empties is noticed within these times.
const depthMs = 250;
const countMs = 1_000;
const rememberedMax = 10_000;

/**
 * `admit` costs nothing while a queue has room: what was read of it is counted on, and read again now and then. Below
 * half of its capacity only, and not while something of the lane waits for room in the store: the rest is for whoever fills
 * the queue from there, so that nobody overtakes what waits, however slow the carrier is.
 */
export function createAdmit(deps: AdmitDeps) {
	const views = new Map<string, View>();
	const remember = createMemory({ clock: deps.monotonic, itemsMax: rememberedMax });
	const { findQueue, findTenant } = createSendSettings(deps);

	async function viewOf(sendQueue: string, lane: Lane, low: number): Promise<View> {
		const known = views.get(sendQueue);
		const isFresh = known !== undefined && deps.monotonic() - known.readAt < depthMs;
		if (isFresh) return known;
		const reading = remember(`depth/${sendQueue}`, depthMs, async () => {
			const { sendQueues } = deps;
			const [depth, waiting] = await Promise.all([sendQueues.depth(sendQueue), sendQueues.waiting(sendQueue)]);
			const segmentsMean = views.get(sendQueue)?.segmentsMean ?? 1;
			const view = { depth, waiting, readAt: deps.monotonic(), segmentsMean };
			views.set(sendQueue, view);
			return view;
		});
		// A queue that had room is taken at its word once more; the reading goes on beside it.
		if (known && hasRoomFor(known, lane, low)) {
			reading.catch(() => undefined);
			return known;
		}
		return reading;
	}

	async function hasRoom(message: Asking, queue: SendQueueDocument | undefined): Promise<boolean> {
		if (queue?.paused) return false;
		const rate = queue?.ratePerSecond ?? deps.segmentsPerSecondDefault;
		const lane = laneOf(message.category);
		const mean = views.get(message.sendQueue)?.segmentsMean ?? 1;
		const low = Math.ceil(queueCapacity(rate, mean) / 2);
		// Redis away: what waits in the store is found there once it is back.
		const view = await viewOf(message.sendQueue, lane, low).catch(() => undefined);
		if (!view || !hasRoomFor(view, lane, low)) return false;
		view.depth[lane]++;
		view.segmentsMean += ((message.segments ?? 1) - view.segmentsMean) / 20;
		return true;
	}

	async function isHopeless(message: Asking, rate: number, refused: Category[]): Promise<boolean> {
		if (!refused.includes(message.category)) return false;
		const leftMs = message.deadlineAt - deps.clock();
		// Its time ended while it was being looked at: that is told of it, not what may have stood in its way.
		if (leftMs <= 0) return false;
		const range = backlogRange(message.sendQueue, laneOf(message.category), message.tenantId);
		// At the queue's whole rate, and one segment each: it is hopeless even if everything turns out well.
		const sentByThen = Math.ceil((leftMs / 1000) * rate);
		const key = `count/${range.after}/${message.deadlineAt - (message.deadlineAt % countMs)}`;
		const ahead = await remember(key, countMs, () => deps.store.messages.countBacklog(range, sentByThen + 1));
		return ahead > sentByThen;
	}

	return async function admit(message: Asking): Promise<Admission> {
		const [queue, tenant] = await Promise.all([findQueue(message.sendQueue), findTenant(message.tenantId)]);
		if (await hasRoom(message, queue)) {
			const limits = limitsOn(message, tenant, queue);
			if (limits.length === 0) return { kind: "room", delayMs: 0 };
			const turn = await deps.sendQueues.takeTurn(limits, message.segments ?? 1, queueAheadMs).catch(() => undefined);
			if (turn?.taken) return { kind: "room", delayMs: turn.waitMs };
		}
		const rate = queue?.ratePerSecond ?? deps.segmentsPerSecondDefault;
		const hopeless = await isHopeless(message, rate, tenant?.refuseHopeless ?? ["otp"]);
		return { kind: hopeless ? "hopeless" : "wait" };
	};
}

function hasRoomFor({ depth, waiting }: View, lane: Lane, low: number): boolean {
	return depth[lane] < low && !waiting.has(lane);
}

/** The limits that a message falls under besides its queue's own: its tenant's, and its country's with either. */
export function limitsOn(
	{ tenantId, sendQueue, country }: Pick<Message, "tenantId" | "sendQueue" | "country">,
	tenant: Pick<TenantDocument, "ratePerSecond" | "countryRates"> | undefined,
	queue: Pick<SendQueueDocument, "countryRates"> | undefined,
): RateBucket[] {
	const rates = {
		[`tenant:${tenantId}`]: tenant?.ratePerSecond,
		[`tenant:${tenantId}:${country}`]: tenant?.countryRates?.[country],
		[`queue:${sendQueue}:${country}`]: queue?.countryRates?.[country],
	};
	return Object.entries(rates).flatMap(([name, segmentsPerSecond]) =>
		segmentsPerSecond === undefined ? [] : [{ name, segmentsPerSecond }],
	);
}
