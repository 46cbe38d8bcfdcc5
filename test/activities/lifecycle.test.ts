// A message's life against real servers: each driver may die, repeat or race, and the message still ends right.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { ApplicationFailure, CompleteAsyncError } from "@temporalio/activity";
import mongoose from "mongoose";
import { createAdmit } from "../../activities/admit.ts";
import { createCertify } from "../../activities/certify.ts";
import { createDeliver } from "../../activities/deliver.ts";
import { createFinalise } from "../../activities/finalise.ts";
import { createPrepare } from "../../activities/prepare.ts";
import { referenceOf } from "../../activities/referenceOf.ts";
import { createRefund } from "../../activities/refund.ts";
import { createRejudge } from "../../activities/rejudge.ts";
import { applyEvent } from "../../activities/unpark.ts";
import type { SendOutcome } from "../../adapters/carriers/carrier.ts";
import { LetheError } from "../../domain/errors.ts";
import { isFinal } from "../../domain/lifecycle.ts";
import { limits } from "../../domain/limits.ts";
import type { Message } from "../../domain/message.ts";
import type { HoldRecord } from "../../domain/subject.ts";
import { abandon, cancel, claim, close, enqueue, type Transition } from "../../domain/transition.ts";
import { createEngine, type Engine, until } from "../harness/engine.ts";

const noControl = { holdBack: async () => undefined };

function helpers(engine: () => Engine) {
	const inState = (id: string, state: Message["state"]) =>
		until(async () => {
			const message = await engine().read(id);
			return message.state === state && message;
		});
	const receipt = async (id: string, state: "delivered" | "undelivered", eventId = "e1", stale = false) => {
		const message = await engine().read(id);
		const carrierId = message.attempts.findLast((attempt) => attempt.carrierId)?.carrierId as string;
		await applyEvent(
			engine(),
			{ messageId: id, sendQueue: message.sendQueue },
			{ eventId, carrierId, state, at: engine().clock() },
			stale,
		);
	};
	/** The run's end, long before its activity's timeout would bring it about. */
	const result = async (message: Message) => {
		const handle = engine().temporal.client.workflow.getHandle(message.submissionId);
		await until(async () => (await handle.describe()).status.name !== "RUNNING");
		await handle.result();
	};
	/** Lets time pass for Lethe's clock, and one sweep look at what is due then. */
	const sweepAfter = async (ms: number) => {
		engine().time.offsetMs += ms;
		await engine().activities.sweepPage();
	};
	/** A message claimed by a sender that died at once. */
	const claimed = async (shape: Parameters<Engine["accept"]>[0] = {}) => {
		const message = await engine().accept(shape);
		await engine().store.messages.transition(enqueue(message, engine().clock()));
		const token = engine().ids.random("claim");
		assert.ok(
			await engine().store.messages.transition(claim(message._id, 1, engine().clock(), token, message.sendQueue)),
		);
		return { message, token, reference: referenceOf(engine(), message._id, token) };
	};
	return { inState, receipt, result, sweepAfter, claimed };
}

