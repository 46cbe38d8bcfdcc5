// Each carrier's HTTP API as its documents describe it, over real sockets: it checks credentials and fields, and signs callbacks.

import assert from "node:assert/strict";
import { createHash, createHmac, createSign, generateKeyPairSync, randomUUID, sign } from "node:crypto";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { verifySignature } from "@vonage/jwt";
import { jwtVerify, SignJWT } from "jose";
import { validateV3Signature } from "plivo";
import twilio from "twilio";
import type { CallbackRequest } from "../../../adapters/carriers/carrier.ts";
import type { Fake } from "./fake.ts";

/** A request as it arrived. */
export type Arrived = {
	method: string;
	path: string;
	query: URLSearchParams;
	headers: IncomingMessage["headers"];
	body: string;
};
type Reply = { status: number; body?: object; headers?: Record<string, string> };
/** `at`: when it came, epoch milliseconds. */
type Sent = { id: string; to: string; at: number; reference?: string | undefined };
type Written = { from: string; to: string; text: string };

export type Vendor = {
	settings?: Record<string, string>;
	secrets: Record<string, string>;
	signatureHeaders: string[];
	/** What of the callback is signed, where it is not the bytes as they are. */
	signs?: "fields";
	signatureIsList?: true;
	/** Whether the credentials are right, as the vendor checks them. */
	isAuthentic(request: Arrived): boolean | Promise<boolean>;
	/** What a send asks for; undefined when a field is missing or wrong. */
	read(request: Arrived): { to: string; text: string; reference?: string | undefined } | undefined;
	newId(): string;
	accept(id: string, text: string): Reply;
	refuse(): Reply;
	/** Whatever else the API has; undefined for what it has not. */
	other?(request: Arrived, sent: Sent[]): Reply | undefined;
	receipt(id: string, state: "delivered" | "undelivered"): CallbackRequest | Promise<CallbackRequest>;
	inbound(written: Written): CallbackRequest | Promise<CallbackRequest>;
};

const numbers: Fake["numbers"] = {
	delivered: "+12025550100",
	undelivered: "+12025550101",
	rejected: "+12025550102",
	throttled: "+12025550103",
	notAccepted: "+12025550104",
	lost: "+12025550105",
};
const address = "https://lethe.example/v1/callbacks/vendor/q/receipts";
const callbackUrl = address;

/** Starts a vendor's server on loopback. */
export async function startVendor(vendor: Vendor): Promise<Fake> {
	const sent: Sent[] = [];
	const states = new Map<string, "delivered" | "undelivered">();
	async function answer(request: Arrived): Promise<Reply | "lost"> {
		if (!(await vendor.isAuthentic(request))) return { status: 401, body: {} };
		const other = vendor.other?.(request, sent);
		if (other) return other;
		const asked = request.method === "POST" ? vendor.read(request) : undefined;
		if (!asked) return { status: 400, body: {} };
		const to = asked.to.startsWith("+") ? asked.to : `+${asked.to}`;
		if (to === numbers.rejected) return vendor.refuse();
		if (to === numbers.throttled) return { status: 429, headers: { "retry-after": "2" }, body: {} };
		if (to === numbers.notAccepted) return { status: 401, body: {} };
		const id = vendor.newId();
		sent.push({ id, to, at: Date.now(), reference: asked.reference });
		states.set(id, to === numbers.undelivered ? "undelivered" : "delivered");
		return to === numbers.lost ? "lost" : vendor.accept(id, asked.text);
	}
	const server = createServer(async (request, response) => {
		const chunks: Buffer[] = [];
		for await (const chunk of request) chunks.push(chunk as Buffer);
		const { pathname: path, searchParams: query } = new URL(request.url ?? "/", "http://vendor");
		const body = Buffer.concat(chunks).toString("utf8");
		const reply = await answer({ method: request.method ?? "", path, query, headers: request.headers, body });
		if (reply === "lost") return void response.destroy();
		const { status, headers, body: told } = reply;
		response.writeHead(status, { "content-type": "application/json", ...headers });
		response.end(told && status !== 204 ? JSON.stringify(told) : "");
	});
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	const { port } = server.address() as AddressInfo;
	return {
		settings: { url: `http://127.0.0.1:${port}`, callbackUrl, ...vendor.settings },
		secrets: vendor.secrets,
		numbers,
		sender: "+12025550199",
		accepted: async () => sent.length,
		callbackFor: async (id) => vendor.receipt(id, states.get(id) ?? "delivered"),
		inboundCallback: async (written) => vendor.inbound(written),
		signatureHeaders: vendor.signatureHeaders,
		...(vendor.signs && { signs: vendor.signs }),
		...(vendor.signatureIsList && { signatureIsList: true }),
		async [Symbol.asyncDispose]() {
			if (!server.listening) return;
			const closed = new Promise((resolve) => server.close(resolve));
			server.closeAllConnections();
			await closed;
		},
	};
}

