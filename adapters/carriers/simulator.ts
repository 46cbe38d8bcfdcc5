// The simulated carrier as Lethe sees it: its send API, its look-up, and its Ed25519-signed receipts and inbound messages.

import { createPublicKey, type KeyObject, verify as verifySignature } from "node:crypto";
import { z } from "zod";
import { limits } from "../../domain/limits.ts";
import { Plaintext } from "../../domain/plaintext.ts";
import type {
	CallbackRequest,
	Carrier,
	CarrierEvent,
	CarrierFactory,
	InboundResult,
	LookupResult,
	OutboundMessage,
	SendOutcome,
	VerifyResult,
} from "./carrier.ts";
import type { CarrierCode } from "./codes.ts";
import { type CarrierHttp, createCarrierHttp, type Exchange } from "./http.ts";

/**
 * Settings `{url}` and secrets `{token}` serve sending and looking up; secrets `{publicKey}` (base64, 32 bytes) serve
 * verifying. A process needs only its own half: without it, sending fails and verifying refuses.
 * @throws TypeError when a setting or secret that is given can't be used
 */
export const createSimulator: CarrierFactory = ({ settings, secrets }) => {
	const http = settings.url ? createCarrierHttp({ url: settings.url, ...httpBounds }) : undefined;
	const authorization = secrets.token ? `Bearer ${parseToken(secrets.token)}` : undefined;
	const publicKey = secrets.publicKey ? parsePublicKey(secrets.publicKey) : undefined;
	return {
		name: "simulator",
		async send(message, signal) {
			if (!http || !authorization) return { kind: "failed", code: "not_configured" } satisfies SendOutcome;
			return send(http, authorization, message, signal);
		},
		async lookup(reference, signal) {
			if (!http || !authorization) return { kind: "unavailable" };
			return lookup(http, authorization, reference, signal);
		},
		verify: (request, now) => verify(publicKey, request, now),
		verifyInbound: (request, now) => verifyInbound(publicKey, request, now),
		close: async () => http?.close(),
	} satisfies Carrier;
};

const httpBounds = { timeoutMs: limits.carrierTimeoutMs, connectionsMax: 1000, answerBytesMax: 16 * 1024 };
const callbackBytesMax = 16 * 1024;

// The carrier's error codes. A 4xx with any other code was not accepted either: it answers so only before accepting.
const rejections: Record<string, CarrierCode> = {
	invalid_to: "invalid_recipient",
	"4101": "invalid_recipient",
	invalid_text: "content_refused",
	invalid_from: "sender_refused",
};
const receiptCodes: Record<string, CarrierCode> = {
	"3002": "handset_unreachable",
	"3003": "validity_over",
};
const states = {
	accepted: "pending",
	sent: "submitted",
	delivered: "delivered",
	undelivered: "undelivered",
	expired: "expired",
} as const satisfies Record<string, CarrierEvent["state"]>;

const status = z.enum(Object.keys(states) as (keyof typeof states)[]);
const carrierId = z.string().regex(/^[\w-]{1,64}$/);
const segments = z.int().min(1).max(64);
const time = z.iso.datetime().transform((text) => Date.parse(text));
const acceptance = z.object({ id: carrierId, segments });
const refusal = z.object({ error: z.object({ code: z.string() }) });
const found = z.object({ id: carrierId, reference: z.string(), status, segments, at: time });
const eventId = z.string().regex(/^[\w.-]{1,128}$/);
const receipt = z.strictObject({
	eventId,
	id: carrierId,
	status,
	at: time,
	code: z.string().max(16).optional(),
});
const inbound = z.strictObject({
	eventId,
	from: z.string().regex(/^\+[1-9]\d{6,14}$/),
	to: z.string().regex(/^(\+?\d{3,15}|[A-Za-z0-9 ]{1,11})$/),
	text: z.string().max(1600),
	at: time,
});

async function send(
	http: CarrierHttp,
	authorization: string,
	message: OutboundMessage,
	signal: AbortSignal,
): Promise<SendOutcome> {
	// Less than a second left: the carrier could only deliver it too late.
	if (!(message.validitySeconds >= 1)) return { kind: "failed", code: "withdrawn" };
	const exchange = await http.exchange(
		{
			method: "POST",
			path: "/v1/messages",
			headers: { authorization, "content-type": "application/json" },
			body: JSON.stringify({
				to: message.to.reveal(),
				from: message.sender,
				text: message.text.reveal(),
				reference: message.reference,
				validitySeconds: Math.floor(message.validitySeconds),
			}),
			stillDue: message.stillDue,
		},
		signal,
	);
	return readOutcome(exchange);
}

/** What an answer to a send means; 503 is documented as not accepted, any other 5xx says nothing. */
function readOutcome(exchange: Exchange): SendOutcome {
	if (exchange.kind === "unsent") return { kind: "failed", code: exchange.code };
	if (exchange.kind === "unanswered") return { kind: "ambiguous", code: exchange.code };
	const { status, headers, body } = exchange;
	if (status === 202) {
		const answer = readJson(acceptance, body);
		if (!answer) return { kind: "ambiguous", code: "unreadable_answer" };
		return { kind: "accepted", carrierId: answer.id, segments: answer.segments };
	}
	if (status === 429) return { kind: "throttled", retryAfterMs: readRetryAfterMs(headers["retry-after"]) };
	if (status === 401 || status === 403) return { kind: "failed", code: "credentials_refused" };
	if (status === 503) return { kind: "failed", code: "unavailable" };
	if (status >= 500) return { kind: "ambiguous", code: "carrier_error" };
	if (status === 400 || status === 413 || status === 415 || status === 422) {
		const code = readJson(refusal, body)?.error.code;
		return { kind: "rejected", code: mapCode(rejections, code, "invalid_request") };
	}
	// Not this carrier's answer: something in between spoke, and what it did with the request is unknown.
	return { kind: "ambiguous", code: "unreadable_answer" };
}

