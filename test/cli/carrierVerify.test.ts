// `lethe carrier verify` over callbacks made anew at each run and signed by other hands: the vendors' libraries, jose, or openssl.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import fc from "fast-check";
import { SignJWT } from "jose";
import { validateV3Signature } from "plivo";
import { Webhook } from "standardwebhooks";
import twilio from "twilio";

const folder = mkdtempSync(join(tmpdir(), "lethe-carrier-verify-"));
after(() => rmSync(folder, { recursive: true, force: true }));

type Keys = { secret?: string; publicKey?: string; certificate?: string; algorithm?: string };
type Callback = { method: string; url: string; headers: Record<string, string | string[]>; body: string };
/** `at`: seconds since 1970. `id`: letters and digits, its own in each callback. */
type Content = { id: string; text: string; at: number };

type Scheme = {
	carrier: string;
	keys: Keys;
	otherKeys: Keys;
	signatureHeader: string;
	/** Seconds that a callback is good for; absent where it bears no time. */
	windowSeconds?: number;
	/** Several signatures may stand in one header, one of which must fit. */
	list?: (signature: string) => string;
	/** The same line twice is one dictionary, RFC 8941, 3.2; elsewhere nobody knows which of two counts. */
	joinsLines?: true;
	/** What of the callback is signed, where it is not the raw body. */
	signs?: "fields";
	make(content: Content, keys: Keys): Callback | Promise<Callback>;
	/** What is this scheme's alone: a name, the callback, and whether it is to be believed. */
	own?(content: () => Content, keys: Keys): Promise<[string, Callback, boolean][]> | [string, Callback, boolean][];
	/** How it names the message in its receipt, and what the receipt says; absent where it tells of none. */
	receipt?: (content: Content) => string;
};

const now = 1_893_553_445;
const url = "https://lethe.example/v1/callbacks/c/q/receipts?tenant=a%20b&x=1";
const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");
const formType = { "content-type": "application/x-www-form-urlencoded" };
const jsonType = { "content-type": "application/json" };
const form = (fields: Record<string, string> | [string, string][]) => new URLSearchParams(fields).toString();
const base = (address: string) => address.split("?")[0] ?? "";

function openssl(args: string[], input: string | Buffer): Buffer {
	const { status, stdout, stderr } = spawnSync("openssl", args, { input });
	assert.equal(status, 0, `openssl is needed to sign: ${stderr}`);
	return stdout;
}
const hmac = (hash: string, key: string, text: string | Buffer) =>
	openssl(
		["dgst", `-${hash}`, "-binary", "-mac", "HMAC", "-macopt", `hexkey:${Buffer.from(key).toString("hex")}`],
		text,
	);
const keyFile = (name: string, ...args: string[]) => {
	const path = join(folder, `${name}.pem`);
	openssl(["genpkey", ...args, "-out", path], "");
	return path;
};
const publicOf = (path: string) => openssl(["pkey", "-in", path, "-pubout"], "").toString();
const sequence = (sign: string) => (path: string) => path + sign;

function twilioScheme(): Scheme {
	const post = (fields: Record<string, string | string[]>, keys: Keys, address = url, signed = fields): Callback => ({
		...{ method: "POST", url: address },
		body: form(
			Object.entries(fields).flatMap(([name, value]) => [value].flat().map((one): [string, string] => [name, one])),
		),
		headers: {
			...formType,
			"X-Twilio-Signature": twilio.getExpectedTwilioSignature(keys.secret ?? "", address, signed),
		},
	});
	const fieldsOf = ({ id, text }: Content) => ({
		...{ MessageSid: `SM${id}`, MessageStatus: "delivered", SmsStatus: "delivered" },
		...{ AccountSid: "AC1", From: "+12025550100", To: "+12025550142", Extra: text },
	});
	return {
		...{ carrier: "twilio", keys: { secret: "tw-1" }, otherKeys: { secret: "tw-2" }, signs: "fields" },
		signatureHeader: "X-Twilio-Signature",
		receipt: ({ id }) => `SM${id}`,
		make: (content, keys) => post(fieldsOf(content), keys),
		own(next, keys) {
			const some = () => fieldsOf(next());
			const reversed = some();
			const doubled = some();
			const smuggled = some();
			const { MessageStatus, ...cut } = some();
			const called = some();
			const json = JSON.stringify({ ü: next().text });
			const hashed = `https://lethe.example/cb?bodySHA256=${sha256(json)}`;
			const jsonPost = { ...post({}, keys, hashed), body: json };
			jsonPost.headers = { ...jsonType, "X-Twilio-Signature": jsonPost.headers["X-Twilio-Signature"] ?? "" };
			const two = post({ ...smuggled, MessageStatus: ["delivered", "failed"] }, keys);
			return [
				["in another order", { ...post(reversed, keys), body: form(Object.entries(reversed).reverse()) }, true],
				["the same field twice", { ...post(doubled, keys), body: `${form(doubled)}&To=%2B12025550142` }, true],
				["a field that was not signed", { ...post(smuggled, keys), body: `${form(smuggled)}&ErrorCode=30003` }, false],
				["two statuses, both signed: authentic, and neither counts", two, true],
				[
					"a name cut short",
					post({ ...cut, MessageStatu: `s${MessageStatus}` }, keys, url, { ...cut, MessageStatus }),
					false,
				],
				[
					"signed with the port",
					{ ...post(called, keys, "https://lethe.example:443/cb"), url: "https://lethe.example/cb" },
					true,
				],
				["signed for another path", { ...post(some(), keys, "https://lethe.example/other"), url }, false],
				["signed without the query", { ...post(some(), keys, base(url)), url }, false],
				["JSON by its hash", jsonPost, true],
				["JSON of another hash", { ...jsonPost, body: `${json}\r\n` }, false],
			];
		},
	};
}

