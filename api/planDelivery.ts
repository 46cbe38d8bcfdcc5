// How a message gets to its recipient, by the mode that was decided: what of it is encrypted and stored, and what a carrier is going to be handed.

import type { TenantDocument } from "../adapters/mongo/models.ts";
import type { Decision } from "../domain/decision.ts";
import { LetheError } from "../domain/errors.ts";
import type { DeliveryMode } from "../domain/message.ts";
import type { Plaintext } from "../domain/plaintext.ts";
import type { ComposedInput } from "./compose.ts";
import type { Judgement } from "./judge.ts";

/** What of a message its mode makes: `content` is what is encrypted and stored in the place of its text. */
export type Prepared = { content: Plaintext };

export type Delivery = {
	/** A text of as many characters, of the same alphabet, as the carrier is going to be handed: what it costs. */
	outline: string;
	/** Once per message, when its id is known. */
	prepare: (messageId: string) => Promise<Prepared>;
};

type Plan = (judgement: Judgement, input: ComposedInput, tenant: TenantDocument) => Promise<Delivery>;

/** The mode that was decided of a message that may be sent. */
export function modeOf({ deliveryMode = "sms" }: Decision): DeliveryMode {
	return deliveryMode;
}

/** One row a mode. What the sender then hands over is activities/carriedText.ts. */
export function createPlanDelivery(): Plan {
	const plans: Record<DeliveryMode, Plan> = {
		sms: async (_judgement, { body }) => ({ outline: body.reveal(), prepare: async () => ({ content: body }) }),
		secure_link: async ({ decision }) => {
			throw refusal("link_host_missing", decision);
		},
		e2ee: async ({ decision }) => {
			throw refusal("recipient_key_missing", decision);
		},
	};
	/** @throws LetheError link_host_missing, recipient_key_missing: with the decision that asks for that mode */
	return (judgement, input, tenant) => plans[modeOf(judgement.decision)](judgement, input, tenant);
}

function refusal(code: "link_host_missing" | "recipient_key_missing", decision: Decision): LetheError {
	const { reasons, citations, rules } = decision;
	return new LetheError(code, { extra: { decision, reasons, citations, rules } });
}
