// What a certificate rests on: the store and Vault, read back. What is still there makes it incomplete, or none at all.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { createCertify } from "../../activities/certify.ts";
import { createActivities } from "../../activities/index.ts";
import { planErasure } from "../../activities/planErasure.ts";
import type { Certificate } from "../../audit/certificate.ts";
import { readEntry } from "../../audit/entry.ts";
import { LetheError } from "../../domain/errors.ts";
import { limits } from "../../domain/limits.ts";
import type { Message } from "../../domain/message.ts";
import { end, type Transition } from "../../domain/transition.ts";
import { createEngine, type Engine } from "../harness/engine.ts";

describe("certificates", () => {
	let engine: Engine;
	before(async () => {
		engine = await createEngine({ worker: false, sender: false });
	});
	after(() => engine.close());

	const payloadOf = (jws: string): Certificate =>
		JSON.parse(Buffer.from(jws.split(".")[1] as string, "base64url").toString());
	const certificatesAbout = async (tenantId: string, about: string) =>
		(await engine.store.certificates.page(tenantId, about, 10)).map(({ jws }) => payloadOf(jws));
	const copyOf = (certificate: Certificate | undefined, name: string) =>
		certificate?.copies.find(({ copy }) => copy === name);
	async function delivered(shape: Parameters<Engine["accept"]>[0] = {}): Promise<Message> {
		const message = await engine.accept(shape);
		await engine.store.messages.transition({ ...end(message, "delivered", engine.clock()), from: ["accepted"] });
		return engine.read(message._id);
	}
	const dueNow = async (cohortId: string) => {
		const cohort = await engine.store.cohorts.find(cohortId);
		engine.time.offsetMs += Math.max(0, (cohort?.dueAt ?? 0) - engine.clock() + 1);
	};

	it("say complete of what was read back and found gone", async () => {
		const message = await delivered();
		await engine.activities.finalise(message.submissionId, false);
		const [certificate, ...more] = await certificatesAbout(message.tenantId, message.submissionId);
		assert.equal(more.length, 0);
		assert.equal(certificate?.status, "complete");
		assert.deepEqual(certificate.objects.map(({ object }) => object).sort(), ["address", "content"]);
		assert.deepEqual(certificate.objects[0]?.messageIds, [message._id]);
	});

	it("are one, and one entry of the log, however many certify at once and whatever is added in between", async () => {
		const message = await delivered();
		const certify = createCertify(engine);
		await Promise.all([certify([message]), certify([message])]);
		engine.time.offsetMs += 1_000;
		// Read before the others were through, and slow since.
		await engine.store.messages.transition({
			id: message._id,
			evidence: [{ at: engine.clock(), type: "receipt", code: "noted" }],
		});
		await certify([message]);
		engine.time.offsetMs += limits.integratePatienceMs + limits.driverPatienceMs;
		await engine.activities.sweepPage();
		const certified = ({ type }: { type: string }) => type === "certified";
		const stored = await engine.read(message._id);
		assert.deepEqual([stored.certificates.length, stored.evidence.filter(certified).length], [1, 1]);
		const bundles = await engine.store.evidence.findAbout([message._id]);
		const entries = bundles.flatMap((bundle) => bundle.entries.map((text) => readEntry(text)));
		const mine = entries.filter((entry) => entry?.about === message._id && certified(entry));
		assert.equal(mine.length, 1);
		assert.equal((await certificatesAbout(message.tenantId, message.submissionId)).length, 1);
	});

	it("are incomplete for a ciphertext that is still, or again, where it was erased; it goes, and gets another", async () => {
		const message = await engine.accept();
		const { content } = message;
		await engine.store.messages.transition({ ...end(message, "delivered", engine.clock()), from: ["accepted"] });
		await engine.store.messages.transition({ id: message._id, set: { content } });
		await engine.activities.finalise(message.submissionId, false);
		const issued = new Map(
			(await certificatesAbout(message.tenantId, message.submissionId)).map((one) => [one.objects[0]?.object, one]),
		);
		assert.equal(issued.get("address")?.status, "complete", "what is gone does not wait for what is not");
		const certificate = issued.get("content");
		assert.equal(certificate?.status, "incomplete");
		assert.deepEqual(certificate.reasons, ["copy_unverified"]);
		assert.equal(copyOf(certificate, "database document")?.status, "unverified");
		const again = await engine.read(message._id);
		assert.equal(again.content, undefined, "erased again");
		assert.deepEqual([again.retention.content?.verifiedAt, !!again.retention.address?.verifiedAt], [undefined, true]);
		engine.time.offsetMs += limits.driverPatienceMs + 1;
		await engine.activities.sweepPage();
		assert.ok((await engine.read(message._id)).retention.content?.verifiedAt);
		const about = await certificatesAbout(message.tenantId, message.submissionId);
		const statuses = about.filter(({ objects }) => objects[0]?.object === "content").map(({ status }) => status);
		assert.deepEqual(statuses.toSorted(), ["complete", "incomplete"]);
	});

	it("of what came back after it was read back are issued anew, once it is gone again", async () => {
		const message = await engine.accept();
		const { content } = message;
		await engine.store.messages.transition({ ...end(message, "delivered", engine.clock()), from: ["accepted"] });
		await engine.activities.finalise(message.submissionId, false);
		assert.ok((await engine.read(message._id)).retention.content?.verifiedAt);
		const set = { content, nextCheckAt: engine.clock() };
		await engine.store.messages.transition({ id: message._id, set });
		await engine.activities.sweepPage();
		const again = await engine.read(message._id);
		assert.deepEqual([again.content, again.retention.content?.verifiedAt], [undefined, undefined]);
		engine.time.offsetMs += limits.driverPatienceMs + 1;
		await engine.activities.sweepPage();
		assert.ok((await engine.read(message._id)).retention.content?.verifiedAt);
		assert.equal((await certificatesAbout(message.tenantId, message.submissionId)).length, 2);
	});

	it("of what came back after it was read back are issued anew where a subject's request erases it, too", async () => {
		const message = await engine.accept();
		const { content } = message;
		await engine.store.messages.transition({ ...end(message, "delivered", engine.clock()), from: ["accepted"] });
		await engine.activities.finalise(message.submissionId, false);
		await engine.store.messages.transition({ id: message._id, set: { content } });
		const back = await engine.read(message._id);
		assert.ok(back.archived !== undefined && back.content && back.retention.content?.verifiedAt);
		engine.time.offsetMs += 1_000;
		const now = engine.clock();
		const erasing = planErasure(back, engine.ids.random("subjectRequest"), now, false, now) as Transition;
		assert.ok(await engine.store.messages.transition(erasing));
		assert.equal(await engine.store.messages.transition({ ...erasing, unset: [] }), false, "once");
		const again = await engine.read(message._id);
		assert.deepEqual([again.content, again.retention.content?.verifiedAt], [undefined, undefined]);
		engine.time.offsetMs += limits.requestCertifyMs + 1;
		await engine.activities.sweepPage();
		const record = (await engine.read(message._id)).retention.content;
		assert.deepEqual([record?.erasedAt, record?.cohortId], [now, content?.cohortId]);
		assert.ok(record?.verifiedAt);
		assert.equal((await certificatesAbout(message.tenantId, message.submissionId)).length, 2);
	});

	it("of what a hold keeps from being erased again stay incomplete, and are not issued all the time", async () => {
		const message = await engine.accept();
		const { content } = message;
		await engine.store.messages.transition({ ...end(message, "delivered", engine.clock()), from: ["accepted"] });
		await engine.store.messages.transition({ id: message._id, set: { content, holds: ["hold_a"] } });
		await engine.activities.finalise(message.submissionId, false);
		const held = await engine.read(message._id);
		assert.ok(held.content);
		assert.equal(held.retention.content?.verifiedAt, undefined);
		assert.ok((held.nextCheckAt ?? 0) >= engine.clock() + limits.heldCohortCheckMs - 60_000);
		await engine.store.messages.transition({ id: message._id, set: { holds: [], nextCheckAt: engine.clock() } });
		await engine.activities.sweepPage();
		assert.equal((await engine.read(message._id)).content, undefined);
	});

	it("of a purge's page are incomplete when the store did not erase", async () => {
		const message = await delivered({ contentAtFinal: false });
		const cohortId = message.content?.cohortId as string;
		await dueNow(cohortId);
		const { messages } = engine.store;
		// A store that answers and does not do it.
		const transition: typeof messages.transition = ({ unset: _, ...change }) => messages.transition(change);
		const { content } = await engine.read(message._id);
		const erasing: typeof messages.erasePage = async (page) => {
			await messages.erasePage(page);
			await messages.transition({ id: message._id, set: { content } });
		};
		const store = { ...engine.store, messages: { ...messages, transition, erasePage: erasing } };
		const { closeCohort, erasePage, destroyCohort, sweepPage } = createActivities({ ...engine, store });
		assert.ok(await closeCohort(cohortId));
		assert.deepEqual(await erasePage(cohortId), { count: 0 }, "nothing has gone");
		assert.deepEqual(await certificatesAbout(message.tenantId, cohortId), []);
		await sweepPage();
		const told = await certificatesAbout(message.tenantId, message.submissionId);
		const certificate = told.find(({ status }) => status === "incomplete");
		assert.equal(certificate?.status, "incomplete");
		assert.equal(copyOf(certificate, "database document")?.status, "unverified");
		assert.equal((await engine.read(message._id)).retention.content?.verifiedAt, undefined);
		assert.deepEqual(await destroyCohort(cohortId), { outcome: "waiting" }, "nor is its key destroyed");
		assert.ok(await engine.memory.cohortKeys.exists(cohortId));
	});

	it("of a key are not issued while Vault still shows it, or can't be asked", async () => {
		const message = await delivered({ contentAtFinal: false });
		const cohortId = message.content?.cohortId as string;
		await dueNow(cohortId);
		const exists = [
			async () => true,
			async () => {
				throw new LetheError("keys_unavailable");
			},
		];
		for (const answer of exists) {
			const cohortKeys = { ...engine.memory.cohortKeys, exists: answer };
			const { closeCohort, erasePage, destroyCohort } = createActivities({ ...engine, cohortKeys });
			assert.ok(await closeCohort(cohortId));
			while ((await erasePage(cohortId)).count > 0);
			await assert.rejects(destroyCohort(cohortId), { code: "keys_unavailable" });
			const about = await certificatesAbout(message.tenantId, cohortId);
			assert.ok(about.every(({ objects }) => objects.every(({ object }) => object !== "cohort_key")));
			assert.equal((await engine.store.cohorts.find(cohortId))?.state, "condemned");
		}
		assert.deepEqual(await engine.activities.destroyCohort(cohortId), { outcome: "destroyed" });
		const about = await certificatesAbout(message.tenantId, cohortId);
		assert.ok(about.some(({ objects }) => objects.some(({ object }) => object === "cohort_key")));
	});

	it("that can't be signed are issued by the sweep later, and name the same erasure once", async () => {
		const message = await delivered();
		engine.memory.away.value = true;
		await engine.activities.finalise(message.submissionId, false);
		assert.deepEqual(await certificatesAbout(message.tenantId, message.submissionId), []);
		engine.memory.away.value = false;
		engine.time.offsetMs += limits.driverPatienceMs + 1;
		await Promise.all([engine.activities.sweepPage(), engine.activities.finalise(message.submissionId, false)]);
		assert.equal((await certificatesAbout(message.tenantId, message.submissionId)).length, 1);
		assert.equal((await engine.read(message._id)).certificates.length, 1);
	});
});
