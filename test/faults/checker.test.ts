// The judge of the random faults, tried on runs that went wrong; and that a seed has the same faults again.

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { test } from "node:test";
import type { Entry } from "../../domain/evidence.ts";
import type { State } from "../../domain/lifecycle.ts";
import type { Message } from "../../domain/message.ts";
import { messageOf } from "../harness/message.ts";
import { findViolations, type Observed, type Sent, type Sight } from "./checker.ts";
import { startProxy } from "./proxy.ts";
import { planFaults, rows } from "./schedule.ts";

const deadlineAt = 1_000_000;

const sight = (state: State, attempt: number): Sight => ({ state, attempt });
const at = 5;

/** A run of one message that went well, and what a test has go wrong in it. */
function observed(change: Partial<Observed> = {}, message: Partial<Message> = {}): Observed {
	const erased = { eraseBy: deadlineAt, atFinal: true, erasedAt: 5 };
	const one: Message = {
		...messageOf({ id: "msg_a", deadlineAt }),
		state: "delivered",
		attempts: [{ number: 1, startedAt: 1, leaseUntil: 2, claim: "c", outcome: "accepted" }],
		retention: { content: erased, address: erased },
		certificates: ["crt_a"],
		...message,
	};
	delete one.content;
	delete one.address;
	const types = ["accepted", "queued", "sending", "submitted", one.state] as const;
	const recorded = types.map((type) => ({ type, at }));
	const entries = recorded.map(({ type }) => ({ type, about: "msg_a", id: type, at: new Date(at).toISOString() }));
	return {
		sent: [sent],
		messages: new Map([["msg_a", { ...one, evidence: recorded, ...message }]]),
		ledger: [line],
		entries,
		sights: new Map([["msg_a", [sight("queued", 0), sight("sending", 1), sight("queued", 1), sight("delivered", 2)]]]),
		cohorts: [{ _id: "coh_a", state: "open", dueAt: deadlineAt }],
		now: 20,
		clockErrorMs: 0,
		...change,
	};
}

const sealed = { cohortId: "c", wrappingKeyId: "w", wrappedKey: new Uint8Array(1), ciphertext: new Uint8Array(1) };
const line = { text: "t", reference: "r", at: 10 };
const sent: Sent = { key: "k", magic: "delivered", text: "t", category: "transactional", ids: ["msg_a"] };
const entriesOf = (run: Observed) => run.entries as [Entry, Entry, Entry, ...Entry[]];
const attempt = { number: 1, startedAt: 1, leaseUntil: 2, claim: "c" };

test("a run that went well has no violation, nor has a further attempt", () => {
	assert.deepEqual(findViolations(observed()), []);
	const [accepted, queued, sending, ...rest] = entriesOf(observed());
	const twice = (attempt: number) => {
		const entries = [accepted, queued, { ...sending, attempt: 1 }, { ...sending, attempt }, ...rest];
		const evidence = entries.map(({ type, attempt }) => ({ type, at, ...(attempt ? { attempt } : {}) }));
		return observed({ entries }, { evidence });
	};
	assert.deepEqual(findViolations(twice(2)), []);
	assert.equal(findViolations(twice(1)).length, 1);
});

test("clocks that were moved excuse what they are the cause of, and no more", () => {
	const late = (lateMs: number) => observed({ ledger: [{ ...line, at: deadlineAt + lateMs }], clockErrorMs: 30_000 });
	assert.deepEqual(findViolations(late(30_000)), []);
	assert.equal(findViolations(late(32_000)).length, 1);
});

