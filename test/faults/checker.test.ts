// The judge of the random faults, tried on runs that went wrong; and that a seed has the same faults again.

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { test } from "node:test";
import type { VerifyResult } from "../../audit/verifyCertificate.ts";
import type { Entry } from "../../domain/evidence.ts";
import type { State } from "../../domain/lifecycle.ts";
import type { Message } from "../../domain/message.ts";
import { eventsOf } from "../../domain/webhook.ts";
import { messageOf } from "../harness/message.ts";
import {
	type CohortSeen,
	findViolations,
	type Observed,
	repairMs,
	type Sent,
	type Sight,
	type Told,
} from "./checker.ts";
import { startProxy } from "./proxy.ts";
import { type Befallen, planFaults, rows, type Target } from "./schedule.ts";

const deadlineAt = 1_000_000;
const acceptedAt = 500_000;
const longAgo = new Date(0).toISOString();

const sight = (state: State, attempt: number, at = 5): Sight => ({ state, attempt, at });
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
		cohorts: [cohort],
		transitKeys: ["cohort-coh_a"],
		wrappingKeys: [{ _id: "wk_a", cohortId: "coh_a" }],
		certificates: new Map([["crt_a", certified()]]),
		told: eventsOf({ evidence: message.evidence ?? recorded }).map((event) => tell(event)),
		requests: new Map(),
		faults: [],
		now: 20,
		...change,
	};
}

const sealed = { cohortId: "c", wrappingKeyId: "w", wrappedKey: new Uint8Array(1), ciphertext: new Uint8Array(1) };
const line = { text: "t", reference: "r", at: 10 };
const sent: Sent = {
	key: "k",
	magic: "delivered",
	to: "+12025550142",
	text: "t",
	category: "transactional",
	ids: ["msg_a"],
	askedAt: 0,
	answeredAt: 5,
};
function tell({ sequence, state }: Pick<Told, "sequence" | "state">, change: Partial<Told> = {}): Told {
	return {
		...{ id: `whd_${sequence}`, messageId: "msg_a", state, sequence, isVerified: true, isTaken: true },
		...change,
	};
}
const cohort: CohortSeen = { _id: "coh_a", state: "open", dueAt: deadlineAt, certificates: [] };

type Certificate = Extract<VerifyResult, { valid: true }>["certificate"];

/** What its verifier says of a certificate that text and number of the message are gone, or of what a test makes of it. */
function certified(change: Partial<Certificate> = {}): VerifyResult {
	const gone = { messageIds: ["msg_a"], erasedAt: new Date(at).toISOString() };
	const certificate: Certificate = {
		schema: "lethe/erasure-certificate/v1",
		id: "crt_a",
		kind: "submission",
		tenantId: "ten_a",
		issuedAt: new Date(at).toISOString(),
		copies: [],
		status: "complete",
		reasons: [],
		objects: [
			{ object: "content", ...gone },
			{ object: "address", ...gone },
		],
		...change,
	};
	return { valid: true, kid: "k", forgotten: true, certificate };
}
const holding = (...found: VerifyResult[]) =>
	new Map(found.map((one) => [one.valid ? one.certificate.id : "crt_a", one]));
const purged = (change: Partial<Certificate> = {}) =>
	certified({
		id: "crt_c",
		kind: "purge",
		objects: [{ object: "cohort_key", cohortId: "coh_a", erasedAt: new Date(at).toISOString() }],
		...change,
	});

/** A run whose cohort was destroyed, and what a test has go wrong in it. */
function destroyed(change: Partial<Observed> = {}): Observed {
	const over: CohortSeen = { ...cohort, state: "destroyed", dueAt: 10, certificates: ["crt_c"] };
	const nothing = { transitKeys: ["certificate"], wrappingKeys: [] };
	return observed({ ...nothing, cohorts: [over], certificates: holding(certified(), purged()), ...change });
}

function requestOf(step: "certify" | "done", certificates: string[]): Observed["requests"] {
	const counts = { startedAt: 1, pass: 1, cursor: { index: 0 }, erasedCount: 0, keptCount: 0, kept: [] };
	return new Map([["dsr_a", { erasure: { ...counts, step }, certificates }]]);
}

