// What a deliver_sm or data_sm tells of a message that was sent: parameters first, the text that SMSCs write second.

import type { CarrierEvent } from "../carrier.ts";
import { type Pdu, readParameter } from "./pdu.ts";

export type SmppReceipt = {
	/** As the SMSC wrote it; see `idForms`. */
	messageId: string;
	state: CarrierEvent["state"];
	/** The three digits after `err:`, or the code of network_error_code. */
	error?: string;
};

// SMPP 3.4, 5.2.12: message type, bits 5 to 2.
const typeMask = 0x3c;
const receiptType = 0x04;
const intermediateType = 0x20;

/** message_state, 5.2.28 → ours. What is unknown is neither delivered nor failed. */
const states: Record<number, CarrierEvent["state"]> = {
	1: "submitted",
	2: "delivered",
	3: "expired",
	4: "undelivered",
	5: "undelivered",
	6: "submitted",
	7: "pending",
	8: "rejected",
};
/** Appendix B → message_state. */
const words: Record<string, number> = {
	ENROUTE: 1,
	DELIVRD: 2,
	EXPIRED: 3,
	DELETED: 4,
	UNDELIV: 5,
	ACCEPTD: 6,
	UNKNOWN: 7,
	REJECTD: 8,
};

/** The words that SMSCs write → ours. */
export const receiptStates = Object.fromEntries(
	Object.entries(words).map(([word, state]) => [word, states[state] ?? "pending"]),
);

/** The receipt in a PDU. Only esm_class makes it one: handsets can send text that looks alike. */
export function readReceipt(pdu: Pdu): SmppReceipt | undefined {
	const type = Number(pdu.fields.esm_class ?? 0) & typeMask;
	const isReceipt = type === receiptType || type === intermediateType;
	if (!isReceipt || (pdu.command !== "deliver_sm" && pdu.command !== "data_sm")) return undefined;
	const named = new Map(pdu.tlvs.map(readParameter).map(({ name, value }) => [name, value]));
	const payload = named.get("message_payload");
	const written = Buffer.isBuffer(payload) && payload.length > 0 ? payload : pdu.fields.short_message;
	const { id, stat, err } = readFields(Buffer.isBuffer(written) ? written.toString("latin1") : "");
	const messageId = named.get("receipted_message_id") || id;
	const state = states[Number(named.get("message_state") ?? words[stat ?? ""])];
	if (typeof messageId !== "string" || state === undefined) return undefined;
	const network = named.get("network_error_code");
	const error = Buffer.isBuffer(network) ? String(network.readUInt16BE(1)) : err;
	return { messageId, state, ...(error !== undefined && { error }) };
}

/** Appendix B's fields. What stands after `text:` is the message's own, whatever it looks like. */
function readFields(text: string): { id?: string | undefined; stat?: string | undefined; err?: string | undefined } {
	const [head = ""] = text.split(/\btext:/i, 1);
	const read = (pattern: RegExp) => pattern.exec(head)?.[1];
	return {
		// Whatever an answer's id may hold, but for what separates fields: cut short, it would be of no message.
		id: read(/\bid:\s*([\x21-\x2b\x2d-\x3a\x3c-\x7e]{1,64})/i),
		stat: read(/\bstat:\s*([A-Za-z]{1,8})/i)?.toUpperCase(),
		err: read(/\berr:\s*([0-9A-Za-z]{1,8})/i),
	};
}

/**
 * The forms in which an SMSC may write one id: it may answer in hexadecimal and tell in decimal, or pad with zeros.
 * `38601fa` and `0059113978` are one.
 */
export function idForms(messageId: string): string[] {
	const bare = (text: string) => text.replace(/^0+(?=.)/, "");
	const forms = new Set([messageId, bare(messageId.toLowerCase())]);
	// Longer than 64 bits is no number.
	if (/^\d{1,20}$/.test(messageId)) forms.add(BigInt(messageId).toString(16));
	if (/^[0-9a-f]{1,16}$/i.test(messageId)) forms.add(BigInt(`0x${messageId}`).toString());
	return [...forms];
}
