// Vonage: callbacks under a JWT that names the body's hash, or, of the older SMS API, a signature among the parameters.

import { createHash, createHmac, createPrivateKey, randomUUID } from "node:crypto";
import { SignJWT } from "jose";
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
	Manual,
	VerifierFactory,
} from "./carrier.ts";
import type { CarrierCode } from "./codes.ts";
import { callbackUrl, nonEmpty, numberOrName, webUrl } from "./fields.ts";
import { isHashOf, readJwt, readNumericDate } from "./jwt.ts";
import { type Answers, basic, createVendor, json, readAnswer, receiptsAt, toCode, withoutPlus } from "./vendor.ts";

const capabilities: Capabilities = {
	...{ validity: true, receipts: true, inbound: true, lookup: false, redaction: true, idempotentSend: false },
	...{ timedCallbacks: true, regions: [], baa: false, unsignedCallbacks: "ask_again" },
};

/** A function, for what it tells stands further below. */
const manual = (): Manual => ({
	title: "Vonage",
	source: "https://developer.vonage.com/en/api/messages",
	secrets: {
		send: z.strictObject({
			applicationId: nonEmpty.optional().describe("the application that sends"),
			privateKey: nonEmpty.optional().describe("its private key, PEM"),
			apiKey: nonEmpty.optional().describe("the account's key, in place of the application or for redaction"),
			apiSecret: nonEmpty.optional().describe("the account's secret"),
		}),
		callback: z.strictObject({
			secret: nonEmpty.describe("the account's signature secret"),
		}),
	},
	sendBy: [
		["applicationId", "privateKey"],
		["apiKey", "apiSecret"],
	],
	settings: z.strictObject({
		url: webUrl.optional().describe("the API's address; https://api.nexmo.com without it"),
		callbackUrl,
		algorithm: nonEmpty
			.optional()
			.describe("md5hash, md5, sha1, sha256 or sha512: pins how callbacks of the older SMS API are signed"),
	}),
	sender: numberOrName,
	signature:
		"a JWT over the body's hash (Authorization), good for 300 seconds, which is our choice; or a signature among the parameters (sig), as the older SMS API signs.",
	statuses: states,
	limits: [
		"Rarely a callback comes unsigned: it is answered 503, and Vonage brings it again, signed.",
		"A JWT covers the body alone: a callback by GET that bears one is refused. Have callbacks brought by POST.",
		"It takes no validity below 20 seconds: such a message is not sent through it.",
		"It can't be asked by a reference of ours.",
		"In older callbacks `&`, `=` and `_` are one to the signature: only what a recipient wrote may hold the first two.",
		"The older SMS API brings what a recipient wrote at length in parts, each of which is read by itself: a STOP in one counts, a START or HELP does not; the Messages API joins them.",
	],
});

/**
 * The Messages API. Secrets `{applicationId, privateKey}` (PEM) or `{apiKey, apiSecret}` serve sending, the latter redacting
 * too; settings `{url}` and `{callbackUrl}`, where receipts are to be brought.
 * @throws TypeError for a private key that can't be read
 */
export const createVonage: CarrierFactory = ({ settings, secrets, receiptsUrl }) => {
	const { applicationId, privateKey, apiKey, apiSecret } = secrets;
	const account = apiKey && apiSecret ? basic(apiKey, apiSecret) : undefined;
	const signer = applicationId && privateKey ? createTokens(applicationId, privateKey) : undefined;
	const authorize = signer ?? (account === undefined ? undefined : async () => account);
	return createVendor({
		...{ name: "vonage", capabilities, manual: manual(), verify: verifyVonage({ settings, secrets }) },
		...{ answers, validitySecondsMin: 20, url: settings.url ?? "https://api.nexmo.com" },
		credentials: authorize,
		async request({ to, sender, text, reference, validitySeconds }, token) {
			const authorization = await token();
			const { headers, body } = json({
				...{ message_type: "text", channel: "sms", to: withoutPlus(to.reveal()) },
				from: withoutPlus(sender ?? ""),
				text: text.reveal(),
				client_ref: reference,
				ttl: Math.min(Math.floor(validitySeconds), validitySecondsMax),
				webhook_url: receiptsAt(settings, receiptsUrl),
			});
			return { method: "POST", path: "/v1/messages", headers: { ...headers, authorization }, body };
		},
		async redact(call, _token, carrierId) {
			if (account === undefined) return false;
			const { headers, body } = json({ id: carrierId, product: "messages", type: "outbound" });
			const path = "/v1/redact/transaction";
			const exchange = await call({ method: "POST", path, headers: { ...headers, authorization: account }, body });
			return exchange.kind === "answered" && exchange.status === 204;
		},
	});
};

