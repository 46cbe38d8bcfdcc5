// Judged once more before a carrier is called: what was recorded since acceptance stops the message, nothing makes it milder.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { Facts } from "../../domain/decision.ts";
import { limits } from "../../domain/limits.ts";
import type { Message } from "../../domain/message.ts";
import type { ConsentRecord, OptOutRecord } from "../../domain/subject.ts";
import { enqueue } from "../../domain/transition.ts";
import { openPolicies } from "../../policies/index.ts";
import { createEngine, type Engine } from "../harness/engine.ts";
import { placeHold, recordFields } from "../harness/records.ts";

const noControl = { holdBack: async () => undefined };
const dayMs = 24 * 3600_000;
const noon = Date.parse("2026-11-25T17:00:00Z");
const facts = (more: Facts = {}): Facts => ({
	recipientCountry: "US",
	recipientRegion: "US-FL",
	timezone: "America/New_York",
	category: "transactional",
	dataClasses: ["contact"],
	context: { event: "send", evaluatedAt: "2026-11-25T17:00:00Z" },
	...more,
});
const consent = {
	type: "express_written" as const,
	obtainedAt: "2026-06-01T10:00:00Z",
	purposes: ["marketing"],
	evidence: true,
};

describe("a message that is judged once more", () => {
	let engine: Engine;
	let count = 0;
	before(async () => {
		engine = await createEngine({ worker: false, sender: false, policies: openPolicies() });
		engine.time.offsetMs = noon - Date.now();
	});
	after(() => engine.close());

	/** A message as the API would have accepted it, to a recipient of its own unless told. */
	async function accepted(more: { mac?: string; facts?: Facts; shape?: Parameters<Engine["accept"]>[0] } = {}) {
		const stated = more.facts ?? facts();
		const shape = { ...more.shape, category: stated.category as Message["category"] };
		return engine.accept({ ...shape, facts: stated, subject: { version: 1, mac: more.mac ?? `mac_${++count}` } });
	}
	const queue = (message: Message) => engine.store.messages.transition(enqueue(message, engine.clock()));
	const send = (message: Message, attempt = 1) =>
		engine.send({ messageId: message._id, attempt, sendQueue: "queue" }, noControl);
	const common = (message: Message) => recordFields(engine, message, ["mac_of_a_newer_version"]);
	const optOut = async (message: Message, more: Partial<OptOutRecord> = {}) => {
		const record: OptOutRecord = {
			...common(message),
			_id: engine.ids.random("optOut"),
			kind: "opt_out",
			scope: "all",
			source: "api",
			...more,
		};
		await engine.store.subjectRecords.insert(record);
	};
	const hold = (message: Message) => placeHold(engine, message, ["mac_of_a_newer_version"]);

	it("an opt-out between acceptance and the carrier's call stops it, and its content goes", async () => {
		const message = await accepted();
		await queue(message);
		await optOut(message);
		const calls = engine.carrier.calls.length;
		await send(message);
		const ended = await engine.read(message._id);
		assert.equal(ended.state, "rejected");
		assert.deepEqual([ended.content, ended.address], [undefined, undefined]);
		assert.deepEqual([ended.attempts[0]?.outcome, ended.attempts[0]?.code], ["withheld", "policy_denied"]);
		assert.ok(ended.evidence.some(({ type, code }) => type === "decided" && code === "defaults.opted-out-of-all"));
		assert.equal(engine.carrier.calls.length, calls);
	});

	it("an opt-out of another tenant's recipient, or one that was lifted, stops nothing", async () => {
		const message = await accepted();
		await queue(message);
		await optOut(message, { tenantId: "ten_other" });
		const ended = { at: engine.clock(), recordedAt: engine.clock(), recordedBy: "key_a", source: "api" as const };
		await optOut(message, { at: engine.clock() - 1, ended });
		await send(message);
		assert.equal((await engine.read(message._id)).state, "submitted");
	});

	it("the confirmation of an opt-out goes within five minutes of it, and not later", async () => {
		for (const [lateMs, state] of [
			[0, "submitted"],
			[6 * 60_000, "rejected"],
		] as const) {
			const optOutAt = new Date(engine.clock() - lateMs).toISOString();
			const reply = facts({ context: { ...facts().context, optOutKeywordReply: true, optOutAt } });
			const message = await accepted({ facts: reply });
			await queue(message);
			await optOut(message, { at: engine.clock() - lateMs });
			await send(message);
			assert.equal((await engine.read(message._id)).state, state);
		}
	});

	it("a consent withdrawn while a message is deferred stops it: when prepared again, and when sent", async () => {
		for (const step of ["prepare", "send"] as const) {
			const marketing = facts({ category: "marketing", consent });
			const message = await accepted({ facts: marketing });
			const record: ConsentRecord = {
				...common(message),
				_id: engine.ids.random("consent"),
				kind: "consent",
				at: Date.parse(consent.obtainedAt),
				type: "express_written",
				purposes: ["marketing"],
				wording: "w:1",
				evidence: "form-7",
				keptAfterEnd: "P5Y",
				ended: { at: engine.clock(), recordedAt: engine.clock(), recordedBy: "key_a", source: "api" },
			};
			await engine.store.subjectRecords.insert(record);
			if (step === "prepare") {
				engine.time.offsetMs += limits.standingFreshMs + 1;
				await engine.activities.prepare(message.submissionId);
			} else {
				await queue(message);
				await send(message);
			}
			const ended = await engine.read(message._id);
			assert.equal(ended.state, "rejected", step);
			assert.equal(ended.content, undefined);
		}
	});

	it("a consent recorded under an older key version, and withdrawn since, stops it", async () => {
		const marketing = facts({ category: "marketing", consent });
		const subject = { version: 2, mac: "mac_rotated_2", others: ["mac_rotated_1"] };
		const message = await engine.accept({ category: "marketing", facts: marketing, subject });
		await queue(message);
		const record: ConsentRecord = {
			...common(message),
			_id: engine.ids.random("consent"),
			subjects: ["mac_rotated_1"],
			kind: "consent",
			at: Date.parse(consent.obtainedAt),
			type: "express_written",
			purposes: ["marketing"],
			wording: "w:1",
			evidence: "form-7",
			keptAfterEnd: "P5Y",
		};
		await engine.store.subjectRecords.insert(record);
		const now = engine.clock();
		await engine.store.subjectRecords.end(record._id, { at: now, recordedAt: now, recordedBy: "key_a", source: "api" });
		await send(message);
		assert.equal((await engine.read(message._id)).state, "rejected");
	});

	it("what was accepted just now is not read about twice, and is stopped all the same", async () => {
		const message = await accepted();
		await optOut(message);
		await engine.activities.prepare(message.submissionId);
		assert.equal((await engine.read(message._id)).state, "accepted");
		await queue(message);
		await send(message);
		assert.equal((await engine.read(message._id)).state, "rejected");
	});

	it("a hold that came while it was accepted is taken on: not sent, not erased, and free after its release", async () => {
		const message = await accepted({
			shape: { deadlineAt: engine.clock() + 3600_000, closeAt: engine.clock() + 7200_000 },
		});
		await queue(message);
		const record = await hold(message);
		const calls = engine.carrier.calls.length;
		await send(message);
		const held = await engine.read(message._id);
		assert.deepEqual([held.state, held.holds], ["queued", [record._id]]);
		await send(message, 2);
		assert.equal(engine.carrier.calls.length, calls);
		await engine.store.subjectRecords.end(record._id, { ...common(message), source: "api" });
		await engine.store.subjectMessages.release(record, engine.clock());
		engine.time.offsetMs += limits.driverPatienceMs;
		await send(message, 2);
		assert.equal((await engine.read(message._id)).state, "submitted");
	});

	it("a hold goes before what would refuse it: nothing that the hold covers is erased, prepared or about to be sent", async () => {
		const lasting = { deadlineAt: engine.clock() + 3600_000, closeAt: engine.clock() + 7200_000 };
		const shape = { ...lasting, acceptedAt: engine.clock() - limits.standingFreshMs };
		const [queued, waiting] = [await accepted({ shape }), await accepted({ shape })];
		await queue(queued);
		const holds = [await hold(queued), await hold(waiting)];
		for (const message of [queued, waiting]) await optOut(message);
		await send(queued);
		await engine.activities.prepare(waiting.submissionId);
		const found = [await engine.read(queued._id), await engine.read(waiting._id)];
		assert.deepEqual(
			found.map(({ state, restrictedBy, content }) => [state, restrictedBy, content !== undefined]),
			[
				["queued", [holds[0]?._id], true],
				["accepted", [holds[1]?._id], true],
			],
		);
	});

	it("quiet hours that began while it waited on the queue send it back until they end", async () => {
		const marketing = facts({ category: "marketing", consent });
		const evening = Date.parse("2026-11-26T01:30:00Z");
		engine.time.offsetMs = evening - Date.now();
		const deadlineAt = evening + dayMs;
		const message = await accepted({ facts: marketing, shape: { deadlineAt, closeAt: deadlineAt + 3600_000 } });
		const short = await accepted({ facts: marketing, shape: { deadlineAt: evening + 3600_000, closeAt: deadlineAt } });
		for (const one of [message, short]) {
			await queue(one);
			await send(one);
		}
		const waiting = await engine.read(message._id);
		assert.equal(waiting.state, "queued");
		assert.equal(new Date(waiting.notBefore ?? 0).toISOString(), "2026-11-26T13:00:00.000Z");
		assert.equal(waiting.attempts[0]?.outcome, "withheld");
		const refused = await engine.read(short._id);
		assert.deepEqual([refused.state, refused.attempts[0]?.code], ["rejected", "expires_before_window"]);
		engine.time.offsetMs = noon - Date.now();
	});

	it("of twenty that several processes accepted at once, no more than the limit reach the carrier", async () => {
		const context = { ...facts().context, sentToday: 0, sentThisWeek: 0, sameSubjectLast24h: 0 };
		const marketing = facts({ category: "marketing", consent, context });
		const tenantId = engine.ids.random("tenant");
		const shape = { tenantId };
		const messages = await Promise.all(
			Array.from({ length: 20 }, () => accepted({ mac: "mac_capped", facts: marketing, shape })),
		);
		const calls = engine.carrier.calls.length;
		for (const message of messages) await queue(message);
		await Promise.all(messages.map((message) => send(message)));
		const sent = engine.carrier.calls.length - calls;
		assert.ok(sent <= 3, `${sent} were sent`);
		// One after the other nothing is lost to the race: the limit is reached, and not passed.
		const more = await Promise.all(
			Array.from({ length: 5 }, () => accepted({ mac: "mac_capped", facts: marketing, shape })),
		);
		for (const message of more) {
			await queue(message);
			await send(message);
		}
		assert.equal(engine.carrier.calls.length - calls, 3);
		const states = await Promise.all([...messages, ...more].map(async ({ _id }) => (await engine.read(_id)).state));
		assert.equal(states.filter((state) => state === "submitted").length, 3);
		assert.equal(states.filter((state) => state === "rejected").length, 22);
	});

	it("a limit that came into force after it was accepted counts what was sent, though nobody counted then", async () => {
		const [tenantId, mac] = [engine.ids.random("tenant"), `mac_${++count}`];
		const states: string[] = [];
		for (let sent = 0; sent < 4; sent++) {
			const message = await accepted({ mac, facts: facts({ category: "marketing", consent }), shape: { tenantId } });
			await queue(message);
			await send(message);
			states.push((await engine.read(message._id)).state);
		}
		assert.deepEqual(states, ["submitted", "submitted", "submitted", "rejected"]);
	});

	it("what was sent is counted however many of other kinds came since, and too many to count are not sent to", async () => {
		const context = { ...facts().context, sentToday: 0, sentThisWeek: 0, sameSubjectLast24h: 0 };
		const marketing = facts({ category: "marketing", consent, context });
		const many = limits.countedMessagesMax;
		const cases = {
			"sent, behind others": { sentCount: 3, more: { count: many + 1, category: "transactional" } },
			"too many to count": { sentCount: 0, more: { count: many + 1, category: "marketing" } },
		} as const;
		for (const [what, { sentCount, more }] of Object.entries(cases)) {
			const [tenantId, mac] = [engine.ids.random("tenant"), `mac_${++count}`];
			for (let sent = 0; sent <= sentCount; sent++) {
				const message = await accepted({ mac, facts: marketing, shape: { tenantId } });
				if (sent === sentCount) {
					const { category } = more;
					const others = Array.from({ length: more.count }, () =>
						engine.store.messages.insert({ ...message, _id: engine.ids.random("message"), category }),
					);
					await Promise.all(others);
				}
				await queue(message);
				await send(message);
				const { state, attempts } = await engine.read(message._id);
				assert.equal(state, sent === sentCount ? "rejected" : "submitted", what);
				if (sent === sentCount) assert.equal(attempts[0]?.code, "policy_denied");
			}
		}
	});

	it("a store that can't be asked sends nothing, and tries again", async () => {
		const message = await accepted();
		await queue(message);
		const { findBySubjects } = engine.store.subjectRecords;
		engine.store.subjectRecords.findBySubjects = () => Promise.reject(new Error("away"));
		const calls = engine.carrier.calls.length;
		await send(message);
		engine.store.subjectRecords.findBySubjects = findBySubjects;
		const waiting = await engine.read(message._id);
		assert.deepEqual([waiting.state, waiting.attempts[0]?.code], ["queued", "store_unavailable"]);
		assert.equal(engine.carrier.calls.length, calls);
	});
});
