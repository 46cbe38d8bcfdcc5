// Fills a send queue from the backlog in the store: tenants in turn, one-time codes first, and no more than two seconds' worth.

import type { Waiting } from "../adapters/mongo/messages.ts";
import type { SendQueueDocument } from "../adapters/mongo/models.ts";
import { type Lane, lanes, queueAheadMs, queueCapacity } from "../domain/backlog.ts";
import { limits } from "../domain/limits.ts";
import { isRestricted } from "../domain/message.ts";
import { unshelve } from "../domain/transition.ts";
import { limitsOn } from "./admit.ts";
import { beginTurn, createBacklogReader, type LaneView, rewind, viewLane } from "./backlogReader.ts";
import { addAttempt } from "./deliver.ts";
import type { ActivityDeps } from "./deps.ts";
import { createSendSettings } from "./sendSettings.ts";

export type FeedDeps = Pick<ActivityDeps, "clock" | "monotonic" | "ids" | "segmentsPerSecondDefault"> & {
	store: {
		messages: Pick<ActivityDeps["store"]["messages"], "findBacklog" | "transition">;
		sendQueues: Pick<ActivityDeps["store"]["sendQueues"], "find">;
		tenants: Pick<ActivityDeps["store"]["tenants"], "find">;
	};
	sendQueues: Pick<ActivityDeps["sendQueues"], "add" | "depth" | "lead" | "takeTurn" | "tellWaiting">;
};

type Queue = Pick<SendQueueDocument, "_id" | "ratePerSecond" | "countryRates">;

/** What one queue's feeder remembers. All of it may be lost: then attempts are added that wait already, which wait once. */
type Course = {
	/** The tenant that was served last, by lane. */
	served: Record<Lane, string>;
	views: Record<Lane, LaneView>;
	rereadAt: number;
	/** Message → when it was put on the queue, as far as it may still be there. */
	fed: Map<string, number>;
	segmentsMean: number;
	/** Segments a second that its senders manage while they have enough to do. */
	pace: number;
	/** When its pace was looked at last, how many jobs it had then, and what was fed since. */
	left?: { at: number; count: number };
};

const leadMs = 1_000;
// What was left out for a limit, or lost with Redis, is found by reading from the start again.
const rereadMs = 2_000;
const fedMs = 10_000;
// What a limit keeps must not have the whole backlog tried at each turn.
const takingsMax = 4;
const visitsMax = 100;
// So many tenants share what is fed at once; more of them are served the next time.
const turnsPerRoom = 8;
const paceMs = 400;
// A queue must be able to become faster again.
const paceMargin = 1.2;
// Of five attempts that are fed while codes queue up, one is somebody else's.
const urgentPerNormal = 4;

/** `added`: attempts, by this turn. `waits`: whether anything may wait still; of a queue that another sender fills it may. */
export type Fed = { added: number; waits: boolean };

/** `feed` fills one send queue. Of several senders one does it. */
export function createFeed(deps: FeedDeps) {
	const token = deps.ids.random("claim");
	const courses = new Map<string, Course>();
	const feedLane = createFeedLane(deps);

	return async function feed(queue: Queue): Promise<Fed> {
		if (!(await deps.sendQueues.lead(queue._id, token, leadMs))) return { added: 0, waits: true };
		const course = courses.get(queue._id) ?? createCourse(queue._id);
		courses.set(queue._id, course);
		refresh(course, deps.monotonic());
		const rate = queue.ratePerSecond ?? deps.segmentsPerSecondDefault;
		const depth = await deps.sendQueues.depth(queue._id);
		keepPace(course, depth.urgent + depth.normal, rate, deps.monotonic());
		const capacity = queueCapacity(Math.min(rate, course.pace), course.segmentsMean);
		// Not for the sake of a few: what is read costs the store as much for one as for many.
		const room = (lane: Lane) => (depth[lane] <= (capacity * 3) / 4 ? capacity - depth[lane] : 0);
		const urgentCount = await feedLane(queue, course, "urgent", room("urgent"), true);
		// Codes overtake whatever waits in Redis: with as many as the queue can send, nothing else ever would be.
		const isBusy = depth.urgent + urgentCount >= capacity / 2;
		const share = isBusy ? Math.floor(urgentCount / urgentPerNormal) : 0;
		const promotedCount = share > 0 ? await feedLane(queue, course, "normal", share, true) : 0;
		const normalCount = await feedLane(queue, course, "normal", room("normal"), false);
		const added = urgentCount + promotedCount + normalCount;
		course.left ??= { at: deps.monotonic(), count: depth.urgent + depth.normal };
		course.left.count += added;
		// A lane without room was not looked at.
		const waits = (lane: Lane) => room(lane) === 0 || course.views[lane].tenantIds.length > 0;
		// Not what a limit keeps, which waits for no room.
		const counts = { urgent: urgentCount, normal: normalCount };
		const isShort = (lane: Lane) => waits(lane) && counts[lane] >= room(lane);
		await deps.sendQueues.tellWaiting(queue._id, lanes.filter(isShort), leadMs);
		return { added, waits: lanes.some(waits) };
	};
}