const validitySecondsMax = 604_800;
const tokenSeconds = 60;

/** A token for each request: RS256 over the application's id, a time and an id of its own. */
function createTokens(applicationId: string, pem: string): () => Promise<string> {
	let key: ReturnType<typeof createPrivateKey>;
	try {
		key = createPrivateKey(pem);
	} catch {
		throw new TypeError("The carrier's privateKey must be the PEM of the application's key.");
	}
	return async () => {
		const claims = new SignJWT({ application_id: applicationId }).setProtectedHeader({ alg: "RS256", typ: "JWT" });
		const token = await claims.setIssuedAt().setExpirationTime(`${tokenSeconds}s`).setJti(randomUUID()).sign(key);
		return `Bearer ${token}`;
	};
}

const acceptance = z.object({ message_uuid: z.string().regex(/^[0-9A-Za-z-]{1,64}$/) });
const refusal = z.object({
	type: z.string().optional(),
	invalid_parameters: z.array(z.object({ name: z.string() })).optional(),
});
const refusals: Record<string, CarrierCode> = {
	to: "invalid_recipient",
	from: "sender_refused",
	text: "content_refused",
};
const answers: Answers = {
	accepted(answer) {
		const taken = readAnswer(acceptance, answer);
		return taken && { carrierId: taken.message_uuid };
	},
	refused(answer) {
		const { type = "", invalid_parameters: parameters } = readAnswer(refusal, answer) ?? {};
		// The number stands at the end of its page's address; the title is prose.
		return toCode(refusals, parameters?.[0]?.name) ?? toCode(codes, /#(\d{4})$/.exec(type)?.[1]);
	},
};

/**
 * Secrets `{secret}`: the account's signature secret. Setting `algorithm`, one of md5hash, md5, sha1, sha256, sha512,
 * pins how the older callbacks are signed; without it the signature's length tells. Vonage documents rare callbacks
 * without any signature; it brings them again when they are answered by a 5xx.
 * @throws TypeError for another algorithm
 */
export const verifyVonage: VerifierFactory = ({ settings: { algorithm }, secrets: { secret } }) => {
	// The dashboard says "SHA-256 HMAC signature", its libraries SHA256HMAC.
	const named = algorithm?.toLowerCase().replace(/[^a-z0-9]|hmac|signature/g, "");
	// The JWT's is always the same.
	const pinned = named === "hs256" || named === "jwt" ? undefined : named;
	if (pinned !== undefined && !Object.hasOwn(signatureLengths, pinned)) {
		throw new TypeError(`The algorithm must be one of ${Object.keys(signatureLengths).join(", ")}.`);
	}
	return checkWith(secret, (key, request, now) => {
		if (request.method !== "POST" && request.method !== "GET") return refuse("unsupported");
		const bearer = /^Bearer +(.*)$/i.exec(readHeader(request.headers, "authorization") ?? "")?.[1];
		if (bearer !== undefined) {
			// It covers the body: of what a query says nothing is signed.
			if (request.method === "GET") return refuse("unsupported");
			const authentic = authenticateJwt(key, bearer, request.body, now);
			return conclude(authentic, () => parseBody(request.body, now));
		}
		const pairs = readParameters(request);
		if (!pairs) return refuse("malformed");
		return conclude(authenticateSig(key, pinned, pairs, now), () => parseSigned(pairs, now));
	});
};

/** Hex digits of each way to sign; two have the same. */
const signatureLengths = { md5hash: 32, md5: 32, sha1: 40, sha256: 64, sha512: 128 } as const;

const states: Record<string, CarrierEvent["state"]> = {
	accepted: "pending",
	buffered: "pending",
	submitted: "submitted",
	delivered: "delivered",
	read: "delivered",
	expired: "expired",
	failed: "undelivered",
	undeliverable: "undelivered",
	rejected: "rejected",
	// Neither delivered nor failed.
	unknown: "pending",
};
// https://developer.vonage.com/messaging/sms/guides/delivery-receipts of the older SMS API, and of the Messages API
// https://developer.vonage.com/en/api-errors/messages
const codes: Record<string, CarrierCode> = {
	"2": "handset_unreachable",
	"3": "invalid_recipient",
	"4": "invalid_recipient",
	"6": "content_refused",
	"7": "handset_unreachable",
	"9": "recipient_opted_out",
	"10": "invalid_request",
	"11": "invalid_recipient",
	"12": "invalid_recipient",
	"13": "content_refused",
	"14": "invalid_recipient",
	"51": "sender_refused",
	"52": "content_refused",
	"1050": "invalid_recipient",
	"1120": "sender_refused",
	"1160": "invalid_recipient",
	"1170": "invalid_recipient",
	"1180": "handset_unreachable",
	"1190": "invalid_recipient",
	"1210": "content_refused",
	"1220": "handset_unreachable",
	"1240": "recipient_opted_out",
	"1250": "invalid_recipient",
	"1260": "invalid_recipient",
	"1270": "content_refused",
	"1280": "invalid_recipient",
	"1360": "validity_over",
};

const id = z.string().regex(/^[0-9A-Za-z-]{1,64}$/);
const number = z.string().regex(/^[\w+ .-]{1,32}$/);
const state = z.enum(Object.keys(states));
const time = z.string().max(40).optional();
const smsReceipt = z.object({
	messageId: id,
	msisdn: number,
	status: state,
	"err-code": z
		.string()
		.regex(/^\d{0,5}$/)
		.optional(),
	"message-timestamp": time,
});
const smsInbound = z.object({
	messageId: id,
	msisdn: number,
	to: number,
	text: z.string(),
	concat: z.coerce.string().optional(),
	"message-timestamp": time,
});
const receipt = z.object({
	message_uuid: id,
	status: state,
	timestamp: time,
	error: z.object({ title: z.coerce.string() }).nullish(),
});
const inbound = z.object({ message_uuid: id, from: number, to: number, text: z.string(), timestamp: time });

/** Vonage's own libraries check the HMAC alone: issuer, time, id and the body's hash are for us to check. */
function authenticateJwt(secret: string, token: string, body: string, now: number): Authentic {
	const read = readJwt(token, secret, ["HS256"]);
	if ("refused" in read) return read;
	const { iss, iat, exp, nbf, jti, payload_hash: hash } = read.claims;
	if (iss !== "Vonage") return { refused: "untrusted" };
	const issuedAt = readNumericDate(iat);
	if (issuedAt === undefined || typeof jti !== "string" || !/^[\w.:-]{1,128}$/.test(jti)) {
		return { refused: "malformed" };
	}
	if (!isHashOf(hash, sha256Hex(body))) return { refused: "bad_signature" };
	const isOver = exp !== undefined && !((readNumericDate(exp) ?? 0) * 1000 > now);
	const isEarly = nbf !== undefined && !((readNumericDate(nbf) ?? Number.POSITIVE_INFINITY) * 1000 <= now);
	return { replayKey: jti, fresh: isFresh(now, issuedAt) && !isOver && !isEarly, signedAt: issuedAt * 1000 };
}

/** The parameters as they are signed: of the query, or of a body that is a form or flat JSON. */
function readParameters(request: CallbackRequest): [string, string][] | undefined {
	const { method, url, body } = request;
	if (method === "GET" || body === "") return readForm(queryOf(url));
	if (isForm(request)) return readForm(body);
	const object = readObject(body);
	if (!object) return /^\s*[{[]/.test(body) ? undefined : readForm(body);
	const isFlat = Object.values(object).every((value) => ["string", "number", "boolean"].includes(typeof value));
	if (isFlat) return Object.entries(object).map(([name, value]) => [name, String(value)]);
	// The Messages API nests and has no such signature: without its JWT a callback is unsigned, and is to come again.
	return "sig" in object ? undefined : [];
}

function authenticateSig(
	secret: string,
	pinned: string | undefined,
	pairs: [string, string][],
	now: number,
): Authentic {
	const names = pairs.map(([name]) => name);
	const { sig, timestamp, nonce } = Object.fromEntries(pairs);
	if (sig === undefined) return { refused: "unsigned" };
	// A name that holds a separator, or is there twice, could be cut elsewhere under the same signature.
	const isPlain = new Set(names).size === names.length && names.every((name) => /^[\w.-]{1,64}$/.test(name));
	const seconds = readSeconds(timestamp ?? "");
	const given = sig.toLowerCase();
	if (!isPlain || seconds === undefined || !nonce || !/^[0-9a-f]+$/.test(given)) return { refused: "malformed" };
	const text = serialise(pairs);
	const fits = ways(pinned, given.length).map((way) => isSame(given, sign(way, secret, text)));
	if (!fits.some((each) => each)) return { refused: "bad_signature" };
	// Time and nonce are in it, and the nonce can be spelled in several ways under one signature.
	return { replayKey: sha256Hex(text), fresh: isFresh(now, seconds), signedAt: seconds * 1000 };
}

function ways(pinned: string | undefined, length: number): string[] {
	const fitting = Object.entries(signatureLengths).filter(([, digits]) => digits === length);
	return fitting.map(([name]) => name).filter((name) => pinned === undefined || pinned === name);
}

function serialise(pairs: [string, string][]): string {
	const signed = pairs.filter(([name]) => name !== "sig").sort(([a], [b]) => (a < b ? -1 : 1));
	return signed.map(([name, value]) => `&${name}=${value.replace(/[&=]/g, "_")}`).join("");
}

function sign(way: string, secret: string, text: string): string {
	if (way === "md5hash")
		return createHash("md5")
			.update(text + secret, "utf8")
			.digest("hex");
	return createHmac(way, secret).update(text, "utf8").digest("hex");
}

/** Of these another spelling would tell something else. */
const decisive = new Set([smsReceipt, smsInbound, receipt, inbound].flatMap(({ shape }) => Object.keys(shape)));
decisive.delete("text");

/** `&`, `=` and `_` are one to the signature: what is read of a callback may hold the last alone, but for a recipient's text. */
function parseSigned(pairs: [string, string][], now: number): Parsed | undefined {
	const fields = readFields(pairs, []) ?? {};
	const isAltered = Object.entries(fields).some(([name, value]) => decisive.has(name) && /[&=]/.test(value));
	return isAltered ? undefined : parse(fields, now);
}

/** JSON or a form, as its own text says: the header that tells which is not signed. */
function parseBody(body: string, now: number): Parsed | undefined {
	if (/^\s*[{["]/.test(body)) return parse(readObject(body) ?? {}, now);
	const fields = readFields(readForm(body), [...decisive, "text"]);
	return fields ? parse(fields, now) : unread;
}

/** What is of no known kind is no concern of a message; what is of one must have its form. */
function parse(event: Record<string, unknown>, now: number): Parsed | undefined {
	if ("messageId" in event) return "status" in event ? parseSmsReceipt(event, now) : parseSmsInbound(event, now);
	if ("message_uuid" in event) return "status" in event ? parseReceipt(event, now) : parseInbound(event, now);
	return "status" in event && "msisdn" in event ? unread : {};
}

function parseSmsReceipt(event: Record<string, unknown>, now: number): Parsed | undefined {
	const { data } = smsReceipt.safeParse(event);
	if (!data) return unread;
	return one(data.messageId, data.status, data["err-code"], readTime(data["message-timestamp"], now));
}

function parseReceipt(event: Record<string, unknown>, now: number): Parsed | undefined {
	const { data } = receipt.safeParse(event);
	return data ? one(data.message_uuid, data.status, data.error?.title, readTime(data.timestamp, now)) : unread;
}

function one(carrierId: string, status: string, reason: string | undefined, at: number): Parsed {
	const code = mapCode(codes, reason === "" || reason === "0" ? undefined : reason);
	return told({ carrierId, status, state: states[status], at, code });
}

function parseSmsInbound(event: Record<string, unknown>, now: number): Parsed | undefined {
	const { data } = smsInbound.safeParse(event);
	if (!data) return unread;
	const { messageId: eventId, msisdn: from, to, text, concat } = data;
	const isPart = concat === "true" || undefined;
	return wrote({ eventId, from, to, text, isPart, at: readTime(data["message-timestamp"], now) });
}

function parseInbound(event: Record<string, unknown>, now: number): Parsed | undefined {
	// Other channels and media bring no text.
	if (event.message_type !== "text") return {};
	const { data } = inbound.safeParse(event);
	if (!data) return unread;
	const { message_uuid: eventId, from, to, text } = data;
	return wrote({ eventId, from, to, text, at: readTime(data.timestamp, now) });
}

function readTime(text: string | undefined, now: number): number {
	const at = readUtc(text ?? "");
	return Number.isNaN(at) ? now : at;
}
