// Twilio's callbacks as its own library signs them; what that library does not check is checked here.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import twilio from "twilio";
import { verifyTwilio } from "../../../adapters/carriers/twilio.ts";

const secret = "12345";
const now = Date.UTC(2030, 0, 2, 3, 4, 5);
const verify = verifyTwilio({ settings: {}, secrets: { secret } });
const url = "https://lethe.example/v1/callbacks/twilio/q/receipts?tenant=a%27b";
const sent = {
	AccountSid: `AC${"0".repeat(32)}`,
	ApiVersion: "2010-04-01",
	From: "+12025550100",
	MessageSid: `SM${"1".repeat(32)}`,
	MessageStatus: "delivered",
	SmsSid: `SM${"1".repeat(32)}`,
	SmsStatus: "delivered",
	To: "+12025550142",
};

type Params = Record<string, string | string[]>;

function post(params: Params, options: { signed?: Params; url?: string; signedUrl?: string; token?: string } = {}) {
	const body = new URLSearchParams(
		Object.entries(params).flatMap(([name, value]) => [value].flat().map((each): [string, string] => [name, each])),
	).toString();
	const signature = twilio.getExpectedTwilioSignature(
		options.token ?? secret,
		options.signedUrl ?? options.url ?? url,
		options.signed ?? params,
	);
	const headers = { "x-twilio-signature": signature, "content-type": "application/x-www-form-urlencoded" };
	return { method: "POST", url: options.url ?? url, headers, body };
}
const reasonOf = (request: ReturnType<typeof post>) => {
	const result = verify(request, now);
	return result.valid ? undefined : result.reason;
};

test("a genuine receipt is believed, whatever unknown or repeated parameters Twilio adds", () => {
	const added: Params[] = [{}, { New: "x" }, { Tag: ["b", "a", "b"] }, { RawDlrDoneDate: "3001020304" }];
	for (const more of added) {
		const result = verify(post({ ...sent, ...more }), now);
		assert.ok(result.valid);
		assert.deepEqual(result.events, [
			{ eventId: `${sent.MessageSid}.delivered`, carrierId: sent.MessageSid, state: "delivered", at: now },
		]);
	}
});

test("a receipt of a sender by name is believed, whatever Twilio lets that hold", () => {
	const named = verify(post({ ...sent, From: "A&B +-_ 1" }), now);
	assert.equal(named.events[0]?.state, "delivered");
});

test("each status means one state, and each error a code of ours", () => {
	const expected = {
		...{ accepted: "pending", scheduled: "pending", queued: "pending", sending: "pending", sent: "submitted" },
		...{ delivered: "delivered", read: "delivered" },
		...{ undelivered: "undelivered", failed: "undelivered", canceled: "undelivered" },
	};
	for (const [status, state] of Object.entries(expected)) {
		const result = verify(post({ ...sent, MessageStatus: status, SmsStatus: status }), now);
		assert.equal(result.events[0]?.state, state, status);
	}
	const failed = { ...sent, MessageStatus: "undelivered", SmsStatus: "undelivered" };
	for (const [ErrorCode, code] of Object.entries({ "30003": "handset_unreachable", "99999": "other" })) {
		assert.equal(verify(post({ ...failed, ErrorCode }), now).events[0]?.code, code);
	}
});

test("the address counts with and without its port, and with the query that Twilio's back ends escape", () => {
	const bare = "https://lethe.example/cb?a=b";
	const ported = "https://lethe.example:443/cb?a=b";
	for (const [called, signedUrl] of [
		[bare, ported],
		[ported, bare],
		["http://lethe.example/cb", "http://lethe.example:80/cb"],
		["https://lethe.example:8443/cb", "https://lethe.example/cb"],
		["https://lethe.example:8443/cb", "https://lethe.example:8443/cb"],
		["https://lethe.example/cb?n=O'Hara", "https://lethe.example/cb?n=O%27Hara"],
		["https://lethe.example/cb?n=O'Hara", "https://lethe.example:443/cb?n=O'Hara"],
	] as const) {
		assert.equal(reasonOf(post(sent, { url: called, signedUrl })), undefined, `${called} ${signedUrl}`);
		assert.equal(
			twilio.validateRequest(secret, post(sent, { signedUrl }).headers["x-twilio-signature"], called, sent),
			true,
		);
	}
	for (const signedUrl of [
		"https://lethe.example:444/cb?a=b",
		"http://lethe.example/cb?a=b",
		"https://lethe.example/cb",
	]) {
		assert.equal(reasonOf(post(sent, { url: bare, signedUrl })), "bad_signature", signedUrl);
	}
});

