// Recorded requests under HTTP Message Signatures (RFC 9421): whether one covers what decides what they do, is fresh, and holds.

import {
	constants,
	createHash,
	createHmac,
	createPublicKey,
	type JsonWebKey,
	type KeyObject,
	timingSafeEqual,
	verify as verifyBytes,
} from "node:crypto";
import type { CallbackRequest, Refusal, VerifierFactory, VerifyResult } from "../../adapters/carriers/carrier.ts";
import {
	createDigest,
	isDigest,
	isExpired,
	type MessageSignature,
	readContentDigest,
	readSignatures,
	type SignedMessage,
} from "../../api/messageSignature.ts";
import { limits } from "../../domain/limits.ts";

/** One way in which a key signs. */
type Way = { name: string; check: (bytes: Buffer, signature: Buffer) => boolean };

const noThing: { events: []; messages: [] } = { events: [], messages: [] };
const refuse = (reason: Refusal): VerifyResult => ({ valid: false, reason, ...noThing });

/**
 * Secrets `{secret}`, as text or base64, or `{publicKey}` or `{certificate}`: PEM, JWK, or the base64 of Ed25519's 32 bytes.
 * Setting `algorithm`, a name of RFC 9421's registry, pins it. A signature counts only if it covers method, address and
 * body: one that covers less proves nothing of them. It brings nothing of a message: what the body says is its caller's matter.
 * @throws TypeError for a key that is none
 */
export const verifyMessageSignature: VerifierFactory = ({ settings: { algorithm }, secrets }) => {
	const ways = waysOf(secrets).filter(({ name }) => algorithm === undefined || name === algorithm.toLowerCase());
	return (request, now) => {
		if (ways.length === 0) return refuse("not_configured");
		const message = toMessage(request);
		const names = new Set(message?.headers.map(([name]) => name.toLowerCase()));
		if (!message) return refuse("malformed");
		if (!names.has("signature") || !names.has("signature-input")) return refuse("unsigned");
		try {
			return judge(ways, message, request.body, now);
		} catch (error) {
			if (error instanceof TypeError) return refuse("malformed");
			throw error;
		}
	};
};

/** @throws TypeError when a signature is malformed or covers what is not there */
function judge(ways: Way[], message: SignedMessage, body: string, now: number): VerifyResult {
	const holding = readSignatures(message).filter((signature) => holds(ways, signature));
	if (holding.length === 0) return refuse("bad_signature");
	const whole = holding.filter((signature) => isWhole(signature, message, body));
	const [signature] = whole;
	if (!signature) return refuse("unsupported");
	// Beside the signature: that covers what is told of the body, not the body. One that it does not cover counts as well: a
	// body that was taken away leaves it behind.
	const tellsDigest = message.headers.some(([name]) => name.toLowerCase() === "content-digest");
	if (tellsDigest && !hasDigest(message, body)) return refuse("bad_signature");
	const replayKey = createHash("sha256").update(signature.base).digest("hex");
	const { created, expires } = Object.fromEntries(signature.params);
	const isTime = created === undefined ? expires !== undefined : Number.isInteger(created);
	if (!isTime) return refuse("malformed");
	// A signer that says until when a signature is good has said it; one that came before it was made is wrong all the same.
	const age = created === undefined ? 0 : now - Number(created) * 1000;
	const isOutside = -age > limits.callbackFreshnessMs || (expires === undefined && age > limits.callbackFreshnessMs);
	const isOver = isExpired(signature, now) || isOutside;
	return isOver ? { valid: false, reason: "stale", replayKey, ...noThing } : { valid: true, replayKey, ...noThing };
}

function holds(ways: Way[], { base, params, signature }: MessageSignature): boolean {
	const bytes = Buffer.from(base, "utf8");
	const named = params.get("alg");
	return ways.filter(({ name }) => named === undefined || name === named).some(({ check }) => check(bytes, signature));
}

/** RFC 9421, 7.2.1: what is not covered, whoever is in between may change. */
function isWhole({ components }: MessageSignature, { targetUri }: SignedMessage, body: string): boolean {
	const covers = (...names: string[]) => names.every((name) => components.includes(name));
	const path = covers("@request-target") || (covers("@path") && (!targetUri.includes("?") || covers("@query")));
	const address = covers("@target-uri") || (covers("@authority") && path);
	return covers("@method") && address && (body === "" || covers("content-digest"));
}

function hasDigest(message: SignedMessage, body: string): boolean {
	return readContentDigest(message).every((told) => isDigest(told, createDigest(told).update(body, "utf8").digest()));
}

function toMessage({ method, url, headers }: CallbackRequest): SignedMessage | undefined {
	if (!URL.canParse(url)) return undefined;
	const all = Object.entries(headers).flatMap(([name, value]) =>
		[value ?? []].flat().map((each) => [name, each] as const),
	);
	return { method, targetUri: url, headers: all };
}

/** RFC 9421, 3.3. */
function waysOf({ secret, publicKey, certificate }: Record<string, string>): Way[] {
	const text = publicKey ?? certificate;
	if (text !== undefined) return waysOfKey(readKey(text));
	if (!secret) return [];
	const isBase64 = Buffer.from(secret, "base64").toString("base64") === secret;
	const keys = [Buffer.from(secret, "utf8"), ...(isBase64 ? [Buffer.from(secret, "base64")] : [])];
	const check: Way["check"] = (bytes, signature) =>
		keys
			.map((key) => createHmac("sha256", key).update(bytes).digest())
			.some((mac) => mac.length === signature.length && timingSafeEqual(mac, signature));
	return [{ name: "hmac-sha256", check }];
}

function waysOfKey(key: KeyObject): Way[] {
	const pss: Way = {
		name: "rsa-pss-sha512",
		check: (bytes, signature) =>
			verifyBytes("sha512", bytes, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 64 }, signature),
	};
	const ecdsa = (name: string, hash: string): Way => ({
		name,
		check: (bytes, signature) => verifyBytes(hash, bytes, { key, dsaEncoding: "ieee-p1363" }, signature),
	});
	const curve = key.asymmetricKeyDetails?.namedCurve;
	switch (key.asymmetricKeyType) {
		case "ed25519":
			return [{ name: "ed25519", check: (bytes, signature) => verifyBytes(null, bytes, key, signature) }];
		case "ec":
			if (curve === "prime256v1") return [ecdsa("ecdsa-p256-sha256", "sha256")];
			if (curve === "secp384r1") return [ecdsa("ecdsa-p384-sha384", "sha384")];
			break;
		case "rsa-pss":
			return [pss];
		case "rsa":
			return [
				pss,
				{ name: "rsa-v1_5-sha256", check: (bytes, signature) => verifyBytes("sha256", bytes, key, signature) },
			];
	}
	throw new TypeError("The key must be one of Ed25519, P-256, P-384 or RSA.");
}

function readKey(text: string): KeyObject {
	try {
		const raw = Buffer.from(text, "base64");
		if (raw.length === 32) return toKey({ kty: "OKP", crv: "Ed25519", x: raw.toString("base64url") });
		return text.trimStart().startsWith("{") ? toKey(JSON.parse(text)) : createPublicKey(text);
	} catch {
		throw new TypeError("The key must be a PEM, a JWK, or the base64 of Ed25519's 32 bytes.");
	}
}

function toKey(key: JsonWebKey): KeyObject {
	return createPublicKey({ key, format: "jwk" });
}
