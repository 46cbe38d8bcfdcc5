// The sender: works every send queue at its rate, one attempt a job.

import { createClockGuard } from "../activities/clockGuard.ts";
import { createDivert } from "../activities/divert.ts";
import { createFeed } from "../activities/feed.ts";
import { createMoveWaiting } from "../activities/moveWaiting.ts";
import { createNotify } from "../activities/notify.ts";
import { createRejudge } from "../activities/rejudge.ts";
import { createReroute } from "../activities/reroute.ts";
import { createSend } from "../activities/send.ts";
import { createTenancy } from "../activities/tenancy.ts";
import { createUnpark } from "../activities/unpark.ts";
import { loadConfig } from "../config.ts";
import { createDeps } from "../deps.ts";
import { createFeeder } from "./feeder.ts";
import { createLoop } from "./loop.ts";
import { createNotifier } from "./notifier.ts";
import { runProcess } from "./process.ts";
import { quarantined } from "./quarantined.ts";
import { createSendWorkers } from "./sendWorkers.ts";

// New send queues, paused ones and changed rates are noticed within this time.
const watchEveryMs = 2_000;

await runProcess(async () => {
	const config = loadConfig();
	const deps = await createDeps(config, "sender");
	await deps.evidence.append([{ type: "process_started", code: "sender", by: "engine" }]);
	const rejudge = createRejudge(deps);
	const reroute = createReroute({ ...deps, rejudge });
	let stopping = false;
	const { checkClock } = createClockGuard(deps);
	const steps = { unpark: createUnpark(deps), rejudge, reroute, tenancy: createTenancy(deps), checkClock };
	const { send, divert, moveWaiting } = quarantined(
		{
			send: createSend({ ...deps, ...steps, isStopping: () => stopping }),
			divert: createDivert({ ...deps, reroute }),
			moveWaiting: createMoveWaiting({ ...deps, reroute }),
		},
		deps.quarantine.checkSettled,
	);
	const onError = (error: Error) => {
		const { code = error.name } = error as { code?: string };
		// Which names a queue lacks is ours to say; what else an error says may quote anything.
		deps.log.warn({ code, ...(code === "not_configured" && { why: error.message }) }, "send queue");
	};
	const workers = createSendWorkers({
		queues: deps.store.sendQueues,
		open: (queue) => deps.openSendWorker({ ...queue, handle: send, divert, onError }),
		async receive(sendQueue) {
			const carrier = await deps.carriers.sender(sendQueue);
			const told = carrier?.receive?.(deps.handOver(carrier.name, sendQueue));
			// Redis that is away keeps no carrier from bringing what it has.
			if (told) deps.sendQueues.tellBrought(sendQueue, told).catch(() => undefined);
			return carrier;
		},
		ratePerSecondDefault: config.sender.ratePerSecondDefault,
		async mayWork() {
			deps.quarantine.checkAge();
			await checkClock();
		},
		onError,
	});

	const feeder = createFeeder({
		...{ store: deps.store, feed: createFeed(deps), moveWaiting, onError },
		areIll: (names) => deps.sendQueues.areIll(names),
	});
	const notifier = createNotifier({
		notify: createNotify(deps),
		isAny: deps.store.webhookEndpoints.isAny,
		// Receivers refuse what bears another time than theirs, and by a clock that is ahead an event's day would be over.
		async check() {
			deps.quarantine.check();
			await checkClock();
		},
		onError: (error: Error) => deps.log.warn({ code: (error as { code?: string }).code ?? error.name }, "webhooks"),
	});
	const watcher = createLoop({
		async step() {
			await workers.watch();
			return watchEveryMs;
		},
		idleEveryMs: watchEveryMs,
		onError: () => deps.log.warn({}, "send queues could not be read"),
	});
	await workers.watch();
	watcher.start();
	feeder.start();
	notifier.start();
	return {
		ready: {},
		async stop() {
			stopping = true;
			// Together: while one ends what it has in hand, no other may begin anything.
			await Promise.all([workers.close(), watcher.close(), feeder.close(), notifier.close()]);
			await deps.close();
		},
	};
});
