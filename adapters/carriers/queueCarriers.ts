// One open carrier a send queue and purpose: kept while its settings and secrets stay the same, so that connections are.

import type { SendQueueDocument } from "../mongo/models.ts";
import type { Carrier } from "./carrier.ts";
import { openCarrier } from "./registry.ts";

type Held = { checkedAt: number; fingerprint: string; carrier: Carrier };

// A changed setting or a rotated secret is seen within this time.
const recheckMs = 5_000;

/**
 * Opens send queues by id with the secrets of one purpose; undefined for an unknown queue.
 * @throws LetheError keys_unavailable | store_unavailable
 */
export function createQueueCarriers(deps: {
	queues: { find: (id: string) => Promise<SendQueueDocument | undefined> };
	secrets: { read: (sendQueue: string, purpose: "send" | "callback") => Promise<Record<string, string>> };
	purpose: "send" | "callback";
	clock: () => number;
	allowSimulator: boolean;
}): (sendQueue: string) => Promise<Carrier | undefined> {
	const held = new Map<string, Held>();
	const opening = new Map<string, Promise<Carrier | undefined>>();

	async function reopen(sendQueue: string): Promise<Carrier | undefined> {
		const queue = await deps.queues.find(sendQueue);
		if (!queue) {
			held.delete(sendQueue);
			return undefined;
		}
		const secrets = await deps.secrets.read(sendQueue, deps.purpose);
		const fingerprint = JSON.stringify([queue.carrier, queue.settings, secrets]);
		const known = held.get(sendQueue);
		const carrier =
			known?.fingerprint === fingerprint
				? known.carrier
				: openCarrier(queue.carrier, { settings: queue.settings, secrets, allowSimulator: deps.allowSimulator });
		held.set(sendQueue, { checkedAt: deps.clock(), fingerprint, carrier });
		return carrier;
	}

	return async (sendQueue) => {
		const known = held.get(sendQueue);
		if (known && deps.clock() - known.checkedAt < recheckMs) return known.carrier;
		let pending = opening.get(sendQueue);
		if (!pending) {
			pending = reopen(sendQueue).finally(() => opening.delete(sendQueue));
			opening.set(sendQueue, pending);
		}
		// A store or Vault that is away must not stop a queue that is open: what is known goes on.
		if (known) return pending.catch(() => known.carrier);
		return pending;
	};
}
