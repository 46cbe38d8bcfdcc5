// Every conditional change of a message, as data: what it needs to be true, what it sets, what it erases, what it leaves as evidence.

import type { Charge } from "./abuse.ts";
import { cancellableStates, isFinal, type State, statesBefore, unsentStates } from "./lifecycle.ts";
import { limits } from "./limits.ts";
import {
	type CarrierEventState,
	carrierIdsOf,
	type ErasableObject,
	type EvidenceEntry,
	erasableObjects,
	isNamedBy,
	type Message,
	type ReceiptRecord,
	type RerouteRecord,
	type RetentionRecord,
	type SealedObjectName,
	sealedObjects,
} from "./message.ts";
import { withoutUndefined } from "./withoutUndefined.ts";

/**
 * One conditional change of one message. It applies only from `from` (default: every state that may precede `to`)
 * and only while `where` holds; otherwise it loses the race quietly.
 */
export type Transition = {
	id: string;
	to?: State;
	from?: readonly State[];
	/** Further conditions on the stored document. */
	where?: Record<string, unknown>;
	set?: Record<string, unknown>;
	unset?: string[];
	/** Arrays to append to; each keeps its newest `keep` entries, or all. */
	push?: Record<string, { value: unknown; keep?: number }>;
	evidence?: EvidenceEntry[];
	/** The message as this change leaves it: it comes to rest, and the store may keep it packed. */
	rest?: Message;
	/** The message as read, where something of it goes for good: the store asks whether a hold is about to reach it. */
	erases?: Message;
};

const unheld = { holds: { $size: 0 } };

/** True of the stored message while nothing was added to its evidence since it was read, nor was it packed. */
export function evidenceAsRead({
	evidence,
	archived,
}: Pick<Message, "evidence" | "archived">): Record<string, unknown> {
	const beside = evidence.length - (archived ?? 0);
	return { [`evidence.${beside}`]: { $exists: false }, archived: archived ?? { $exists: false } };
}

/** True of the stored message while nobody has noted since it was read what came of its last attempt. */
export function outcomeAsRead({ attempts }: Pick<Message, "attempts">): Record<string, unknown> {
	if (attempts.length === 0) return {};
	return { [`attempts.${attempts.length - 1}.outcome`]: attempts.at(-1)?.outcome ?? { $exists: false } };
}

const unrestricted = { "restrictedBy.0": { $exists: false } };

/** The change that ends a message, erasing in the same update what its class forgets at once, unless held. */
export function end(message: Message, to: State, now: number, code?: string): Transition {
	const ended: EvidenceEntry = { at: now, type: to, ...(code ? { code } : {}), attempt: message.attempt };
	const forgotten = sealedObjects.filter((name) => isForgotten(message, name, now));
	const { set, unset, ...erasing } = erase(message, forgotten, now, [ended]);
	// What is with a carrier waits for no room any more.
	const waited = (unsentStates as readonly State[]).includes(message.state) ? ["backlog"] : [];
	const told = { stateAt: now, ...notice(message, to, now) };
	const gone = [...unset, ...waited, ...handedOver(message)];
	return { id: message._id, to, ...erasing, unset: gone, set: { ...told, ...set } };
}

// Its half of a link's key is the recipient's alone from then on, whatever a hold keeps.
function handedOver({ link }: Message): string[] {
	return link ? ["link.fragment"] : [];
}

// In the same write: nothing is told that did not happen, and of nothing that did the word is lost.
function notice({ notifies }: Message, state: State, now: number): { notifyAt?: number } {
	return notifies?.includes(state) ? { notifyAt: now } : {};
}

/**
 * Erases what a final message was to forget at its end and a hold has kept, and what is due where it is; undefined when
 * there is nothing, or a hold still keeps it. What is due later is its cohort's matter.
 */
export function forget(message: Message, now: number): Transition | undefined {
	const isKept = ({ atFinal, inPlace, eraseBy }: RetentionRecord) => atFinal || (inPlace === true && eraseBy <= now);
	const kept = sealedObjects.filter((name) => {
		const record = message.retention[name];
		return message[name] !== undefined && record !== undefined && isKept(record);
	});
	const erasing = erase(message, kept, now, []);
	return erasing.unset.length === 0 ? undefined : { id: message._id, from: [message.state], ...erasing };
}

