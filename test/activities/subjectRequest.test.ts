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
			numbers.map((number) => engine.accept({ ...shape, subject: subjects.get(number) as Message["subject"] })),
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
		for (const message of messages) {
			const { content, address, receipts } = await engine.read(message._id);
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
		const last = await settled(id, hourMs / 2, ({ certificates }) => certificates.length > 1);
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
});
