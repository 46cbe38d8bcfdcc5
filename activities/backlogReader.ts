// Reads a send queue's backlog tenant by tenant, and asks for no more than it reads: of 100,000 that match a filter a store
// may go through all, however few are wanted. So it remembers who waits and since when, and looks around that.

import type { Waiting } from "../adapters/mongo/messages.ts";
import { backlogBetween, backlogRange, backlogUntil, type Lane, waitingSince } from "../domain/backlog.ts";
import type { ActivityDeps } from "./deps.ts";

export type BacklogReaderDeps = Pick<ActivityDeps, "clock"> & {
	store: { messages: Pick<ActivityDeps["store"]["messages"], "findBacklog"> };
};

/** One lane as it is known. All of it may be lost: then the next look takes longer. */
export type LaneView = {
	sendQueue: string;
	lane: Lane;
	/** Who waits, in the order of the keys. */
	tenantIds: string[];
	places: Map<string, Place>;
	/** In this turn: behind whom somebody new was looked for, and whose backlog was read to its end. */
	looked: Set<string>;
	ended: Set<string>;
};

/** How far one tenant's backlog was read. Times are epoch milliseconds. */
type Place = {
	/** Its longest waiting has not waited since before this. */
	oldest: number;
	/** The last key that was read; "" is none. */
	after: string;
	/** Nothing behind `after` has waited since before this. */
	since: number;
	/** How much of the time behind that is read at once. */
	windowMs: number;
	/** Read, and not taken yet. */
	ahead: Waiting[];
};

const pageItems = 50;
// What nobody wants must not have the whole backlog read at once.
const pagesMax = 4;
const windowMsMin = 1_000;
// Where one holds nothing, the next is longer: an hour's gap takes five of them.
const windowGrowth = 8;

export function viewLane(sendQueue: string, lane: Lane): LaneView {
	return { sendQueue, lane, tenantIds: [], places: new Map(), looked: new Set(), ended: new Set() };
}

/** Begins a turn: within one, nothing that has come since is looked for twice. */
export function beginTurn({ looked, ended }: LaneView): void {
	looked.clear();
	ended.clear();
}

/** Has each tenant read from its longest waiting again. */
export function rewind(view: LaneView): void {
	for (const place of view.places.values()) {
		place.after = "";
		place.since = place.oldest;
		place.ahead = [];
	}
}

export function createBacklogReader(deps: BacklogReaderDeps) {
	const { findBacklog } = deps.store.messages;

	/** A tenant of which nothing waits at all is not known any more. */
	async function readOn(view: LaneView, tenantId: string, place: Place, itemsMax: number): Promise<void> {
		const range = backlogRange(view.sendQueue, view.lane, tenantId);
		const until = place.since + place.windowMs;
		// Whoever queued something may have a clock that is ahead.
		const isRest = until > deps.clock();
		const { before } = isRest ? range : backlogUntil(range, until);
		const found = await findBacklog({ after: place.after || range.after, before }, itemsMax);
		const isFull = found.length === itemsMax;
		if (isRest && found.length === 0 && place.after === "") forget(view, tenantId);
		else goOn(place, found, isRest || isFull ? undefined : until);
		place.ahead.push(...found);
		if (isRest && !isFull) view.ended.add(tenantId);
	}

	return {
		/** Whose turn is after this tenant's, "" being the lane's start; undefined at its end. */
		async nextTenant(view: LaneView, behind: string): Promise<string | undefined> {
			const known = view.tenantIds.find((id) => isBehind(id, behind));
			if (view.looked.has(behind)) return known;
			view.looked.add(behind);
			const [newcomer] = await findBacklog(backlogBetween(view.sendQueue, view.lane, behind, known), 1);
			if (!newcomer) return known;
			const at = known === undefined ? view.tenantIds.length : view.tenantIds.indexOf(known);
			view.tenantIds.splice(at, 0, newcomer.tenantId);
			const since = waitingSince(newcomer.backlog);
			const place = { oldest: since, after: "", since, windowMs: windowMsMin, ahead: [] };
			view.places.set(newcomer.tenantId, place);
			return newcomer.tenantId;
		},

		/** A tenant's next, those that are not wanted left out: at most so many, and fewer though more waits unless `isAll`. */
		async take(
			view: LaneView,
			tenantId: string,
			itemsMax: number,
			isWanted: (message: Waiting) => boolean,
		): Promise<{ found: Waiting[]; isAll: boolean }> {
			const place = view.places.get(tenantId);
			if (!place) return { found: [], isAll: true };
			for (let page = 0; page < pagesMax; page++) {
				if (view.ended.has(tenantId) || place.ahead.length >= itemsMax) break;
				await readOn(view, tenantId, place, Math.max(itemsMax, pageItems));
				place.ahead = place.ahead.filter(isWanted);
			}
			const found = place.ahead.splice(0, itemsMax);
			return { found, isAll: view.ended.has(tenantId) && place.ahead.length === 0 };
		},
	};
}

/** @param end of the window, when it held no more than these */
function goOn(place: Place, found: Waiting[], end?: number): void {
	const [first] = found;
	const last = found.at(-1);
	if (!last && end === undefined) return;
	const { since } = place;
	if (last) place.since = waitingSince(last.backlog);
	if (end !== undefined) {
		place.since = end;
		place.windowMs *= last ? 2 : windowGrowth;
	} else {
		place.windowMs = Math.max(windowMsMin, 2 * (place.since - since));
	}
	if (place.after === "") place.oldest = first ? waitingSince(first.backlog) : place.since;
	if (last) place.after = last.backlog;
}

function forget(view: LaneView, tenantId: string): void {
	view.places.delete(tenantId);
	view.tenantIds = view.tenantIds.filter((id) => id !== tenantId);
}

// As their keys are ordered.
function isBehind(tenantId: string, other: string): boolean {
	return other === "" || `${tenantId}/` > `${other}/`;
}
