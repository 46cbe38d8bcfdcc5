// What must hold after any faults: the client's log, the carrier's ledger, the store, the evidence log and retention agree.

import type { Cohort, WrappingKeyDocument } from "../../adapters/mongo/models.ts";
import type { Certificate } from "../../audit/certificate.ts";
import type { VerifyResult } from "../../audit/verifyCertificate.ts";
import type { Entry } from "../../domain/evidence.ts";
import { isFinal, lifecycle, type State } from "../../domain/lifecycle.ts";
import {
	certificateIdsOf,
	type EvidenceEntry,
	type Message,
	type SealedObjectName,
	sealedObjects,
	wasHandedOver,
} from "../../domain/message.ts";
import type { SubjectRequest } from "../../domain/subjectRequest.ts";
import { eventsOf } from "../../domain/webhook.ts";
import { clockErrors, timesOf } from "./clockErrors.ts";
import type { Befallen } from "./schedule.ts";

/**
 * One message as its caller knows it: `ids` of every 202 that its key had, which must be one; from when it was asked for to
 * the first 202, by this machine's clock; `sendAt` and `validForMs` as they were asked for; what a request to cancel it was
 * answered with. Times epoch ms.
 */
export type Sent = {
	key: string;
	magic: string;
	to: string;
	text: string;
	category: "otp" | "transactional";
	ids: string[];
	askedAt: number;
	answeredAt: number;
	validForMs?: number;
	sendAt?: number;
	cancel?: "granted" | "refused";
	/** When it was answered that its recipient is sent nothing any more. */
	blockedAt?: number;
	/** Its text and number are to stay beyond its end. */
	isKept?: true;
	/** The request by which its recipient is to be forgotten. */
	erasure?: string;
};
/** An event as a tenant's own server heard of it, and whether it took it. */
export type Told = Pick<ReturnType<typeof eventsOf>[number], "sequence"> & {
	/** The delivery's, the same at every try. */
	id: string;
	messageId: string;
	state: string;
	isVerified: boolean;
	isTaken: boolean;
};
export type LedgerLine = { text: string; reference: string; at: number };
/** A message as the store had it at some time, epoch ms by this machine's clock. */
export type Sight = { state: State; attempt: number; at: number };
export type CohortSeen = Pick<Cohort, "_id" | "state" | "dueAt" | "certificates">;
export type Observed = {
	sent: Sent[];
	messages: Map<string, Message>;
	/** What was seen of each message while it lived, in order. */
	sights: Map<string, Sight[]>;
	ledger: LedgerLine[];
	/** In the order in which it came. */
	told: Told[];
	entries: Entry[];
	cohorts: CohortSeen[];
	/** Names of all that Vault has in transit. */
	transitKeys: string[];
	wrappingKeys: Pick<WrappingKeyDocument, "_id" | "cohortId">[];
	requests: Map<string, Pick<SubjectRequest, "erasure" | "certificates">>;
	/** Every certificate there is, by its id, as whoever checks one is told of it. */
	certificates: Map<string, VerifyResult>;
	faults: Befallen[];
	now: number;
};

/** A carrier writes its line a moment after it was sent. */
const lateMsMax = 1_000;
/** With less left, an attempt is not begun any more. */
const earlyMsMax = 1_000;
/** As far ahead a clock is put at most: see the schedule. */
const clockErrorMsMax = 15_000;
/** Within it a cohort that is due goes. */
const purgeMsMax = 120_000;
/**
 * So long after its end a fault may still be what a code was lost for: the sweep finds what lost its driver within 25 s, and
 * a carrier that was away for 15 s is left alone by its circuit for as long again.
 */
export const repairMs = 30_000;

/** What the carrier makes of a number in the end, where that is not `delivered`. */
const endings: Record<string, readonly State[]> = {
	undelivered: ["undelivered"],
	expired: ["expired"],
	rejected_number: ["rejected"],
	never_available: ["expired"],
	no_receipt: ["unknown"],
};

/**
 * Numbers whose first attempt is not taken, which nobody can know before it is over by every clock: the seconds of a code
 * are gone by then.
 */
