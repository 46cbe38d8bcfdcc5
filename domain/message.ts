// A message and its parts, as the store keeps them and every room reads them. Times are epoch milliseconds.

import type { AbuseVerdict, Charge } from "./abuse.ts";
import type { Decision, Facts } from "./decision.ts";
import type { ErrorCode, FieldError } from "./errors.ts";
import type { ActType } from "./evidence.ts";
import type { State } from "./lifecycle.ts";
import type { LinkRecord } from "./linkRecord.ts";

export const categories = ["otp", "transactional", "marketing", "health"] as const;
export type Category = (typeof categories)[number];

/** How a message goes, the more protective last. */
export const deliveryModes = ["sms", "secure_link", "e2ee"] as const;
export type DeliveryMode = (typeof deliveryModes)[number];

/** Codes of the errors that refuse a message though the policies let it go: it can't go as they say. */
export const dryRunRefusals = [
	"link_host_missing",
	"pin_required",
	"recipient_key_missing",
	"card_number",
	"validity_too_long",
] as const;
export type DryRunRefusal = (typeof dryRunRefusals)[number];

/** What may be asked for; what `auto` comes to is the policies' decision. */
export const deliverModes = ["auto", ...deliveryModes] as const;
export type DeliverMode = (typeof deliverModes)[number];

/** The encrypted parts of a message; each has its own data key, cohort and retention. */
export const sealedObjects = ["content", "address"] as const;
export type SealedObjectName = (typeof sealedObjects)[number];

/** What a request for erasure reaches; the record stays, under a pseudonym. */
export const erasableObjects = [...sealedObjects, "receipt"] as const;
export type ErasableObject = (typeof erasableObjects)[number];

/** One encrypted object: AES-256-GCM ciphertext and its wrapped data key, both erased together. */
export type Sealed = {
	cohortId: string;
	wrappingKeyId: string;
	/** format version ‖ iv ‖ wrapped data key ‖ tag */
	wrappedKey: Uint8Array;
	/** format version ‖ iv ‖ ciphertext ‖ tag */
	ciphertext: Uint8Array;
};

/**
 * Keyed hash of a recipient's number under the tenant's key; `version` names the key version. `others`: under the other
 * versions that were live then, by which what was on record before is known.
 */
export type SubjectPseudonym = { version: number; mac: string; others?: string[] };

/** `withheld`: judged once more after the claim, or too late by then, and kept from the carrier. */
export type AttemptOutcome = "accepted" | "rejected" | "throttled" | "failed" | "ambiguous" | "absent" | "withheld";

/** One call to the carrier, recorded before it is made. */
export type Attempt = {
	number: number;
	startedAt: number;
	leaseUntil: number;
	/** The send queue that made it. */
	sendQueue?: string;
	/** Random token of the sender that holds the attempt; one for all that it claimed in the same write. */
	claim: string;
	endedAt?: number;
	outcome?: AttemptOutcome;
	/** Our code for the carrier's answer; carrier text never leaves the adapter. */
	code?: string;
	/** Of a message that went in parts, the id of each. */
	carrierId?: string | string[];
	segments?: number;
};

/** The send queue that an attempt was of, wherever its message has been moved to since. */
export function queueOf(attempt: Pick<Attempt, "sendQueue">, { sendQueue }: Pick<Message, "sendQueue">): string {
	return attempt.sendQueue ?? sendQueue;
}

/** Whether a send queue's carrier may name the attempt by this id: another carrier's ids may be the same. */
export function isNamedBy(
	attempt: Pick<Attempt, "sendQueue" | "carrierId">,
	message: Pick<Message, "sendQueue">,
	{ sendQueue, carrierId }: { sendQueue: string; carrierId: string },
): boolean {
	return queueOf(attempt, message) === sendQueue && carrierIdsOf(attempt).includes(carrierId);
}

/** Every id that the carrier may name the attempt by. */
export function carrierIdsOf({ carrierId = [] }: Pick<Attempt, "carrierId">): string[] {
	return typeof carrierId === "string" ? [carrierId] : carrierId;
}

/** Whether a hold lets nothing of the message be sent; `holds` alone keep it from erasure. */
export function isRestricted({ restrictedBy }: Pick<Message, "restrictedBy">): boolean {
	return (restrictedBy?.length ?? 0) > 0;
}

/** Ids of all the certificates that a message names: its submission's and its requests', and those of the purges that erased it. */
export function certificateIdsOf({ certificates, retention }: Pick<Message, "certificates" | "retention">): string[] {
	return [...certificates, ...sealedObjects.flatMap((name) => retention[name]?.certificateId ?? [])];
}

