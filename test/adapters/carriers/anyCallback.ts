// What may arrive at a carrier's callback address, whoever sends it, and secrets that it is judged with.

import { generateKeyPairSync } from "node:crypto";
import fc from "fast-check";

const ed25519 = generateKeyPairSync("ed25519").publicKey.export({ format: "jwk" });
const publicKey = Buffer.from(ed25519.x ?? "", "base64url").toString("base64");
const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 }).publicKey;
const certificate = rsa.export({ type: "spki", format: "pem" }).toString();
const secret = Buffer.from("a secret of some length").toString("base64");
const callbackKey = Buffer.alloc(32, 7).toString("base64");

const secretsOf: Record<string, Record<string, string>> = {
	aws: { certificate },
	simulator: { publicKey },
	smpp: { callbackKey },
	telnyx: { publicKey },
};

/** Callback secrets that the carrier's verifier takes. */
export const callbackSecrets = (carrier: string) => secretsOf[carrier] ?? { secret };

const signatureHeaders = [
	...["x-twilio-signature", "authorization", "telnyx-signature-ed25519", "telnyx-timestamp"],
	...["x-sinch-webhook-signature", "x-sinch-webhook-signature-nonce", "x-sinch-webhook-signature-timestamp"],
	...["x-sinch-signature", "x-timestamp", "x-plivo-signature-v3", "x-plivo-signature-v3-nonce"],
	...["messagebird-signature", "messagebird-request-timestamp", "messagebird-signature-jwt"],
	...["webhook-id", "webhook-timestamp", "webhook-signature", "x-carrier-timestamp", "x-carrier-signature"],
	...["x-lethe-time", "x-lethe-salt", "x-lethe-tag"],
];
const base64 = (bytes: number) =>
	fc.uint8Array({ minLength: bytes, maxLength: bytes }).map((value) => Buffer.from(value).toString("base64"));

/** Values that HTTP can bring in a header. */
export const headerValue = fc.oneof(
	fc.stringMatching(/^[\x20-\x7e]{0,40}$/),
	base64(20),
	base64(32),
	base64(64),
	fc.constantFrom(
		"1893553445",
		"n-1",
		"Bearer a.b.c",
		"Application k:s",
		"eyJhbGciOiJIUzI1NiJ9.e30.AA",
		"0".repeat(32),
	),
);

export const headerName = fc.constantFrom(...signatureHeaders, "content-type");

/** Text bodies: nothing like a callback, and much like one. */
export const textBody = fc.oneof(
	fc.string(),
	fc.json(),
	fc.string({ unit: "binary" }),
	fc.constantFrom("a=b&sig=00&timestamp=1893553445", '{"Type":"Notification","Signature":"AAAAAAAAAAAAAAAAAAAA"}'),
);
