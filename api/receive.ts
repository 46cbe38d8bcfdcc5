// What an authenticated carrier event does: moves its message, is kept as evidence, or waits encrypted for its message.

import type { CarrierEvent } from "../adapters/carriers/carrier.ts";
import { LetheError } from "../domain/errors.ts";
import { parkingTenant } from "../domain/ids.ts";
import { isFinal } from "../domain/lifecycle.ts";
import { limits } from "../domain/limits.ts";
import type { ReceiptRecord } from "../domain/message.ts";
import { Plaintext } from "../domain/plaintext.ts";
import { receive } from "../domain/transition.ts";
import { bucketEnd } from "../policies/cohorts.ts";
import type { ApiDeps } from "./deps.ts";

export type ReceiveDeps = Pick<ApiDeps, "clock" | "ids" | "encryption" | "cohorts"> & {
	store: {
		messages: Pick<ApiDeps["store"]["messages"], "findByCarrierId" | "transition">;
		parkedReceipts: Pick<ApiDeps["store"]["parkedReceipts"], "delete" | "park">;
	};
	runs: Pick<ApiDeps["runs"], "settleSoon">;
};

/** `stale_unmatched`: out of its time and of no known message; there is nothing that it could be evidence of. */
export type ReceiptResult = ReceiptRecord["effect"] | "duplicate" | "parked" | "stale_unmatched";

const parkingClass = "parked/PT72H";
// Carriers may be anywhere: ISO 3166 leaves ZZ to its users.
const parkingRegion = "ZZ";
// A long message has a receipt for each of its parts, and all may come at once: each round one of them wins.
const roundsMax = limits.receiptsKeptMax;

/**
 * Takes one event that `verify` vouches for; whatever it does is durable when this resolves.
 * @throws LetheError store_unavailable, keys_unavailable: the carrier must send it again
 */
export function createReceive(deps: ReceiveDeps) {
	async function apply(sendQueue: string, event: CarrierEvent, stale: boolean): Promise<ReceiptResult | undefined> {
		for (let round = 0; round < roundsMax; round++) {
			const message = await deps.store.messages.findByCarrierId(sendQueue, event.carrierId);
			if (!message) return undefined;
			const change = receive(message, sendQueue, event, deps.clock(), stale);
			if (!change) return "duplicate";
			if (!(await deps.store.messages.transition(change))) continue;
			if (change.to && isFinal(change.to)) deps.runs.settleSoon(message);
			const record = change.push?.receipts?.value as ReceiptRecord | undefined;
			return record?.effect ?? "noted";
		}
		throw new LetheError("store_unavailable", { cause: "lost every race" });
	}

	async function park(id: string, sendQueue: string, event: CarrierEvent): Promise<void> {
		const now = deps.clock();
		const dueAt = dueAfter(now, 0);
		const cohort = { tenantId: parkingTenant, region: parkingRegion, retentionClass: parkingClass, dueAt };
		const cohortId = await deps.cohorts.ensure(cohort, dueAfter.bind(undefined, now));
		const place = { tenantId: parkingTenant, messageId: id, object: "receipt", cohortId } as const;
		const plaintext = Plaintext.text(JSON.stringify(event));
		const sealed = await deps.encryption.encrypt({ ...place, plaintext }).finally(() => plaintext.wipe());
		const { carrierId } = event;
		const nextCheckAt = now + limits.driverPatienceMs;
		const times = { parkedAt: now, nextCheckAt, eraseBy: dueAt };
		await deps.store.parkedReceipts.park({ _id: id, sendQueue, carrierId, sealed, ...times });
	}

	return async (sendQueue: string, event: CarrierEvent, stale: boolean): Promise<ReceiptResult> => {
		const result = await apply(sendQueue, event, stale);
		if (result) return result;
		// Once parked it would be applied as if it were fresh.
		if (stale) return "stale_unmatched";
		const id = deps.ids.derive("receipt", JSON.stringify([sendQueue, event.eventId]));
		await park(id, sendQueue, event);
		// The sender may have stored the carrier's id, and looked for parked receipts, in between.
		const second = await apply(sendQueue, event, stale);
		if (second === undefined) return "parked";
		await deps.store.parkedReceipts.delete([id]);
		return second;
	};
}

/** When a receipt that is parked `ms` after `now` must be gone. */
function dueAfter(now: number, ms: number): number {
	const latest = now + ms + limits.parkedReceiptMs;
	return bucketEnd(latest - limits.parkedReceiptMs / 2, latest) ?? latest;
}
