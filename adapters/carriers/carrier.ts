// What every carrier adapter is: a sender, a verifier of what the carrier calls back, and a looker-up.

import type { z } from "zod";
import type { State } from "../../domain/lifecycle.ts";
import type { Plaintext } from "../../domain/plaintext.ts";
import type { CallbackReason } from "./reasons.ts";

/** One SMS as the carrier is asked to send it. */
export type OutboundMessage = {
	to: Plaintext;
	text: Plaintext;
	/** Opaque; unique per attempt; the carrier echoes it in look-ups. */
	reference: string;
	sender?: string | undefined;
	/** Whole seconds that the carrier may keep trying, from the write on: `stillDue` is false once they would be too many. */
	validitySeconds: number;
	/**
	 * Asked in the same tick as the socket write, after any wait for a connection: `false` (the lease is over, or the
	 * validity would outlast the deadline) and nothing is written; the outcome is `rejected`, not permanent, code `withdrawn`.
	 */
	stillDue?: (() => boolean) | undefined;
};

/**
 * `rejected`: surely not accepted; `permanent` when the carrier never will, otherwise it may be tried again.
 * `ambiguous`: nobody knows. `partIds`: the ids of all segments where each has one, `carrierId` first. `code` is one of ours; the carrier's own text stays in the adapter.
 */
export type SendOutcome =
	| { kind: "accepted"; carrierId: string; segments: number; partIds?: string[] }
	| { kind: "rejected"; code: string; permanent: boolean }
	| { kind: "throttled"; retryAfterMs: number }
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

/** A callback that an adapter makes itself, of what its carrier brought on a connection of ours. */
export type CarrierCallback = { headers: Record<string, string>; body: string };

/** Has a callback taken; true once what it moved is durable, false when it was not, for whatever reason. */
export type HandOver = (callback: CarrierCallback) => Promise<boolean>;

/** One verified message of a recipient's own. `at` is epoch milliseconds. */
export type InboundMessage = {
	/** Unique per message at this carrier; the replay key. */
	eventId: string;
	from: Plaintext;
	/** The sender that it was written to; absent where the carrier does not name it: then it is that of the queue. */
	to?: string;
	/** The carrier's id of the service that this sender is one of, where the carrier names one. */
	service?: string | undefined;
	text: Plaintext;
	at: number;
	/** The carrier took it for an opt-out, whatever its words are. */
	isStop?: true | undefined;
	/** It is one of several that the recipient's handset sent as one: a word that counts alone is not all that was said. */
	isPart?: true | undefined;
};

/**
 * What a callback proves. An authentic one may bring neither events nor messages: carriers tell of much that is no
 * concern of a message. `unread`: it is of a kind that is, and has not the fields that the carrier documents for it. `replayKey` is the same for the same signed callback however its unsigned parts were changed.
 * `stale`: the signature is right but its time is outside the freshness window; its events are evidence only, and of its
 * messages, whose times are not later than that, a STOP counts.
 */
export type VerifyResult =
	| { valid: true; replayKey: string; unread?: true; events: CarrierEvent[]; messages: InboundMessage[] }
	| { valid: false; reason: "stale"; replayKey: string; events: CarrierEvent[]; messages: InboundMessage[] }
	| { valid: false; reason: Refusal; events: []; messages: [] };

/** Why a callback is not believed; the words are told in `callbackReasons`. */
export type Refusal = Exclude<CallbackReason, "stale" | "replayed" | "unusable">;

export type LookupResult =
	| { kind: "found"; carrierId: string; segments: number; state: CarrierEvent["state"]; at: number }
	| { kind: "absent" }
	| { kind: "unavailable" };

/** When a carrier that can be asked knows what it is asked for. Milliseconds. */
export type LookupTimes = {
	/** After an attempt's end: what it does not know of the attempt then, it never got. */
	absentAfterMs: number;
	/** After it took a message of which no receipt has come; then each time twice as late. */
	askAfterMs: number;
};

/** What a carrier can do, as its page in the docs tells it. */
export type Capabilities = {
	/** It gives up by itself when the validity of a message is over. */
	validity: boolean;
	/** It tells what became of a message. */
	receipts: boolean;
	/** It brings what recipients write. */
	inbound: boolean;
	/** It can be asked about a reference of ours, and from when on. */
	lookup: LookupTimes | false;
	/** It forgets a message's text and number when asked. */
	redaction: boolean;
	/** Two requests with one reference are one message to it. */
	idempotentSend: boolean;
	/** Its callbacks bear a time, so that an old one is told from a fresh one. */
	timedCallbacks: boolean;
	/** Regions that its API can be pinned to; empty when it has one address. */
	regions: readonly string[];
	/** It signs a business associate agreement (HIPAA) for SMS, as its own documents say. */
	baa: boolean;
	/** How a callback without a signature is answered: refused, or so that the carrier brings it again, signed. */
	unsignedCallbacks: "refuse" | "ask_again";
};