const costly: readonly string[] = ["error_before_accepting", "timeout_before_accepting", "reset_before_accepting"];

const workers = ["worker", "worker2"] as const;
const senders = ["sender", "sender2"] as const;

/** Every violation, in one line each; none is what is wanted. */
export function findViolations(observed: Observed): string[] {
	const { sent, messages, ledger, entries, faults } = observed;
	const lines = Map.groupBy(ledger, ({ text }) => text);
	const logged = Map.groupBy(entries, ({ about }) => about ?? "");
	const told = Map.groupBy(observed.told, ({ messageId }) => messageId);
	const violations = [...findStrays(observed), ...findKeys(observed)];
	for (const one of sent) {
		const [id = "", ...others] = new Set(one.ids);
		const say = (what: string) => violations.push(`${id} (${one.magic}, ${one.category}, ${one.key}): ${what}`);
		if (others.length > 0) say(`its key was answered with ${others.join(", ")} too`);
		const message = messages.get(id);
		if (!message) {
			say("was accepted, and is not in the store");
			continue;
		}
		const arrivals = lines.get(one.text) ?? [];
		const sights = observed.sights.get(id) ?? [];
		checkEnd(one, message, arrivals, faults, say);
		checkTimes(one, message, arrivals, faults, say);
		checkExpiry(one, message, sights, faults, say);
		checkArrivals(message, arrivals, say);
		checkBlock(one, message, arrivals, faults, say);
		checkForgotten(message, observed, say);
		checkErasure(one, message, observed, say);
		checkHistory(message, logged.get(id) ?? [], say);
		// Nobody listens for the tenant that keeps what it sends.
		if (!one.isKept) checkTold(message, told.get(id) ?? [], say);
		checkSights(sights, say);
	}
	return violations;
}

/** What is somewhere, and of nobody's. */
function findStrays({ sent, messages, ledger }: Observed): string[] {
	const ids = new Set(sent.flatMap((one) => one.ids));
	const texts = new Set(sent.map(({ text }) => text));
	const stored = [...messages.keys()].filter((id) => !ids.has(id));
	const carried = ledger.filter(({ text }) => !texts.has(text));
	return [
		...stored.map((id) => `${id}: is in the store, and nobody was told of it`),
		...carried.map(({ reference, text }) => `${reference}: is at the carrier, and nobody sent "${text}"`),
	];
}

/** Of keys not the engine's word counts, but what Vault and the store have: none of what is over, each of what is not due. */
function findKeys({ cohorts, transitKeys, wrappingKeys, certificates, now }: Observed): string[] {
	const inVault = new Set(transitKeys);
	const wrapping = new Set(wrappingKeys.map(({ cohortId }) => cohortId));
	return cohorts.flatMap(({ _id, state, dueAt, certificates: ids }) => {
		const hasKey = inVault.has(`cohort-${_id}`);
		const isDestroyed = state === "destroyed";
		const isOver = isDestroyed || dueAt + purgeMsMax < now;
		const isMine: Fits = ({ object, cohortId }) => object === "cohort_key" && cohortId === _id;
		const wrongs = {
			[`its key was to be destroyed, and it is ${state}`]: isOver && !isDestroyed,
			"its key is in Vault, and was to be gone": isOver && hasKey,
			"a wrapping key of it is in the store, and was to be gone": isOver && wrapping.has(_id),
			[`is destroyed, and has no certificate of it (${tell(ids, certificates)})`]:
				isDestroyed && !isCertified(ids, certificates, isMine),
			"its key is not in Vault, and was not to go yet": state === "open" && now < dueAt && !hasKey,
		};
		return Object.entries(wrongs).flatMap(([what, isWrong]) => (isWrong ? [`${_id}: ${what}`] : []));
	});
}

type Say = (what: string) => void;