test("any parameter changed, added or gone is a forgery, and so is another account's token", () => {
	for (const name of Object.keys(sent)) {
		const { [name as keyof typeof sent]: _gone, ...rest } = sent;
		assert.equal(reasonOf(post(rest, { signed: sent })), "bad_signature", name);
		assert.equal(reasonOf(post({ ...sent, [name]: "x" }, { signed: sent })), "bad_signature", name);
	}
	assert.equal(reasonOf(post({ ...sent, New: "" }, { signed: sent })), "bad_signature");
	assert.equal(reasonOf(post(sent, { token: "other" })), "bad_signature");
	assert.equal(reasonOf({ ...post(sent), headers: { ...post(sent).headers, "x-twilio-signature": "" } }), "malformed");
});

test("parameters cut elsewhere bear the same signature and are not believed", () => {
	const collisions: Params[] = [
		{ ...without("MessageStatus"), MessageStatu: "sdelivered" },
		{ ...without("MessageSid", "MessageStatus"), MessageSid: `${sent.MessageSid}MessageStatusdelivered` },
		{ ...without("AccountSid", "ApiVersion"), AccountSid: `${sent.AccountSid}ApiVersion2010-04-01`, From: sent.From },
		{ ...without("From", "MessageSid"), From: `${sent.From}MessageSid${sent.MessageSid}` },
		{
			A: Object.entries(sent)
				.map(([name, value]) => name + value)
				.join("")
				.slice(1),
		},
	];
	for (const params of collisions) {
		const request = post(params, { signed: sent });
		assert.equal(twilio.validateRequest(secret, request.headers["x-twilio-signature"], url, params), true);
		assert.equal(reasonOf(request), "malformed", JSON.stringify(params));
	}
});

test("what is cut between address and parameters, or hidden in what a recipient wrote, is not believed either", () => {
	const { AccountSid, ...rest } = sent;
	const longer = `${url}AccountSid${AccountSid}`;
	const moved = post(rest, { url: longer, signed: sent, signedUrl: url });
	assert.equal(twilio.validateRequest(secret, moved.headers["x-twilio-signature"], longer, rest), true);
	assert.equal(reasonOf(moved), "malformed");
	const Body = `xMessageSid${sent.MessageSid}MessageStatusdeliveredZ`;
	const written = { ...without("MessageStatus", "SmsStatus"), Body };
	const forged = {
		...{ AccountSid, ApiVersion: `${sent.ApiVersion}Bodyx`, MessageSid: sent.MessageSid, MessageStatus: "delivered" },
		Z: `From${sent.From}MessageSid${sent.MessageSid}SmsSid${sent.SmsSid}To${sent.To}`,
	};
	const hidden = post(forged, { signed: written });
	assert.equal(twilio.validateRequest(secret, hidden.headers["x-twilio-signature"], url, forged), true);
	assert.equal(reasonOf(hidden), "malformed");
	assert.equal(verify(post(written), now).messages[0]?.text.reveal(), Body);
});

