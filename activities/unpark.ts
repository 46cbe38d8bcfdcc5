// Receipts that overtook the answer to the send: applied once the carrier's id is known.

import type { CarrierEvent } from "../adapters/carriers/carrier.ts";
import type { ParkedReceipt } from "../adapters/mongo/models.ts";
import { parkingTenant } from "../domain/ids.ts";
import { isFinal } from "../domain/lifecycle.ts";
import { limits } from "../domain/limits.ts";
import { isNamedBy } from "../domain/message.ts";
import { receive } from "../domain/transition.ts";
import { change } from "./change.ts";
import type { ActivityDeps } from "./deps.ts";

export type UnparkDeps = Pick<ActivityDeps, "clock" | "encryption"> & {
	store: {
		messages: Pick<ActivityDeps["store"]["messages"], "find" | "transition">;
		parkedReceipts: Pick<ActivityDeps["store"]["parkedReceipts"], "findByCarrierId" | "delete">;
	};
	runs: Pick<ActivityDeps["runs"], "settleSoon">;
};

/**
 * Applies to a message the parked receipts that a send queue's carrier sent by its id, oldest event first, and deletes
 * them. What was parked well before the attempt began is of another that had the id, and stays.
 * @throws LetheError keys_unavailable, content_erased when one can't be read: the others are applied all the same
 */
export function createUnpark(deps: UnparkDeps) {
	return async function unpark(messageId: string, sendQueue: string, carrierId: string): Promise<void> {
		const found = await deps.store.parkedReceipts.findByCarrierId(sendQueue, carrierId);
		const message = found.length > 0 ? await deps.store.messages.find(messageId) : undefined;
		const attempt = message?.attempts.find((one) => isNamedBy(one, message, { sendQueue, carrierId }));
		if (!attempt) return;
		// By the clock of whoever parked it, which may be as far behind as a carrier's may for its callbacks to be fresh.
		const parked = found.filter(({ parkedAt }) => parkedAt >= attempt.startedAt - limits.callbackFreshnessMs);
		const opened = await Promise.allSettled(parked.map((receipt) => open(deps, receipt)));
		const read = opened.flatMap((one) => (one.status === "fulfilled" ? one.value : []));
		for (const { event } of read.sort((a, b) => a.event.at - b.event.at)) {
			await applyEvent(deps, { messageId, sendQueue }, event, false);
		}
		await deps.store.parkedReceipts.delete(read.map(({ id }) => id));
		// One that can't be read keeps no other waiting; it is told of, and stays where the sweep finds it.
		const failed = opened.find((one) => one.status === "rejected");
		if (failed) throw failed.reason;
	};
}

async function open(deps: UnparkDeps, { _id, sealed }: ParkedReceipt): Promise<{ id: string; event: CarrierEvent }> {
	const place = { tenantId: parkingTenant, messageId: _id, object: "receipt" } as const;
	const plaintext = await deps.encryption.decrypt({ ...place, sealed });
	try {
		return { id: _id, event: JSON.parse(plaintext.reveal()) as CarrierEvent };
	} finally {
		plaintext.wipe();
	}
}

/** Lets one authenticated event of a send queue act on a message; settles its group when that made it final. */
export async function applyEvent(
	deps: Pick<UnparkDeps, "clock" | "runs"> & { store: Pick<UnparkDeps["store"], "messages"> },
	{ messageId, sendQueue }: { messageId: string; sendQueue: string },
	event: CarrierEvent,
	stale: boolean,
): Promise<void> {
	const changed = await change(deps.store.messages, messageId, (message) =>
		receive(message, sendQueue, event, deps.clock(), stale),
	);
	if (changed?.applied.to && isFinal(changed.applied.to)) deps.runs.settleSoon(changed.before);
}
