// One form for the ids of an SMSC that writes them otherwise in its receipts than in its answers.

import type { SmppSettings } from "./settings.ts";

type ReceiptIds = SmppSettings["receiptIds"];

/**
 * The id of an answer, as `readReceiptedId` reads it from a receipt. Which form is which has to be declared: `10` is a
 * number in both, and a guess would move another message.
 */
export function readAnsweredId(messageId: string, receiptIds: ReceiptIds): string {
	if (receiptIds === "decimal" && /^[0-9a-f]{1,16}$/i.test(messageId)) return BigInt(`0x${messageId}`).toString();
	if (receiptIds === "hexadecimal" && /^\d{1,20}$/.test(messageId)) return BigInt(messageId).toString(16);
	return readReceiptedId(messageId, receiptIds);
}

/** A number without what it is padded with; any other id as it is. */
export function readReceiptedId(messageId: string, receiptIds: ReceiptIds): string {
	const isNumber = (receiptIds === "same" ? /^\d+$/ : /^[0-9a-f]+$/i).test(messageId);
	return isNumber ? messageId.toLowerCase().replace(/^0+(?=.)/, "") : messageId;
}