function checkEnd(sent: Sent, message: Message, arrivals: LedgerLine[], faults: Befallen[], say: Say): void {
	const { state, evidence } = message;
	if (!isFinal(state)) {
		say(`is still ${state}`);
		return;
	}
	const why = evidence.flatMap(({ type, code }) => (type === state && code !== undefined ? [code] : []));
	if (!endsOf(sent, message, faults).includes(state)) say(`ended as ${[state, ...why].join(", ")}`);
	if (["delivered", "undelivered"].includes(state) && arrivals.length === 0) say(`${state}, and never at the carrier`);
	if (["rejected", "cancelled"].includes(state) && arrivals.length > 0) say(`${state}, and at the carrier`);
}

/**
 * How a message may end. A code has seconds, and is not sent a second time on a guess: where a fault was in its way it may
 * expire, be refused for what it waits behind, or be in doubt. Where none was, it ends as its number has it.
 */
function endsOf({ magic, category, cancel, blockedAt }: Sent, message: Message, faults: Befallen[]): State[] {
	if (cancel === "granted") return ["cancelled"];
	if (blockedAt !== undefined) return ["delivered", "rejected", "cancelled"];
	const usual = endings[magic] ?? ["delivered"];
	if (category !== "otp") return [...usual];
	const { acceptedAt, deadlineAt, closeAt, evidence } = message;
	const isHopeless = evidence.some(({ type, code }) => type === "rejected" && code === "queue_hopeless");
	const isHindered = isInTheWay(faults, acceptedAt, deadlineAt);
	const rules: [State, boolean][] = [
		["expired", isHindered || costly.includes(magic)],
		["rejected", isHindered && isHopeless],
		["unknown", isInTheWay(faults, acceptedAt, closeAt)],
	];
	return [...usual, ...rules.flatMap(([state, isAllowed]) => (isAllowed ? [state] : []))];
}

function isInTheWay(faults: Befallen[], from: number, until: number): boolean {
	return faults.some((fault) => fault.from <= until && from <= fault.to + repairMs);
}

// Each time is of one clock, and judged by another's: a deadline by a sender's, the hour of sending by the API's and a
// worker's, and all of it as the carrier's has it. So far as these were wrong then, and no further.
function checkTimes(sent: Sent, message: Message, arrivals: LedgerLine[], faults: Befallen[], say: Say): void {
	const { askedAt, answeredAt, sendAt = 0, validForMs = Number.POSITIVE_INFINITY } = sent;
	const { acceptedAt, deadlineAt } = message;
	const isAsked = timesOf(acceptedAt, ["api"], faults).some((at) => askedAt <= at && at <= answeredAt);
	if (!isAsked) say(`was accepted at ${acceptedAt}, and was asked for from ${askedAt} to ${answeredAt}`);
	if (deadlineAt > acceptedAt + validForMs) say(`its deadline is ${deadlineAt - acceptedAt} ms after its acceptance`);
	for (const { at } of arrivals) {
		const life = { from: bornAt(sent, message, faults), to: Math.max(...timesOf(at, ["carrier"], faults)) };
		const carrier = clockErrors(["carrier"], faults, life);
		const lateMs = lateMsMax + carrier.aheadMs + clockErrors(senders, faults, life).behindMs;
		const earlyMs = carrier.behindMs + clockErrors(["api", ...workers], faults, life).aheadMs;
		if (at > deadlineAt + lateMs) say(`was sent ${at - deadlineAt} ms after its deadline`);
		if (at < sendAt - earlyMs) say(`was sent ${sendAt - at} ms before its time`);
	}
}

/** What was seen as expired was so by then, whenever its record says that it was. */
function checkExpiry(sent: Sent, message: Message, sights: Sight[], faults: Befallen[], say: Say): void {
	const { state, stateAt, deadlineAt, receipts } = message;
	if (state !== "expired" || receipts.some((receipt) => receipt.state === "expired")) return;
	const ending = ["api", ...workers, ...senders] as const;
	const seenAt = sights.find((sight) => sight.state === "expired")?.at ?? stateAt;
	const life = { from: bornAt(sent, message, faults), to: Math.max(seenAt, ...timesOf(stateAt, ending, faults)) };
	const { aheadMs, behindMs } = clockErrors(ending, faults, life);
	const earlyMs = deadlineAt - Math.min(stateAt, seenAt);
	if (earlyMs > earlyMsMax + aheadMs + behindMs) say(`expired ${earlyMs} ms too early`);
}

