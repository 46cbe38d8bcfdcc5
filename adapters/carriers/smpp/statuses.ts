// What SMPP's command_status means to us. Only numbers come in: an SMSC's own words never do.

import { limits } from "../../../domain/limits.ts";
import type { SendOutcome } from "../carrier.ts";
import type { CarrierCode } from "../codes.ts";

/** SMPP 3.4, 5.1.3: those that this side speaks or acts upon. */
export const status = {
	ok: 0x00,
	invalidCommandLength: 0x02,
	invalidCommandId: 0x03,
	temporaryFailure: 0x64,
	refused: 0x66,
} as const;

const throttling = new Set([0x14, 0x58]);
const badCredentials = new Set([0x0d, 0x0e, 0x0f]);

// The SMSC will answer the same PDU with the same status.
const permanent: Record<number, CarrierCode> = {
	1: "invalid_request",
	2: "invalid_request",
	3: "invalid_request",
	6: "invalid_request",
	7: "invalid_request",
	10: "sender_refused",
	11: "invalid_recipient",
	21: "invalid_request",
	64: "invalid_request",
	66: "invalid_request",
	67: "invalid_request",
	72: "sender_refused",
	73: "sender_refused",
	80: "invalid_recipient",
	81: "invalid_recipient",
	83: "invalid_request",
	97: "invalid_request",
	98: "invalid_request",
	99: "invalid_request",
	101: "content_refused",
	102: "content_refused",
	192: "invalid_request",
	193: "invalid_request",
	194: "invalid_request",
	195: "invalid_request",
	196: "invalid_request",
};
// Its own state: wrong bind, already bound, system error, submit failed, temporary error.
const passing = new Set([0x04, 0x05, 0x08, 0x45, 0x64]);

/** What a refused submit_sm means. `throttledBefore` is how often in a row the SMSC has said so. */
export function readRefusal(
	commandStatus: number,
	throttledBefore: number,
): Exclude<SendOutcome, { kind: "accepted" }> {
	if (throttling.has(commandStatus)) {
		// SMPP has no word for how long.
		const retryAfterMs = Math.min(limits.backoffFirstMs * 2 ** Math.min(throttledBefore, 5), limits.backoffMaxMs);
		return { kind: "throttled", retryAfterMs };
	}
	if (passing.has(commandStatus)) return { kind: "rejected", code: "unavailable", permanent: false };
	return { kind: "rejected", code: permanent[commandStatus] ?? "other", permanent: true };
}

/** Why an SMSC refuses a bind. */
export function readBindRefusal(commandStatus: number): CarrierCode {
	return badCredentials.has(commandStatus) ? "credentials_refused" : "unavailable";
}