test("what a recipient wrote hides no field in another's name or value, or between two, whichever holds the rest", () => {
	const other = `SM${"2".repeat(32)}`;
	const place = { FromCity: "OSLO", SmsMessageSid: sent.MessageSid };
	const { AccountSid, ApiVersion, From, MessageSid, SmsSid, To } = sent;
	const sentBy = { AccountSid, ApiVersion, From, MessageSid, SmsSid, SmsStatus: "received", To };
	const writing = (Body: string) => ({ ...sentBy, ...place, Body });
	const rest = `SmsMessageSid${MessageSid}SmsSid${SmsSid}SmsStatusreceived`;
	const tail = `From${From}FromCityOSLOMessageSid${MessageSid}${rest}`;
	const head = { AccountSid, ApiVersion: `${ApiVersion}Bodyx`, MessageSid: other, MessageStatus: "delivered" };
	const before = `xMessageSid${other}MessageStatusdelivered`;
	const split: Params = { Z: `From${From}FromCityOSLOMess`, ageSid: `${MessageSid}S`, msMess: `ageSid${MessageSid}S` };
	const attacks: [string, Params][] = [
		[`${before}ProfileName`, { ...head, ProfileName: tail, To }],
		[`${before}Z`, { ...head, ...split, msSid: `${SmsSid}S`, msStatus: `receivedTo${To}` }],
		["STOPFrom+12025550199FromC", { ...writing("STOP"), From: "+12025550199", FromC: `From${From}`, FromCity: "OSLO" }],
		[
			`STOPFrom+12025550199MessageSid${other}ProfileName`,
			{ AccountSid, ApiVersion, Body: "STOP", From: "+12025550199", MessageSid: other, ProfileName: tail, To },
		],
		[
			"STOPFrom+12025550199FromA",
			{ ...writing("STOP"), From: "+12025550199", FromAFrom: From, FromCity: place.FromCity },
		],
	];
	for (const [Body, params] of attacks) {
		const request = post(params, { signed: writing(Body) });
		assert.equal(twilio.validateRequest(secret, request.headers["x-twilio-signature"], url, params), true, Body);
		assert.equal(reasonOf(request), "malformed", Body);
		assert.equal(verify(post(writing(Body)), now).messages[0]?.text.reveal(), Body);
	}
});

test("a name into which others were joined hides no field that decides", () => {
	const other = `SM${"2".repeat(32)}`;
	const id = "SM3a1f0b2c9d8e7f6a5b4c3d2e1f0a9b8c";
	const Body = `MessageSid${other}MessageStatusdeliveredN`;
	const ids = { MessageSid: id, SmsMessageSid: id, SmsSid: id, SmsStatus: "received" };
	const place = { FromCity: "SAN FRANCISCO", FromCountry: "US", FromState: "CA", FromZip: "94105" };
	const counts = { NumMedia: "0", NumSegments: "1" };
	const genuine = {
		AccountSid: sent.AccountSid,
		ApiVersion: sent.ApiVersion,
		Body,
		From: sent.From,
		...place,
		...ids,
		...counts,
		To: sent.To,
	};
	const cut = {
		...{
			AccountSid: sent.AccountSid,
			ApiVersion: `${sent.ApiVersion}Body`,
			MessageSid: other,
			MessageStatus: "delivered",
		},
		N: `From${sent.From}FromCitySAN FRANCISCOFromCountryUSFromStateCAFrom`,
		Zip94105MessageSid: "SM3",
		a1f0b2c9d8e7f6a5b4c3d2e1f0a9b8cNumMedia0NumSegments1SmsMessageSid: "SM3a1f0",
		b2c9d8e7f6a5b4c3d2e1f0a9b8cSmsSid: "SM3a1f0b2",
		c9d8e7f6a5b4c3d2e1f0a9b8cSmsStatus: `receivedTo${sent.To}`,
	};
	const request = post(cut, { signed: genuine });
	assert.equal(twilio.validateRequest(secret, request.headers["x-twilio-signature"], url, cut), true);
	assert.equal(reasonOf(request), "malformed");
	assert.equal(verify(post(genuine), now).messages[0]?.text.reveal(), Body);
});

test("what has a message's fields and a call's is unread, so that a text about calls still comes", () => {
	const { MessageStatus, SmsStatus, ...base } = sent;
	const genuine = { ...base, Body: "STOP CallSidCA1", SmsStatus: "received" };
	const result = verify(post({ ...genuine, Body: "STOP ", CallSid: "CA1" }), now);
	assert.ok(result.valid && result.unread);
	assert.deepEqual([result.events, result.messages], [[], []]);
	assert.equal(verify(post(genuine), now).messages[0]?.text.reveal(), genuine.Body);
});