/** When it was accepted by this machine's clock, or may have been at the earliest. */
function bornAt({ askedAt }: Sent, { acceptedAt }: Message, faults: Befallen[]): number {
	return Math.max(askedAt, Math.min(...timesOf(acceptedAt, ["api"], faults)));
}

// What nobody knows the outcome of is looked up, or left as it is; so no second call follows one that was taken.
function checkArrivals({ attempts }: Message, arrivals: LedgerLine[], say: Say): void {
	const told = JSON.stringify(attempts.map(({ number, outcome, code }) => ({ number, outcome, code })));
	if (arrivals.length > 1) say(`was sent ${arrivals.length} times (attempts: ${told})`);
	if (arrivals.length > 0 && !wasHandedOver(attempts)) say(`is at the carrier, and no attempt says so (${told})`);
}

// It is asked for once more after each claim: what begins after the answer finds it.
function checkBlock({ blockedAt }: Sent, { attempts }: Message, arrivals: LedgerLine[], faults: Befallen[], say: Say) {
	if (blockedAt === undefined || arrivals.length === 0) return;
	const isEarlier = attempts.some(({ startedAt }) => Math.min(...timesOf(startedAt, senders, faults)) <= blockedAt);
	if (!isEarlier) say("was sent by an attempt that began after its recipient was to be sent nothing");
}

/** Its own server has taken each event, signed, as the record has it, none before the one that comes before it. */
function checkTold(message: Message, told: Told[], say: Say): void {
	const events = eventsOf(message);
	for (const { sequence, state, isVerified } of told) {
		const isOurs = events.some((event) => event.sequence === sequence && event.state === state);
		if (!isOurs) say(`was told as ${state}, ${sequence}, which its record does not have`);
		if (!isVerified) say(`was told as ${state} without a signature that holds`);
	}
	let taken = -1;
	for (const { sequence, state } of events) {
		const own = told.filter((one) => one.sequence === sequence);
		if (new Set(own.map(({ id }) => id)).size > 1) say(`was told as ${state} under several ids`);
		if (told.findIndex((one) => one.sequence === sequence) < taken) say(`was told as ${state} too early`);
		taken = told.findIndex((one) => one.sequence === sequence && one.isTaken);
		if (taken < 0) say(`was never told as ${state}`);
	}
}

function checkForgotten(message: Message, { certificates, now }: Observed, say: Say): void {
	const { state, retention } = message;
	const ids = certificateIdsOf(message);
	if (ids.some((id) => !certificates.get(id)?.valid)) say(`a certificate of it is none: ${tell(ids, certificates)}`);
	for (const name of sealedObjects) {
		const record = retention[name];
		const isDue = record && ((record.atFinal && isFinal(state)) || record.eraseBy < now);
		if (!record) say(`has no retention of its ${name}`);
		// Clocks may be so far ahead.
		const isEarly = !isDue && record && !record.request && record.eraseBy > now + clockErrorMsMax;
		if (isEarly && isFinal(state) && !message[name]) say(`its ${name} is gone, and was to be kept`);
		if (!isDue) continue;
		if (message[name]) say(`its ${name} is there, and was to be gone`);
		if (!record.erasedAt) say(`its ${name} has no erasure on record`);
		// One that is incomplete is of what came back: once that was erased again there is one more, of the later erasure.
		if (isFinal(state) && !isCertified(ids, certificates, isErasureOf(message, name)))
			say(`has no certificate of its ${name} (${tell(ids, certificates)})`);
	}
}

function isErasureOf({ _id, tenantId, retention }: Message, name: SealedObjectName): Fits {
	const { erasedAt = 0 } = retention[name] ?? {};
	return (certified, certificate) =>
		certificate.tenantId === tenantId &&
		certified.object === name &&
		certified.messageIds?.includes(_id) === true &&
		Date.parse(certified.erasedAt) >= erasedAt;
}

