// Per carrier in the registry: a fake server over real sockets that the contract suite can drive.

import type { CallbackRequest } from "../../../adapters/carriers/carrier.ts";
import { magicNumber } from "../../../stack/carrier/magic.ts";
import { startCarrier, until } from "../../stack/carrier/start.ts";

export type Fake = AsyncDisposable & {
	settings: Record<string, string>;
	secrets: Record<string, string>;
	/** Behaviour → a number that has it. */
	numbers: Record<"delivered" | "undelivered" | "rejected" | "throttled" | "notAccepted" | "lost", string>;
	/** Messages that the carrier accepted. */
	accepted(): Promise<number>;
	/** The first callback that came for a carrier id. */
	callbackFor(carrierId: string): Promise<CallbackRequest>;
	/** A callback that brings this message of a recipient's, where the carrier brings any. */
	inboundCallback?(message: { from: string; to: string; text: string }): Promise<CallbackRequest>;
	/** Headers without which the carrier's callback is not signed. */
	signatureHeaders: string[];
};

/** Carrier → its fake; a carrier in the registry that has none fails the suite. */
export const fakes: Record<string, () => Promise<Fake>> = {
	simulator: async () => {
		const carrier = await startCarrier({ inboundPath: "/inbound" });
		return {
			settings: { url: carrier.url },
			secrets: { token: carrier.token, publicKey: carrier.publicKey },
			numbers: {
				delivered: magicNumber("delivered"),
				undelivered: magicNumber("undelivered", "germany"),
				rejected: magicNumber("rejected_number", "france"),
				throttled: magicNumber("throttled", "britain"),
				notAccepted: magicNumber("unavailable"),
				lost: magicNumber("reset_after_accepting"),
			},
			accepted: async () => (await carrier.readLedger()).total,
			callbackFor: (carrierId) =>
				until(() => carrier.callbacks.received.find((callback) => callback.body.includes(carrierId))),
			async inboundCallback(message) {
				const { json } = await carrier.call("POST", "/inbound", message);
				return until(() => carrier.callbacks.received.find(({ body }) => body.includes(json.eventId)));
			},
			signatureHeaders: ["x-carrier-signature", "x-carrier-timestamp"],
			[Symbol.asyncDispose]: carrier[Symbol.asyncDispose],
		};
	},
};
