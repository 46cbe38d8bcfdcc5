// Twilio: form callbacks signed by HMAC-SHA1 over their address and undelimited fields, JSON ones over a hash in the address.

import { createHmac } from "node:crypto";
import { parse as parseQuery, stringify as stringifyQuery } from "node:querystring";
import { z } from "zod";
import { isSame } from "../isSame.ts";
import {
	type Authentic,
	checkWith,
	conclude,
	isCutElsewhere,
	isForm,
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
import { callbackUrl, isNumberOrName, nonEmpty, webUrl } from "./fields.ts";
import { type Answer, type Answers, basic, createVendor, readAnswer, receiptsAt, toCode } from "./vendor.ts";

const capabilities: Capabilities = {
	...{ validity: true, receipts: true, inbound: true, lookup: false, redaction: true, idempotentSend: false },
	...{ timedCallbacks: false, regions: [], baa: true, unsignedCallbacks: "refuse" },
};

/** https://www.twilio.com/docs/glossary/what-is-a-sid */
function sidOf(prefix: string) {
	const form = new RegExp(`^${prefix}[0-9a-fA-F]{32}$`);
	return z.string().refine((text) => form.test(text), { error: `it must be ${prefix} and 32 hexadecimal digits` });
}

/** A function, for what it tells stands further below. */
const manual = (): Manual => ({
	title: "Twilio",
	source: "https://www.twilio.com/docs/messaging/api/message-resource",
	secrets: {
		send: z.strictObject({
			accountSid: sidOf("AC").describe("the account that sends, AC and 32 hexadecimal digits"),
			token: nonEmpty.describe("its auth token, or the secret of the API key"),
			keySid: sidOf("SK")
				.optional()
				.describe("the API key, SK and 32 hexadecimal digits, when the token is its secret"),
		}),
		callback: z.strictObject({
			secret: nonEmpty.describe(
				"the auth token of the account that sends: its callbacks are signed with that, whichever key sends",
			),
		}),
	},
	settings: z.strictObject({
		url: webUrl.optional().describe("the API's address; https://api.twilio.com without it"),
		callbackUrl,
	}),
	sender: z.string().refine((sender) => isNumberOrName(sender) || isService(sender), {
		error: "it must be a number, a name of up to 11 characters, or a messaging service, MG…",
	}),
	signature:
		"HMAC-SHA1 over the address as it was called and the form's fields (X-Twilio-Signature); of JSON, over an address that holds the body's hash. Nothing is timed: the same callback counts once.",
	statuses: states,
	limits: [
		"A sender that is the id of a messaging service, MG…, has Twilio choose the number of each message.",
		"It can't be asked by a reference of ours: where the answer to a send is lost, a one-time code ends as `unknown` at once, and any other message when it closes, an hour after its deadline.",
		"A message that is not yet final can't be deleted.",
		"Its validity ends after ten hours at the latest.",
		"What Advanced Opt-Out takes for a STOP (OptOutType) is one here, by whatever words of the account's own; a START is read by its words alone.",
	],
});

/**
 * Secrets `{accountSid, token}` serve sending, with `{keySid}` when the token is an API key's secret; settings `{url}` and
 * `{callbackUrl}`, where receipts are to be brought. The sender may be a messaging service, by its id.
 */
export const createTwilio: CarrierFactory = ({ settings, secrets, receiptsUrl }) => {
	const { accountSid, keySid, token } = secrets;
	const statusCallback = receiptsAt(settings, receiptsUrl);
	return createVendor({
		...{ name: "twilio", capabilities, manual: manual(), answers, verify: verifyTwilio({ settings, secrets }) },
		url: settings.url ?? "https://api.twilio.com",
		credentials: accountSid && token ? { accountSid, authorization: basic(keySid ?? accountSid, token) } : undefined,
		request: (message, { accountSid: account, authorization }) => {
			const { to, sender = "", text, validitySeconds } = message;
			const form = new URLSearchParams({
				To: to.reveal(),
				[isService(sender) ? "MessagingServiceSid" : "From"]: sender,
				Body: text.reveal(),
				ValidityPeriod: String(Math.min(Math.floor(validitySeconds), validitySecondsMax)),
			});
			if (statusCallback) form.set("StatusCallback", statusCallback);
			return {
				method: "POST",
				path: `/2010-04-01/Accounts/${encodeURIComponent(account)}/Messages.json`,
				headers: { authorization, "content-type": "application/x-www-form-urlencoded" },
				body: form.toString(),
			};
		},
		async redact(call, { accountSid: account, authorization }, carrierId) {
			const path = `/2010-04-01/Accounts/${encodeURIComponent(account)}/Messages/${carrierId}.json`;
			const exchange = await call({ method: "DELETE", path, headers: { authorization } });
			return exchange.kind === "answered" && exchange.status === 204;
		},
		async readBack(call, { accountSid: account, authorization }, carrierId) {
			const path = `/2010-04-01/Accounts/${encodeURIComponent(account)}/Messages/${carrierId}.json`;
			const exchange = await call({ method: "GET", path, headers: { authorization } });
			if (exchange.kind !== "answered") return "unavailable";
			if (exchange.status === 200) return "there";
			// Not any 404 on the way: the carrier's own word that it has no such message.
			return exchange.status === 404 && readRefusal(exchange) === 20404 ? "gone" : "unavailable";
		},
	});
};

function isService(sender: string): boolean {
	return /^MG[0-9a-f]{32}$/i.test(sender);
}

const validitySecondsMax = 36_000;
const acceptance = z.object({
	sid: z.string().regex(/^(SM|MM)[0-9A-Za-z]{1,62}$/),
	num_segments: z.coerce.number().int().min(0).max(64),
});
const answers: Answers = {
	accepted(answer) {
		const taken = readAnswer(acceptance, answer);
		// A messaging service counts them only later.
		return taken && { carrierId: taken.sid, segments: taken.num_segments || undefined };
	},
	refused: (answer) => toCode(codes, readRefusal(answer)),
	throttled: (answer) => readRefusal(answer) === queueFull,
};
// What waits at Twilio for this sender is more than it takes: no fault of the message's, and it passes.
const queueFull = 21611;

function readRefusal(answer: Answer): number | undefined {
	return readAnswer(z.object({ code: z.number() }), answer)?.code;
}

/** Secrets `{secret}`: the auth token of the account that sends. Nothing is timed: the replay key is what was signed. */
export const verifyTwilio: VerifierFactory = ({ secrets }) =>
	checkWith(secrets.secret, (secret, request, now) => {
		const fields = isHashed(request) ? [] : readForm(request.body);
		const parts = arrange(fields);
		return conclude(authenticate(secret, request, parts), () => parse(request, fields, parts, now));
	});

const states: Record<string, CarrierEvent["state"]> = {
	accepted: "pending",
	scheduled: "pending",
	queued: "pending",
	sending: "pending",
	sent: "submitted",
	partially_delivered: "submitted",
	delivered: "delivered",
	read: "delivered",
	undelivered: "undelivered",
	failed: "undelivered",
	canceled: "undelivered",
};
// https://www.twilio.com/docs/api/errors
const codes: Record<string, CarrierCode> = {
	"20003": "credentials_refused",
	"21211": "invalid_recipient",
	"21212": "sender_refused",
	"21408": "invalid_recipient",
	"21606": "sender_refused",
	"21610": "recipient_opted_out",
	"21614": "invalid_recipient",
	"21617": "content_refused",
	"21659": "sender_refused",
	"30003": "handset_unreachable",
	"30004": "content_refused",
	"30005": "invalid_recipient",
	"30006": "invalid_recipient",
	"30007": "content_refused",
	"30034": "sender_refused",
	"30036": "validity_over",
};

const sid = z.string().regex(/^(SM|MM)[\w-]{1,62}$/);
const account = z.string().regex(/^AC[\w-]{1,62}$/);
// A sender by name may hold an ampersand.
const address = z.string().regex(/^[\w+: .@&-]{1,64}$/);
// What begins as a number is all of one: what follows it may be the next field.
const party = address.regex(/^(?:[a-z]+:)?(?:\+?\d+$|(?!\+?\d))/);
const common = { MessageSid: sid, SmsSid: sid.optional(), AccountSid: account.optional(), From: address.optional() };
const receipt = z.object({
	...common,
	To: address.optional(),
	MessageStatus: z.enum(Object.keys(states)),
	SmsStatus: z.enum(Object.keys(states)).optional(),
	ErrorCode: z
		.string()
		.regex(/^\d{0,6}$/)
		.optional(),
});
const inbound = z.object({
	...common,
	From: party,
	To: party,
	MessagingServiceSid: z
		.string()
		.regex(/^(MG[\w-]{1,62})?$/)
		.optional(),
	Body: z.string().max(4096),
	OptOutType: z.string().optional(),
	SmsStatus: z.enum(["receiving", "received"]).optional(),
	NumMedia: z
		.string()
		.regex(/^\d{1,2}$/)
		.optional(),
});
/** Of these a field decides whether a callback is a message's, whose, and what became of it: how their values begin. */
const deciding = {
	...{ AccountSid: "AC\\w", ApiVersion: "\\d{4}-", CallSid: "CA\\w", MessagingServiceSid: "MG\\w", ErrorCode: "\\d" },
	...{ MessageSid: "[SM]M\\w", SmsSid: "[SM]M\\w", MessageStatus: "[a-z]", SmsStatus: "[a-z]" },
	OptOutType: "STOP",
};
/** And these who wrote, and to whom. */
const parties = { From: "\\+?\\d{3}", To: "\\+?\\d{3}" };
const channelled = "[a-z]+:(?:\\+?\\d{3}|[A-Z]{2}\\.)";
/** Documented names that end in one of those. */
const longer = ["SmsMessageSid", "OriginalRepliedMessageSid", "ParentAccountSid"];
const freeText = "Body";
const known = [...Object.keys(receipt.shape), ...Object.keys(inbound.shape), "ApiVersion", "SmsMessageSid"];

function authenticate(secret: string, request: CallbackRequest, parts: Part[]): Authentic {
	const { method, url, headers, body } = request;
	if (method !== "POST" && method !== "GET") return { refused: "unsupported" };
	const signature = readHeader(headers, "x-twilio-signature");
	if (signature === undefined) return { refused: "unsigned" };
	if (!/^[A-Za-z0-9+/]{27}=$/.test(signature) || !/^https?:\/\/[^/?#]/i.test(url)) return { refused: "malformed" };
	const hashes = new URLSearchParams(queryOf(url)).getAll("bodySHA256");
	if (isHashed(request) && !hashesCover(hashes, body)) return { refused: "bad_signature" };
	const text = textOf(parts);
	const fitting = candidates(url).filter((candidate) => isSame(signature, sign(secret, candidate + text)));
	if (fitting.length === 0) return { refused: "bad_signature" };
	return { replayKey: sha256Hex(fitting[0] + text), fresh: true };
}

function sign(secret: string, text: string): string {
	return createHmac("sha1", secret).update(text, "utf8").digest("base64");
}

/** A body that is no form is signed by its hash in the address only. A form may be recorded without its content type. */
function isHashed(request: CallbackRequest): boolean {
	if (isForm(request)) return false;
	const isTyped = readHeader(request.headers, "content-type") !== undefined && request.body !== "";
	return isTyped || new URLSearchParams(queryOf(request.url)).has("bodySHA256");
}

function hashesCover(hashes: string[], body: string): boolean {
	return hashes.length === 1 && isSame(hashes[0] ?? "", sha256Hex(body));
}

/** Names in the order of their code units, each with its values: what is there twice counts once. */
function arrange(fields: [string, string][]): Part[] {
	const values = new Map<string, Set<string>>();
	for (const [name, value] of fields) values.set(name, (values.get(name) ?? new Set()).add(value));
	const names = [...values.keys()].sort();
	return names.flatMap((name) => [...(values.get(name) ?? [])].sort().map((value) => ({ name, text: name + value })));
}

/**
 * The addresses that Twilio may have signed: it is not documented when the port is part of it, and some of its back ends
 * escape more of the query than they call with. All of them mean the same.
 */
function candidates(url: string): string[] {
	const [, scheme = "", host = "", port = "", rest = ""] =
		/^(https?:\/\/)((?:[^/?#@]*@)?(?:\[[^\]]*\]|[^/?#:]*))(:\d*)?(.*)$/is.exec(url) ?? [];
	const defaultPort = scheme.toLowerCase() === "https://" ? ":443" : ":80";
	const at = rest.indexOf("?");
	const query = at < 0 ? "" : rest.slice(at + 1);
	const rests = [rest, ...(query ? [`${rest.slice(0, at)}?${stringifyQuery(parseQuery(query))}`] : [])];
	const ports = ["", port || defaultPort];
	const asCalled = rests.flatMap((tail) => ports.map((each) => scheme + host + each + tail));
	return [...new Set([...asCalled, ...(URL.canParse(url) ? [new URL(url).href] : [])])];
}

/**
 * Nothing separates a name from its value in what is signed, nor the address from the first name, so that fields can be cut
 * elsewhere under the same signature: a callback counts only where each field that decides stands where it was signed.
 */
function parse(request: CallbackRequest, fields: [string, string][], parts: Part[], now: number): Parsed | undefined {
	const isCut = candidates(request.url).some((text) =>
		isCutElsewhere([{ text }, ...parts], deciding, { freeText, longer }),
	);
	if (isCut) return undefined;
	const pairs = request.method === "GET" ? readForm(queryOf(request.url)) : fields;
	const names = new Set(pairs.map(([name]) => name));
	// Calls are signed alike and are no concern of a message; one that was cut to look like a call uses up none.
	const isMessage = ["MessageSid", "MessageStatus", "SmsSid", "SmsStatus", "Body"].some((name) => names.has(name));
	if (!isMessage || names.has("CallSid")) return unread;
	const read = readFields(pairs, known);
	if (!read) return unread;
	if (!("Body" in read)) return parseReceipt(read, now);
	// Of a channel beside SMS the writer sets more than the text, and what follows it could be taken into it.
	const isOthers = isCutElsewhere(parts, { From: channelled }, {}) || isCutElsewhere(parts, parties, { freeText });
	return isOthers ? undefined : parseInbound(read, now);
}

function parseReceipt(fields: Record<string, string>, at: number): Parsed {
	const { data } = receipt.safeParse(fields);
	if (!data || (data.SmsStatus ?? data.MessageStatus) !== data.MessageStatus) return unread;
	const { MessageSid: carrierId, MessageStatus: status } = data;
	if ((data.SmsSid ?? carrierId) !== carrierId) return unread;
	const code = mapCode(codes, data.ErrorCode && data.ErrorCode !== "0" ? data.ErrorCode : undefined);
	return told({ carrierId, status, state: states[status], at, code });
}

function parseInbound(fields: Record<string, string>, at: number): Parsed {
	const { data } = inbound.safeParse(fields);
	if (!data || (data.SmsSid ?? data.MessageSid) !== data.MessageSid) return unread;
	const { MessageSid: eventId, From, To, MessagingServiceSid: service, Body } = data;
	// Advanced Opt-Out: by words that the account has set there, too.
	const isStop = data.OptOutType === "STOP" || undefined;
	return wrote({ eventId, from: From, to: To, service, text: Body, isStop, at });
}
