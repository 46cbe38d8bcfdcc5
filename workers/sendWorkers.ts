// The send queues that this process works: what is new, paused, removed or of another rate is taken up while it runs.

import type { Deps } from "../deps.ts";

type SendWorker = Pick<ReturnType<Deps["openSendWorker"]>, "close" | "setRate">;

/** One worker a send queue that is not paused; one queue's failure never stops the others. */
export function createSendWorkers(options: {
	queues: Pick<Deps["store"]["sendQueues"], "all">;
	open: (queue: { sendQueue: string; ratePerSecond: number }) => SendWorker;
	/** Has the carrier of a queue bring what it tells on connections of ours; repeated, for its credentials may change. */
	receive: (sendQueue: string) => Promise<void>;
	ratePerSecondDefault: number;
	onError: (error: Error) => void;
}) {
	const workers = new Map<string, SendWorker>();

	function workOn(sendQueue: string, ratePerSecond: number): void {
		const worker = workers.get(sendQueue);
		if (worker) worker.setRate(ratePerSecond);
		else workers.set(sendQueue, options.open({ sendQueue, ratePerSecond }));
	}

	async function stop(sendQueue: string): Promise<void> {
		const worker = workers.get(sendQueue);
		workers.delete(sendQueue);
		await worker?.close();
	}

	return {
		/** Compares what is worked with what the store says. @throws LetheError store_unavailable: all goes on as it was */
		async watch(): Promise<void> {
			const queues = await options.queues.all();
			const there = new Set(queues.map(({ _id }) => _id));
			for (const sendQueue of [...workers.keys()].filter((id) => !there.has(id))) {
				// Asked for once more, its carrier is found to have no queue, and closed.
				await Promise.all([stop(sendQueue), options.receive(sendQueue)]).catch(options.onError);
			}
			await Promise.all(
				queues.map(async ({ _id, paused, ratePerSecond = options.ratePerSecondDefault }) => {
					try {
						if (paused) await stop(_id);
						else workOn(_id, ratePerSecond);
						// What was sent before a pause has receipts all the same. A carrier that is slow keeps no queue waiting.
						options.receive(_id).catch(options.onError);
					} catch (error) {
						options.onError(error as Error);
					}
				}),
			);
		},
		/** Takes no job any more; resolves once those under way have ended, or failed to. */
		async close(): Promise<void> {
			await Promise.allSettled([...workers.keys()].map(stop));
		},
	};
}
