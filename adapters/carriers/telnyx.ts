// Telnyx: JSON callbacks signed by Ed25519 over their time and raw body.

import { type KeyObject, verify as verifySignature } from "node:crypto";
import { z } from "zod";
import { senderTypeOf } from "../../domain/routes.ts";
import {
	type Authentic,
	checkWith,
	conclude,
	isFresh,
	mapCode,
	type Parsed,
	readHeader,
	readObject,
	readSeconds,
	sha256Hex,
	told,
	unread,
	wrote,
} from "./callback.ts";
import type {
	CallbackRequest,
	Capabilities,
	CarrierEvent,
	CarrierFactory,
	Manual,
	VerifierFactory,
} from "./carrier.ts";
import type { CarrierCode } from "./codes.ts";
import { readEd25519Key } from "./ed25519.ts";
import { callbackUrl, nonEmpty, numberOrName, webUrl } from "./fields.ts";
import { type Answer, type Answers, bearer, createVendor, json, readAnswer, receiptsAt, toCode } from "./vendor.ts";

const capabilities: Capabilities = {
	...{ validity: false, receipts: true, inbound: true, lookup: false, redaction: false, idempotentSend: false },
	...{ timedCallbacks: true, regions: [], baa: false, unsignedCallbacks: "refuse" },
};

/** A function, for what it tells stands further below. */
const manual = (): Manual => ({
	title: "Telnyx",
	source: "https://developers.telnyx.com/api/messaging/send-message",
	secrets: {
		send: z.strictObject({
			apiKey: nonEmpty.describe("an API key, v2"),
		}),
		callback: z.strictObject({
			publicKey: nonEmpty.describe("the account's public key as Mission Control shows it, base64 of 32 bytes"),
		}),
	},
	settings: z.strictObject({
		url: webUrl.optional().describe("the API's address; https://api.telnyx.com without it"),
		callbackUrl,
		messagingProfileId: nonEmpty.optional().describe("the messaging profile, which a sender that is no number needs"),
	}),
	sender: numberOrName,
	neededBy: (sender) => (senderTypeOf(sender) === "alphanumeric" ? ["messagingProfileId"] : []),
	signature: "Ed25519 over time and raw body (telnyx-signature-ed25519, telnyx-timestamp), good for 300 seconds.",
	statuses: states,
	limits: [
		"It takes no validity: a message that it holds back may be delivered after its deadline.",
		"It can't be asked by a reference of ours.",
		"It keeps text and number for as long as its own retention says.",
		"It waits two seconds for an answer and brings a callback three times at most.",
	],
});

/**
 * Secrets `{apiKey}` serve sending; settings `{url}`, `{callbackUrl}`, where receipts are to be brought, and
 * `{messagingProfileId}`, which a sender that is no number needs.
 * @throws TypeError for a key that no header can bear
 */
export const createTelnyx: CarrierFactory = ({ settings, secrets, receiptsUrl }) =>
	createVendor({
		...{ name: "telnyx", capabilities, manual: manual(), answers, verify: verifyTelnyx({ settings, secrets }) },
		url: settings.url ?? "https://api.telnyx.com",
		credentials: secrets.apiKey ? { authorization: bearer("Bearer", "apiKey", secrets.apiKey) } : undefined,
		request: ({ to, sender, text, reference }, { authorization }) => {
			const { headers, body } = json({
				from: sender,
				to: to.reveal(),
				text: text.reveal(),
				tags: [reference],
				webhook_url: receiptsAt(settings, receiptsUrl),
				messaging_profile_id: settings.messagingProfileId,
			});
			return { method: "POST", path: "/v2/messages", headers: { ...headers, authorization }, body };
		},
	});

const acceptance = z.object({
	data: z.object({ id: z.string().regex(/^[\w-]{1,64}$/), parts: z.int().min(1).max(64) }),
});
const refusal = z.object({ errors: z.array(z.object({ code: z.coerce.string() })).min(1) });
const answers: Answers = {
	accepted(answer) {
		const taken = readAnswer(acceptance, answer)?.data;
		return taken && { carrierId: taken.id, segments: taken.parts };
	},
	refused: (answer) => toCode(codes, readRefusal(answer)),
	throttled: (answer) => readRefusal(answer) === queueFull,
};
// What waits at Telnyx for this sender is more than it takes: no fault of the message's, and it passes.
const queueFull = "40318";

function readRefusal(answer: Answer): string | undefined {
	return readAnswer(refusal, answer)?.errors[0]?.code;
}

