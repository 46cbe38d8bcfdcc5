// How a message gets to its recipient, by the mode that was decided: what of it is encrypted and stored, and what a carrier is going to be handed.

import type { TenantDocument } from "../adapters/mongo/models.ts";
import type { Decision } from "../domain/decision.ts";
import { LetheError } from "../domain/errors.ts";
import { limits } from "../domain/limits.ts";
import { linkNeed, needsPin } from "../domain/link.ts";
import type { DeliveryMode, Message } from "../domain/message.ts";
import type { Plaintext } from "../domain/plaintext.ts";
import type { ComposedInput } from "./compose.ts";
import type { ApiDeps } from "./deps.ts";
import { type Judgement, refusal } from "./judge.ts";
import { type EncryptedTextDeps, planEncryptedText } from "./planEncryptedText.ts";

export type PlanDeliveryDeps = Pick<ApiDeps, "hmac" | "linkSeal"> & EncryptedTextDeps;

/** What of a message its mode makes: `content` is what is encrypted and stored in the place of its text. */
export type Prepared = { content: Plaintext } & Pick<Message, "link" | "recipientKeyId">;

export type Delivery = {
	/** A text of as many characters, of the same alphabet, as the carrier is going to be handed: what it costs. */
	outline: string;
	/** How long its content is needed whatever its tenant has stated; ISO 8601. */
	contentNeed?: string;
	/** Once per message, when its id is known. @param contentEraseBy when its content is gone, epoch milliseconds */
	prepare: (messageId: string, contentEraseBy: number) => Promise<Prepared>;
};

type Plan = (judgement: Judgement, input: ComposedInput, tenant: TenantDocument, now: number) => Delivery;

const defaultNotice = "You have a new message:";
// Path id and fragment, as linkSeal makes them.
const secretCharacters = "/l/".length + 22 + "#".length + 22;

/** The mode that was decided of a message that may be sent. */
export function modeOf({ deliveryMode = "sms" }: Decision): DeliveryMode {
	return deliveryMode;
}

/** One row a mode. What the sender then hands over is activities/carriedText.ts. */
export function createPlanDelivery(deps: PlanDeliveryDeps): Plan {
	const plans: Record<DeliveryMode, Plan> = {
		sms: (_judgement, input) => {
			// A link's PIN protects nothing of a text.
			if (input.pin && input.deliver === "sms") throw unusedPin();
			return { outline: input.body.reveal(), prepare: async () => ({ content: input.body }) };
		},
		secure_link: ({ decision, deadlineAt }, input, { link }, now) => {
			if (!link) throw refusal("link_host_missing", decision);
			const { body, pin } = input;
			const hasPin = pin !== undefined;
			if (!hasPin && needsPin(input.category, input.dataClasses, decision.reasons)) {
				throw refusal("pin_required", decision);
			}
			const start = `${link.notice ?? defaultNotice} ${link.host}`;
			const wanted = deadlineAt + limits.linkLifeMs;
			return {
				outline: start.padEnd(start.length + secretCharacters, "x"),
				contentNeed: linkNeed(now, wanted),
				async prepare(messageId, contentEraseBy) {
					const macOf = (proof: string) => deps.hmac.mac("code", undefined, `link ${messageId} ${proof}`);
					const { content, ...made } = await deps.linkSeal.create(body, pin, `${start}/l/`, macOf);
					const expiresAt = Math.min(wanted, contentEraseBy);
					return { content, link: { ...made, expiresAt, wrongPins: 0, state: "open" } };
				},
			};
		},
		e2ee: (judgement, { body, pin, deliver }, { _id: tenantId }, now) => {
			if (pin && deliver === "e2ee") throw unusedPin();
			const { recipientKey: key, decision } = judgement;
			if (!key) throw refusal("recipient_key_missing", decision);
			return planEncryptedText(deps, judgement, { tenantId, body, key, now });
		},
	};
	/** @throws LetheError link_host_missing, pin_required, recipient_key_missing: with the decision that asks for that mode */
	return (judgement, input, tenant, now) => plans[modeOf(judgement.decision)](judgement, input, tenant, now);
}

function unusedPin(): LetheError {
	return new LetheError("invalid_request", { errors: [{ pointer: "/pin", detail: "Only a secure link takes one." }] });
}
