// What every carrier with an HTTP API shares: which credentials it needs, one request a message, and what its answers mean.

import type { z } from "zod";
import { limits } from "../../domain/limits.ts";
import { segmentText } from "../../domain/segments.ts";
import { readJson } from "./callback.ts";
import type { Capabilities, Carrier, LookupResult, Manual, OutboundMessage, SendOutcome } from "./carrier.ts";
import type { CarrierCode } from "./codes.ts";
import { type CarrierHttp, type CarrierRequest, createCarrierHttp, type Exchange } from "./http.ts";

export type Answer = { status: number; body: string };

/** How one carrier answers a send. */
export type Answers = {
	/** What it took, out of a 2xx; undefined when the answer is not one that it documents. Segments that it does not tell are counted. */
	accepted(answer: Answer): { carrierId: string; segments?: number | undefined } | undefined;
	/** Its reason not to take a message, out of a 4xx; undefined when it names none. */
	refused(answer: Answer): CarrierCode | undefined;
	/** Whether it says that it is asked too fast, where it does not say so by 429. */
	throttled?(answer: Answer): boolean;
	/** Statuses that it documents as not accepted and worth another try. */
	notAccepted?: Record<number, CarrierCode>;
};

/** A request of ours, without what belongs to every one. */
export type VendorRequest = Omit<CarrierRequest, "stillDue">;

const bounds = {
	timeoutMs: limits.carrierTimeoutMs,
	connectionsMax: limits.carrierConnectionsMax,
	answerBytesMax: 64 * 1024,
};
/** Of ours, those that say nothing of the message itself: it may be sent again. */
const passing: readonly CarrierCode[] = [
	...(["not_configured", "credentials_refused", "unavailable", "withdrawn"] as const),
	...(["unreachable", "aborted", "timeout"] as const),
];

/**
 * A carrier out of its parts. Without address or credentials it sends nothing and finds nothing absent.
 * @param parts `credentials` undefined when a secret is missing; `validitySecondsMin` the least that it takes
 * @throws TypeError when the URL is not usable
 */
export function createVendor<Credentials>(parts: {
	name: string;
	capabilities: Capabilities;
	manual: Manual;
	url: string | undefined;
	credentials: Credentials | undefined;
	validitySecondsMin?: number;
	request: (message: OutboundMessage, credentials: Credentials) => VendorRequest | Promise<VendorRequest>;
	answers: Answers;
	lookup?: (call: Call, credentials: Credentials, reference: string, since: number) => Promise<LookupResult>;
	redact?: (call: Call, credentials: Credentials, carrierId: string) => Promise<boolean>;
	readBack?: (call: Call, credentials: Credentials, carrierId: string) => ReturnType<NonNullable<Carrier["readBack"]>>;
	verify: Carrier["verify"];
}): Carrier {
	const { name, capabilities, manual, verify, lookup, redact, readBack } = parts;
	const http = parts.url ? createCarrierHttp({ url: parts.url, ...bounds }) : undefined;
	const opened = http && parts.credentials !== undefined ? { http, credentials: parts.credentials } : undefined;
	const caller = ({ http: pool }: { http: CarrierHttp }, signal: AbortSignal): Call => {
		return (request) => pool.exchange(request, signal);
	};
	return {
		...{ name, capabilities, manual, verify },
		async send(message, signal) {
			if (!opened) return refusal("not_configured");
			// Less than it takes, or than a second: it could only deliver too late.
			if (!(message.validitySeconds >= (parts.validitySecondsMin ?? 1))) return refusal("withdrawn");
			const { segments } = segmentText(message.text.reveal());
			const request = await parts.request(message, opened.credentials);
			const exchange = await opened.http.exchange({ ...request, stillDue: message.stillDue }, signal);
			return readOutcome(exchange, parts.answers, segments);
		},
		...(lookup && {
			async lookup(reference, since, signal) {
				if (!opened) return { kind: "unavailable" };
				return lookup(caller(opened, signal), opened.credentials, reference, since);
			},
		}),
		...(redact && {
			async redact(carrierId, signal) {
				if (!opened || !/^[\w-]{1,100}$/.test(carrierId)) return false;
				return redact(caller(opened, signal), opened.credentials, carrierId);
			},
		}),
		...(readBack && {
			async readBack(carrierId, _since, signal) {
				if (!opened || !/^[\w-]{1,100}$/.test(carrierId)) return "unavailable";
				return readBack(caller(opened, signal), opened.credentials, carrierId);
			},
		}),
		close: async () => http?.close(),
	};
}