test("a message is itself under every cut of what follows its id or its numbers: none is another one, or uses it up", () => {
	const { MessageStatus, SmsStatus, ...base } = sent;
	const genuine = { ...base, Body: "START", FromCity: "OSLO", NumMedia: "0", NumSegments: "1", SmsStatus: "received" };
	const { NumMedia, FromCity, ...rest } = genuine;
	for (const cut of [
		{ ...rest, FromCity, MessageSid: `${genuine.MessageSid}NumMedia0` },
		{ ...rest, NumMedia, From: `${genuine.From}FromCityOSLO` },
	]) {
		const request = post(cut, { signed: genuine });
		assert.equal(twilio.validateRequest(secret, request.headers["x-twilio-signature"], url, cut), true);
		const result = verify(request, now);
		assert.ok(result.valid && result.unread);
		assert.deepEqual([result.events, result.messages], [[], []]);
	}
	assert.equal(verify(post(genuine), now).messages.length, 1);
});

test("of other channels, which bring a writer's name and place as well, no text holds what a sender's address looks like", () => {
	const { AccountSid, ApiVersion, MessageSid, To } = sent;
	const other = `SM${"2".repeat(32)}`;
	const who = { AccountSid, ApiVersion, From: "whatsapp:+12025550100", MessageSid, To: `whatsapp:${To}` };
	const whole = { ...who, Body: "hi", SmsStatus: "received" };
	const victim = "whatsapp:+12025550199";
	const until = `hiFrom${who.From}`;
	const attacks: [Params, Params][] = [
		[{ Label: `xFrom${victim}` }, { ...whole, Body: `${until}Labelx`, From: victim }],
		[
			{ ProfileName: `xFrom${victim}MessageSid${other}` },
			{ ...whole, Body: `${until}MessageSid${MessageSid}ProfileNamex`, From: victim, MessageSid: other },
		],
	];
	const service = { MessagingServiceSid: `MG${"3".repeat(32)}` };
	const unnumbered = { From: "whatsapp:DE.13491208655302741918" };
	const plain = "+12025550199";
	attacks.push(
		// What tells the channel is cut as well.
		[
			{ ...service, Label: `xFrom${plain}`, WaId: "1" },
			{ ...whole, ...service, Body: `${until}Labelx`, From: plain, To: "w", [`hatsapp:${To}WaId`]: "1" },
		],
		[
			{ ...unnumbered, Label: `xFrom${plain}` },
			{ ...whole, Body: `hiFrom${unnumbered.From}Labelx`, From: plain },
		],
	);
	for (const [more, params] of attacks) {
		const request = post(params, { signed: { ...whole, ...more } });
		assert.equal(twilio.validateRequest(secret, request.headers["x-twilio-signature"], url, params), true);
		assert.equal(reasonOf(request), "malformed");
		assert.equal(reasonOf(post({ ...whole, ...more })), "malformed", "which of the two was signed, nobody can tell");
	}
	assert.equal(verify(post(whole), now).messages[0]?.from.reveal(), who.From);
	// What people write all the same.
	for (const Body of ["Total:5 EUR", "Today:3pm ok?", "Anna:2,Tom:1", "Token:123456", "open 5To6", "STOP\nTor:1"]) {
		assert.equal(verify(post({ ...whole, Body }), now).messages[0]?.text.reveal(), Body);
	}
});