/** What its recipient has asked to be forgotten is, and the request's own certificate names it. */
function checkErasure({ erasure }: Sent, message: Message, { requests, certificates }: Observed, say: Say): void {
	if (erasure === undefined) return;
	const request = requests.get(erasure);
	if (request?.erasure?.step !== "done") say(`its erasure is ${request?.erasure?.step ?? "nowhere"}`);
	const ids = request?.certificates ?? [];
	for (const name of sealedObjects) {
		if (message[name]) say(`its ${name} is there, and was asked to be erased`);
		else if (!isCertified(ids, certificates, isErasureOf(message, name)))
			say(`its erasure has no certificate of its ${name} (${tell(ids, certificates)})`);
	}
}

type Fits = (certified: Certificate["objects"][number], certificate: Certificate) => boolean;

/** Whether one of these certificates is valid and complete, and has such an object. */
function isCertified(ids: string[], certificates: Observed["certificates"], fits: Fits): boolean {
	return ids.some((id) => {
		const found = certificates.get(id);
		if (!found?.valid || found.certificate.id !== id || found.certificate.status !== "complete") return false;
		return found.certificate.objects.some((certified) => fits(certified, found.certificate));
	});
}

/** What there is to say of each of these certificates. */
function tell(ids: string[], certificates: Observed["certificates"]): string {
	const words = ids.map((id) => {
		const found = certificates.get(id);
		if (!found) return `${id} is nowhere`;
		return found.valid
			? [id, found.certificate.status, ...found.certificate.reasons].join(" ")
			: `${id} ${found.reason}`;
	});
	return words.join(", ") || "none";
}

/** The evidence log has all that the message's own record has, once, in an order in which a message may have it. */
function checkHistory(message: Message, entries: Entry[], say: Say): void {
	const steps = entries.filter((entry): entry is Step => entry.type in lifecycle);
	const count = (state: State) => steps.filter(({ type }) => type === state).length;
	if (count("accepted") !== 1) say(`the evidence log has its acceptance ${count("accepted")} times`);
	if (isFinal(message.state) && count(message.state) !== 1) {
		say(`the evidence log has its end, ${message.state}, ${count(message.state)} times`);
	}
	for (const [index, to] of steps.entries()) {
		const from = steps[index - 1];
		if (from !== undefined && !mayFollow(from, to)) say(`went from ${from.type} to ${to.type}`);
	}
	const logged = entries.map((entry) => describe({ ...entry, at: Date.parse(entry.at) }));
	const recorded = message.evidence.map(describe);
	for (const what of new Set([...logged, ...recorded])) {
		const [there, here] = [logged, recorded].map((all) => all.filter((one) => one === what).length);
		// Who lost the race to certify has entered what the winner has as well.
		const isRepeated = what.startsWith("certified");
		if (there !== here && !isRepeated) say(`the evidence log has "${what}" ${there} times, its own record ${here}`);
	}
}

const describe = ({ type, at, attempt, code }: EvidenceEntry) => [type, at, attempt ?? "", code ?? ""].join(" ").trim();

type Step = Entry & { type: State & Entry["type"] };

function checkSights(sights: Sight[], say: Say): void {
	for (const [index, { state, attempt }] of sights.entries()) {
		const from = sights[index - 1];
		if (!from || (attempt >= from.attempt && mayFollow({ ...from, type: from.state }, { type: state, attempt })))
			continue;
		say(`was seen ${from.state} in attempt ${from.attempt}, then ${state} in attempt ${attempt}`);
	}
}

// Not every step has an entry of its own, so that a later one may follow; an earlier one only where the table says so, or
// in a further attempt.
function mayFollow(from: { type: State; attempt?: number }, to: { type: State; attempt?: number }): boolean {
	if ((lifecycle[from.type].next as readonly State[]).includes(to.type)) return true;
	if (isFinal(from.type)) return false;
	return lifecycle[to.type].order > lifecycle[from.type].order || (to.attempt ?? 0) > (from.attempt ?? 0);
}
