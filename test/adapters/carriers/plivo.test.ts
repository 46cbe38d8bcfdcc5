// Plivo's callbacks, judged as its own library judges them, and by what that library does not ask.

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { validateV3Signature } from "plivo";
import { verifyPlivo } from "../../../adapters/carriers/plivo.ts";

const secret = "plivo-auth-token";
const now = Date.UTC(2030, 0, 2, 3, 4, 5);
const verify = verifyPlivo({ settings: {}, secrets: { secret } });
const url = "https://lethe.example/v1/callbacks/plivo/q/receipts";
const uuid = "4a8a1f2c-0000-4000-8000-0123456789ab";
const sent = { From: "12025550100", MessageUUID: uuid, Status: "delivered", To: "12025550142", TotalRate: "0.0055" };
const nonce = "05429567804466091622";

type Pairs = [string, string][];
const form = (pairs: Pairs) => new URLSearchParams(pairs).toString();

/** As the documentation says that it is signed; each use is held against the library too. */
function sign(method: "GET" | "POST", address: string, pairs: Pairs, key = secret, mark = nonce): string {
	const [base = "", query = ""] = address.split("?");
	const order = ([a, x]: [string, string], [b, y]: [string, string]) => (a < b ? -1 : a > b ? 1 : x < y ? -1 : 1);
	const sorted = [...new URLSearchParams(query)].sort(order);
	const queryText = sorted.map(([name, value]) => `${name}=${value}`).join("&");
	const text = pairs
		.toSorted(order)
		.map(([name, value]) => name + value)
		.join("");
	const join = query || text ? "?" : "";
	const dot = query && method === "POST" && text ? "." : "";
	return createHmac("sha256", key).update(`${base}${join}${queryText}${dot}${text}.${mark}`).digest("base64");
}

function post(params: Record<string, string>, options: { header?: string; signature?: string; url?: string } = {}) {
	const { header = "x-plivo-signature-v3", url: address = url } = options;
	const signature = options.signature ?? sign("POST", address, Object.entries(params));
	const headers = {
		"content-type": "application/x-www-form-urlencoded",
		"x-plivo-signature-v3-nonce": nonce,
		[header]: signature,
	};
	return { method: "POST", url: address, headers, body: form(Object.entries(params)) };
}

function get(address: string) {
	const headers = { "x-plivo-signature-v3": sign("GET", address, []), "x-plivo-signature-v3-nonce": nonce };
	return { method: "GET", url: address, headers, body: "" };
}
const reasonOf = (request: Parameters<typeof verify>[0]) => {
	const result = verify(request, now);
	return result.valid ? undefined : result.reason;
};

test("a genuine receipt is believed under either token's header, by GET or POST, alone or in a list", () => {
	const signature = sign("POST", url, Object.entries(sent));
	for (const request of [
		post(sent),
		post(sent, { header: "x-plivo-signature-ma-v3" }),
		post(sent, { signature: `${"A".repeat(43)}=,${signature}` }),
		post(sent, { signature: `invalid,,  ${signature}` }),
		post(sent, { url: `${url}?tenant=b&area=a` }),
		get(`${url}?${form(Object.entries(sent))}`),
	]) {
		const result = verify(request, now);
		assert.ok(result.valid, JSON.stringify(request));
		assert.deepEqual(result.events, [{ eventId: `${uuid}.delivered`, carrierId: uuid, state: "delivered", at: now }]);
	}
});

test("each status means one state, and each error a code of ours", () => {
	const expected = {
		...{ queued: "pending", sent: "submitted", delivered: "delivered" },
		...{ undelivered: "undelivered", failed: "undelivered", rejected: "rejected" },
	};
	for (const [Status, state] of Object.entries(expected)) {
		assert.equal(verify(post({ ...sent, Status }), now).events[0]?.state, state);
	}
	const errors = {
		...{ "10": "content_refused", "20": "other", "30": "content_refused", "40": "sender_refused" },
		...{ "50": "invalid_recipient", "70": "invalid_recipient", "80": "handset_unreachable", "90": "invalid_recipient" },
		...{ "200": "recipient_opted_out", "420": "validity_over", "450": "invalid_recipient" },
	};
	for (const [ErrorCode, code] of Object.entries(errors)) {
		const failed = post({ ...sent, Status: "failed", ErrorCode, Sequence: "2" });
		assert.equal(verify(failed, now).events[0]?.code, code, ErrorCode);
	}
	assert.equal(verify(post({ ...sent, ErrorCode: "000" }), now).events[0]?.code, undefined);
});