describe("lifecycle, with a worker and a sender", () => {
	let engine: Engine;
	before(async () => {
		engine = await createEngine();
	});
	after(() => engine.close());
	const { inState, receipt, result, sweepAfter } = helpers(() => engine);

	for (const planned of [true, false]) {
		it(`a delivered message closes its ${planned ? "planned run" : "run"}, forgets at once and is certified, within the budget`, async () => {
			const message = await engine.accept();
			await engine.start(message, { planned });
			await inState(message._id, "submitted");
			await receipt(message._id, "delivered");
			await result(message);
			const ended = await engine.read(message._id);
			assert.equal(ended.state, "delivered");
			assert.equal(ended.content, undefined);
			assert.equal(ended.address, undefined);
			assert.ok(ended.retention.content?.verifiedAt);
			assert.equal(ended.certificates.length, 1);
			const description = await engine.temporal.client.workflow.getHandle(message.submissionId).describe();
			assert.ok(description.historyLength <= 14, `${description.historyLength} events`);
			assert.ok((description.historySize ?? 0) <= 3_072, `${description.historySize} bytes`);
			assert.deepEqual(description.searchAttributes.MessageState, ["delivered"]);
		});
	}

	it("a submission of many costs at most 0.3 events a message and ends with the last of them", async () => {
		const size = 60;
		const submissionId = engine.ids.random("submission");
		const tenantId = engine.ids.random("tenant");
		const shape = { submissionId, tenantId, submissionSize: size };
		const messages = await Promise.all(Array.from({ length: size }, () => engine.accept(shape)));
		await engine.start(messages[0] as Message);
		await Promise.all(messages.map((message) => inState(message._id, "submitted")));
		await Promise.all(messages.map((message, index) => receipt(message._id, index % 3 ? "delivered" : "undelivered")));
		await result(messages[0] as Message);
		const handle = engine.temporal.client.workflow.getHandle(submissionId);
		const told = await handle.query<{ definition: { type: string } }>("__temporal_workflow_metadata");
		assert.equal(told.definition.type, "lifecycle", "the UI is told of it");
		const description = await handle.describe();
		assert.ok(description.historyLength <= 0.3 * size, `${description.historyLength} events`);
		for (const { _id } of messages) assert.ok(isFinal((await engine.read(_id)).state));
	});

	it("messages that share a run each meet a fate of their own, and it ends with the last of them", async () => {
		const shape = { submissionId: engine.ids.random("submission"), tenantId: engine.ids.random("tenant") };
		// Nobody works that queue: what is on it can be cancelled.
		const places = [{}, {}, { sendQueue: "idle" }, { sendQueue: "idle" }];
		const accepting = places.map((place) => engine.accept({ ...shape, ...place, sharesRun: true }));
		const [delivered, undelivered, cancelled, last] = (await Promise.all(accepting)) as [
			Message,
			Message,
			Message,
			Message,
		];
		await engine.start(delivered);
		for (const { _id } of [delivered, undelivered]) await inState(_id, "submitted");
		for (const { _id } of [cancelled, last]) await inState(_id, "queued");
		const end = async (message: Message) => {
			const by = engine.ids.random("apiKey");
			const queued = await engine.read(message._id);
			assert.ok(await engine.store.messages.transition(cancel(queued, engine.clock(), by)));
			await engine.runs.settle(queued);
		};
		const { client } = engine.temporal;
		await receipt(delivered._id, "delivered");
		await receipt(undelivered._id, "undelivered");
		await end(cancelled);
		assert.equal((await client.workflow.getHandle(shape.submissionId).describe()).raw.pendingActivities?.length, 1);
		await end(last);
		await result(delivered);
		const ended = await Promise.all([delivered, undelivered, cancelled, last].map(({ _id }) => engine.read(_id)));
		const fates = ended.map(({ state, content, certificates }) => [state, content, certificates.length]);
		const states = ["delivered", "undelivered", "cancelled", "cancelled"];
		assert.deepEqual(
			fates,
			states.map((state) => [state, undefined, 1]),
		);
		assert.ok((await client.workflow.getHandle(shape.submissionId).describe()).historyLength <= 14);
	});

	it("one that is cancelled while it is deferred leaves those that share its run to theirs", async () => {
		const now = Date.now();
		engine.time.offsetMs = 0;
		const times = {
			deadlineAt: now + 60_000,
			closeAt: now + 90_000,
			releaseAt: now + 1_500,
			state: "deferred",
		} as const;
		const shape = { ...times, submissionId: engine.ids.random("submission"), tenantId: engine.ids.random("tenant") };
		const accepting = [1, 2].map(() => engine.accept({ ...shape, sharesRun: true }));
		const [cancelled, kept] = (await Promise.all(accepting)) as [Message, Message];
		await engine.start(cancelled);
		assert.ok(await engine.store.messages.transition(cancel(cancelled, engine.clock(), engine.ids.random("apiKey"))));
		await engine.runs.settle(cancelled);
		await inState(kept._id, "submitted");
		await receipt(kept._id, "delivered");
		await result(kept);
		assert.equal((await engine.read(cancelled._id)).state, "cancelled");
	});

	it("a run that was shared and never started is started once, by whichever of two sweeps, and each message is sent once", async () => {
		const shape = { submissionId: engine.ids.random("submission"), tenantId: engine.ids.random("tenant") };
		const messages = await Promise.all(Array.from({ length: 20 }, () => engine.accept({ ...shape, sharesRun: true })));
		const calls = engine.carrier.calls.length;
		engine.time.offsetMs += limits.driverPatienceMs + 1;
		await Promise.all([engine.activities.sweepPage(), engine.activities.sweepPage()]);
		await Promise.all(messages.map(({ _id }) => inState(_id, "submitted")));
		await Promise.all(messages.map(({ _id }) => receipt(_id, "delivered")));
		await result(messages[0] as Message);
		assert.equal(engine.carrier.calls.length - calls, messages.length);
		for (const { _id } of messages) assert.equal((await engine.read(_id)).certificates.length, 1);
	});

	it("a run that an operator cancels ends what is unsent as cancelled and what is sent as unknown", async () => {
		const message = await engine.accept();
		await engine.start(message);
		await inState(message._id, "submitted");
		await engine.temporal.client.workflow.getHandle(message.submissionId).cancel();
		await result(message);
		assert.equal((await engine.read(message._id)).state, "unknown");
		// The carrier's truth still comes through.
		await receipt(message._id, "delivered");
		assert.equal((await engine.read(message._id)).state, "delivered");
	});

	it("a run that an operator terminates is ended by the sweep", async () => {
		const message = await engine.accept();
		await engine.start(message);
		await inState(message._id, "submitted");
		await engine.temporal.client.workflow.getHandle(message.submissionId).terminate();
		await sweepAfter(121_000);
		const ended = await inState(message._id, "unknown");
		await engine.activities.sweepPage();
		await sweepAfter(limits.driverPatienceMs + 1);
		assert.equal((await engine.read(ended._id)).certificates.length, 1);
	});

	it("a completion that was lost is asked for again", async () => {
		const message = await engine.accept();
		await engine.start(message);
		const { attempts } = await inState(message._id, "submitted");
		// The message ends and whoever ended it dies before it tells Temporal.
		const event = { eventId: "e", carrierId: attempts[0]?.carrierId as string, state: "delivered", at: 1 } as const;
		const silent = { ...engine, runs: { ...engine.runs, settleSoon: () => undefined } };
		await applyEvent(silent, { messageId: message._id, sendQueue: message.sendQueue }, event, false);
		await sweepAfter(limits.driverPatienceMs + 1);
		await result(message);
		assert.equal((await engine.read(message._id)).certificates.length, 1);
	});

	it("a deferred message sleeps until its release and is checked again before it is sent", async () => {
		const now = Date.now();
		const releaseAt = now + 1_500;
		const shape = { deadlineAt: now + 60_000, closeAt: now + 90_000, releaseAt, state: "deferred" } as const;
		engine.time.offsetMs = 0;
		const message = await engine.accept(shape);
		await engine.start(message);
		const sent = await inState(message._id, "submitted");
		assert.ok((sent.attempts[0]?.startedAt ?? 0) >= releaseAt);
		await receipt(message._id, "delivered");
		await result(message);
	});

	it("a deferred message that is cancelled ends its run at once, certified, though its release is far off", async () => {
		const now = Date.now();
		const shape = { deadlineAt: now + 7_200_000, closeAt: now + 7_300_000, releaseAt: now + 3_600_000 } as const;
		const message = await engine.accept({ ...shape, state: "deferred" });
		await engine.start(message);
		const { client } = engine.temporal;
		await until(async () => (await client.workflow.getHandle(message.submissionId).describe()).historyLength >= 5);
		const by = engine.ids.random("apiKey");
		assert.ok(await engine.store.messages.transition(cancel(await engine.read(message._id), engine.clock(), by)));
		engine.runs.settleSoon(message);
		await result(message);
		const ended = await engine.read(message._id);
		assert.deepEqual([ended.state, ended.content, ended.certificates.length], ["cancelled", undefined, 1]);
	});

	it("a release that comes later by this machine's clock than by Temporal's is waited for, not asked for again and again", async () => {
		const behindMs = 4_000;
		engine.time.offsetMs = -behindMs;
		const now = engine.clock();
		const releaseAt = now + behindMs + 500;
		const message = await engine.accept({
			deadlineAt: now + 60_000,
			closeAt: now + 90_000,
			releaseAt,
			state: "deferred",
		});
		await engine.start(message);
		await inState(message._id, "submitted");
		await receipt(message._id, "delivered");
		await result(message);
		engine.time.offsetMs = 0;
		const description = await engine.temporal.client.workflow.getHandle(message.submissionId).describe();
		// About ten events a wait of a second or more.
		assert.ok(description.historyLength <= 14 + 10 * (behindMs / 1_000 + 1), `${description.historyLength} events`);
	});
});

