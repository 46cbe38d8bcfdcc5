// Checks what Lethe's webhooks bring, as Standard Webhooks has it, with nothing but WebCrypto.

import { WebhookRefused } from "./errors.ts";

type Headers = { get(name: string): string | null } | Record<string, string | string[] | undefined>;
type Options = {
	/** Both the old and the new secret while one is replaced; `whsec_…` or plain base64. */
	secret: string | readonly string[];
	/** How far the sender's clock may be from ours. Default 5 minutes. */
	toleranceMs?: number;
	/** Epoch milliseconds. */
	now?: number;
};

/** `id` is the same on every retry: keep it, and do nothing twice. */
export type Webhook<Payload> = { id: string; at: Date; payload: Payload };

const toleranceMsDefault = 5 * 60_000;

/**
 * The payload of a webhook, once its signature and its time are right.
 * @param body exactly as it arrived; parsed and written anew it verifies no more
 * @throws WebhookRefused
 */
export async function unwrap<Payload = unknown>(
	body: string | Uint8Array,
	headers: Headers,
	{ secret, toleranceMs = toleranceMsDefault, now = Date.now() }: Options,
): Promise<Webhook<Payload>> {
	const id = read(headers, "webhook-id");
	const timestamp = read(headers, "webhook-timestamp");
	const signatures = read(headers, "webhook-signature");
	if (!id || !timestamp || !signatures) throw new WebhookRefused("headers_missing");
	const atMs = /^\d{1,12}$/.test(timestamp) ? Number(timestamp) * 1000 : Number.NaN;
	if (!(Math.abs(now - atMs) <= toleranceMs)) throw new WebhookRefused("stale");
	const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
	const signed = join(new TextEncoder().encode(`${id}.${timestamp}.`), bytes);
	const keys = await Promise.all([secret].flat().map((one: string) => importKey(one)));
	const candidates = signatures
		.split(" ")
		.flatMap((one) => (one.startsWith("v1,") ? (fromBase64(one.slice(3)) ?? []) : []));
	const results = await Promise.all(
		keys.flatMap((key) => candidates.map((candidate) => crypto.subtle.verify("HMAC", key, candidate, signed))),
	);
	if (!results.includes(true)) throw new WebhookRefused("signature_wrong");
	try {
		const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
		return { id, at: new Date(atMs), payload: JSON.parse(text) as Payload };
	} catch {
		throw new WebhookRefused("malformed");
	}
}

function read(headers: Headers, name: string): string | undefined {
	if (typeof headers.get === "function")
		return (headers as { get(name: string): string | null }).get(name) ?? undefined;
	const found = Object.entries(headers).find(([key]) => key.toLowerCase() === name)?.[1];
	return Array.isArray(found) ? found.join(" ") : (found as string | undefined);
}

function importKey(secret: string) {
	const bytes = fromBase64(secret.replace(/^whsec_/, ""));
	// An empty key would take what anybody signs with it.
	if (!bytes || bytes.length === 0) throw new TypeError("The webhook's secret is not base64.");
	return crypto.subtle.importKey("raw", bytes, { name: "HMAC", hash: "SHA-256" }, false, ["verify"]);
}

function join(one: Uint8Array, other: Uint8Array): Uint8Array<ArrayBuffer> {
	const joined = new Uint8Array(one.length + other.length);
	joined.set(one);
	joined.set(other, one.length);
	return joined;
}

function fromBase64(text: string): Uint8Array<ArrayBuffer> | undefined {
	try {
		return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
	} catch {
		return undefined;
	}
}