/** Secrets `{publicKey}`: the account's key as Mission Control shows it, base64 of 32 bytes. */
export const verifyTelnyx: VerifierFactory = ({ secrets }) => {
	const publicKey = secrets.publicKey ? readEd25519Key(secrets.publicKey) : undefined;
	return checkWith(publicKey, (key, request, now) =>
		conclude(authenticate(key, request, now), () => parse(request.body, now)),
	);
};

const states: Record<string, CarrierEvent["state"]> = {
	queued: "pending",
	sending: "pending",
	sent: "submitted",
	delivered: "delivered",
	sending_failed: "undelivered",
	delivery_failed: "undelivered",
	expired: "expired",
	// Final: it will never say more.
	delivery_unconfirmed: "unknown",
};
// https://developers.telnyx.com/docs/messaging/messages/error-codes
const codes: Record<string, CarrierCode> = {
	"40001": "invalid_recipient",
	"40002": "content_refused",
	"40003": "content_refused",
	"40005": "validity_over",
	"40009": "content_refused",
	"40010": "sender_refused",
	"40012": "invalid_recipient",
	"40013": "sender_refused",
	"40014": "validity_over",
	"40300": "recipient_opted_out",
	"40305": "sender_refused",
	"40310": "invalid_recipient",
};

const eventId = z.string().regex(/^[\w-]{1,64}$/);
const phoneNumber = z.string().regex(/^[\w+ -]{1,32}$/);
const time = z.iso
	.datetime({ offset: true })
	.transform((text) => Date.parse(text))
	.optional();
const head = { id: eventId, occurred_at: time };
const receipt = z.object({
	data: z.object({
		...head,
		event_type: z.enum(["message.sent", "message.finalized"]),
		payload: z.object({
			id: eventId,
			to: z.array(z.object({ status: z.string() })).min(1),
			errors: z.array(z.object({ code: z.coerce.string() })).nullish(),
		}),
	}),
});
const inbound = z.object({
	data: z.object({
		...head,
		event_type: z.literal("message.received"),
		payload: z.object({
			id: eventId,
			from: z.object({ phone_number: phoneNumber }),
			to: z.array(z.object({ phone_number: phoneNumber })).min(1),
			text: z.string().nullish(),
		}),
	}),
});

function authenticate(key: KeyObject, { method, headers, body }: CallbackRequest, now: number): Authentic {
	if (method !== "POST") return { refused: "unsupported" };
	const signature = readHeader(headers, "telnyx-signature-ed25519");
	const timestamp = readHeader(headers, "telnyx-timestamp");
	if (signature === undefined || timestamp === undefined) return { refused: "unsigned" };
	const seconds = readSeconds(timestamp);
	if (seconds === undefined || !/^[A-Za-z0-9+/]{85}[AQgw]==$/.test(signature)) return { refused: "malformed" };
	const signed = `${timestamp}|${body}`;
	const fits = verifySignature(null, Buffer.from(signed, "utf8"), key, Buffer.from(signature, "base64"));
	return fits
		? { replayKey: sha256Hex(signed), fresh: isFresh(now, seconds), signedAt: seconds * 1000 }
		: { refused: "bad_signature" };
}

/** What is of no known kind is no concern of a message; what is of one must have its form. */
function parse(body: string, now: number): Parsed {
	const event = readObject(body);
	const { event_type: type } = (event?.data ?? {}) as { event_type?: unknown };
	if (type === "message.received") return parseInbound(event, now);
	return type === "message.sent" || type === "message.finalized" ? parseReceipt(event, now) : {};
}

function parseReceipt(event: unknown, now: number): Parsed {
	const data = receipt.safeParse(event).data?.data;
	if (!data) return unread;
	const { to, id: carrierId, errors } = data.payload;
	const code = mapCode(codes, errors?.[0]?.code);
	const events = new Set(to.map(({ status }) => status));
	// One message of ours goes to one recipient: several answers would be another's.
	const [status = "", ...others] = events;
	const state = others.length === 0 ? states[status] : undefined;
	return told({ eventId: data.id, carrierId, status, state, at: data.occurred_at ?? now, code });
}

function parseInbound(event: unknown, now: number): Parsed {
	const data = inbound.safeParse(event).data?.data;
	const to = data?.payload.to[0]?.phone_number;
	if (!data || to === undefined) return unread;
	const { id, from, text } = data.payload;
	return wrote({ eventId: id, from: from.phone_number, to, text: text ?? "", at: data.occurred_at ?? now });
}
