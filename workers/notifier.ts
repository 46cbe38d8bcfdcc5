// Sends webhooks while there are any: part of the sender, for a process of its own would cost far more than it does.

import type { WebhookGroup } from "../activities/notify.ts";
import { createLoop } from "./loop.ts";

type Notify = {
	gather: (itemsMax: number) => Promise<number>;
	claimDue: (itemsMax: number) => Promise<WebhookGroup[]>;
	deliver: (group: WebhookGroup) => Promise<void>;
	putOff: (group: WebhookGroup) => Promise<void>;
};

const busyEveryMs = 50;
const idleEveryMs = 500;
// While no endpoint is registered, only that is asked.
const absentEveryMs = 5_000;
const pageItems = 200;
const inFlightMax = 64;
// A receiver that is slow keeps no other waiting.
const inFlightPerEndpointMax = 8;

export function createNotifier(options: {
	notify: Notify;
	/** Whether there is any endpoint. */
	isAny: () => Promise<boolean>;
	/** Throws while this process may do nothing. */
	check: () => void;
	onError: (error: Error) => void;
}) {
	const { notify, onError } = options;
	const inFlight = new Map<Promise<void>, string>();
	let lookedAt = Number.NEGATIVE_INFINITY;
	let any = false;

	function begin(group: WebhookGroup): void {
		const { endpointId } = group;
		const busy = [...inFlight.values()].filter((id) => id === endpointId).length >= inFlightPerEndpointMax;
		const work = (busy ? notify.putOff(group) : notify.deliver(group)).catch(onError);
		const ended = work.finally(() => inFlight.delete(ended));
		inFlight.set(ended, busy ? "" : endpointId);
	}

	async function step(): Promise<number> {
		options.check();
		if (performance.now() - lookedAt >= absentEveryMs) {
			any = await options.isAny();
			lookedAt = performance.now();
		}
		if (!any) return absentEveryMs;
		const gathered = await notify.gather(pageItems);
		const free = inFlightMax - inFlight.size;
		const groups = free > 0 ? await notify.claimDue(free) : [];
		for (const group of groups) begin(group);
		return gathered + groups.length > 0 ? busyEveryMs : idleEveryMs;
	}

	const loop = createLoop({ step, idleEveryMs, onError });
	return {
		start: loop.start,
		/** Resolves once what is under way has ended. */
		async close(): Promise<void> {
			await loop.close();
			await Promise.all(inFlight.keys());
		},
	};
}
