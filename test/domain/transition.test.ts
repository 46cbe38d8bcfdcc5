// The rules that every change of a message obeys, whoever makes it and in whatever order.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
	finalStates,
	isFinal,
	lifecycle,
	openStates,
	type State,
	states,
	statesBefore,
} from "../../domain/lifecycle.ts";
import type { CarrierEventState, Message } from "../../domain/message.ts";
import {
	abandon,
	cancel,
	claim,
	close,
	end,
	receive,
	release,
	spare,
	type Transition,
} from "../../domain/transition.ts";
import { messageOf } from "../harness/message.ts";

const eventStates: CarrierEventState[] = [
	"pending",
	"submitted",
	"delivered",
	"undelivered",
	"expired",
	"rejected",
	"unknown",
];

describe("lifecycle", () => {
	it("names only states that exist, and leads every open state to an end", () => {
		for (const state of states) {
			for (const next of lifecycle[state].next) assert.ok(states.includes(next), `${state} → ${next}`);
			if (!isFinal(state)) assert.ok(lifecycle[state].next.length > 0, state);
		}
		assert.deepEqual(finalStates.toSorted(), [
			"cancelled",
			"delivered",
			"expired",
			"rejected",
			"undelivered",
			"unknown",
		]);
	});

	it("moves back only from sending to queued and from queued to deferred", () => {
		const backward = states.flatMap((from) =>
			(lifecycle[from].next as readonly State[])
				.filter((to) => lifecycle[to].order < lifecycle[from].order)
				.map((to) => `${from} → ${to}`),
		);
		assert.deepEqual(backward, ["queued → deferred", "sending → queued"]);
	});

	it("corrects a final state only where our clock, not the carrier, had decided it", () => {
		for (const state of finalStates) {
			const corrects = (lifecycle[state].next as readonly State[]).length > 0;
			assert.equal(corrects, state === "unknown" || state === "expired", state);
		}
	});
});

