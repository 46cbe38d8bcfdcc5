// Keeps the send queues filled from the backlog: often while something waits there, now and then while nothing does.

import type { Fed } from "../activities/feed.ts";
import type { LeavingCode } from "../activities/moveWaiting.ts";
import type { Deps } from "../deps.ts";
import { backlogOutside } from "../domain/backlog.ts";
import { createLoop } from "./loop.ts";

type Queue = Awaited<ReturnType<Deps["store"]["sendQueues"]["all"]>>[number];

// Far less than what a queue holds, so that it never runs dry in between.
const busyEveryMs = 100;
const idleEveryMs = 500;
// A queue is not known to have a backlog before it has a second's work in Redis: that is not gone by then.
const newcomersEveryMs = 400;
const settingsMs = 2_000;

/**
 * Feeds every send queue that is not paused, and empties those that are to be left: stopped by an operator who said so, or
 * with a carrier that fails. One queue's failure never stops the others.
 */
export function createFeeder(options: {
	store: {
		sendQueues: Pick<Deps["store"]["sendQueues"], "all">;
		messages: Pick<Deps["store"]["messages"], "findBacklog">;
	};
	feed: (queue: Queue) => Promise<Fed>;
	moveWaiting: (sendQueue: string, code: LeavingCode) => Promise<number>;
	/** Those of the queues whose carrier fails at present. */
	areIll: (sendQueues: string[]) => Promise<ReadonlySet<string>>;
	onError: (error: Error) => void;
}) {
	let queues: Queue[] = [];
	let ill: ReadonlySet<string> = new Set();
	let readAt = Number.NEGATIVE_INFINITY;
	let lookedAt = Number.NEGATIVE_INFINITY;
	/** Those in whose backlog something may wait. */
	const busy = new Set<string>();

	async function feedAll(): Promise<number> {
		if (performance.now() - lookedAt > newcomersEveryMs) await findNewcomers();
		if (busy.size === 0) return idleEveryMs;
		if (performance.now() - readAt > settingsMs) {
			queues = await options.store.sendQueues.all();
			// While Redis does not say, all are well: it would give nobody the lead either.
			ill = await options.areIll(queues.map(({ _id }) => _id)).catch(() => new Set<string>());
			readAt = performance.now();
		}
		const open = queues.filter(({ _id, paused }) => !paused && busy.has(_id));
		const left = queues.flatMap((queue) => {
			const code = leavingCode(queue, ill);
			return code ? [{ sendQueue: queue._id, code }] : [];
		});
		await Promise.all([
			...open.map((queue) => feed(queue).catch(options.onError)),
			...left.map(({ sendQueue, code }) => options.moveWaiting(sendQueue, code).catch(options.onError)),
		]);
		// What a paused queue keeps asks for nothing.
		return open.length + left.length > 0 ? busyEveryMs : idleEveryMs;
	}

	async function findNewcomers(): Promise<void> {
		lookedAt = performance.now();
		// Looked for beside what is known to wait: of much that waits a store may read all to find the first.
		const outside = backlogOutside(busy).map((range) => options.store.messages.findBacklog(range, 1));
		for (const [found] of await Promise.all(outside)) if (found) busy.add(found.sendQueue);
	}

	async function feed(queue: Queue): Promise<void> {
		const { waits } = await options.feed(queue);
		if (!waits) busy.delete(queue._id);
	}

	return createLoop({ step: feedAll, idleEveryMs, onError: options.onError });
}

// Paused without that word, a queue keeps what it has: its operator may only want a moment.
function leavingCode({ _id, paused, draining, moveWaiting }: Queue, ill: ReadonlySet<string>): LeavingCode | undefined {
	if (moveWaiting && paused) return "queue_paused";
	if (moveWaiting && draining) return "queue_draining";
	return !paused && ill.has(_id) ? "carrier_failing" : undefined;
}
