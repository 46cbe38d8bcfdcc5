// Empties a send queue that does not send: what waits in its backlog goes to others' where it may, one-time codes first.

import type { Waiting } from "../adapters/mongo/messages.ts";
import type { Lane } from "../domain/backlog.ts";
import { isRestricted } from "../domain/message.ts";
import { transfer } from "../domain/transition.ts";
import { beginTurn, createBacklogReader, type LaneView, rewind, viewLane } from "./backlogReader.ts";
import type { ActivityDeps } from "./deps.ts";
import type { createReroute } from "./reroute.ts";

export type MoveWaitingDeps = Pick<ActivityDeps, "clock" | "monotonic" | "ids"> & {
	store: { messages: Pick<ActivityDeps["store"]["messages"], "find" | "findBacklog"> };
	sendQueues: Pick<ActivityDeps["sendQueues"], "lead">;
	reroute: ReturnType<typeof createReroute>;
};

/** Why a queue is emptied; recorded of each message that is moved. */
export type LeavingCode = "queue_paused" | "queue_draining" | "carrier_failing";

// Of several senders one does it; the next one goes on where this one died.
const leadMs = 5_000;
const pageItems = 50;
// Of tenants that have little waiting, many are read in one turn; and of much, no more than some pages.
const movedMax = 200;
const readsMax = 100;
// Where nothing could be moved the store is asked less often.
const stuckMs = 1_000;
// What may go nowhere is tried again after this time: a route may have opened. New codes may stand before others.
const rereadMs: Record<Lane, number> = { urgent: 1_000, normal: 10_000 };

/** What is remembered of one queue and lane: the last tenant that was read to its end, and until when nothing is to be read. */
type Course = { view: LaneView; behind: string; restUntil: number };

/** `moveWaiting` moves a part of a queue's backlog; it answers how many messages were moved. Repeat it until none is. */
export function createMoveWaiting(deps: MoveWaitingDeps) {
	const token = deps.ids.random("claim");
	const courses = new Map<string, Course>();
	const reader = createBacklogReader(deps);

	/** Surely unsent: it is queued, and the change is refused once anybody has claimed an attempt. */
	async function moveOne({ _id, sendQueue, backlog }: Waiting, code: LeavingCode): Promise<boolean> {
		const message = await deps.store.messages.find(_id);
		const waits = message?.state === "queued" && message.sendQueue === sendQueue && message.backlog === backlog;
		if (!message || !waits || isRestricted(message)) return false;
		return (await deps.reroute(message, code, transfer(message, deps.clock()))) !== undefined;
	}

	async function moveLane(sendQueue: string, lane: Lane, code: LeavingCode): Promise<number> {
		const name = `${lane}/${sendQueue}`;
		const course = courses.get(name) ?? { view: viewLane(sendQueue, lane), behind: "", restUntil: 0 };
		courses.set(name, course);
		if (deps.monotonic() < course.restUntil) return 0;
		beginTurn(course.view);
		let tried = 0;
		let movedCount = 0;
		for (let reads = 0; reads < readsMax && tried < movedMax; reads++) {
			const tenantId = await reader.nextTenant(course.view, course.behind);
			if (tenantId === undefined) {
				course.behind = "";
				course.restUntil = deps.monotonic() + rereadMs[lane];
				rewind(course.view);
				return movedCount;
			}
			const { found, isAll } = await reader.take(course.view, tenantId, pageItems, () => true);
			const moved = await Promise.allSettled(found.map((message) => moveOne(message, code)));
			movedCount += moved.filter((one) => one.status === "fulfilled" && one.value).length;
			tried += found.length;
			if (isAll) course.behind = tenantId;
		}
		if (movedCount === 0) course.restUntil = deps.monotonic() + stuckMs;
		return movedCount;
	}

	return async function moveWaiting(sendQueue: string, code: LeavingCode): Promise<number> {
		if (!(await deps.sendQueues.lead(`${sendQueue}:leaving`, token, leadMs))) return 0;
		const codes = await moveLane(sendQueue, "urgent", code);
		return codes + (await moveLane(sendQueue, "normal", code));
	};
}