function vonageJwt(): Scheme {
	const make = async (
		{ id, text, at }: Content,
		{ secret = "" }: Keys,
		alg = "HS256",
		claims = {},
	): Promise<Callback> => {
		const told = { message_uuid: id, to: "12025550142", from: "12025550100", status: "delivered", client_ref: text };
		const body = JSON.stringify(told);
		const all = { iat: at, jti: id, iss: "Vonage", payload_hash: sha256(body), api_key: "k", ...claims };
		const token = await new SignJWT(all).setProtectedHeader({ alg, typ: "JWT" }).sign(Buffer.from(secret));
		return { method: "POST", url, headers: { ...jsonType, Authorization: `Bearer ${token}` }, body };
	};
	return {
		...{ carrier: "vonage", keys: { secret: "vonage-secret-one" }, otherKeys: { secret: "vonage-secret-two" } },
		...{ signatureHeader: "Authorization", windowSeconds: 300, make },
		receipt: ({ id }) => id,
		own: async (next, keys) => [
			["another algorithm", await make(next(), keys, "HS512"), false],
			["another issuer", await make(next(), keys, "HS256", { iss: "Nexmo" }), false],
			["no hash of the body", await make(next(), keys, "HS256", { payload_hash: undefined }), false],
			["no id", await make(next(), keys, "HS256", { jti: undefined }), false],
			["a time in text", await make(next(), keys, "HS256", { iat: String(now) }), false],
		],
	};
}

function vonageSig(algorithm: string): Scheme {
	const sign = (fields: Record<string, string>, { secret = "" }: Keys) => {
		const text = Object.keys(fields)
			.sort((a, b) => (a < b ? -1 : 1))
			.map((name) => `&${name}=${fields[name]?.replaceAll("&", "_").replaceAll("=", "_")}`)
			.join("");
		return algorithm === "md5hash"
			? openssl(["dgst", "-md5", "-binary"], text + secret).toString("hex")
			: hmac(algorithm, secret, text).toString("hex");
	};
	const fieldsOf = ({ id, at }: Content) => ({
		...{ messageId: id, msisdn: "12025550142", to: "Lethe", status: "delivered", "err-code": "0" },
		...{ timestamp: String(at), nonce: id },
	});
	const post = (fields: Record<string, string>, sig: string): Callback => ({
		...{ method: "POST", url: base(url), headers: formType, body: form({ ...fields, sig }) },
	});
	return {
		...{ carrier: "vonage", keys: { secret: "sig-1", algorithm }, otherKeys: { secret: "sig-2", algorithm } },
		...{ signatureHeader: "", signs: "fields", windowSeconds: 300 },
		receipt: ({ id }) => id,
		make: (content, keys) => post(fieldsOf(content), sign(fieldsOf(content), keys)),
		own(next, keys) {
			const some = () => fieldsOf(next());
			const [query, json, upper, ref, reversed] = [some(), some(), some(), { ...some(), "client-ref": "a_b" }, some()];
			const alike = { ...some(), messageId: "0A_1" };
			const { status: _status, messageId, ...rest } = some();
			const written = { ...rest, messageId, text: next().text.replaceAll("\0", "") };
			const asJson = { ...json, sig: sign(json, keys) };
			return [
				[
					"by query",
					{ method: "GET", url: `${base(url)}?${form({ ...query, sig: sign(query, keys) })}`, headers: {}, body: "" },
					true,
				],
				["as JSON", { ...post({}, ""), headers: jsonType, body: JSON.stringify(asJson) }, true],
				["in capitals", post(upper, sign(upper, keys).toUpperCase()), true],
				[
					"in another order",
					{ ...post(reversed, ""), body: form(Object.entries({ ...reversed, sig: sign(reversed, keys) }).reverse()) },
					true,
				],
				["what someone wrote", post(written, sign(written, keys)), true],
				["a value that is signed alike", post({ ...alike, messageId: "0A&1" }, sign(alike, keys)), false],
				["a value that nobody reads", post({ ...ref, "client-ref": "a&b" }, sign(ref, keys)), true],
				[
					"a field twice",
					{ ...post(ref, sign(ref, keys)), body: `${form({ ...ref, sig: sign(ref, keys) })}&status=failed` },
					false,
				],
				["no time", post(rest, sign({ ...rest, timestamp: "" }, keys)), false],
			];
		},
	};
}

