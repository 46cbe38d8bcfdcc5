// MessageBird's and Bird's callbacks: the vendor's published vectors, its library's verdicts, and tokens made by jose.

import assert from "node:assert/strict";
import { createHash, createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { test } from "node:test";
import { SignJWT } from "jose";
import { verifyBird, verifyMessageBird } from "../../../adapters/carriers/messagebird.ts";

const require = createRequire(import.meta.url);
const legacy = require("messagebird/lib/signature");
const vectors: Vector[] = JSON.parse(
	readFileSync(require.resolve("messagebird/lib/testdata/webhook-signature-jwt-reference.json"), "utf8"),
);
type Vector = {
	name: string;
	method: string;
	secret: string;
	url: string;
	payload?: string;
	timestamp: string;
	token: string;
	valid: boolean;
};

const secret = "signing-key";
const now = Date.UTC(2030, 0, 2, 3, 4, 5);
const seconds = now / 1000;
const verify = verifyMessageBird({ settings: {}, secrets: { secret } });
const query = "id=e8077d803532c0b5937c639b60216938&recipient=31612345678&reference=ref_1&status=delivered";
const url = `https://lethe.example/v1/callbacks/messagebird/q/receipts?${query}&statusDatetime=2030-01-02T03:04:00%2B00:00`;
const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");

async function withJwt(
	claims: Record<string, unknown> = {},
	options: { alg?: string; body?: string; key?: string } = {},
) {
	const { alg = "HS256", body = "", key = secret } = options;
	const all = {
		...{ iss: "MessageBird", nbf: seconds, exp: seconds + 60, jti: "j-1", url_hash: sha256(url) },
		...(body && { payload_hash: sha256(body) }),
		...claims,
	};
	const token = await new SignJWT(all).setProtectedHeader({ alg, typ: "JWT" }).sign(Buffer.from(key, "utf8"));
	return { method: body ? "POST" : "GET", url, headers: { "messagebird-signature-jwt": token }, body };
}
const reasonOf = (request: Parameters<typeof verify>[0], at = now) => {
	const result = verify(request, at);
	return result.valid ? undefined : result.reason;
};

test("each of the vendor's published vectors gets the verdict that it names", () => {
	assert.ok(vectors.length >= 44);
	for (const { name, method, secret: key, url: address, payload = "", timestamp, token, valid } of vectors) {
		const request = { method, url: address, headers: { "messagebird-signature-jwt": token }, body: payload };
		const check = verifyMessageBird({ settings: {}, secrets: { secret: key } });
		assert.equal(check(request, Date.parse(timestamp)).valid, valid, name);
	}
});

test("a genuine receipt is believed under each HMAC that the vendor uses, and under no other algorithm", async () => {
	for (const alg of ["HS256", "HS384", "HS512"]) {
		const result = verify(await withJwt({}, { alg }), now);
		assert.ok(result.valid);
		const carrierId = "e8077d803532c0b5937c639b60216938";
		assert.deepEqual(result.events, [
			{ eventId: `${carrierId}.delivered`, carrierId, state: "delivered", at: Date.UTC(2030, 0, 2, 3, 4, 0) },
		]);
		assert.equal(result.replayKey, "j-1");
	}
	const genuine = await withJwt();
	const [, payload] = genuine.headers["messagebird-signature-jwt"].split(".");
	const none = Buffer.from('{"alg":"none"}').toString("base64url");
	for (const token of [`${none}.${payload}.`, `${none}.${payload}.AA`, "a.b", "", "a.b.c"]) {
		assert.ok(reasonOf({ ...genuine, headers: { "messagebird-signature-jwt": token } }), token);
	}
});

test("a claim that is missing, of a wrong kind or of another address or body is not believed", async () => {
	const bad: [Record<string, unknown>, string][] = [
		[{ iss: "messagebird" }, "untrusted"],
		[{ iss: undefined }, "untrusted"],
		[{ jti: undefined }, "malformed"],
		[{ exp: undefined }, "malformed"],
		[{ nbf: undefined }, "malformed"],
		[{ nbf: undefined, iat: "now" }, "malformed"],
		[{ nbf: null, iat: seconds }, "malformed"],
		[{ url_hash: undefined }, "bad_signature"],
		[{ url_hash: sha256(`${url}&a=b`) }, "bad_signature"],
		[{ payload_hash: sha256("") }, "bad_signature"],
		[{ payload_hash: sha256("x") }, "bad_signature"],
	];
	for (const [claims, reason] of bad) assert.equal(reasonOf(await withJwt(claims)), reason, JSON.stringify(claims));
	assert.equal(reasonOf(await withJwt({ payload_hash: undefined }, { body: "{}" })), "bad_signature");
	assert.equal(reasonOf({ ...(await withJwt({}, { body: "{}" })), body: "{} " }), "bad_signature");
	assert.equal(reasonOf(await withJwt({}, { key: "other" })), "bad_signature");
});

test("outside nbf and exp, five seconds allowed, it is stale", async () => {
	const request = await withJwt();
	for (const [shift, stale] of [
		[-5, false],
		[-6, true],
		[64, false],
		[65, true],
		[3600, true],
	] as const) {
		assert.equal(reasonOf(request, now + shift * 1000), stale ? "stale" : undefined, String(shift));
	}
	assert.equal(verify(request, now + 3600_000).events.length, 1);
	for (const [shift, reason] of [
		[0, undefined],
		[5, undefined],
		[3600, "stale"],
	] as const) {
		const iat = seconds + shift;
		assert.equal(reasonOf(await withJwt({ nbf: undefined, iat, exp: iat + 60 })), reason, `${shift} s in iat alone`);
	}
});

function withHmac(part: string, options: { address?: string; body?: string; at?: string; key?: string } = {}) {
	const { address = url, body = "", at = String(seconds), key = secret } = options;
	const hash = createHash("sha256").update(body).digest();
	const signed = Buffer.concat([Buffer.from(`${at}\n${part}\n`), hash]);
	const signature = createHmac("sha256", key).update(signed).digest("base64");
	const headers = { "messagebird-signature": signature, "messagebird-request-timestamp": at };
	return { method: "GET", url: address, headers, body };
}

test("the legacy signature is as the vendor's library makes it, and good for 100 s", () => {
	const parsed = Object.fromEntries(new URLSearchParams(new URL(url).search));
	const headers = { "messagebird-request-timestamp": String(seconds) };
	const signature = legacy.generate({ headers, query: parsed }, secret).toString("base64");
	const request = { method: "GET", url, headers: { ...headers, "messagebird-signature": signature }, body: "" };
	assert.equal(reasonOf(request), undefined);
	const unsorted = `https://lethe.example/cb?${new URL(url).search.slice(1).split("&").reverse().join("&")}`;
	assert.equal(reasonOf({ ...request, url: unsorted }), undefined);
	assert.equal(reasonOf(request, now + 99_000), undefined);
	for (const shift of [-101, 100, 101, 300]) assert.equal(reasonOf(request, now + shift * 1000), "stale");
	assert.equal(reasonOf({ ...request, url: url.replace("delivered", "expired") }), "bad_signature");
	assert.equal(reasonOf({ ...request, body: "x" }), "bad_signature");
	for (const at of [`${seconds}a`, "", " 1", "NaN", "1e9"]) {
		assert.equal(reasonOf(withHmac(query, { at })), "malformed", at);
	}
});

test("the newer signature covers the whole address, and is good for 300 s", () => {
	const address = "https://lethe.example/v1/callbacks/bird/q/receipts?x=2&a=1";
	const body = JSON.stringify({
		service: "channels",
		event: "sms.outbound",
		payload: { id: "0a1b", status: "delivery_failed" },
	});
	const request = withHmac(address, { address, body });
	const result = verify(request, now);
	assert.ok(result.valid);
	assert.deepEqual(
		result.events.map(({ carrierId, state }) => [carrierId, state]),
		[["0a1b", "undelivered"]],
	);
	assert.equal(reasonOf(request, now + 300_000), undefined);
	assert.equal(reasonOf(request, now + 301_000), "stale");
	for (const other of [`${address}&b=1`, address.replace("/q/", "/r/"), address.replace("x=2&a=1", "a=1&x=2")]) {
		assert.equal(reasonOf({ ...request, url: other }), "bad_signature", other);
	}
	const plain = "https://lethe.example/v1/callbacks/bird/q/receipts?x=1";
	const asQuery = { ...withHmac(plain, { address: plain, body }), url: `https://evil.example/?${plain}` };
	assert.equal(reasonOf(asQuery), "bad_signature", "a whole address is no query");
});

test("by the name of Bird the older signature, over the query alone, counts for no body, host or path", () => {
	const bird = verifyBird({ settings: {}, secrets: { secret } });
	const body = JSON.stringify({ event: "sms.outbound", payload: { id: "0a1b", status: "delivered" } });
	for (const [part, address] of [
		["", "https://evil.example/cb"],
		[query, `https://evil.example/cb?${query}`],
	] as const) {
		assert.equal(reasonOf(withHmac(part, { address, body })), undefined);
		const result = bird(withHmac(part, { address, body }), now);
		assert.ok(!result.valid && result.reason === "bad_signature");
		assert.equal(bird(withHmac(address, { address, body }), now).events.length, 1);
	}
});

test("what a recipient wrote to a Bird channel is told as it was", () => {
	const address = "https://lethe.example/in";
	const payload = {
		id: "m-1",
		sender: { contact: { identifierValue: "+31612345678" } },
		receiver: { connector: { identifierValue: "+3197010000000" } },
		body: { type: "text", text: { text: "STOP" } },
		createdAt: "2030-01-02T03:04:00Z",
	};
	const result = verify(withHmac(address, { address, body: JSON.stringify({ event: "sms.inbound", payload }) }), now);
	assert.ok(result.valid);
	const [message] = result.messages;
	assert.deepEqual(
		[message?.from.reveal(), message?.to, message?.text.reveal()],
		["+31612345678", "+3197010000000", "STOP"],
	);
});

test("what a recipient wrote to a Bird channel whose number Bird does not name is told all the same", () => {
	const address = "https://lethe.example/in";
	const payload = {
		id: "m-1",
		channelId: "c-1",
		sender: { contact: { id: "p-1", identifierKey: "phonenumber", identifierValue: "+31612345678" } },
		receiver: { connector: { id: "n-1" } },
		body: { type: "text", text: { text: "STOP" } },
		createdAt: "2030-01-02T03:04:00Z",
	};
	const tell = (receiver: object | undefined) => {
		const body = JSON.stringify({ event: "sms.inbound", payload: { ...payload, receiver } });
		const result = verify(withHmac(address, { address, body }), now);
		assert.ok(result.valid && !result.unread);
		return result.messages.map(({ from, to, text }) => [from.reveal(), to, text.reveal()]);
	};
	// As Bird writes of its other channels what is not named.
	const unnamed = { connector: { id: "n-1", identifierValue: "" } };
	for (const receiver of [payload.receiver, unnamed, {}, undefined]) {
		assert.deepEqual(tell(receiver), [["+31612345678", undefined, "STOP"]]);
	}
});
