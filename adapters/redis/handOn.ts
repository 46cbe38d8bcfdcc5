// Hands on what waits in a send queue whose carrier is left alone: behind jobs that may go nowhere else no sender would take it.

import { Queue } from "bullmq";
import type { Redis } from "ioredis";

const pageItems = 50;
// A look ends in a moment, and the next one goes on where it ended.
const lookedItemsMax = 200;
// Of many jobs that are put back at once, one has the others looked at.
const restMs = 1_000;

type Waiting = { messageId: string; attempt: number; sendQueue: string };

/**
 * `handOn` asks of what waits whether another queue has made it its own, of some hundred jobs at a time, and takes those
 * away; what stays keeps its place.
 */
export function createHandOn({ connection, prefix, sendQueue }: HandOnOptions) {
	let queue: Queue | undefined;
	let next = 0;
	let restUntil = 0;

	function open(): Queue {
		const opened = new Queue(sendQueue, { connection, prefix, skipVersionCheck: true, skipMetasUpdate: true });
		opened.on("error", () => undefined);
		return opened;
	}

	/** Whether there are more behind these. */
	async function lookAtPage(divert: (job: Waiting) => Promise<boolean>): Promise<boolean> {
		queue ??= open();
		const jobs = await queue.getPrioritized(next, next + pageItems - 1);
		const moved = await Promise.all(
			jobs.map(async (job) => {
				const { m: messageId, a: attempt } = job.data as { m: string; a: number };
				const isMoved = await divert({ messageId, attempt, sendQueue }).catch(() => false);
				// A sender that took it meanwhile finds nothing left to do.
				if (isMoved) await job.remove().catch(() => undefined);
				return isMoved;
			}),
		);
		const isMore = jobs.length === pageItems;
		next = isMore ? next + moved.filter((isMoved) => !isMoved).length : 0;
		return isMore;
	}

	return async function handOn(divert: (job: Waiting) => Promise<boolean>): Promise<void> {
		if (performance.now() < restUntil) return;
		restUntil = performance.now() + restMs;
		for (let looked = 0; looked < lookedItemsMax; looked += pageItems) if (!(await lookAtPage(divert))) return;
	};
}

type HandOnOptions = { connection: Redis; prefix: string; sendQueue: string };