const object = (text: string): Record<string, unknown> => {
	try {
		return JSON.parse(text);
	} catch {
		return {};
	}
};
const isBasic = (request: Arrived, user: string, password: string) =>
	request.headers.authorization === `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
const isText = (value: unknown): value is string => typeof value === "string" && value.length > 0;
const seconds = () => Math.floor(Date.now() / 1000);
const hex = (bytes: number) =>
	randomUUID()
		.replaceAll("-", "")
		.slice(0, bytes * 2);
const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");
const jsonPost = (body: object, headers: Record<string, string>): CallbackRequest => ({
	...{ method: "POST", url: address, body: JSON.stringify(body) },
	headers: { "content-type": "application/json", ...headers },
});

/** What a deleted message is to a carrier that shows messages: one that it does not know. */
function keepOrForget(method: string, index: number, sent: unknown[], unknown: object) {
	if (index < 0) return { status: 404, body: unknown };
	if (method === "DELETE") sent.splice(index, 1);
	return { status: method === "DELETE" ? 204 : 200, body: {} };
}

export function twilioVendor(): Vendor {
	const token = "twilio-auth-token";
	const account = `AC${"a".repeat(32)}`;
	const root = `/2010-04-01/Accounts/${account}/Messages`;
	const form = (params: Record<string, string>): CallbackRequest => ({
		...{ method: "POST", url: address, body: new URLSearchParams(params).toString() },
		headers: {
			"content-type": "application/x-www-form-urlencoded",
			"x-twilio-signature": twilio.getExpectedTwilioSignature(token, address, params),
		},
	});
	return {
		secrets: { accountSid: account, token, secret: token },
		signatureHeaders: ["x-twilio-signature"],
		isAuthentic: (request) => isBasic(request, account, token),
		read({ path, headers, body }) {
			const fields = new URLSearchParams(body);
			const [to, text, from] = ["To", "Body", "From"].map((name) => fields.get(name));
			const validity = Number(fields.get("ValidityPeriod"));
			const isForm = headers["content-type"] === "application/x-www-form-urlencoded";
			const isWhole = path === `${root}.json` && isForm && from && validity >= 1 && validity <= 36_000;
			return isWhole && to?.startsWith("+") && text ? { to, text } : undefined;
		},
		newId: () => `SM${hex(16)}`,
		accept: (sid) => ({ status: 201, body: { sid, status: "queued", num_segments: "1", error_code: null } }),
		refuse: () => ({ status: 400, body: { code: 21211, message: "marker", status: 400 } }),
		other({ method, path }, sent) {
			if (method === "POST") return undefined;
			return keepOrForget(
				method,
				sent.findIndex(({ id }) => path === `${root}/${id}.json`),
				sent,
				{ code: 20404 },
			);
		},
		receipt: (id, state) =>
			form({
				...{ AccountSid: account, ApiVersion: "2010-04-01", From: "+12025550199", To: "+12025550100" },
				...{ MessageSid: id, SmsSid: id, MessageStatus: state, SmsStatus: state },
			}),
		inbound({ from, to, text }) {
			const id = `SM${hex(16)}`;
			const params = { MessageSid: id, SmsSid: id, SmsStatus: "received", From: from, To: to, Body: text };
			return form({ AccountSid: account, ApiVersion: "2010-04-01", NumMedia: "0", ...params });
		},
	};
}

export function telnyxVendor(): Vendor {
	const pair = generateKeyPairSync("ed25519");
	const publicKey = Buffer.from(pair.publicKey.export({ format: "jwk" }).x ?? "", "base64url").toString("base64");
	const signed = (data: object) => {
		const request = jsonPost({ data, meta: { attempt: 1 } }, {});
		const timestamp = String(seconds());
		const signature = sign(null, Buffer.from(`${timestamp}|${request.body}`), pair.privateKey).toString("base64");
		const headers = { "telnyx-timestamp": timestamp, "telnyx-signature-ed25519": signature };
		return { ...request, headers: { ...request.headers, ...headers } };
	};
	return {
		secrets: { apiKey: "KEY0123456789", publicKey },
		signatureHeaders: ["telnyx-signature-ed25519", "telnyx-timestamp"],
		isAuthentic: ({ headers }) => headers.authorization === "Bearer KEY0123456789",
		read({ path, body }) {
			const { from, to, text, webhook_url: webhook } = object(body);
			const isWhole = path === "/v2/messages" && isText(from) && webhook === callbackUrl;
			return isWhole && isText(to) && to.startsWith("+") && isText(text) ? { to, text } : undefined;
		},
		newId: () => randomUUID(),
		accept: (id) => ({ status: 200, body: { data: { id, parts: 1, record_type: "message" } } }),
		refuse: () => ({ status: 400, body: { errors: [{ code: "40310", title: "marker" }] } }),
		receipt(id, state) {
			const status = state === "delivered" ? "delivered" : "delivery_failed";
			const payload = { id, to: [{ phone_number: "+12025550100", status }], errors: [] };
			const head = { event_type: "message.finalized", id: randomUUID(), occurred_at: new Date().toISOString() };
			return signed({ ...head, payload });
		},
		inbound({ from, to, text }) {
			const payload = { id: randomUUID(), from: { phone_number: from }, to: [{ phone_number: to }], text };
			return signed({ event_type: "message.received", id: randomUUID(), payload });
		},
	};
}

export function sinchVendor(): Vendor {
	const root = "/xms/v1/plan-1/batches";
	const signed = (content: object) => {
		const request = jsonPost(content, {});
		const [nonce, timestamp] = [hex(13), String(seconds())];
		const signature = createHmac("sha256", "webhook-secret").update(`${request.body}.${nonce}.${timestamp}`);
		const prefix = "x-sinch-webhook-signature";
		const headers = { [`${prefix}-nonce`]: nonce, [`${prefix}-timestamp`]: timestamp };
		const all = { [prefix]: signature.digest("base64"), [`${prefix}-algorithm`]: "HmacSHA256", ...headers };
		return { ...request, headers: { ...request.headers, ...all } };
	};
	return {
		secrets: { servicePlanId: "plan-1", token: "sinch-token", secret: "webhook-secret" },
		signatureHeaders: ["", "-nonce", "-timestamp"].map((name) => `x-sinch-webhook-signature${name}`),
		isAuthentic: ({ headers }) => headers.authorization === "Bearer sinch-token",
		read({ path, body }) {
			const { from, to, body: text, client_reference: reference, expire_at: until, delivery_report } = object(body);
			const isWhole = path === root && isText(from) && isText(reference) && delivery_report === "per_recipient";
			const [number, ...more] = Array.isArray(to) ? to : [];
			const isDue = Date.parse(String(until)) > Date.now() && Date.parse(String(until)) <= Date.now() + 61_000;
			return isWhole && isDue && isText(number) && more.length === 0 && isText(text)
				? { to: number, text, reference }
				: undefined;
		},
		newId: () => hex(13).toUpperCase(),
		accept: (id, body) => ({ status: 201, body: { id, type: "mt_text", body } }),
		refuse: () => ({ status: 400, body: { code: "syntax_invalid_parameter_format", text: "marker" } }),
		other({ method, path, query }, sent) {
			if (method !== "GET" || path !== root) return undefined;
			const from = Date.parse(query.get("start_date") ?? new Date(Date.now() - 24 * 3600_000).toISOString());
			const found = sent.filter(({ at, reference }) => at >= from && reference === query.get("client_reference"));
			const batches = found.map(({ id, reference }) => ({ id, client_reference: reference, body: "x" }));
			return { status: 200, body: { count: batches.length, page: 0, batches } };
		},
		receipt: (id, state) =>
			signed({
				...{ type: "recipient_delivery_report_sms", batch_id: id, recipient: "12025550100" },
				...(state === "delivered" ? { status: "Delivered", code: 0 } : { status: "Failed", code: 404 }),
				at: new Date().toISOString(),
			}),
		inbound: ({ from, to, text }) => signed({ type: "mo_text", id: hex(13), from, to, body: text }),
	};
}

export function plivoVendor(): Vendor {
	const token = "plivo-token";
	const signed = (params: Record<string, string>): CallbackRequest => {
		const nonce = String(Math.random()).slice(2);
		const text = Object.keys(params)
			.sort()
			.map((name) => name + params[name])
			.join("");
		const signature = createHmac("sha256", token).update(`${address}?${text}.${nonce}`).digest("base64");
		// Its library signs nothing; what it takes for the vendor's is.
		assert.ok(validateV3Signature("POST", address, nonce, token, signature, params));
		const headers = { "x-plivo-signature-v3": signature, "x-plivo-signature-v3-nonce": nonce };
		const type = { "content-type": "application/x-www-form-urlencoded" };
		return {
			method: "POST",
			url: address,
			headers: { ...type, ...headers },
			body: new URLSearchParams(params).toString(),
		};
	};
	return {
		secrets: { authId: "MAXXXXXXXXXXXXXXXXXX", token, secret: token },
		signatureHeaders: ["x-plivo-signature-v3", "x-plivo-signature-v3-nonce"],
		signatureIsList: true,
		isAuthentic: (request) => isBasic(request, "MAXXXXXXXXXXXXXXXXXX", token),
		read({ path, body }) {
			const { src, dst, text, log, message_expiry: expiry } = object(body);
			const isWhole = path === "/v1/Account/MAXXXXXXXXXXXXXXXXXX/Message/" && isText(src) && log === "false";
			return isWhole && Number(expiry) >= 5 && isText(dst) && isText(text) ? { to: dst, text } : undefined;
		},
		newId: () => randomUUID(),
		accept: (id) => ({ status: 202, body: { api_id: randomUUID(), message: "message(s) queued", message_uuid: [id] } }),
		refuse: () => ({ status: 400, body: { api_id: randomUUID(), error: "marker" } }),
		receipt: (id, state) =>
			signed({
				From: "12025550199",
				MessageUUID: id,
				Status: state,
				To: "12025550100",
				TotalRate: "0",
				ErrorCode: "000",
			}),
		inbound: ({ from, to, text }) => signed({ From: from, To: to, Text: text, Type: "sms", MessageUUID: randomUUID() }),
	};
}

export function messageBirdVendor(): Vendor {
	const secret = "signing-key";
	const signed = (event: string, payload: object): CallbackRequest => {
		const request = jsonPost({ service: "channels", event, payload }, {});
		const timestamp = String(seconds());
		const hash = createHash("sha256").update(request.body).digest();
		const text = Buffer.concat([Buffer.from(`${timestamp}\n${address}\n`), hash]);
		const signature = createHmac("sha256", secret).update(text).digest("base64");
		const headers = { "messagebird-signature": signature, "messagebird-request-timestamp": timestamp };
		return { ...request, headers: { ...request.headers, ...headers } };
	};
	return {
		secrets: { accessKey: "live_0123456789", secret },
		signatureHeaders: ["messagebird-signature", "messagebird-request-timestamp"],
		isAuthentic: ({ headers }) => headers.authorization === "AccessKey live_0123456789",
		read({ path, body }) {
			const { originator, recipients, body: text, reference, validity } = object(body);
			const isWhole = path === "/messages" && isText(originator) && isText(reference) && Number(validity) >= 1;
			const [to, ...more] = Array.isArray(recipients) ? recipients : [];
			return isWhole && more.length === 0 && isText(to) && isText(text) ? { to, text, reference } : undefined;
		},
		newId: () => hex(16),
		accept: (id) => ({
			status: 201,
			body: { id, recipients: { totalSentCount: 1, items: [{ recipient: 1, status: "sent", messagePartCount: 1 }] } },
		}),
		refuse: () => ({ status: 422, body: { errors: [{ code: 9, description: "marker", parameter: "recipients" }] } }),
		other({ method, path }, sent) {
			if (method === "POST") return undefined;
			const index = sent.findIndex(({ id }) => path === `/messages/${id}`);
			return keepOrForget(method, index, sent, { errors: [{ code: 20 }] });
		},
		receipt: (id, state) =>
			signed("sms.outbound", { id, status: state === "delivered" ? "delivered" : "delivery_failed" }),
		inbound: ({ from, to, text }) =>
			signed("sms.inbound", {
				...{ id: randomUUID(), sender: { contact: { identifierValue: from } } },
				...{ receiver: { connector: { identifierValue: to } }, body: { type: "text", text: { text } } },
			}),
	};
}

export function vonageVendor(): Vendor {
	const application = "aaaaaaaa-bbbb-cccc-dddd-0123456789ab";
	const pair = generateKeyPairSync("rsa", { modulusLength: 2048 });
	const secret = "signature-secret";
	const signed = async (content: object) => {
		const body = JSON.stringify(content);
		const claims = { iss: "Vonage", jti: randomUUID(), iat: seconds(), payload_hash: sha256(body), api_key: "key" };
		const token = await new SignJWT(claims).setProtectedHeader({ alg: "HS256", typ: "JWT" }).sign(Buffer.from(secret));
		// Its library signs none of these; what it takes for the vendor's is.
		assert.ok(verifySignature(token, secret));
		return jsonPost(content, { authorization: `Bearer ${token}` });
	};
	const privateKey = pair.privateKey.export({ type: "pkcs8", format: "pem" }).toString();
	return {
		secrets: { applicationId: application, privateKey, apiKey: "key", apiSecret: "api-secret", secret },
		signatureHeaders: ["authorization"],
		async isAuthentic(request) {
			if (request.path === "/v1/redact/transaction") return isBasic(request, "key", "api-secret");
			const token = /^Bearer (.+)$/.exec(request.headers.authorization ?? "")?.[1] ?? "";
			const options = { algorithms: ["RS256"], requiredClaims: ["iat", "exp", "jti"] };
			const read = await jwtVerify(token, pair.publicKey, options).catch(() => undefined);
			return read?.payload.application_id === application;
		},
		read({ path, body }) {
			const { message_type: type, channel, to, from, text, client_ref: reference, ttl } = object(body);
			const isWhole = path === "/v1/messages" && type === "text" && channel === "sms" && isText(from);
			const isTimed = Number(ttl) >= 20 && Number(ttl) <= 604_800;
			return isWhole && isTimed && isText(to) && /^\d+$/.test(to) && isText(text) && isText(reference)
				? { to, text, reference }
				: undefined;
		},
		newId: () => randomUUID(),
		accept: (id) => ({ status: 202, body: { message_uuid: id } }),
		refuse: () => ({
			status: 422,
			body: { title: "Invalid params", detail: "marker", invalid_parameters: [{ name: "to", reason: "marker" }] },
		}),
		other({ path, body }, sent) {
			if (path !== "/v1/redact/transaction") return undefined;
			const { id, product, type } = object(body);
			const isKnown = sent.some((each) => each.id === id) && product === "messages" && type === "outbound";
			return { status: isKnown ? 204 : 404, body: {} };
		},
		receipt: (id, state) =>
			signed({
				...{ message_uuid: id, to: "12025550100", from: "12025550199", timestamp: new Date().toISOString() },
				...{ status: state === "delivered" ? "delivered" : "undeliverable", channel: "sms" },
			}),
		inbound: ({ from, to, text }) =>
			signed({ channel: "sms", message_type: "text", message_uuid: randomUUID(), from: from.slice(1), to, text }),
	};
}

export function awsVendor(): Vendor {
	const pair = generateKeyPairSync("rsa", { modulusLength: 2048 });
	const certificate = pair.publicKey.export({ type: "spki", format: "pem" }).toString();
	const secretAccessKey = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
	const topicArns = "arn:aws:sns:eu-west-1:123456789012:lethe";
	const notify = (event: object) => {
		const message: Record<string, string> = {
			...{ Type: "Notification", MessageId: randomUUID(), TopicArn: topicArns, Message: JSON.stringify(event) },
			...{ Timestamp: new Date().toISOString(), SignatureVersion: "2" },
			SigningCertURL: "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-a1.pem",
		};
		const names = ["Message", "MessageId", "Timestamp", "TopicArn", "Type"];
		const text = names.map((name) => `${name}\n${message[name]}\n`).join("");
		const Signature = createSign("RSA-SHA256").update(text).sign(pair.privateKey, "base64");
		return jsonPost({ ...message, Signature }, { "x-amz-sns-message-type": "Notification" });
	};
	return {
		settings: { region: "eu-west-1", configurationSet: "lethe", topicArns },
		secrets: { accessKeyId: "AKIDEXAMPLE", secretAccessKey, certificate },
		signatureHeaders: [],
		signs: "fields",
		isAuthentic: (request) => isSignatureV4(request, "AKIDEXAMPLE", secretAccessKey, "eu-west-1"),
		read({ headers, body }) {
			if (headers["x-amz-target"] !== "PinpointSMSVoiceV2.SendTextMessage") return undefined;
			const { DestinationPhoneNumber: to, MessageBody: text, Context, TimeToLive, OriginationIdentity } = object(body);
			const { reference } = (Context ?? {}) as { reference?: string };
			const isWhole = Number(TimeToLive) >= 5 && isText(OriginationIdentity) && isText(reference);
			return isWhole && isText(to) && isText(text) ? { to, text, reference } : undefined;
		},
		newId: () => randomUUID(),
		accept: (MessageId) => ({ status: 200, body: { MessageId } }),
		refuse: () => ({
			status: 400,
			body: {
				__type: "com.amazonaws#ConflictException",
				Reason: "DESTINATION_PHONE_NUMBER_OPTED_OUT",
				Message: "marker",
			},
		}),
		receipt(id, state) {
			const messageStatus = state === "delivered" ? "DELIVERED" : "UNREACHABLE";
			const head = { eventType: `TEXT_${messageStatus}`, eventVersion: "1.0", eventTimestamp: Date.now() };
			return notify({ ...head, isFinal: true, messageId: id, messageStatus });
		},
		inbound: ({ from, to, text }) =>
			notify({ originationNumber: from, destinationNumber: to, messageBody: text, inboundMessageId: randomUUID() }),
	};
}

/** AWS Signature Version 4, as the general reference derives it. */
function isSignatureV4(request: Arrived, keyId: string, secret: string, region: string): boolean {
	const pattern =
		/^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/([^/]+)\/aws4_request, SignedHeaders=([\w;-]+), Signature=([0-9a-f]{64})$/;
	const [, id, date = "", place, service, names = "", signature] =
		pattern.exec(request.headers.authorization ?? "") ?? [];
	const time = String(request.headers["x-amz-date"]);
	const signed = names.split(";");
	if (id !== keyId || place !== region || service !== "sms-voice" || !time.startsWith(date)) return false;
	if (!["host", "x-amz-date", "x-amz-target"].every((name) => signed.includes(name))) return false;
	const headers = signed.map((name) => `${name}:${String(request.headers[name]).trim()}\n`).join("");
	const canonical = [request.method, request.path, request.query.toString(), headers, names, sha256(request.body)].join(
		"\n",
	);
	const text = ["AWS4-HMAC-SHA256", time, `${date}/${region}/sms-voice/aws4_request`, sha256(canonical)].join("\n");
	const hmac = (key: string | Buffer, value: string) => createHmac("sha256", key).update(value).digest();
	const key = [date, region, "sms-voice", "aws4_request"].reduce<string | Buffer>(hmac, `AWS4${secret}`);
	return hmac(key, text).toString("hex") === signature;
}
