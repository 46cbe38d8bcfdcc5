// What every carrier adapter is: a sender, a verifier of what the carrier calls back, and a looker-up.

import type { State } from "../../domain/lifecycle.ts";
import type { Plaintext } from "../../domain/plaintext.ts";

/** One SMS as the carrier is asked to send it. */
export type OutboundMessage = {
	to: Plaintext;
	text: Plaintext;
	/** Opaque; unique per attempt; the carrier echoes it in look-ups. */
	reference: string;
	sender?: string | undefined;
	/** Whole seconds that the carrier may keep trying, from now. */
	validitySeconds: number;
	/**
	 * Asked in the same tick as the socket write, after any wait for a connection: `false` (lease or deadline over) and
	 * nothing is written; the outcome is `failed`, code `withdrawn`.
	 */
	stillDue?: (() => boolean) | undefined;
};

/**
 * `failed`: surely not accepted, may be tried again. `ambiguous`: nobody knows.
 * `code` is one of ours; the carrier's own text stays in the adapter.
 */
export type SendOutcome =
	| { kind: "accepted"; carrierId: string; segments: number }
	| { kind: "rejected"; code: string }
	| { kind: "throttled"; retryAfterMs: number }
	| { kind: "failed"; code: string }
	| { kind: "ambiguous"; code: string };

/** One verified event out of a callback. Times are epoch milliseconds. */
export type CarrierEvent = {
	/** Unique per event at this carrier; the replay key. */
	eventId: string;
	carrierId: string;
	state: Extract<State, "submitted" | "delivered" | "undelivered" | "expired" | "rejected" | "unknown"> | "pending";
	at: number;
	code?: string | undefined;
};

/** A callback as it arrived; `body` is the raw text. */
export type CallbackRequest = {
	method: string;
	/** The public URL, as the carrier called it. */
	url: string;
	headers: Record<string, string | string[] | undefined>;
	body: string;
};

/**
 * `stale`: the signature is right but its time is outside the freshness window; its events are evidence only.
 * `reason` is one of our codes.
 */
export type VerifyResult =
	| { valid: true; events: CarrierEvent[] }
	| { valid: false; reason: "stale"; events: CarrierEvent[] }
	| { valid: false; reason: "malformed" | "unsigned" | "bad_signature" | "unsupported"; events: [] };

/** One verified message of a recipient's own. `at` is epoch milliseconds. */
export type InboundMessage = {
	/** Unique per message at this carrier; the replay key. */
	eventId: string;
	from: Plaintext;
	/** The sender that it was written to. */
	to: string;
	text: Plaintext;
	at: number;
};

/** As `VerifyResult`; what is stale is told of by its reason only. */
export type InboundResult =
	| { valid: true; messages: InboundMessage[] }
	| { valid: false; reason: "stale" | "malformed" | "unsigned" | "bad_signature" | "unsupported" };

export type LookupResult =
	| { kind: "found"; carrierId: string; segments: number; state: CarrierEvent["state"]; at: number }
	| { kind: "absent" }
	| { kind: "unavailable" };

export type Carrier = {
	name: string;
	/** Sends once. Never throws for what the carrier or the network does; `signal` ends the wait. */
	send(message: OutboundMessage, signal: AbortSignal): Promise<SendOutcome>;
	/** Checks a callback. Pure: `now` is epoch milliseconds. */
	verify(request: CallbackRequest, now: number): VerifyResult;
	/** Checks a recipient's own message, as `verify` does; absent where the carrier brings none. */
	verifyInbound?(request: CallbackRequest, now: number): InboundResult;
	/** Asks what became of a reference; absent where the carrier can't say. */
	lookup?(reference: string, signal: AbortSignal): Promise<LookupResult>;
	/** Ends its connections; what is under way becomes `failed` or `ambiguous`. */
	close?(): Promise<void>;
};

/** Opens one send queue's carrier with that queue's own settings and secrets. */
export type CarrierFactory = (options: {
	settings: Record<string, string>;
	secrets: Record<string, string>;
}) => Carrier;
