// Sinch's callbacks: the SMS API's over body, nonce and time, and the ways of its other products.

import assert from "node:assert/strict";
import { createHash, createHmac } from "node:crypto";
import { test } from "node:test";
import { verifySinch } from "../../../adapters/carriers/sinch.ts";

const secret = "foo_secret1234";
const now = Date.UTC(2030, 0, 2, 3, 4, 5);
const seconds = now / 1000;
const verify = verifySinch({ settings: {}, secrets: { secret } });
const url = "https://lethe.example/v1/callbacks/sinch/q/receipts";
const batch = "01FC66621XXXXX119Z8PMV1QPQ";
const report = {
	...{ type: "recipient_delivery_report_sms", batch_id: batch, recipient: "12025550142", code: 0 },
	...{ status: "Delivered", at: "2030-01-02T03:04:00.000Z", operator_status_at: "2030-01-02T03:03Z" },
};

function post(
	content: unknown,
	options: { nonce?: string; timestamp?: string; key?: string; algorithm?: string } = {},
) {
	const { nonce = "01FJA8B4A7BM43YGWSG9GBV067", timestamp = String(seconds), key = secret } = options;
	const body = typeof content === "string" ? content : JSON.stringify(content);
	const signature = createHmac("sha256", key).update(`${body}.${nonce}.${timestamp}`).digest("base64");
	const headers: Record<string, string> = {
		"x-sinch-webhook-signature": signature,
		"x-sinch-webhook-signature-nonce": nonce,
		"x-sinch-webhook-signature-timestamp": timestamp,
		"x-sinch-webhook-signature-algorithm": options.algorithm ?? "HmacSHA256",
	};
	return { method: "POST", url, headers, body };
}
const reasonOf = (request: Parameters<typeof verify>[0], at = now, check = verify) => {
	const result = check(request, at);
	return result.valid ? undefined : result.reason;
};

test("each status means one state, and each code one of ours", () => {
	const expected = {
		...{ Queued: "pending", Dispatched: "submitted", Delivered: "delivered", Aborted: "undelivered" },
		...{ Cancelled: "undelivered", Rejected: "rejected", Deleted: "undelivered", Failed: "undelivered" },
		...{ Expired: "expired", Unknown: "unknown" },
	};
	for (const [status, state] of Object.entries(expected)) {
		const result = verify(post({ ...report, status }), now);
		assert.ok(result.valid);
		assert.deepEqual(result.events, [
			{ eventId: `${batch}.${status}.0`, carrierId: batch, state, at: Date.UTC(2030, 0, 2, 3, 4, 0) },
		]);
	}
	assert.equal(verify(post({ ...report, status: "Expired", code: 406 }), now).events[0]?.code, "validity_over");
});

test("a batch's report is an event for each recipient; its summary names none and brings none", () => {
	const { type, recipient, code, status, at, operator_status_at, ...bare } = report;
	const statuses = [
		{ code: 0, status: "Delivered", count: 2, recipients: [recipient, "12025550143"] },
		{ code: 406, status: "Expired", count: 1, recipients: ["12025550144"] },
		{ code: 400, status: "Queued", count: 7 },
	];
	const full = verify(post({ ...bare, type: "delivery_report_sms", statuses }), now);
	assert.ok(full.valid);
	assert.deepEqual(full.events, [
		{ eventId: `${batch}.Delivered.0`, carrierId: batch, state: "delivered", at: now },
		{ eventId: `${batch}.Delivered.0.1`, carrierId: batch, state: "delivered", at: now },
		{ eventId: `${batch}.Expired.406`, carrierId: batch, state: "expired", at: now, code: "validity_over" },
	]);
	const odd = [{ code: 0, status: "zz", recipients: [recipient] }];
	const unread = verify(post({ ...bare, type: "delivery_report_sms", statuses: odd }), now);
	assert.ok(unread.valid && unread.unread && unread.events.length === 0);
});

test("an error is told by what Sinch documents of it: none says that a recipient has opted out", () => {
	const told = {
		...{ "402": "invalid_recipient", "403": "other", "404": "other", "405": "invalid_request" },
		...{ "406": "validity_over", "407": "other", "408": "other", "410": "sender_refused", "411": "content_refused" },
		...{ "412": "invalid_recipient", "413": "unavailable" },
	};
	for (const [error, code] of Object.entries(told)) {
		const aborted = { ...report, status: "Aborted", code: Number(error) };
		assert.equal(verify(post(aborted), now).events[0]?.code, code, error);
	}
});

test("a time that can't be read is that of the callback, and a code may be text of digits", () => {
	const odd = verify(post({ ...report, at: "2030-01-02T03:04:05.123+0000", code: "402" }), now);
	assert.deepEqual(odd.events, [
		{ eventId: `${batch}.Delivered.402`, carrierId: batch, state: "delivered", at: now, code: "invalid_recipient" },
	]);
	for (const code of ["", "x", "1.5", null, true]) {
		const result = verify(post({ ...report, code }), now);
		assert.ok(result.valid && result.unread && result.events.length === 0, String(code));
	}
});

