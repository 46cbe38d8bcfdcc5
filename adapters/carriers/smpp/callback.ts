// What an SMSC brings on a link of ours, as a callback to the API: sealed with the queue's own key, so that it proves that
// queue's bind and shows its content to nobody on the way.

import { createCipheriv, createDecipheriv, createHmac, randomBytes } from "node:crypto";
import { z } from "zod";
import { Plaintext } from "../../../domain/plaintext.ts";
import {
	checkWith,
	conclude,
	isFresh,
	type Parsed,
	readHeader,
	readJson,
	readSeconds,
	refuse,
	sha256Hex,
} from "../callback.ts";
import type { CarrierCallback, CarrierEvent, InboundMessage, VerifierFactory } from "../carrier.ts";
import { carrierCodes } from "../codes.ts";

const timeHeader = "x-lethe-time";
const saltHeader = "x-lethe-salt";
const tagHeader = "x-lethe-tag";
const cipher = "aes-256-gcm";
// Each callback has a key of its own, so that one nonce serves them all.
const nonce = Buffer.alloc(12);

const states = ["pending", "submitted", "delivered", "undelivered", "expired", "rejected"] as const;
const time = z.int().min(0);
const id = z.string().min(1).max(160);
const codes = Object.keys(carrierCodes) as (keyof typeof carrierCodes)[];
const event = z.strictObject({
	eventId: id,
	carrierId: id,
	state: z.enum(states),
	at: time,
	code: z.enum(codes).optional(),
});
const message = z.strictObject({
	eventId: id,
	from: z.string().max(32),
	to: z.string().max(32),
	text: z.string().max(70_000),
	at: time,
	isPart: z.literal(true).optional(),
});
const content = z.union([z.strictObject({ event }), z.strictObject({ message })]);

/** Exactly one of what there is to tell. */
export type Told = { event: CarrierEvent } | { message: InboundMessage };

/** @param now epoch milliseconds */
export function sealCallback(key: Buffer, told: Told, now: number): CarrierCallback {
	const clear = "event" in told ? told : { message: reveal(told.message) };
	const seconds = String(Math.floor(now / 1000));
	const salt = randomBytes(16).toString("hex");
	const sealing = createCipheriv(cipher, deriveKey(key, seconds, salt), nonce);
	const plain = Buffer.from(JSON.stringify(clear), "utf8");
	const sealed = Buffer.concat([sealing.update(plain), sealing.final()]);
	plain.fill(0);
	const tag = sealing.getAuthTag().toString("hex");
	return {
		headers: { [timeHeader]: seconds, [saltHeader]: salt, [tagHeader]: tag, "content-type": "text/plain" },
		body: sealed.toString("base64"),
	};
}

/**
 * Secrets `{callbackKey}`, base64 of 32 bytes: the same for sending and for callbacks.
 * @throws TypeError when it is something else
 */
export const verifySmpp: VerifierFactory = ({ secrets }) => {
	return checkWith(readCallbackKey(secrets), (key, request, now) => {
		if (request.method !== "POST") return refuse("unsupported");
		const [seconds, salt, tag] = [timeHeader, saltHeader, tagHeader].map((name) => readHeader(request.headers, name));
		if (seconds === undefined || salt === undefined || tag === undefined) return refuse("unsigned");
		const at = readSeconds(seconds);
		if (at === undefined || !/^[0-9a-f]{32}$/.test(salt) || !/^[0-9a-f]{32}$/.test(tag)) return refuse("malformed");
		const text = unseal(deriveKey(key, seconds, salt), request.body, tag);
		if (text === undefined) return refuse("bad_signature");
		// One that was changed anywhere does not get this far: salt and tag name it.
		return conclude({ replayKey: sha256Hex(`${salt}.${tag}`), fresh: isFresh(now, at), signedAt: at * 1000 }, () =>
			parse(text),
		);
	});
};

/** @throws TypeError for a key that is none; undefined when there is none */
export function readCallbackKey(secrets: Record<string, string>): Buffer | undefined {
	const { callbackKey } = secrets;
	if (!callbackKey) return undefined;
	const key = Buffer.from(callbackKey, "base64");
	if (key.length === 32 && key.toString("base64") === callbackKey) return key;
	throw new TypeError("The secret callbackKey must be the base64 of 32 bytes.");
}

function deriveKey(key: Buffer, seconds: string, salt: string): Buffer {
	return createHmac("sha256", key).update(`lethe smpp callback\n${seconds}\n${salt}`, "utf8").digest();
}

function unseal(key: Buffer, body: string, tag: string): string | undefined {
	const sealed = Buffer.from(body, "base64");
	// Base64 has many spellings of the same bytes; one was sent.
	if (sealed.toString("base64") !== body) return undefined;
	try {
		const opening = createDecipheriv(cipher, key, nonce, { authTagLength: 16 });
		opening.setAuthTag(Buffer.from(tag, "hex"));
		return Buffer.concat([opening.update(sealed), opening.final()]).toString("utf8");
	} catch {
		return undefined;
	}
}

function parse(text: string): Parsed | undefined {
	const told = readJson(content, text);
	if (!told) return undefined;
	if ("event" in told) return { events: [told.event] };
	const { from, text: written, ...rest } = told.message;
	return { messages: [{ ...rest, from: Plaintext.text(from), text: Plaintext.text(written) }] };
}

function reveal(inbound: InboundMessage) {
	return { ...inbound, from: inbound.from.reveal(), text: inbound.text.reveal() };
}
