// Keeps the send queues filled from the backlog: often while something waits there, now and then while nothing does.

import type { Deps } from "../deps.ts";
import { createLoop } from "./loop.ts";

type Queue = Awaited<ReturnType<Deps["store"]["sendQueues"]["all"]>>[number];

// Far less than what a queue holds, so that it never runs dry in between.
const busyEveryMs = 100;
const idleEveryMs = 500;
const settingsMs = 2_000;

/** Every key of the backlog. */
const everything = { after: "", before: "~" };

/** Feeds every send queue that is not paused; one queue's failure never stops the others. */
export function createFeeder(options: {
	store: {
		sendQueues: Pick<Deps["store"]["sendQueues"], "all">;
		messages: Pick<Deps["store"]["messages"], "findBacklog">;
	};
	feed: (queue: Queue) => Promise<number>;
	onError: (error: Error) => void;
}) {
	let queues: Queue[] = [];
	let readAt = Number.NEGATIVE_INFINITY;

	async function feedAll(): Promise<number> {
		const waiting = await options.store.messages.findBacklog(everything, 1);
		if (waiting.length === 0) return idleEveryMs;
		if (performance.now() - readAt > settingsMs) {
			queues = await options.store.sendQueues.all();
			readAt = performance.now();
		}
		const open = queues.filter(({ paused }) => !paused);
		await Promise.all(open.map((queue) => options.feed(queue).catch(options.onError)));
		return busyEveryMs;
	}

	return createLoop({ step: feedAll, idleEveryMs, onError: options.onError });
}
