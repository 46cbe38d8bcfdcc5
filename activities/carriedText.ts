// What a carrier is handed of a message, by its delivery mode: made of what is stored of it, as api/planDelivery.ts prepared that.

import type { DeliveryMode, Message } from "../domain/message.ts";
import type { Plaintext } from "../domain/plaintext.ts";
import type { ActivityDeps } from "./deps.ts";

type Deps = Pick<ActivityDeps, "linkSeal">;
type Compose = (deps: Deps, message: Message, content: Plaintext) => Plaintext;

/** One row a mode. */
const composers: Record<DeliveryMode, Compose> = {
	sms: (_deps, _message, text) => text,
	secure_link({ linkSeal }, { link }, content) {
		try {
			return linkSeal.carriedText(content, link?.fragment);
		} finally {
			content.wipe();
		}
	},
	// The API encrypted it to the recipient's key before it was stored.
	e2ee: (_deps, _message, text) => text,
};

/**
 * @param content the message's stored content, decrypted; it may be wiped
 * @throws Error when it is not as its mode has it
 */
export function carriedText(deps: Deps, message: Message, content: Plaintext): Plaintext {
	return composers[message.deliveryMode](deps, message, content);
}