/** Erases objects of a final message while it is as `where` says; a hold refuses it. */
export function eraseObjects(
	message: Message,
	names: SealedObjectName[],
	now: number,
	where: Record<string, unknown>,
): Transition {
	const erasing = erase(message, names, now, []);
	return { id: message._id, from: [message.state], ...erasing, where: { ...erasing.where, ...where } };
}

/** The same of a message that no hold keeps, and of its receipts. */
export function eraseParts(
	message: Message,
	parts: readonly ErasableObject[],
	now: number,
	where: Record<string, unknown>,
): Transition {
	const sealed = sealedObjects.filter((name) => parts.includes(name));
	const erasing = eraseObjects(message, sealed, now, { ...unheld, ...where });
	const receipts = parts.includes("receipt") ? receiptErasure(now) : undefined;
	return {
		...erasing,
		erases: message,
		set: { ...erasing.set, ...receipts?.set },
		evidence: [...(erasing.evidence ?? []), ...(receipts?.evidence ?? [])],
	};
}

/** What a change sets and tells that erases receipts: no key opens them, so they are gone as it is done. */
export function receiptErasure(now: number): Required<Pick<Transition, "set" | "evidence">> {
	return {
		set: { receipts: [], "retention.receipt.erasedAt": now, "retention.receipt.verifiedAt": now },
		evidence: [{ at: now, type: "erased", code: "receipt" }],
	};
}

function erase(message: Message, names: SealedObjectName[], now: number, evidence: EvidenceEntry[]) {
	const set: Record<string, unknown> = { nextCheckAt: now + limits.driverPatienceMs };
	const erased = message.holds.length > 0 ? [] : names;
	for (const name of erased) set[`retention.${name}.erasedAt`] = now;
	// An object that came back is read back once more.
	const proven = erased.flatMap((name) =>
		(["verifiedAt", "certificateId"] as const)
			.filter((field) => message.retention[name]?.[field] !== undefined)
			.map((field) => `retention.${name}.${field}`),
	);
	return {
		set,
		unset: [...erased, ...proven],
		evidence: [...evidence, ...erased.map((name) => ({ at: now, type: "erased" as const, code: name }))],
		// Without an erasure the update must not assume anything of holds; with one, a hold placed meanwhile refuses it.
		...(erased.length > 0 ? { where: unheld, erases: message } : {}),
	};
}

/**
 * The same change with a hold in place of its erasures: the message bears the hold from then on, and what was to go is due
 * where it is, once nothing keeps it any more.
 */
export function spare({ erases, ...change }: Transition, holdId: string): Transition {
	const { set = {}, unset = [], evidence = [], where, push } = change;
	const spared = erasableObjects.filter((name) => `retention.${name}.erasedAt` in set);
	const due = spared.flatMap((name) => {
		const at = set[`retention.${name}.erasedAt`] as number;
		const eraseBy = (set[`retention.${name}.eraseBy`] as number | undefined) ?? erases?.retention[name]?.eraseBy ?? at;
		return [
			[`retention.${name}.inPlace`, true],
			[`retention.${name}.eraseBy`, Math.min(eraseBy, at)],
		];
	});
	const fields = ["erasedAt", "verifiedAt", "certificateId", "inPlace"];
	const left = new Set(
		spared.flatMap((name) => [
			name === "receipt" ? "receipts" : name,
			...fields.map((field) => `retention.${name}.${field}`),
		]),
	);
	return {
		...change,
		where: { ...where, holds: { $ne: holdId } },
		set: { ...Object.fromEntries(Object.entries(set).filter(([path]) => !left.has(path))), ...Object.fromEntries(due) },
		unset: unset.filter((path) => !left.has(path)),
		push: { ...push, holds: { value: holdId } },
		evidence: evidence.filter(({ type, code }) => type !== "erased" || !spared.some((name) => name === code)),
	};
}

