// Plivo: callbacks signed by HMAC-SHA256 over their address, undelimited fields and a nonce (V3).

import { createHmac } from "node:crypto";
import { z } from "zod";
import {
	type Authentic,
	checkWith,
	conclude,
	isCutElsewhere,
	isOneOf,
	mapCode,
	type Parsed,
	type Part,
	queryOf,
	readFields,
	readForm,
	readHeader,
	sha256Hex,
	textOf,
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
import { type Answers, basic, createVendor, json, readAnswer, receiptsAt, withoutPlus } from "./vendor.ts";

const capabilities: Capabilities = {
	...{ validity: true, receipts: true, inbound: true, lookup: false, redaction: false, idempotentSend: false },
	...{ timedCallbacks: false, regions: [], baa: false, unsignedCallbacks: "refuse" },
};

/** A function, for what it tells stands further below. */
const manual = (): Manual => ({
	title: "Plivo",
	source: "https://www.plivo.com/docs/messaging/api/messages/",
	secrets: {
		send: z.strictObject({
			authId: nonEmpty.describe("the account or subaccount that sends"),
			token: nonEmpty.describe("its auth token"),
		}),
		callback: z.strictObject({
			secret: nonEmpty.describe("the auth token of the account that sends (V3), or of its main account (Ma-V3)"),
		}),
	},
	settings: z.strictObject({
		url: webUrl.optional().describe("the API's address; https://api.plivo.com without it"),
		callbackUrl,
	}),
	sender: numberOrName,
	signature:
		"HMAC-SHA256 over address, fields and nonce (X-Plivo-Signature-V3 or -Ma-V3). Nothing is timed: the same callback counts once. The signature V2 covers no field and is refused.",
	statuses: states,
	limits: [
		"Where an account is signed for by V2 alone, no receipt is believed: ask Plivo for V3.",
		"Refusals are prose: but for credentials each is told as an invalid request.",
		"It can't be asked by a reference of ours.",
		"Text and number are not logged; what was sent can't be deleted afterwards.",
		"It takes no validity below 5 seconds: such a message is not sent through it. Its validity ends after three hours at the latest.",
	],
});

/**
 * Secrets `{authId, token}` serve sending; settings `{url}` and `{callbackUrl}`, where receipts are to be brought. Neither
 * text nor number is logged by Plivo.
 */
export const createPlivo: CarrierFactory = ({ settings, secrets, receiptsUrl }) => {
	const bringTo = receiptsAt(settings, receiptsUrl);
	const { authId, token } = secrets;
	return createVendor({
		...{
			name: "plivo",
			capabilities,
			manual: manual(),
			verify: verifyPlivo({ settings, secrets }),
			answers,
			validitySecondsMin: 5,
		},
		url: settings.url ?? "https://api.plivo.com",
		credentials: authId && token ? { authId, authorization: basic(authId, token) } : undefined,
		request: ({ to, sender, text, validitySeconds }, { authId: id, authorization }) => {
			const { headers, body } = json({
				src: sender,
				dst: withoutPlus(to.reveal()),
				text: text.reveal(),
				url: bringTo,
				method: bringTo && "POST",
				message_expiry: Math.min(Math.floor(validitySeconds), validitySecondsMax),
				log: "false",
			});
			const path = `/v1/Account/${encodeURIComponent(id)}/Message/`;
			return { method: "POST", path, headers: { ...headers, authorization }, body };
		},
	});
};

const validitySecondsMax = 10_800;
const acceptance = z.object({ message_uuid: z.tuple([z.string().regex(/^[0-9a-fA-F-]{1,64}$/)]) });
const answers: Answers = {
	accepted(answer) {
		const taken = readAnswer(acceptance, answer);
		return taken && { carrierId: taken.message_uuid[0] };
	},
	// Its reasons are prose.
	refused: ({ status }) => (status === 404 ? "credentials_refused" : undefined),
};

/**
 * Secrets `{secret}`: the auth token of the account that sends (V3) or of its main account (Ma-V3). The signature V2 that
 * some pages document covers neither body nor query, and so authenticates nothing that could move a message.
 */
export const verifyPlivo: VerifierFactory = ({ secrets }) =>
	checkWith(secrets.secret, (secret, request, now) => {
		const asked = readForm(queryOf(request.url));
		const posted = readForm(request.body);
		// A GET has one list of parameters, wherever they stand.
		const [query, fields] = request.method === "GET" ? [[...asked, ...posted], []] : [asked, posted];
		const parts = arrange(query, fields);
		return conclude(authenticate(secret, request, parts), () => parse([...query, ...fields], parts, now));
	});

const states: Record<string, CarrierEvent["state"]> = {
	queued: "pending",
	sent: "submitted",
	delivered: "delivered",
	read: "delivered",
	undelivered: "undelivered",
	failed: "undelivered",
	rejected: "rejected",
};
// https://www.plivo.com/docs/messaging/troubleshooting/error-codes
const codes: Record<string, CarrierCode> = {
	"10": "content_refused",
	"30": "content_refused",
	"40": "sender_refused",
	"50": "invalid_recipient",
	"70": "invalid_recipient",
	"80": "handset_unreachable",
	"90": "invalid_recipient",
	"100": "content_refused",
	"110": "content_refused",
	"200": "recipient_opted_out",
	"420": "validity_over",
	"450": "invalid_recipient",
};

// Hexadecimal alone: a name behind it that was taken into it is told by its letters.
const uuid = z.string().regex(/^[0-9a-fA-F-]{1,64}$/);
const address = z.string().regex(/^[\w+ .-]{1,32}$/);
// What begins as a number is all of one: what follows it may be the next field.
const party = address.regex(/^(?:\+?\d+$|(?!\+?\d))/);
const receipt = z.object({
	MessageUUID: uuid,
	Status: z.enum(Object.keys(states)),
	ErrorCode: z
		.string()
		.regex(/^\d{0,5}$/)
		.optional(),
	Sequence: z
		.string()
		.regex(/^\d{1,4}$/)
		.optional(),
	From: address.optional(),
	To: address.optional(),
	ParentMessageUUID: uuid.optional(),
});
const inbound = z.object({ MessageUUID: uuid, From: party, To: party, Text: z.string().max(4096) });
/** Of these a field decides whether a callback is a message's, whose, and what became of it: how their values begin. */
const deciding = { MessageUUID: "=?[0-9a-fA-F]", CallUUID: "=?[0-9a-fA-F]", ErrorCode: "=?\\d", Status: "=?[a-z]" };
/** And these who wrote, and to whom. */
const parties = { From: "=?\\+?\\d{3}", To: "=?\\+?\\d{3}" };
/** Plivo's names that end in one of those. */
const longer = ["ParentMessageUUID", "ParentCallUUID", "TendlcRegistrationStatus"];
const freeText = "Text";
const known = [...Object.keys(receipt.shape), "Text"];

const signaturesMax = 16;

type Pairs = [name: string, value: string][];

function authenticate(secret: string, request: CallbackRequest, parts: Part[]): Authentic {
	const { method, url, headers } = request;
	if (method !== "POST" && method !== "GET") return { refused: "unsupported" };
	const given = ["x-plivo-signature-v3", "x-plivo-signature-ma-v3"].map((name) => readHeader(headers, name));
	if (given.every((value) => value === undefined)) {
		const isV2 = readHeader(headers, "x-plivo-signature-v2") !== undefined;
		return { refused: isV2 ? "unsupported" : "unsigned" };
	}
	const nonce = readHeader(headers, "x-plivo-signature-v3-nonce");
	if (nonce === undefined) return { refused: "unsigned" };
	const listed = given.flatMap((value) => value?.split(/, */, signaturesMax) ?? []);
	const signatures = listed.filter((each) => /^[A-Za-z0-9+/]{43}=$/.test(each));
	// A dot joins text and nonce: with one in the nonce another cut would bear the same signature.
	if (signatures.length === 0 || !/^[\w+/=-]{1,128}$/.test(nonce)) return { refused: "malformed" };
	const parameters = `${textOf(parts)}.${nonce}`;
	const fits = basesOf(url).map((base) => {
		const expected = createHmac("sha256", secret).update(`${base}${parameters}`, "utf8").digest("base64");
		return isOneOf(signatures, expected);
	});
	if (!fits.some((each) => each)) return { refused: "bad_signature" };
	return { replayKey: sha256Hex(`${basesOf(url)[0]}${parameters}`), fresh: true };
}

/** What is signed of the parameters. */
function arrange(query: Pairs, fields: Pairs): Part[] {
	const asked = sorted(query).map(([name, value]) => ({ name, text: `${name}=${value}` }));
	const posted = sorted(fields).map(([name, value]) => ({ name, text: name + value }));
	if (asked.length + posted.length === 0) return [];
	const joined = asked.flatMap((part, at) => (at === 0 ? [part] : [{ text: "&" }, part]));
	const dot = asked.length > 0 && posted.length > 0 ? [{ text: "." }] : [];
	return [{ text: "?" }, ...joined, ...dot, ...posted];
}

/** The address without its query, as it was called and, as some of the vendor's libraries read it, without credentials. */
function basesOf(url: string): string[] {
	const base = /^[^?#]*/.exec(url)?.[0] ?? "";
	return [...new Set([base, base.replace(/^(https?:\/\/)[^/@]*@/i, "$1")])];
}

function sorted(pairs: Pairs): Pairs {
	const order = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
	return pairs.toSorted(([a, x], [b, y]) => order(a, b) || order(x, y));
}

/**
 * Names and values are signed decoded and undelimited, so that fields can be cut elsewhere under the same signature: a
 * callback counts only where each field that decides stands where it was signed.
 */
function parse(pairs: Pairs, parts: Part[], now: number): Parsed | undefined {
	// What separates parameters is no part of a name: by GET it could hide others.
	const areNames = pairs.every(([name]) => /^[^=&?#\p{Cc}]+$/u.test(name));
	if (!areNames || isCutElsewhere(parts, deciding, { freeText, longer })) return undefined;
	const names = new Set(pairs.map(([name]) => name));
	// Calls are signed alike and are no concern of a message; one that was cut to look like a call uses up none.
	const isMessage = ["MessageUUID", "Status", "Text"].some((name) => names.has(name)) && !names.has("CallUUID");
	if (!isMessage) return unread;
	const read = readFields(pairs, known);
	if (!read) return unread;
	if (!("Text" in read)) return parseReceipt(read, now);
	return isCutElsewhere(parts, parties, { freeText }) ? undefined : parseInbound(read, now);
}

function parseReceipt(fields: Record<string, string>, at: number): Parsed {
	const { data } = receipt.safeParse(fields);
	if (!data) return unread;
	const { MessageUUID: carrierId, Status: status, ErrorCode, Sequence } = data;
	const code = mapCode(codes, ErrorCode && /[1-9]/.test(ErrorCode) ? ErrorCode : undefined);
	const eventId = [carrierId, status, ...(Sequence === undefined ? [] : [Sequence])].join(".");
	return told({ eventId, carrierId, status, state: states[status], at, code });
}

function parseInbound(fields: Record<string, string>, at: number): Parsed {
	const { data } = inbound.safeParse(fields);
	if (!data) return unread;
	const { MessageUUID: eventId, From, To, Text } = data;
	return wrote({ eventId, from: From, to: To, text: Text, at });
}
