// What the contract suite drives: a carrier's server over real sockets, and the callbacks that it signs.

import type { CallbackRequest } from "../../../adapters/carriers/carrier.ts";

export type Fake = AsyncDisposable & {
	settings: Record<string, string>;
	secrets: Record<string, string>;
	/** Behaviour → a number that has it. */
	numbers: Record<"delivered" | "undelivered" | "rejected" | "throttled" | "notAccepted" | "lost", string>;
	/** What the messages are sent from, where the carrier asks for it. */
	sender?: string;
	/** Messages that the carrier accepted. */
	accepted(): Promise<number>;
	/** The first callback that came for a carrier id. */
	callbackFor(carrierId: string): Promise<CallbackRequest>;
	/** A callback that brings this message of a recipient's, where the carrier brings any. */
	inboundCallback?(message: { from: string; to: string; text: string }): Promise<CallbackRequest>;
	/** Headers without which the carrier's callback is not signed. */
	signatureHeaders: string[];
	/** What of a callback is signed, where it is not the bytes of its body as they are. */
	signs?: "fields";
	/** The first of those headers may hold several signatures, of which one must fit. */
	signatureIsList?: true;
};