test("whatever the parameters, the verdict is that of the vendor's library", () => {
	const text = fc.string({ unit: fc.constantFrom("a", "B", "1", "ü", "+", " ", "%", "/"), maxLength: 8 });
	const name = fc.string({ unit: fc.constantFrom("a", "B", "c", "D1"), minLength: 1, maxLength: 3 });
	const params = fc.dictionary(name, text, { maxKeys: 5, noNullPrototype: true });
	fc.assert(
		fc.property(params, params, fc.boolean(), fc.boolean(), (query, fields, isGet, isForged) => {
			const method = isGet ? "GET" : "POST";
			const address = Object.keys(query).length ? `${url}?${form(Object.entries(query))}` : url;
			const given = isGet ? {} : fields;
			const signature = sign(method, address, Object.entries(given), isForged ? "other" : secret);
			const headers = { "x-plivo-signature-v3": signature, "x-plivo-signature-v3-nonce": nonce };
			const request = { method, url: address, headers, body: isGet ? "" : form(Object.entries(fields)) };
			const theirs = validateV3Signature(method, address, nonce, secret, signature, given);
			assert.equal(theirs, !isForged);
			assert.equal(verify(request, now).valid, theirs);
		}),
		{ numRuns: 300 },
	);
});

test("any parameter changed, added or gone, another address, nonce or token is a forgery", () => {
	const signature = sign("POST", url, Object.entries(sent));
	for (const name of Object.keys(sent)) {
		const rest = Object.fromEntries(Object.entries(sent).filter(([key]) => key !== name));
		assert.equal(reasonOf(post(rest, { signature })), "bad_signature", name);
		assert.equal(reasonOf(post({ ...sent, [name]: "x" }, { signature })), "bad_signature", name);
	}
	assert.equal(reasonOf(post({ ...sent, New: "" }, { signature })), "bad_signature");
	assert.equal(reasonOf(post(sent, { signature, url: `${url}?a=b` })), "bad_signature");
	assert.equal(reasonOf(post(sent, { signature: sign("POST", url, Object.entries(sent), "other") })), "bad_signature");
	const other = post(sent);
	other.headers["x-plivo-signature-v3-nonce"] = "1";
	assert.equal(reasonOf(other), "bad_signature");
	assert.equal(reasonOf({ ...get(`${url}?Status=sent`), url: `${url}?Status=delivered` }), "bad_signature");
});

test("a nonce with a dot would let text move into it, and is refused", () => {
	const pairs = Object.entries(sent);
	const moved = ".7";
	const signature = sign("POST", url, pairs, secret, `x${moved}`);
	const request = post(sent, { signature });
	request.headers["x-plivo-signature-v3-nonce"] = `x${moved}`;
	assert.equal(validateV3Signature("POST", url, `x${moved}`, secret, signature, { ...sent }), true);
	assert.equal(reasonOf(request), "malformed");
});

test("parameters cut elsewhere bear the same signature and are not believed", () => {
	const { Status, MessageUUID, ...rest } = sent;
	const signature = sign("POST", url, Object.entries(sent));
	for (const params of [
		{ ...rest, MessageUUID, Statu: `s${Status}` },
		{ ...rest, MessageUUID: `${MessageUUID}Status${Status}` },
		{ ...rest, From: `${sent.From}MessageUUID${MessageUUID}`, Status },
	]) {
		assert.equal(sign("POST", url, Object.entries(params)), signature);
		assert.equal(reasonOf(post(params, { signature })), "malformed", JSON.stringify(params));
	}
});

test("a message whose text looks like fields is no receipt by GET", () => {
	const Text = `x=1&MessageUUID=${uuid}&Status=delivered&Z=`;
	const written = { From: "1", MessageUUID: "ab", Text, To: "2" };
	const signature = sign("POST", url, Object.entries(written));
	const query = new URLSearchParams({
		...{ From1MessageUUIDabTextx: "1", MessageUUID: uuid, Status: "delivered", Z: "To2" },
	});
	const address = `${url}?${query}`;
	assert.equal(validateV3Signature("GET", address, nonce, secret, signature), true);
	const headers = { "x-plivo-signature-v3": signature, "x-plivo-signature-v3-nonce": nonce };
	assert.equal(reasonOf({ method: "GET", url: address, headers, body: "" }), "malformed");
	assert.equal(verify(post(written), now).messages[0]?.text.reveal(), Text);
});

