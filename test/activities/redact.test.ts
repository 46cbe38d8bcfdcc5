// A carrier that can forget is asked to once a message is final; what it says and shows is what the certificate tells.

import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { createCertifyAgain } from "../../activities/certify.ts";
import { createRedact } from "../../activities/redact.ts";
import type { Certificate } from "../../audit/certificate.ts";
import { LetheError } from "../../domain/errors.ts";
import { limits } from "../../domain/limits.ts";
import type { Attempt, Message } from "../../domain/message.ts";
import { abandon, claim, end, enqueue, noteOutcome, submit, type Transition } from "../../domain/transition.ts";
import { createEngine, type Engine } from "../harness/engine.ts";
import { placeTenantHold } from "../harness/records.ts";

describe("a carrier's copy", () => {
	let engine: Engine;
	const asked: string[] = [];
	before(async () => {
		engine = await createEngine({ worker: false, sender: false });
	});
	after(() => engine.close());
	beforeEach(() => {
		asked.length = 0;
		engine.carrier.redact = async (id) => asked.push(id) > 0;
		engine.carrier.readBack = async () => "gone";
	});

	type Shape = Parameters<Engine["accept"]>[0];
	async function delivered(attempt: Partial<Attempt> = { outcome: "accepted" }, shape: Shape = {}): Promise<Message> {
		const message = await engine.accept(shape);
		const now = engine.clock();
		const carrierId = `c-${message._id}`;
		const whole = { number: 1, startedAt: now, leaseUntil: now, claim: "c", carrierId, ...attempt };
		const { carrierId: id, ...rest } = whole;
		await engine.store.messages.transition({
			...end(message, "delivered", now),
			from: ["accepted"],
			push: { attempts: { value: id === "" ? rest : whole } },
		});
		await engine.activities.finalise(message.submissionId, false);
		return engine.read(message._id);
	}
	const apply = async ({ _id }: Message, next: (message: Message) => Transition) =>
		assert.ok(await engine.store.messages.transition(next(await engine.read(_id))));
	const redacting = (more: Partial<Parameters<typeof createRedact>[0]> = {}) =>
		createRedact({ ...engine, certifyAgain: createCertifyAgain(engine), ...more });
	const sweep = async (afterMs = 0) => {
		engine.time.offsetMs += afterMs;
		await engine.activities.sweepPage();
		await engine.redact();
	};
	async function fates({ tenantId, submissionId }: Message): Promise<(string | undefined)[][]> {
		const kept = await engine.store.certificates.page(tenantId, submissionId, 10);
		return kept
			.sort((one, other) => one.issuedAt - other.issuedAt)
			.map(({ jws }): Certificate => JSON.parse(Buffer.from(jws.split(".")[1] as string, "base64url").toString()))
			.map(({ status, copies }) => {
				const { method, proof, endsAt } = copies.find(
					({ copy }) => copy === "carrier",
				) as Certificate["copies"][number];
				return [status, method, proof, endsAt ? "dated" : "no date"];
			});
	}
	const planned = ["complete", "carrier_redaction", "declared", "dated"];
	const types = (message: Message) => message.evidence.map(({ type }) => type);

	it("is asked for once the message is final, and a second certificate says that it was read back as gone", async () => {
		const message = await delivered();
		assert.deepEqual(await fates(message), [planned]);
		await sweep();
		assert.deepEqual(asked, [`c-${message._id}`]);
		assert.deepEqual(await fates(message), [planned, ["complete", "carrier_redaction", "read_back", "no date"]]);
		const after = await engine.read(message._id);
		assert.equal(after.carrierCopy?.state, "read_back");
		assert.deepEqual(types(after).slice(-3), ["redaction_asked", "redacted", "certified"]);
		assert.equal(after.certificates.length, 2);
		await sweep(limits.driverPatienceMs + 1);
		assert.deepEqual(asked.length, 1, "once");
		assert.equal((await fates(message)).length, 2);
	});

	it("is asked for though the run was ended before the carrier had answered, whenever the answer is noted", async () => {
		const abandoned = async () => {
			const message = await engine.accept();
			const now = engine.clock();
			await apply(message, (current) => enqueue(current, now));
			await apply(message, ({ _id }) => claim(_id, 1, now, engine.ids.random("claim"), "queue"));
			const sent = await engine.read(message._id);
			await apply(message, (current) => abandon(current, now) as Transition);
			return sent;
		};
		const note = (sent: Message) =>
			apply(sent, (current) => noteOutcome(current, submit(sent, `c-${sent._id}`, 1, engine.clock()), engine.clock()));
		const raced = await abandoned();
		const { integrate } = engine.evidence;
		engine.evidence.integrate = async (carrier, next) => {
			const count = await integrate(carrier, next);
			engine.evidence.integrate = integrate;
			await note(raced);
			return count;
		};
		await engine.activities.finalise(raced.submissionId, false);
		const late = await abandoned();
		await engine.activities.finalise(late.submissionId, false);
		await note(late);
		for (const { _id } of [raced, late]) {
			const { attempts } = await engine.read(_id);
			assert.deepEqual([attempts[0]?.outcome, attempts[0]?.carrierId], ["accepted", `c-${_id}`]);
		}
		await sweep();
		await sweep(limits.driverPatienceMs + 1);
		assert.deepEqual(asked.toSorted(), [raced, late].map(({ _id }) => `c-${_id}`).toSorted());
		for (const { _id } of [raced, late]) assert.equal((await engine.read(_id)).carrierCopy?.state, "read_back");
	});

	it("is asked for by when it was sent, but by nothing once this account says that it forgot it", async () => {
		const since: number[] = [];
		engine.carrier.readBack = async (_id, asked) => {
			since.push(asked);
			return "there";
		};
		const message = await delivered();
		await sweep();
		engine.carrier.redact = async () => false;
		await sweep(limits.redactionRetryFirstMs);
		assert.deepEqual(since, [Number.POSITIVE_INFINITY, (await engine.read(message._id)).attempts[0]?.startedAt]);
		engine.carrier.readBack = async () => "gone";
		await sweep(limits.redactionRetryMaxMs);
	});

	it("that the carrier says it forgot, and can't show, is certified as confirmed", async () => {
		delete engine.carrier.readBack;
		const message = await delivered();
		await sweep();
		assert.deepEqual((await fates(message)).at(-1), ["complete", "carrier_redaction", "confirmed", "no date"]);
	});

	it("that a carrier says it forgot and still shows is asked for again, ever later, and then left to its agreement", async () => {
		engine.carrier.readBack = async () => "there";
		const message = await delivered();
		await sweep();
		await sweep(limits.driverPatienceMs + 1);
		assert.equal(asked.length, 1, "not at each sweep");
		const told = engine.warnings.filter((line) => line.includes(message._id));
		assert.deepEqual(told, [JSON.stringify({ code: "redaction_refused", messageId: message._id })]);
		assert.deepEqual((await engine.read(message._id)).carrierCopy?.state, "due");
		await sweep(limits.redactionRetryFirstMs);
		assert.equal(asked.length, 2);
		await sweep(limits.redactionRetryFirstMs);
		assert.equal(asked.length, 2, "twice as late");
		assert.equal(types(await engine.read(message._id)).filter((type) => type === "redaction_asked").length, 1);
		await sweep(limits.redactionPatienceMs);
		await sweep(limits.driverPatienceMs + 1);
		const over = await engine.read(message._id);
		assert.equal(over.carrierCopy?.state, "given_up");
		assert.ok(types(over).includes("redaction_given_up"));
		const [status, ...fate] = (await fates(message)).at(-1) ?? [];
		assert.deepEqual([status, ...fate], ["complete", "processor_agreement", "declared", "dated"]);
	});

	it("that it forgot at a try whose answer was lost is found gone at the next", async () => {
		engine.carrier.redact = async () => {
			throw new LetheError("keys_unavailable");
		};
		const message = await delivered();
		await sweep();
		assert.equal((await engine.read(message._id)).carrierCopy?.state, "due");
		engine.carrier.redact = async () => false;
		await sweep(limits.redactionRetryFirstMs + limits.driverPatienceMs);
		assert.equal((await engine.read(message._id)).carrierCopy?.state, "read_back");
	});

	it("of a carrier whose every answer is a failure is an obligation with its date once the patience is over", async () => {
		let failures = 0;
		engine.carrier.redact = async () => {
			failures++;
			throw new Error("carrier down");
		};
		const message = await delivered();
		await sweep();
		await sweep(limits.redactionPatienceMs / 2);
		assert.deepEqual([failures, (await engine.read(message._id)).carrierCopy?.state], [2, "due"]);
		await sweep(limits.redactionPatienceMs / 2);
		await sweep(limits.driverPatienceMs + 1);
		const over = await engine.read(message._id);
		assert.deepEqual([over.carrierCopy?.state, over.evidence.at(-2)?.type], ["given_up", "redaction_given_up"]);
		assert.deepEqual((await fates(message)).at(-1), ["complete", "processor_agreement", "declared", "dated"]);
		await sweep(limits.redactionRetryMaxMs);
		assert.equal(failures, 3, "and it is left alone");
	});

	it("is kept while a hold keeps the message, and goes once it is released", async () => {
		const message = await delivered();
		const change = (set: object) => engine.store.messages.transition({ id: message._id, set: { ...set } });
		await change({ holds: ["hold_a"] });
		await sweep();
		await sweep(limits.redactionRetryFirstMs + limits.driverPatienceMs);
		assert.deepEqual(asked, []);
		await change({ holds: [], nextCheckAt: engine.clock() });
		await sweep();
		assert.deepEqual(asked, [`c-${message._id}`]);
	});

	it("is kept while a hold on all of the tenant is being placed, and no other tenant's waits for that", async () => {
		const message = await delivered();
		const { tenantId } = message;
		// As many of them as are asked for at once, and due first.
		for (let count = 1; count < limits.redactionsAtOnceMax; count++) await delivered(undefined, { tenantId });
		engine.time.offsetMs += 1;
		const other = await delivered();
		const hold = await placeTenantHold(engine, message);
		await engine.redact();
		assert.deepEqual(asked, [`c-${other._id}`]);
		const now = engine.clock();
		const ended = { at: now, recordedAt: now, recordedBy: "key_a", source: "api" as const };
		await engine.store.subjectRecords.end(hold._id, ended, { subjects: [] });
		await sweep(limits.driverPatienceMs + 1);
		assert.equal(asked.length, limits.redactionsAtOnceMax + 1);
		assert.ok(asked.includes(`c-${message._id}`));
	});

	it("of an attempt that no id is known of, and of a carrier that can't forget, is an obligation with its date", async () => {
		const agreement = ["complete", "processor_agreement", "declared", "dated"];
		assert.deepEqual(await fates(await delivered({ outcome: "ambiguous", carrierId: "" })), [agreement]);
		delete engine.carrier.redact;
		const message = await delivered();
		assert.deepEqual([await fates(message), message.carrierCopy], [[agreement], undefined]);
		await sweep();
		assert.deepEqual(asked, []);
	});

	it("with a carrier that forgets nothing, what was not asked for waits as well, and is asked for at the next turn", async () => {
		engine.carrier.redact = async (id) => asked.push(id) < 0;
		engine.carrier.readBack = async () => "there";
		const messages = [];
		for (let count = 0; count < limits.redactionsAtOnceMax + 3; count++) messages.push(await delivered());
		assert.equal(await redacting().redactQueue("queue"), "resting");
		assert.equal(asked.length, limits.redactionsAtOnceMax);
		await engine.redact();
		assert.deepEqual(new Set(asked), new Set(messages.map(({ _id }) => `c-${_id}`)));
		engine.carrier.readBack = async () => "gone";
		await sweep(limits.redactionRetryFirstMs);
	});

	it("of a slow carrier a turn asks for so long only; the rest waits for the next, and another carrier has its own", async () => {
		const slow = { ms: 0 };
		engine.carrier.redact = async (id) => {
			if (asked.length % limits.redactionsAtOnceMax === 0) slow.ms += limits.redactionTurnMs / 2;
			return asked.push(id) > 0;
		};
		const messages = [];
		for (let count = 0; count < 2 * limits.redactionsAtOnceMax + 3; count++) messages.push(await delivered());
		await delivered({ outcome: "accepted" }, { sendQueue: "another" });
		const { findQueues, redactQueue } = redacting({ monotonic: () => slow.ms });
		assert.deepEqual(await findQueues(), ["another", "queue"]);
		assert.equal(await redactQueue("queue"), "more");
		assert.equal(asked.length, 2 * limits.redactionsAtOnceMax);
		assert.deepEqual(await findQueues(), ["another", "queue"]);
		assert.equal(await redactQueue("another"), "none");
		assert.equal(await redactQueue("queue"), "none");
		assert.equal(asked.length, messages.length + 1);
		assert.deepEqual(await findQueues(), []);
	});

	it("that the carrier forgot before its certificate could be signed is certified when that can be done", async () => {
		const message = await delivered();
		engine.memory.away.value = true;
		try {
			assert.equal(await redacting().redactQueue("queue"), "resting");
		} finally {
			engine.memory.away.value = false;
		}
		assert.equal((await engine.read(message._id)).carrierCopy?.state, "read_back");
		assert.equal((await fates(message)).length, 1);
		await sweep(limits.driverPatienceMs + 1);
		assert.deepEqual((await fates(message)).at(-1), ["complete", "carrier_redaction", "read_back", "no date"]);
		assert.equal((await engine.read(message._id)).redaction, undefined);
		assert.equal(asked.length, 1);
	});

	it("that became due before there was a line for it is put there by the sweep", async () => {
		const message = await delivered();
		const { _id: id } = message;
		await engine.store.messages.transition({ id, unset: ["redaction"], set: { nextCheckAt: engine.clock() } });
		await engine.redact();
		assert.deepEqual(asked, []);
		await sweep();
		assert.deepEqual(asked, [`c-${id}`]);
	});

	it("keeps no repair waiting, however much of it is due and however slow its carrier", async () => {
		let asked = 0;
		engine.carrier.redact = () => {
			asked++;
			return new Promise(() => undefined);
		};
		for (let count = 0; count < limits.sweepPageItems + 10; count += 51) {
			await Promise.all(Array.from({ length: 51 }, () => delivered()));
		}
		const now = engine.clock();
		const over = await engine.accept({ deadlineAt: now + 1_000, closeAt: now + 2_000, nextCheckAt: now + 3_000 });
		engine.time.offsetMs += 5_000;
		await engine.activities.sweepPage();
		assert.equal(asked, 0, "and waits for no carrier");
		assert.equal((await engine.read(over._id)).state, "expired");
		assert.deepEqual(await engine.store.messages.findDue(engine.clock(), 10), []);
		engine.carrier.redact = async () => true;
		await engine.redact();
		assert.deepEqual(await engine.store.messages.redactionQueues(engine.clock()), []);
	});

	it("is none where nothing was handed over", async () => {
		const message = await delivered({ outcome: "withheld", carrierId: "" });
		assert.deepEqual(await fates(message), [["complete", "opaque_ids_only", "by_design", "no date"]]);
		assert.equal(message.carrierCopy, undefined);
	});
});