/** Has a message bear a hold that is on its recipient; its state stays. */
export function hold(message: Message, id: string): Transition {
	return {
		id: message._id,
		from: [message.state],
		where: { restrictedBy: { $ne: id } },
		// All are kept: the message must not lose one for another.
		push: { holds: { value: id }, restrictedBy: { value: id } },
	};
}

/** Has a message that is about to be sent bear a hold that keeps it and permits its use. */
export function keep(message: Message, id: string): Transition {
	return {
		id: message._id,
		from: [message.state],
		where: { attempt: message.attempt, holds: { $ne: id } },
		push: { holds: { value: id } },
	};
}

/**
 * accepted | deferred → queued: a job may now be made for the next attempt, or, given its place in the backlog, once
 * there is room.
 */
export function enqueue(message: Message, now: number, backlog?: string): Transition {
	// In the backlog it needs no driver of its own: only its deadline is looked after.
	const waiting =
		backlog === undefined ? { nextCheckAt: now + limits.driverPatienceMs } : waitInBacklog(message, backlog);
	return {
		id: message._id,
		to: "queued",
		from: ["accepted", "deferred"],
		where: { attempt: message.attempt, deadlineAt: { $gt: now } },
		set: { stateAt: now, ...waiting },
		evidence: [{ at: now, type: "queued" }],
	};
}

/** What is unsent of a suspended tenant is looked at again now and then, and at its deadline; nothing is queued meanwhile. */
export function waitForTenant(message: Message, now: number): Transition {
	const nextCheckAt = Math.min(message.deadlineAt, now + limits.suspendedCheckMs);
	return { id: message._id, from: [message.state], set: { nextCheckAt } };
}

/** Queued still, in the backlog: its send queue has no room for another attempt now. */
export function shelve(message: Message, backlog: string): Transition {
	const where = { attempt: message.attempt, backlog: { $exists: false } };
	return { id: message._id, from: ["queued"], where, set: waitInBacklog(message, backlog) };
}

/** Out of the backlog without an attempt: the sweep sees to it at `nextCheckAt`. */
export function unshelve(id: string, backlog: string, nextCheckAt: number): Transition {
	return { id, from: ["queued"], where: { backlog }, unset: ["backlog"], set: { nextCheckAt } };
}

function waitInBacklog({ deadlineAt }: Message, backlog: string): Record<string, unknown> {
	return { backlog, nextCheckAt: deadlineAt };
}

/** A member of a batch whose head is stored: it was accepted, and is known to be from here on. */
export function confirm(message: Message, now: number): Transition {
	const { headId, releaseAt = now } = message;
	const wait = releaseAt > now ? { nextCheckAt: releaseAt + limits.driverPatienceMs } : {};
	return {
		id: message._id,
		from: ["accepted", "deferred"],
		where: { headId },
		unset: ["headId", "headMissedAt"],
		set: wait,
	};
}

/** accepted | queued → deferred, or deferred still, until `releaseAt`, and for the reason that a policy gave. */
export function defer(message: Message, releaseAt: number, now: number, code: string): Transition {
	return {
		id: message._id,
		...(message.state === "deferred" ? { from: ["deferred"] } : { to: "deferred" }),
		where: { attempt: message.attempt },
		set: {
			stateAt: now,
			releaseAt,
			nextCheckAt: releaseAt + limits.driverPatienceMs,
			...notice(message, "deferred", now),
		},
		// Only what was accepted is judged again; its head's record may be gone by the release.
		unset: ["headId", "headMissedAt", "backlog"],
		evidence: [{ at: now, type: "deferred", code }],
	};
}

/** queued → sending: the claim is the attempt record, written before the carrier is called. */
export function claim(id: string, attempt: number, now: number, token: string, sendQueue: string): Transition {
	const leaseUntil = now + limits.leaseMs;
	const value = { number: attempt, sendQueue, claim: token, startedAt: now, leaseUntil };
	return {
		id,
		to: "sending",
		from: ["queued"],
		// Of the queue that it was moved from, a job may be left.
		where: { ...unrestricted, attempt: attempt - 1, sendQueue, deadlineAt: { $gt: now } },
		set: { stateAt: now, attempt, nextCheckAt: leaseUntil + limits.carrierTimeoutMs },
		unset: ["notBefore", "backlog"],
		push: { attempts: { value, keep: limits.attemptsMax } },
		evidence: [{ at: now, type: "sending", attempt }],
	};
}