function telnyxScheme(): Scheme {
	const [one, two] = ["telnyx1", "telnyx2"].map((name) => keyFile(name, "-algorithm", "ED25519")) as [string, string];
	// The raw key is the end of its DER.
	const rawOf = (path: string) =>
		openssl(["pkey", "-in", path, "-pubout", "-outform", "DER"], "").subarray(-32).toString("base64");
	const files = new Map([
		[rawOf(one), one],
		[rawOf(two), two],
	]);
	const make = ({ id, text, at }: Content, { publicKey = "" }: Keys, timestamp = String(at)): Callback => {
		const payload = { id, to: [{ phone_number: "+12025550142", status: "delivered" }], errors: [], text };
		const body = JSON.stringify({ data: { event_type: "message.finalized", id: `ev-${id}`, payload } });
		const input = join(folder, "signed");
		writeFileSync(input, `${timestamp}|${body}`);
		const signature = openssl(["pkeyutl", "-sign", "-rawin", "-inkey", files.get(publicKey) ?? "", "-in", input], "");
		const signed = { "Telnyx-Signature-Ed25519": signature.toString("base64"), "Telnyx-Timestamp": timestamp };
		return { method: "POST", url, headers: { ...jsonType, ...signed }, body };
	};
	return {
		...{
			carrier: "telnyx",
			keys: { publicKey: rawOf(one) },
			otherKeys: { publicKey: rawOf(two) },
			windowSeconds: 300,
			make,
		},
		signatureHeader: "Telnyx-Signature-Ed25519",
		receipt: ({ id }) => id,
		own: (next, keys) =>
			["NaN", `${now}abc`, "", `${now}.0`, ` ${now}`, `0x${now.toString(16)}`].map((timestamp) => [
				`the time ${JSON.stringify(timestamp)}`,
				make(next(), keys, timestamp),
				false,
			]),
	};
}

function messageBirdJwt(): Scheme {
	const make = async (
		{ id, text, at }: Content,
		{ secret = "" }: Keys,
		body = "",
		claims = {},
		alg = "HS256",
	): Promise<Callback> => {
		const address = `${base(url)}?${form({ id, status: "delivered", reference: text, recipient: "12025550142" })}`;
		const all = {
			...{ iss: "MessageBird", nbf: at, exp: at + 60, jti: id, url_hash: sha256(address) },
			...(body === "" ? {} : { payload_hash: sha256(body) }),
			...claims,
		};
		const token = await new SignJWT(all).setProtectedHeader({ alg }).sign(Buffer.from(secret));
		return { method: body ? "POST" : "GET", url: address, headers: { "MessageBird-Signature-JWT": token }, body };
	};
	return {
		...{ carrier: "messagebird", keys: { secret: "mb-1" }, otherKeys: { secret: "mb-2" }, signs: "fields" },
		signatureHeader: "MessageBird-Signature-JWT",
		receipt: ({ id }) => id,
		make: (content, keys) => make(content, keys),
		async own(next, keys) {
			const [bodied, emptied] = [await make(next(), keys, "{}"), await make(next(), keys, '{"a":1}')];
			const reordered = await make(next(), keys);
			const ported = await make(next(), keys);
			const [path, query = ""] = reordered.url.split("?");
			return [
				["with a body", bodied, true],
				["whose body is gone", { ...emptied, body: "" }, false],
				["with a line's end behind its body", { ...(await make(next(), keys, "{}")), body: "{}\r\n" }, false],
				["a body that no hash is of", { ...(await make(next(), keys)), body: "x" }, false],
				["the query in another order", { ...reordered, url: `${path}?${query.split("&").reverse().join("&")}` }, false],
				["with a port", { ...ported, url: ported.url.replace("lethe.example", "lethe.example:443") }, false],
				["the other two hashes", await make(next(), keys, "", {}, "HS384"), true],
				["another issuer", await make(next(), keys, "", { iss: "Bird" }), false],
				["no id", await make(next(), keys, "", { jti: undefined }), false],
				["over", await make({ ...next(), at: now - 66 }, keys), false],
				["to come", await make({ ...next(), at: now + 6 }, keys), false],
				["within the tolerance", await make({ ...next(), at: now - 64 }, keys), true],
			];
		},
	};
}

/** @param part of the address that is signed: its sorted query, or all of it */
function birdScheme(part: "query" | "url"): Scheme {
	const make = ({ id, text, at }: Content, { secret = "" }: Keys, body = ""): Callback => {
		const query = Object.entries({ id, recipient: "12025550142", status: "delivered" }).concat([["u", text]]);
		const encoded = query.map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
		const address = `${base(url)}?${encoded.join("&")}`;
		const hash = openssl(["dgst", "-sha256", "-binary"], body);
		const signed = part === "url" ? address : encoded.toSorted().join("&");
		const signature = hmac("sha256", secret, Buffer.concat([Buffer.from(`${at}\n${signed}\n`), hash])).toString(
			"base64",
		);
		const headers = { "MessageBird-Signature": signature, "MessageBird-Request-Timestamp": String(at) };
		return { method: body ? "POST" : "GET", url: address, headers, body };
	};
	return {
		...{ carrier: part === "url" ? "bird" : "messagebird", keys: { secret: "b-1" }, otherKeys: { secret: "b-2" } },
		...{ signatureHeader: "MessageBird-Signature", signs: "fields", windowSeconds: part === "url" ? 300 : 99, make },
		receipt: ({ id }) => id,
		own(next, keys) {
			const bodied = make(next(), keys, '{"a":"ü"}');
			const status = make(next(), keys);
			return [
				["with a body", bodied, true],
				["with a line's end behind its body", { ...make(next(), keys, "{}"), body: "{}\r\n" }, false],
				["another status", { ...status, url: status.url.replace("delivered", "expired") }, false],
			];
		},
	};
}