test("a time without a zone is UTC, wherever the process runs", (context) => {
	const { TZ } = process.env;
	context.after(() => {
		if (TZ === undefined) delete process.env.TZ;
		else process.env.TZ = TZ;
	});
	process.env.TZ = "Pacific/Auckland";
	const told = verify(post({ ...report, at: "2030-01-02T03:04:00.000" }), now);
	assert.equal(told.events[0]?.at, Date.UTC(2030, 0, 2, 3, 4, 0));
});

test("the raw body is what is signed: the same JSON written otherwise is not", () => {
	const request = post(report);
	assert.equal(reasonOf({ ...request, body: JSON.stringify(report, null, 1) }), "bad_signature");
	assert.equal(reasonOf(post(report, { key: "other" })), "bad_signature");
	const nonce = { ...request.headers, "x-sinch-webhook-signature-nonce": "other" };
	assert.equal(reasonOf({ ...request, headers: nonce }), "bad_signature");
	assert.equal(reasonOf(post(report, { algorithm: "HmacSHA1" })), "unsupported");
});

test("a nonce or time that would let the three parts be cut elsewhere is malformed", () => {
	assert.equal(reasonOf(post(report, { nonce: "a.b" })), "malformed");
	const whole = post(`${JSON.stringify(report)}.x`, { nonce: "n" });
	const cut = { ...whole, body: JSON.stringify(report) };
	cut.headers = { ...whole.headers, "x-sinch-webhook-signature-nonce": "x.n" };
	assert.equal(reasonOf(cut), "malformed");
	for (const timestamp of ["", "NaN", `${seconds}a`, `${seconds}.0`]) {
		assert.equal(reasonOf(post(report, { timestamp })), "malformed", timestamp);
	}
	for (const edge of [-300, 300]) assert.equal(reasonOf(post(report), now + edge * 1000), undefined);
	for (const edge of [-301, 301]) assert.equal(reasonOf(post(report), now + edge * 1000), "stale");
	for (const name of ["", "-nonce", "-timestamp"]) {
		const { [`x-sinch-webhook-signature${name}`]: _gone, ...headers } = post(report).headers;
		assert.equal(reasonOf({ ...post(report), headers }), "unsigned", name);
	}
});

test("callbacks of Numbers are authentic and bring nothing of a message, a receipt's body neither", () => {
	const body = JSON.stringify(report);
	const signature = createHmac("sha1", secret).update(body).digest("hex");
	const request = { method: "POST", url, headers: { "x-sinch-signature": signature }, body };
	const result = verify(request, now);
	assert.ok(result.valid);
	assert.deepEqual(result.events, []);
	assert.equal(reasonOf({ ...request, body: `${body} ` }), "bad_signature");
});

test("callbacks of Verification and Voice are authentic under the decoded secret, address and time", () => {
	const key = Buffer.from("application secret").toString("base64");
	const check = verifySinch({ settings: {}, secrets: { secret: key } });
	const body = '{"event":"VerificationResultEvent"}';
	const at = "2030-01-02T03:04:00.0000000Z";
	const type = "application/json; charset=utf-8";
	const path = "/v1/callbacks/sinch/q/receipts";
	const md5 = createHash("md5").update(body).digest("base64");
	const text = ["POST", md5, type, `x-timestamp:${at}`, path].join("\n");
	const signature = createHmac("sha256", Buffer.from(key, "base64")).update(text).digest("base64");
	const headers = { authorization: `Application app-key:${signature}`, "x-timestamp": at, "content-type": type };
	const request = { method: "POST", url, headers, body };
	assert.equal(reasonOf(request, now, check), undefined);
	assert.equal(reasonOf({ ...request, body: `${body} ` }, now, check), "bad_signature");
	assert.equal(reasonOf({ ...request, url: `${url}/x` }, now, check), "bad_signature");
	assert.equal(reasonOf(request, now + 600_000, check), "stale");
	assert.equal(reasonOf(request, now), "bad_signature");
});

test("what a recipient wrote is told as it was", () => {
	const written = {
		type: "mo_text",
		id: "01FC",
		from: "12025550142",
		to: "12025550100",
		body: "STOP",
		received_at: report.at,
	};
	const result = verify(post(written), now);
	assert.ok(result.valid);
	const [message] = result.messages;
	assert.deepEqual(
		[message?.from.reveal(), message?.to, message?.text.reveal()],
		["+12025550142", "+12025550100", "STOP"],
	);
	const odd = verify(post({ ...written, from: 1 }), now);
	assert.ok(odd.valid && odd.unread && odd.messages.length === 0);
});
