// Sinch: JSON callbacks of the SMS API signed by HMAC over body, nonce and time; those of its other products in their own ways.

import { createHash, createHmac } from "node:crypto";
import { z } from "zod";
import { segmentText } from "../../domain/segments.ts";
import { isSame } from "../isSame.ts";
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
	readUtc,
	refuse,
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
	LookupResult,
	Manual,
	VerifierFactory,
} from "./carrier.ts";
import type { CarrierCode } from "./codes.ts";
import { callbackUrl, nonEmpty, numberOrName, webUrl } from "./fields.ts";
import { type Answers, bearer, type Call, createVendor, json, readAnswer, receiptsAt, toCode } from "./vendor.ts";

const regions = ["us", "eu", "au", "br", "ca"] as const;
const capabilities: Capabilities = {
	...{ validity: true, receipts: true, inbound: true, redaction: false, idempotentSend: false },
	// Its list of batches is not documented to be up to date at once.
	lookup: { absentAfterMs: 60_000, askAfterMs: 90_000 },
	...{ timedCallbacks: true, regions, baa: false, unsignedCallbacks: "refuse" },
};

/** A function, for what it tells stands further below. */
const manual = (): Manual => ({
	title: "Sinch",
	source: "https://developers.sinch.com/docs/sms/api-reference",
	secrets: {
		send: z.strictObject({
			servicePlanId: nonEmpty.describe("the service plan"),
			token: nonEmpty.describe("its API token"),
		}),
		callback: z.strictObject({
			secret: nonEmpty.describe("the secret of the webhook that signs its callbacks"),
		}),
	},
	settings: z.strictObject({
		url: webUrl.optional().describe("the API's address, in place of the region's"),
		region: nonEmpty.optional().describe("us, eu, au, br or ca; us without it"),
		callbackUrl,
	}),
	sender: numberOrName,
	signature:
		"HMAC-SHA256 over raw body, nonce and time (x-sinch-webhook-signature…), good for 300 seconds, which is our choice. Callbacks of its other products are told to be authentic and change nothing.",
	statuses: states,
	limits: [
		"Callbacks are signed only where Sinch has switched that on for the account.",
		"A look-up tells that Sinch took it, not what became of it.",
		"It can't be asked to forget a message.",
		"Callbacks that are answered by 4xx, but for 429, are not brought again.",
	],
});

/**
 * Secrets `{servicePlanId, token}` serve sending and looking up; settings `{region}`, or `{url}` in its place, and
 * `{callbackUrl}`, where receipts are to be brought.
 * @throws TypeError for a token that no header can bear, or another region
 */
export const createSinch: CarrierFactory = ({ settings, secrets, receiptsUrl }) => {
	const { servicePlanId, token } = secrets;
	const region = settings.region ?? "us";
	if (!(regions as readonly string[]).includes(region)) {
		throw new TypeError(`The region must be one of ${regions.join(", ")}.`);
	}
	return createVendor({
		...{ name: "sinch", capabilities, manual: manual(), verify: verifySinch({ settings, secrets }), answers },
		url: settings.url ?? `https://${region}.sms.api.sinch.com`,
		credentials:
			servicePlanId && token
				? {
						path: `/xms/v1/${encodeURIComponent(servicePlanId)}/batches`,
						authorization: bearer("Bearer", "token", token),
					}
				: undefined,
		request: ({ to, sender, text, reference, validitySeconds }, { path, authorization }) => {
			const { headers, body } = json({
				from: sender,
				to: [to.reveal()],
				body: text.reveal(),
				delivery_report: "per_recipient",
				client_reference: reference,
				callback_url: receiptsAt(settings, receiptsUrl),
				// Asked for at once, so that what is waited for a connection shortens it and never the reverse.
				expire_at: new Date(Date.now() + Math.floor(validitySeconds) * 1000).toISOString(),
			});
			return { method: "POST", path, headers: { ...headers, authorization }, body };
		},
		lookup,
	});
};

