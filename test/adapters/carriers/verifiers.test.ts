// Whatever arrives at any carrier's callback address: no verification throws, and none believes what was not signed.

import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import type { CallbackRequest } from "../../../adapters/carriers/carrier.ts";
import { callbackReasons } from "../../../adapters/carriers/reasons.ts";
import { carriers, verifiers } from "../../../adapters/carriers/registry.ts";

const ed25519 = generateKeyPairSync("ed25519").publicKey.export({ format: "jwk" });
const publicKey = Buffer.from(ed25519.x ?? "", "base64url").toString("base64");
const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 }).publicKey;
const certificate = rsa.export({ type: "spki", format: "pem" }).toString();
const secret = Buffer.from("a secret of some length").toString("base64");

const secretsOf: Record<string, Record<string, string>> = {
	aws: { certificate },
	simulator: { publicKey },
	telnyx: { publicKey },
};

const signatureHeaders = [
	...["x-twilio-signature", "authorization", "telnyx-signature-ed25519", "telnyx-timestamp"],
	...["x-sinch-webhook-signature", "x-sinch-webhook-signature-nonce", "x-sinch-webhook-signature-timestamp"],
	...["x-sinch-signature", "x-timestamp", "x-plivo-signature-v3", "x-plivo-signature-v3-nonce"],
	...["messagebird-signature", "messagebird-request-timestamp", "messagebird-signature-jwt"],
	...["webhook-id", "webhook-timestamp", "webhook-signature", "x-carrier-timestamp", "x-carrier-signature"],
];
const base64 = (bytes: number) =>
	fc.uint8Array({ minLength: bytes, maxLength: bytes }).map((value) => Buffer.from(value).toString("base64"));
const value = fc.oneof(
	fc.string(),
	base64(20),
	base64(32),
	base64(64),
	fc.constantFrom("1893553445", "n-1", "Bearer a.b.c", "Application k:s", "eyJhbGciOiJIUzI1NiJ9.e30.AA"),
	fc.array(fc.string()),
	fc.constant(undefined),
);
const body = fc.oneof(
	fc.string(),
	fc.json(),
	fc.string({ unit: "binary" }),
	fc.constantFrom("a=b&sig=00&timestamp=1893553445", '{"Type":"Notification","Signature":"AAAAAAAAAAAAAAAAAAAA"}'),
);
const requests = fc.oneof(
	fc.record({
		method: fc.constantFrom("GET", "POST", "PUT"),
		url: fc.oneof(fc.webUrl({ withQueryParameters: true, withFragments: true }), fc.string()),
		headers: fc.dictionary(fc.constantFrom(...signatureHeaders, "content-type"), value),
		body,
	}),
	fc.record({ method: fc.anything(), url: fc.anything(), headers: fc.anything(), body: fc.anything() }),
	fc.anything(),
);

for (const [name, factory] of Object.entries(verifiers)) {
	const keys = secretsOf[name] ?? { secret };
	const verify = factory({ settings: {}, secrets: keys });

	test(`${name}: nothing of 10,000 random requests is believed or thrown at`, () => {
		fc.assert(
			fc.property(requests, fc.oneof(fc.constant(1893553445000), fc.double()), (request, now) => {
				const result = verify(request as CallbackRequest, now);
				assert.equal(result.valid, false);
				assert.ok("reason" in result && result.reason in callbackReasons);
				assert.deepEqual([result.events, result.messages], [[], []]);
			}),
			{ numRuns: 10_000 },
		);
	});

	test(`${name}: without a secret no callback is believed`, () => {
		const bare = factory({ settings: {}, secrets: {} });
		const result = bare({ method: "POST", url: "https://lethe.example", headers: {}, body: "" }, 0);
		assert.ok(!result.valid && result.reason === "not_configured");
	});
}

test("every carrier's callbacks can be checked by its name", () => {
	for (const name of Object.keys(carriers)) assert.ok(Object.hasOwn(verifiers, name), name);
});
