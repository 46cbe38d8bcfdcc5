// Carrier callbacks: only what is rightly signed, fresh, new and in order moves a message.

import assert from "node:assert/strict";
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { after, before, describe, it } from "node:test";
import { LetheError } from "../../../../domain/errors.ts";
import { parkingTenant } from "../../../../domain/ids.ts";
import { limits } from "../../../../domain/limits.ts";
import type { Message } from "../../../../domain/message.ts";
import { createTestApi, receiptOf, type TestApi } from "../../harness.ts";

describe("POST /v1/callbacks/{carrier}/{queue}/receipts", () => {
	let api: TestApi;
	let key: string;
	before(async () => {
		api = await createTestApi();
		({ key } = await api.addTenant());
		api.callbackKeys.set("other", generateKeyPairSync("ed25519"));
	});
	after(() => api.close());

	const sentMessage = async () => {
		const { json } = await api.post(key);
		return { id: json.id as string, carrierId: await api.sent(json.id) };
	};
	const parkedCount = () => api.connection.collection("parkedReceipts").countDocuments();
	const unchanged = async (id: string, call: () => Promise<{ status: number; code: string | undefined }>) => {
		const before = await api.read(id);
		const answer = await call();
		assert.deepEqual(await api.read(id), before);
		return answer;
	};

	it("a signed receipt ends its message, erases what is due and settles its group", async () => {
		const { id, carrierId } = await sentMessage();
		assert.equal((await api.callback(receiptOf(carrierId))).status, 200);
		const message = await api.read(id);
		assert.equal(message.state, "delivered");
		assert.equal(message.content, undefined);
		assert.equal(message.receipts[0]?.effect, "applied");
		assert.ok(api.seen.settled.includes(message.submissionId));
	});

	it("a message in parts is delivered once each part is, though their receipts come at once, and fails with one", async () => {
		const parts = (length: number) => Array.from({ length }, () => `p-${randomBytes(6).toString("hex")}`);
		const { json: first } = await api.post(key);
		const [early, ...others] = await api.sent(first.id, parts(24));
		assert.equal((await api.callback(receiptOf(early as string))).status, 200);
		const before = await api.read(first.id);
		assert.deepEqual([before.state, before.receipts.map(({ effect }) => effect)], ["submitted", ["noted"]]);
		const answers = await Promise.all(others.map((part) => api.callback(receiptOf(part))));
		assert.ok(answers.every(({ status }) => status === 200));
		const after = await api.read(first.id);
		assert.equal(after.state, "delivered");
		assert.deepEqual(after.receipts.map(({ effect }) => effect).sort(), ["applied", ...Array(23).fill("noted")]);
		const { json: second } = await api.post(key);
		const [delivered, failed] = await api.sent(second.id, parts(5));
		await api.callback(receiptOf(delivered as string));
		await api.callback(receiptOf(failed as string, "undelivered"));
		assert.equal((await api.read(second.id)).state, "undelivered");
	});

	it("of the last two parts one sees the other, though as many receipts are kept as may be", async () => {
		const { json } = await api.post(key);
		const [first, second] = await api.sent(json.id, ["full-1", "full-2"]);
		const noted = { attempt: 1, state: "submitted", at: 1, receivedAt: 1, effect: "noted", carrierId: first };
		const receipts = Array.from({ length: limits.receiptsKeptMax }, (_, index) => ({
			...noted,
			eventId: `n-${index}`,
		}));
		await api.connection.collection<Message>("messages").updateOne({ _id: json.id }, { $set: { receipts } } as object);
		await Promise.all([first, second].map((part) => api.callback(receiptOf(part as string))));
		const message = await api.read(json.id);
		assert.deepEqual([message.state, message.receipts.length], ["delivered", limits.receiptsKeptMax]);
	});

	it("an id that a carrier gives again is that of the message which had it last", async () => {
		const states = async (ids: string[]) => Promise.all(ids.map(async (id) => (await api.read(id)).state));
		const ids: string[] = [];
		// Whichever the store would name first.
		for (let sent = 0; sent < 4; sent++) {
			api.time.offsetMs += 1;
			const { json } = await api.post(key);
			await api.sent(json.id, "c-again");
			ids.push(json.id);
			assert.equal((await api.callback(receiptOf("c-again"))).status, 200);
			assert.deepEqual(new Set(await states(ids)), new Set(["delivered"]));
		}
	});

	it("a forged receipt changes nothing", async () => {
		const { id, carrierId } = await sentMessage();
		const event = receiptOf(carrierId);
		const altered = JSON.stringify({ ...event, status: "undelivered" });
		const tampered = await unchanged(id, () => api.callback(event, { tamper: altered }));
		assert.deepEqual(tampered, { status: 401, code: "callback_unauthenticated" });
		const empty = await unchanged(id, () => api.callback(event, { tamper: "" }));
		assert.equal(empty.status, 401);
	});

	it("another queue's key signs nothing here, and another queue's message stays out of reach", async () => {
		const { id, carrierId } = await sentMessage();
		const event = receiptOf(carrierId);
		const wrongKey = await unchanged(id, () => api.callback(event, { signer: "other" }));
		assert.equal(wrongKey.code, "callback_unauthenticated");
		const wrongQueue = await unchanged(id, () => api.callback(event, { queue: "other" }));
		assert.equal(wrongQueue.status, 200);
	});

	it("a stale receipt moves nothing, is kept as evidence, and has the carrier asked", async () => {
		const { id, carrierId } = await sentMessage();
		const at = api.clock() - limits.callbackFreshnessMs - 5_000;
		assert.equal((await api.callback(receiptOf(carrierId), { at })).status, 200);
		const message = await api.read(id);
		assert.equal(message.state, "submitted");
		assert.equal(message.receipts[0]?.effect, "stale");
		assert.ok((message.nextCheckAt ?? Number.POSITIVE_INFINITY) <= api.clock());
	});

	it("a stale receipt of no known message is not parked: later it would pass for a fresh one", async () => {
		const before = await parkedCount();
		const at = api.clock() - limits.callbackFreshnessMs - 5_000;
		assert.equal((await api.callback(receiptOf("c-unknown-stale"), { at })).status, 200);
		assert.equal(await parkedCount(), before);
	});

	it("a replayed receipt is answered and changes nothing, though Redis was emptied in between", async () => {
		const { id, carrierId } = await sentMessage();
		const event = receiptOf(carrierId, "sent");
		const at = api.clock();
		const replay = () => unchanged(id, () => api.callback(event, { at }));
		await api.callback(event, { at });
		assert.equal((await replay()).status, 200);
		api.replays.known.clear();
		assert.equal((await replay()).status, 200);
		await api.callback(receiptOf(carrierId));
		api.replays.known.clear();
		assert.equal((await replay()).status, 200);
	});

	it("what is remembered of a callback keeps its repeat from the store, and another's from nothing", async () => {
		const { id, carrierId } = await sentMessage();
		const event = receiptOf(carrierId);
		const at = api.clock();
		await api.callback(event, { at, queue: "other" });
		await api.callback(event, { at });
		assert.equal((await api.read(id)).state, "delivered");
		const before = await api.counted("replayed");
		const reads: unknown[] = [];
		const { findByCarrierId } = api.store.messages;
		api.store.messages.findByCarrierId = (...given) => {
			reads.push(given);
			return findByCarrierId(...given);
		};
		try {
			assert.equal((await api.callback(event, { at })).status, 200);
		} finally {
			api.store.messages.findByCarrierId = findByCarrierId;
		}
		assert.deepEqual([reads, await api.counted("replayed")], [[], before + 1]);
	});

	it("the same callback ten times at once is taken once and counted once", async () => {
		const { id, carrierId } = await sentMessage();
		const before = await api.counted("applied");
		const [event, at] = [receiptOf(carrierId), api.clock()];
		const answers = await Promise.all(Array.from({ length: 10 }, () => api.callback(event, { at })));
		assert.ok(answers.every(({ status }) => status === 200));
		assert.equal((await api.read(id)).receipts.length, 1);
		assert.equal(await api.counted("applied"), before + 1);
	});

	it("what could not be taken is not remembered: its carrier brings it again", async () => {
		const { id, carrierId } = await sentMessage();
		const [event, at] = [receiptOf(carrierId), api.clock()];
		const { findByCarrierId } = api.store.messages;
		api.store.messages.findByCarrierId = async () => Promise.reject(new LetheError("store_unavailable"));
		const refused = await api.callback(event, { at });
		api.store.messages.findByCarrierId = findByCarrierId;
		assert.equal(refused.status, 503);
		assert.equal((await api.callback(event, { at })).status, 200);
		assert.equal((await api.read(id)).state, "delivered");
	});

	it("a receipt out of order is noted and takes nothing back", async () => {
		const { id, carrierId } = await sentMessage();
		await api.callback(receiptOf(carrierId, "delivered"));
		await api.callback(receiptOf(carrierId, "sent"));
		await api.callback(receiptOf(carrierId, "undelivered"));
		const message = await api.read(id);
		assert.equal(message.state, "delivered");
		assert.deepEqual(
			message.receipts.map(({ effect }) => effect),
			["applied", "noted", "late"],
		);
	});

	it("ten receipts of one message at once apply once", async () => {
		const { id, carrierId } = await sentMessage();
		const events = Array.from({ length: 10 }, (_, index) =>
			receiptOf(carrierId, index % 2 ? "delivered" : "undelivered"),
		);
		const answers = await Promise.all(events.map((event) => api.callback(event)));
		assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]));
		const { receipts } = await api.read(id);
		assert.equal(receipts.length, 10);
		assert.equal(receipts.filter(({ effect }) => effect === "applied").length, 1);
	});

	it("a receipt before its message is parked encrypted, once, for 72 hours at most", async () => {
		const event = receiptOf("c-early");
		await api.callback(event);
		await api.callback(event);
		const parked = await api.store.parkedReceipts.findByCarrierId("queue", "c-early");
		assert.equal(parked.length, 1);
		const [receipt] = parked;
		assert.ok(receipt);
		assert.ok(receipt.eraseBy <= api.clock() + 72 * 3600_000);
		assert.ok(receipt.eraseBy > api.clock() + limits.receiptGraceMs);
		assert.ok(!JSON.stringify(receipt).includes(event.eventId));
		const place = { tenantId: parkingTenant, messageId: receipt._id, object: "receipt" };
		const opened = JSON.parse((await api.encryptionFor.decrypt({ ...place, sealed: receipt.sealed })).reveal());
		assert.equal(opened.eventId, event.eventId);
		assert.equal(opened.state, "delivered");
		const cohort = await api.store.cohorts.find(receipt.sealed.cohortId);
		assert.equal(cohort?.dueAt, receipt.eraseBy);
	});

	it("an unknown queue, or one of another carrier, answers like absence", async () => {
		const post = (url: string) => api.app.inject({ method: "POST", url, payload: "{}" });
		assert.equal((await post("/v1/callbacks/simulator/nowhere/receipts")).statusCode, 404);
		assert.equal((await post("/v1/callbacks/twilio/queue/receipts")).statusCode, 404);
	});

	it("bodies that are no receipts are refused, signed or not, whatever their type", async () => {
		for (const body of ["", "null", "[]", "{", "\u0000", '{"eventId":1}', "x".repeat(20_000)]) {
			const signed = await api.callback(body);
			assert.deepEqual([signed.status, signed.code], [400, "callback_invalid"], body.slice(0, 20));
		}
		const url = "/v1/callbacks/simulator/queue/receipts";
		for (const type of [
			"text/plain",
			"application/x-www-form-urlencoded",
			"multipart/form-data; boundary=x",
			"no/such",
		]) {
			const answer = await api.app.inject({ method: "POST", url, headers: { "content-type": type }, payload: "a=b" });
			assert.deepEqual([answer.statusCode, answer.json().code], [401, "callback_unauthenticated"], type);
		}
		assert.equal((await api.app.inject({ method: "GET", url })).statusCode, 400);
	});

	it("a callback may be as large as a carrier makes it, beyond any other body, up to a bound", async () => {
		const { id, carrierId } = await sentMessage();
		const largest = JSON.stringify(receiptOf(carrierId)).padEnd(limits.callbackBytesMax);
		assert.equal((await api.callback(`${largest} `)).status, 413);
		assert.equal((await api.callback(largest)).status, 200);
		assert.equal((await api.read(id)).state, "delivered");
	});

	it("what is refused and what is taken is counted by carrier and result", async () => {
		const { text } = await api.request("", "GET", "/metrics");
		for (const result of [
			"applied",
			"bad_signature",
			"stale",
			"duplicate",
			"replayed",
			"parked",
			"late",
			"stale_unmatched",
		]) {
			assert.match(text, new RegExp(`lethe_callbacks_total\\{carrier="simulator",result="${result}"\\} [1-9]`));
		}
	});
});

