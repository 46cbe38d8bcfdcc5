// The simulated carrier as Lethe sees it: its send API, its look-up, and its Ed25519-signed receipts and inbound messages.

import { type KeyObject, verify as verifySignature } from "node:crypto";
import { z } from "zod";
import { limits } from "../../domain/limits.ts";
import { Plaintext } from "../../domain/plaintext.ts";
import {
	type Authentic,
	checkWith,
	conclude,
	isFresh,
	mapCode,
	type Parsed,
	readHeader,
	readJson,
	readSeconds,
	sha256Hex,
} from "./callback.ts";
import type {
	CallbackRequest,
	Capabilities,
	CarrierEvent,
	CarrierFactory,
	LookupResult,
	Manual,
	VerifyResult,
} from "./carrier.ts";
import type { CarrierCode } from "./codes.ts";
import { readEd25519Key } from "./ed25519.ts";
import { nonEmpty, webUrl } from "./fields.ts";
import { isLoopback } from "./http.ts";
import { type Answers, type Call, createVendor, readAnswer, toCode } from "./vendor.ts";

const capabilities: Capabilities = {
	validity: true,
	receipts: true,
	inbound: true,
	lookup: { absentAfterMs: limits.carrierTimeoutMs, askAfterMs: limits.receiptPatienceMs },
	redaction: true,
	idempotentSend: false,
	timedCallbacks: true,
	regions: [],
	baa: true,
	unsignedCallbacks: "refuse",
};

const senderForm = /^(\+?\d{3,15}|[A-Za-z0-9 ]{1,11})$/;

/** A function, for what it tells stands further below. */
const manual = (): Manual => ({
	title: "The simulated carrier",
	source: "../../stack/carrier/README.md",
	secrets: {
		send: z.strictObject({
			token: nonEmpty.describe("its bearer token"),
		}),
		callback: z.strictObject({
			publicKey: nonEmpty.describe("its public key, base64 of 32 bytes"),
		}),
	},
	settings: z.strictObject({
		url: webUrl.describe("its address"),
		callbackUrl: webUrl
			.optional()
			.describe("where receipts are brought, on loopback; to the queue's own address of this deployment without it"),
	}),
	sender: z.string().refine((sender) => senderForm.test(sender), {
		error: "it must be a number of 3 to 15 digits, or a name of 1 to 11 letters, digits and spaces",
	}),
	signature: "Ed25519 over time and raw body, good for 300 seconds.",
	statuses: states,
	limits: ["It delivers nothing, and is refused in production."],
});

/**
 * Settings `{url}`, and `{callbackUrl}` in place of the deployment's own, and secrets `{token}` serve sending, looking up and redacting; secrets `{publicKey}` (base64, 32
 * bytes) serve verifying. A process needs only its own half: without it, sending fails and verifying refuses.
 * @throws TypeError when a setting or secret that is given can't be used
 */
export const createSimulator: CarrierFactory = ({ settings, secrets, receiptsUrl }) => {
	const callbackUrl = settings.callbackUrl ?? (isOnLoopback(receiptsUrl) ? receiptsUrl : undefined);
	const publicKey = secrets.publicKey ? readEd25519Key(secrets.publicKey) : undefined;
	return createVendor({
		...{ name: "simulator", capabilities, manual: manual(), url: settings.url, answers },
		credentials: secrets.token ? { authorization: `Bearer ${parseToken(secrets.token)}` } : undefined,
		request: ({ to, sender, text, reference, validitySeconds }, { authorization }) => ({
			method: "POST",
			path: "/v1/messages",
			headers: { authorization, "content-type": "application/json" },
			body: JSON.stringify({
				to: to.reveal(),
				from: sender,
				text: text.reveal(),
				reference,
				validitySeconds: Math.floor(validitySeconds),
				callbackUrl,
			}),
		}),
		lookup: (call, { authorization }, reference) => lookup(call, authorization, reference),
		async redact(call, headers, id) {
			const exchange = await call({ method: "DELETE", path: `/v1/messages/${id}`, headers });
			return exchange.kind === "answered" && exchange.status === 204;
		},
		async readBack(call, headers, id) {
			const exchange = await call({ method: "GET", path: `/v1/messages/${id}`, headers });
			const shown = exchange.kind === "answered" && exchange.status === 200 ? readJson(kept, exchange.body) : undefined;
			if (shown?.id !== id) return "unavailable";
			return shown.redacted ? "gone" : "there";
		},
		verify: checkWith(publicKey, verify),
	});
};

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
const kept = z.object({ id: carrierId, redacted: z.boolean() });
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
	to: z.string().regex(senderForm),
	text: z.string().max(1600),
	at: time,
});

/** 503 is documented as not accepted; any other 5xx says nothing. */
const answers: Answers = {
	accepted(answer) {
		const taken = answer.status === 202 ? readAnswer(acceptance, answer) : undefined;
		return taken && { carrierId: taken.id, segments: taken.segments };
	},
	refused: (answer) => toCode(rejections, readAnswer(refusal, answer)?.error.code),
	notAccepted: { 503: "unavailable" },
};

async function lookup(call: Call, authorization: string, reference: string): Promise<LookupResult> {
	const path = `/v1/messages?reference=${encodeURIComponent(reference)}`;
	const exchange = await call({ method: "GET", path, headers: { authorization } });
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

/**
 * Checks Ed25519 over `<x-carrier-timestamp>.<raw body>`, then the schema, then the time. No secret takes part, so an
 * early return tells a forger nothing.
 */
function verify(publicKey: KeyObject, request: CallbackRequest, now: number): VerifyResult {
	return conclude(authenticate(publicKey, request, now), () => parse(request.body));
}

function authenticate(publicKey: KeyObject, { method, headers, body }: CallbackRequest, now: number): Authentic {
	if (method !== "POST") return { refused: "unsupported" };
	const timestamp = readHeader(headers, "x-carrier-timestamp");
	const signature = readHeader(headers, "x-carrier-signature");
	if (timestamp === undefined || signature === undefined) return { refused: "unsigned" };
	const seconds = readSeconds(timestamp);
	if (seconds === undefined || !/^[A-Za-z0-9+/]{85}[AQgw]==$/.test(signature)) return { refused: "malformed" };
	const signed = `${timestamp}.${body}`;
	const fits = verifySignature(null, Buffer.from(signed, "utf8"), publicKey, Buffer.from(signature, "base64"));
	if (!fits) return { refused: "bad_signature" };
	return { replayKey: sha256Hex(signed), fresh: isFresh(now, seconds), signedAt: seconds * 1000 };
}

/** A receipt or a recipient's message: their schemas share no body, so that neither passes for the other. */
function parse(body: string): Parsed | undefined {
	const event = readJson(receipt, body);
	if (event) {
		const { eventId, id, status, at, code } = event;
		const mapped = mapCode(receiptCodes, code);
		return { events: [{ eventId, carrierId: id, state: states[status], at, ...(mapped && { code: mapped }) }] };
	}
	const message = readJson(inbound, body);
	if (!message) return undefined;
	const { from, text, ...rest } = message;
	return { messages: [{ ...rest, from: Plaintext.text(from), text: Plaintext.text(text) }] };
}

// It calls back to nowhere else.
function isOnLoopback(url: string | undefined): boolean {
	return url !== undefined && isLoopback(new URL(url).hostname);
}

function parseToken(token: string): string {
	if (/^[\w.~+/=-]{16,256}$/.test(token)) return token;
	throw new TypeError("The carrier's token must be 16 to 256 characters of a bearer token.");
}
