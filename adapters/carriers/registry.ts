// Every carrier there is: one line each; a contract suite runs over this table.

import { createAws, verifyAws } from "./aws.ts";
import type { Carrier, CarrierFactory, Manual, VerifierFactory } from "./carrier.ts";
import { type QueueGiven, refuseUnusable } from "./fields.ts";
import { createMessageBird, verifyBird } from "./messagebird.ts";
import { createPlivo } from "./plivo.ts";
import { createSimulator } from "./simulator.ts";
import { createSinch } from "./sinch.ts";
import { verifySmpp } from "./smpp/callback.ts";
import { createSmpp } from "./smpp.ts";
import { verifyStandardWebhooks } from "./standardWebhooks.ts";
import { createTelnyx } from "./telnyx.ts";
import { createTwilio } from "./twilio.ts";
import { createVonage } from "./vonage.ts";

/** Name, as in callback URLs and send queues → factory. */
export const carriers: Record<string, CarrierFactory> = {
	aws: createAws,
	messagebird: createMessageBird,
	plivo: createPlivo,
	simulator: createSimulator,
	sinch: createSinch,
	smpp: createSmpp,
	telnyx: createTelnyx,
	twilio: createTwilio,
	vonage: createVonage,
};

// Those that are no send queue's, and the one that a send queue's carrier checks with more than a record holds.
const checkedAlone: Record<string, VerifierFactory> = {
	aws: verifyAws,
	bird: verifyBird,
	// A record's secret is whatever its callbacks are checked with.
	smpp: ({ settings, secrets: { secret = "", callbackKey = secret } }) =>
		verifySmpp({ settings, secrets: { callbackKey } }),
	"standard-webhooks": verifyStandardWebhooks,
	svix: verifyStandardWebhooks,
};

/** Name → what a recorded callback is given to be checked with. */
export const verifierKeys: Record<string, string> = {
	aws: "certificate: PEM of what SNS signs with, or publicKey; topicArn: the only topic that counts, optional",
	bird: "secret: the signing key of the webhook, as text",
	messagebird: "secret: the signing key of the account, as text",
	plivo: "secret: the auth token of the account (V3) or of its main account (Ma-V3)",
	simulator: "publicKey: base64 of 32 bytes",
	sinch:
		"secret: that of the webhook (SMS) or callback configuration (Numbers), as text; that of the application (Voice, Verification), base64",
	smpp: "secret: the queue's callbackKey, base64 of 32 bytes",
	"standard-webhooks": "secret: whsec_ and base64; or publicKey: whpk_ and base64 of 32 bytes (v1a)",
	svix: "as standard-webhooks",
	telnyx: "publicKey: the account's, base64 of 32 bytes",
	twilio: "secret: the auth token of the account",
	vonage:
		"secret: the account's signature secret; algorithm: md5hash, md5, sha1, sha256 or sha512, optional: pins how a callback of the older SMS API is signed",
};

/** Name → the check of its callbacks; some are signed alike under several names. */
export const verifiers: Record<string, VerifierFactory> = {
	...Object.fromEntries(
		Object.entries(carriers).map(([name, open]): [string, VerifierFactory] => [
			name,
			(options) => open(options).verify,
		]),
	),
	...checkedAlone,
};

/**
 * Opens one send queue's carrier.
 * @param options `allowSimulator` is false in production
 * @throws RangeError for a name that is unknown, or refused here; TypeError from the carrier for unusable settings
 */
export function openCarrier(
	name: string,
	options: Parameters<CarrierFactory>[0] & { allowSimulator: boolean },
): Carrier {
	const factory = Object.hasOwn(carriers, name) ? carriers[name] : undefined;
	if (!factory) throw new RangeError(`No carrier has this name. There are: ${Object.keys(carriers).join(", ")}.`);
	if (factory === createSimulator && !options.allowSimulator) {
		throw new RangeError("The simulated carrier is refused in production.");
	}
	const { settings, secrets, receiptsUrl } = options;
	return factory({ settings, secrets, receiptsUrl });
}

/**
 * Sees that a carrier can use what a queue is made with.
 * @throws RangeError for a name that is unknown, or refused here; TypeError that names what it lacks or can't use
 */
export async function checkQueue(name: string, given: QueueGiven, allowSimulator: boolean): Promise<void> {
	const { settings, secrets } = given;
	refuseUnusable(readManual(name, allowSimulator), given);
	for (const half of [{}, ...Object.values(secrets)]) {
		await openCarrier(name, { settings, secrets: half, allowSimulator }).close?.();
	}
}

/** What a carrier declares of itself. @throws RangeError for a name that is unknown, or refused here */
export function readManual(name: string, allowSimulator: boolean): Manual {
	return openCarrier(name, { settings: {}, secrets: {}, allowSimulator }).manual;
}