function plivoScheme(): Scheme {
	const sort = (fields: [string, string][]) =>
		fields.toSorted(([a, x], [b, y]) => (`${a}\0${x}` < `${b}\0${y}` ? -1 : 1));
	const sign = (
		address: string,
		fields: Record<string, string>,
		nonce: string,
		{ secret = "" }: Keys,
		method = "POST",
	) => {
		const query = sort([...new URL(address).searchParams, ...(method === "GET" ? Object.entries(fields) : [])]);
		const asked = query.map(([name, value]) => `${name}=${value}`).join("&");
		const posted =
			method === "GET"
				? ""
				: sort(Object.entries(fields))
						.map((pair) => pair.join(""))
						.join("");
		const text = `${base(address)}?${asked}${asked && posted ? "." : ""}${posted}.${nonce}`;
		const signature = hmac("sha256", secret, text).toString("base64");
		assert.ok(
			validateV3Signature(method, address, nonce, secret, signature, fields),
			"its own library would not take it",
		);
		return signature;
	};
	const fieldsOf = ({ id, text }: Content) => ({
		...{ MessageUUID: id, Status: "delivered", From: "12025550100", To: "12025550142", ErrorCode: "000", Extra: text },
	});
	const post = (
		fields: Record<string, string>,
		nonce: string,
		keys: Keys,
		header = "X-Plivo-Signature-V3",
		address = url,
	): Callback => ({
		...{ method: "POST", url: address, body: form(fields) },
		headers: { ...formType, [header]: sign(address, fields, nonce, keys), "X-Plivo-Signature-V3-Nonce": nonce },
	});
	return {
		...{ carrier: "plivo", keys: { secret: "pl-1" }, otherKeys: { secret: "pl-2" }, signs: "fields" },
		signatureHeader: "X-Plivo-Signature-V3",
		list: (signature) => `${"A".repeat(43)}=,${signature}`,
		receipt: ({ id }) => id,
		make: (content, keys) => post(fieldsOf(content), content.id, keys),
		own(next, keys) {
			const some = () => fieldsOf(next());
			const [main, plain, asked, bodied] = [some(), some(), some(), some()];
			const { Status, ...cut } = some();
			const genuine = post({ ...cut, Status }, "7", keys);
			const reversed = some();
			const get = (fields: Record<string, string>, query: Record<string, string>): Callback => {
				const address = `${base(url)}${Object.keys(query).length > 0 ? `?${form(query)}` : ""}`;
				const signature = sign(address, fields, "8", keys, "GET");
				return {
					method: "GET",
					url: address,
					headers: { "X-Plivo-Signature-V3": signature, "X-Plivo-Signature-V3-Nonce": "8" },
					body: form(fields),
				};
			};
			return [
				["by the main token", post(main, "1", keys, "X-Plivo-Signature-Ma-V3"), true],
				["without a query", post(plain, "2", keys, undefined, base(url)), true],
				["by query", get({}, asked), true],
				["by query and body", get(bodied, { a: "ü b" }), true],
				["by query, with a body that was not signed", { ...get({}, some()), body: "Status=failed" }, false],
				["in another order", { ...post(reversed, "3", keys), body: form(Object.entries(reversed).reverse()) }, true],
				["a name cut short", { ...genuine, body: form({ ...cut, Statu: `s${Status}` }) }, false],
				["a field twice", { ...genuine, body: `${genuine.body}&Status=failed` }, false],
				["another nonce", { ...genuine, headers: { ...genuine.headers, "X-Plivo-Signature-V3-Nonce": "9" } }, false],
				["a nonce with a dot", post(some(), "1.2", keys), false],
				["the query gone", { ...genuine, url: base(url) }, false],
			];
		},
	};
}

