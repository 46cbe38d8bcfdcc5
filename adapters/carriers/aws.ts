// AWS End User Messaging: events and recipients' messages brought by SNS, signed by RSA over named fields.

import { createPublicKey, type KeyObject, verify as verifySignature } from "node:crypto";
import aws4 from "aws4";
import { z } from "zod";
import { withoutUndefined } from "../../domain/withoutUndefined.ts";
import {
	type Authentic,
	conclude,
	isCallback,
	mapCode,
	type Parsed,
	readHeader,
	readObject,
	refuse,
	told,
	unread,
	wrote,
} from "./callback.ts";
import type {
	CallbackRequest,
	Capabilities,
	Carrier,
	CarrierEvent,
	CarrierFactory,
	Manual,
	VerifierFactory,
} from "./carrier.ts";
import type { CarrierCode } from "./codes.ts";
import { confirmSubscription, isTopicArn } from "./confirmSubscription.ts";
import { nonEmpty, webUrl } from "./fields.ts";
import { createSnsCertificates } from "./snsCertificates.ts";
import { type Answer, type Answers, createVendor, readAnswer, toCode } from "./vendor.ts";

const capabilities: Capabilities = {
	...{ validity: true, receipts: true, inbound: true, lookup: false, redaction: false, idempotentSend: false },
	...{ timedCallbacks: false, baa: true, unsignedCallbacks: "refuse" },
	regions: ["us-east-1", "us-west-2", "eu-west-1", "eu-central-1", "ap-southeast-2", "ca-central-1"],
};

/** A function, for what it tells stands further below. */
const manual = (): Manual => ({
	title: "AWS End User Messaging",
	source: "https://docs.aws.amazon.com/sms-voice/latest/userguide/",
	secrets: {
		send: z.strictObject({
			accessKeyId: nonEmpty.describe("the key of a user or role that may SendTextMessage"),
			secretAccessKey: nonEmpty.describe("its secret"),
			sessionToken: nonEmpty.optional().describe("of temporary keys"),
		}),
		callback: z.strictObject({
			certificate: nonEmpty
				.optional()
				.describe("the certificate that SNS signs with, PEM; without it each is fetched, from SNS's own address only"),
		}),
	},
	settings: z.strictObject({
		url: webUrl.optional().describe("the API's address, in place of the region's"),
		region: nonEmpty.optional().describe("the region that sends; us-east-1 without it"),
		configurationSet: nonEmpty.describe("the configuration set whose events go to the topic"),
		topicArns: z
			.string()
			.refine((topicArns) => splitTopics(topicArns).every(isTopicArn), {
				error: "it must be the ARNs of SNS topics, separated by commas",
			})
			.describe("the topics that are listened to, separated by commas; without it no callback is believed"),
	}),
	// As the API's reference has it.
	sender: z.string().refine((sender) => /^[A-Za-z0-9_:/+-]{1,256}$/.test(sender), {
		error: "it must be a number, a sender ID, or the id or ARN of a number or pool",
	}),
	signature:
		"RSA over the fields of an SNS message, under a certificate from SNS's own address, from a topic that is named. None is too old: each MessageId counts once, and what recipients write counts from the Timestamp that is signed.",
	statuses: states,
	limits: [
		"Only a receipt that says it is final (isFinal) ends a message; before that SENT and SUCCESSFUL mean submitted, all else pending. A final word that is not in the table means undelivered.",
		"Every message goes as TRANSACTIONAL.",
		"It takes no validity below 5 seconds: such a message is not sent through it. Its validity ends after 72 hours at the latest.",
		"A subscription is confirmed by itself when its topic is one of those named, and no other.",
		"With raw message delivery nothing is signed, and nothing is believed: leave it off.",
		"It can't be asked by a reference of ours, nor to forget a message.",
		"Receipts may come up to 72 hours late; after that it says that it does not know.",
		"What recipients write names the number only: where the sender is a pool or an ARN, a STOP is not known as its own.",
	],
});

/**
 * Secrets `{accessKeyId, secretAccessKey}` serve sending, with `{sessionToken}` when they are temporary; settings `{region}`,
 * `{url}` in place of the region's own, and `{configurationSet}`, which names where events go.
 * @throws TypeError for a region that is no name
 */