describe("a receipt that races its message", () => {
	it("is applied when the sender stored the carrier's id while it was being parked", async () => {
		let sent: (() => Promise<void>) | undefined;
		const api = await createTestApi((deps) => ({
			encryption: {
				...deps.encryption,
				async encrypt(request) {
					if (request.object === "receipt") await sent?.();
					return deps.encryption.encrypt(request);
				},
			},
		}));
		const { key } = await api.addTenant();
		const { json } = await api.post(key);
		const event = receiptOf("c-race");
		sent = async () => void (await api.sent(json.id, "c-race"));
		assert.equal((await api.callback(event)).status, 200);
		assert.equal((await api.read(json.id)).state, "delivered");
		assert.deepEqual(await api.store.parkedReceipts.findByCarrierId("queue", "c-race"), []);
		await api.close();
	});

	it("is asked for again when it can't be parked, and nothing of it stays", async () => {
		let away = false;
		const api = await createTestApi((deps) => ({
			cohorts: {
				async ensure(place) {
					if (away) throw new LetheError("keys_unavailable");
					return deps.cohorts.ensure(place);
				},
			},
		}));
		away = true;
		const answer = await api.callback(receiptOf("c-away"));
		assert.deepEqual(answer, { status: 503, code: "keys_unavailable" });
		assert.deepEqual(await api.store.parkedReceipts.findByCarrierId("queue", "c-away"), []);
		await api.close();
	});
});