function sinchScheme(): Scheme {
	const header = "x-sinch-webhook-signature";
	const make = (
		{ id, text, at }: Content,
		{ secret = "" }: Keys,
		timestamp = String(at),
		nonce = `N${id}`,
	): Callback => {
		const report = { type: "recipient_delivery_report_sms", batch_id: id, recipient: "12025550142", code: 0 };
		const body = JSON.stringify({ ...report, status: "Delivered", client_reference: text });
		const signature = hmac("sha256", secret, `${body}.${nonce}.${timestamp}`).toString("base64");
		const signed = { [header]: signature, [`${header}-nonce`]: nonce, [`${header}-timestamp`]: timestamp };
		return { method: "POST", url, headers: { ...jsonType, ...signed, [`${header}-algorithm`]: "HmacSHA256" }, body };
	};
	return {
		...{
			carrier: "sinch",
			keys: { secret: "si-1" },
			otherKeys: { secret: "si-2" },
			windowSeconds: 300,
			signatureHeader: header,
		},
		receipt: ({ id }) => id,
		make: (content, keys) => make(content, keys),
		own(next, keys) {
			const spaced = make(next(), keys);
			const moved = make(next(), keys, String(now), `x.${now}`);
			const numbers = { method: "POST", url, body: '{"eventId":"1"}', headers: {} };
			return [
				["written otherwise", { ...spaced, body: JSON.stringify(JSON.parse(spaced.body), null, 1) }, false],
				["a nonce with a dot", moved, false],
				["a time in letters", make(next(), keys, `${now}abc`), false],
				[
					"another algorithm",
					{ ...spaced, headers: { ...spaced.headers, [`${header}-algorithm`]: "HmacSHA1" } },
					false,
				],
				[
					"of Numbers",
					{
						...numbers,
						headers: { "X-Sinch-Signature": hmac("sha1", keys.secret ?? "", numbers.body).toString("hex") },
					},
					true,
				],
				[
					"of Numbers, forged",
					{ ...numbers, headers: { "X-Sinch-Signature": hmac("sha1", "other", numbers.body).toString("hex") } },
					false,
				],
			];
		},
	};
}

function sinchApplication(): Scheme {
	const secretOf = (text: string) => Buffer.from(text).toString("base64");
	const iso = (at: number) => new Date(at * 1000).toISOString();
	const make = ({ id, text, at }: Content, { secret = "" }: Keys): Callback => {
		const body = JSON.stringify({ id, text });
		const md5 = openssl(["dgst", "-md5", "-binary"], body).toString("base64");
		const signed = `POST\n${md5}\napplication/json\nx-timestamp:${iso(at)}\n/v1/callbacks/c/q/receipts`;
		const key = Buffer.from(secret, "base64").toString();
		const authorization = `Application k-1:${hmac("sha256", key, signed).toString("base64")}`;
		return {
			method: "POST",
			url,
			headers: { ...jsonType, Authorization: authorization, "x-timestamp": iso(at) },
			body,
		};
	};
	return {
		...{ carrier: "sinch", keys: { secret: secretOf("app-1") }, otherKeys: { secret: secretOf("app-2") } },
		...{ windowSeconds: 300, signatureHeader: "Authorization", make },
	};
}

function awsScheme(version: "1" | "2"): Scheme {
	const [one, two] = [`aws${version}1`, `aws${version}2`].map((name) =>
		keyFile(name, "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"),
	) as [string, string];
	const files = new Map([
		[publicOf(one), one],
		[publicOf(two), two],
	]);
	const orders: Record<string, string[]> = {
		Notification: ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"],
		UnsubscribeConfirmation: ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"],
	};
	const make = ({ id, text, at }: Content, { certificate = "" }: Keys, more: Record<string, string> = {}): Callback => {
		const event = {
			eventType: "TEXT_DELIVERED",
			isFinal: true,
			messageId: id,
			messageStatus: "DELIVERED",
			context: text,
		};
		const message: Record<string, string> = {
			...{
				Type: "Notification",
				MessageId: `m-${id}`,
				TopicArn: "arn:aws:sns:eu-west-1:1:t",
				Message: JSON.stringify(event),
			},
			...{ Timestamp: new Date(at * 1000).toISOString(), SignatureVersion: version },
			SigningCertURL:
				"https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-9c6465fa7f48f5cacd23014631ec1136.pem",
			...more,
		};
		const names = (orders[message.Type ?? ""] ?? []).filter((name) => message[name] !== undefined);
		const signed = names.map((name) => `${name}\n${message[name]}\n`).join("");
		const hash = version === "1" ? "-sha1" : "-sha256";
		const signature = openssl(["dgst", hash, "-sign", files.get(certificate) ?? "", "-binary"], signed);
		const body = JSON.stringify({
			...message,
			Signature: signature.toString("base64"),
			UnsubscribeURL: "https://x.example",
		});
		return { method: "POST", url, headers: { "Content-Type": "text/plain; charset=UTF-8" }, body };
	};
	const alter = (callback: Callback, fields: object): Callback => ({
		...callback,
		body: JSON.stringify({ ...JSON.parse(callback.body), ...fields }),
	});
	return {
		...{ carrier: "aws", keys: { certificate: publicOf(one) }, otherKeys: { certificate: publicOf(two) } },
		...{ signatureHeader: "", signs: "fields", make },
		receipt: ({ id }) => id,
		own(next, keys) {
			const confirmation = {
				Type: "UnsubscribeConfirmation",
				Token: "t",
				SubscribeURL: "https://x.example",
				Message: "Gone",
			};
			const some = () => make(next(), keys);
			const genuine = some();
			return [
				["with a subject", make(next(), keys, { Subject: "Über" }), true],
				["a subject put in", alter(some(), { Subject: "x" }), false],
				["a subject taken out", alter(make(next(), keys, { Subject: "x" }), { Subject: undefined }), false],
				["another message", alter(some(), { Message: "{}" }), false],
				["another id", alter(some(), { MessageId: "m-1" }), false],
				["another topic", alter(some(), { TopicArn: "arn:aws:sns:eu-west-1:2:t" }), false],
				["an unsigned field", alter(some(), { UnsubscribeURL: "https://y.example" }), true],
				["a line's end behind it", { ...some(), body: `${some().body}\r\n` }, true],
				["the other version", alter(some(), { SignatureVersion: version === "1" ? "2" : "1" }), false],
				["a third version", alter(some(), { SignatureVersion: "3" }), false],
				["an end of a subscription", make(next(), keys, confirmation), true],
				[
					"a certificate of someone else's",
					alter(genuine, { SigningCertURL: "https://sns.evil.example/x.pem" }),
					false,
				],
				[
					"a certificate behind a redirect",
					alter(genuine, { SigningCertURL: "https://sns.eu-west-1.amazonaws.com/redirect?to=x.pem" }),
					false,
				],
				["fields cut elsewhere", make(next(), keys, { MessageId: "a\nTimestamp\nb" }), false],
			];
		},
	};
}

