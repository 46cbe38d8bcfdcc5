// Vonage's callbacks: tokens made by jose, older signatures made as documented, and the collisions that those allow.

import assert from "node:assert/strict";
import { createHash, createHmac } from "node:crypto";
import { test } from "node:test";
import { verifySignature } from "@vonage/jwt";
import { SignJWT } from "jose";
import { verifyVonage } from "../../../adapters/carriers/vonage.ts";

const secret = "ZYzu2iz9HuUQ3iBYz2ehLiw3XNtlFHnd5BLk07OdYQDOoFqBHj";
const now = Date.UTC(2030, 0, 2, 3, 4, 5);
const seconds = now / 1000;
const verify = verifyVonage({ settings: {}, secrets: { secret } });
const url = "https://lethe.example/v1/callbacks/vonage/q/receipts";
const uuid = "aaaaaaaa-bbbb-cccc-dddd-0123456789ab";
const status = {
	message_uuid: uuid,
	to: "12025550142",
	from: "12025550100",
	timestamp: "2030-01-02T03:04:00Z",
	status: "delivered",
};
const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");

async function withJwt(
	body: string,
	claims: Record<string, unknown> = {},
	options: { alg?: string; key?: string } = {},
) {
	const all = { iat: seconds, jti: "j-1", iss: "Vonage", payload_hash: sha256(body), api_key: "abcd1234", ...claims };
	const token = await new SignJWT(all)
		.setProtectedHeader({ alg: options.alg ?? "HS256", typ: "JWT" })
		.sign(Buffer.from(options.key ?? secret, "utf8"));
	const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
	return { method: "POST", url, headers, body };
}
const reasonOf = (request: Parameters<typeof verify>[0], at = now, check = verify) => {
	const result = check(request, at);
	return result.valid ? undefined : result.reason;
};

test("a genuine status is believed, and each means one state", async () => {
	const expected = {
		...{ submitted: "submitted", delivered: "delivered", rejected: "rejected", undeliverable: "undelivered" },
	};
	for (const [name, state] of Object.entries(expected)) {
		const result = verify(await withJwt(JSON.stringify({ ...status, status: name })), now);
		assert.ok(result.valid);
		assert.equal(result.replayKey, "j-1");
		assert.deepEqual(result.events, [
			{ eventId: `${uuid}.${name}`, carrierId: uuid, state, at: Date.UTC(2030, 0, 2, 3, 4, 0) },
		]);
	}
});

test("an error is told by what Vonage documents of it: who is gone has not opted out, and who has is told so", async () => {
	const told = {
		...{ "1": "other", "2": "handset_unreachable", "3": "invalid_recipient", "4": "invalid_recipient", "5": "other" },
		...{ "6": "content_refused", "7": "handset_unreachable", "8": "other", "9": "recipient_opted_out" },
		...{ "10": "invalid_request", "11": "invalid_recipient", "12": "invalid_recipient", "15": "other" },
		...{ "51": "sender_refused", "52": "content_refused", "99": "other" },
		...{ "1120": "sender_refused", "1180": "handset_unreachable", "1190": "invalid_recipient" },
		...{ "1210": "content_refused", "1240": "recipient_opted_out", "1241": "other", "1360": "validity_over" },
	};
	for (const [error, code] of Object.entries(told)) {
		const receipt =
			error.length < 4
				? { msisdn: "12025550142", messageId: "0A8DF711", status: "failed", "err-code": error }
				: { ...status, status: "rejected", error: { title: error } };
		assert.equal(verify(await withJwt(JSON.stringify(receipt)), now).events[0]?.code, code, error);
	}
});

test("what the vendor's library takes for signed is, and nothing else", async () => {
	const body = JSON.stringify(status);
	for (const options of [{}, { key: "other" }, { alg: "HS384" }, { alg: "HS512" }]) {
		const request = await withJwt(body, {}, options);
		const token = request.headers.authorization.slice("Bearer ".length);
		assert.equal(reasonOf(request) === undefined, verifySignature(token, secret), JSON.stringify(options));
	}
});