/** A run whose recipient has asked to be forgotten, of a tenant that keeps what it sends, and what a test has go wrong in it. */
function forgotten(change: Partial<Observed> = {}, message: Partial<Message> = {}): Observed {
	const record = { eraseBy: 6, atFinal: false, erasedAt: 5, request: "dsr_a" };
	const erased: Sent = { ...sent, isKept: true, erasure: "dsr_a", blockedAt: 10 };
	const run = { sent: [erased], told: [], requests: requestOf("done", ["crt_a"]), ...change };
	return observed(run, { retention: { content: record, address: record }, ...message });
}

/** A run of one code, accepted at `acceptedAt` and good for 30 s. */
function coded(message: Partial<Message> = {}, change: Partial<Observed> = {}): Observed {
	const times = { acceptedAt, deadlineAt: acceptedAt + 30_000, closeAt: acceptedAt + 150_000, stateAt: acceptedAt };
	const code: Sent = { ...sent, category: "otp", askedAt: acceptedAt, answeredAt: acceptedAt, validForMs: 30_000 };
	const run = { sent: [code], ledger: [{ ...line, at: acceptedAt + 1 }] };
	return observed({ ...run, ...change }, { ...times, ...message });
}
const befallen = (kind: Befallen["kind"], target: Target, from: number, to: number, byMs?: number): Befallen => ({
	...{ kind, target, from, to, atMs: 0, forMs: to - from },
	...(byMs === undefined ? {} : { byMs }),
});
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

test("an event may come twice, and again after a later one; a recipient may opt out once it is on its way, or be forgotten", () => {
	const [submitted, delivered] = observed().told as [Told, Told];
	const again = [{ ...submitted, isTaken: false }, submitted, submitted, delivered, submitted];
	assert.deepEqual(findViolations(observed({ told: again })), []);
	const leaving: Sent[] = [{ ...sent, blockedAt: 10 }];
	assert.deepEqual(findViolations(observed({ sent: leaving })), []);
	assert.deepEqual(findViolations(observed({ sent: leaving, ledger: [] }, { state: "rejected" })), []);
	assert.deepEqual(findViolations(forgotten()), []);
});

test("clocks that were moved excuse what they are the cause of, while they were, and no more", () => {
	const due = acceptedAt + 30_000;
	const sentAt = (at: number, ...faults: Befallen[]) =>
		findViolations(coded({ stateAt: due }, { ledger: [{ ...line, at }], faults })).length;
	const behind = (from: number, to: number) => befallen("jump", "sender2", from, to, -15_000);
	const ahead = (from: number, to: number) => befallen("jump", "carrier", from, to, 10_000);
	assert.equal(sentAt(due + 25_000, behind(acceptedAt, due), ahead(due, due + 30_000)), 0);
	assert.equal(sentAt(due + 27_000, behind(acceptedAt, due), ahead(due, due + 30_000)), 1);
	assert.equal(sentAt(due + 25_000, behind(acceptedAt, due)), 1);
	// A sender that is ahead sends too early to be late, and so does not excuse it; nor does a worker.
	assert.equal(sentAt(due + 5_000, befallen("jump", "sender", acceptedAt, due, 15_000)), 1);
	assert.equal(sentAt(due + 5_000, befallen("jump", "worker", acceptedAt, due, -15_000)), 1);
	// Minutes before it was accepted, and after it was sent.
	assert.equal(sentAt(due + 25_000, behind(0, acceptedAt - 60_000), ahead(due + 60_000, due + 90_000)), 1);
});

