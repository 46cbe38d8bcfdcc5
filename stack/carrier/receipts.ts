// The simulated carrier's delivery receipts: each message's steps in order, signed and brought to its callback URL.

import type { Callbacks, SignedCallback } from "./callbacks.ts";
import type { Receipt, Step } from "./magic.ts";

export type Receipts = ReturnType<typeof createReceipts>;

type Delivery = { id: string; callbackUrl: string };

/** @param deps see `createCarrierApp`; receipts on their way are kept in memory only */
export function createReceipts(deps: {
	callbacks: Callbacks;
	receiptDelayMs: number;
	lateReceiptMs: number;
	receiptsPendingMax: number;
}) {
	const { deliver, sleep, counts } = deps.callbacks;

	/** Works through the steps of one message, in order. */
	async function run(delivery: Delivery, steps: readonly Step[]): Promise<void> {
		counts.pending++;
		let first: SignedCallback | undefined;
		for (const step of steps) {
			await sleep(step.wait === "short" ? deps.receiptDelayMs : deps.lateReceiptMs);
			const sent = await Promise.all(step.receipts.map((receipt) => tell(delivery, receipt, first)));
			first ??= sent[0];
		}
		counts.pending--;
	}

	function tell({ id, callbackUrl }: Delivery, receipt: Receipt, first?: SignedCallback): Promise<SignedCallback> {
		const { event, status, code, signature } = receipt;
		const bodyAt = (now: number) =>
			JSON.stringify({ eventId: `${id}.${event}`, id, status, at: new Date(now).toISOString(), code });
		return deliver(callbackUrl, signature, bodyAt, first);
	}

	return { run, isFull: () => counts.pending >= deps.receiptsPendingMax, counts: () => ({ ...counts }) };
}