describe("lifecycle, with a worker that dies between taking a delivery and enqueuing", () => {
	let engine: Engine;
	before(async () => {
		engine = await createEngine({
			// What such a death leaves behind: an activity that is started, and nothing on the queue.
			replace: () => ({
				deliver: async () => {
					throw new CompleteAsyncError();
				},
			}),
		});
	});
	after(() => engine.close());
	const { inState, receipt, result, sweepAfter } = helpers(() => engine);

	it("the sweep enqueues, and the run ends with the receipt", async () => {
		const message = await engine.accept();
		await engine.start(message);
		await until(async () => {
			const description = await engine.temporal.client.workflow.getHandle(message.submissionId).describe();
			return description.raw.pendingActivities?.length === 1;
		});
		await sweepAfter(limits.driverPatienceMs + 1);
		await inState(message._id, "submitted");
		await receipt(message._id, "delivered");
		await result(message);
		assert.equal(engine.carrier.calls.length, 1);
	});
});

describe("lifecycle, of several messages", () => {
	let engine: Engine;
	before(async () => {
		engine = await createEngine();
	});
	after(() => engine.close());
	const { inState, receipt, result } = helpers(() => engine);

	it("shows how many are in which state while some are open, and adds no event by that", async () => {
		const shape = { submissionId: engine.ids.random("submission"), tenantId: engine.ids.random("tenant") };
		const messages = [];
		for (let index = 0; index < 3; index++) messages.push(await engine.accept({ ...shape, submissionSize: 3 }));
		const [first, ...others] = messages as [Message, Message, Message];
		await engine.start(first, { planned: true });
		for (const { _id } of messages) await inState(_id, "submitted");
		await receipt(first._id, "delivered");
		const handle = engine.temporal.client.workflow.getHandle(shape.submissionId);
		const told = await until(async () => {
			const [pending] = (await handle.describe()).raw.pendingActivities ?? [];
			return pending?.heartbeatDetails?.payloads?.[0];
		});
		assert.deepEqual(JSON.parse(Buffer.from(told.data ?? []).toString()), { counts: { delivered: 1, submitted: 2 } });
		for (const { _id } of others) await receipt(_id, "delivered");
		await result(first);
		assert.ok(((await handle.fetchHistory()).events ?? []).length <= 14);
	});
});

