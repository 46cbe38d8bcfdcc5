// Cancelling: before the carrier has it, once, and only one's own.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { createTestApi, type TestApi } from "../../harness.ts";

describe("POST /v1/messages/{id}/cancel", () => {
	let api: TestApi;
	let key: string;
	before(async () => {
		api = await createTestApi();
		({ key } = await api.addTenant());
	});
	after(() => api.close());

	const cancel = (id: string, by = key, headers: Record<string, string> = {}) =>
		api.request(by, "POST", `/v1/messages/${id}/cancel`, undefined, headers);

	it("ends an unsent message, erases what its class forgets, and settles its group", async () => {
		const { json } = await api.post(key);
		const answer = await cancel(json.id);
		assert.equal(answer.status, 200);
		assert.equal(answer.json.state, "cancelled");
		const message = await api.read(json.id);
		assert.equal(message.content, undefined);
		assert.equal(message.address, undefined);
		assert.ok(api.seen.settled.includes(message.submissionId));
	});

	it("needs no body, also from a client that names a type and sends none", async () => {
		const { json } = await api.post(key);
		const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };
		const answer = await api.app.inject({ method: "POST", url: `/v1/messages/${json.id}/cancel`, headers });
		assert.deepEqual([answer.statusCode, answer.json().state], [200, "cancelled"]);
	});

	it("is refused once a carrier has the message, and changes nothing", async () => {
		const { json } = await api.post(key);
		await api.sent(json.id);
		const before = await api.read(json.id);
		const answer = await cancel(json.id);
		assert.equal(answer.status, 409);
		assert.equal(answer.json.code, "not_cancellable");
		assert.equal(answer.json.state, "submitted");
		assert.deepEqual(await api.read(json.id), before);
	});

	it("twenty at once cancel once", async () => {
		const { json } = await api.post(key);
		const answers = await Promise.all(Array.from({ length: 20 }, () => cancel(json.id)));
		assert.equal(answers.filter(({ status }) => status === 200).length, 1);
		assert.equal(answers.filter(({ status }) => status === 409).length, 19);
		const { evidence } = await api.read(json.id);
		assert.equal(evidence.filter(({ type }) => type === "cancelled").length, 1);
	});

	it("another tenant's message answers like absence and goes on", async () => {
		const { json } = await api.post(key);
		const stranger = await api.addTenant();
		const theirs = await cancel(json.id, stranger.key);
		const absent = await cancel(api.ids.random("message"), stranger.key);
		const comparable = ({ json: { requestId, ...rest } }: typeof theirs) => rest;
		assert.deepEqual(comparable(theirs), comparable(absent));
		assert.equal(theirs.status, 404);
		assert.equal((await api.read(json.id)).state, "accepted");
	});

	it("takes an empty JSON body, and nothing in it", async () => {
		const { json } = await api.post(key);
		const full = await api.request(key, "POST", `/v1/messages/${json.id}/cancel`, { why: "x" });
		assert.equal(full.json.code, "invalid_request");
		assert.equal((await api.request(key, "POST", `/v1/messages/${json.id}/cancel`, {})).status, 200);
	});

	it("a repeat with its key answers as the first did", async () => {
		const { json } = await api.post(key);
		const first = await cancel(json.id, key, { "idempotency-key": "c1" });
		const repeat = await cancel(json.id, key, { "idempotency-key": "c1" });
		assert.equal(first.status, 200);
		assert.equal(repeat.status, 200);
		assert.equal(repeat.text, first.text);
		assert.equal(repeat.headers["idempotency-replayed"], "true");
		assert.match(String(repeat.headers["content-type"]), /^application\/json/);
	});
});