test("what the vendor's libraries do not check is checked: issuer, id, time, body and algorithm", async () => {
	const body = JSON.stringify(status);
	const bad: [Record<string, unknown>, string][] = [
		[{ iss: "vonage" }, "untrusted"],
		[{ iss: undefined }, "untrusted"],
		[{ jti: undefined }, "malformed"],
		[{ jti: 1 }, "malformed"],
		[{ iat: undefined }, "malformed"],
		[{ iat: `${seconds}` }, "malformed"],
		[{ payload_hash: undefined }, "bad_signature"],
		[{ payload_hash: sha256(`${body} `) }, "bad_signature"],
		[{ iat: seconds - 301 }, "stale"],
		[{ iat: seconds + 301 }, "stale"],
		[{ exp: seconds }, "stale"],
		[{ nbf: seconds + 1 }, "stale"],
	];
	for (const [claims, reason] of bad)
		assert.equal(reasonOf(await withJwt(body, claims)), reason, JSON.stringify(claims));
	assert.equal(reasonOf({ ...(await withJwt(body)), body: `${body} ` }), "bad_signature");
	assert.equal(reasonOf(await withJwt(body, {}, { alg: "HS512" })), "bad_signature");
	assert.equal(reasonOf(await withJwt(body, {}, { key: "other" })), "bad_signature");
	for (const edge of [-300, 300]) assert.equal(reasonOf(await withJwt(body, { iat: seconds + edge })), undefined);
});

test("a token that asks for what is not understood is not believed (RFC 7515, 4.1.11)", async () => {
	const body = JSON.stringify(status);
	const request = await withJwt(body);
	const [, claims] = request.headers.authorization.split(".");
	const head = Buffer.from(JSON.stringify({ alg: "HS256", crit: ["exp"] })).toString("base64url");
	const mac = createHmac("sha256", secret).update(`${head}.${claims}`).digest("base64url");
	const headers = { ...request.headers, authorization: `Bearer ${head}.${claims}.${mac}` };
	assert.equal(reasonOf({ ...request, headers }), "bad_signature");
});

test("a token covers a form too, as it is written, and nothing of a query", async () => {
	const receipt = { msisdn: "12025550142", messageId: "0A8DF711", status: "delivered", "err-code": "0" };
	const form = new URLSearchParams(receipt).toString();
	const request = await withJwt(form);
	for (const type of ["application/x-www-form-urlencoded", "application/json", undefined]) {
		const headers = { authorization: request.headers.authorization, ...(type && { "content-type": type }) };
		const told = verify({ ...request, headers }, now).events.map(({ carrierId, state }) => [carrierId, state]);
		assert.deepEqual(told, [["0A8DF711", "delivered"]], type);
	}
	assert.equal(reasonOf({ ...request, body: `${form}&status=failed` }), "bad_signature");
	const twice = verify(await withJwt(`${form}&status=failed`), now);
	assert.ok(twice.valid && twice.unread && twice.events.length === 0);
	const hidden = await withJwt(JSON.stringify([{ text: `&${form}&` }]));
	hidden.headers["content-type"] = "application/x-www-form-urlencoded";
	for (const body of [hidden, await withJwt(`\ufeff{"text":"&${form}&"`), await withJwt(`"&${form}&"`)]) {
		assert.deepEqual(verify(body, now).events, []);
	}
	const asked = { ...(await withJwt("")), url: `${url}?${form}` };
	assert.equal(reasonOf({ ...asked, method: "GET" }), "unsupported");
	assert.deepEqual(verify(asked, now).events, []);
});

test("a callback without any signature is unsigned, whatever else it bears", () => {
	const headers = { authorization: "Basic YTpi", "content-type": "application/json" };
	assert.equal(reasonOf({ method: "POST", url, headers, body: JSON.stringify(status) }), "unsigned");
	const nested = JSON.stringify({ ...status, usage: { currency: "EUR", price: "0.03" } });
	assert.equal(reasonOf({ method: "POST", url, headers, body: nested }), "unsigned");
	assert.equal(reasonOf({ method: "POST", url, headers, body: JSON.stringify({ sig: "00", usage: {} }) }), "malformed");
	assert.equal(
		reasonOf({ method: "GET", url: `${url}?messageId=1&status=delivered`, headers: {}, body: "" }),
		"unsigned",
	);
});

