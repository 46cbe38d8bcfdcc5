// A receipt of sending, in words.

import type { ReceiptResult } from "../../audit/sendingReceipt.ts";
import { pinAnew } from "./pinAnew.ts";

/** `contradicted`: what the file says beside it is not what was signed. */
export type JudgedReceipt = ReceiptResult | { valid: false; reason: "contradicted" };

export function describeReceipt(result: JudgedReceipt): string {
	if (!result.valid) return `NOT VALID (${result.reason}): ${receiptReasons[result.reason]}.`;
	const { receipt, kid } = result;
	const { messageId, tenantId, issuedAt, acceptedAt, state, stateAt, attempts, receipts, commitment } = receipt;
	return [
		`VALID: receipt of sending of ${messageId}`,
		`  tenant ${tenantId}, issued ${issuedAt}, key ${kid}`,
		`  accepted ${acceptedAt}, ${state} ${stateAt}`,
		...attempts.map(({ number, startedAt, outcome = "open" }) => `  attempt ${number} at ${startedAt}: ${outcome}`),
		...receipts.map(({ attempt, state: said, at }) => `  the carrier of attempt ${attempt} at ${at}: ${said}`),
		...(commitment ? [`  commits to number and text: ${commitment}`] : []),
	].join("\n");
}

const receiptReasons: Record<Extract<JudgedReceipt, { valid: false }>["reason"], string> = {
	malformed: "it is not as Lethe writes it: it was edited",
	contradicted: "what the file says beside it is not what was signed",
	key_not_pinned: `no key of that kid is among those you have pinned; ${pinAnew}`,
	bad_signature: "it was changed, or signed by another key",
	schema: "it is no receipt of this form",
	issued_in_future: "it says that it was issued in the future; check this machine's clock",
};
