// AWS's events as SNS signs them: both hashes, both field lists, and the certificate addresses that others let pass.

import assert from "node:assert/strict";
import { createSign, generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import { verifyAws } from "../../../adapters/carriers/aws.ts";

const pair = generateKeyPairSync("rsa", { modulusLength: 2048 });
const certificate = pair.publicKey.export({ type: "spki", format: "pem" }).toString();
const now = Date.UTC(2030, 0, 2, 3, 4, 5);
const verify = verifyAws({ settings: {}, secrets: { certificate } });
const topic = "arn:aws:sns:eu-west-1:123456789012:lethe";
const certificateUrl =
	"https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-9c6465fa7f48f5cacd23014631ec1136.pem";
const event = {
	...{ eventType: "TEXT_DELIVERED", eventVersion: "1.0", eventTimestamp: now - 5000, isFinal: true },
	...{ originationPhoneNumber: "+12065550152", destinationPhoneNumber: "+14255550156" },
	...{ messageId: "862a8790-60c0-4430-9b2b-658bdexample", messageStatus: "DELIVERED" },
};

type Message = Record<string, unknown>;
const fields: Record<string, string[]> = {
	Notification: ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"],
	SubscriptionConfirmation: ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"],
	UnsubscribeConfirmation: ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"],
};

function notify(message: Message = {}, options: { key?: typeof pair.privateKey; after?: Message } = {}) {
	const all: Message = {
		...{ Type: "Notification", MessageId: "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324", TopicArn: topic },
		...{ Message: JSON.stringify(event), Timestamp: "2030-01-02T03:04:01.000Z", SignatureVersion: "2" },
		...{ SigningCertURL: certificateUrl, UnsubscribeURL: "https://sns.eu-west-1.amazonaws.com/?Action=Unsubscribe" },
		...message,
	};
	const text = (fields[String(all.Type)] ?? [])
		.filter((name) => all[name] !== undefined && all[name] !== null)
		.map((name) => `${name}\n${all[name]}\n`)
		.join("");
	const signer = createSign(all.SignatureVersion === "1" ? "RSA-SHA1" : "RSA-SHA256").update(text);
	const Signature = signer.sign(options.key ?? pair.privateKey, "base64");
	const body = JSON.stringify({ ...all, Signature, ...options.after });
	return {
		method: "POST",
		url: "https://lethe.example/cb",
		headers: { "x-amz-sns-message-type": String(all.Type) },
		body,
	};
}
const reasonOf = (request: Parameters<typeof verify>[0], check = verify) => {
	const result = check(request, now);
	return result.valid ? undefined : result.reason;
};

test("each status means one state, and only a final one ends the message", () => {
	const expected: [string, boolean, string, string?][] = [
		...(["QUEUED", "PENDING"] as const).map((name): [string, boolean, string] => [name, false, "pending"]),
		["SENT", false, "submitted"],
		["SUCCESSFUL", false, "submitted"],
		["SUCCESSFUL", true, "delivered"],
		["DELIVERED", true, "delivered"],
		["UNREACHABLE", true, "undelivered", "handset_unreachable"],
		["UNREACHABLE", false, "pending"],
		["INVALID", true, "undelivered", "invalid_recipient"],
		["BLOCKED", true, "undelivered", "invalid_recipient"],
		["PROTECT_BLOCKED", true, "undelivered", "invalid_recipient"],
		["CARRIER_BLOCKED", true, "undelivered", "content_refused"],
		["CARRIER_UNREACHABLE", true, "undelivered", "other"],
		["SPAM", true, "undelivered", "content_refused"],
		["TTL_EXPIRED", true, "expired", "validity_over"],
		["UNKNOWN", true, "unknown"],
	];
	for (const [messageStatus, isFinal, state, code] of expected) {
		const Message = JSON.stringify({ ...event, eventType: `TEXT_${messageStatus}`, messageStatus, isFinal });
		const result = verify(notify({ Message }), now);
		assert.ok(result.valid);
		const eventId = `${event.messageId}.${messageStatus}.${isFinal}`;
		const told = { eventId, carrierId: event.messageId, state, at: now - 5000, ...(code && { code }) };
		assert.deepEqual(result.events, [told]);
		assert.equal(result.replayKey, "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324");
	}
});

test("an event of a text message is one by its type's long name and its short, and another's is none", () => {
	const of = (eventType: string, more: object = {}) =>
		verify(notify({ Message: JSON.stringify({ ...event, eventType, ...more }) }), now);
	for (const type of ["TEXT_DELIVERED", "DELIVERED"]) {
		for (const messageStatus of ["DELIVERED", undefined]) {
			const [told] = of(type, { messageStatus }).events;
			assert.deepEqual(
				[told?.state, told?.eventId],
				["delivered", `${event.messageId}.DELIVERED.true`],
				`${type} ${messageStatus}`,
			);
		}
	}
	for (const type of ["MEDIA_DELIVERED", "VOICE_COMPLETED", "delivered", "DELETED", "constructor", "TEXTDELIVERED"]) {
		assert.deepEqual(of(type).events, [], type);
	}
	assert.equal(of("DELIVERED", { isFinal: false }).events[0]?.state, "pending");
});

test("both signature versions and every type are believed, with the fields that each signs", () => {
	for (const SignatureVersion of ["1", "2"]) {
		assert.equal(reasonOf(notify({ SignatureVersion })), undefined);
		assert.equal(reasonOf(notify({ SignatureVersion, Subject: "a\nb" })), undefined);
		for (const Type of ["SubscriptionConfirmation", "UnsubscribeConfirmation"]) {
			const more = {
				Type,
				Token: "t",
				SubscribeURL: "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription",
			};
			const result = verify(notify({ ...more, SignatureVersion }), now);
			assert.ok(result.valid);
			assert.deepEqual([result.events, result.messages], [[], []]);
			assert.equal(reasonOf(notify(more, { after: { SubscribeURL: "https://evil.example" } })), "bad_signature");
		}
	}
	assert.equal(reasonOf(notify({}, { after: { SignatureVersion: "1" } })), "bad_signature");
	assert.equal(reasonOf(notify({}, { after: { SignatureVersion: "3" } })), "unsupported");
	assert.equal(reasonOf(notify({}, { after: { Type: "Other" } })), "unsupported");
});

test("every signed field counts, and what is unsigned does not", () => {
	for (const name of ["Message", "MessageId", "Timestamp", "TopicArn"]) {
		assert.equal(reasonOf(notify({}, { after: { [name]: "other" } })), "bad_signature", name);
		assert.equal(reasonOf(notify({}, { after: { [name]: undefined } })), "malformed", name);
	}
	assert.equal(reasonOf(notify({}, { after: { Subject: "added" } })), "bad_signature");
	assert.equal(reasonOf(notify({}, { after: { Signature: undefined } })), "unsigned");
	const { privateKey: key } = generateKeyPairSync("rsa", { modulusLength: 2048 });
	assert.equal(reasonOf(notify({}, { key })), "bad_signature");
	assert.equal(
		reasonOf({ ...notify(), headers: { "x-amz-sns-message-type": "SubscriptionConfirmation" } }),
		"malformed",
	);
});

test("fields that take in their neighbours bear the same signature and are not believed", () => {
	const genuine = notify({ Subject: "s" });
	const { MessageId, Subject, ...rest } = JSON.parse(genuine.body);
	const moved = { ...rest, MessageId: `${MessageId}\nSubject\n${Subject}` };
	const text = (message: Message) =>
		(fields.Notification ?? [])
			.filter((name) => message[name] !== undefined)
			.map((name) => `${name}\n${message[name]}\n`)
			.join("");
	assert.equal(text(moved), text({ ...rest, MessageId, Subject }));
	assert.equal(reasonOf(genuine), undefined);
	assert.equal(reasonOf({ ...genuine, body: JSON.stringify(moved) }), "malformed");
});

test("a certificate counts only from SNS's own hosts, by its plain address", () => {
	const good = [
		certificateUrl,
		"https://sns.cn-north-1.amazonaws.com.cn/SimpleNotificationService-a.pem",
		"https://sns.us-gov-west-1.amazonaws.com/SimpleNotificationService-a.pem",
	];
	for (const SigningCertURL of good) assert.equal(reasonOf(notify({ SigningCertURL })), undefined, SigningCertURL);
	for (const SigningCertURL of [
		certificateUrl.replace("https", "http"),
		certificateUrl.replace(".amazonaws.com", ".amazonaws.com.evil.example"),
		"https://sns.eu-west-1.amazonaws.com@evil.example/a.pem",
		"https://evil.example/sns.eu-west-1.amazonaws.com/a.pem",
		"https://sns.eu-west-1.amazonaws.com/redirect?to=x.pem",
		"https://sns.eu-west-1.amazonaws.com/a.pem?x=1",
		"https://sns.eu-west-1.amazonaws.com/a.pem#x.pem",
		"https://sns.eu-west-1.amazonaws.com/a/../b.pem",
		"https://sns.eu-west-1.amazonaws.com:8443/a.pem",
		"https://sns.eu-west-1.amazonaws.com/a.txt",
		"https://s3.eu-west-1.amazonaws.com/bucket/a.pem",
		"https://sns.evil.amazonaws.com/a.pem",
		"https://snsXeu-west-1.amazonaws.com/a.pem",
		"https://sns.eu-west-1.amazonaws.org/a.pem",
		`${certificateUrl}\n`,
		"",
	]) {
		assert.equal(reasonOf(notify({ SigningCertURL })), "untrusted", SigningCertURL);
	}
});

test("another topic is signed as well as ours, and not listened to", () => {
	const pinned = verifyAws({ settings: { topicArns: topic }, secrets: { certificate } });
	assert.equal(reasonOf(notify(), pinned), undefined);
	assert.equal(reasonOf(notify({ TopicArn: `${topic}2` }), pinned), "untrusted");
});

test("what a recipient wrote is told as it was", () => {
	const written = {
		...{ originationNumber: "+14255550182", destinationNumber: "+12125550101", messageKeyword: "STOP" },
		...{ messageBody: "STOP", inboundMessageId: "cae173d2-66b9-564c-8309-21f858e9fb84" },
	};
	const result = verify(notify({ Message: JSON.stringify(written) }), now);
	assert.ok(result.valid);
	const [message] = result.messages;
	assert.deepEqual(
		[message?.from.reveal(), message?.to, message?.text.reveal()],
		["+14255550182", "+12125550101", "STOP"],
	);
});

test("what a recipient wrote counts from when SNS was given it, however late it comes, and from no time to come", () => {
	const text = { messageBody: "START", inboundMessageId: "cae173d2-66b9-564c-8309-21f858e9fb84" };
	const Message = JSON.stringify({ originationNumber: "+14255550182", destinationNumber: "+12125550101", ...text });
	for (const [Timestamp, at] of [
		["2030-01-01T00:00:00.000Z", Date.UTC(2030, 0, 1)],
		["2030-01-03T00:00:00.000Z", now],
		["some day", now],
	] as const) {
		assert.equal(verify(notify({ Message, Timestamp }), now).messages[0]?.at, at, Timestamp);
	}
});