describe("transition", () => {
	it("what a hold spares is not erased, is borne by the hold, and is due where it is", () => {
		const message = messageOf({ state: "submitted", attempt: 1, carrierId: "c1", contentAtFinal: true });
		const ending = end(message, "delivered", 7);
		const spared = spare(ending, "hold_a");
		assert.deepEqual(
			spared.unset?.filter((path) => ending.unset?.includes(path) && path.startsWith("retention")),
			[],
		);
		for (const path of ["content", "address"]) assert.ok(ending.unset?.includes(path) && !spared.unset?.includes(path));
		assert.deepEqual(
			[spared.to, spared.where, spared.push],
			["delivered", { holds: { $ne: "hold_a" } }, { holds: { value: "hold_a" } }],
		);
		assert.deepEqual(
			spared.evidence?.map(({ type }) => type),
			["delivered"],
		);
		const { "retention.content.inPlace": inPlace, "retention.content.eraseBy": eraseBy, ...set } = spared.set ?? {};
		assert.deepEqual([inPlace, eraseBy, "retention.content.erasedAt" in set], [true, 7, false]);
		assert.equal(spared.erases, undefined);
	});

	it("never leaves a final state by a receipt, but for unknown and expired", () => {
		fc.assert(
			fc.property(
				fc.constantFrom(...finalStates),
				fc.constantFrom(...eventStates),
				fc.boolean(),
				(state, event, stale) => {
					const message = messageOf({ state, attempt: 1, carrierId: "c1" });
					const change = receive(message, "queue", { eventId: "e", carrierId: "c1", state: event, at: 1 }, 2, stale);
					if (change?.to === undefined) return;
					assert.ok(state === "unknown" || state === "expired");
					assert.ok(!stale);
				},
			),
		);
	});

	it("a stale receipt changes no state and is kept as evidence", () => {
		for (const state of states) {
			const message = messageOf({ state, attempt: 1, carrierId: "c1" });
			const change = receive(message, "queue", { eventId: "e", carrierId: "c1", state: "delivered", at: 1 }, 2, true);
			assert.equal(change?.to, undefined);
			assert.equal((change?.push?.receipts?.value as { effect: string } | undefined)?.effect, "stale");
		}
	});

	it("receipts that tell nothing leave room for those of every part", () => {
		const ids = Array.from({ length: 24 }, (_, part) => `part-${part}`);
		const sent = messageOf({ state: "submitted", attempt: 1, carrierId: "c1" });
		sent.attempts = sent.attempts.map((attempt) => ({ ...attempt, carrierId: ids }));
		let receipts: Message["receipts"] = [];
		const take = (carrierId: string, state: "pending" | "delivered", eventId: string, stale: boolean) => {
			const change = receive({ ...sent, receipts }, "queue", { eventId, carrierId, state, at: 1 }, 2, stale);
			const pushed = change?.push?.receipts;
			if (pushed) receipts = [...receipts, pushed.value].slice(-(pushed.keep ?? 0)) as Message["receipts"];
			return change;
		};
		for (const [part, id] of ids.entries()) {
			take(id, "pending", `p-${part}`, false);
			take(id, "delivered", `s-${part}`, true);
			const change = take(id, "delivered", `d-${part}`, false);
			assert.equal(change?.to, part === 23 ? "delivered" : undefined, id);
		}
	});

	it("a stale receipt does not stand in the way of the same event in time, nor count for a part, nor twice", () => {
		const event = { eventId: "e", carrierId: "c1", state: "delivered", at: 1 } as const;
		const recorded = (message: Message, stale: boolean, more: object = {}) => {
			const value = receive(message, "queue", { ...event, ...more }, 2, stale)?.push?.receipts?.value;
			return value as Message["receipts"][number] | undefined;
		};
		const message = messageOf({ state: "submitted", attempt: 1, carrierId: "c1" });
		const stale = recorded(message, true);
		assert.ok(stale);
		message.receipts.push(stale);
		assert.equal(recorded(message, true), undefined);
		const fresh = recorded(message, false);
		assert.equal(fresh?.effect, "applied");
		message.receipts = [fresh];
		assert.equal(recorded(message, true), undefined);

		const [attempt] = message.attempts;
		assert.ok(attempt);
		message.attempts = [{ ...attempt, carrierId: ["c1", "c2"] }];
		message.receipts = [{ ...stale, carrierId: "c1" }];
		assert.equal(recorded(message, false, { eventId: "e2", carrierId: "c2" })?.effect, "noted");
		message.receipts = [{ ...fresh, carrierId: "c1" }];
		assert.equal(recorded(message, false, { eventId: "e2", carrierId: "c2" })?.effect, "applied");
	});

	it("a receipt that comes after receipts were erased is not kept, and still tells what became of the message", () => {
		const event = { eventId: "e", carrierId: "c1", state: "delivered", at: 1 } as const;
		const changes = (["unknown", "delivered"] as const).map((state) => {
			const message = messageOf({ state, attempt: 1, carrierId: "c1" });
			message.retention.receipt = { eraseBy: 1, atFinal: false, erasedAt: 1 };
			return receive(message, "queue", event, 2, false);
		});
		assert.deepEqual(
			changes.map((change) => change && [change.to, change.push]),
			[["delivered", {}], undefined],
		);
	});

	it("a receipt seen before, or for an attempt the message never made, does nothing", () => {
		const event = { eventId: "e", carrierId: "c1", state: "delivered", at: 1 } as const;
		const seen = messageOf({ state: "submitted", attempt: 1, carrierId: "c1", seenEventId: "e" });
		assert.equal(receive(seen, "queue", event, 2, false), undefined);
		const other = messageOf({ state: "submitted", attempt: 1, carrierId: "c2" });
		assert.equal(receive(other, "queue", event, 2, false), undefined);
	});

	it("another queue's carrier may give the same id: its receipt is of no attempt that it did not make", () => {
		const message = messageOf({ state: "submitted", attempt: 1, carrierId: "c1", sendQueue: "second" });
		const [attempt] = message.attempts;
		assert.ok(attempt);
		// The first queue's attempt came to the same id before the message was moved.
		message.attempts = [
			{ ...attempt, sendQueue: "first" },
			{ ...attempt, number: 2, sendQueue: "second" },
		];
		message.attempt = 2;
		const event = { eventId: "e", carrierId: "c1", state: "delivered", at: 1 } as const;
		assert.equal(receive(message, "third", event, 2, false), undefined);
		const effects = ["first", "second"].map((queue) => receive(message, queue, event, 2, false)?.push?.receipts?.value);
		assert.deepEqual(
			effects.map((value) => (value as { effect: string } | undefined)?.effect),
			["out_of_order", "applied"],
		);
	});

	it("a receipt of an earlier attempt is evidence only", () => {
		const message = messageOf({ state: "queued", attempt: 2, carrierId: "c1", carrierIdAttempt: 1 });
		const change = receive(message, "queue", { eventId: "e", carrierId: "c1", state: "delivered", at: 1 }, 2, false);
		assert.equal(change?.to, undefined);
		assert.equal((change?.push?.receipts?.value as { effect: string } | undefined)?.effect, "out_of_order");
	});

	it("the update that ends a message erases at once what its class forgets, and nothing that is held", () => {
		fc.assert(
			fc.property(
				fc.constantFrom(...openStates),
				fc.boolean(),
				fc.boolean(),
				fc.array(fc.constant("hold_a"), { maxLength: 1 }),
				(state, contentAtFinal, addressAtFinal, holds) => {
					const message = messageOf({ state, contentAtFinal, addressAtFinal, holds });
					const change = end(message, "cancelled", 5);
					const expected = holds.length > 0 ? [] : [contentAtFinal && "content", addressAtFinal && "address"];
					const erased = change.unset?.filter((name) => name !== "backlog") ?? [];
					assert.deepEqual(erased, expected.filter(Boolean));
					const unsent = state === "accepted" || state === "deferred" || state === "queued";
					assert.equal(change.unset?.includes("backlog"), unsent, "what ends unsent waits for nothing any more");
					// A hold placed between the read and the update must refuse an update that erases.
					if (erased.length > 0) assert.deepEqual(change.where?.holds, { $size: 0 });
				},
			),
		);
	});

	it("what outlived its retention is erased at the end even where its class keeps it longer", () => {
		const message = messageOf({ state: "submitted", contentAtFinal: false, contentEraseBy: 10 });
		assert.deepEqual(end(message, "delivered", 11).unset, ["content", "address"]);
		assert.deepEqual(end(message, "delivered", 9).unset, ["address"]);
	});

	it("a claim needs the deadline ahead, no hold, and the attempt before it", () => {
		const change = claim("m", 3, 100, "c", "q");
		assert.deepEqual(change.from, ["queued"]);
		assert.deepEqual(change.where, {
			"restrictedBy.0": { $exists: false },
			attempt: 2,
			sendQueue: "q",
			deadlineAt: { $gt: 100 },
		});
	});

	it("before its deadline nothing unsent expires, and before its close nothing sent becomes unknown", () => {
		fc.assert(
			fc.property(fc.constantFrom(...states), fc.integer({ min: 0, max: 300 }), (state, now) => {
				const message = messageOf({ state, deadlineAt: 100, closeAt: 200 });
				const change = close(message, now);
				if (isFinal(state)) return assert.equal(change, undefined);
				const sent = state === "sending" || state === "submitted";
				assert.equal(change?.to, sent ? (now >= 200 ? "unknown" : undefined) : now >= 100 ? "expired" : undefined);
			}),
		);
	});

	it("every change names only states from which its target may be reached", () => {
		for (const state of openStates) {
			const message = messageOf({ state, attempt: 1, deadlineAt: 1, closeAt: 1 });
			const changes: (Transition | undefined)[] = [
				close(message, 9),
				cancel(message, 9),
				abandon(message, 9),
				release(message, "failed", 10, 9),
			];
			for (const change of changes) {
				if (!change?.to) continue;
				for (const from of change.from ?? [])
					assert.ok(statesBefore(change.to).includes(from), `${from} → ${change.to}`);
			}
		}
	});
});