export const createAws: CarrierFactory = ({ settings, secrets }) => {
	const { accessKeyId, secretAccessKey, sessionToken } = secrets;
	const { region = "us-east-1", configurationSet } = settings;
	if (!/^[a-z]{2,8}(-[a-z]{2,16}){1,3}-\d{1,2}$/.test(region)) throw new TypeError("The region must be one of AWS.");
	const url = settings.url ?? `https://sms-voice.${region}.amazonaws.com`;
	const { prepare, verify, confirm } = openCallbacks(settings, secrets);
	const carrier = createVendor({
		...{ name: "aws", capabilities, manual: manual(), verify, answers, validitySecondsMin: 5, url },
		credentials: accessKeyId && secretAccessKey ? { accessKeyId, secretAccessKey, sessionToken } : undefined,
		request: ({ to, sender, text, reference, validitySeconds }, keys) => {
			const body = JSON.stringify({
				DestinationPhoneNumber: to.reveal(),
				OriginationIdentity: sender,
				MessageBody: text.reveal(),
				MessageType: "TRANSACTIONAL",
				TimeToLive: Math.min(Math.floor(validitySeconds), validitySecondsMax),
				ConfigurationSetName: configurationSet,
				Context: { reference },
			});
			const target = "PinpointSMSVoiceV2.SendTextMessage";
			const headers = { "content-type": "application/x-amz-json-1.0", "x-amz-target": target };
			const request = {
				...{ service: "sms-voice", region, method: "POST", path: "/", body, headers },
				host: new URL(url).host,
			};
			const signed = aws4.sign(request, withoutUndefined(keys)).headers ?? {};
			return {
				...{ method: "POST", path: "/", body },
				headers: Object.fromEntries(Object.entries(signed).map(([name, value]) => [name.toLowerCase(), String(value)])),
			};
		},
	});
	return { ...carrier, prepare, confirm };
};

/** Anybody's topic is signed as well as ours: without one that is named, nothing is fetched or believed. */
function openCallbacks(
	settings: Record<string, string>,
	secrets: Record<string, string>,
): Required<Pick<Carrier, "prepare" | "verify" | "confirm">> {
	const topics = readTopics(settings);
	const certificates = createSnsCertificates({ clock: Date.now });
	const fetched = verifyWith(topics && certificates.keyOf, topics);
	return {
		verify: secrets.certificate && topics ? verifyAws({ settings, secrets }) : fetched,
		async prepare({ body }, signal) {
			const { TopicArn: topic, SigningCertURL: address } = readObject(body) ?? {};
			const isOurs = typeof topic === "string" && topics?.includes(topic);
			if (isOurs && typeof address === "string" && !secrets.certificate) await certificates.fetch(address, signal);
		},
		async confirm({ body }, signal) {
			const { Type: type, TopicArn: topic, Token: token } = readObject(body) ?? {};
			if (type !== "SubscriptionConfirmation") return true;
			const isOurs = typeof topic === "string" && topics?.includes(topic) === true;
			return isOurs && typeof token === "string" && confirmSubscription(topic, token, signal);
		},
	};
}

const validitySecondsMax = 259_200;
const acceptance = z.object({ MessageId: z.string().regex(/^[\w-]{1,100}$/) });
const refusal = z.object({
	__type: z.string(),
	Reason: z.string().optional(),
	Fields: z.array(z.unknown()).optional(),
});
// https://docs.aws.amazon.com/pinpoint/latest/apireference_smsvoicev2/API_SendTextMessage.html
const refusals: Record<string, CarrierCode> = {
	AccessDeniedException: "credentials_refused",
	DESTINATION_COUNTRY_BLOCKED: "invalid_recipient",
	DESTINATION_COUNTRY_BLOCKED_BY_PROTECT_CONFIGURATION: "invalid_recipient",
	DESTINATION_PHONE_NUMBER_BLOCKED_BY_PROTECT_NUMBER_OVERRIDE: "invalid_recipient",
	// An account that AWS has not opened yet writes to numbers of its own alone.
	DESTINATION_PHONE_NUMBER_NOT_VERIFIED: "unavailable",
	DESTINATION_PHONE_NUMBER_OPTED_OUT: "recipient_opted_out",
	ExpiredTokenException: "credentials_refused",
	INVALID_IDENTITY_FOR_DESTINATION_COUNTRY: "sender_refused",
	InvalidSignatureException: "credentials_refused",
	MESSAGE_TYPE_MISMATCH: "sender_refused",
	NO_ORIGINATION_IDENTITIES_FOUND: "sender_refused",
	NUMBER_CAPABILITIES_MISMATCH: "sender_refused",
	RESOURCE_NOT_ACTIVE: "sender_refused",
	ResourceNotFoundException: "sender_refused",
	SENDER_ID_NOT_REGISTERED: "sender_refused",
	SENDER_ID_NOT_SUPPORTED: "sender_refused",
	SENDER_ID_REQUIRES_REGISTRATION: "sender_refused",
	ServiceQuotaExceededException: "unavailable",
	UnrecognizedClientException: "credentials_refused",
};
const answers: Answers = {
	accepted(answer) {
		const taken = readAnswer(acceptance, answer);
		return taken && { carrierId: taken.MessageId };
	},
	refused(answer) {
		const { type, reason } = readRefusal(answer);
		return toCode(refusals, reason) ?? toCode(refusals, type);
	},
	throttled: (answer) => readRefusal(answer).type === "ThrottlingException",
};