const batchId = z.string().regex(/^[\w-]{1,64}$/);
const acceptance = z.object({ id: batchId, body: z.string() });
const answers: Answers = {
	accepted(answer) {
		const taken = readAnswer(acceptance, answer);
		return taken && { carrierId: taken.id, segments: segmentText(taken.body).segments };
	},
	refused: (answer) => toCode(refusals, readAnswer(z.object({ code: z.string() }), answer)?.code),
};
const refusals: Record<string, CarrierCode> = {
	syntax_invalid_json: "invalid_request",
	syntax_invalid_parameter_format: "invalid_recipient",
	syntax_constraint_violation: "invalid_request",
	sender_id_blocked: "sender_refused",
	forbidden: "sender_refused",
};
// For clocks that differ. A reference is one attempt's: a longer time shows no other.
const startMarginMs = 3600_000;
const batches = z.object({
	batches: z.array(z.object({ id: batchId, client_reference: z.string(), body: z.string().default("") })),
});

/** The batches of a reference; what is not among those since its attempt began was not taken. */
async function lookup(
	call: Call,
	{ path, authorization }: { path: string; authorization: string },
	reference: string,
	since: number,
): Promise<LookupResult> {
	// Unasked it lists those of the last day alone, and an older one would read as absent.
	const from = new Date(since - startMarginMs).toISOString();
	const query = new URLSearchParams({ client_reference: reference, start_date: from, page_size: "2" });
	const exchange = await call({ method: "GET", path: `${path}?${query}`, headers: { authorization } });
	const list = exchange.kind === "answered" && exchange.status === 200 ? readAnswer(batches, exchange) : undefined;
	if (!list) return { kind: "unavailable" };
	const [found] = list.batches;
	if (!found) return { kind: "absent" };
	if (found.client_reference !== reference) return { kind: "unavailable" };
	const { segments } = segmentText(found.body);
	return { kind: "found", carrierId: found.id, segments, state: "pending", at: Date.now() };
}

/**
 * Secrets `{secret}`: the secret of the webhook (SMS, Conversation), of the callback configuration (Numbers) or of the
 * application (Verification, Voice; base64). Only SMS callbacks bring anything of a message.
 */
export const verifySinch: VerifierFactory = ({ secrets }) =>
	checkWith(secrets.secret, (secret, request, now) => {
		if (request.method !== "POST" && request.method !== "GET") return refuse("unsupported");
		const { headers, body } = request;
		if (readHeader(headers, "x-sinch-webhook-signature") !== undefined) {
			return conclude(authenticateWebhook(secret, request, now), () => parse(body, now));
		}
		if (readHeader(headers, "x-sinch-signature") !== undefined) {
			return conclude(authenticateNumbers(secret, request), () => ({}));
		}
		if (/^application /i.test(readHeader(headers, "authorization") ?? "")) {
			return conclude(authenticateApplication(secret, request, now), () => ({}));
		}
		return refuse("unsigned");
	});

const states: Record<string, CarrierEvent["state"]> = {
	Queued: "pending",
	Dispatched: "submitted",
	Delivered: "delivered",
	Aborted: "undelivered",
	Cancelled: "undelivered",
	Rejected: "rejected",
	Deleted: "undelivered",
	Failed: "undelivered",
	Expired: "expired",
	// Final, as it documents: no receipt came to it that it could read.
	Unknown: "unknown",
};
// https://developers.sinch.com/docs/sms/api-reference/sms/tag/Delivery-reports
const codes: Record<string, CarrierCode> = {
	"402": "invalid_recipient",
	"405": "invalid_request",
	"406": "validity_over",
	"410": "sender_refused",
	"411": "content_refused",
	"412": "invalid_recipient",
	"413": "unavailable",
};

const id = z.string().regex(/^[\w-]{1,64}$/);
const number = z.string().regex(/^[\w+ -]{1,32}$/);
/** Undefined for one that can't be read: what is told counts all the same. */
const time = z.iso.datetime({ offset: true, local: true }).transform(readUtc).optional().catch(undefined);
const fate = {
	status: z.enum(Object.keys(states)),
	code: z
		.string()
		.regex(/^\d{1,3}$/)
		.transform(Number)
		.or(z.int().min(0).max(999)),
};
const receipt = z.object({ batch_id: id, recipient: number, ...fate, at: time });
/** Of a batch; in its summary form without recipients. */
const report = z.object({
	batch_id: id,
	statuses: z.array(z.object({ ...fate, recipients: z.array(number).max(1000).optional() })).max(100),
});
const inbound = z.object({
	type: z.literal("mo_text"),
	id,
	from: number,
	to: number,
	body: z.string(),
	received_at: time,
});

