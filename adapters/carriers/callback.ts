// What every verification of a callback needs: headers, forms, JSON, comparing in constant time, and the freshness window.

import { createHash } from "node:crypto";
import type { z } from "zod";
import { limits } from "../../domain/limits.ts";
import { Plaintext } from "../../domain/plaintext.ts";
import { isSame } from "../isSame.ts";
import type { CallbackRequest, CarrierEvent, InboundMessage, Refusal, VerifyResult } from "./carrier.ts";
import type { CarrierCode } from "./codes.ts";

/** A signature that fits, whether its time does, and what that is, epoch milliseconds, where it bears one; or why not. */
export type Authentic =
	| { refused?: undefined; replayKey: string; fresh: boolean; signedAt?: number }
	| { refused: Refusal };

/** What an authentic callback says. `events` and `messages` default to none; `unread` as in `VerifyResult`. */
export type Parsed = { events?: CarrierEvent[]; messages?: InboundMessage[]; unread?: true };

/** Of a kind that tells of messages, and not in the documented form. */
export const unread: Parsed = { unread: true };

/** The one value of a header, whatever its case; "" (never well-formed) when it is there more than once. */
export function readHeader(headers: CallbackRequest["headers"], name: string): string | undefined {
	const values = Object.entries(headers ?? {})
		.filter(([key, value]) => key.toLowerCase() === name && value !== undefined && value !== null)
		.flatMap(([, value]) => value);
	if (values.length === 0) return undefined;
	return values.length === 1 && typeof values[0] === "string" ? values[0] : "";
}

/** Whether a callback has the shape of one at all: whatever HTTP can't bring is refused before it is looked at. */
export function isCallback(request: CallbackRequest): boolean {
	const { method, url, headers, body } = request ?? {};
	const texts = typeof method === "string" && typeof url === "string" && typeof body === "string";
	const inBounds = texts && url.length <= limits.callbackUrlCharactersMax && body.length <= limits.callbackBytesMax;
	return inBounds && typeof headers === "object" && headers !== null;
}

/** Whether any of the values given is the one expected; all are compared. */
export function isOneOf(given: string[], expected: string): boolean {
	return given.map((each) => isSame(each, expected)).some((same) => same);
}

export function sha256Hex(text: string): string {
	return createHash("sha256").update(text, "utf8").digest("hex");
}

/** Seconds since 1970 as decimal digits and nothing else; undefined for any other text. */
export function readSeconds(text: string): number | undefined {
	return /^\d{1,12}$/.test(text) ? Number(text) : undefined;
}

/** @param now epoch milliseconds; never fresh when it is no number */
export function isFresh(now: number, seconds: number, windowMs: number = limits.callbackFreshnessMs): boolean {
	return Math.abs(now - seconds * 1000) <= windowMs;
}

/** Names and values of a form or query, decoded, in their order. */
export function readForm(text: string): [name: string, value: string][] {
	// The constructor would take a leading question mark for a query's.
	return [...new URLSearchParams(text.startsWith("?") ? `&${text}` : text)];
}

/** Each name's value; undefined when a name that matters has two, which two readers might read differently. */
export function readFields(pairs: [string, string][], matters: readonly string[]): Record<string, string> | undefined {
	const fields = Object.fromEntries(pairs);
	const isAmbiguous = ([name, value]: [string, string]) => fields[name] !== value && matters.includes(name);
	return pairs.some(isAmbiguous) ? undefined : fields;
}

/** A piece of what was signed, as it was signed; `name` where it is a field. */
export type Part = { name?: string; text: string };

/** What was signed, in one. */
export function textOf(parts: readonly Part[]): string {
	return parts.map(({ text }) => text).join("");
}

/**
 * Whether fields that are signed without anything between them may have been cut elsewhere than they were signed: one that
 * decides is found in the signed text where none of its name begins. Searched is all of it, as a cut may go through a name
 * and join several to one; only a recipient's text may hold any.
 * @param deciding name → the regular expression of how its values begin: the name alone stands in many a text by chance
 * @param freeText the field that holds what a recipient wrote; absent where none may hold any
 * @param longer names that end in that of such a field, and mean another thing
 */
export function isCutElsewhere(
	parts: Part[],
	deciding: Record<string, string>,
	{ freeText, longer = [] }: { freeText?: string; longer?: readonly string[] },
): boolean {
	const signed = textOf(parts);
	// Where the name of a field may begin, and where what a recipient wrote lies.
	const names = new Map<number, string>();
	const free: [number, number][] = [];
	let start = 0;
	for (const { name = "", text } of parts) {
		names.set(start, name);
		if (name !== "" && name === freeText) free.push([start + name.length, start + text.length]);
		start += text.length;
	}
	const isFieldAt = (index: number, field: string) =>
		names.get(index) === field ||
		free.some(([from, to]) => index >= from && index < to) ||
		longer.some((name) => name.endsWith(field) && names.get(index + field.length - name.length) === name);
	return Object.entries(deciding).some(([field, value]) =>
		[...signed.matchAll(new RegExp(`${field}(?=${value})`, "g"))].some(({ index }) => !isFieldAt(index, field)),
	);
}