test("whatever a recipient writes, no cut of it is a receipt, or of another's hand", () => {
	const { MessageStatus, SmsStatus, ...base } = sent;
	const other = `SM${"2".repeat(32)}`;
	const names = ["AccountSid", "ApiVersion", "Body", "From", "FromCity", "MessageSid", "MessageStatus", "SmsSid", "To"];
	const bits = [...names, "ErrorCode", "ProfileName", "Z", "a", "x", "STOP", "delivered", "SM", other, "+12025550199"];
	const places = ["AccountSid", "ApiVersion", "Body", "From", "FromCity", "MessageSid", "SmsSid", "SmsStatus", "To"];
	const written = fc.array(fc.constantFrom(...bits), { minLength: 1, maxLength: 9 });
	// Of each piece: no field begins with it, or one does, or one of whose name it is the beginning, the end, or a part; or it
	// is joined to the name before it.
	const cuts = fc.array(fc.nat({ max: 28 }), { minLength: 30, maxLength: 30 });
	let believed = 0;
	fc.assert(
		fc.property(written, cuts, (body, ways) => {
			const signed = { ...base, Body: body.join(""), FromCity: "OSLO", SmsStatus: "received" };
			const pieces = places.flatMap((name) => [name, ...(name === "Body" ? body : [Object(signed)[name]])]);
			const genuine = new Set(places.map((name) => pieces.indexOf(name, name > "Body" ? 5 + body.length : 0)));
			const fields: [string, string][] = [];
			for (const [at, piece] of pieces.entries()) {
				// Mostly as it was signed: what is cut everywhere is nothing.
				const drawn = at === 0 ? 5 : (ways[at] ?? 5);
				const way = drawn < 5 ? drawn : Number(genuine.has(at) || (drawn > 20 && drawn < 25));
				const name = piece.slice(way === 3 || way === 4 ? 1 : 0, way === 2 || way === 4 ? -1 : undefined);
				const last = fields.at(-1);
				if (drawn > 24 && last?.[1] === "") last[0] += piece;
				else if (way && name !== "" && name > (last?.[0] ?? "")) {
					if (last) last[1] += piece.slice(0, piece.indexOf(name));
					fields.push([name, piece.slice(piece.indexOf(name) + name.length)]);
				} else if (last) last[1] += piece;
			}
			const request = post(Object.fromEntries(fields), { signed });
			assert.notEqual(reasonOf(request), "bad_signature");
			const { events, messages } = verify(request, now);
			assert.deepEqual(events, [], request.body);
			for (const { from } of messages) assert.ok(from.reveal().startsWith(sent.From), request.body);
			believed += messages.length;
		}),
		{ numRuns: 5000 },
	);
	assert.ok(believed > 0);
});

test("what is rightly signed and tells of a message otherwise than documented is authentic, and brings nothing", () => {
	const { MessageStatus, SmsStatus, ...base } = sent;
	const odd: Params[] = [
		{ ...sent, MessageStatus: "teleported", SmsStatus: "teleported" },
		{ ...sent, MessageStatus: ["delivered", "failed"] },
		{ ...sent, SmsStatus: "sent" },
		{ ...sent, SmsSid: `SM${"0".repeat(32)}` },
		{ ...sent, To: [sent.To, "+12025550143"] },
		{ ...base, Body: ["STOP", "START"] },
		{ From: sent.From, To: sent.To, Body: "STOP" },
		without("MessageSid", "SmsSid"),
	];
	for (const params of odd) {
		const result = verify(post(params), now);
		assert.ok(result.valid && result.unread, JSON.stringify(params));
		assert.deepEqual([result.events, result.messages], [[], []]);
	}
});

test("a name within the address's own query or a foreign value takes nothing from a receipt", () => {
	const holding: Params[] = [
		{ Zzz: "MessageStatus" },
		{ ErrorCodeText: "none" },
		{ MessageStatusAt: "3001020304" },
		{ AddOns: '{"status":"successful","MessageSid":"x","From":"+12025550100"}' },
	];
	for (const more of holding) {
		assert.equal(verify(post({ ...sent, ...more }), now).events[0]?.state, "delivered", JSON.stringify(more));
	}
	const told = verify(post(sent, { url: "https://lethe.example/cb?kind=MessageStatus" }), now);
	assert.equal(told.events[0]?.state, "delivered");
});

test("what is written to a number of a messaging service names the service, and is not cut elsewhere", () => {
	const MessagingServiceSid = `MG${"1".repeat(32)}`;
	const written = { ...without("MessageStatus", "SmsStatus"), Body: "STOP", MessagingServiceSid };
	const [message] = verify(post(written), now).messages;
	assert.deepEqual([message?.to, message?.service], [sent.To, MessagingServiceSid]);
	assert.equal(verify(post({ ...written, MessagingServiceSid: "" }), now).messages[0]?.service, undefined);
	const { MessagingServiceSid: _gone, ...rest } = written;
	const cut = { ...rest, MessagingServiceSi: `d${MessagingServiceSid}` };
	assert.equal(reasonOf(post(cut, { signed: written })), "malformed");
});

