// What a caller sees of a stored message: ids, states, codes and times; never content, number or hash of one.

import { decodeJwt } from "jose";
import type { z } from "zod";
import type { CertificateDocument } from "../adapters/mongo/models.ts";
import { formatTime } from "../domain/formatTime.ts";
import type { State } from "../domain/lifecycle.ts";
import { standingOfLink } from "../domain/link.ts";
import type { LinkRecord } from "../domain/linkRecord.ts";
import type { Message, RetentionRecord } from "../domain/message.ts";
import type {
	ConsentRecord,
	Ending,
	HoldRecord,
	OptOutRecord,
	RecipientKeyRecord,
	SubjectRecord,
} from "../domain/subject.ts";
import { schemas } from "./schemas.ts";

/** The answer to an acceptance; `state` is the one at acceptance unless told. */
export function viewAccepted(message: Message, state: State = stateAtAcceptance(message)) {
	return {
		id: message._id,
		submissionId: message.submissionId,
		state,
		decision: message.decision,
		expiresAt: formatTime(message.deadlineAt),
		links: { self: `/v1/messages/${message._id}` },
	} satisfies z.input<typeof schemas.accepted>;
}

/** The whole story of a message. */
export function viewMessage(message: Message, now: number) {
	return {
		id: message._id,
		submissionId: message.submissionId,
		sharesRun: message.sharesRun,
		state: message.state,
		category: message.category,
		dataClasses: message.dataClasses,
		deliveryMode: message.deliveryMode,
		country: message.country,
		sendQueue: message.sendQueue,
		sender: message.senderId,
		clientReference: message.clientReference,
		template: message.templateId,
		recipientKey: message.recipientKeyId,
		webhooks: message.webhooks,
		acceptedAt: formatTime(message.acceptedAt),
		stateAt: formatTime(message.stateAt),
		releaseAt: formatTime(message.releaseAt),
		expiresAt: formatTime(message.deadlineAt),
		closesAt: formatTime(message.closeAt),
		held: message.holds.length > 0,
		link: message.link && viewLink(message, message.link, now),
		decision: message.decision,
		abuse: message.abuse,
		attempts: message.attempts.map((attempt) => ({
			number: attempt.number,
			state: attempt.outcome ?? "open",
			startedAt: formatTime(attempt.startedAt),
			endedAt: formatTime(attempt.endedAt),
			code: attempt.code,
			sendQueue: attempt.sendQueue,
			segments: attempt.segments,
		})),
		reroutes: message.reroutes?.map(({ at, from, to, code, decision }) => ({
			at: formatTime(at),
			from,
			to,
			code,
			decision,
		})),
		receipts: message.receipts.map(({ attempt, state, at, receivedAt, code, effect }) => ({
			attempt,
			state,
			at: formatTime(at),
			receivedAt: formatTime(receivedAt),
			code,
			effect,
		})),
		retention: {
			content: viewRetention(message.retention.content),
			address: viewRetention(message.retention.address),
			receipt: viewRetention(message.retention.receipt),
			decisionRecord: viewRetention(message.retention.decision_record),
		},
		evidence: message.evidence.map(({ at, type, code, attempt }) => ({ at: formatTime(at), type, code, attempt })),
		certificates: message.certificates,
		links: { self: `/v1/messages/${message._id}` },
	} satisfies z.input<typeof schemas.message>;
}

function viewLink(message: Message, link: LinkRecord, now: number) {
	return {
		state: standingOfLink(message, now) ?? "open",
		expiresAt: formatTime(link.expiresAt),
		hasPin: link.pinRounds !== undefined,
		wrongPins: link.wrongPins,
		openedAt: formatTime(link.claimedAt),
		readAt: formatTime(link.readAt),
		closedAt: formatTime(link.closedAt),
	};
}

// Made once: a schema costs far more to make than to use.
const signedFields = schemas.certificate.omit({ jws: true });

/** What stands beside the signed text is read from it: nothing that nobody signed is told of a certificate. */
export function viewCertificate({ jws }: Pick<CertificateDocument, "jws">) {
	const { id, kind, issuedAt } = signedFields.parse(decodeJwt(jws));
	return { id, kind, issuedAt, jws } satisfies z.input<typeof schemas.certificate>;
}

export function viewConsent(record: ConsentRecord) {
	const { _id: id, type, purposes, wording, evidence, source, ground, ended } = record;
	return {
		id,
		type,
		purposes,
		obtainedAt: formatTime(record.at),
		wording,
		evidence,
		source,
		ground,
		...record.recipient,
		...viewRecorded(record),
		withdrawn: viewEnding(ended),
	} satisfies z.input<typeof schemas.consent>;
}

export function viewOptOut(record: OptOutRecord) {
	const { _id: id, scope, source, at, decision, ended } = record;
	return {
		id,
		scope,
		source,
		at: formatTime(at),
		...record.recipient,
		...viewRecorded(record),
		honorBy: decision?.honorBy,
		lifted: viewEnding(ended),
	} satisfies z.input<typeof schemas.optOut>;
}

export function viewHold(record: HoldRecord) {
	const { _id: id, scope, messageId, from, to, ground, reason, reviewAt, at, recordedBy, ended } = record;
	return {
		id,
		scope,
		messageId,
		from: formatTime(from),
		to: formatTime(to),
		ground,
		reason,
		approvedBy: record.approvedBy,
		approvedAt: formatTime(record.approvedAt),
		appliedAt: formatTime(record.appliedAt),
		reviewAt: formatTime(reviewAt),
		placedAt: formatTime(at),
		placedBy: recordedBy,
		released: viewEnding(ended),
	} satisfies z.input<typeof schemas.hold>;
}

export function viewRecipientKey(record: RecipientKeyRecord) {
	const { _id: id, x, version, at, recordedBy, eraseBy, ended } = record;
	return {
		id,
		key: { kty: "OKP" as const, crv: "X25519" as const, x },
		version,
		registeredAt: formatTime(at),
		registeredBy: recordedBy,
		eraseBy: formatTime(eraseBy),
		ended: viewEnding(ended),
	} satisfies z.input<typeof schemas.recipientKey>;
}

function viewRecorded({ recordedAt, recordedBy, eraseBy }: SubjectRecord) {
	return { recordedAt: formatTime(recordedAt), recordedBy, eraseBy: formatTime(eraseBy) };
}

function viewEnding(ended: Ending | undefined) {
	if (!ended) return undefined;
	const { at, recordedBy, source, evidence } = ended;
	return { at: formatTime(at), by: recordedBy, source, evidence };
}

/** The acceptance wrote it down, so that a replay answers what the first answer said. */
export function stateAtAcceptance(message: Message): State {
	const entry = message.evidence.find(({ type }) => type === "accepted");
	return entry?.code === "deferred" ? "deferred" : "accepted";
}

function viewRetention(record: RetentionRecord | undefined) {
	if (!record) return undefined;
	return {
		eraseBy: formatTime(record.eraseBy),
		erasedAt: formatTime(record.erasedAt),
		verifiedAt: formatTime(record.verifiedAt),
		certificateId: record.certificateId,
	};
}