export function isForm(request: CallbackRequest): boolean {
	return /^application\/x-www-form-urlencoded\b/i.test(readHeader(request.headers, "content-type") ?? "");
}

/** The text of a URL behind its first question mark; "" without one. What is behind # is never sent. */
export function queryOf(url: string): string {
	const [beforeHash = ""] = url.split("#", 1);
	const at = beforeHash.indexOf("?");
	return at < 0 ? "" : beforeHash.slice(at + 1);
}

/** The value that a schema reads from JSON; undefined when it is no JSON or does not fit. */
export function readJson<T>(schema: z.ZodType<T>, text: string): T | undefined {
	try {
		return schema.safeParse(JSON.parse(text)).data;
	} catch {
		return undefined;
	}
}

/** The JSON object in a text; undefined for anything else. */
export function readObject(text: string): Record<string, unknown> | undefined {
	try {
		const value: unknown = JSON.parse(text);
		return typeof value === "object" && value !== null && !Array.isArray(value)
			? (value as Record<string, unknown>)
			: undefined;
	} catch {
		return undefined;
	}
}

/** Epoch milliseconds of a date and time that a space or a T joins: UTC where it bears no zone; NaN for any other text. */
export function readUtc(text: string): number {
	const joined = text.replace(/^(\d{4}-\d\d-\d\d) (?=\d)/, "$1T");
	return Date.parse(/T[\d:.]+$/.test(joined) ? `${joined}Z` : joined);
}

/** A carrier's code as one of ours; `other` when it has none. */
export function mapCode(codes: Record<string, CarrierCode>, code: string | undefined): CarrierCode | undefined {
	if (code === undefined) return undefined;
	return (Object.hasOwn(codes, code) && codes[code]) || "other";
}

/** International digits as E.164; anything else (short codes, names) as it is. */
function toE164(number: string): string {
	return /^[1-9]\d{6,14}$/.test(number) ? `+${number}` : number;
}

/** One event out of a receipt; without an id of its own, it is known by what it tells of which message. */
export function told(event: {
	eventId?: string;
	carrierId: string;
	status: string;
	state: CarrierEvent["state"] | undefined;
	at: number;
	code?: CarrierCode | undefined;
}): Parsed {
	const { carrierId, status, at, code, eventId = `${carrierId}.${status}`, state = "pending" } = event;
	return { events: [{ eventId, carrierId, state, at, ...(code && { code }) }] };
}

/** One message of a recipient's; the numbers of both as E.164 where they are. */
export function wrote(message: {
	eventId: string;
	from: string;
	to: string | undefined;
	service?: string | undefined;
	text: string;
	at: number;
	isStop?: true | undefined;
	isPart?: true | undefined;
}): Parsed {
	const { eventId, from, to, service, text, at, isStop, isPart } = message;
	const written = { ...(to !== undefined && { to: toE164(to) }), ...(service && { service }) };
	const parties = { from: Plaintext.text(toE164(from)), ...written };
	const known = { ...(isStop && { isStop }), ...(isPart && { isPart }) };
	return { messages: [{ eventId, ...parties, text: Plaintext.text(text), at, ...known }] };
}

/**
 * What every check begins with: whatever has no shape of a callback, or nothing to be checked with, is looked at no further.
 * @param key undefined or empty while the queue has none
 */
export function checkWith<Key>(
	key: Key | undefined,
	check: (key: Key, request: CallbackRequest, now: number) => VerifyResult,
): (request: CallbackRequest, now: number) => VerifyResult {
	return (request, now) => {
		if (key === undefined || key === "") return refuse("not_configured");
		return isCallback(request) ? check(key, request, now) : refuse("malformed");
	};
}

/**
 * The verdict on a callback. It is parsed only once it is authentic.
 * @param parse undefined when the fields are not those that were signed, for all that the signature can tell
 */
export function conclude(authentic: Authentic, parse: () => Parsed | undefined): VerifyResult {
	if (authentic.refused !== undefined) return refuse(authentic.refused);
	const parsed = parse();
	if (!parsed) return refuse("malformed");
	const { replayKey, fresh } = authentic;
	const { events = [], messages = [] } = parsed;
	if (fresh) return { valid: true, replayKey, ...(parsed.unread && { unread: true }), events, messages };
	// None was written after it was signed, whatever time it bears or lacks.
	const { signedAt = Number.NEGATIVE_INFINITY } = authentic;
	const written = messages.map((message) => ({ ...message, at: Math.min(message.at, signedAt) }));
	return { valid: false, reason: "stale", replayKey, events, messages: written };
}

export function refuse(reason: Refusal): VerifyResult {
	return { valid: false, reason, events: [], messages: [] };
}