/** Whether a carrier has, or may have, taken one of these attempts. */
export function wasHandedOver(attempts: readonly Attempt[]): boolean {
	return attempts.some(({ outcome }) => outcome === undefined || outcome === "accepted" || outcome === "ambiguous");
}

/** Whether nobody knows what became of a message that a carrier may have. */
export function isInDoubt({ state, attempts }: Pick<Message, "state" | "attempts">): boolean {
	return state === "unknown" || (state === "sending" && attempts.at(-1)?.outcome === "ambiguous");
}

/** What a carrier says of a message; `pending` covers all that is not final. */
export type CarrierEventState =
	| Extract<State, "submitted" | "delivered" | "undelivered" | "expired" | "rejected" | "unknown">
	| "pending";

/** An authenticated receipt kept as evidence on the message. */
export type ReceiptRecord = {
	eventId: string;
	attempt: number;
	state: CarrierEventState;
	/** When the carrier says it happened. */
	at: number;
	receivedAt: number;
	code?: string;
	/** The part that it is of, where the message went in parts. */
	carrierId?: string;
	/** `applied` moved the state; the others were kept and changed nothing. */
	effect: "applied" | "noted" | "late" | "stale" | "out_of_order";
};

/** What happened, why, and when; ids, codes and times only. */
export type EvidenceEntry = { at: number; type: ActType; code?: string; attempt?: number; by?: string };

/** When an object must be gone, where its key lives, and whether it is gone. */
export type RetentionRecord = {
	/** Latest time at which the object may exist; the cohort's key ends by then. */
	eraseBy: number;
	/** Erased by the update that makes the message final. */
	atFinal: boolean;
	cohortId?: string;
	/** Cohorts that it was moved out of: copies of before may hold it under their keys. */
	formerCohorts?: string[];
	/** When that cohort's key is to be destroyed. */
	keyDueAt?: number;
	erasedAt?: number;
	/** Read back after the erasure and found gone. */
	verifiedAt?: number;
	/** The purge page that erased it, by its certificate's id: that page is read back and certified as a whole. */
	certificateId?: string;
	/** Its cohort ends later than it may exist: the sweep erases it where it is. */
	inPlace?: boolean;
	/** An erasure that the ledger knows of, and the store no more, has it go by then, whatever the policies come to say. */
	goesBy?: number;
	/** The subject's request for which it goes. */
	request?: string;
	/** As it was before that request marked it: what it is again if the request is given up. */
	before?: Pick<RetentionRecord, "eraseBy" | "inPlace">;
};

/** The end of what a hold keeps: none, until the hold is released. */
export const noEnd = Number.MAX_SAFE_INTEGER;

type PackRef = Decision["packs"][number];

/** Policies that came into force after it was judged, applied to it. */
export type RetimingRecord = {
	/** The pass that did it. */
	id: string;
	at: number;
	/** Pack versions that it was judged by before and is no longer. */
	from: PackRef[];
	/** Pack versions that it is judged by now, and those that would be but for an exclusion. */
	packs: PackRef[];
	excluded?: PackRef[];
	/** What the policies say of sending it, while it was not sent. */
	decision?: Decision;
	/** How often it had been moved to another route by then: it was judged on the last of those. Absent where on its first. */
	reroutes?: number;
	/** What changed, as the pass counts it. */
	effects: string[];
};

/** What the policies are told of a route. */
export type RouteFacts = {
	route: {
		provider: string;
		baaRef?: string;
		approvedSubprocessor?: boolean;
		processingCountry?: string;
		transferMechanism?: string;
	};
	senderId?: { type: "alphanumeric" | "short_code" | "numeric"; registered: boolean };
	/** To India: what its operators' ledger has of the sender. */
	dlt?: { entityId?: string; headerId?: string; templateId?: string };
};

/** A move to another send queue, after the one before surely had not sent it. */
export type RerouteRecord = {
	at: number;
	from: string;
	to: string;
	/** Why, in a word. */
	code: string;
	/** What the policies were told of the new route, and what they said of sending it there then. */
	facts: RouteFacts;
	decision: Decision;
};

/** The facts of a message on the send queue that it has now. */
export function currentFacts({
	facts,
	reroutes = [],
}: Pick<Message, "facts"> & { reroutes?: Pick<RerouteRecord, "facts">[] }): Facts {
	const last = reroutes.at(-1);
	if (!last) return facts;
	const { senderId: _sender, dlt: _ledger, ...context } = facts.context ?? {};
	return { ...facts, context: { ...context, ...last.facts } };
}

/** False of a message as far as it is stored where nobody can read the rest: nor can it be judged then. */
export function isReadable({ facts }: { facts?: Facts | undefined }): boolean {
	return facts !== undefined;
}

/** Whether its run drives nothing else. */
export function hasOwnRun({ submissionSize, sharesRun }: Pick<Message, "submissionSize" | "sharesRun">): boolean {
	return submissionSize === 1 && !sharesRun;
}