test("what Twilio took for an opt-out by the account's own words is told as one, and only where it is signed so", () => {
	const written = { ...without("MessageStatus", "SmsStatus"), Body: "Adios", NumSegments: "1" };
	const told = (more: object) => verify(post({ ...written, ...more }), now).messages[0]?.isStop;
	assert.equal(told({ OptOutType: "STOP" }), true);
	for (const more of [
		{},
		{ OptOutType: "" },
		{ OptOutType: "START" },
		{ OptOutType: "HELP" },
		{ OptOutType: "stop" },
	]) {
		assert.equal(told(more), undefined, JSON.stringify(more));
	}
	const signed = { ...written, OptOutType: "STOP" };
	assert.equal(reasonOf(post({ ...written, NumSegments: "1OptOutTypeSTOP" }, { signed })), "malformed");
});

test("a receipt by GET is in the signed address", () => {
	const address = `https://lethe.example/cb?${new URLSearchParams(sent)}`;
	const request = { ...post({}, { url: address }), method: "GET" };
	assert.deepEqual(
		verify(request, now).events.map(({ state }) => state),
		["delivered"],
	);
	assert.equal(reasonOf({ ...request, url: address.replace("=delivered", "=failed") }), "bad_signature");
});

function without(...names: string[]): Params {
	return Object.fromEntries(Object.entries(sent).filter(([name]) => !names.includes(name)));
}

test("a JSON body counts by its hash in the signed address only", () => {
	const body = '{"property": "value", "boolean": true}';
	const hash = createHash("sha256").update(body).digest("hex");
	const jsonPost = (address: string, text = body, type = "application/json") => ({
		method: "POST",
		url: address,
		headers: {
			"x-twilio-signature": twilio.getExpectedTwilioSignature(secret, address, {}),
			"content-type": type,
		},
		body: text,
	});
	const hashed = `https://lethe.example/cb?foo=1&bodySHA256=${hash}`;
	assert.equal(reasonOf(jsonPost(hashed)), undefined);
	assert.equal(reasonOf(jsonPost(hashed, `${body} `)), "bad_signature");
	assert.equal(reasonOf(jsonPost(hashed, "")), "bad_signature");
	assert.equal(reasonOf(jsonPost("https://lethe.example/cb?foo=1")), "bad_signature");
	assert.equal(reasonOf(jsonPost("https://lethe.example/cb?foo=1", body, "text/plain")), "bad_signature");
	assert.equal(reasonOf(jsonPost(`${hashed}&bodySHA256=${hash}`)), "bad_signature");
	assert.equal(reasonOf(jsonPost(hashed.replace(hash, hash.toUpperCase()))), "bad_signature");
});

test("the vendor's published call is authentic and brings nothing of a message", () => {
	const params = {
		...{ CallSid: "CA1234567890ABCDE", Caller: "+14158675309", Digits: "1234" },
		...{ From: "+14158675309", To: "+18005551212" },
	};
	const request = post(params, { url: "https://mycompany.com/myapp.php?foo=1&bar=2" });
	request.headers["x-twilio-signature"] = "RSOYDt4T1cUTdK1PDd93/VVr8B8=";
	const result = verify(request, now);
	assert.ok(result.valid);
	assert.deepEqual([result.events, result.messages], [[], []]);
});

test("what a recipient wrote is told as it was, separators and signs of other alphabets too", () => {
	const { MessageStatus, SmsStatus, ...base } = sent;
	fc.assert(
		fc.property(fc.string({ unit: "grapheme", maxLength: 200 }), (Body) => {
			const result = verify(post({ ...base, Body, SmsStatus: "received", NumMedia: "0" }), now);
			assert.ok(result.valid);
			assert.deepEqual(
				result.messages.map(({ from, to, text }) => [from.reveal(), to, text.reveal()]),
				[[sent.From, sent.To, Body]],
			);
		}),
		{ numRuns: 200 },
	);
});

test("what is signed is the replay key: the idempotency token is not", () => {
	const keyOf = (request: Parameters<typeof verify>[0]) => {
		const result = verify(request, now);
		assert.ok(result.valid);
		return result.replayKey;
	};
	const request = post(sent);
	const headers = { ...request.headers, "i-twilio-idempotency-token": "other" };
	assert.equal(keyOf({ ...request, headers }), keyOf(request));
	assert.equal(keyOf({ ...request, body: request.body.replaceAll("%2B", "%2b") }), keyOf(request));
});
