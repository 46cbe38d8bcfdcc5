// Standard Webhooks, Svix's too: any sender's callbacks signed over their id, time and raw body. https://www.standardwebhooks.com

import { createHmac, verify as verifySignature } from "node:crypto";
import { type Authentic, checkWith, conclude, isFresh, isOneOf, readHeader, readSeconds } from "./callback.ts";
import type { CallbackRequest, VerifierFactory } from "./carrier.ts";
import { readEd25519Key } from "./ed25519.ts";

/**
 * Secrets `{secret}` (base64, after `whsec_`) for v1, `{publicKey}` (base64, after `whpk_`) for v1a.
 * @throws TypeError for a secret that is not base64, or a key that is none
 */
export const verifyStandardWebhooks: VerifierFactory = ({ secrets: { secret, publicKey } }) => {
	const hmacKey = secret ? readSecret(secret.replace(/^whsec_/, "")) : undefined;
	const edKey = publicKey ? readEd25519Key(publicKey.replace(/^whpk_/, "")) : undefined;
	const fits = (signatures: string[], signed: string): boolean => {
		const of = (version: string) =>
			signatures.flatMap((each) => (each.startsWith(`${version},`) ? each.slice(version.length + 1) : []));
		const expected = hmacKey && createHmac("sha256", hmacKey).update(signed, "utf8").digest("base64");
		if (expected !== undefined && isOneOf(of("v1"), expected)) return true;
		const bytes = Buffer.from(signed, "utf8");
		const isCanonical = (text: string) => /^[A-Za-z0-9+/]{85}[AQgw]==$/.test(text);
		const given = edKey ? of("v1a").filter(isCanonical) : [];
		return (
			edKey !== undefined && given.some((each) => verifySignature(null, bytes, edKey, Buffer.from(each, "base64")))
		);
	};
	const keyed = hmacKey || edKey ? fits : undefined;
	return checkWith(keyed, (check, request, now) => conclude(authenticate(check, request, now), () => ({})));
};

const signaturesMax = 32;

function authenticate(
	fits: (signatures: string[], signed: string) => boolean,
	{ headers, body }: CallbackRequest,
	now: number,
): Authentic {
	const read = (name: string) => readHeader(headers, `webhook-${name}`) ?? readHeader(headers, `svix-${name}`);
	const [id, timestamp, signature] = [read("id"), read("timestamp"), read("signature")];
	if (id === undefined || timestamp === undefined || signature === undefined) return { refused: "unsigned" };
	const seconds = readSeconds(timestamp);
	const signatures = signature.split(" ");
	// A dot joins id, time and body: with one in the id another cut would bear the same signature.
	const isId = /^[^\s.]{1,256}$/.test(id);
	if (seconds === undefined || !isId || signatures.length > signaturesMax) return { refused: "malformed" };
	if (!fits(signatures, `${id}.${timestamp}.${body}`)) return { refused: "bad_signature" };
	return { replayKey: id, fresh: isFresh(now, seconds), signedAt: seconds * 1000 };
}

function readSecret(text: string): Buffer {
	if (/^[A-Za-z0-9+/]+={0,2}$/.test(text)) return Buffer.from(text, "base64");
	throw new TypeError("The secret must be base64, with or without whsec_ before it.");
}