test("what a recipient wrote hides no field in another's name or value, or between two", () => {
	const written = (Text: string) => ({ From: "12025550142", MessageUUID: uuid, Text, To: "12025550100", Type: "sms" });
	const { From, MessageUUID, To } = written("");
	const other = "db3ce55a-7f1d-11e1-8ea7-1231380bc196";
	const attacks: [string, Record<string, string>][] = [
		["xStatusdeliveredZ", { From, MessageUUID: `${uuid}Textx`, Status: "delivered", Z: `To${To}Typesms` }],
		["hiTo12025550199ToX", { From, MessageUUID, Text: "hi", To: "12025550199", ToXTo: To, Type: "sms" }],
		["hiTo12025550199ToX", { From, MessageUUID, Text: "hi", To: "12025550199", ToX: `To${To}`, Type: "sms" }],
		["hiTo12025550199Tp", { From, MessageUUID, Text: "hi", To: "12025550199", TpT: `o${To}`, Type: "sms" }],
	];
	// A name into which others were joined, and a number into which the next name was.
	attacks.push(
		[
			`MessageUUID${other}Statusdelivered`,
			{ [`From${From}MessageUUID`]: `${uuid}Text`, MessageUUID: other, Status: "delivered", To, Type: "sms" },
		],
		["STOP", { [`From${From}MessageUUID${uuid}TextSTOP`]: "", To, Type: "sms" }],
		["STOP", { From, MessageUUID, Text: "STOP", To: `${To}Typesms` }],
	);
	for (const [Text, params] of attacks) {
		const signature = sign("POST", url, Object.entries(written(Text)));
		assert.equal(sign("POST", url, Object.entries(params)), signature, Text);
		const result = verify(post(params, { signature }), now);
		assert.deepEqual([result.events, result.messages], [[], []], Text);
		assert.equal(verify(post(written(Text)), now).messages[0]?.text.reveal(), Text);
	}
});

test("what is rightly signed and tells of a message otherwise than documented is authentic, and brings nothing", () => {
	const written: Pairs = Object.entries({ From: "1202", MessageUUID: uuid, Text: "STOP", To: "12025550100" });
	const odd: Pairs[] = [
		Object.entries({ ...sent, Status: "teleported" }),
		[...Object.entries(sent), ["Status", "failed"]],
		[...written, ["Text", "START"]],
		written.filter(([name]) => name !== "Text"),
	];
	for (const pairs of odd) {
		const result = verify({ ...post({}, { signature: sign("POST", url, pairs) }), body: form(pairs) }, now);
		assert.ok(result.valid && result.unread, JSON.stringify(pairs));
		assert.deepEqual([result.events, result.messages], [[], []]);
	}
});

test("a known name within a foreign name or value takes nothing from a receipt, however long a name", () => {
	const foreign: Record<string, string>[] = [{ StatusCode: "200" }, { ErrorCodeText: "no" }, { Zzz: "Status" }];
	foreign.push({ TendlcRegistrationStatus: "unregistered" });
	for (const more of [...foreign, { ["N".repeat(70)]: "1" }]) {
		const params = { ...sent, ...more };
		assert.equal(verify(post(params), now).events[0]?.state, "delivered", JSON.stringify(more));
		assert.equal(verify(get(`${url}?${form(Object.entries(params))}`), now).events[0]?.state, "delivered");
	}
	assert.equal(verify(post(sent, { url: `${url}?kind=Status` }), now).events[0]?.state, "delivered");
});

test("the signature V2 covers no field, and authenticates nothing", () => {
	const base = createHmac("sha256", secret).update(`${url}${nonce}`).digest("base64");
	const headers = { "x-plivo-signature-v2": base, "x-plivo-signature-v2-nonce": nonce };
	assert.equal(reasonOf({ ...post(sent), headers } as never), "unsupported");
	assert.equal(reasonOf({ ...post(sent), headers: {} } as never), "unsigned");
});

test("what a recipient wrote is told as it was", () => {
	const written = { From: "12025550142", To: "12025550100", Text: "stop & go = 1", Type: "sms", MessageUUID: uuid };
	const result = verify(post(written), now);
	assert.ok(result.valid);
	const [message] = result.messages;
	assert.deepEqual(
		[message?.from.reveal(), message?.to, message?.text.reveal()],
		["+12025550142", "+12025550100", written.Text],
	);
});