const dlr = {
	...{ msisdn: "12025550142", to: "Lethe", "network-code": "310000", messageId: "0A0000001234567B", price: "0.03" },
	...{ status: "delivered", scts: "3001020304", "err-code": "0", "api-key": "abcd1234" },
	...{ "message-timestamp": "2030-01-02 03:04:00", timestamp: String(seconds), nonce: "n-1" },
};

function sign(params: Record<string, string>, way: string, key = secret): string {
	const text = Object.keys(params)
		.sort()
		.map((name) => `&${name}=${params[name]?.replace(/[&=]/g, "_")}`)
		.join("");
	if (way === "md5hash")
		return createHash("md5")
			.update(text + key)
			.digest("hex");
	return createHmac(way, key).update(text).digest("hex");
}
function get(params: Record<string, string>, sig: string) {
	return { method: "GET", url: `${url}?${new URLSearchParams({ ...params, sig })}`, headers: {}, body: "" };
}

test("the older signature is believed in each of its ways, upper case too, and only in the one that is pinned", () => {
	for (const way of ["md5hash", "md5", "sha1", "sha256", "sha512"]) {
		const sig = sign(dlr, way);
		const result = verify(get(dlr, sig.toUpperCase()), now);
		assert.ok(result.valid, way);
		assert.deepEqual(result.events, [
			{
				eventId: "0A0000001234567B.delivered",
				carrierId: "0A0000001234567B",
				state: "delivered",
				at: Date.UTC(2030, 0, 2, 3, 4, 0),
			},
		]);
		for (const algorithm of ["md5hash", "md5", "sha1", "sha256", "sha512"]) {
			const pinned = verifyVonage({ settings: { algorithm }, secrets: { secret } });
			assert.equal(reasonOf(get(dlr, sig), now, pinned), algorithm === way ? undefined : "bad_signature");
		}
	}
	for (const [algorithm, way] of Object.entries({
		...{ "MD5 HASH signature": "md5hash", "MD5 HMAC signature": "md5", "SHA-256 HMAC signature": "sha256" },
		...{ SHA1HMAC: "sha1", SHA512HMAC: "sha512", HMAC_SHA256: "sha256", HS256: "sha256", jwt: "sha512" },
	})) {
		const pinned = verifyVonage({ settings: { algorithm }, secrets: { secret } });
		assert.equal(reasonOf(get(dlr, sign(dlr, way)), now, pinned), undefined, algorithm);
	}
	assert.throws(() => verifyVonage({ settings: { algorithm: "crc32" }, secrets: { secret } }), TypeError);
});

test("by form, by JSON or by query, it is the same callback", () => {
	const sig = sign(dlr, "sha256");
	const form = { method: "POST", url, headers: { "content-type": "application/x-www-form-urlencoded" } };
	assert.equal(reasonOf({ ...form, body: new URLSearchParams({ ...dlr, sig }).toString() }), undefined);
	const json = { method: "POST", url, headers: { "content-type": "application/json" } };
	assert.equal(reasonOf({ ...json, body: JSON.stringify({ ...dlr, sig }) }), undefined);
	assert.equal(reasonOf({ ...json, body: JSON.stringify({ ...dlr, sig, more: {} }) }), "malformed");
});

test("a parameter changed, a stale time and one that is no number are told apart", () => {
	const sig = sign(dlr, "sha256");
	assert.equal(reasonOf(get({ ...dlr, status: "failed" }, sig)), "bad_signature");
	assert.equal(reasonOf(get(dlr, sign(dlr, "sha256", "other"))), "bad_signature");
	assert.equal(reasonOf(get(dlr, "")), "malformed");
	for (const [shift, stale] of [
		[300, false],
		[301, true],
		[-301, true],
	] as const) {
		assert.equal(reasonOf(get(dlr, sig), now + shift * 1000), stale ? "stale" : undefined);
	}
	for (const timestamp of ["", "NaN", `${seconds}x`, "2030-01-02 03:04:00", `-${seconds}`]) {
		const odd = { ...dlr, timestamp };
		assert.equal(reasonOf(get(odd, sign(odd, "sha256"))), "malformed", timestamp);
	}
});