test("the API's clock excuses when it was accepted, and a worker's that it was sent before its time", () => {
	const early = (...faults: Befallen[]) => {
		const asked: Sent = { ...sent, askedAt: acceptedAt, answeredAt: acceptedAt, sendAt: acceptedAt + 15_000 };
		const times = { acceptedAt, deadlineAt: acceptedAt * 2, closeAt: acceptedAt * 2 };
		return findViolations(observed({ sent: [asked], ledger: [{ ...line, at: acceptedAt + 5 }], faults }, times)).length;
	};
	assert.equal(early(), 1);
	assert.equal(early(befallen("jump", "worker", acceptedAt, acceptedAt + 1, 15_000)), 0);
	assert.equal(early(befallen("jump", "sender", acceptedAt, acceptedAt + 1, 15_000)), 1);
	assert.equal(early(befallen("jump", "worker", 0, acceptedAt - 10_000, 15_000)), 1);
	const read = (faults: Befallen[]) =>
		findViolations(coded({ acceptedAt: acceptedAt + 10_000, deadlineAt: acceptedAt + 40_000 }, { faults })).length;
	assert.equal(read([]), 1);
	assert.equal(read([befallen("jump", "api", acceptedAt - 1, acceptedAt + 1, 10_000)]), 0);
	assert.equal(read([befallen("jump", "api", acceptedAt - 1, acceptedAt + 1, -10_000)]), 1);
});

test("a code may be lost where a fault was in its way, or its number costs its time; its end may be unknown until its close", () => {
	const ended = (state: State, faults: Befallen[], change: Partial<Sent> = {}) => {
		const run = coded({ state, stateAt: acceptedAt + 30_000 }, { faults, ledger: [] });
		return findViolations({ ...run, sent: run.sent.map((one) => ({ ...one, ...change })) });
	};
	const killed = (from: number, to = from) => [befallen("kill", "redis", from, to)];
	assert.deepEqual(ended("expired", killed(acceptedAt + 29_000)), []);
	assert.deepEqual(ended("expired", killed(0, acceptedAt - repairMs)), []);
	assert.equal(ended("expired", killed(0, acceptedAt - repairMs - 1)).length, 1);
	assert.equal(ended("expired", killed(acceptedAt + 31_000)).length, 1);
	assert.deepEqual(ended("unknown", killed(acceptedAt + 149_000)), []);
	assert.equal(ended("unknown", killed(acceptedAt + 151_000)).length, 1);
	for (const magic of ["never_available", "timeout_before_accepting"])
		assert.deepEqual(ended("expired", [], { magic }), []);
	assert.deepEqual(ended("unknown", [], { magic: "no_receipt" }), []);
	assert.equal(ended("unknown", [], { magic: "timeout_before_accepting" }).length, 1);
});

test("what came back has a certificate that says so, and one more once it was erased again; a purge page's counts as well", () => {
	const cameBack = certified({ id: "crt_b", status: "incomplete", reasons: ["copy_unverified"] });
	const again = observed({ certificates: holding(certified(), cameBack) }, { certificates: ["crt_b", "crt_a"] });
	assert.deepEqual(findViolations(again), []);
	const page = { eraseBy: deadlineAt, atFinal: true, erasedAt: 5, certificateId: "crt_a" };
	assert.deepEqual(findViolations(observed({}, { certificates: [], retention: { content: page, address: page } })), []);
	assert.deepEqual(findViolations(destroyed()), []);
});