/** The attempt's outcome, written by the holder of its claim or by whoever resolved an expired lease. */
function recordOutcome(
	message: Message,
	outcome: { outcome: string; code?: string; carrierId?: string | string[]; segments?: number },
	now: number,
): Record<string, unknown> {
	const told = withoutUndefined({ ...outcome, endedAt: now });
	// All of them, not a place among them: what is set by its name can be set in many messages together.
	return { attempts: message.attempts.map((one) => (one.number === message.attempt ? { ...one, ...told } : one)) };
}

/**
 * sending → submitted: the carrier took it; in parts where it names several ids. Without a receipt the carrier is asked
 * at `askAt`, where it can be.
 */
export function submit(
	message: Message,
	carrierId: string | string[],
	segments: number,
	now: number,
	askAt: number = message.closeAt,
): Transition {
	const set = recordOutcome(message, { outcome: "accepted", carrierId, segments }, now);
	return {
		id: message._id,
		to: "submitted",
		from: ["sending"],
		where: { attempt: message.attempt },
		set: { ...set, ...notice(message, "submitted", now), stateAt: now, nextCheckAt: Math.min(message.closeAt, askAt) },
		unset: handedOver(message),
		evidence: [{ at: now, type: "submitted", attempt: message.attempt }],
	};
}

/** sending → queued: that attempt surely was not accepted; the next may start at `notBefore`. */
export function release(
	message: Message,
	outcome: "throttled" | "failed" | "absent" | "withheld",
	notBefore: number,
	now: number,
	code?: string,
): Transition {
	return {
		id: message._id,
		to: "queued",
		from: ["sending"],
		where: { attempt: message.attempt },
		set: {
			...recordOutcome(message, { outcome, ...(code ? { code } : {}) }, now),
			stateAt: now,
			notBefore,
			nextCheckAt: notBefore + limits.driverPatienceMs,
		},
		evidence: [{ at: now, type: "released", code: outcome, attempt: message.attempt }],
	};
}

/** Queued still, and due now: what its own send queue can't do, another may. */
export function divert(message: Message, now: number): Transition {
	return {
		id: message._id,
		from: ["queued"],
		where: { attempt: message.attempt, sendQueue: message.sendQueue, deadlineAt: { $gt: now } },
		set: { nextCheckAt: now + limits.driverPatienceMs },
		unset: ["backlog"],
	};
}

/** Waiting in the backlog still, of another queue: in its place by the time that it has waited. */
export function transfer(message: Message, now: number): Transition {
	const { _id: id, attempt, sendQueue, backlog, deadlineAt } = message;
	return {
		id,
		from: ["queued"],
		where: { attempt, sendQueue, backlog: backlog ?? null, deadlineAt: { $gt: now } },
		set: { backlog, nextCheckAt: deadlineAt },
	};
}

/** The same change, and another send queue with it. */
export function moved(change: Transition, record: RerouteRecord, senderId: string, charge?: Charge): Transition {
	const { at, to, from } = record;
	const { backlog } = change.set ?? {};
	const driven =
		typeof backlog === "string"
			? { backlog: `${to}${backlog.slice(from.length)}` }
			: { nextCheckAt: at + limits.driverPatienceMs };
	const set = { ...change.set, ...driven, sendQueue: to, senderId, notBefore: at };
	return {
		...change,
		where: { ...change.where, sendQueue: from },
		set: { ...set, ...(charge ? { charge } : {}) },
		push: { ...change.push, reroutes: { value: record, keep: limits.reroutesMax } },
		evidence: [...(change.evidence ?? []), { at, type: "rerouted", code: to }],
	};
}