const wrongs: Record<string, Observed> = {
	"is not in the store": observed({ messages: new Map() }),
	"was sent 2 times": observed({ ledger: [line, { ...line, reference: "other" }] }),
	"no attempt says so": observed({}, { attempts: [{ ...attempt, outcome: "failed" }] }),
	"rejected, and at the carrier": observed(
		{ sent: [{ ...sent, magic: "rejected_number" }] },
		{ state: "rejected", attempts: [{ ...attempt, outcome: "ambiguous" }] },
	),
	"cancelled, and at the carrier": observed({ sent: [{ ...sent, cancel: "granted" }] }, { state: "cancelled" }),
	"ended as rejected": observed({ sent: [{ ...sent, category: "otp" }], ledger: [] }, { state: "rejected" }),
	"ended as delivered": observed({ sent: [{ ...sent, cancel: "granted" }] }),
	"ended as cancelled": observed({ sent: [{ ...sent, cancel: "refused" }] }, { state: "cancelled" }),
	"before its time": observed({ sent: [{ ...sent, sendAt: 11 }] }),
	"after its deadline": observed({ ledger: [{ ...line, at: deadlineAt + 2_000 }] }),
	"too early": observed({}, { state: "expired", stateAt: deadlineAt - 2_000 }),
	"never at the carrier": observed({ ledger: [] }),
	"is at the carrier, and nobody sent": observed({ ledger: [line, { ...line, text: "other" }] }),
	"was answered with": observed({ sent: [{ ...sent, ids: ["msg_a", "msg_b"] }] }),
	"is still submitted": observed({}, { state: "submitted" }),
	"ended as unknown": observed({}, { state: "unknown" }),
	"was to be gone": observed({}, { content: sealed }),
	"has no erasure on record": observed({}, { retention: { content: { eraseBy: 1, atFinal: true } } }),
	"has no retention": observed({}, { retention: {} }),
	"has no certificate": observed({}, { certificates: [] }),
	"its key was to be destroyed": observed({ cohorts: [{ _id: "coh_a", state: "closing", dueAt: -200_000 }] }),
	"nobody was told of it": observed({ sent: [] }),
	"its acceptance 0 times": observed({ entries: observed().entries.slice(1) }),
	"its end, delivered, 0 times": observed({ entries: observed().entries.slice(0, -1) }),
	'has "queued 5" 1 times, its own record 0': observed({}, { evidence: [] }),
	"went from delivered to submitted": observed({
		entries: observed().entries.toSpliced(3, 2, ...observed().entries.slice(3).toReversed()),
	}),
	"was seen delivered in attempt 1, then queued in attempt 2": observed({
		sights: new Map([["msg_a", [sight("delivered", 1), sight("queued", 2)]]]),
	}),
	"was seen sending in attempt 2, then submitted in attempt 1": observed({
		sights: new Map([["msg_a", [sight("sending", 2), sight("submitted", 1)]]]),
	}),
};
for (const [what, run] of Object.entries(wrongs)) {
	test(`found: ${what}`, () => {
		assert.ok(
			findViolations(run).some((violation) => violation.includes(what)),
			findViolations(run).join("\n"),
		);
	});
}

test("a seed has the same faults again, another one others; no target has two at once, and all end in time", () => {
	const forMs = 180_000;
	assert.deepEqual(planFaults(7, { forMs }), planFaults(7, { forMs }));
	assert.notDeepEqual(planFaults(7, { forMs }), planFaults(8, { forMs }));
	for (let seed = 1; seed <= 200; seed++) {
		const faults = planFaults(seed, { forMs, without: ["full"] });
		assert.ok(faults.length >= 5 && faults.every(({ kind }) => kind !== "full"));
		for (const [index, { target, atMs, forMs: lasts }] of faults.entries()) {
			assert.ok(atMs + lasts <= forMs);
			for (const other of faults.slice(index + 1)) assert.ok(other.target !== target || other.atMs > atMs + lasts);
		}
	}
});

test("twenty schedules of three minutes have every kind of fault at every target that it may have", () => {
	const seeds = Array.from({ length: 20 }, (_, index) => index + 1);
	const faults = seeds.flatMap((seed) => planFaults(seed, { forMs: 180_000 }));
	const had = new Set(faults.map(({ kind, target }) => `${kind} ${target}`));
	const possible = rows.flatMap(({ kind, targets }) => targets.map((target) => `${kind} ${target}`));
	assert.deepEqual([...had].sort(), possible.sort());
});

test("a line that was slow and is whole again gives every octet in order; a cut one ends, a hung one says nothing", {
	timeout: 20_000,
}, async (context) => {
	const echo = createServer((socket) => void socket.on("error", () => undefined).pipe(socket));
	await new Promise<void>((resolve) => echo.listen(0, "127.0.0.1", resolve));
	const proxy = await startProxy((echo.address() as { port: number }).port);
	context.after(async () => {
		await proxy.close();
		echo.close();
	});
	const open = async () => {
		const socket = connect(proxy.port, "127.0.0.1");
		socket.on("error", () => undefined);
		await once(socket, "connect");
		return socket;
	};
	// Reset or ended: either way it is over.
	const ended = (socket: Socket) => new Promise((resolve) => void socket.once("close", resolve));
	const first = await open();
	let heard = "";
	first.setEncoding("utf8").on("data", (text: string) => {
		heard += text;
	});
	proxy.set("slow");
	first.write("one ");
	await new Promise((resolve) => setTimeout(resolve, 20));
	proxy.set("whole");
	first.write("two");
	while (!heard.endsWith("two")) await once(first, "data");
	assert.equal(heard, "one two");
	proxy.set("hung");
	first.write("three");
	const closed = ended(first);
	proxy.set("whole");
	await closed;
	assert.equal(heard, "one two");
	const second = await open();
	const cut = ended(second);
	proxy.set("cut");
	await cut;
});