async function lookup(
	http: CarrierHttp,
	authorization: string,
	reference: string,
	signal: AbortSignal,
): Promise<LookupResult> {
	const path = `/v1/messages?reference=${encodeURIComponent(reference)}`;
	const exchange = await http.exchange({ method: "GET", path, headers: { authorization } }, signal);
	if (exchange.kind !== "answered") return { kind: "unavailable" };
	// Absence permits a second send: only the carrier's own words prove it, not any 404 on the way.
	if (exchange.status === 404) {
		return readJson(refusal, exchange.body)?.error.code === "no_such_message"
			? { kind: "absent" }
			: { kind: "unavailable" };
	}
	const answer = exchange.status === 200 ? readJson(found, exchange.body) : undefined;
	if (answer?.reference !== reference) return { kind: "unavailable" };
	return {
		kind: "found",
		carrierId: answer.id,
		segments: answer.segments,
		state: states[answer.status],
		at: answer.at,
	};
}

/** Checks a receipt; the event id is in the signed body. */
function verify(publicKey: KeyObject | undefined, request: CallbackRequest, now: number): VerifyResult {
	const { reason, value: event } = authenticate(publicKey, request, now, receipt);
	if (!event) return { valid: false, reason, events: [] };
	const events: CarrierEvent[] = [
		{
			eventId: event.eventId,
			carrierId: event.id,
			state: states[event.status],
			at: event.at,
			...(event.code !== undefined && { code: mapCode(receiptCodes, event.code, "other") }),
		},
	];
	return reason === "stale" ? { valid: false, reason, events } : { valid: true, events };
}

/** Checks a recipient's message. Its schema shares no body with receipts': neither passes for the other. */
function verifyInbound(publicKey: KeyObject | undefined, request: CallbackRequest, now: number): InboundResult {
	const { reason, value: message } = authenticate(publicKey, request, now, inbound);
	if (reason) return { valid: false, reason };
	const { from, text, ...rest } = message;
	return { valid: true, messages: [{ ...rest, from: Plaintext.text(from), text: Plaintext.text(text) }] };
}

type Refused = "malformed" | "unsigned" | "bad_signature" | "unsupported";
type Authentic<T> =
	| { reason?: undefined; value: T }
	| { reason: "stale"; value: T }
	| { reason: Refused; value?: undefined };

/**
 * Checks Ed25519 over `<x-carrier-timestamp>.<raw body>`, then the schema, then the time. No secret takes part, so an
 * early return tells a forger nothing.
 */
function authenticate<T>(
	publicKey: KeyObject | undefined,
	request: CallbackRequest,
	now: number,
	schema: z.ZodType<T>,
): Authentic<T> {
	if (!publicKey || request.method !== "POST") return { reason: "unsupported" };
	if (typeof request.body !== "string" || Buffer.byteLength(request.body) > callbackBytesMax)
		return { reason: "malformed" };
	const timestamp = readHeader(request.headers, "x-carrier-timestamp");
	const signature = readHeader(request.headers, "x-carrier-signature");
	if (timestamp === undefined || signature === undefined) return { reason: "unsigned" };
	if (!/^\d{1,12}$/.test(timestamp) || !/^[A-Za-z0-9+/]{85}[AQgw]==$/.test(signature)) return { reason: "malformed" };
	const signed = Buffer.from(`${timestamp}.${request.body}`, "utf8");
	if (!verifySignature(null, signed, publicKey, Buffer.from(signature, "base64"))) return { reason: "bad_signature" };
	const value = readJson(schema, request.body);
	if (value === undefined) return { reason: "malformed" };
	const fresh = Math.abs(now - Number(timestamp) * 1000) <= limits.callbackFreshnessMs;
	return fresh ? { value } : { reason: "stale", value };
}

/** The one value of a header, whatever its case; "" (never well-formed) when it is there more than once. */
function readHeader(headers: CallbackRequest["headers"], name: string): string | undefined {
	const values = Object.entries(headers ?? {})
		.filter(([key, value]) => key.toLowerCase() === name && value !== undefined)
		.flatMap(([, value]) => value);
	if (values.length === 0) return undefined;
	return values.length === 1 && typeof values[0] === "string" ? values[0] : "";
}

function readJson<T>(schema: z.ZodType<T>, text: string): T | undefined {
	try {
		return schema.safeParse(JSON.parse(text)).data;
	} catch {
		return undefined;
	}
}

function readRetryAfterMs(header: string | string[] | undefined): number {
	const seconds = typeof header === "string" && /^\d{1,9}$/.test(header) ? Number(header) : 0;
	return Math.min(Math.max(seconds * 1000, limits.backoffFirstMs), limits.backoffMaxMs);
}

function mapCode(codes: Record<string, CarrierCode>, code: string | undefined, otherwise: CarrierCode): CarrierCode {
	return (code !== undefined && Object.hasOwn(codes, code) && codes[code]) || otherwise;
}

function parseToken(token: string): string {
	if (/^[\w.~+/=-]{16,256}$/.test(token)) return token;
	throw new TypeError("The carrier's token must be 16 to 256 characters of a bearer token.");
}

function parsePublicKey(text: string): KeyObject {
	const raw = Buffer.from(text, "base64");
	if (raw.length === 32 && raw.toString("base64") === text) {
		return createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x: raw.toString("base64url") }, format: "jwk" });
	}
	throw new TypeError("The carrier's publicKey must be the base64 of 32 bytes.");
}
