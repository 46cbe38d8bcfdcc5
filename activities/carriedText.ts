// What a carrier is handed of a message, by its delivery mode: made of what is stored of it, as api/planDelivery.ts prepared that.

import type { DeliveryMode, Message } from "../domain/message.ts";
import type { Plaintext } from "../domain/plaintext.ts";

type Compose = (message: Message, content: Plaintext) => Plaintext;

/** One row a mode. */
const composers: Record<DeliveryMode, Compose> = {
	sms: (_message, text) => text,
	secure_link: unprepared,
	e2ee: unprepared,
};

/** @param content the message's stored content, decrypted @throws Error when it is not as its mode has it */
export function carriedText(message: Message, content: Plaintext): Plaintext {
	return composers[message.deliveryMode](message, content);
}

function unprepared(): never {
	throw new Error("nothing is prepared in this mode");
}
