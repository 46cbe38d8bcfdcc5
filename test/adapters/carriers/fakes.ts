// Per carrier in the registry: a fake server over real sockets that the contract suite can drive.

import { magicNumber } from "../../../stack/carrier/magic.ts";
import { startCarrier, until } from "../../stack/carrier/start.ts";
import type { Fake } from "./fake.ts";
import { startSmppFake } from "./smpp/fake.ts";
import {
	awsVendor,
	messageBirdVendor,
	plivoVendor,
	sinchVendor,
	startVendor,
	telnyxVendor,
	twilioVendor,
	vonageVendor,
} from "./vendors.ts";

/** Carrier → its fake; a carrier in the registry that has none fails the suite. */
export const fakes: Record<string, () => Promise<Fake>> = {
	aws: () => startVendor(awsVendor()),
	messagebird: () => startVendor(messageBirdVendor()),
	plivo: () => startVendor(plivoVendor()),
	sinch: () => startVendor(sinchVendor()),
	smpp: startSmppFake,
	telnyx: () => startVendor(telnyxVendor()),
	twilio: () => startVendor(twilioVendor()),
	vonage: () => startVendor(vonageVendor()),
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
