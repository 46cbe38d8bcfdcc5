// Standard Webhooks as its reference library signs them; the times that the library lets pass are refused.

import assert from "node:assert/strict";
import { generateKeyPairSync, sign } from "node:crypto";
import { test } from "node:test";
import { Webhook } from "standardwebhooks";
import { verifyStandardWebhooks } from "../../../adapters/carriers/standardWebhooks.ts";

const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const body = '{"test": 2432232314}';
const seconds = 1614265330;
const verify = verifyStandardWebhooks({ settings: {}, secrets: { secret } });

function signed(options: { id?: string; timestamp?: string; prefix?: string; signature?: string } = {}) {
	const { id = "msg_p5jXN8AQM9LWM0D4loKWxJek", timestamp = String(seconds), prefix = "webhook" } = options;
	const signature = options.signature ?? new Webhook(secret).sign(id, new Date(seconds * 1000), body);
	const headers = { [`${prefix}-id`]: id, [`${prefix}-timestamp`]: timestamp, [`${prefix}-signature`]: signature };
	return { method: "POST", url: "https://lethe.example/cb", headers, body };
}
const reasonOf = (request: Parameters<typeof verify>[0], at = seconds) => {
	const result = verify(request, at * 1000);
	return result.valid ? undefined : result.reason;
};

test("the published vector is authentic, under either sender's header names", () => {
	const signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
	assert.equal(signed().headers["webhook-signature"], signature);
	const result = verify(signed({ signature }), seconds * 1000);
	assert.ok(result.valid);
	assert.equal(result.replayKey, "msg_p5jXN8AQM9LWM0D4loKWxJek");
	assert.equal(reasonOf(signed({ prefix: "svix" })), undefined);
	const listed = `v1,${"A".repeat(43)}= v2,x ${signature}`;
	assert.equal(reasonOf(signed({ signature: listed })), undefined);
});

test("another body, id, time, version or secret is a forgery", () => {
	assert.equal(reasonOf({ ...signed(), body: `${body} ` }), "bad_signature");
	const { headers } = signed();
	assert.equal(reasonOf({ ...signed(), headers: { ...headers, "webhook-id": "msg_other" } }), "bad_signature");
	assert.equal(reasonOf(signed({ timestamp: String(seconds + 1) })), "bad_signature");
	const [, value] = String(headers["webhook-signature"]).split(",");
	for (const signature of [`v2,${value}`, `${value}`, "", `v1a,${value}`]) {
		assert.equal(reasonOf(signed({ signature })), "bad_signature", signature);
	}
});

test("a time that is not digits alone is malformed, though the library would read it", () => {
	for (const timestamp of [`${seconds}abc`, "", " ", `${seconds}.0`, `+${seconds}`, "NaN"]) {
		assert.equal(reasonOf(signed({ timestamp })), "malformed", timestamp);
	}
	for (const edge of [-300, 300]) assert.equal(reasonOf(signed(), seconds + edge), undefined);
	for (const edge of [-301, 301]) assert.equal(reasonOf(signed(), seconds + edge), "stale");
	assert.equal(reasonOf(signed({ id: "msg.a" })), "malformed");
});

test("an Ed25519 signature is checked with the public key, and never stands in for the secret's", () => {
	const pair = generateKeyPairSync("ed25519");
	const raw = Buffer.from(pair.publicKey.export({ format: "jwk" }).x ?? "", "base64url").toString("base64");
	const check = verifyStandardWebhooks({ settings: {}, secrets: { publicKey: `whpk_${raw}` } });
	const request = signed();
	const text = `${request.headers["webhook-id"]}.${seconds}.${body}`;
	const signature = `v1a,${sign(null, Buffer.from(text), pair.privateKey).toString("base64")}`;
	assert.ok(check(signed({ signature }), seconds * 1000).valid);
	assert.equal(check({ ...signed({ signature }), body: "{}" }, seconds * 1000).valid, false);
	assert.equal(check(signed(), seconds * 1000).valid, false);
});