/** Stays sending: nobody knows what became of the attempt; it is resolved once the carrier can't still be at work on it. */
export function recordAmbiguous(message: Message, resolveAt: number, now: number, code: string): Transition {
	return {
		id: message._id,
		from: ["sending"],
		where: { attempt: message.attempt },
		set: { ...recordOutcome(message, { outcome: "ambiguous", code }, now), nextCheckAt: resolveAt },
		evidence: [{ at: now, type: "ambiguous", code, attempt: message.attempt }],
	};
}

/**
 * What came of an attempt whose message ended meanwhile: of what would have recorded it, that alone. The sweep looks at the
 * message once more: its carrier may have a copy that nobody knew of.
 */
export function noteOutcome({ _id: id, state, attempt }: Message, { set }: Transition, now: number): Transition {
	return { id, from: [state], where: { attempt }, set: { attempts: set?.attempts, nextCheckAt: now } };
}

/** sending → a final state, with the attempt's outcome. */
export function endAttempt(
	message: Message,
	to: "rejected" | "unknown" | "expired",
	outcome: "rejected" | "ambiguous" | "withheld",
	now: number,
	code: string,
): Transition {
	const ending = end(message, to, now, code);
	return {
		...ending,
		from: ["sending"],
		where: { ...ending.where, attempt: message.attempt },
		set: { ...recordOutcome(message, { outcome, code }, now), ...ending.set },
	};
}

/** accepted | deferred | queued → cancelled. `by`: id of the principal who asked for it. */
export function cancel(message: Message, now: number, by?: string): Transition {
	const ending = end(message, "cancelled", now);
	const evidence = ending.evidence?.map((entry) => (by && entry.type === "cancelled" ? { ...entry, by } : entry)) ?? [];
	return { ...ending, evidence, from: cancellableStates };
}

/** An operator ended the run: what is unsent is cancelled, what is with the carrier becomes unknown. */
export function abandon(message: Message, now: number): Transition | undefined {
	if (isFinal(message.state)) return undefined;
	if ((cancellableStates as readonly State[]).includes(message.state)) return cancel(message, now);
	return { ...end(message, "unknown", now, "run_cancelled"), from: ["sending", "submitted"] };
}

/** A policy that now forbids what it once allowed ends the message before it is sent. `rule` was decisive. */
export function refuse(message: Message, now: number, code: string, rule?: string): Transition {
	return decidedBy(rule, now, { ...end(message, "rejected", now, code), from: unsentStates });
}

/** sending → rejected: judged once more after the claim, and kept from the carrier. */
export function withhold(message: Message, now: number, code: string, rule?: string): Transition {
	return decidedBy(rule, now, endAttempt(message, "rejected", "withheld", now, code));
}

function decidedBy(rule: string | undefined, now: number, change: Transition): Transition {
	if (rule === undefined) return change;
	return { ...change, evidence: [{ at: now, type: "decided", code: rule }, ...(change.evidence ?? [])] };
}

/** What is unsent at its deadline, or open at its close, ends; undefined while its time has not come. */
export function close(message: Message, now: number): Transition | undefined {
	const unsent = (unsentStates as readonly State[]).includes(message.state);
	if (unsent && now >= message.deadlineAt) return { ...end(message, "expired", now), from: unsentStates };
	const sent = message.state === "sending" || message.state === "submitted";
	if (sent && now >= message.closeAt) return { ...end(message, "unknown", now), from: ["sending", "submitted"] };
	return undefined;
}

/**
 * What an authenticated event of a send queue's carrier does to the message; undefined when it was seen before, names no
 * attempt that this queue made of it, or has nothing to tell any more.
 */