/** Serves the tenants of a lane in turn until `room` is used up; answers how many attempts it added. */
function createFeedLane(deps: FeedDeps) {
	const reader = createBacklogReader(deps);
	const feedOne = createFeedOne(deps);

	/** A tenant's next attempts, at most `share`. */
	async function feedTenant(
		queue: Queue,
		course: Course,
		lane: Lane,
		tenantId: string,
		share: number,
		urgent: boolean,
	) {
		let count = 0;
		for (let taking = 0; taking < takingsMax && count < share; taking++) {
			const isUnfed = ({ _id }: { _id: string }) => !course.fed.has(_id);
			const { found, isAll } = await reader.take(course.views[lane], tenantId, share - count, isUnfed);
			// Together: calls that add at once share a round trip.
			const added = await Promise.all(found.map((message) => feedOne(queue, course, message, urgent)));
			count += added.filter(Boolean).length;
			if (isAll) break;
		}
		return count;
	}

	return async (queue: Queue, course: Course, lane: Lane, room: number, urgent: boolean): Promise<number> => {
		const turn = Math.ceil(room / turnsPerRoom);
		let left = room;
		const idle = new Set<string>();
		for (let visit = 0; visit < visitsMax && left > 0; visit++) {
			const next = await reader.nextTenant(course.views[lane], course.served[lane]);
			if (next === undefined) {
				if (course.served[lane] === "") break;
				course.served[lane] = "";
				continue;
			}
			if (idle.has(next)) break;
			const count = await feedTenant(queue, course, lane, next, Math.min(left, turn), urgent);
			if (count === 0) idle.add(next);
			else idle.clear();
			left -= count;
			course.served[lane] = next;
		}
		return room - left;
	};
}

/** Adds one attempt unless a limit of its tenant or country keeps it, or a hold that lets nothing be sent. True when it was added. */
function createFeedOne(deps: FeedDeps) {
	const { findTenant } = createSendSettings(deps);

	return async (queue: Queue, course: Course, message: Waiting, urgent: boolean): Promise<boolean> => {
		const now = deps.clock();
		if (message.deadlineAt <= now) return false;
		if (isRestricted(message)) {
			// The release of its hold has the sweep look at it.
			const at = Math.min(message.deadlineAt, now + limits.heldCohortCheckMs);
			await deps.store.messages.transition(unshelve(message._id, message.backlog, at));
			return false;
		}
		const tenant = await findTenant(message.tenantId);
		const segments = message.segments ?? 1;
		const turn = await deps.sendQueues.takeTurn(limitsOn(message, tenant, queue), segments, queueAheadMs);
		if (!turn.taken) return false;
		await addAttempt(deps, message, now, turn.waitMs, urgent);
		course.fed.set(message._id, deps.monotonic());
		course.segmentsMean += (segments - course.segmentsMean) / 20;
		return true;
	};
}

function createCourse(sendQueue: string): Course {
	return {
		served: { urgent: "", normal: "" },
		views: { urgent: viewLane(sendQueue, "urgent"), normal: viewLane(sendQueue, "normal") },
		rereadAt: 0,
		fed: new Map(),
		segmentsMean: 1,
		pace: Number.POSITIVE_INFINITY,
	};
}

// A store or carrier that is slower than the limit makes two seconds of it many: then what is managed counts. A queue that
// ran dry might have managed more.
function keepPace(course: Course, count: number, rate: number, now: number): void {
	if (!course.left || now - course.left.at < paceMs) return;
	const segments = Math.max(0, course.left.count - count) * course.segmentsMean;
	const managed = (segments * 1000) / (now - course.left.at);
	course.pace = count === 0 ? rate : Math.max(1, (Math.min(course.pace, rate) + managed * paceMargin) / 2);
	course.left = { at: now, count };
}

/** Forgets what is too old to be true. */
function refresh(course: Course, now: number): void {
	const views = Object.values(course.views);
	for (const view of views) beginTurn(view);
	if (now >= course.rereadAt) {
		for (const view of views) rewind(view);
		course.rereadAt = now + rereadMs;
	}
	for (const [id, fedAt] of course.fed) {
		if (now - fedAt < fedMs) break;
		course.fed.delete(id);
	}
}