function standardWebhooks(prefix: "webhook" | "svix"): Scheme {
	const secretOf = (text: string) => `whsec_${Buffer.from(text).toString("base64")}`;
	const sign = (id: string, timestamp: string, body: string, { secret = "" }: Keys): Callback => {
		const key = Buffer.from(secret.slice("whsec_".length), "base64").toString();
		const signature = /^\d+$/.test(timestamp)
			? new Webhook(secret).sign(id, new Date(Number(timestamp) * 1000), body)
			: `v1,${hmac("sha256", key, `${id}.${timestamp}.${body}`).toString("base64")}`;
		const headers = { [`${prefix}-id`]: id, [`${prefix}-timestamp`]: timestamp, [`${prefix}-signature`]: signature };
		return { method: "POST", url, headers: { ...jsonType, ...headers }, body };
	};
	return {
		...{
			carrier: prefix === "svix" ? "svix" : "standard-webhooks",
			windowSeconds: 300,
			signatureHeader: `${prefix}-signature`,
		},
		...{
			keys: { secret: secretOf("webhook-key-number-one") },
			otherKeys: { secret: secretOf("webhook-key-number-two") },
		},
		list: (signature) => `v1,${"A".repeat(43)}= v2,x ${signature}`,
		make: ({ id, text, at }, keys) => sign(`msg_${id}`, String(at), JSON.stringify({ text }), keys),
		own: (next, keys) => [
			["a time that a library reads", sign(`msg_${next().id}`, `${now}abc`, "{}", keys), false],
			["an id with a dot", sign(`msg.${next().id}`, String(now), "{}", keys), false],
			["an empty body", sign(`msg_${next().id}`, String(now), "", keys), true],
		],
	};
}

