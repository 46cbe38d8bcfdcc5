// A person asks to be forgotten: all of theirs goes and nothing of anyone else's, what is held goes when it is released, and they stay blocked.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { verifyCertificate } from "../../audit/verifyCertificate.ts";
import { limits } from "../../domain/limits.ts";
import type { Message } from "../../domain/message.ts";
import { end } from "../../domain/transition.ts";
import { openPolicies } from "../../policies/index.ts";
import { createEngine, type Engine, until } from "../harness/engine.ts";
import { openDoor } from "../harness/requests.ts";
import { spoilArchive } from "../harness/spoilArchive.ts";

const hourMs = 3600_000;
const numberOf = (subject: number) => `+4915112${String(345_000 + subject)}`;

describe("a subject's request", () => {
	let engine: Engine;
	let door: Awaited<ReturnType<typeof openDoor>>;
	before(async () => {
		engine = await createEngine({ sender: false, policies: () => openPolicies() });
		door = await openDoor(engine);
	});
	after(async () => {
		await door.close();
		await engine.close();
	});

	const facts: Message["facts"] = {
		recipientCountry: "DE",
		senderEstablishment: "DE",
		category: "transactional",
		dataClasses: ["contact"],
		context: { event: "send", lawfulBasis: "contract" },
	};

	/** Delivered messages whose class keeps content, to these numbers. */
	async function delivered(numbers: string[], more: Parameters<Engine["accept"]>[0] = {}): Promise<Message[]> {
		const now = engine.clock();
		const common = {
			tenantId: door.tenantId,
			facts,
			acceptedAt: now - 60_000,
			contentAtFinal: false,
			addressAtFinal: false,
		};
		const subjects = new Map(
			await Promise.all([...new Set(numbers)].map(async (number) => [number, await door.pseudonym(number)] as const)),
		);
		const shape = { ...common, deadlineAt: now + 60_000, closeAt: now + 120_000, ...more };
		const accepted = await Promise.all(
			numbers.map((number) => engine.accept({ subject: subjects.get(number) as Message["subject"], ...shape })),
		);
		await Promise.all(
			accepted.map((message) =>
				engine.store.messages.transition({ ...end(message, "delivered", engine.clock()), from: ["accepted"] }),
			),
		);
		return accepted;
	}
	const identity = (more: object = {}) => ({
		confirmed: true,
		method: "id_document",
		evidence: "case-a",
		ownedFrom: "2020-01-01T00:00:00Z",
		...more,
	});
	const record = async (body: object) => (await door.post("/v1/subject-requests", { channel: "letter", ...body })).json;
	const read = async (id: string) => (await door.get(`/v1/subject-requests/${id}`)).json;
	const step = (id: string, name: string, body: object) => door.post(`/v1/subject-requests/${id}/${name}`, body);
	/** Sweeps as the schedule does, the clock ahead by `ms`, until the request is as it should be. */
	const settled = async (id: string, ms: number, is: (request: Awaited<ReturnType<typeof read>>) => boolean) => {
		engine.time.offsetMs += ms;
		return until(async () => {
			await engine.activities.sweepPage();
			const request = await read(id);
			return is(request) && request;
		}, 60_000);
	};
	const isDone = (request: { erasure?: { step: string } }) => request.erasure?.step === "done";
	const certificateOf = async (id: string) => {
		const { json } = await door.get(`/v1/certificates/${id}`);
		const { x, kid } = await engine.memory.sign(new Uint8Array());
		const jwks = { keys: [{ kty: "OKP", crv: "Ed25519", x, kid }] };
		const verified = await verifyCertificate(json.jws, jwks, { now: engine.clock() });
		assert.ok(verified.valid);
		return verified.certificate;
	};

	it("erases the others though nobody can read one, is not said to be done while that is so, and goes on once it is mended", async () => {
		const number = numberOf(930);
		const [first, unread, last] = (await delivered([number, number, number])) as [Message, Message, Message];
		const stored = engine.connection.collection<Message>("messages");
		const sound = (await stored.findOne({ _id: unread._id })) as Message;
		await spoilArchive(engine.connection, await engine.read(unread._id));
		const { id } = await record({ kind: "erasure", number });
		await step(id, "identity", identity());
		const isGone = async ({ _id }: Message) => (await engine.read(_id)).content === undefined;
		await settled(id, limits.orphanPatienceMs, ({ erasure }) => erasure?.step === "certify");
		assert.deepEqual([await isGone(first), await isGone(last)], [true, true]);
		assert.ok((await stored.findOne({ _id: unread._id }))?.content);
		await engine.activities.sweepPage();
		const told = await engine.store.messages.findUnreadable(10);
		assert.ok(told.some(({ _id }) => _id === unread._id));
		assert.equal((await read(id)).erasure?.step, "certify");
		await stored.replaceOne({ _id: unread._id }, sound);
		await settled(id, limits.requestCheckMs, isDone);
		await until(() => isGone(unread), 60_000);
	});

	it("of 1,000 messages to 300 people, exactly one person's go but the held one, which goes within the hour of its release", async () => {
		const numbers = Array.from({ length: 1_000 }, (_, index) => numberOf(index % 300));
		const messages = await delivered(numbers);
		const number = numberOf(7);
		const own = messages.filter((_, index) => numbers[index] === number);
		assert.equal(own.length, 4);
		const [held, ...free] = own as [Message, ...Message[]];
		const hold = (await door.post("/v1/holds", { scope: "message", messageId: held._id, ground: "litigation" })).json;

		const { id, clocks, state } = await record({ kind: "erasure", number });
		assert.equal(state, "received");
		assert.match(clocks.respondBy, /^\d{4}-\d\d-\d\d$/);
		assert.equal((await step(id, "identity", identity())).status, 200);
		const first = await settled(id, limits.orphanPatienceMs, isDone);
		const found = await Promise.all(messages.map(({ _id }) => engine.read(_id)));
		for (const [index, message] of messages.entries()) {
			const { content, address, receipts } = found[index] as Message;
			const isGone = content === undefined && address === undefined && receipts.length === 0;
			assert.equal(isGone, free.includes(message), message._id);
		}

		const [certificateId] = first.certificates;
		const certificate = await certificateOf(certificateId);
		assert.deepEqual([certificate.kind, certificate.requestId, certificate.status], ["request", id, "complete"]);
		const named = new Set(certificate.objects.flatMap(({ messageIds }) => messageIds ?? []));
		assert.deepEqual([...named].sort(), free.map(({ _id }) => _id).sort());
		const kept = certificate.kept?.filter(({ reason }) => reason === "hold" || reason === "conflict");
		assert.deepEqual(
			kept?.map(({ object, messageIds }) => [object, messageIds]),
			[
				["address", [held._id]],
				["content", [held._id]],
			],
		);
		assert.ok(kept?.every(({ citations }) => citations.includes("GDPR Art. 17(3)(e)")));
		assert.ok(certificate.copies.some(({ copy, endsAt }) => copy === "database backups" && endsAt !== undefined));
		for (const { _id } of free) assert.ok((await engine.read(_id)).certificates.includes(certificateId));

		const release = await door.post(`/v1/holds/${hold.id}/release`, {});
		assert.equal(release.status, 200);
		const last = await settled(id, 0, ({ certificates }) => certificates.length > 1);
		const after = await engine.read(held._id);
		assert.deepEqual([after.content, after.address], [undefined, undefined]);
		const final = await certificateOf(last.certificates.at(-1));
		assert.ok(final.objects.some(({ messageIds }) => messageIds?.includes(held._id)));
		assert.ok(final.kept?.every(({ reason }) => reason !== "hold"));

		// The list comes again, as lists do.
		await door.post("/v1/opt-outs", { number, scope: "none", source: "import" });
		const sender = await door.addKey(["sender"]);
		const consent = {
			type: "express",
			obtainedAt: "2021-01-01T00:00:00Z",
			purposes: ["marketing"],
			evidence: "list-a",
		};
		const again = { to: number, body: "Hallo", category: "marketing", lawfulBasis: "consent", consent };
		const sent = await door.post("/v1/messages", again, sender);
		assert.equal(sent.json.code, "policy_denied");
		assert.ok(
			sent.json.reasons.some((reason: string) => /OPTED_OUT|SUPPRESSED/.test(reason)),
			sent.text,
		);
	});

	it("under Californian law it cites that law and nothing of Europe's, in the answer and in the certificate", async () => {
		const own = await openDoor(engine, "US");
		after(() => own.close());
		const number = "+14155550142";
		const place = { recipientCountry: "US", recipientRegion: "US-CA", senderEstablishment: "US" };
		const message = await engine.accept({
			...{ tenantId: own.tenantId, facts: { ...facts, ...place }, contentAtFinal: false, addressAtFinal: false },
			subject: (await own.pseudonym(number)) as Message["subject"],
			acceptedAt: engine.clock() - 60_000,
		});
		await engine.store.messages.transition({ ...end(message, "delivered", engine.clock()), from: ["accepted"] });
		await own.post("/v1/opt-outs", { number, scope: "marketing", source: "phone" });
		const asked = { kind: "erasure", number, channel: "letter", subjectResidence: "US-CA" };
		const { id } = (await own.post("/v1/subject-requests", asked)).json;
		await own.post(`/v1/subject-requests/${id}/identity`, identity());
		engine.time.offsetMs += limits.orphanPatienceMs;
		const done = await until(async () => {
			await engine.activities.sweepPage();
			const { json } = await own.get(`/v1/subject-requests/${id}`);
			return isDone(json) && json;
		}, 60_000);
		const { json } = await own.get(`/v1/certificates/${done.certificates[0]}`);
		const signed = Buffer.from(json.jws.split(".")[1], "base64url").toString();
		const told = JSON.stringify(done.erasure.kept) + signed;
		assert.ok(done.erasure.kept.length > 1 && told.includes("Cal. Civ. Code 1798.105"), told);
		assert.doesNotMatch(told, /GDPR|PECR/);
	});

	it("what was sent to the number while it was another's is neither erased nor exported", async () => {
		const number = numberOf(900);
		const now = engine.clock();
		const [before] = await delivered([number], { acceptedAt: now - 40 * 24 * hourMs });
		const [since] = await delivered([number], { acceptedAt: now - 10 * 24 * hourMs });
		// Moved after the first queue had surely not sent it; nobody knows what became of the attempt on the second.
		const attempts = [
			{
				number: 1,
				claim: "c",
				startedAt: now - 3,
				leaseUntil: now,
				sendQueue: "elsewhere",
				outcome: "failed" as const,
			},
			{ number: 2, claim: "d", startedAt: now - 2, leaseUntil: now, sendQueue: "left", outcome: "ambiguous" as const },
			{ number: 3, claim: "e", startedAt: now - 1, leaseUntil: now, sendQueue: "queue", outcome: "accepted" as const },
		];
		await engine.store.messages.transition({ id: since?._id ?? "", set: { attempts } });
		const ownedFrom = new Date(now - 30 * 24 * hourMs).toISOString();
		const keyOf = async (at: number): Promise<string> => {
			const _id = engine.ids.random("recipientKey");
			const { mac } = await door.pseudonym(number);
			await engine.store.subjectRecords.insert({
				...{ _id, kind: "recipient_key", tenantId: door.tenantId, subjects: [mac], x: "x", version: "lethe1" },
				...{ at, recordedAt: at, recordedBy: "key" },
			});
			return _id;
		};
		const [othersKey, ownKey] = [await keyOf(now - 40 * 24 * hourMs), await keyOf(now - 10 * 24 * hourMs)];
		const access = await record({ kind: "access", number });
		const early = await step(access.id, "export", { purpose: "answer" });
		assert.deepEqual([early.status, early.json.code], [409, "identity_unchecked"]);
		await step(access.id, "identity", identity({ ownedFrom }));
		const { status, json, text, headers } = await step(access.id, "export", { purpose: "answer" });
		assert.equal(status, 200, text);
		assert.equal(headers["cache-control"], "no-store");
		assert.deepEqual(
			json.messages.map(({ id }: { id: string }) => id),
			[since?._id],
		);
		assert.deepEqual(
			json.recipientKeys.map(({ id }: { id: string }) => id),
			[ownKey],
		);
		assert.deepEqual([json.messages[0].text, json.messages[0].number], ["The text in clear", "+12025550142"]);
		assert.deepEqual(json.messages[0].handedOver, [
			{ at: new Date(now - 2).toISOString(), to: "left" },
			{ at: new Date(now - 1).toISOString(), to: "simulator" },
		]);
		assert.deepEqual(json.information.recipients, ["left", "simulator"]);
		const [{ id: exportId }] = (await read(access.id)).exports;
		assert.deepEqual(await engine.store.subjectExports.pages(exportId), [], "nothing of it is left in the store");
		assert.equal(await engine.store.subjectExports.find(exportId), undefined);
		const page = await step(access.id, "export", { purpose: "answer", format: "html" });
		assert.match(page.headers["content-type"] as string, /^text\/html/);
		assert.ok(page.text.includes("The text in clear") && page.text.includes("<table>"));
		assert.doesNotMatch(page.text, /EraseBy/, "a field is called what its heading says");
		assert.equal((await step(access.id, "close", { outcome: "granted" })).json.closed.outcome, "granted");

		const erasure = await record({ kind: "erasure", number });
		await step(erasure.id, "identity", identity({ ownedFrom }));
		await settled(erasure.id, limits.orphanPatienceMs, isDone);
		assert.ok((await engine.read(before?._id as string)).content);
		assert.equal((await engine.read(since?._id as string)).content, undefined);
		await until(async () => {
			await engine.activities.sweepPage();
			return (await engine.store.subjectRecords.find(ownKey)) === undefined;
		}, 30_000);
		assert.ok(await engine.store.subjectRecords.find(othersKey));
		const proof = await door.get(`/v1/certificates?about=${ownKey}`);
		assert.equal(proof.json.items[0].kind, "record");
	});

	it("what was accepted after a rotation of the pseudonyms' key, and before the request was confirmed, is exported and erased", async () => {
		const number = numberOf(920);
		const [access, erasure] = [await record({ kind: "access", number }), await record({ kind: "erasure", number })];
		const { version, mac } = await door.pseudonym(number);
		const subject = { version: version + 1, mac: `${version + 1}.rotated`, others: [mac] };
		const [before] = await delivered([number]);
		const [since] = await delivered([number], { subject });
		const both = [before?._id, since?._id].toSorted();
		await step(access.id, "identity", identity());
		const { json } = await step(access.id, "export", { purpose: "answer" });
		assert.deepEqual(json.messages.map(({ id }: { id: string }) => id).toSorted(), both);

		await step(erasure.id, "identity", identity());
		const { certificates } = await settled(erasure.id, limits.orphanPatienceMs, isDone);
		for (const id of both) assert.equal((await engine.read(id as string)).content, undefined);
		const { objects } = await certificateOf(certificates[0]);
		assert.deepEqual([...new Set(objects.flatMap(({ messageIds = [] }) => messageIds))].toSorted(), both);
	});

	it("the person's consents end, each with its evidence first; a later owner's and a fresh opt-in stand", async () => {
		const number = numberOf(921);
		const { mac } = await door.pseudonym(number);
		const consent = async (at: number): Promise<string> => {
			const _id = engine.ids.random("consent");
			await engine.store.subjectRecords.insert({
				...{ _id, kind: "consent", tenantId: door.tenantId, subjects: [mac], at, recordedAt: at, recordedBy: "key" },
				...{ type: "express", purposes: ["marketing"], wording: "w1", evidence: "e", keptAfterEnd: "P1Y" },
			});
			return _id;
		};
		const isEnded = async (id: string) => {
			const record = await engine.store.subjectRecords.find(id);
			return record?.kind === "consent" && record.ended?.source === "erasure";
		};
		const now = engine.clock();
		const own = await consent(now - 20 * 24 * hourMs);
		const laterOwners = await consent(now - 5 * 24 * hourMs);
		const [message] = await delivered([number], { acceptedAt: now - 5 * 24 * hourMs });
		await door.post("/v1/holds", { scope: "message", messageId: message?._id, ground: "litigation" });
		await delivered([number], { acceptedAt: now - 20 * 24 * hourMs });
		const ownedUntil = new Date(now - 10 * 24 * hourMs).toISOString();
		const { id } = await record({ kind: "erasure", number });
		await step(id, "identity", identity({ ownedUntil }));
		await settled(id, limits.orphanPatienceMs, isDone);
		assert.deepEqual([await isEnded(own), await isEnded(laterOwners)], [true, false]);
		const { erasure } = (await engine.store.subjectRequests.find(id)) ?? {};
		assert.equal(erasure?.kept.find(({ object }) => object === "consent")?.count, 1);
		const bundles = await engine.store.evidence.findAbout([own]);
		const acts = bundles.flatMap((bundle) => bundle.entries.map((text) => JSON.parse(text)));
		assert.equal(acts.filter(({ type, about }) => type === "consent_withdrawn" && about === own).length, 1);

		const other = await record({ kind: "erasure", number });
		await step(other.id, "identity", identity({ ownedFrom: ownedUntil }));
		await settled(other.id, limits.orphanPatienceMs, isDone);
		assert.ok(await isEnded(laterOwners));
		const fresh = await consent(engine.clock());
		const passOf = async () => (await engine.store.subjectRequests.find(other.id))?.erasure?.pass ?? 0;
		const before = await passOf();
		engine.time.offsetMs += limits.requestCheckMs + 1;
		await until(async () => {
			await engine.activities.sweepPage();
			return (await passOf()) > before && isDone(await read(other.id));
		}, 30_000);
		assert.equal(await isEnded(fresh), false);
	});

	it("an accounting of disclosures lists every class that tells of health, however it is named, and no other", async () => {
		const number = numberOf(907);
		const health = ["phi", "health", "consumer_health", "reproductive_health", "genetic", "biometric"];
		const told = [...health, "sex_life", "sexual_orientation", "special_category"];
		const classes = [...told, "contact", "order", "financial"];
		const messages = await delivered(classes.map(() => number));
		const attempt = { number: 1, claim: "c", startedAt: engine.clock() - 2, leaseUntil: engine.clock() };
		const attempts = [{ ...attempt, sendQueue: "queue", outcome: "accepted" as const }];
		for (const [index, { _id }] of messages.entries()) {
			await engine.store.messages.transition({ id: _id, set: { attempts, dataClasses: [classes[index]] as string[] } });
		}
		const { id } = await record({ kind: "access", number });
		await step(id, "identity", identity());
		const { json, text } = await step(id, "export", { purpose: "answer", report: "disclosures" });
		const listed = json.disclosures?.map(({ what }: { what: string[] }) => what.join());
		assert.deepEqual(listed?.sort(), told.toSorted(), text);
	});

	it("a message that is queued ends unsent, one at the carrier goes with its receipt, and both are certified", async () => {
		const number = numberOf(901);
		const subject = await door.pseudonym(number);
		const shape = {
			tenantId: door.tenantId,
			subject,
			facts,
			acceptedAt: engine.clock() - 1_000,
			contentAtFinal: false,
		};
		const at = engine.clock() + 24 * hourMs;
		const queued = await engine.accept({ ...shape, state: "queued", deadlineAt: at, closeAt: at });
		const open = { ...shape, state: "submitted" as const, attempt: 1, carrierId: "c-1", deadlineAt: at, closeAt: at };
		const sent = await engine.accept(open);
		const { id } = await record({ kind: "erasure", number });
		await step(id, "identity", identity());
		const first = await settled(id, limits.orphanPatienceMs, isDone);
		assert.equal((await engine.read(queued._id)).state, "cancelled");
		assert.equal((await engine.read(queued._id)).content, undefined);
		assert.ok((await engine.read(sent._id)).content, "the carrier has it still");
		assert.ok(first.erasure.kept.some(({ reason }: { reason: string }) => reason === "in_delivery"));
		assert.equal((await step(id, "close", { outcome: "granted" })).json.code, "invalid_request");
		await engine.store.messages.transition({
			...end(await engine.read(sent._id), "delivered", engine.clock()),
			from: ["submitted"],
		});
		assert.equal((await engine.read(sent._id)).content, undefined, "by the update that ended it");
		const last = await settled(id, hourMs, ({ certificates }) => certificates.length > first.certificates.length);
		const certificate = await certificateOf(last.certificates.at(-1));
		const named = certificate.objects.flatMap(({ messageIds }) => messageIds ?? []);
		assert.ok(named.includes(queued._id) && named.includes(sent._id));
		assert.equal((await step(id, "close", { outcome: "granted" })).status, 200);
	});

	for (const outcome of ["withdrawn", "refused"]) {
		it(`${outcome}, it erases nothing more: what a hold kept of it has its own dates again`, async () => {
			const number = numberOf(outcome === "refused" ? 922 : 923);
			const [held, free] = await delivered([number, number], { closeAt: engine.clock() + 10 * hourMs });
			const hold = (await door.post("/v1/holds", { scope: "message", messageId: held?._id, ground: "litigation" }))
				.json;
			const { id } = await record({ kind: "erasure", number });
			await step(id, "identity", identity());
			await settled(id, limits.orphanPatienceMs, isDone);
			const marked = (await engine.read(held?._id as string)).retention.content;
			assert.deepEqual([marked?.request, marked?.inPlace], [id, true]);
			assert.equal((await step(id, "close", { outcome, ground: "identity" })).status, 200);
			await settled(id, 0, isDone);
			const { retention } = await engine.read(held?._id as string);
			assert.deepEqual(
				[retention.content, retention.address, retention.receipt],
				[held?.retention.content, held?.retention.address, held?.retention.receipt],
			);

			await door.post(`/v1/holds/${hold.id}/release`, {});
			engine.time.offsetMs += limits.requestCheckMs + 1;
			for (let turns = 0; turns < 5; turns++) await engine.activities.sweepPage();
			const { state, erasure } = (await engine.store.subjectRequests.find(id)) ?? {};
			assert.deepEqual([state, erasure?.step, erasure?.recheckAt], ["closed", "done", undefined]);
			assert.ok((await engine.read(held?._id as string)).content);
			assert.equal((await engine.read(free?._id as string)).content, undefined, "what went is gone");
		});
	}

	it("withdrawn, what it had marked has its own dates again though nobody can read it", async () => {
		const number = numberOf(931);
		const [held] = (await delivered([number], { closeAt: engine.clock() + 10 * hourMs })) as [Message];
		await door.post("/v1/holds", { scope: "message", messageId: held._id, ground: "litigation" });
		const { id } = await record({ kind: "erasure", number });
		await step(id, "identity", identity());
		await settled(id, limits.orphanPatienceMs, isDone);
		const marked = await engine.read(held._id);
		assert.equal(marked.retention.content?.request, id);
		await spoilArchive(engine.connection, marked);
		assert.equal((await step(id, "close", { outcome: "withdrawn" })).status, 200);
		await settled(id, 0, isDone);
		const stored = engine.connection.collection<Message>("messages");
		const { retention } = (await stored.findOne({ _id: held._id })) as Message;
		assert.deepEqual(
			[retention.content, retention.address, retention.receipt],
			[held.retention.content, held.retention.address, held.retention.receipt],
		);
		await stored.deleteOne({ _id: held._id });
	});

	it("a conflict is a task for a person: nothing goes before the decision, and what is decided does", async () => {
		const number = numberOf(902);
		const [message] = await delivered([number]);
		const hold = { scope: "message", messageId: message?._id, ground: "us_subpoena" };
		const placed = (await door.post("/v1/holds", hold)).json;
		const { id } = await record({ kind: "erasure", number });
		await step(id, "identity", identity());
		const first = await settled(id, limits.orphanPatienceMs, (request) => isDone(request) && request.alerts.length > 0);
		assert.equal(first.state, "deciding");
		assert.deepEqual(
			first.tasks.map(({ name, messageIds }: Record<string, unknown>) => [name, messageIds]),
			[["conflict", [message?._id]]],
		);
		assert.ok(first.tasks[0].reasons.includes("FOREIGN_OBLIGATION_NOT_17_3_B"));
		assert.ok(first.alerts.some(({ code }: { code: string }) => code === "decision_due"));
		assert.equal((await step(id, "close", { outcome: "partly_granted" })).json.code, "request_state");
		const wrong = await step(id, "decide", { task: "conflict", verdict: "done", ground: "x" });
		assert.equal(wrong.json.code, "invalid_request");
		await step(id, "decide", { task: "conflict", verdict: "erase", ground: "no_claim" });
		const second = await settled(id, 0, (request) => isDone(request) && request.state === "ready");
		assert.ok((await engine.read(message?._id as string)).content, "a hold is released, not overruled");
		assert.ok(second.erasure.kept.some(({ reason }: { reason: string }) => reason === "hold"));
		await door.post(`/v1/holds/${placed.id}/release`, {});
		await settled(id, hourMs / 2, ({ certificates }) => certificates.length > 0);
		assert.equal((await engine.read(message?._id as string)).content, undefined);
	});

	it("of which all is held is executed once, however often it is looked at again", async () => {
		const number = numberOf(908);
		const [message] = await delivered([number]);
		await door.post("/v1/holds", { scope: "message", messageId: message?._id, ground: "litigation" });
		const { id } = await record({ kind: "erasure", number });
		await step(id, "identity", identity());
		await settled(id, limits.orphanPatienceMs, isDone);
		const passOf = async () => (await engine.store.subjectRequests.find(id))?.erasure?.pass ?? 0;
		const before = await passOf();
		for (let more = 1; more <= 3; more++) {
			engine.time.offsetMs += limits.requestCheckMs + 1;
			await until(async () => {
				await engine.activities.sweepPage();
				return (await passOf()) === before + more && isDone(await read(id));
			}, 30_000);
		}
		const { log = [] } = (await engine.store.subjectRequests.find(id)) ?? {};
		assert.equal(log.filter(({ type }) => type === "executed").length, 1);
		const bundles = await engine.store.evidence.findAbout([id]);
		const entries = bundles.flatMap((bundle) => bundle.entries.map((text) => JSON.parse(text)));
		assert.equal(entries.filter(({ type, about }) => type === "request_executed" && about === id).length, 1);
	});

	it("several workers at once, each from where another was, erase once and certify once", async () => {
		const number = numberOf(906);
		const messages = await delivered(Array.from({ length: 30 }, () => number));
		const { id } = await record({ kind: "erasure", number });
		await step(id, "identity", identity());
		engine.time.offsetMs += limits.orphanPatienceMs;
		const request = await until(async () => {
			await Promise.all(Array.from({ length: 3 }, () => engine.activities.stepRequest(id)));
			const now = await read(id);
			return isDone(now) && now;
		}, 60_000);
		assert.equal(request.certificates.length, 1);
		assert.equal(request.erasure.erasedCount, 60);
		for (const { _id } of messages) {
			const { content, certificates, evidence } = await engine.read(_id);
			assert.equal(content, undefined);
			assert.deepEqual(certificates, request.certificates);
			assert.equal(evidence.filter(({ type, code }) => type === "erased" && code === "content").length, 1);
		}
	});

	it("a restriction suspends sending until it is lifted, and erases nothing", async () => {
		const number = numberOf(903);
		const [message] = await delivered([number]);
		const { id } = await record({ kind: "restriction", number });
		const { holdId, state } = (await step(id, "identity", identity())).json;
		assert.equal(state, "ready");
		const again = await step(id, "identity", identity());
		assert.equal(again.json.code, "request_state");
		const sender = await door.addKey(["sender"]);
		const text = { to: number, body: "Hallo", category: "transactional", lawfulBasis: "contract" };
		assert.equal((await door.post("/v1/messages", text, sender)).json.code, "policy_denied");
		assert.deepEqual((await engine.read(message?._id as string)).holds, [holdId]);
		await door.post(`/v1/holds/${holdId}/release`, {});
		assert.equal((await door.post("/v1/messages", text, sender)).status, 202);
	});

	it("a restriction that was recorded before a rotation of the pseudonyms' key holds what was accepted after it, until it is lifted", async () => {
		const number = numberOf(907);
		const { id } = await record({ kind: "restriction", number });
		const { version, mac } = await door.pseudonym(number);
		const subject = { version: version + 1, mac: `${version + 1}.restricted`, others: [mac] };
		const [message] = await delivered([number], { subject });
		const read = () => engine.read(message?._id as string);
		const { holdId } = (await step(id, "identity", identity())).json;
		const { holds, restrictedBy } = await read();
		assert.deepEqual([holds, restrictedBy], [[holdId], [holdId]]);
		await door.post(`/v1/holds/${holdId}/release`, {});
		const released = await read();
		assert.deepEqual([released.holds, released.restrictedBy], [[], []]);
	});

	it("the law's clock raises each reminder once, and an extension only within the law and in time", async () => {
		const { id, clocks } = await record({ kind: "access", number: numberOf(904) });
		assert.ok(clocks.extendableTo > clocks.respondBy);
		const has = (code: string) => (request: { alerts: { code: string }[] }) =>
			request.alerts.some((alert) => alert.code === code);
		const untilMs = Date.parse(clocks.respondBy) - engine.clock();
		await settled(id, untilMs - 5 * 24 * hourMs, has("answer_soon"));
		const told = { reason: "complex", toldAt: new Date(engine.clock()).toISOString() };
		const beyond = await step(id, "extend", { to: "2099-01-01", ...told });
		assert.equal(beyond.json.code, "extension_refused");
		const extended = await step(id, "extend", { to: clocks.extendableTo, ...told });
		assert.equal(extended.json.clocks.extendedTo, clocks.extendableTo);
		const late = await settled(id, Date.parse(clocks.extendableTo) + 25 * hourMs - engine.clock(), has("answer_late"));
		const codes = late.alerts.map(({ code }: { code: string }) => code);
		assert.equal(codes.filter((code: string) => code === "answer_late").length, 1);
		const log = (await door.get("/v1/subject-requests/log")).json;
		assert.ok(log.requests.some((row: { id: string; response: string }) => row.id === id && row.response === "open"));
	});

	it("the record of a request goes in its own time, with a certificate; the log and the lists hold no number", async () => {
		const number = numberOf(905);
		const { id } = await record({ kind: "objection", number });
		const closed = (await step(id, "close", { outcome: "granted" })).json;
		const stored = JSON.stringify(await engine.store.subjectRequests.find(id));
		for (const text of [stored, (await door.get("/v1/subject-requests")).text])
			assert.ok(!text.includes(number.slice(3)));
		engine.time.offsetMs += Date.parse(closed.eraseBy) - engine.clock() + 1;
		await until(async () => {
			await engine.activities.sweepPage();
			return (await door.get(`/v1/subject-requests/${id}`)).status === 404;
		});
		const { items } = (await door.get(`/v1/certificates?about=${id}`)).json;
		assert.deepEqual(
			items.map(({ kind }: { kind: string }) => kind),
			["record"],
		);
	});
});
