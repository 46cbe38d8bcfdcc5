// Messages for tests: whole documents, shaped by the few fields that a test is about.

import type { State } from "../../domain/lifecycle.ts";
import type { Message } from "../../domain/message.ts";

type Shape = {
	id?: string;
	submissionId?: string;
	submissionSize?: number;
	sharesRun?: true;
	headId?: string;
	group?: number;
	state?: State;
	attempt?: number;
	carrierId?: string;
	carrierIdAttempt?: number;
	seenEventId?: string;
	contentAtFinal?: boolean;
	contentEraseBy?: number;
	addressAtFinal?: boolean;
	holds?: string[];
	restrictedBy?: string[];
	deadlineAt?: number;
	closeAt?: number;
	category?: Message["category"];
	sendQueue?: string;
	tenantId?: string;
	nextCheckAt?: number;
	acceptedAt?: number;
	releaseAt?: number;
	facts?: Message["facts"];
	subject?: Message["subject"];
	link?: Message["link"];
};

const sealed = {
	cohortId: "coh_x",
	wrappingKeyId: "wk_x",
	wrappedKey: new Uint8Array(1),
	ciphertext: new Uint8Array(1),
};

export function messageOf(shape: Shape = {}): Message {
	const attempt = shape.attempt ?? 0;
	const carrierAttempt = shape.carrierIdAttempt ?? attempt;
	return {
		_id: shape.id ?? "msg_a",
		tenantId: shape.tenantId ?? "ten_a",
		submissionId: shape.submissionId ?? "sub_a",
		submissionSize: shape.submissionSize ?? 1,
		...(shape.sharesRun === undefined ? {} : { sharesRun: shape.sharesRun }),
		...(shape.headId === undefined ? {} : { headId: shape.headId }),
		group: shape.group ?? 0,
		principalId: "key_a",
		category: shape.category ?? "transactional",
		dataClasses: ["contact"],
		deliveryMode: "sms",
		country: "US",
		region: "US",
		sendQueue: shape.sendQueue ?? "queue",
		subject: shape.subject ?? { version: 1, mac: "mac" },
		...(shape.link === undefined ? {} : { link: shape.link }),
		facts: shape.facts ?? {},
		decision: { allowed: true, reasons: [], citations: [], packs: [], rules: [] },
		state: shape.state ?? "accepted",
		attempt,
		acceptedAt: shape.acceptedAt ?? 0,
		stateAt: 0,
		deadlineAt: shape.deadlineAt ?? 1_000,
		closeAt: shape.closeAt ?? 2_000,
		attempts: Array.from({ length: attempt }, (_, index) => ({
			number: index + 1,
			claim: `clm_${index + 1}`,
			startedAt: 0,
			leaseUntil: 0,
			...(shape.carrierId && carrierAttempt === index + 1 ? { carrierId: shape.carrierId } : {}),
		})),
		receipts: shape.seenEventId
			? [
					{
						eventId: shape.seenEventId,
						attempt: carrierAttempt,
						state: "pending",
						at: 0,
						receivedAt: 0,
						effect: "noted",
					},
				]
			: [],
		evidence: [],
		holds: shape.holds ?? [],
		...(shape.restrictedBy === undefined ? {} : { restrictedBy: shape.restrictedBy }),
		content: sealed,
		address: sealed,
		retention: {
			content: { eraseBy: shape.contentEraseBy ?? 10_000, atFinal: shape.contentAtFinal ?? true, cohortId: "coh_x" },
			address: { eraseBy: 10_000, atFinal: shape.addressAtFinal ?? true, cohortId: "coh_x" },
		},
		certificates: [],
		...(shape.releaseAt === undefined ? {} : { releaseAt: shape.releaseAt }),
		...(shape.nextCheckAt === undefined ? {} : { nextCheckAt: shape.nextCheckAt }),
	};
}