/** Name → what may stand there; it may be left out where the schema says so, and its description says what it is. */
export type Fields = z.ZodObject<Record<string, z.ZodType<unknown, string | undefined>>>;

/** What an operator has to know of a carrier; its page in the docs is made of it. */
export type Manual = {
	title: string;
	/** Where the carrier documents what this adapter does. */
	source: string;
	/** Those for sending, and those that its callbacks are verified with. */
	secrets: { send: Fields; callback: Fields };
	/** Of secrets for sending that may each be left out: the choices, of which one must be there whole. */
	sendBy?: readonly (readonly string[])[];
	settings: Fields;
	/** What it takes as the sender that recipients see. */
	sender: z.ZodType<string, string>;
	/** Settings that may be left out and that this sender needs all the same; absent where none depends on it. */
	neededBy?: (sender: string) => readonly string[];
	/** How a callback proves that it is the carrier's. */
	signature: string;
	/** The carrier's word for what became of a message → ours. */
	statuses: Record<string, CarrierEvent["state"]>;
	/** What it can't do, or does otherwise than one would expect; a sentence each. */
	limits: string[];
};

export type Carrier = {
	name: string;
	manual: Manual;
	capabilities: Capabilities;
	/** Sends once. Never throws for what the carrier or the network does; `signal` ends the wait. */
	send(message: OutboundMessage, signal: AbortSignal): Promise<SendOutcome>;
	/** Fetches what `verify` needs for this callback and has not yet; never rejects. Absent where it needs nothing more. */
	prepare?(request: CallbackRequest, signal: AbortSignal): Promise<void>;
	/** Checks a callback, whichever kind it is. Pure: `now` is epoch milliseconds. */
	verify(request: CallbackRequest, now: number): VerifyResult;
	/**
	 * Does what a valid callback asks for besides (a subscription's confirmation); false when it is to be brought again.
	 * Never rejects. Absent where none asks for anything.
	 */
	confirm?(request: CallbackRequest, signal: AbortSignal): Promise<boolean>;
	/**
	 * Asks what became of a reference; absent where the carrier can't say.
	 * @param since when its attempt began, epoch milliseconds: `absent` is told only of all that time
	 */
	lookup?(reference: string, since: number, signal: AbortSignal): Promise<LookupResult>;
	/** Has the carrier forget a message's text and number; whether it says that it did. Absent where it can't. */
	redact?(carrierId: string, signal: AbortSignal): Promise<boolean>;
	/**
	 * What the carrier still shows of a message by its own id. Absent where it shows nothing.
	 * @param since when its attempt began, epoch milliseconds: `gone` is told only of what this account had from then on
	 */
	readBack?(carrierId: string, since: number, signal: AbortSignal): Promise<"gone" | "there" | "unavailable">;
	/**
	 * Opens the connections on which the carrier brings receipts and recipients' messages, where it does so, and keeps them
	 * open. Each is handed over as a callback that `verify` believes, and acknowledged only once it was taken. The sender
	 * calls it; a second call changes nothing.
	 * @returns true while a connection stands; why nothing is brought at present, a code of ours, when none does and a second
	 *   try has failed too; nothing in between, and where it brings nothing in this way
	 */
	receive?(handOver: HandOver): true | string | undefined;
	/** Begins nothing new, and ends its connections once what is under way has its answer or was given up. */
	close?(): Promise<void>;
};

/**
 * Makes the check of one send queue's callbacks; `Carrier.verify` is what it returns.
 * @throws TypeError when a setting or secret that is given can't be used
 */
export type VerifierFactory = (options: {
	settings: Record<string, string>;
	secrets: Record<string, string>;
}) => Carrier["verify"];

/** Opens one send queue's carrier with that queue's own settings and secrets. */
export type CarrierFactory = (options: {
	settings: Record<string, string>;
	secrets: Record<string, string>;
	/** This deployment's own address of the queue's receipts, for a carrier that is told with each message. */
	receiptsUrl?: string | undefined;
}) => Carrier;
