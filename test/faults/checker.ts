// What must hold after any faults: the client's log, the carrier's ledger, the store, the evidence log and retention agree.

import type { Entry } from "../../domain/evidence.ts";
import { isFinal, lifecycle, type State } from "../../domain/lifecycle.ts";
import type { Message } from "../../domain/message.ts";

/** One message as its caller knows it: `ids` of every 202 that its key had, which must be one. */
export type Sent = { key: string; magic: string; text: string; category: "otp" | "transactional"; ids: string[] };
export type LedgerLine = { text: string; reference: string; at: number };
export type Observed = {
	sent: Sent[];
	messages: Map<string, Message>;
	ledger: LedgerLine[];
	entries: Entry[];
	/** What was in the store and is of nobody's. */
	strayIds: string[];
	now: number;
};

/** The clock of this machine is one; a carrier writes its line a moment after it was sent. */
const lateMsMax = 1_000;

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
	const { sent, messages, ledger, entries, strayIds, now } = observed;
	const lines = groupBy(ledger, ({ text }) => text);
	const told = groupBy(entries, ({ about }) => about ?? "");
	const violations = strayIds.map((id) => `${id}: is in the store, and nobody was told of it`);
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
		checkArrivals(message, arrivals, say);
		checkForgotten(message, now, say);
		checkHistory(message, told.get(id) ?? [], say);
	}
	return violations;
}

type Say = (what: string) => void;

// A code has its deadline within the faults, and is never sent a second time: it may expire, or be in doubt.
function checkEnd({ magic, category }: Sent, { state }: Message, arrivals: LedgerLine[], say: Say): void {
	if (!isFinal(state)) {
		say(`is still ${state}`);
		return;
	}
	const usual = endings[magic] ?? ["delivered"];
	const allowed = category === "otp" ? [...usual, "expired", "unknown"] : usual;
	if (!allowed.includes(state)) say(`ended as ${state}`);
	if (["delivered", "undelivered"].includes(state) && arrivals.length === 0) say(`${state}, and never at the carrier`);
	if (state === "rejected" && arrivals.length > 0) say("rejected, and at the carrier");
}

function checkArrivals({ deadlineAt, attempts }: Message, arrivals: LedgerLine[], say: Say): void {
	if (arrivals.length > 1) say(`was sent ${arrivals.length} times (attempts: ${JSON.stringify(attempts)})`);
	for (const { at } of arrivals) {
		if (at > deadlineAt + lateMsMax) say(`was sent ${at - deadlineAt} ms after its deadline`);
	}
	if (arrivals.length > 0 && attempts.length === 0) say("is at the carrier without an attempt on record");
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

/** The evidence log has each state once, in an order in which a message may have them. */
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
}

type Step = Entry & { type: State & Entry["type"] };

// Not every step has an entry of its own, so that a later one may follow; an earlier one only where the table says so, or
// in a further attempt.
function mayFollow(from: Step, to: Step): boolean {
	if ((lifecycle[from.type].next as readonly State[]).includes(to.type)) return true;
	if (isFinal(from.type)) return false;
	return lifecycle[to.type].order > lifecycle[from.type].order || (to.attempt ?? 0) > (from.attempt ?? 0);
}

function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
	const groups = new Map<string, T[]>();
	for (const item of items) {
		const key = keyOf(item);
		const group = groups.get(key);
		if (group) group.push(item);
		else groups.set(key, [item]);
	}
	return groups;
}
