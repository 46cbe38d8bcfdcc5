// One open carrier a send queue and purpose: kept while its settings and secrets stay the same, so that connections are.

import { LetheError } from "../../domain/errors.ts";
import { limits } from "../../domain/limits.ts";
import type { SendQueueDocument } from "../mongo/models.ts";
import type { Carrier } from "./carrier.ts";
import { refuseSecrets } from "./fields.ts";
import { openCarrier } from "./registry.ts";

type Held = { checkedAt: number; fingerprint: string; carrier: Carrier; queue: SendQueueDocument };

// A changed setting or a rotated secret is seen within this time.
const recheckMs = 5_000;
// Secrets that were replaced so long ago, by a clock that differs, are no sender's any more, though Vault was away from it.
const inForceMs = limits.secretStaleMsMax + recheckMs + limits.clockSkewMs;

/** Opens send queues by id with the secrets of one purpose. */
export function createQueueCarriers(deps: {
	queues: { find: (id: string) => Promise<SendQueueDocument | undefined> };
	secrets: {
		read: (sendQueue: string, purpose: "send" | "callback") => Promise<Record<string, string>>;
		replacedAt: (sendQueue: string, purpose: "send" | "callback") => Promise<number>;
	};
	purpose: "send" | "callback";
	monotonic: () => number;
	allowSimulator: boolean;
	/** Where a queue's receipts are brought. */
	receiptsUrl: (carrier: string, sendQueue: string) => string;
}) {
	const held = new Map<string, Held>();
	const opening = new Map<string, Promise<Carrier | undefined>>();

	/** What can't be opened any more is closed: it has secrets that were withdrawn, or settings that nobody wants. */
	async function reopen(sendQueue: string): Promise<Carrier | undefined> {
		const next = await look(sendQueue).catch((error: unknown) => {
			replace(sendQueue, undefined);
			throw error;
		});
		replace(sendQueue, next);
		return next?.carrier;
	}

	async function look(sendQueue: string): Promise<Held | undefined> {
		const known = held.get(sendQueue);
		// Vault away is no concern of ours: how long secrets serve then is bounded where they are held.
		const queue = await deps.queues.find(sendQueue).catch((error: unknown) => {
			if (known && isStoreAway(error)) return known.queue;
			throw error;
		});
		if (!queue) return undefined;
		const secrets = await deps.secrets.read(sendQueue, deps.purpose);
		const replacedAt = await deps.secrets.replacedAt(sendQueue, deps.purpose);
		const fingerprint = JSON.stringify([queue.carrier, queue.settings, secrets, replacedAt]);
		const carrier =
			known?.fingerprint === fingerprint ? known.carrier : sureOfAbsence(openOne(queue, secrets), replacedAt);
		return { checkedAt: deps.monotonic(), fingerprint, carrier, queue };
	}

	function openOne({ _id, carrier: name, settings }: SendQueueDocument, secrets: Record<string, string>): Carrier {
		const receiptsUrl = deps.receiptsUrl(name, _id);
		const carrier = openCarrier(name, { settings, secrets, receiptsUrl, allowSimulator: deps.allowSimulator });
		// Said at the sender's start, and not by the first message. Callbacks are each refused by `verify`, which says so.
		if (deps.purpose === "send") refuseSecrets(carrier.manual, "send", secrets);
		return carrier;
	}

	// What is under way with the carrier of old settings may end; its connections must not stay for ever.
	function replace(sendQueue: string, next: Held | undefined): void {
		const old = held.get(sendQueue)?.carrier;
		if (next) held.set(sendQueue, next);
		else held.delete(sendQueue);
		if (old !== next?.carrier) old?.close?.().catch(() => undefined);
	}

	/**
	 * Undefined for an unknown queue. A store or Vault that is away stops none that is open, Vault not for long.
	 * @throws LetheError keys_unavailable | store_unavailable | internal where it has no secrets; TypeError that names what
	 * its carrier can't use or lacks
	 */
	async function open(sendQueue: string): Promise<Carrier | undefined> {
		const known = held.get(sendQueue);
		if (known && deps.monotonic() - known.checkedAt < recheckMs) return known.carrier;
		let pending = opening.get(sendQueue);
		if (!pending) {
			pending = reopen(sendQueue).finally(() => opening.delete(sendQueue));
			opening.set(sendQueue, pending);
		}
		return pending;
	}

	return {
		open,
		/** Whether the queue's carrier is asked to forget what is final: it can, and the queue does not have it keep that. */
		async redacts(sendQueue: string): Promise<boolean> {
			const carrier = await open(sendQueue);
			return carrier?.redact !== undefined && held.get(sendQueue)?.queue.carrierCopy !== "keep";
		},
		/** Closes all that are open. */
		async close(): Promise<void> {
			const open = [...held.values()].map(({ carrier }) => carrier);
			held.clear();
			await Promise.allSettled(open.map((carrier) => carrier.close?.()));
		},
	};
}

/**
 * What was sent before the secrets were replaced may have gone by another account, which this one knows nothing of: that it is
 * absent here shows nothing. A queue's settings are written with its secrets.
 */
function sureOfAbsence(carrier: Carrier, replacedAt: number): Carrier {
	const { lookup, readBack } = carrier;
	const isSure = (since: number) => since > replacedAt + inForceMs;
	return {
		...carrier,
		...(lookup && {
			async lookup(reference, since, signal) {
				const found = await lookup(reference, since, signal);
				return found.kind === "absent" && !isSure(since) ? { kind: "unavailable" } : found;
			},
		}),
		...(readBack && {
			async readBack(carrierId, since, signal) {
				const seen = await readBack(carrierId, since, signal);
				return seen === "gone" && !isSure(since) ? "unavailable" : seen;
			},
		}),
	};
}

function isStoreAway(error: unknown): boolean {
	return error instanceof LetheError && error.code === "store_unavailable";
}
