// What must hold after any faults: the client's log, the carrier's ledger, the store, the evidence log and retention agree.

import type { Cohort } from "../../adapters/mongo/models.ts";
import type { Entry } from "../../domain/evidence.ts";
import { isFinal, lifecycle, type State } from "../../domain/lifecycle.ts";
import { type EvidenceEntry, type Message, wasHandedOver } from "../../domain/message.ts";

/**
 * One message as its caller knows it: `ids` of every 202 that its key had, which must be one; `sendAt` as it was asked for;
 * what a request to cancel it was answered with.
 */
export type Sent = {
	key: string;
	magic: string;
	text: string;
	category: "otp" | "transactional";
	ids: string[];
	sendAt?: number;
	cancel?: "granted" | "refused";
};
export type LedgerLine = { text: string; reference: string; at: number };
/** A message as the store had it at some time. */
export type Sight = { state: State; attempt: number };
export type CohortSeen = Pick<Cohort, "_id" | "state" | "dueAt">;
export type Observed = {
	sent: Sent[];
	messages: Map<string, Message>;
	/** What was seen of each message while it lived, in order. */
	sights: Map<string, Sight[]>;
	ledger: LedgerLine[];
	entries: Entry[];
	cohorts: CohortSeen[];
	now: number;
	/** The most that two clocks of the run were apart. */
	clockErrorMs: number;
};

/** A carrier writes its line a moment after it was sent. */
const lateMsMax = 1_000;
/** With less left, an attempt is not begun any more. */
const earlyMsMax = 1_000;
/** Within it a cohort that is due goes. */
const purgeMsMax = 120_000;

/** What the carrier makes of a number in the end, where that is not `delivered`. */
const endings: Record<string, readonly State[]> = {
	undelivered: ["undelivered"],
	expired: ["expired"],
	rejected_number: ["rejected"],
	never_available: ["expired"],
	no_receipt: ["unknown"],
};

/** Every violation, in one line each; none is what is wanted. */
export function findViolations(observed: Observed): string[] {
	const { sent, messages, ledger, entries, now } = observed;
	const lines = Map.groupBy(ledger, ({ text }) => text);
	const told = Map.groupBy(entries, ({ about }) => about ?? "");
	const violations = [...findStrays(observed), ...findOverdue(observed)];
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
		checkEnd(one, message, arrivals, say);
		checkTimes(one, message, arrivals, observed.clockErrorMs, say);
		checkArrivals(message, arrivals, say);
		checkForgotten(message, now, say);
		checkHistory(message, told.get(id) ?? [], say);
		checkSights(observed.sights.get(id) ?? [], say);
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

/** Keys that were to be destroyed, and stand. */
function findOverdue({ cohorts, now, clockErrorMs }: Observed): string[] {
	const isOverdue = ({ state, dueAt }: CohortSeen) => state !== "destroyed" && dueAt + purgeMsMax + clockErrorMs < now;
	return cohorts.filter(isOverdue).map(({ _id, state }) => `${_id}: its key was to be destroyed, and it is ${state}`);
}

type Say = (what: string) => void;

// A code has its deadline within the faults, and is not sent a second time on a guess: it may expire, be in doubt, or be refused for
// what it waits behind.
function checkEnd(
	{ magic, category, cancel }: Sent,
	{ state, evidence }: Message,
	arrivals: LedgerLine[],
	say: Say,
): void {
	if (!isFinal(state)) {
		say(`is still ${state}`);
		return;
	}
	const usual = endings[magic] ?? ["delivered"];
	const isHopeless = evidence.some(({ type, code }) => type === "rejected" && code === "queue_hopeless");
	const code: State[] = [...usual, "expired", "unknown", ...(isHopeless ? (["rejected"] as const) : [])];
	const sent = category === "otp" ? code : usual;
	const allowed = cancel === "granted" ? ["cancelled"] : sent;
	const why = evidence.flatMap(({ type, code }) => (type === state && code !== undefined ? [code] : []));
	if (!allowed.includes(state)) say(`ended as ${[state, ...why].join(", ")}`);
	if (["delivered", "undelivered"].includes(state) && arrivals.length === 0) say(`${state}, and never at the carrier`);
	if (["rejected", "cancelled"].includes(state) && arrivals.length > 0) say(`${state}, and at the carrier`);
}

function checkTimes(
	{ sendAt = 0 }: Sent,
	message: Message,
	arrivals: LedgerLine[],
	clockErrorMs: number,
	say: Say,
): void {
	const { state, stateAt, deadlineAt, receipts } = message;
	for (const { at } of arrivals) {
		if (at > deadlineAt + lateMsMax + clockErrorMs) say(`was sent ${at - deadlineAt} ms after its deadline`);
		if (at < sendAt - clockErrorMs) say(`was sent ${sendAt - at} ms before its time`);
	}
	const isTold = receipts.some((receipt) => receipt.state === "expired");
	const earlyMs = deadlineAt - stateAt;
	if (state === "expired" && !isTold && earlyMs > earlyMsMax + clockErrorMs) say(`expired ${earlyMs} ms too early`);
}

// What nobody knows the outcome of is looked up, or left as it is; so no second call follows one that was taken.
function checkArrivals({ attempts }: Message, arrivals: LedgerLine[], say: Say): void {
	const told = JSON.stringify(attempts.map(({ number, outcome, code }) => ({ number, outcome, code })));
	if (arrivals.length > 1) say(`was sent ${arrivals.length} times (attempts: ${told})`);
	if (arrivals.length > 0 && !wasHandedOver(attempts)) say(`is at the carrier, and no attempt says so (${told})`);
}

function checkForgotten(message: Message, now: number, say: Say): void {
	for (const name of ["content", "address"] as const) {
		const record = message.retention[name];
		const isDue = record && ((record.atFinal && isFinal(message.state)) || record.eraseBy < now);
		if (!record) say(`has no retention of its ${name}`);
		if (isDue && message[name]) say(`its ${name} is there, and was to be gone`);
		if (isDue && !record.erasedAt) say(`its ${name} has no erasure on record`);
		if (isDue && isFinal(message.state) && message.certificates.length === 0) say(`has no certificate`);
	}
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
