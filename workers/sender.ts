// The sender: works every send queue at its rate, one attempt a job.

import { createRejudge } from "../activities/rejudge.ts";
import { createSend } from "../activities/send.ts";
import { createUnpark } from "../activities/unpark.ts";
import { loadConfig } from "../config.ts";
import { createDeps } from "../deps.ts";
import { runProcess } from "./process.ts";

// New send queues, and paused ones, are noticed within this time.
const watchEveryMs = 2_000;

await runProcess(async () => {
	const config = loadConfig();
	const deps = await createDeps(config, "sender");
	const send = createSend({ ...deps, unpark: createUnpark(deps), rejudge: createRejudge(deps) });
	const workers = new Map<string, ReturnType<typeof deps.openSendWorker>>();

	async function watch(): Promise<void> {
		const queues = await deps.store.sendQueues.all();
		for (const queue of queues) {
			const open = workers.get(queue._id);
			if (queue.paused && open) {
				workers.delete(queue._id);
				await open.close();
			}
			if (queue.paused || open) continue;
			workers.set(
				queue._id,
				deps.openSendWorker({
					sendQueue: queue._id,
					ratePerSecond: queue.ratePerSecond ?? config.sender.ratePerSecondDefault,
					handle: (job, control) => send(job, control),
					onError: (error) => deps.log.warn({ code: (error as { code?: string }).code ?? error.name }, "send queue"),
				}),
			);
		}
	}

	await watch();
	const timer = setInterval(() => {
		watch().catch(() => deps.log.warn({}, "send queues could not be read"));
	}, watchEveryMs);
	return {
		ready: {},
		async stop() {
			clearInterval(timer);
			await Promise.all([...workers.values()].map((worker) => worker.close()));
			await deps.close();
		},
	};
});