/** A message of a request that was refused, by its place there; nothing of what it said. */
export type Refusal = { index: number; code: ErrorCode; errors: FieldError[]; extra: Record<string, unknown> };

/**
 * The copy of a carrier that is asked to forget it. `due`: at `nextTryAt`, after `tries` that came to nothing; `read_back`:
 * gone, as the carrier showed; `confirmed`: as it says, for it shows nothing; `given_up`: left to its agreement.
 */
export type CarrierCopyRecord = {
	state: "due" | "read_back" | "confirmed" | "given_up";
	/** When it was first due. */
	dueAt: number;
	nextTryAt: number;
	tries: number;
	endedAt?: number;
};

export type RetentionObject = "content" | "address" | "receipt" | "decision_record";

export type Message = {
	_id: string;
	tenantId: string;
	/** Its run's id, too. */
	submissionId: string;
	/** Messages accepted together; 1 for a single message, which is its own head. */
	submissionSize: number;
	/** It was accepted by itself, under load: others that were may be of its submission, and are driven by the same run. */
	sharesRun?: true;
	/** The submission's head, until it was seen to be stored; the head itself and a single message have none. */
	headId?: string;
	/** When the sweep first looked for that head and found none. */
	headMissedAt?: number;
	/** Its place in the request that it came with others in, from 0. */
	index?: number;
	/** The head's: what was refused of that request, as it was answered. */
	refused?: Refusal[];
	/** Messages of one release time share a group and one `deliver-<group>` activity. */
	group: number;
	principalId: string;
	idempotency?: { keyMac: string; fingerprint: string };
	category: Category;
	dataClasses: string[];
	deliveryMode: DeliveryMode;
	country: string;
	region: string;
	sendQueue: string;
	senderId?: string;
	/** The caller asked for that sender: no other may take its place. */
	senderAsked?: true;
	/** The send queues that it was moved to since, the last one last. */
	reroutes?: RerouteRecord[];
	/** SMS that its text takes. */
	segments?: number;
	clientReference?: string;
	/** Endpoints that are told of it, and of which of its states any of them is. */
	webhooks?: string[];
	notifies?: State[];
	/** Set by the update that brings such a state, until the deliveries of it are stored. */
	notifyAt?: number;
	/** Of its events, how many are. */
	notified?: number;
	/** The template that its text was made of. */
	templateId?: string;
	/** To its number and text, by a salt that its sender alone has. */
	commitment?: string;
	/** The recipient's key that its text is encrypted to. */
	recipientKeyId?: string;
	subject: SubjectPseudonym;
	facts: Facts;
	decision: Decision;
	/** Packs that would have applied but for an exclusion: with the decision's own they replay it. */
	excluded?: PackRef[];
	retimings?: RetimingRecord[];
	/** Checks against misuse that it would not have passed, had they not only watched. */
	abuse?: AbuseVerdict[];
	/** What its tenant's budgets were charged for it; absent once given back, and where there are none. */
	charge?: Charge;

	state: State;
	attempt: number;
	acceptedAt: number;
	stateAt: number;
	deadlineAt: number;
	/** Deadline plus receipt grace: what is open then becomes expired or unknown. */
	closeAt: number;
	releaseAt?: number;
	/** Earliest time of the next attempt. */
	notBefore?: number;
	/** Where it waits for room on its send queue; absent when it does not. */
	backlog?: string;
	attempts: Attempt[];
	receipts: ReceiptRecord[];
	evidence: EvidenceEntry[];
	/** How many of them are in the evidence log. */
	integrated?: number;
	/** When the first of the others was written; absent when the log has them all. */
	unintegratedSince?: number;
	/** Once it came to rest: how many of its first entries the store keeps apart, beside which it adds later ones. */
	archived?: number;
	/** Holds that keep it from being erased. */
	holds: string[];
	/** Those of them that also keep it from being sent. */
	restrictedBy?: string[];
	/** Random tokens of the last few updates; re-read to learn which operations of a batch took effect. */
	tokens?: string[];

	content?: Sealed;
	address?: Sealed;
	/** Of a message in the mode `secure_link`: its content is then what the link opens, encrypted for its recipient. */
	link?: LinkRecord;
	retention: Partial<Record<RetentionObject, RetentionRecord>>;
	/** Absent where the carrier is not asked. */
	carrierCopy?: CarrierCopyRecord;
	/** Its place among what its carrier is to be asked to forget; see `redactionKey`. Absent while a hold keeps the copy. */
	redaction?: string;
	certificates: string[];
	/** When the sweep must look at this message again; absent when nothing is left to do. */
	nextCheckAt?: number;
};
