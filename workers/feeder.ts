// Keeps the send queues filled from the backlog: often while something waits there, now and then while nothing does.

import type { Deps } from "../deps.ts";

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
	let timer: NodeJS.Timeout | undefined;
	let turning = Promise.resolve();
	let closed = false;

	async function feedAll(): Promise<boolean> {
		const waiting = await options.store.messages.findBacklog(everything, 1);
		if (waiting.length === 0) return false;
		if (performance.now() - readAt > settingsMs) {
			queues = await options.store.sendQueues.all();
			readAt = performance.now();
		}
		const open = queues.filter(({ paused }) => !paused);
		await Promise.all(open.map((queue) => options.feed(queue).catch(options.onError)));
		return true;
	}

	async function turn(): Promise<void> {
		const busy = await feedAll().catch((error: Error) => {
			options.onError(error);
			return false;
		});
		if (!closed) schedule(busy ? busyEveryMs : idleEveryMs);
	}

	function schedule(ms: number): void {
		timer = setTimeout(() => {
			turning = turn();
		}, ms);
	}

	return {
		start: () => schedule(0),
		/** Resolves once a turn under way has ended. */
		async close(): Promise<void> {
			closed = true;
			clearTimeout(timer);
			await turning;
		},
	};
}
