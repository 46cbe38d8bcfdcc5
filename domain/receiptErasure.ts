// What a change sets and tells that erases a message's receipts: no key opens them, so they are gone as it is done.

import type { Transition } from "./transition.ts";

export function receiptErasure(now: number): Required<Pick<Transition, "set" | "evidence">> {
	return {
		set: { receipts: [], "retention.receipt.erasedAt": now, "retention.receipt.verifiedAt": now },
		evidence: [{ at: now, type: "erased", code: "receipt" }],
	};
}