const wrongs: Record<string, Observed> = {
	"was told as delivered too early": observed({ told: observed().told.toReversed() }),
	"was never told as submitted": observed({
		told: observed().told.map((one) => ({ ...one, isTaken: one.sequence > 1 })),
	}),
	"was never told as delivered": observed({ told: observed().told.slice(0, 1) }),
	"was told as delivered, 1, which": observed({
		told: [tell({ state: "delivered", sequence: 1 }), ...observed().told],
	}),
	"under several ids": observed({
		told: [...observed().told, tell({ state: "delivered", sequence: 2 }, { id: "other" })],
	}),
	"without a signature that holds": observed({ told: observed().told.map((one) => ({ ...one, isVerified: false })) }),
	"its content is gone, and was to be kept": observed(
		{},
		{
			retention: {
				content: { eraseBy: deadlineAt, atFinal: false },
				address: { eraseBy: 1, atFinal: true, erasedAt: 5 },
			},
		},
	),
	"its erasure is nowhere": observed({ sent: [{ ...sent, erasure: "dsr_b" }] }),
	"its erasure is certify": forgotten({ requests: requestOf("certify", ["crt_a"]) }),
	"its erasure has no certificate of its address (none)": forgotten({ requests: requestOf("done", []) }),
	"its address is there, and was asked to be erased": forgotten({}, { address: sealed }),
	"by an attempt that began after": observed(
		{ sent: [{ ...sent, blockedAt: 10 }] },
		{ attempts: [{ ...attempt, startedAt: 11, outcome: "accepted" }] },
	),
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
	// Minutes after the clocks were right again.
	"was sent 25000 ms after its deadline": coded(
		{},
		{
			ledger: [{ ...line, at: acceptedAt + 55_000 }],
			faults: [befallen("jump", "sender", 0, acceptedAt - 120_000, -15_000)],
		},
	),
	"its deadline is 60000 ms after its acceptance": coded({ deadlineAt: acceptedAt + 60_000 }),
	"was accepted at 500000, and was asked for from 500001": coded(
		{},
		{ sent: [{ ...sent, askedAt: acceptedAt + 1, answeredAt: acceptedAt + 2 }] },
	),
	"ended as expired": coded({ state: "expired", stateAt: acceptedAt + 30_000 }, { ledger: [] }),
	"ended as rejected, queue_hopeless": coded(
		{ state: "rejected", evidence: [{ at, type: "rejected", code: "queue_hopeless" }] },
		{ ledger: [] },
	),
	"too early": observed({}, { state: "expired", stateAt: deadlineAt - 2_000 }),
	// Whatever its record says.
	"expired 20000 ms too early": observed(
		{ sights: new Map([["msg_a", [sight("expired", 0, deadlineAt - 20_000)]]]) },
		{ state: "expired", stateAt: deadlineAt },
	),
	"never at the carrier": observed({ ledger: [] }),
	"is at the carrier, and nobody sent": observed({ ledger: [line, { ...line, text: "other" }] }),
	"was answered with": observed({ sent: [{ ...sent, ids: ["msg_a", "msg_b"] }] }),
	"is still submitted": observed({}, { state: "submitted" }),
	"ended as unknown": observed({}, { state: "unknown" }),
	"was to be gone": observed({}, { content: sealed }),
	"has no erasure on record": observed({}, { retention: { content: { eraseBy: 1, atFinal: true } } }),
	"has no retention": observed({}, { retention: {} }),
	"has no certificate of its content (none)": observed({}, { certificates: [] }),
	"crt_b is nowhere": observed({}, { certificates: ["crt_a", "crt_b"] }),
	"crt_a bad_signature": observed({ certificates: holding({ valid: false, reason: "bad_signature" }) }),
	"has no certificate of its address (crt_a incomplete copy_unverified)": observed({
		certificates: holding(certified({ status: "incomplete", reasons: ["copy_unverified"] })),
	}),
	"has no certificate of its content (crt_a complete)": observed({
		certificates: holding(certified({ objects: [{ object: "content", messageIds: ["msg_b"], erasedAt: longAgo }] })),
	}),
	"has no certificate of its address (crt_a complete)": observed({
		certificates: holding(certified({ tenantId: "ten_b" })),
	}),
	"its key was to be destroyed": observed({ cohorts: [{ ...cohort, state: "closing", dueAt: -200_000 }] }),
	"its key is in Vault, and was to be gone": destroyed({ transitKeys: ["cohort-coh_a"] }),
	"a wrapping key of it is in the store": destroyed({ wrappingKeys: [{ _id: "wk_a", cohortId: "coh_a" }] }),
	"has no certificate of it (crt_c is nowhere)": destroyed({ certificates: holding(certified()) }),
	"has no certificate of it (crt_c incomplete": destroyed({
		certificates: holding(certified(), purged({ status: "incomplete", reasons: ["vault_unbounded"] })),
	}),
	"its key is not in Vault, and was not to go yet": observed({ transitKeys: [] }),
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
