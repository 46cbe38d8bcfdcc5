// The send queues that this process works: what is new, paused, removed or of another rate is taken up while it runs.

import type { Deps } from "../deps.ts";

type SendWorker = Pick<ReturnType<Deps["openSendWorker"]>, "close" | "setRate" | "retry">;

/** One worker a send queue that is not paused; one queue's failure never stops the others. */
export function createSendWorkers(options: {
	queues: Pick<Deps["store"]["sendQueues"], "all">;
	open: (queue: { sendQueue: string; ratePerSecond: number }) => SendWorker;
	/**
	 * Has the carrier of a queue bring what it tells on connections of ours; repeated, for its credentials may change.
	 * Answers it, another where its settings or credentials are others.
	 */
	receive: (sendQueue: string) => Promise<object | undefined>;
	ratePerSecondDefault: number;
	/** Throws while this process may send nothing: then others take the jobs. */
	mayWork: () => Promise<void>;
	onError: (error: Error) => void;
}) {
	const workers = new Map<string, SendWorker>();
	/** What carrier each queue had when it was last asked. */
	const carriers = new Map<string, object>();
	/** Of those that take no job any more, what they have in hand. */
	const ending = new Set<Promise<void>>();
	let isClosed = false;

	function workOn(sendQueue: string, ratePerSecond: number): void {
		const worker = workers.get(sendQueue);
		if (worker) worker.setRate(ratePerSecond);
		else workers.set(sendQueue, options.open({ sendQueue, ratePerSecond }));
	}

	// What the one before refused, another may take: it is not waited for.
	async function receive(sendQueue: string): Promise<void> {
		const carrier = await options.receive(sendQueue);
		if (carrier === carriers.get(sendQueue)) return;
		if (carrier) carriers.set(sendQueue, carrier);
		else carriers.delete(sendQueue);
		workers.get(sendQueue)?.retry();
	}

	/** Resolves once what it has in hand has ended, or failed to. */
	function stop(sendQueue: string): Promise<void> {
		const worker = workers.get(sendQueue);
		if (!worker) return Promise.resolve();
		workers.delete(sendQueue);
		const ended = worker
			.close()
			.catch(options.onError)
			.finally(() => ending.delete(ended));
		ending.add(ended);
		return ended;
	}

	return {
		/**
		 * Compares what is worked with what the store says, and waits for nothing else: a carrier that is slow keeps no queue
		 * waiting. One call at a time. @throws LetheError store_unavailable: all goes on as it was
		 */
		async watch(): Promise<void> {
			const queues = await options.queues.all();
			const isFit = await options.mayWork().then(
				() => true,
				(error) => {
					options.onError(error);
					return false;
				},
			);
			if (isClosed) return;
			const there = new Set(queues.map(({ _id }) => _id));
			const worked = new Set([...workers.keys(), ...carriers.keys()]);
			for (const sendQueue of [...worked].filter((id) => !there.has(id))) {
				// Asked for until it is found to have no queue, which is not looked up each time, its carrier is then closed.
				void stop(sendQueue)
					.then(() => receive(sendQueue))
					.catch(options.onError);
			}
			for (const { _id, paused, ratePerSecond = options.ratePerSecondDefault } of queues) {
				try {
					if (paused || !isFit) void stop(_id);
					else workOn(_id, ratePerSecond);
					// What was sent before a pause has receipts all the same.
					receive(_id).catch(options.onError);
				} catch (error) {
					options.onError(error as Error);
				}
			}
		},
		/**
		 * Takes no job any more, nor does a `watch` that is under way have any taken; resolves once those under way have ended,
		 * or failed to: of queues that were stopped before, too.
		 */
		async close(): Promise<void> {
			isClosed = true;
			for (const sendQueue of [...workers.keys()]) void stop(sendQueue);
			await Promise.all(ending);
		},
	};
}
