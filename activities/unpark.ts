// Receipts that overtook the answer to the send: applied once the carrier's id is known.

import type { CarrierEvent } from "../adapters/carriers/carrier.ts";
import { parkingTenant } from "../domain/ids.ts";
import { isFinal } from "../domain/lifecycle.ts";
import type { Message } from "../domain/message.ts";
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

/** Applies the parked receipts of a carrier id, oldest event first, and deletes them. */
export function createUnpark(deps: UnparkDeps) {
	return async function unpark(message: Message, carrierId: string): Promise<void> {
		const parked = await deps.store.parkedReceipts.findByCarrierId(message.sendQueue, carrierId);
		if (parked.length === 0) return;
		const events = await Promise.all(
			parked.map(async (receipt): Promise<CarrierEvent> => {
				const plaintext = await deps.encryption.decrypt({
					tenantId: parkingTenant,
					messageId: receipt._id,
					object: "receipt",
					sealed: receipt.sealed,
				});
				return JSON.parse(plaintext.reveal()) as CarrierEvent;
			}),
		);
		for (const event of events.sort((a, b) => a.at - b.at)) await applyEvent(deps, message._id, event, false);
		await deps.store.parkedReceipts.delete(parked.map((receipt) => receipt._id));
	};
}

/** Lets one authenticated event act on a message; settles its group when that made it final. */
export async function applyEvent(
	deps: Pick<UnparkDeps, "clock" | "runs"> & { store: Pick<UnparkDeps["store"], "messages"> },
	messageId: string,
	event: CarrierEvent,
	stale: boolean,
): Promise<void> {
	const changed = await change(deps.store.messages, messageId, (message) =>
		receive(message, event, deps.clock(), stale),
	);
	if (changed?.applied.to && isFinal(changed.applied.to)) deps.runs.settleSoon(changed.before);
}
