// The judge of the random faults, tried on runs that went wrong; and that a seed has the same faults again.

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { test } from "node:test";
import type { Entry } from "../../domain/evidence.ts";
import type { Message } from "../../domain/message.ts";
import { messageOf } from "../harness/message.ts";
import { findViolations, type Observed } from "./checker.ts";
import { startProxy } from "./proxy.ts";
import { planFaults } from "./schedule.ts";

const deadlineAt = 1_000_000;

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
	const entries = ["accepted", "queued", "sending", "submitted", one.state].map(
		(type) => ({ type, about: "msg_a", id: type, at: "" }) as Entry,
	);
	return {
		sent: [{ key: "k", magic: "delivered", text: "t", category: "transactional", ids: ["msg_a"] }],
		messages: new Map([["msg_a", { ...one, ...message }]]),
		ledger: [{ text: "t", reference: "r", at: 10 }],
		entries,
		strayIds: [],
		now: 20,
		...change,
	};
}

const sealed = { cohortId: "c", wrappingKeyId: "w", wrappedKey: new Uint8Array(1), ciphertext: new Uint8Array(1) };
const line = { text: "t", reference: "r", at: 10 };

test("a run that went well has no violation, nor has a further attempt", () => {
	assert.deepEqual(findViolations(observed()), []);
	const [accepted, queued, sending, ...rest] = observed().entries as [Entry, Entry, Entry, ...Entry[]];
	const twice = (attempt: number) => [accepted, queued, { ...sending, attempt: 1 }, { ...sending, attempt }, ...rest];
	assert.deepEqual(findViolations(observed({ entries: twice(2) })), []);
	assert.equal(findViolations(observed({ entries: twice(1) })).length, 1);
});

const wrongs: Record<string, Observed> = {
	"is not in the store": observed({ messages: new Map() }),
	"was sent 2 times": observed({ ledger: [line, { ...line, reference: "other" }] }),
	"after its deadline": observed({ ledger: [{ ...line, at: deadlineAt + 2_000 }] }),
	"never at the carrier": observed({ ledger: [] }),
	"was answered with": observed({
		sent: [{ key: "k", magic: "delivered", text: "t", category: "transactional", ids: ["msg_a", "msg_b"] }],
	}),
	"is still submitted": observed({}, { state: "submitted" }),
	"ended as unknown": observed({}, { state: "unknown" }),
	"was to be gone": observed({}, { content: sealed }),
	"has no certificate": observed({}, { certificates: [] }),
	"nobody was told of it": observed({ strayIds: ["msg_z"] }),
	"its acceptance 0 times": observed({ entries: observed().entries.slice(1) }),
	"its end, delivered, 0 times": observed({ entries: observed().entries.slice(0, -1) }),
	"went from delivered to submitted": observed({
		entries: observed().entries.toSpliced(3, 2, ...observed().entries.slice(3).toReversed()),
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