export function receive(
	message: Message,
	sendQueue: string,
	event: { eventId: string; carrierId: string; state: CarrierEventState; at: number; code?: string | undefined },
	now: number,
	stale: boolean,
): Transition | undefined {
	const attempt = message.attempts.find((one) => isNamedBy(one, message, { sendQueue, carrierId: event.carrierId }));
	// What is stale must not stand in the way of the same event that comes in time.
	const eventId = stale ? `stale.${event.eventId}` : event.eventId;
	const isSeen = message.receipts.some((seen) => seen.eventId === eventId || seen.eventId === event.eventId);
	if (!attempt || isSeen) return undefined;
	const ids = carrierIdsOf(attempt);
	const isPart = ids.length > 1;
	const judged = effectOf(message, attempt.number, event.state, stale);
	const effect = judged === "applied" && !completes(message, ids, event) ? "noted" : judged;
	// What comes once receipts had to go may still move its message, and is kept no more than they are: it may be a repeat.
	const isErased = message.retention.receipt?.erasedAt !== undefined;
	if (isErased && effect !== "applied") return undefined;
	if (!isHeeded({ state: event.state, effect }) && !hasRoom(message)) return undefined;
	const value: ReceiptRecord = {
		eventId,
		attempt: attempt.number,
		state: event.state,
		at: event.at,
		receivedAt: now,
		effect,
		...(isPart ? { carrierId: event.carrierId } : {}),
		...(event.code ? { code: event.code } : {}),
	};
	// Of two at once, one must see the other: by their number, which many messages have in common, and once that does not
	// grow any more, by the newest.
	const { length } = message.receipts;
	const isGrowing = length < limits.receiptsKeptMax;
	const newest = { [`receipts.${length - 1}.eventId`]: message.receipts.at(-1)?.eventId };
	const once = isGrowing ? { receipts: { $size: length } } : newest;
	const push: Transition["push"] = isErased ? {} : { receipts: { value, keep: limits.receiptsKeptMax } };
	if (effect !== "applied") {
		// Stale but rightly signed: nothing moves, and the sweep asks the carrier itself.
		const ask = effect === "stale" && !isFinal(message.state) ? { nextCheckAt: now } : {};
		const evidence: EvidenceEntry[] = [{ at: now, type: "receipt", code: effect, attempt: attempt.number }];
		const isFull = message.evidence.length >= limits.evidencePerMessageMax;
		return { id: message._id, where: once, set: ask, push, ...(isFull ? {} : { evidence }) };
	}
	const to = event.state as State;
	const change = isFinal(message.state) ? correct(message, to, now) : end(message, to, now, event.code);
	return { ...change, from: [message.state], where: { ...change.where, ...once, attempt: message.attempt }, push };
}

function correct(message: Message, to: State, now: number): Transition {
	const set = { stateAt: now, ...notice(message, to, now) };
	return { id: message._id, to, set, evidence: [{ at: now, type: to, code: "late_receipt" }] };
}

// What moves a message, or counts for a part of it.
function isHeeded({ state, effect }: Pick<ReceiptRecord, "state" | "effect">): boolean {
	return effect !== "stale" && state !== "pending" && state !== "submitted";
}

// Whoever sends many that tell nothing must not push out those by which a message in parts is delivered.
function hasRoom({ receipts }: Pick<Message, "receipts">): boolean {
	return receipts.filter((receipt) => !isHeeded(receipt)).length < limits.receiptsUnheededMax;
}

// A message in parts is delivered when each of them is; one that fails fails it whole.
function completes(
	message: Message,
	ids: string[],
	{ carrierId, state }: { carrierId: string; state: CarrierEventState },
): boolean {
	if (state !== "delivered") return true;
	const told = message.receipts.filter((receipt) => receipt.state === "delivered" && receipt.effect !== "stale");
	const isDelivered = (id: string) => id === carrierId || told.some((receipt) => receipt.carrierId === id);
	return ids.every(isDelivered);
}

function effectOf(
	message: Message,
	attempt: number,
	state: CarrierEventState,
	stale: boolean,
): ReceiptRecord["effect"] {
	if (stale) return "stale";
	if (attempt !== message.attempt) return "out_of_order";
	if (state === "pending" || state === "submitted") return "noted";
	if (statesBefore(state).includes(message.state)) return "applied";
	return "late";
}

// Forgotten at the end: what its class keeps no longer than that, and what is overdue by then.
function isForgotten(message: Message, name: (typeof sealedObjects)[number], now: number): boolean {
	const record = message.retention[name];
	return message[name] !== undefined && (record === undefined || record.atFinal || record.eraseBy <= now);
}