function authenticateWebhook(secret: string, { headers, body }: CallbackRequest, now: number): Authentic {
	const signature = readHeader(headers, "x-sinch-webhook-signature") ?? "";
	const nonce = readHeader(headers, "x-sinch-webhook-signature-nonce");
	const timestamp = readHeader(headers, "x-sinch-webhook-signature-timestamp");
	if (nonce === undefined || timestamp === undefined) return { refused: "unsigned" };
	const algorithm = readHeader(headers, "x-sinch-webhook-signature-algorithm") ?? "HmacSHA256";
	if (algorithm !== "HmacSHA256") return { refused: "unsupported" };
	const seconds = readSeconds(timestamp);
	// Dots join body, nonce and time: with one in the nonce another cut would bear the same signature.
	const isNonce = /^[\w+/=-]{1,128}$/.test(nonce);
	if (seconds === undefined || !isNonce || !/^[A-Za-z0-9+/]{43}=$/.test(signature)) return { refused: "malformed" };
	const signed = `${body}.${nonce}.${timestamp}`;
	const expected = createHmac("sha256", secret).update(signed, "utf8").digest("base64");
	if (!isSame(signature, expected)) return { refused: "bad_signature" };
	return { replayKey: sha256Hex(signed), fresh: isFresh(now, seconds), signedAt: seconds * 1000 };
}

// Neither timed nor numbered: the body is all there is.
function authenticateNumbers(secret: string, { headers, body }: CallbackRequest): Authentic {
	const signature = (readHeader(headers, "x-sinch-signature") ?? "").toLowerCase();
	if (!/^[0-9a-f]{40}$/.test(signature)) return { refused: "malformed" };
	const expected = createHmac("sha1", secret).update(body, "utf8").digest("hex");
	return isSame(signature, expected) ? { replayKey: sha256Hex(body), fresh: true } : { refused: "bad_signature" };
}

function authenticateApplication(secret: string, request: CallbackRequest, now: number): Authentic {
	const { method, url, headers, body } = request;
	const authorization = readHeader(headers, "authorization") ?? "";
	const [, signature] = /^application ([\w-]{1,64}):([A-Za-z0-9+/]{43}=)$/i.exec(authorization)?.slice(1) ?? [];
	const timestamp = readHeader(headers, "x-timestamp");
	if (timestamp === undefined) return { refused: "unsigned" };
	const at = z.iso.datetime({ offset: true }).safeParse(timestamp).success ? Date.parse(timestamp) : undefined;
	if (signature === undefined || at === undefined) return { refused: "malformed" };
	const path = /^https?:\/\/[^/?#]+([^?#]*)/i.exec(url)?.[1] || "/";
	const hash = body === "" ? "" : createHash("md5").update(body, "utf8").digest("base64");
	const type = readHeader(headers, "content-type") ?? "";
	const signed = [method, hash, type, `x-timestamp:${timestamp}`, path].join("\n");
	const expected = createHmac("sha256", Buffer.from(secret, "base64")).update(signed, "utf8").digest("base64");
	if (!isSame(signature, expected)) return { refused: "bad_signature" };
	return { replayKey: sha256Hex(signed), fresh: isFresh(now, at / 1000), signedAt: at };
}

/** What is of no known kind is no concern of a message; what is of one must have its form. */
function parse(body: string, now: number): Parsed {
	const event = readObject(body);
	if (event?.type === "mo_text") {
		const { data } = inbound.safeParse(event);
		if (!data) return unread;
		const { id: inboundId, from, to, body: text, received_at: at = now } = data;
		return wrote({ eventId: inboundId, from, to, text, at });
	}
	if (event?.type === "delivery_report_sms") {
		const { data } = report.safeParse(event);
		if (!data) return unread;
		return {
			events: data.statuses.flatMap((each) =>
				(each.recipients ?? []).flatMap((_, at) => tell(data.batch_id, each, now, at).events ?? []),
			),
		};
	}
	if (event?.type !== "recipient_delivery_report_sms") return {};
	const { data } = receipt.safeParse(event);
	return data ? tell(data.batch_id, data, data.at ?? now) : unread;
}

/** @param index of several recipients with one fate, whose numbers are in no id */
function tell(carrierId: string, { status, code }: { status: string; code: number }, at: number, index = 0): Parsed {
	const mapped = mapCode(codes, code >= 402 ? String(code) : undefined);
	const eventId = `${carrierId}.${status}.${code}${index === 0 ? "" : `.${index}`}`;
	return told({ eventId, carrierId, status, state: states[status], at, code: mapped });
}