describe("lifecycle, with a group that can't be delivered", () => {
	let engine: Engine;
	before(async () => {
		engine = await createEngine({
			replace: ({ deliver }) => ({
				deliver: async (submissionId, group) => {
					if (group === 0) throw ApplicationFailure.nonRetryable("poor", "poor");
					return deliver(submissionId, group);
				},
			}),
		});
	});
	after(() => engine.close());
	const { inState, receipt, result } = helpers(() => engine);

	it("the others are attended to until they are final, and then the run tells what is left", async () => {
		const shape = { submissionId: engine.ids.random("submission"), tenantId: engine.ids.random("tenant") };
		const poor = await engine.accept({ ...shape, submissionSize: 2, group: 0 });
		const well = await engine.accept({ ...shape, submissionSize: 2, group: 1 });
		await engine.start(poor);
		await inState(well._id, "submitted");
		const handle = engine.temporal.client.workflow.getHandle(shape.submissionId);
		await until(async () =>
			(await handle.fetchHistory()).events?.some((event) => event.activityTaskFailedEventAttributes),
		);
		// A turn more of the workflow: what came of the failure is decided by then.
		await until(async () => (await handle.describe()).raw.pendingWorkflowTask == null);
		assert.equal((await handle.describe()).status.name, "RUNNING");
		await receipt(well._id, "delivered");
		await result(poor);
		assert.equal((await engine.read(well._id)).certificates.length, 1);
		assert.equal((await engine.read(poor._id)).state, "accepted", "and is left to the sweep");
	});
});