function readRefusal(answer: Answer): { type: string | undefined; reason: string | undefined } {
	const { __type: type, Reason: reason } = readAnswer(refusal, answer) ?? {};
	return { type: type?.replace(/^.*#/, ""), reason };
}

/**
 * Secrets `{certificate}` or `{publicKey}`, PEM: the one that SNS signs with. Setting `topicArns`, separated by commas,
 * names the topics that are listened to; another account's are signed as well as ours. No greatest age of a message is
 * documented: the replay key is its MessageId.
 * @throws TypeError for a certificate that can't be read
 */
export const verifyAws: VerifierFactory = ({ settings, secrets }) => {
	const pem = secrets.certificate ?? secrets.publicKey;
	const key = pem ? readCertificate(pem) : undefined;
	return verifyWith(key && (() => key), readTopics(settings));
};

function readTopics({ topicArns }: Record<string, string>): string[] | undefined {
	return topicArns === undefined ? undefined : splitTopics(topicArns);
}

function splitTopics(topicArns: string): string[] {
	return topicArns.split(",").map((topic) => topic.trim());
}

/** The key behind a certificate's address; the address itself is checked in any case. */
type KeyOf = (url: string) => KeyObject | undefined;

/** @param keyOf undefined while there is nothing to check with */
function verifyWith(keyOf: KeyOf | undefined, topics: string[] | undefined): Carrier["verify"] {
	return (request, now) => {
		if (!isCallback(request)) return refuse("malformed");
		if (!keyOf) return refuse("not_configured");
		if (request.method !== "POST") return refuse("unsupported");
		const message = readObject(request.body);
		return conclude(authenticate(keyOf, topics, request, message), () => parse(message, now));
	};
}

/** The fields that each type signs, in their order. https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html */
const confirmation = ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"];
const signedFields: Record<string, string[]> = {
	Notification: ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"],
	SubscriptionConfirmation: confirmation,
	UnsubscribeConfirmation: confirmation,
};
const hashes: Record<string, string> = { "1": "RSA-SHA1", "2": "RSA-SHA256" };
const certificateUrl = /^https:\/\/sns\.[a-z]{2,8}(-[a-z]{2,16}){1,3}-\d{1,2}\.amazonaws\.com(\.cn)?\/[\w-]+\.pem$/;

const states: Record<string, CarrierEvent["state"]> = {
	QUEUED: "pending",
	PENDING: "pending",
	SENT: "submitted",
	DELIVERED: "delivered",
	SUCCESSFUL: "delivered",
	BLOCKED: "undelivered",
	CARRIER_BLOCKED: "undelivered",
	CARRIER_UNREACHABLE: "undelivered",
	INVALID: "undelivered",
	INVALID_MESSAGE: "undelivered",
	PROTECT_BLOCKED: "undelivered",
	SPAM: "undelivered",
	UNREACHABLE: "undelivered",
	TTL_EXPIRED: "expired",
	// What the carrier never told within 72 hours.
	UNKNOWN: "unknown",
};
// https://docs.aws.amazon.com/sms-voice/latest/userguide/configuration-sets-event-types.html
const codes: Record<string, CarrierCode> = {
	BLOCKED: "invalid_recipient",
	CARRIER_BLOCKED: "content_refused",
	INVALID: "invalid_recipient",
	INVALID_MESSAGE: "content_refused",
	PROTECT_BLOCKED: "invalid_recipient",
	SPAM: "content_refused",
	TTL_EXPIRED: "validity_over",
	UNREACHABLE: "handset_unreachable",
};

const id = z.string().regex(/^[\w-]{1,100}$/);
const address = z.string().regex(/^[\w+ -]{1,32}$/);
const receipt = z.object({
	eventType: z.string().regex(/^[A-Z_]{1,37}$/),
	eventTimestamp: z.number().optional(),
	isFinal: z.boolean(),
	messageId: id,
	messageStatus: z
		.string()
		.regex(/^[A-Z_]{1,32}$/)
		.optional(),
});
const inbound = z.object({
	originationNumber: address,
	destinationNumber: address,
	messageBody: z.string(),
	inboundMessageId: id,
});

const textPrefix = "TEXT_";

type Message = Record<string, unknown>;

function authenticate(
	keyOf: KeyOf,
	topics: string[] | undefined,
	request: CallbackRequest,
	message: Message | undefined,
): Authentic {
	if (!message) return { refused: "malformed" };
	const { Type, MessageId, TopicArn, Signature, SignatureVersion, SigningCertURL } = message;
	if (Signature === undefined || SigningCertURL === undefined) return { refused: "unsigned" };
	const fields = signedFields[String(Type)];
	const hash = hashes[String(SignatureVersion)];
	if (typeof Type !== "string" || !fields || typeof SignatureVersion !== "string" || !hash) {
		return { refused: "unsupported" };
	}
	if (typeof SigningCertURL !== "string" || !certificateUrl.test(SigningCertURL)) return { refused: "untrusted" };
	const present = fields.filter((field) => field !== "Subject" || (message.Subject ?? undefined) !== undefined);
	const values = present.map((field) => message[field]);
	const isSigned = typeof Signature === "string" && /^[A-Za-z0-9+/]{16,2048}={0,2}$/.test(Signature);
	if (present.some((field) => takesNeighbours(field, String(message[field]), fields))) return { refused: "malformed" };
	if (!isSigned || !values.every((value) => typeof value === "string")) return { refused: "malformed" };
	const typeHeader = readHeader(request.headers, "x-amz-sns-message-type");
	if (typeHeader !== undefined && typeHeader !== Type) return { refused: "malformed" };
	const isOurs = !topics || topics.includes(String(TopicArn));
	const key = keyOf(SigningCertURL);
	// For a topic of another's none is fetched.
	if (!key) return { refused: isOurs ? "not_configured" : "untrusted" };
	const signed = present.map((field) => `${field}\n${message[field]}\n`).join("");
	const fits = verifySignature(hash, Buffer.from(signed, "utf8"), key, Buffer.from(String(Signature), "base64"));
	if (!fits) return { refused: "bad_signature" };
	if (!isOurs) return { refused: "untrusted" };
	return { replayKey: String(MessageId), fresh: true };
}

/**
 * Lines separate what is signed: a field that holds its neighbours would give the same message another id under the same
 * signature. The first field may hold any, and a subject those that are no field's name.
 */
function takesNeighbours(field: string, value: string, fields: string[]): boolean {
	const lines = value.split(/[\r\n]/);
	if (field === "Subject") return lines.some((line) => fields.includes(line));
	return field !== "Message" && lines.length > 1;
}

/** What is of no known kind is no concern of a message; what is of one must have its form. */
function parse(message: Message | undefined, now: number): Parsed {
	const event = message?.Type === "Notification" ? readObject(String(message.Message)) : undefined;
	if (!event) return {};
	if ("inboundMessageId" in event) return parseInbound(event, readTimestamp(message, now));
	const type = String(event.eventType);
	// Its documents spell the types of text messages with the prefix and without.
	return type.startsWith(textPrefix) || Object.hasOwn(states, type) ? parseReceipt(event, now) : {};
}

function parseReceipt(event: Message, now: number): Parsed {
	const { data } = receipt.safeParse(event);
	if (!data) return unread;
	const { messageId: carrierId, eventType, isFinal, eventTimestamp: at = now } = data;
	const status = data.messageStatus ?? eventType.slice(eventType.startsWith(textPrefix) ? textPrefix.length : 0);
	const state = isFinal
		? (states[status] ?? "undelivered")
		: status === "SENT" || status === "SUCCESSFUL"
			? "submitted"
			: "pending";
	const code = state === "undelivered" || state === "expired" ? mapCode(codes, status) : undefined;
	return told({ eventId: `${carrierId}.${status}.${isFinal}`, carrierId, status, state, at, code });
}

function parseInbound(event: Message, at: number): Parsed {
	const { data } = inbound.safeParse(event);
	if (!data) return unread;
	const { inboundMessageId: eventId, originationNumber: from, destinationNumber: to, messageBody: text } = data;
	return wrote({ eventId, from, to, text, at });
}

/** When SNS was given it, as is signed: brought late, a START must not lift the STOP that came after it. */
function readTimestamp(message: Message | undefined, now: number): number {
	const at = Date.parse(String(message?.Timestamp));
	return Number.isNaN(at) ? now : Math.min(at, now);
}

function readCertificate(pem: string): KeyObject {
	try {
		const key = createPublicKey(pem);
		if (key.asymmetricKeyType === "rsa") return key;
	} catch {
		// The message of what OpenSSL says names neither the setting nor the mend.
	}
	throw new TypeError("The certificate must be the PEM of an RSA certificate or public key.");
}