test("names and values that could be cut elsewhere under the same signature are not believed", () => {
	const sig = sign(dlr, "sha256");
	const { status: _status, scts: _scts, ...rest } = dlr;
	const folded = { ...rest, "scts=3001020304&status": "delivered" };
	const swapped = { ...dlr, messageId: "a_b" };
	assert.equal(reasonOf(get(folded, sig)), "malformed");
	for (const messageId of ["a&b", "a=b"]) {
		assert.equal(sign({ ...dlr, messageId }, "sha256"), sign(swapped, "sha256"));
		assert.equal(reasonOf(get({ ...dlr, messageId }, sign(swapped, "sha256"))), "malformed");
	}
	const doubled = `${get(dlr, sig).url}&status=failed`;
	assert.equal(reasonOf({ ...get(dlr, sig), url: doubled }), "malformed");
});

test("what is read of nobody may hold separators: a reference of the caller's own is believed, and tells nothing", () => {
	const told = verify(get({ ...dlr, "client-ref": "a_b" }, sign({ ...dlr, "client-ref": "a_b" }, "sha256")), now);
	for (const value of ["a&b=c", "a=b", "a&"]) {
		const referred = { ...dlr, "client-ref": value };
		const result = verify(get(referred, sign(referred, "sha256")), now);
		assert.ok(result.valid && told.valid, value);
		assert.deepEqual(result.events, told.events);
	}
});

test("a callback without its nonce is not believed, however it is signed", () => {
	const { nonce: _, ...bare } = dlr;
	assert.equal(reasonOf(get(bare, sign(bare, "sha256"))), "malformed");
});

test("a nonce spelled otherwise under the same signature is the same callback, or is not believed", () => {
	const mo = { ...{ msisdn: "12025550142", to: "12025550100", messageId: "0B01", text: "a & b", keyword: "A & B" } };
	const written = { ...mo, timestamp: String(seconds), nonce: "n_1" };
	const sig = sign(written, "sha256");
	const genuine = verify(get(written, sig), now);
	assert.ok(genuine.valid);
	for (const nonce of ["n&1", "n=1"]) {
		assert.equal(sign({ ...written, nonce }, "sha256"), sig);
		const again = verify(get({ ...written, nonce }, sig), now);
		assert.ok(again.valid);
		assert.equal(again.replayKey, genuine.replayKey);
	}
	const respelled = verify(get({ ...written, text: "a _ b" }, sig), now);
	assert.ok(respelled.valid);
	assert.equal(respelled.replayKey, genuine.replayKey);
});

test("what a recipient wrote is told as it was, whatever its separators", () => {
	const mo = {
		...{ msisdn: "12025550142", to: "12025550100", messageId: "0B01", text: "a & b = c", type: "text" },
		...{ timestamp: String(seconds), nonce: "n" },
	};
	const result = verify(get(mo, sign(mo, "md5hash")), now);
	assert.ok(result.valid);
	const [message] = result.messages;
	assert.deepEqual(
		[message?.from.reveal(), message?.to, message?.text.reveal()],
		["+12025550142", "+12025550100", mo.text],
	);
});

test("what the older SMS API brings in parts is told to be a part", () => {
	const mo = {
		...{ msisdn: "12025550142", to: "12025550100", messageId: "0B01", text: "start" },
		...{ timestamp: String(seconds), nonce: "n", "concat-ref": "1", "concat-total": "2", "concat-part": "2" },
	};
	for (const [concat, isPart] of [
		["true", true],
		["false", undefined],
	] as const) {
		const part = { ...mo, concat };
		assert.equal(verify(get(part, sign(part, "sha256")), now).messages[0]?.isPart, isPart, concat);
	}
});