describe("lifecycle, driven step by step", () => {
	let engine: Engine;
	before(async () => {
		engine = await createEngine({ worker: false, sender: false });
	});
	after(() => engine.close());
	const { receipt, sweepAfter, claimed } = helpers(() => engine);
	const lasting = () => ({ deadlineAt: engine.clock() + 600_000, closeAt: engine.clock() + 1_200_000 });
	const callsFor = (reference: string) => engine.carrier.calls.filter((call) => call.reference === reference).length;

	it("a sender that died before the socket write: absence is shown, the message is sent once", async () => {
		const { message, reference } = await claimed(lasting());
		await sweepAfter(limits.leaseMs + limits.carrierTimeoutMs + 2 * limits.clockSkewMs + 1);
		const released = await engine.read(message._id);
		assert.equal(released.state, "queued");
		assert.equal(released.attempts[0]?.outcome, "absent");
		await engine.send({ messageId: message._id, attempt: 2, sendQueue: "queue" }, noControl);
		assert.equal((await engine.read(message._id)).state, "submitted");
		assert.equal(callsFor(reference), 0);
	});

	it("a sender that died after the socket write: the look-up finds it, and nothing is sent again", async () => {
		const { message, reference } = await claimed();
		engine.carrier.known.set(reference, "c-found");
		const before = engine.carrier.calls.length;
		await sweepAfter(limits.leaseMs + limits.carrierTimeoutMs + 1);
		const found = await engine.read(message._id);
		assert.equal(found.state, "submitted");
		assert.equal(found.attempts[0]?.carrierId, "c-found");
		assert.equal(engine.carrier.calls.length, before);
	});

	it("an attempt whose lease lasts is its sender's, whatever has the sweep look at the message: a released hold, say", async () => {
		for (const category of ["transactional", "otp"] as const) {
			const { message, token } = await claimed({ category, subject: { version: 1, mac: `mac_${category}` } });
			const now = engine.clock();
			const record: HoldRecord = {
				_id: engine.ids.random("hold"),
				kind: "hold",
				scope: "subject",
				ground: "litigation",
				tenantId: message.tenantId,
				subjects: [message.subject.mac],
				at: now,
				recordedAt: now,
				recordedBy: "key_a",
			};
			await engine.store.subjectMessages.release(record, now);
			await sweepAfter(1);
			const sending = await engine.read(message._id);
			assert.deepEqual([sending.state, sending.attempts.at(-1)?.claim], ["sending", token], category);
			assert.equal(sending.nextCheckAt, (sending.attempts[0]?.leaseUntil ?? 0) + limits.carrierTimeoutMs);
		}
	});

	it("a one-time code whose outcome nobody knows goes on when its carrier has it", async () => {
		const { message, reference } = await claimed({ category: "otp" });
		engine.carrier.known.set(reference, "c-code");
		const calls = engine.carrier.calls.length;
		await sweepAfter(limits.leaseMs + limits.carrierTimeoutMs + 1);
		const found = await engine.read(message._id);
		assert.deepEqual([found.state, found.attempts[0]?.carrierId], ["submitted", "c-code"]);
		assert.equal(engine.carrier.calls.length, calls);
	});

	it("a one-time code that its carrier surely has not is sent again, and expires when its time is over", async () => {
		const ambiguous = async () => ({ kind: "ambiguous", code: "timeout" }) as const;
		for (const [validForMs, state] of [
			[300_000, "queued"],
			[limits.carrierTimeoutMs + 2 * limits.clockSkewMs, "expired"],
		] as const) {
			const deadlineAt = engine.clock() + validForMs;
			const message = await engine.accept({ category: "otp", deadlineAt, closeAt: deadlineAt + 120_000 });
			await engine.store.messages.transition(enqueue(message, engine.clock()));
			engine.carrier.script.next = ambiguous;
			await engine.send({ messageId: message._id, attempt: 1, sendQueue: "queue" }, noControl);
			engine.carrier.script.next = undefined as never;
			assert.equal((await engine.read(message._id)).state, "sending");
			await sweepAfter(limits.carrierTimeoutMs + 1);
			assert.equal((await engine.read(message._id)).state, "sending", "the clock of its sender may be behind");
			await sweepAfter(2 * limits.clockSkewMs);
			await sweepAfter(1);
			await sweepAfter(limits.driverPatienceMs);
			const { state: ended, attempts } = await engine.read(message._id);
			assert.deepEqual([ended, attempts.length, attempts[0]?.outcome], [state, 1, "absent"]);
		}
	});

	it("a one-time code of which its carrier can't tell is never sent again, and ends in doubt soon", async () => {
		const { message } = await claimed({ category: "otp" });
		const { lookup, capabilities } = engine.carrier;
		engine.carrier.lookup = async () => ({ kind: "unavailable" });
		await sweepAfter(limits.leaseMs + limits.carrierTimeoutMs + 1);
		assert.equal((await engine.read(message._id)).state, "sending");
		await sweepAfter(2 * limits.clockSkewMs);
		const { state, attempts } = await engine.read(message._id);
		assert.deepEqual([state, attempts[0]?.code], ["unknown", "lease_expired"]);
		// One that can't be asked at all.
		const other = await engine.accept({ category: "otp" });
		await engine.store.messages.transition(enqueue(other, engine.clock()));
		engine.carrier.capabilities = { ...capabilities, lookup: false };
		engine.carrier.script.next = async () => ({ kind: "ambiguous", code: "timeout" });
		await engine.send({ messageId: other._id, attempt: 1, sendQueue: "queue" }, noControl);
		engine.carrier.script.next = undefined as never;
		Object.assign(engine.carrier, { lookup, capabilities });
		assert.equal((await engine.read(other._id)).state, "unknown");
		const calls = engine.carrier.calls.length;
		await engine.send({ messageId: other._id, attempt: 2, sendQueue: "queue" }, noControl);
		assert.equal(engine.carrier.calls.length, calls);
	});

	it("a message that can't be judged keeps no other of its submission from being planned, queued, ended and certified", async () => {
		const shape = { submissionId: engine.ids.random("submission"), tenantId: engine.ids.random("tenant") };
		const subject = (name: string) => ({ version: 1, mac: `mac_${name}_${shape.submissionId}` });
		const poor = await engine.accept({ ...shape, subject: subject("poor") });
		const well = await engine.accept({ ...shape, subject: subject("well") });
		const away = async () => {
			throw new LetheError("store_unavailable");
		};
		const { messages } = engine.store;
		// Slower than what fails: nothing of it may be under way when the failure is told.
		const find = async (id: string) => {
			await new Promise((resolve) => setTimeout(resolve, 100));
			return messages.find(id);
		};
		const know = (message: Message) => (message._id === poor._id ? away() : createRejudge(engine).know(message));
		const rejudge = { ...createRejudge(engine), know };
		engine.time.offsetMs += limits.standingFreshMs + 1;
		const prepare = createPrepare({ ...engine, rejudge });
		const [group] = (await prepare.prepare(shape.submissionId)).groups;
		assert.equal(group?.count, 2);
		const slow = { prepareMessage: (one: Message) => find(one._id).then(() => prepare.prepareMessage(one)) };
		const deliver = createDeliver({
			...engine,
			admit: createAdmit(engine),
			prepare: { prepareMessage: (one) => (one._id === poor._id ? prepare : slow).prepareMessage(one) },
			tenancy: { isSuspended: async () => false },
		});
		await assert.rejects(deliver.deliver(shape.submissionId, 0), { code: "store_unavailable" });
		assert.equal((await engine.read(well._id)).state, "queued");
		const transition: typeof messages.transition = (change) =>
			change.id === poor._id && change.to ? away() : messages.transition(change);
		const store = { ...engine.store, messages: { ...messages, transition } };
		const finalise = createFinalise({ ...engine, store, certify: createCertify(engine), refund: createRefund(engine) });
		await assert.rejects(finalise(shape.submissionId, true), { code: "store_unavailable" });
		const ended = await engine.read(well._id);
		assert.deepEqual([ended.state, ended.certificates.length], ["cancelled", 1]);
		assert.equal((await engine.activities.finalise(shape.submissionId, true)).openCount, 0, "repeated, it ends both");
	});

	it("two senders with the same job make one attempt", async () => {
		for (let round = 0; round < 10; round++) {
			const message = await engine.accept();
			await engine.store.messages.transition(enqueue(message, engine.clock()));
			const calls = engine.carrier.calls.length;
			const job = { messageId: message._id, attempt: 1, sendQueue: "queue" };
			await Promise.all([engine.send(job, noControl), engine.send(job, noControl), engine.send(job, noControl)]);
			assert.equal(engine.carrier.calls.length, calls + 1);
			assert.equal((await engine.read(message._id)).attempts.length, 1);
		}
	});

	it("a cancel and a claim: one of them wins, and a cancelled message is never sent", async () => {
		for (let round = 0; round < 20; round++) {
			const message = await engine.accept();
			await engine.store.messages.transition(enqueue(message, engine.clock()));
			const queued = await engine.read(message._id);
			const calls = engine.carrier.calls.length;
			const [cancelled] = await Promise.all([
				engine.store.messages.transition(cancel(queued, engine.clock())),
				engine.send({ messageId: message._id, attempt: 1, sendQueue: "queue" }, noControl),
			]);
			const ended = await engine.read(message._id);
			assert.equal(ended.state, cancelled ? "cancelled" : "submitted");
			assert.equal(engine.carrier.calls.length, cancelled ? calls : calls + 1);
			assert.equal(ended.content === undefined, cancelled);
		}
	});

	/** A message that its carrier has taken: on a machine that is busy, an attempt may give up before it is made. */
	async function acceptSubmitted(): Promise<Message> {
		return until(async () => {
			const message = await engine.accept();
			await engine.store.messages.transition(enqueue(message, engine.clock()));
			await engine.send({ messageId: message._id, attempt: 1, sendQueue: "queue" }, noControl);
			const sent = await engine.read(message._id);
			return sent.state === "submitted" && sent;
		});
	}

	it("a receipt racing the close: the carrier's truth stands, whoever was first", async () => {
		for (let round = 0; round < 20; round++) {
			const sent = await acceptSubmitted();
			const over = close(sent, sent.closeAt);
			assert.ok(over);
			await Promise.all([engine.store.messages.transition(over), receipt(sent._id, "delivered", `e${round}`)]);
			const ended = await engine.read(sent._id);
			assert.equal(ended.state, "delivered");
			assert.equal(ended.content, undefined);
		}
	});

	it("a receipt racing a cancel: a caller's comes too late, an operator's gives way to the carrier's truth", async () => {
		for (let round = 0; round < 20; round++) {
			const sent = await acceptSubmitted();
			const [cancelled] = await Promise.all([
				engine.store.messages.transition(cancel(sent, engine.clock())),
				engine.activities.finalise(sent.submissionId, true),
				receipt(sent._id, "delivered", `c${round}`),
			]);
			assert.equal(cancelled, false);
			const ended = await engine.read(sent._id);
			assert.equal(ended.state, "delivered");
			assert.equal(ended.content, undefined);
			assert.equal(ended.receipts.length, 1);
		}
	});

	it("a wrapped key is in one document only while its message lives, and in none once it ended", async () => {
		const message = await engine.accept();
		const needles = [message.content, message.address].flatMap((sealed) =>
			[sealed?.wrappedKey, sealed?.ciphertext].map((bytes) => Buffer.from(bytes as Uint8Array).toString("latin1")),
		);
		const holders = async () => {
			const found: string[] = [];
			const client = new mongoose.mongo.MongoClient(process.env.MONGODB_URL as string);
			try {
				for (const { name } of await client.db(engine.name).listCollections().toArray()) {
					for await (const document of client.db(engine.name).collection(name).find({})) {
						const bytes = Buffer.from(mongoose.mongo.BSON.serialize(document)).toString("latin1");
						for (const needle of needles) if (bytes.includes(needle)) found.push(`${name}/${document._id}`);
					}
				}
			} finally {
				await client.close();
			}
			return found;
		};
		assert.deepEqual(await holders(), Array(4).fill(`messages/${message._id}`));
		await engine.store.messages.transition(enqueue(message, engine.clock()));
		await engine.send({ messageId: message._id, attempt: 1, sendQueue: "queue" }, noControl);
		assert.deepEqual(await holders(), Array(4).fill(`messages/${message._id}`));
		await receipt(message._id, "delivered");
		assert.deepEqual(await holders(), []);
	});

	it("the same receipt twenty times at once counts once", async () => {
		const message = await engine.accept();
		await engine.store.messages.transition(enqueue(message, engine.clock()));
		await engine.send({ messageId: message._id, attempt: 1, sendQueue: "queue" }, noControl);
		await Promise.all(Array.from({ length: 20 }, () => receipt(message._id, "delivered", "same")));
		assert.equal((await engine.read(message._id)).receipts.length, 1);
	});

	it("Redis emptied: the sweep puts every waiting attempt back, and each is sent once", async () => {
		const message = await engine.accept();
		await engine.store.messages.transition(enqueue(message, engine.clock()));
		await sweepAfter(limits.driverPatienceMs + 1);
		const waiting = async () => (await engine.sendQueues.counts("queue")).prioritized ?? 0;
		assert.ok((await waiting()) >= 1);
		await engine.emptyRedis();
		assert.equal(await waiting(), 0);
		await sweepAfter(limits.driverPatienceMs + 1);
		assert.ok((await waiting()) >= 1);
		const calls = engine.carrier.calls.length;
		const job = { messageId: message._id, attempt: 1, sendQueue: "queue" };
		await engine.send(job, noControl);
		await engine.send(job, noControl);
		assert.equal(engine.carrier.calls.length, calls + 1);
	});

	it("nothing is sent past its deadline, and a hold stops a send", async () => {
		const late = await engine.accept({ deadlineAt: engine.clock() + 50, closeAt: engine.clock() + 100 });
		await engine.store.messages.transition(enqueue(late, engine.clock()));
		engine.time.offsetMs += 60;
		const held = await engine.accept({ holds: ["hold_a"], restrictedBy: ["hold_a"] });
		await engine.store.messages.transition(enqueue(held, engine.clock()));
		const calls = engine.carrier.calls.length;
		await engine.send({ messageId: late._id, attempt: 1, sendQueue: "queue" }, noControl);
		await engine.send({ messageId: held._id, attempt: 1, sendQueue: "queue" }, noControl);
		assert.equal(engine.carrier.calls.length, calls);
		assert.equal((await engine.read(late._id)).state, "expired");
		assert.equal((await engine.read(held._id)).state, "queued");
	});

	it("transient failures come back with backoff, permanent ones end the message, throttling holds the queue back", async () => {
		const outcomes: SendOutcome[] = [
			{ kind: "rejected", code: "unavailable", permanent: false },
			{ kind: "throttled", retryAfterMs: 3_000 },
			{ kind: "rejected", code: "invalid_recipient", permanent: true },
		];
		engine.carrier.script.next = async () => outcomes.shift() as SendOutcome;
		const message = await engine.accept();
		await engine.store.messages.transition(enqueue(message, engine.clock()));
		const held: number[] = [];
		const control = { holdBack: async (ms: number) => void held.push(ms) };
		await engine.send({ messageId: message._id, attempt: 1, sendQueue: "queue" }, control);
		const failed = await engine.read(message._id);
		assert.equal(failed.state, "queued");
		assert.ok((failed.notBefore ?? 0) > engine.clock());
		await engine.send({ messageId: message._id, attempt: 2, sendQueue: "queue" }, control);
		assert.deepEqual(held, [3_000]);
		await engine.send({ messageId: message._id, attempt: 3, sendQueue: "queue" }, control);
		engine.carrier.script.next = undefined as never;
		const rejected = await engine.read(message._id);
		assert.equal(rejected.state, "rejected");
		assert.equal(rejected.content, undefined);
		assert.deepEqual(
			rejected.attempts.map((attempt) => attempt.outcome),
			["failed", "throttled", "rejected"],
		);
	});

	it("what a carrier refused is over, though a hold came while it was asked; what the hold keeps is kept", async () => {
		const message = await engine.accept();
		await engine.store.messages.transition(enqueue(message, engine.clock()));
		engine.carrier.script.next = async () => {
			await engine.store.messages.transition({ id: message._id, push: { holds: { value: "hld_a" } } });
			return { kind: "rejected", code: "invalid_recipient", permanent: true };
		};
		await engine.send({ messageId: message._id, attempt: 1, sendQueue: "queue" }, noControl);
		engine.carrier.script.next = undefined as never;
		const ended = await engine.read(message._id);
		assert.deepEqual([ended.state, ended.attempts[0]?.outcome], ["rejected", "rejected"]);
		assert.ok(ended.content, "it is held");
	});

	it("what a carrier took is known by its id, though the run was ended meanwhile: its receipt tells the truth", async () => {
		const message = await engine.accept();
		await engine.store.messages.transition(enqueue(message, engine.clock()));
		engine.carrier.script.next = async () => {
			const current = await engine.read(message._id);
			assert.ok(await engine.store.messages.transition(abandon(current, engine.clock()) as Transition));
			return { kind: "accepted", carrierId: `c-${message._id}`, segments: 1 };
		};
		await engine.send({ messageId: message._id, attempt: 1, sendQueue: "queue" }, noControl);
		engine.carrier.script.next = undefined as never;
		const ended = await engine.read(message._id);
		assert.deepEqual([ended.state, ended.attempts[0]?.carrierId], ["unknown", `c-${message._id}`]);
		await receipt(message._id, "delivered");
		assert.equal((await engine.read(message._id)).state, "delivered");
	});

	it("a carrier that goes on throttling is asked less and less often", async () => {
		const message = await engine.accept(lasting());
		await engine.store.messages.transition(enqueue(message, engine.clock()));
		engine.carrier.script.next = async () => ({ kind: "throttled", retryAfterMs: 1_000 });
		const waits: number[] = [];
		for (let attempt = 1; attempt <= 5; attempt++) {
			const at = engine.clock();
			await engine.send({ messageId: message._id, attempt, sendQueue: "queue" }, noControl);
			waits.push(Math.round(((await engine.read(message._id)).notBefore as number) - at) / 1_000);
		}
		engine.carrier.script.next = undefined as never;
		assert.deepEqual(waits.map(Math.floor), [1, 1, 2, 4, 8]);
	});

	it("a key server that is away while a message is sent puts it back, surely unsent", async () => {
		const message = await engine.accept();
		await engine.store.messages.transition(enqueue(message, engine.clock()));
		const calls = engine.carrier.calls.length;
		engine.encryption.forgetCohort(message.content?.cohortId as string);
		engine.memory.away.value = true;
		await engine.send({ messageId: message._id, attempt: 1, sendQueue: "queue" }, noControl);
		engine.memory.away.value = false;
		const back = await engine.read(message._id);
		assert.equal(back.state, "queued");
		assert.equal(back.attempts[0]?.code, "keys_unavailable");
		assert.equal(engine.carrier.calls.length, calls);
		await engine.send({ messageId: message._id, attempt: 2, sendQueue: "queue" }, noControl);
		assert.equal((await engine.read(message._id)).state, "submitted");
	});

	it("a stale receipt moves nothing, and the carrier is asked", async () => {
		const message = await engine.accept();
		await engine.store.messages.transition(enqueue(message, engine.clock()));
		await engine.send({ messageId: message._id, attempt: 1, sendQueue: "queue" }, noControl);
		await receipt(message._id, "delivered", "old", true);
		const unmoved = await engine.read(message._id);
		assert.equal(unmoved.state, "submitted");
		assert.ok((unmoved.nextCheckAt ?? 0) <= engine.clock());
		await engine.activities.sweepPage();
		const asked = await engine.read(message._id);
		assert.deepEqual(
			asked.receipts.map(({ effect }) => effect),
			["stale", "noted"],
		);
	});

	it("a receipt that is lost is asked for long before the close, each time as late again, and what the carrier tells counts", async () => {
		const hour = 3600_000;
		const message = await engine.accept({ deadlineAt: engine.clock() + hour, closeAt: engine.clock() + 2 * hour });
		await engine.store.messages.transition(enqueue(message, engine.clock()));
		await engine.send({ messageId: message._id, attempt: 1, sendQueue: "queue" }, noControl);
		const { lookup } = engine.carrier;
		const [attempt] = (await engine.read(message._id)).attempts;
		const own = referenceOf(engine, message._id, attempt?.claim ?? "");
		const asked: number[] = [];
		const told = { state: "pending" as "pending" | "delivered" };
		engine.carrier.lookup = async (reference, since, signal) => {
			if (reference === own) asked.push(engine.clock());
			const found = await lookup?.(reference, since, signal);
			return found?.kind === "found" ? { ...found, state: told.state } : { kind: "unavailable" };
		};
		await sweepAfter(limits.receiptPatienceMs + 1);
		const { nextCheckAt = 0 } = await engine.read(message._id);
		assert.ok(nextCheckAt - engine.clock() > limits.receiptPatienceMs / 2);
		await sweepAfter(limits.receiptPatienceMs / 3);
		assert.equal(asked.length, 1, "not before its time");
		told.state = "delivered";
		await sweepAfter(nextCheckAt - engine.clock() + 1);
		assert.equal(asked.length, 2);
		assert.equal((await engine.read(message._id)).state, "delivered");
		if (lookup) engine.carrier.lookup = lookup;
	});
});
