// Forgetting by cohort: what is due goes, what is held stays, and what is gone can't be brought back.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { createPurge } from "../../activities/purge.ts";
import { LetheError } from "../../domain/errors.ts";
import { limits } from "../../domain/limits.ts";
import type { Message } from "../../domain/message.ts";
import { end } from "../../domain/transition.ts";
import { purgePagesMax, purgeWorkflowId, workflowNames } from "../../workflows/contract.ts";
import { createEngine, type Engine, until } from "../harness/engine.ts";
import { placeTenantHold } from "../harness/records.ts";

describe("purge", () => {
	let engine: Engine;
	before(async () => {
		engine = await createEngine({ sender: false });
	});
	after(() => engine.close());

	/** Delivered messages of one tenant whose class keeps content until its cohort is due. */
	async function delivered(count: number, shape: Parameters<Engine["accept"]>[0] = {}): Promise<Message[]> {
		const now = engine.clock();
		const common = {
			tenantId: engine.ids.random("tenant"),
			deadlineAt: now + 1_000,
			closeAt: now + 2_000,
			contentAtFinal: false,
			...shape,
		};
		const messages = await Promise.all(Array.from({ length: count }, () => engine.accept(common)));
		for (const message of messages) {
			const current = await engine.read(message._id);
			await engine.store.messages.transition({ ...end(current, "delivered", engine.clock()), from: ["accepted"] });
		}
		return messages;
	}
	const cohortOf = (message: Message | undefined) => message?.content?.cohortId as string;
	const dueNow = async (message: Message | undefined) => {
		const cohort = await engine.store.cohorts.find(cohortOf(message));
		engine.time.offsetMs += Math.max(0, (cohort?.dueAt ?? 0) - engine.clock() + 1);
	};
	async function runPurge(
		cohortId: string,
		worker: ReturnType<typeof createPurge> = engine.activities,
	): Promise<string> {
		const { closeCohort, erasePage, destroyCohort } = worker;
		if (!(await closeCohort(cohortId))) return "waiting";
		while ((await erasePage(cohortId)).count > 0);
		return (await destroyCohort(cohortId)).outcome;
	}

	it("a cohort is not touched before it is due", async () => {
		const [message] = await delivered(1);
		assert.equal(await runPurge(cohortOf(message)), "waiting");
		assert.ok((await engine.read(message?._id as string)).content);
	});

	it("the sweep starts the purge of a due cohort; content, keys and the right to decrypt are gone, and certified", async () => {
		const [message] = (await delivered(1)) as [Message];
		const kept = await engine.read(message._id);
		assert.ok(kept.content, "kept by its class until the cohort is due");
		assert.equal(kept.address, undefined);
		await dueNow(message);
		await engine.activities.sweepPage();
		await engine.temporal.client.workflow.getHandle(purgeWorkflowId(cohortOf(message))).result();
		const cohort = await engine.store.cohorts.find(cohortOf(message));
		assert.equal(cohort?.state, "destroyed");
		assert.equal(cohort?.certificates.length, 1);
		const ended = await engine.read(message._id);
		assert.equal(ended.content, undefined);
		assert.equal(ended.certificates.length, 2, "the address at the end, the content by its cohort");
		const page = await engine.store.certificates.find(ended.retention.content?.certificateId as string);
		assert.ok(page && ended.certificates.includes(page._id), "the page that erased it is certified");
		// The document of before the purge, put back: its key is gone for good.
		await assert.rejects(
			engine.encryption.decrypt({
				tenantId: kept.tenantId,
				messageId: kept._id,
				object: "content",
				sealed: kept.content as NonNullable<Message["content"]>,
			}),
			(error) => error instanceof LetheError && error.code === "content_erased",
		);
	});

	it("a held member keeps its cohort's key; once released, it goes", async () => {
		const [held, free] = (await delivered(2)) as [Message, Message];
		await engine.store.messages.transition({ id: held._id, set: { holds: ["hold_a"] } });
		await dueNow(held);
		assert.equal(await runPurge(cohortOf(held)), "waiting");
		assert.ok((await engine.read(held._id)).content);
		assert.equal((await engine.read(free._id)).content, undefined);
		assert.ok(await engine.memory.cohortKeys.exists(cohortOf(held)));
		await engine.store.messages.transition({ id: held._id, set: { holds: [] } });
		assert.equal(await runPurge(cohortOf(held)), "destroyed");
		assert.equal((await engine.read(held._id)).content, undefined);
	});

	it("a hold on all of the tenant that is recorded while a page is under way stops its write", async () => {
		const [message] = (await delivered(1)) as [Message];
		await dueNow(message);
		const placed: string[] = [];
		// The purge has found no hold, and has noted the page.
		const append: Engine["evidence"]["append"] = async (...args) => {
			placed.push((await placeTenantHold(engine, message))._id);
			return engine.evidence.append(...args);
		};
		const worker = createPurge({ ...engine, evidence: { ...engine.evidence, append } });
		assert.ok(await worker.closeCohort(cohortOf(message)));
		assert.deepEqual(await worker.erasePage(cohortOf(message)), { count: 0 });
		assert.equal(placed.length, 1);
		assert.ok((await engine.read(message._id)).content);
		assert.deepEqual(await engine.store.purgePages.findByCohort(cohortOf(message)), [], "and no page is left of it");
		const ended = { at: engine.clock(), recordedAt: engine.clock(), recordedBy: "key_a", source: "api" as const };
		await engine.store.subjectRecords.end(placed[0] as string, ended, { subjects: [] });
		assert.equal(await runPurge(cohortOf(message)), "destroyed");
		assert.equal((await engine.read(message._id)).content, undefined);
	});

	it("a page is erased when it was written, however long that took from its beginning, and its certificate dates copies from then", async () => {
		const [message] = (await delivered(1)) as [Message];
		await dueNow(message);
		// A process that stands still, say.
		const append: Engine["evidence"]["append"] = async (...args) => {
			await engine.evidence.append(...args);
			engine.time.offsetMs += 3600_000;
		};
		const worker = createPurge({ ...engine, evidence: { ...engine.evidence, append } });
		const begunAt = engine.clock();
		assert.ok(await worker.closeCohort(cohortOf(message)));
		assert.deepEqual(await worker.erasePage(cohortOf(message)), { count: 1 });
		const { content } = (await engine.read(message._id)).retention;
		assert.ok((content?.erasedAt ?? 0) >= begunAt + 3600_000);
		const certificate = await engine.store.certificates.find(content?.certificateId as string);
		const payload = JSON.parse(Buffer.from(certificate?.jws.split(".")[1] ?? "", "base64url").toString());
		assert.equal(Date.parse(payload.objects[0].erasedAt), content?.erasedAt);
	});

	it("two workers at once, and a repeat from any step, erase once and certify the same", async () => {
		const messages = await delivered(20);
		await dueNow(messages[0]);
		const outcomes = await Promise.all([runPurge(cohortOf(messages[0])), runPurge(cohortOf(messages[0]))]);
		assert.ok(outcomes.includes("destroyed"));
		assert.equal(await runPurge(cohortOf(messages[0])), "waiting", "a destroyed cohort is not closed again");
		for (const { _id } of messages) {
			const ended = await engine.read(_id);
			assert.equal(ended.content, undefined);
			assert.ok(ended.certificates.length >= 1);
		}
		const about = await engine.store.certificates.page(messages[0]?.tenantId as string, cohortOf(messages[0]), 10);
		assert.ok(about.length >= 2, "a page's certificate and the cohort's");
	});

	// Where a worker may be killed, named by the call that it does not come back from: before it is made, or after.
	const points = [
		["purgePages", "insert"],
		["messages", "erasePage"],
		["messages", "readPage"],
		["certificates", "insert"],
		["purgePages", "delete"],
		["cohorts", "advance"],
		["wrappingKeys", "deleteByCohort"],
	] as const;
	const names = { before: "killed before", after: "killed after", late: "after the other's end goes on with" };
	for (const [collection, call] of points) {
		for (const when of ["before", "after", "late"] as const) {
			it(`${names[when]} ${collection}.${call}, with another worker at work: all is erased, and certified once`, async () => {
				const messages = await delivered(8);
				const [first] = messages;
				await dueNow(first);
				const real = (engine.store[collection] as Record<string, (...args: unknown[]) => Promise<unknown>>)[call];
				assert.ok(real);
				const reached = Promise.withResolvers<void>();
				const finished = Promise.withResolvers<void>();
				const dying = async (...args: unknown[]) => {
					reached.resolve();
					if (when === "before") throw new LetheError("store_unavailable", { cause: "killed" });
					if (when === "late") await finished.promise;
					const answer = await real(...args);
					if (when === "after") throw new LetheError("store_unavailable", { cause: "killed" });
					return answer;
				};
				const store = { ...engine.store, [collection]: { ...engine.store[collection], [call]: dying } };
				const worker = createPurge({ ...engine, store: store as Engine["store"] });
				const killed = Promise.allSettled([runPurge(cohortOf(first), worker)]);
				await reached.promise;
				await runPurge(cohortOf(first));
				finished.resolve();
				assert.equal((await killed)[0].status, when === "late" ? "fulfilled" : "rejected");
				const again = await Promise.all([runPurge(cohortOf(first)), runPurge(cohortOf(first))]);
				assert.equal((await engine.store.cohorts.find(cohortOf(first)))?.state, "destroyed", again.join());
				assert.deepEqual(await engine.store.purgePages.findByCohort(cohortOf(first)), []);
				const named = new Map<string, number>();
				const about = await engine.store.certificates.page(first?.tenantId as string, cohortOf(first), 50);
				for (const { jws } of about) {
					const payload = JSON.parse(Buffer.from(jws.split(".")[1] ?? "", "base64url").toString());
					assert.equal(payload.status, "complete");
					for (const id of payload.objects.flatMap((object: { messageIds?: string[] }) => object.messageIds ?? [])) {
						named.set(id, (named.get(id) ?? 0) + 1);
					}
				}
				for (const { _id } of messages) {
					const ended = await engine.read(_id);
					assert.equal(ended.content, undefined);
					assert.equal(named.get(_id), 1, "one certificate names it");
					assert.ok(about.some((certificate) => certificate._id === ended.retention.content?.certificateId));
				}
			});
		}
	}

	it("what a store shows again of an erased page gets no share in its certificate, is told of and erased again", async () => {
		const messages = (await delivered(3)) as [Message, Message, Message];
		const [back] = messages;
		await dueNow(back);
		const { content } = await engine.read(back._id);
		const { readPage } = engine.store.messages;
		const messagesAgain = {
			...engine.store.messages,
			readPage: async (page: Parameters<typeof readPage>[0]) => {
				await engine.store.messages.transition({ id: back._id, set: { content } });
				return readPage(page);
			},
		};
		const worker = createPurge({ ...engine, store: { ...engine.store, messages: messagesAgain } });
		assert.equal((await worker.closeCohort(cohortOf(back))) && (await worker.erasePage(cohortOf(back))).count, 2);
		assert.equal((await engine.read(back._id)).retention.content?.certificateId, undefined);
		await engine.activities.sweepPage();
		const told = await engine.read(back._id);
		assert.ok(told.evidence.some(({ type, code }) => type === "certified" && code === "incomplete"));
		assert.equal(told.content, undefined, "erased again");
		engine.time.offsetMs += limits.driverPatienceMs + 1;
		await engine.activities.sweepPage();
		assert.ok((await engine.read(back._id)).retention.content?.verifiedAt);
		await runPurge(cohortOf(back));
		await until(async () => (await engine.store.cohorts.find(cohortOf(back)))?.state === "destroyed");
	});

	it("what came back of a message at rest is certified by the end of every key that it was ever wrapped under", async () => {
		// Not due by the sweeps below: the purge that these start would end the key before it is looked at.
		const closeAt = engine.clock() + 10 * limits.driverPatienceMs;
		const [message, unread] = (await delivered(2, { closeAt })) as [Message, Message];
		const place = { tenantId: message.tenantId, region: "US", retentionClass: "content/P1Y" };
		const dueAt = engine.clock() + 365 * 24 * 3600_000;
		const former = await engine.cohorts.ensure({ ...place, dueAt });
		const stored = await Promise.all([message, unread].map(({ _id }) => engine.read(_id)));
		const set = { "retention.content.formerCohorts": [former], "retention.content.atFinal": true };
		for (const { _id } of stored) {
			await engine.store.messages.transition({ id: _id, set: { ...set, nextCheckAt: engine.clock() } });
		}
		for (let times = 0; times < 3; times++) {
			engine.time.offsetMs += limits.driverPatienceMs + 1;
			await engine.activities.sweepPage();
		}
		for (const { _id, content } of stored) {
			const { archived, retention } = await engine.read(_id);
			assert.ok(archived !== undefined && retention.content?.verifiedAt, "gone, proven, and packed");
			await engine.store.messages.transition({ id: _id, set: { content } });
		}
		const raw = engine.connection.collection<{ _id: string }>("messages");
		await raw.updateOne({ _id: unread._id }, { $set: { archive: Buffer.from("none") } });
		await dueNow(message);
		assert.equal(await runPurge(cohortOf(message)), "destroyed");
		const { certificateId } = (await engine.read(message._id)).retention.content ?? {};
		const certificate = await engine.store.certificates.find(certificateId as string);
		const payload = JSON.parse(Buffer.from(certificate?.jws.split(".")[1] ?? "", "base64url").toString());
		const copy = payload.copies.find((one: { copy: string }) => one.copy === "vault cohort key");
		assert.deepEqual([copy.status, Date.parse(copy.endsAt) >= dueAt], ["planned", true]);
		assert.deepEqual(payload.objects[0].messageIds, [message._id], "none whose keys nobody can read");
		await engine.activities.sweepPage();
		const told = await engine.store.messages.findUnreadable(10);
		assert.deepEqual(
			told.map(({ _id }) => _id),
			[unread._id],
		);
		await raw.deleteOne({ _id: unread._id });
	});

	it("a key server that is away delays the purge and loses nothing", async () => {
		const [message] = (await delivered(1)) as [Message];
		await dueNow(message);
		engine.memory.away.value = true;
		await assert.rejects(runPurge(cohortOf(message)), (error) => (error as LetheError).code === "keys_unavailable");
		engine.memory.away.value = false;
		const waiting = (await engine.read(message._id)).retention.content?.certificateId as string;
		assert.equal(await engine.store.certificates.find(waiting), undefined);
		assert.equal(await runPurge(cohortOf(message)), "destroyed");
		assert.ok(await engine.store.certificates.find(waiting), "what was erased before is certified after");
		assert.deepEqual(await engine.store.purgePages.findByCohort(cohortOf(message)), []);
	});

	it("a member that every driver missed is ended and erased when its cohort is due", async () => {
		const now = engine.clock();
		const shape = { contentAtFinal: false, deadlineAt: now + 100, closeAt: now + 200 };
		const message = await engine.accept(shape);
		await dueNow(message);
		assert.equal(await runPurge(cohortOf(message)), "destroyed");
		const ended = await engine.read(message._id);
		assert.equal(ended.state, "expired");
		assert.equal(ended.content, undefined);
	});

	it("a cohort of more pages than one run takes goes on in runs of bounded history, and tells one sum", async () => {
		const pages = purgePagesMax + 2;
		let page = 0;
		const big = await createEngine({
			sender: false,
			replace: () => ({
				closeCohort: async () => true,
				erasePage: async () => ({ count: page++ < pages ? 2_000 : 0 }),
				destroyCohort: async () => ({ outcome: "destroyed" }),
			}),
		});
		const cohortId = big.ids.random("cohort");
		const { workflow } = big.temporal.client;
		const run = await workflow.start(workflowNames.purge, {
			workflowId: purgeWorkflowId(cohortId),
			taskQueue: big.name,
			args: [{ cohortId, tenantId: big.ids.random("tenant"), region: "US" }],
		});
		assert.deepEqual(await run.result(), { outcome: "destroyed", erasedCount: limits.toldCountMax, pageCount: pages });
		const { events } = await workflow.getHandle(run.workflowId, run.firstExecutionRunId).fetchHistory();
		assert.ok(events?.at(-1)?.workflowExecutionContinuedAsNewEventAttributes);
		assert.ok(events.length < 8 * purgePagesMax, `${events.length} events`);
		await big.close();
	});

	it("receipts and the record go at their own times, a held record stays", async () => {
		const [message, held] = (await delivered(2, { contentAtFinal: true })) as [Message, Message];
		await engine.activities.finalise(message.submissionId, false);
		await engine.activities.finalise(held.submissionId, false);
		await engine.store.messages.transition({ id: held._id, set: { holds: ["hold_a"] } });
		engine.time.offsetMs += 91 * 24 * 3600_000;
		await engine.activities.sweepPage();
		const after90 = await engine.read(message._id);
		assert.deepEqual(after90.receipts, []);
		assert.ok(after90.retention.receipt?.erasedAt);
		engine.time.offsetMs += 300 * 24 * 3600_000;
		await engine.activities.sweepPage();
		assert.equal(await engine.read(message._id), undefined);
		assert.ok(await engine.read(held._id));
	});
});