function messageSignatures(kind: "hmac-sha256" | "ed25519" | "rsa-pss-sha512"): Scheme {
	const options: Record<string, string[]> = {
		"hmac-sha256": [],
		ed25519: ["-algorithm", "ED25519"],
		"rsa-pss-sha512": ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
	};
	const files = new Map<string, string>();
	const newKeys = (name: string): Keys => {
		if (kind === "hmac-sha256") return { secret: `message-key-${name}` };
		const file = keyFile(`${kind}${name}`, ...(options[kind] ?? []));
		files.set(publicOf(file), file);
		return { publicKey: publicOf(file) };
	};
	const sign = (text: string, { secret, publicKey = "" }: Keys): Buffer => {
		if (secret !== undefined) return hmac("sha256", secret, text);
		const input = join(folder, "signed");
		writeFileSync(input, text);
		const inkey = ["-inkey", files.get(publicKey) ?? "", "-in", input];
		if (kind === "ed25519") return openssl(["pkeyutl", "-sign", "-rawin", ...inkey], "");
		const pss = ["rsa_padding_mode:pss", "rsa_pss_saltlen:64"].flatMap((option) => ["-pkeyopt", option]);
		return openssl(["pkeyutl", "-sign", "-rawin", "-digest", "sha512", ...pss, ...inkey], "");
	};
	const whole = ["@method", "@target-uri", "content-digest"];
	const make = ({ id, text, at }: Content, keys: Keys, names = whole, created = `;created=${at}`): Callback => {
		const body = JSON.stringify({ id, text });
		const digest = `sha-256=:${openssl(["dgst", "-sha256", "-binary"], body).toString("base64")}:`;
		const { host, pathname, search } = new URL(url);
		const values: Record<string, string> = {
			...{ "@method": "POST", "@target-uri": url, "@authority": host, "@path": pathname, "@query": search },
			"content-digest": digest,
		};
		const params = `(${names.map((name) => `"${name}"`).join(" ")})${created};keyid="k"`;
		const lines = names.map((name) => `"${name}": ${values[name]}`);
		const signature = sign([...lines, `"@signature-params": ${params}`].join("\n"), keys).toString("base64");
		const signed = { "Signature-Input": `sig1=${params}`, Signature: `sig1=:${signature}:`, "Content-Digest": digest };
		return { method: "POST", url, headers: { ...jsonType, ...signed }, body };
	};
	return {
		...{
			carrier: "rfc9421",
			keys: newKeys("1"),
			otherKeys: newKeys("2"),
			windowSeconds: 300,
			signatureHeader: "Signature",
			joinsLines: true,
		},
		make: (content, keys) => make(content, keys),
		own(next, keys) {
			const some = (...names: string[]) => make(next(), keys, names);
			const withInput = (callback: Callback) => {
				const input = `${callback.headers["Signature-Input"]};expires=${now + 600}`;
				return { ...callback, headers: { ...callback.headers, "Signature-Input": input } };
			};
			const beside = ({ headers, ...callback }: Callback) => {
				const [input, signature] = [headers["Signature-Input"], headers.Signature];
				const both = { "Signature-Input": `z=("@status"), ${input}`, Signature: `z=:AAAA:, ${signature}` };
				return { ...callback, headers: { ...headers, ...both } };
			};
			const [path, digested] = [some("@method", "@target-uri", "content-digest"), some(...whole)];
			return [
				["by its parts", some("@method", "@authority", "@path", "@query", "content-digest"), true],
				["over nothing", some(), false],
				["over no method", some("@target-uri", "content-digest"), false],
				["over no body", some("@method", "@target-uri"), false],
				["whose body was taken away", { ...some("@method", "@target-uri"), body: "" }, false],
				["over no query", some("@method", "@authority", "@path", "content-digest"), false],
				["over a field twice", some("@method", "@method", "@target-uri", "content-digest"), false],
				["to another address", { ...path, url: `${url}&z=1` }, false],
				["by another method", { ...path, method: "PUT" }, false],
				[
					"of another digest",
					{ ...digested, headers: { ...digested.headers, "Content-Digest": "sha-256=:AAAA:" } },
					false,
				],
				["without a time", make(next(), keys, whole, ""), false],
				["of a fraction of a time", make(next(), keys, whole, `;created=${now}.5`), false],
				["within its own end", make(next(), keys, whole, `;created=${now - 600};expires=${now + 600}`), true],
				["with an end alone", make(next(), keys, whole, `;expires=${now + 60}`), true],
				["with an end alone that is over", make(next(), keys, whole, `;expires=${now - 1}`), false],
				["with an end that is a fraction", make(next(), keys, whole, `;created=${now};expires=${now + 60}.5`), false],
				["made in an hour", make(next(), keys, whole, `;created=${now + 3600};expires=${now + 7200}`), false],
				["with an end that was not signed", withInput(make(next(), keys, whole, `;created=${now - 600}`)), false],
				["beside one of what is unknown", beside(digested), true],
				["beside one of what is unknown, to another address", { ...beside(path), url: `${url}&z=1` }, false],
				["that is over", make(next(), keys, whole, `;created=${now};expires=${now}`), false],
				["under another algorithm's name", make(next(), keys, whole, `;created=${now};alg="none"`), false],
			];
		},
	};
}

const schemes: Record<string, () => Scheme> = {
	twilio: twilioScheme,
	"vonage, JWT": vonageJwt,
	...Object.fromEntries(
		["md5hash", "md5", "sha1", "sha256", "sha512"].map((way) => [`vonage, sig by ${way}`, () => vonageSig(way)]),
	),
	telnyx: telnyxScheme,
	"messagebird, JWT": messageBirdJwt,
	"messagebird, query": () => birdScheme("query"),
	"bird, address": () => birdScheme("url"),
	plivo: plivoScheme,
	sinch: sinchScheme,
	"sinch, application": sinchApplication,
	"aws, version 1": () => awsScheme("1"),
	"aws, version 2": () => awsScheme("2"),
	"standard-webhooks": () => standardWebhooks("webhook"),
	svix: () => standardWebhooks("svix"),
	"rfc9421, hmac-sha256": () => messageSignatures("hmac-sha256"),
	"rfc9421, ed25519": () => messageSignatures("ed25519"),
	"rfc9421, rsa-pss-sha512": () => messageSignatures("rsa-pss-sha512"),
};

type Case = { why: string; request: Callback & Keys & { now: number }; valid: boolean; carrierId?: string };

