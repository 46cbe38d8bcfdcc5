// MessageBird and Bird: callbacks under a JWT that names the hashes of address and body, or under one of two older HMACs.

import { createHash, createHmac } from "node:crypto";
import { parse as parseQuery, stringify as stringifyQuery } from "node:querystring";
import { z } from "zod";
import { isSame } from "../isSame.ts";
import {
	type Authentic,
	checkWith,
	conclude,
	isForm,
	isFresh,
	mapCode,
	type Parsed,
	queryOf,
	readFields,
	readForm,
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
import { callbackUrl, nonEmpty, numberOrName, webUrl } from "./fields.ts";
import { isHashOf, readJwt, readNumericDate } from "./jwt.ts";
import { type Answers, bearer, createVendor, json, readAnswer, receiptsAt, toCode, withoutPlus } from "./vendor.ts";

const capabilities: Capabilities = {
	...{ validity: true, receipts: true, inbound: true, lookup: false, redaction: true, idempotentSend: false },
	...{ timedCallbacks: true, regions: [], baa: false, unsignedCallbacks: "refuse" },
};

/** A function, for what it tells stands further below. */
const manual = (): Manual => ({
	title: "MessageBird",
	source: "https://developers.messagebird.com/api/sms-messaging/",
	secrets: {
		send: z.strictObject({
			accessKey: nonEmpty.describe("a live access key"),
		}),
		callback: z.strictObject({
			secret: nonEmpty.describe("the signing key, as text"),
		}),
	},
	settings: z.strictObject({
		url: webUrl.optional().describe("the API's address; https://rest.messagebird.com without it"),
		callbackUrl,
	}),
	sender: numberOrName,
	signature:
		"a JWT over the hashes of address and body (MessageBird-Signature-JWT), good until it expires; or HMAC-SHA256 over time, query and body (100 seconds), or time, address and body, as Bird's newer API signs (300 seconds, which is our choice).",
	statuses: states,
	limits: [
		"It sends through the SMS API; Bird's channels are understood in callbacks only.",
		"Bird does not name the number that a recipient wrote to: it counts as the queue's sender, so have no other channel's messages brought to the queue (filter the webhook by channelId).",
		"It can't be asked by a reference of ours.",
	],
});

/**
 * Secrets `{accessKey}` serve sending and redacting; settings `{url}` and `{callbackUrl}`, where receipts are to be brought.
 * @throws TypeError for a key that no header can bear
 */
export const createMessageBird: CarrierFactory = ({ settings, secrets, receiptsUrl }) =>
	createVendor({
		...{
			name: "messagebird",
			capabilities,
			manual: manual(),
			answers,
			verify: verifyMessageBird({ settings, secrets }),
		},
		url: settings.url ?? "https://rest.messagebird.com",
		credentials: secrets.accessKey ? { authorization: bearer("AccessKey", "accessKey", secrets.accessKey) } : undefined,
		request: ({ to, sender, text, reference, validitySeconds }, { authorization }) => {
			const { headers, body } = json({
				originator: sender,
				recipients: [withoutPlus(to.reveal())],
				body: text.reveal(),
				datacoding: "auto",
				reference,
				reportUrl: receiptsAt(settings, receiptsUrl),
				validity: Math.floor(validitySeconds),
			});
			return { method: "POST", path: "/messages", headers: { ...headers, authorization }, body };
		},
		async redact(call, headers, carrierId) {
			const exchange = await call({ method: "DELETE", path: `/messages/${carrierId}`, headers });
			return exchange.kind === "answered" && exchange.status === 204;
		},
		async readBack(call, headers, carrierId) {
			const exchange = await call({ method: "GET", path: `/messages/${carrierId}`, headers });
			if (exchange.kind !== "answered") return "unavailable";
			if (exchange.status === 200) return "there";
			// Not any 404 on the way: the carrier's own word that it has no such message.
			const errors = exchange.status === 404 ? readAnswer(refusal, exchange)?.errors : undefined;
			return errors?.some(({ code }) => code === 20) ? "gone" : "unavailable";
		},
	});

const acceptance = z.object({
	id: z.string().regex(/^[\w-]{1,64}$/),
	recipients: z.object({
		items: z.array(z.object({ messagePartCount: z.int().min(1).max(64).optional() })).length(1),
	}),
});
const refusal = z.object({ errors: z.array(z.object({ code: z.number(), parameter: z.string().nullish() })).min(1) });
// https://developers.messagebird.com/api#api-errors
const refusals: Record<string, CarrierCode> = {
	"2": "credentials_refused",
	"25": "unavailable",
	originator: "sender_refused",
	recipients: "invalid_recipient",
	body: "content_refused",
};
const answers: Answers = {
	accepted(answer) {
		const taken = readAnswer(acceptance, answer);
		return taken && { carrierId: taken.id, segments: taken.recipients.items[0]?.messagePartCount };
	},
	refused(answer) {
		const first = readAnswer(refusal, answer)?.errors[0];
		return toCode(refusals, first?.code) ?? toCode(refusals, first?.parameter ?? "");
	},
};

/** Secrets `{secret}`: the signing key as text. A callback that bears a JWT is judged by that alone. */
export const verifyMessageBird: VerifierFactory = ({ secrets }) => verifyWith(secrets, true);

/** As `verifyMessageBird`, but that the older signature, which covers neither host nor path, counts for nothing. */
export const verifyBird: VerifierFactory = ({ secrets }) => verifyWith(secrets, false);

function verifyWith(secrets: Record<string, string>, takesQuery: boolean): ReturnType<VerifierFactory> {
	return checkWith(secrets.secret, (secret, request, now) => {
		const token = readHeader(request.headers, "messagebird-signature-jwt");
		const authentic =
			token === undefined
				? authenticateHmac(secret, request, now, takesQuery)
				: authenticateJwt(secret, token, request, now);
		return conclude(authentic, () => parse(request, now));
	});
}

const jwtToleranceSeconds = 5;
// Its libraries take less than 100 s.
const legacyWindowMs = 99_999;

const states: Record<string, CarrierEvent["state"]> = {
	scheduled: "pending",
	accepted: "pending",
	processing: "pending",
	buffered: "pending",
	sent: "submitted",
	delivered: "delivered",
	expired: "expired",
	delivery_failed: "undelivered",
	sending_failed: "undelivered",
	rejected: "rejected",
};
// https://developers.messagebird.com/api/sms-messaging#statusreasons
const codes: Record<string, CarrierCode> = {
	"unknown subscriber": "invalid_recipient",
	"unavailable subscriber": "handset_unreachable",
	expired: "validity_over",
	"opted out": "recipient_opted_out",
	"received network error": "other",
	"insufficient balance": "unavailable",
	"carrier rejected": "content_refused",
	"capacity limit reached": "unavailable",
	"generic delivery failure": "other",
};

const id = z.string().regex(/^[\w-]{1,64}$/);
const address = z.string().regex(/^[\w+ .-]{1,32}$/);
const status = z.enum(Object.keys(states));
const receipt = z.object({ id, recipient: address.optional(), status, statusReason: z.string().max(64).optional() });
const inbound = z.object({ id, originator: address, recipient: address, body: z.string().max(1600) });
const contact = z.object({ identifierValue: address });
// Of what recipients write it bears the id of the channel's own, and no number: none, or an empty one.
const connector = z.object({ identifierValue: address.or(z.literal("")).optional() });
const channelEvent = z.object({
	event: z.string(),
	payload: z.object({
		id,
		status: z.string().optional(),
		sender: z.object({ contact: contact.optional() }).optional(),
		receiver: z
			.object({ connector: connector.optional(), contacts: z.array(contact).optional(), contact: contact.optional() })
			.optional(),
		body: z.object({ type: z.string(), text: z.object({ text: z.string() }).optional() }).optional(),
		createdAt: z.string().optional(),
	}),
});

function authenticateJwt(secret: string, token: string, request: CallbackRequest, now: number): Authentic {
	const read = readJwt(token, secret, ["HS256", "HS384", "HS512"]);
	if ("refused" in read) return read;
	const { iss, iat, nbf = iat, exp, jti, url_hash: urlHash, payload_hash: payloadHash } = read.claims;
	if (iss !== "MessageBird") return { refused: "untrusted" };
	// Its older tokens bear iat in place of nbf: one with neither would be good from the beginning of time.
	const [from, until] = [readNumericDate(nbf), readNumericDate(exp)];
	if (from === undefined || until === undefined || typeof jti !== "string" || jti === "") {
		return { refused: "malformed" };
	}
	const coversBody = request.body === "" ? payloadHash === undefined : isHashOf(payloadHash, sha256Hex(request.body));
	if (!isHashOf(urlHash, sha256Hex(request.url)) || !coversBody) return { refused: "bad_signature" };
	const seconds = now / 1000;
	const fresh = seconds >= from - jwtToleranceSeconds && seconds < until + jwtToleranceSeconds;
	return { replayKey: jti, fresh, signedAt: from * 1000 };
}

/** The older way signs the sorted query and is good for 100 s; the newer signs the whole address. */
function authenticateHmac(secret: string, request: CallbackRequest, now: number, takesQuery: boolean): Authentic {
	const signature = readHeader(request.headers, "messagebird-signature");
	const timestamp = readHeader(request.headers, "messagebird-request-timestamp");
	if (signature === undefined || timestamp === undefined) return { refused: "unsigned" };
	const seconds = readSeconds(timestamp);
	if (seconds === undefined || !/^[A-Za-z0-9+/]{43}=$/.test(signature)) return { refused: "malformed" };
	const bodyHash = createHash("sha256").update(request.body, "utf8").digest();
	const fits = (part: string) => {
		const signed = Buffer.concat([Buffer.from(`${timestamp}\n${part}\n`, "utf8"), bodyHash]);
		return isSame(signature, createHmac("sha256", secret).update(signed).digest("base64"));
	};
	const replayKey = sha256Hex(`${timestamp}\n${signature}`);
	if (fits(request.url)) return { replayKey, fresh: isFresh(now, seconds), signedAt: seconds * 1000 };
	const isLegacy = takesQuery ? sortedQueries(queryOf(request.url)).map(fits) : [];
	if (!isLegacy.some((each) => each)) return { refused: "bad_signature" };
	return { replayKey, fresh: isFresh(now, seconds, legacyWindowMs), signedAt: seconds * 1000 };
}

/** As it was called, and as the vendor's library writes it anew: a plus in a time is a plus there, not a space. */
function sortedQueries(query: string): string[] {
	const order = ([a = ""]: string[], [b = ""]: string[]) => (a < b ? -1 : a > b ? 1 : 0);
	const parts = query === "" ? [] : query.split("&").map((part) => part.split("="));
	// A whole address is no name: the newer way's text would pass for a query.
	if (!parts.every(([name = ""]) => /^[\w.%[\]-]*$/.test(name))) return [];
	const asCalled = parts.toSorted(order).map((part) => part.join("="));
	const read = Object.entries(parseQuery(query)).map(([name, value]) => [
		name,
		name === "statusDatetime" && typeof value === "string" ? value.replaceAll(" ", "+") : value,
	]);
	const written = stringifyQuery(Object.fromEntries(read.toSorted(order as never)));
	return [...new Set([asCalled.join("&"), written, written.replaceAll("%20", "+")])];
}

/** What is of no known kind is no concern of a message; what is of one must have its form. */
function parse(request: CallbackRequest, now: number): Parsed {
	const object = readObject(request.body);
	if (object && "event" in object && "payload" in object) return parseChannel(object, now);
	const pairs = [...readForm(queryOf(request.url)), ...(isForm(request) ? readForm(request.body) : [])];
	const names = new Set([...pairs.map(([name]) => name), ...Object.keys(object ?? {})]);
	const isReceipt = names.has("status") && names.has("id");
	if (!isReceipt && !(names.has("originator") && names.has("body"))) return {};
	const matters = [...Object.keys(receipt.shape), ...Object.keys(inbound.shape), "statusDatetime", "createdDatetime"];
	const fields = readFields(pairs, matters);
	if (!fields) return unread;
	return isReceipt ? parseReceipt({ ...fields, ...object }, now) : parseInbound({ ...fields, ...object }, now);
}

function parseReceipt(fields: Record<string, unknown>, now: number): Parsed {
	const { data } = receipt.safeParse(fields);
	if (!data) return unread;
	const at = readTime(fields.statusDatetime, now);
	const isFailure = !["pending", "submitted", "delivered"].includes(states[data.status] ?? "");
	return one(data.id, data.status, isFailure ? data.statusReason : undefined, at);
}

function parseInbound(fields: Record<string, unknown>, now: number): Parsed {
	const { data } = inbound.safeParse(fields);
	if (!data) return unread;
	const { id: eventId, originator: from, recipient: to, body: text } = data;
	return wrote({ eventId, from, to, text, at: readTime(fields.createdDatetime, now) });
}

function parseChannel(object: Record<string, unknown>, now: number): Parsed {
	if (object.event !== "sms.outbound" && object.event !== "sms.inbound") return {};
	const payload = channelEvent.safeParse(object).data?.payload;
	if (!payload) return unread;
	const at = readTime(payload.createdAt, now);
	if (object.event === "sms.outbound") {
		return one(
			payload.id,
			Object.hasOwn(states, payload.status ?? "") ? (payload.status ?? "") : "accepted",
			undefined,
			now,
		);
	}
	const from = payload.sender?.contact?.identifierValue;
	const { connector, contacts, contact: to } = payload.receiver ?? {};
	const receiver = connector ?? contacts?.[0] ?? to;
	if (from === undefined) return unread;
	const text = payload.body?.text?.text ?? "";
	return wrote({ eventId: payload.id, from, to: receiver?.identifierValue || undefined, text, at });
}

function one(carrierId: string, name: string, reason: string | undefined, at: number): Parsed {
	return told({ carrierId, status: name, state: states[name], at, code: mapCode(codes, reason) });
}

// A plus that was not escaped in a query reads as a space.
function readTime(value: unknown, now: number): number {
	const at = typeof value === "string" ? Date.parse(value.replace(" ", "+")) : Number.NaN;
	return Number.isNaN(at) ? now : at;
}