/** One request to the carrier, bounded by the caller's signal. */
export type Call = (request: VendorRequest) => Promise<Exchange>;

/** What an answer to a send means. A 5xx says nothing of whether the message was taken, unless it is documented to. */
function readOutcome(exchange: Exchange, answers: Answers, segments: number): SendOutcome {
	if (exchange.kind === "unsent") return refusal(exchange.code);
	if (exchange.kind === "unanswered") return { kind: "ambiguous", code: exchange.code };
	const { status, headers } = exchange;
	if (status >= 200 && status < 300) {
		const taken = answers.accepted(exchange);
		if (!taken) return { kind: "ambiguous", code: "unreadable_answer" };
		return { kind: "accepted", carrierId: taken.carrierId, segments: taken.segments ?? segments };
	}
	const isThrottled = status === 429 || answers.throttled?.(exchange) === true;
	if (isThrottled) return { kind: "throttled", retryAfterMs: readRetryAfterMs(headers["retry-after"]) };
	const documented = answers.notAccepted?.[status];
	if (documented) return refusal(documented);
	if (status >= 500) return { kind: "ambiguous", code: "carrier_error" };
	if (status === 401) return refusal("credentials_refused");
	if (status === 402) return refusal("unavailable");
	const code = status >= 400 ? answers.refused(exchange) : undefined;
	if (code) return refusal(code);
	if (status === 403) return refusal("credentials_refused");
	if (status === 400 || status === 413 || status === 415 || status === 422) return refusal("invalid_request");
	// Not this carrier's answer: something in between spoke, and what it did with the request is unknown.
	return { kind: "ambiguous", code: "unreadable_answer" };
}

function refusal(code: CarrierCode): SendOutcome {
	return { kind: "rejected", code, permanent: !passing.includes(code) };
}

function readRetryAfterMs(header: string | string[] | undefined): number {
	const text = typeof header === "string" ? header : "";
	// RFC 9110, 10.2.3: seconds, or a date.
	const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now();
	return Math.min(Math.max(ms || 0, limits.backoffFirstMs), limits.backoffMaxMs);
}

/** The JSON of an answer; undefined when it does not fit. */
export function readAnswer<T>(schema: z.ZodType<T>, { body }: Answer): T | undefined {
	return readJson(schema, body);
}

/** One of ours for a carrier's own code. */
export function toCode(codes: Record<string, CarrierCode>, code: string | number | undefined): CarrierCode | undefined {
	const key = String(code);
	return Object.hasOwn(codes, key) ? codes[key] : undefined;
}

/** @throws TypeError for a key that no header can bear; the message has its name, and no part of it */
export function bearer(scheme: string, name: string, key: string): string {
	if (/^[\x21-\x7e]{8,4096}$/.test(key)) return `${scheme} ${key}`;
	throw new TypeError(`${name} can't be used: it must be 8 printable characters or more, without spaces.`);
}

export function basic(user: string, password: string): string {
	return `Basic ${Buffer.from(`${user}:${password}`, "utf8").toString("base64")}`;
}

/** Where a carrier is told to bring receipts; undefined for an address that it could not reach. */
export function receiptsAt(
	{ callbackUrl }: Record<string, string>,
	receiptsUrl: string | undefined,
): string | undefined {
	return callbackUrl ?? (receiptsUrl?.startsWith("https://") ? receiptsUrl : undefined);
}

/** E.164 as some carriers write it. */
export function withoutPlus(number: string): string {
	return number.replace(/^\+/, "");
}

/** A JSON body with its header. */
export function json(value: object): { headers: { "content-type": string }; body: string } {
	return { headers: { "content-type": "application/json" }, body: JSON.stringify(value) };
}
