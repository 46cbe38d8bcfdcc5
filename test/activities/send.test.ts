// One attempt, second by second: recorded before the carrier hears of it, never past lease or deadline, recorded after.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { referenceOf } from "../../activities/referenceOf.ts";
import { createRejudge } from "../../activities/rejudge.ts";
import { createReroute } from "../../activities/reroute.ts";
import { createResolve } from "../../activities/resolve.ts";
import { createSend } from "../../activities/send.ts";
import { createTenancy } from "../../activities/tenancy.ts";
import { createUnpark } from "../../activities/unpark.ts";
import type { Carrier } from "../../adapters/carriers/carrier.ts";
import { createReceive } from "../../api/receive.ts";
import { LetheError } from "../../domain/errors.ts";
import { limits } from "../../domain/limits.ts";
import { type Message, wasHandedOver } from "../../domain/message.ts";
import { enqueue } from "../../domain/transition.ts";
import { createEngine, type Engine, until } from "../harness/engine.ts";

type Outgoing = Parameters<Carrier["send"]>[0];

describe("one attempt", () => {
	let engine: Engine;
	before(async () => {
		engine = await createEngine({ worker: false, sender: false });
	});
	after(() => engine.close());

	const accepted = { kind: "accepted", carrierId: "c-1", segments: 1 } as const;
	const noControl = { holdBack: async () => undefined };
	const carriersOf = (send: Carrier["send"]) => ({ sender: async () => ({ ...engine.carrier, send }) });
	const sender = (more: Partial<Parameters<typeof createSend>[0]>) => {
		const send = createSend({
			...engine,
			unpark: createUnpark(engine),
			rejudge: createRejudge(engine),
			tenancy: createTenancy(engine),
			reroute: createReroute({ ...engine, rejudge: createRejudge(engine) }),
			...more,
		});
		return ({ _id, sendQueue }: Message, attempt = 1) => send({ messageId: _id, attempt, sendQueue }, noControl);
	};
	async function queued(shape: Parameters<Engine["accept"]>[0] = {}): Promise<Message> {
		const message = await engine.accept(shape);
		assert.ok(await engine.store.messages.transition(enqueue(message, engine.clock())));
		return message;
	}
	const lasting = () => ({ deadlineAt: engine.clock() + 600_000, closeAt: engine.clock() + 1_200_000 });
	/** A monotonic clock in the test's hand; what it can't be is set back. */
	const createMonotonic = () => {
		const time = { nowMs: 1_000 };
		return { time, monotonic: () => time.nowMs };
	};

	it("is in the store, with what makes its reference, before the carrier is called", async () => {
		const message = await queued();
		const seen: (Message | Outgoing)[] = [];
		await sender({
			carriers: carriersOf(async (outgoing) => {
				seen.push(await engine.read(message._id), outgoing);
				return accepted;
			}),
		})(message);
		const [stored, outgoing] = seen as [Message, Outgoing];
		assert.equal(stored.state, "sending");
		assert.equal(stored.attempt, 1);
		const claimed = stored.attempts[0]?.claim as string;
		assert.equal(referenceOf(engine, message._id, claimed), outgoing.reference);
		assert.notEqual(referenceOf(engine, engine.ids.random("message"), claimed), outgoing.reference);
		assert.ok((stored.nextCheckAt ?? 0) >= engine.clock() + limits.leaseMs, "and the sweep will look at it");
	});

	it("that can't be recorded is not made", async () => {
		const message = await queued();
		let calls = 0;
		const away = async () => {
			throw new LetheError("store_unavailable");
		};
		const send = sender({
			store: { ...engine.store, messages: { ...engine.store.messages, claim: away, transition: away } },
			carriers: carriersOf(async () => {
				calls++;
				return accepted;
			}),
		});
		await assert.rejects(send(message), { code: "store_unavailable" });
		assert.equal(calls, 0);
	});

	it("of a queue whose carrier can't be opened is not made, and tells whose fault that is", async () => {
		for (const [fault, code] of [
			[new TypeError("token is missing"), "not_configured"],
			[new LetheError("internal"), "not_configured"],
			[new LetheError("keys_unavailable"), "carrier_unavailable"],
			[new LetheError("store_unavailable"), "carrier_unavailable"],
		] as const) {
			const message = await queued();
			const told = await sender({ carriers: { sender: () => Promise.reject(fault) } })(message);
			assert.deepEqual(told, { code });
			const { state, attempts } = await engine.read(message._id);
			assert.deepEqual([state, attempts[0]?.outcome, attempts[0]?.code], ["queued", "failed", code]);
		}
		const takes = await sender({ carriers: carriersOf(async () => accepted) })(await queued());
		assert.equal(takes, true);
		const ambiguous = carriersOf(async () => ({ kind: "ambiguous", code: "timeout" }));
		assert.deepEqual(await sender({ carriers: ambiguous })(await queued()), { code: "timeout" });
	});

	it("shows the carrier the texts in clear, and wipes them after it", async () => {
		const message = await queued();
		let kept: Outgoing | undefined;
		const texts: string[] = [];
		const carriers = carriersOf(async (outgoing) => {
			kept = outgoing;
			texts.push(outgoing.text.reveal(), outgoing.to.reveal());
			return accepted;
		});
		await sender({ carriers })(message);
		assert.deepEqual(texts, ["The text in clear", "+12025550142"]);
		for (const part of [kept?.text, kept?.to]) assert.ok(part?.bytes().every((byte) => byte === 0));
	});

	it("gives the carrier no time past the deadline, counted from when it was asked for, and is due no longer once that or half the lease is over", async () => {
		const ending = () => ({ deadlineAt: engine.clock() + 20_500, closeAt: engine.clock() + 60_000 });
		for (const shapeOf of [ending, lasting]) {
			const message = await queued(shapeOf());
			const { time, monotonic } = createMonotonic();
			const askedAt = engine.clock();
			const due: boolean[] = [];
			const carriers = carriersOf(async ({ stillDue, validitySeconds }) => {
				const { startedAt = 0 } = (await engine.read(message._id)).attempts[0] ?? {};
				const overAfter = (from: number) => {
					const leftMs = message.deadlineAt - from - validitySeconds * 1_000;
					return Math.min(leftMs, limits.leaseMs - limits.carrierTimeoutMs);
				};
				assert.ok(overAfter(startedAt) > 1_000, "a connection may be waited for");
				for (const passedMs of [0, overAfter(startedAt), overAfter(askedAt) + 1]) {
					time.nowMs = 1_000 + passedMs;
					due.push(stillDue?.() ?? true);
				}
				return { kind: "rejected", code: "unavailable", permanent: false };
			});
			await sender({ carriers, monotonic })(message);
			assert.deepEqual(due, [true, true, false]);
		}
	});

	it("counts a store that is slow to claim once: what is left of a code's time then is its carrier's", async () => {
		const message = await queued({ deadlineAt: engine.clock() + 12_000, closeAt: engine.clock() + 60_000 });
		const { time, monotonic } = createMonotonic();
		let lateMs = 0;
		const clock = () => engine.clock() + lateMs;
		const claim: Engine["store"]["messages"]["claim"] = async (job) => {
			// As long as a batch before it: then its own is begun, and dated.
			time.nowMs += 7_000;
			lateMs = 7_000;
			const claimed = await engine.store.messages.claim(job);
			const [attempt] = claimed?.attempts ?? [];
			return claimed && attempt && { ...claimed, attempts: [{ ...attempt, startedAt: attempt.startedAt + lateMs }] };
		};
		const validities: number[] = [];
		const carriers = carriersOf(async ({ validitySeconds }) => {
			validities.push(validitySeconds);
			return accepted;
		});
		const store = { ...engine.store, messages: { ...engine.store.messages, claim } };
		await sender({ carriers, monotonic, clock, store })(message);
		// A quarter of the five seconds left is for the wait for a connection.
		assert.deepEqual(validities, [3]);
	});

	it("counts all that passes since a slow clock was set right, while its claim waited or after it", async () => {
		for (const setRightAt of ["claim", "decrypt"]) {
			const beganAt = engine.clock();
			const message = await queued({ deadlineAt: beganAt + 12_000, closeAt: beganAt + 60_000 });
			const { time, monotonic } = createMonotonic();
			let slowMs = 15_000;
			const clock = () => beganAt - slowMs + time.nowMs - 1_000;
			const setRight = (at: string) => {
				if (at === setRightAt) slowMs = 0;
			};
			const claim: Engine["store"]["messages"]["claim"] = async (job) => {
				setRight("claim");
				const claimed = await engine.store.messages.claim(job);
				const [attempt] = claimed?.attempts ?? [];
				return claimed && attempt && { ...claimed, attempts: [{ ...attempt, startedAt: clock() }] };
			};
			const decrypt: Engine["encryption"]["decrypt"] = async (request) => {
				setRight("decrypt");
				if (request.object === "content") time.nowMs += 7_000;
				return engine.encryption.decrypt(request);
			};
			const validities: number[] = [];
			const carriers = carriersOf(async ({ validitySeconds }) => {
				validities.push(validitySeconds);
				return accepted;
			});
			const store = { ...engine.store, messages: { ...engine.store.messages, claim } };
			await sender({ carriers, monotonic, clock, store, encryption: { ...engine.encryption, decrypt } })(message);
			assert.deepEqual(validities, [3]);
		}
	});

	it("is not made when decrypting outlasted the deadline or the lease, whatever the wall clock says", async () => {
		const shape = { deadlineAt: engine.clock() + 8_500, closeAt: engine.clock() + 60_000 };
		for (const [message, passedMs, state] of [
			[await queued(shape), 7_600, "expired"],
			[await queued(), limits.leaseMs - limits.carrierTimeoutMs + 1, "queued"],
		] as const) {
			const { time, monotonic } = createMonotonic();
			let calls = 0;
			const carriers = carriersOf(async () => {
				calls++;
				return accepted;
			});
			const decrypt: Engine["encryption"]["decrypt"] = async (request) => {
				time.nowMs = 1_000 + passedMs;
				return engine.encryption.decrypt(request);
			};
			await sender({ carriers, monotonic, encryption: { ...engine.encryption, decrypt } })(message);
			assert.equal(calls, 0);
			const stored = await engine.read(message._id);
			assert.equal(stored.state, state);
			assert.ok(!wasHandedOver(stored.attempts), "and is not recorded as if it might have been");
			const said = stored.evidence.map(({ type }) => type);
			assert.ok(said.includes(state === "expired" ? "expired" : "released") && !said.includes("unknown"));
		}
	});

	it("is not made once its machine was suspended for longer than the lease: by then it may be another sender's", async () => {
		const message = await queued(lasting());
		let calls = 0;
		const carriers = carriersOf(async () => {
			calls++;
			return accepted;
		});
		let suspendedMs = 0;
		const decrypt: Engine["encryption"]["decrypt"] = async (request) => {
			suspendedMs = 5 * 60_000;
			return engine.encryption.decrypt(request);
		};
		const clock = () => engine.clock() + suspendedMs;
		await sender({ carriers, clock, encryption: { ...engine.encryption, decrypt } })(message);
		const { state, attempts } = await engine.read(message._id);
		assert.deepEqual([calls, state, attempts[0]?.code], [0, "queued", "lease_too_short"]);
	});

	it("whose deadline came between its claim and its judgement has expired, and was not refused by a policy", async () => {
		const message = await queued({ deadlineAt: engine.clock() + 8_500, closeAt: engine.clock() + 60_000 });
		// As the policies say of whatever is past the time that it expires.
		const denied = async () => {
			engine.time.offsetMs += 9_000;
			return { kind: "refused", code: "policy_denied", rule: undefined } as const;
		};
		await sender({ rejudge: { ...createRejudge(engine), rejudge: denied } })(message);
		engine.time.offsetMs -= 9_000;
		const { state, attempts } = await engine.read(message._id);
		assert.deepEqual([state, attempts[0]?.outcome, attempts[0]?.code], ["expired", "withheld", "deadline"]);
	});

	it("is not made when a hold came between its claim and its reading, and is left as it was but for the hold", async () => {
		const message = await queued();
		const hold = engine.ids.random("hold");
		let calls = 0;
		const carriers = carriersOf(async () => {
			calls++;
			return accepted;
		});
		const claim = async (job: { messageId: string; attempt: number; sendQueue: string }) => {
			const taken = await engine.store.messages.claim(job);
			await engine.store.messages.transition({
				id: job.messageId,
				push: { holds: { value: hold }, restrictedBy: { value: hold } },
			});
			return taken && engine.read(job.messageId);
		};
		await sender({ carriers, store: { ...engine.store, messages: { ...engine.store.messages, claim } } })(message);
		assert.equal(calls, 0);
		const held = await engine.read(message._id);
		assert.deepEqual([held.state, held.holds, held.attempts[0]?.outcome], ["queued", [hold], "withheld"]);
	});

	it("is not made to a country that its tenant has closed since", async () => {
		const tenantId = engine.ids.random("tenant");
		const about = { name: "T", establishment: "DE", sendQueues: ["queue"], retention: {}, createdAt: 1 };
		await engine.store.tenants.put({ _id: tenantId, ...about, destinations: ["DE"] });
		const message = await queued({ tenantId });
		const called: Outgoing[] = [];
		await sender({
			carriers: carriersOf(async (outgoing) => {
				called.push(outgoing);
				return accepted;
			}),
		})(message);
		const { state, attempts } = await engine.read(message._id);
		assert.deepEqual([state, attempts[0]?.code, called.length], ["rejected", "destination_not_allowed", 0]);
	});

	/** A store that can't be reached for so many calls that would record something, each of which lasts so long. */
	function createAwayStore(time: { nowMs: number }, callMs: number, calls: number) {
		const away = { left: 0 };
		const reached = () => {
			if (away.left === 0) return;
			away.left--;
			time.nowMs += callMs;
			throw new LetheError("store_unavailable");
		};
		const { claim, ...rest } = engine.store.messages;
		const messages: typeof engine.store.messages = {
			...rest,
			claim,
			find: async (id) => {
				reached();
				return rest.find(id);
			},
			transition: async (change) => {
				reached();
				return rest.transition(change);
			},
		};
		const carriers = carriersOf(async () => {
			away.left = calls;
			return accepted;
		});
		return { away, carriers, store: { ...engine.store, messages } };
	}

	it("is recorded however late the store comes back, as long as its message is open", async () => {
		const message = await queued(lasting());
		const { time, monotonic } = createMonotonic();
		const { away, ...store } = createAwayStore(time, 4 * limits.leaseMs, 4);
		await sender({ ...store, monotonic })(message);
		assert.equal(away.left, 0);
		assert.equal((await engine.read(message._id)).state, "submitted");
	});

	it("is recorded beside what was written meanwhile, though the store goes away before that can be read", async () => {
		const message = await queued(lasting());
		const { time, monotonic } = createMonotonic();
		const { away, store } = createAwayStore(time, 2 * limits.leaseMs, 3);
		const { transition } = store.messages;
		let lost = false;
		store.messages.transition = async (change) => {
			if (change.to !== "submitted" || lost) return transition(change);
			// The race is lost to an operator, and then nobody answers.
			lost = true;
			away.left = 3;
			return false;
		};
		await sender({ carriers: carriersOf(async () => accepted), store, monotonic })(message);
		assert.equal(away.left, 0);
		assert.equal((await engine.read(message._id)).state, "submitted");
	});

	it("is given up once its message is over, and after a lease where its process is to end", async () => {
		for (const isStopping of [false, true]) {
			const message = await queued(lasting());
			const { time, monotonic } = createMonotonic();
			const { carriers, store } = createAwayStore(time, isStopping ? limits.leaseMs + 1 : 1_200_001, 10);
			const send = sender({ carriers, store, monotonic, isStopping: () => isStopping });
			await assert.rejects(send(message), { code: "store_unavailable" });
			assert.ok(time.nowMs < 2 * 1_200_001);
			assert.equal((await engine.read(message._id)).state, "sending");
		}
	});

	it("lost before it was recorded, its receipt too early: the look-up finds it, the receipt ends it, nothing is sent again", async () => {
		const message = await queued();
		const calls = engine.carrier.calls.length;
		// The carrier took it; the sender dies before its answer is in the store.
		const dying = sender({
			store: {
				...engine.store,
				messages: {
					...engine.store.messages,
					transition: async (change) => (change.to === "submitted" ? false : engine.store.messages.transition(change)),
				},
			},
		});
		await assert.rejects(dying(message), { code: "store_unavailable" });
		const sending = await engine.read(message._id);
		assert.equal(sending.state, "sending");
		const carrierId = `c-${engine.carrier.calls.at(-1)?.reference}`;
		const receive = createReceive(engine);
		const event = { eventId: "early", carrierId, state: "delivered", at: engine.clock() } as const;
		assert.equal(await receive("queue", event, false), "parked");
		engine.time.offsetMs += limits.leaseMs + limits.carrierTimeoutMs + 1;
		await engine.activities.sweepPage();
		const ended = await engine.read(message._id);
		assert.equal(ended.state, "delivered");
		assert.equal(ended.receipts.length >= 1, true);
		assert.equal(ended.content, undefined);
		assert.equal(await engine.store.parkedReceipts.count(), 0);
		assert.equal(engine.carrier.calls.length, calls + 1);
	});

	it("whose receipt came before its answer and can't be read just then is ended by the receipt soon after", async () => {
		const message = await queued();
		const receive = createReceive(engine);
		const away = async (): Promise<void> => {
			throw new LetheError("keys_unavailable");
		};
		const early = { eventId: "early", carrierId: "c-early", state: "delivered", at: engine.clock() } as const;
		assert.equal(await receive("queue", early, false), "parked");
		const carriers = carriersOf(async () => ({ ...accepted, carrierId: "c-early" }));
		await sender({ carriers, unpark: away })(message);
		assert.equal((await engine.read(message._id)).state, "submitted");
		engine.time.offsetMs += 1;
		await engine.activities.sweepPage();
		assert.equal((await engine.read(message._id)).state, "delivered");
	});

	it("whose outcome nobody knows is asked for only once its own carrier would know of it", async () => {
		const message = await queued(lasting());
		const absentAfterMs = 90_000;
		const lookups: number[] = [];
		const capabilities = { ...engine.carrier.capabilities, lookup: { absentAfterMs, askAfterMs: 95_000 } };
		const slow = {
			...engine.carrier,
			capabilities,
			send: async () => ({ kind: "ambiguous", code: "timeout" }) as const,
			lookup: async (_reference: string, since: number) => {
				lookups.push(since);
				return { kind: "absent" } as const;
			},
		};
		const carriers = { sender: async () => slow };
		await sender({ carriers })(message);
		const resolve = createResolve({ ...engine, carriers, unpark: createUnpark(engine) });
		const sending = await engine.read(message._id);
		assert.equal(sending.nextCheckAt, (sending.attempts[0]?.endedAt ?? 0) + absentAfterMs);
		engine.time.offsetMs += absentAfterMs - 1_000;
		await resolve(sending);
		assert.deepEqual([lookups, (await engine.read(message._id)).state], [[], "sending"]);
		engine.time.offsetMs += 1_001;
		await resolve(await engine.read(message._id));
		// Absence proves nothing yet: the clock of whoever made the attempt may have been behind.
		assert.deepEqual([lookups.length, (await engine.read(message._id)).state], [1, "sending"]);
		engine.time.offsetMs += 2 * limits.clockSkewMs;
		await resolve(await engine.read(message._id));
		const { state, attempts } = await engine.read(message._id);
		assert.deepEqual(lookups, [attempts[0]?.startedAt, attempts[0]?.startedAt], "from the attempt's beginning on");
		assert.deepEqual([state, attempts[0]?.outcome], ["queued", "absent"]);
	});

	for (const category of ["transactional", "otp"] as const) {
		it(`of a sender whose clock is behind is its own while it is under way: ${category}`, async () => {
			const message = await queued({ category, subject: { version: 1, mac: `mac_behind_${category}` } });
			const calls = { begun: false, end: (): void => undefined };
			// As far as any two may be apart that send and sweep.
			engine.time.offsetMs -= 2 * limits.clockSkewMs;
			const sending = sender({
				carriers: carriersOf(async () => {
					calls.begun = true;
					await new Promise<void>((resolve) => {
						calls.end = resolve;
					});
					return accepted;
				}),
			})(message);
			await until(() => calls.begun);
			engine.time.offsetMs += 2 * limits.clockSkewMs;
			// By the sweep's clock the lease is over, and the carrier, which it asks, has not heard of the message yet.
			await engine.activities.sweepPage();
			assert.equal((await engine.read(message._id)).state, "sending");
			calls.end();
			await sending;
			const { state, attempts } = await engine.read(message._id);
			assert.deepEqual([state, attempts.length], ["submitted", 1]);
		});
	}

	it("of a code whose answer comes after the sweep gave it up has its carrier's id, and its receipt tells what became of it", async () => {
		const message = await queued({ ...lasting(), category: "otp" });
		const { lookup: _, ...carrier } = { ...engine.carrier };
		const deaf = { ...carrier, capabilities: { ...carrier.capabilities, lookup: false as const } };
		const receive = createReceive(engine);
		const resolve = createResolve({ ...engine, carriers: { sender: async () => deaf }, unpark: createUnpark(engine) });
		const send = async () => {
			engine.time.offsetMs += limits.leaseMs + limits.carrierTimeoutMs + 2 * limits.clockSkewMs + 1;
			await resolve(await engine.read(message._id));
			const { state, attempts } = await engine.read(message._id);
			assert.deepEqual([state, attempts[0]?.outcome], ["unknown", "ambiguous"]);
			const early = { eventId: "early", carrierId: "c-given-up", state: "delivered", at: engine.clock() } as const;
			assert.equal(await receive("queue", early, false), "parked");
			return { ...accepted, carrierId: "c-given-up" };
		};
		await sender({ carriers: { sender: async () => ({ ...deaf, send }) } })(message);
		const { state, attempts } = await engine.read(message._id);
		assert.deepEqual(
			[state, attempts.map(({ outcome, carrierId }) => [outcome, carrierId])],
			["delivered", [["accepted", "c-given-up"]]],
		);
		assert.equal(await engine.store.parkedReceipts.count(), 0);
	});

	it("of a dead sender that wakes up late changes nothing of the attempt that is made since", async () => {
		const message = await queued(lasting());
		const createGate = () => {
			let open: () => void = () => undefined;
			const opened = new Promise<void>((resolve) => {
				open = resolve;
			});
			return { open, opened };
		};
		const [late, next] = [createGate(), createGate()];
		const taken = { late: false, next: false };
		const lateSend = sender({
			carriers: carriersOf(async () => {
				taken.late = true;
				await late.opened;
				return { kind: "rejected", code: "invalid_recipient", permanent: true };
			}),
		})(message);
		await until(() => taken.late);
		// Its lease is over, the carrier knows nothing of the attempt, and the next one is under way.
		engine.time.offsetMs += limits.leaseMs + limits.carrierTimeoutMs + 2 * limits.clockSkewMs + 1;
		await engine.activities.sweepPage();
		const nextSend = sender({
			carriers: carriersOf(async () => {
				taken.next = true;
				await next.opened;
				return accepted;
			}),
		})(message, 2);
		await until(() => taken.next);
		late.open();
		await lateSend;
		assert.equal((await engine.read(message._id)).state, "sending");
		next.open();
		await nextSend;
		const ended = await engine.read(message._id);
		assert.equal(ended.state, "submitted");
		assert.deepEqual(
			ended.attempts.map(({ outcome }) => outcome),
			["absent", "accepted"],
		);
	});
});
