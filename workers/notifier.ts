// Sends webhooks while there are any: part of the sender, for a process of its own would cost far more than it does.

import { setTimeout as sleep } from "node:timers/promises";
import type { WebhookGroup } from "../activities/notify.ts";
import { createLoop } from "./loop.ts";

type Notify = {
	gather: (itemsMax: number) => Promise<number>;
	claimDue: (underWay: readonly WebhookGroup[]) => Promise<WebhookGroup[]>;
	deliver: (group: WebhookGroup, isStopping: () => boolean) => Promise<void>;
};

const busyEveryMs = 50;
const idleEveryMs = 500;
// While no endpoint is registered, only that is asked.
const absentEveryMs = 5_000;
const pageItems = 200;

export function createNotifier(options: {
	notify: Notify;
	/** Whether there is any endpoint. */
	isAny: () => Promise<boolean>;
	/** Rejects while this process may do nothing. */
	check: () => Promise<void>;
	onError: (error: Error) => void;
}) {
	const { notify, onError } = options;
	const inFlight = new Map<Promise<void>, WebhookGroup>();
	let lookedAt = Number.NEGATIVE_INFINITY;
	let any = false;
	let stopping = false;

	function begin(group: WebhookGroup): void {
		const ended = notify
			.deliver(group, () => stopping)
			.catch(onError)
			.finally(() => inFlight.delete(ended));
		inFlight.set(ended, group);
	}

	async function step(): Promise<number> {
		await options.check();
		if (performance.now() - lookedAt >= absentEveryMs) {
			any = await options.isAny();
			lookedAt = performance.now();
		}
		if (!any) return absentEveryMs;
		const underWay = new Map(inFlight);
		const gathered = await notify.gather(pageItems);
		const groups = await notify.claimDue([...underWay.values()]);
		for (const group of groups) begin(group);
		if (gathered + groups.length > 0) return busyEveryMs;
		if (underWay.size === 0) return idleEveryMs;
		// What ends makes room for more of its endpoint.
		await Promise.race([...underWay.keys(), sleep(idleEveryMs)]);
		return busyEveryMs;
	}

	const loop = createLoop({ step, idleEveryMs, onError });
	return {
		start: loop.start,
		/** Resolves once the deliveries that are under way have ended; what comes behind them is left to others. */
		async close(): Promise<void> {
			stopping = true;
			await loop.close();
			await Promise.all(inFlight.keys());
		},
	};
}