/** Genuine callbacks of random ids and texts, and each of them altered in one way. */
async function casesOf(scheme: Scheme): Promise<Case[]> {
	const { keys, otherKeys, signatureHeader: header, windowSeconds } = scheme;
	const contents = fc.sample(fc.string({ unit: "grapheme", maxLength: 12 }), 200);
	let count = 0;
	const next = (at = now): Content => ({
		id: `${(++count).toString(36)}a${sha256(String(Math.random())).slice(0, 12)}`,
		text: contents[count % 200] ?? "",
		at,
	});
	const cases: Case[] = [];
	const add = (
		why: string,
		callback: Callback,
		valid: boolean,
		more: { keys?: Keys; now?: number; carrierId?: string } = {},
	) =>
		cases.push({
			why,
			request: { ...callback, ...(more.keys ?? keys), now: more.now ?? now },
			valid,
			...(more.carrierId && { carrierId: more.carrierId }),
		});
	const genuine = async (at = now) => scheme.make(next(at), keys);
	const withHeader = (callback: Callback, change: (value: string) => string | string[] | undefined): Callback => {
		const { [header]: value, ...headers } = callback.headers;
		const changed = change(String(value));
		return { ...callback, headers: changed === undefined ? headers : { ...headers, [header]: changed } };
	};
	for (let round = 0; round < 2; round++) {
		const content = next();
		const callback = await scheme.make(content, keys);
		add("genuine", callback, true, { ...(scheme.receipt && { carrierId: scheme.receipt(content) }) });
		add("brought again", callback, false);
		add("under another key", await genuine(), false, { keys: otherKeys });
		add("signed with another key", await scheme.make(next(), otherKeys), false);
		const cased = await genuine();
		const swap = ([name, value]: [string, string | string[]]) => [
			name === name.toLowerCase() ? name.toUpperCase() : name.toLowerCase(),
			value,
		];
		add(
			"headers in other letters",
			{ ...cased, headers: Object.fromEntries(Object.entries(cased.headers).map(swap)) },
			true,
		);
		if (header) {
			// The last digits may be none of the signature's bits.
			add(
				"another signature",
				withHeader(await genuine(), (value) => value.replace(/.(?=.{12}$)/, (digit) => (digit === "A" ? "B" : "A"))),
				false,
			);
			add(
				"no signature",
				withHeader(await genuine(), () => undefined),
				false,
			);
			add(
				"two signatures",
				withHeader(await genuine(), (value) => [value, value]),
				scheme.joinsLines === true,
			);
			add(
				"an empty signature",
				withHeader(await genuine(), () => ""),
				false,
			);
			const { list } = scheme;
			if (list) add("one of several signatures", withHeader(await genuine(), list), true);
		}
		if (scheme.signs === undefined) {
			const alterations: ((body: string) => string)[] = [
				sequence("\r\n"),
				sequence(" "),
				() => "",
				(body) => body.replace("e", "E"),
				(body) => ` ${body}`,
			];
			for (const alter of alterations) {
				const callback = await genuine();
				add("another body", { ...callback, body: alter(callback.body) }, false);
			}
		}
		if (windowSeconds === undefined) continue;
		for (const [shift, valid] of [
			[windowSeconds, true],
			[-windowSeconds, true],
			[windowSeconds + 1, false],
			[-windowSeconds - 1, false],
			[86_400, false],
		] as const) {
			add(`${shift} s later`, await genuine(), valid, { now: now + shift });
		}
	}
	for (const [why, callback, valid] of (await scheme.own?.(next, keys)) ?? []) add(why, callback, valid);
	return cases;
}

// One process for all of them: to start it takes longer than to judge.
const program = `
	import { carrierCommand } from ${JSON.stringify(new URL("../../cli/carrier.ts", import.meta.url).href)};
	for (const [carrier, file] of JSON.parse(process.argv[1])) {
		await carrierCommand().parseAsync(["verify", carrier, "--request", file], { from: "user" });
	}
`;
const asked: { name: string; carrier: string; cases: Case[] }[] = [];
let lines: string[] = [];

before(async () => {
	for (const [name, open] of Object.entries(schemes)) {
		const scheme = open();
		asked.push({ name, carrier: scheme.carrier, cases: await casesOf(scheme) });
	}
	const files = asked.map(({ carrier, cases }, at) => {
		const path = join(folder, `${at}.json`);
		writeFileSync(path, JSON.stringify(cases.map(({ request }) => request)));
		return [carrier, path];
	});
	const args = ["--input-type=module", "-e", program, "--", JSON.stringify(files)];
	const { status, stdout, stderr } = spawnSync(process.execPath, args, {
		encoding: "utf8",
		maxBuffer: 64 * 1024 * 1024,
	});
	assert.deepEqual([status, stderr], [0, ""]);
	lines = stdout.trimEnd().split("\n");
});

for (const name of Object.keys(schemes)) {
	test(`${name}: what is genuine is believed once, and what was altered is not`, () => {
		const at = asked.findIndex((one) => one.name === name);
		const first = asked.slice(0, at).reduce((sum, { cases }) => sum + cases.length, 0);
		for (const [index, { why, request, valid, carrierId }] of (asked[at]?.cases ?? []).entries()) {
			const line = lines[first + index] ?? "";
			const verdict = JSON.parse(line);
			const about = `${why}: ${line} ${JSON.stringify(request)}`;
			assert.deepEqual([verdict.valid, verdict.reason === null], [valid, valid], about);
			if (!valid) assert.deepEqual(verdict.events, [], about);
			if (carrierId === undefined) continue;
			assert.deepEqual([verdict.events[0]?.carrierId, verdict.events[0]?.state], [carrierId, "delivered"], about);
		}
	});
}

test("each callback got its line", () => {
	assert.equal(
		lines.length,
		asked.reduce((sum, { cases }) => sum + cases.length, 0),
	);
	assert.ok(lines.length > 400, `${lines.length}`);
});
