// Subjects' requests at the door: who may, once, in what order, and no number anywhere.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { limits } from "../../../../domain/limits.ts";
import { openPolicies } from "../../../../policies/index.ts";
import { createTestApi, type TestApi } from "../../harness.ts";

describe("/v1/subject-requests", () => {
	let api: TestApi;
	let tenantId: string;
	let sender: string;
	let compliance: string;
	let auditor: string;
	before(async () => {
		api = await createTestApi(() => ({ policies: openPolicies() }));
		({ tenantId, key: sender } = await api.addTenant());
		compliance = (await api.addKey(tenantId, ["compliance"])).key;
		auditor = (await api.addKey(tenantId, ["auditor"])).key;
	});
	after(() => api.close());

	const path = "/v1/subject-requests";
	const number = "+4915112345999";
	const record = (body: object = {}, key = compliance, headers = {}) =>
		api.request(key, "POST", path, { number, kind: "access", ...body }, headers);
	const step = (id: string, name: string, body: object, key = compliance) =>
		api.request(key, "POST", `${path}/${id}/${name}`, body);
	const check = { confirmed: true, method: "id_document", evidence: "case-a", ownedFrom: "2020-01-01T00:00:00Z" };

	it("is recorded under the pseudonyms of every live key version, and found by each", async () => {
		api.vault.rotate(`hmac-subject-${tenantId}`);
		api.time.offsetMs += 3600_000;
		const { json, status } = await record();
		assert.equal(status, 201);
		const stored = await api.store.subjectRequests.find(json.id);
		const macs = await api.hmac.allMacs("subject", tenantId, number);
		assert.equal(macs.length, 2);
		assert.deepEqual(stored?.subjects.toSorted(), macs.map(({ mac }) => mac).toSorted());
		assert.ok(!JSON.stringify(stored).includes(number.slice(1)));
		assert.deepEqual(api.seen.woken.at(-1), json.id);
	});

	it("is refused with a region of another country: its clocks would be another law's", async () => {
		const { status, json } = await record({ recipientRegion: "US-CA" });
		assert.deepEqual([status, json.errors?.[0].pointer], [400, "/recipientRegion"]);
		assert.equal((await record({ recipientRegion: "DE-BE" })).status, 201);
	});

	it("is refused with what it would not do: only an objection and an erasure block by a scope", async () => {
		for (const kind of ["restriction", "access", "portability", "correction"]) {
			const { status, json } = await record({ kind, scope: "marketing" });
			assert.deepEqual([status, json.errors?.[0].pointer], [400, "/scope"], kind);
		}
		for (const kind of ["objection", "erasure"]) assert.equal((await record({ kind, scope: "marketing" })).status, 201);
	});

	it("comes twice under one Idempotency-Key and is one; no answer and no log line holds the number", async () => {
		const headers = { "idempotency-key": "letter-a" };
		const [first, second] = [await record({}, compliance, headers), await record({}, compliance, headers)];
		assert.equal(second.json.id, first.json.id);
		assert.equal(second.headers["idempotency-replayed"], "true");
		const list = await api.request(auditor, "GET", path);
		for (const text of [first.text, list.text, api.logLines.join("")]) assert.ok(!text.includes(number.slice(3)));
	});

	it("is compliance's to make and to decide; auditors read, others don't, and another tenant's is absent", async () => {
		const { id } = (await record()).json;
		assert.equal((await record({}, sender)).status, 403);
		assert.equal((await step(id, "identity", check, auditor)).status, 403);
		assert.equal((await api.request(auditor, "GET", `${path}/${id}`)).status, 200);
		assert.equal((await api.request(sender, "GET", `${path}/${id}`)).status, 403);
		const other = (await api.addTenant({ roles: ["compliance"] })).key;
		assert.equal((await api.request(other, "GET", `${path}/${id}`)).status, 404);
		assert.equal((await step(id, "identity", check, other)).status, 404);
	});

	it("nothing is exported, erased or granted before the identity check, whatever the order of the calls", async () => {
		const { id } = (await record({ kind: "erasure" })).json;
		assert.equal((await step(id, "export", { purpose: "answer" })).json.code, "identity_unchecked");
		assert.equal((await step(id, "close", { outcome: "granted" })).json.code, "request_state");
		const failed = await step(id, "identity", { ...check, confirmed: false });
		assert.deepEqual([failed.json.state, failed.json.erasure], ["received", undefined]);
		assert.equal((await step(id, "export", { purpose: "answer" })).json.code, "identity_unchecked");
		const backwards = await step(id, "identity", { ...check, ownedUntil: "2019-01-01T00:00:00Z" });
		assert.equal(backwards.json.code, "invalid_request");
		const future = await step(id, "identity", { ...check, ownedUntil: "2999-01-01T00:00:00Z" });
		assert.equal(future.json.code, "invalid_request");
		assert.equal((await step(id, "identity", check)).json.state, "executing");
	});

	it("an export's purpose is a word of the evidence log's, no address and no number, and another is told so by its field", async () => {
		const { id } = (await record()).json;
		await step(id, "identity", check);
		for (const purpose of ["Art.15(3)", "15.3", "a".repeat(47), "case-49151-12345", "ann@example.org"]) {
			const { status, json } = await step(id, "export", { purpose });
			assert.deepEqual([status, json.code, json.errors?.[0].pointer], [400, "invalid_request", "/purpose"], purpose);
		}
	});

	it("each right has its own law's clock, to acknowledge, to answer and to extend", async () => {
		const california = { number: "+14155550123", subjectResidence: "US-CA", dataClasses: ["contact"] };
		const patient = { number: "+16145550123", dataClasses: ["phi"], hipaaCoveredEntity: true };
		const own = await api.addTenant({ roles: ["compliance"] });
		const tenant = await api.store.tenants.find(own.tenantId);
		if (tenant) await api.store.tenants.put({ ...tenant, establishment: "US" });
		const days = async (body: object, key = own.key) => {
			// The same day everywhere that is asked about.
			const day = new Date(api.clock() - 2 * 86_400_000).toISOString().slice(0, 10);
			const { id, clocks } = (await record({ ...body, receivedAt: `${day}T20:00:00Z` }, key)).json;
			const from = Date.parse(day);
			const after = (day?: string) => day && (Date.parse(day) - from) / 86_400_000;
			return { id, clocks, answer: after(clocks.respondBy), last: after(clocks.extendableTo) };
		};
		const correction = await days({ ...california, kind: "correction" });
		assert.deepEqual([correction.answer, correction.last], [45, 90]);
		assert.ok(correction.clocks.ackBy < correction.clocks.respondBy);
		const objection = await days({ ...california, kind: "objection" });
		assert.ok((objection.answer as number) <= 24, "fifteen business days");
		const toldAt = new Date(api.clock()).toISOString();
		const extend = (id: string, to: string) => step(id, "extend", { to, reason: "complex", toldAt }, own.key);
		const refused = await extend(objection.id, correction.clocks.respondBy);
		assert.equal(refused.json.code, "extension_refused");
		const amendment = await days({ ...patient, kind: "correction" });
		assert.deepEqual([amendment.answer, amendment.last], [60, 90]);
		const extended = await extend(amendment.id, amendment.clocks.extendableTo);
		assert.equal(extended.json.clocks.extendedTo, amendment.clocks.extendableTo);
		assert.equal(extended.json.clocks.extensionToldAt, toldAt);
		const log = (await api.request(own.key, "GET", `${path}/log`)).json;
		assert.equal(log.requests.find((row: { id: string }) => row.id === amendment.id).extensionToldAt, toldAt);
		const restriction = await days({ number, kind: "restriction" }, compliance);
		assert.ok([28, 29, 30, 31].includes(restriction.answer as number), "a month, GDPR Art. 12(3)");
	});

	it("an extension says when the person was told of it, and one that they were told of too late is refused", async () => {
		const receivedAt = new Date(api.clock() - 40 * 86_400_000).toISOString();
		const { id, clocks } = (await record({ receivedAt })).json;
		const to = clocks.extendableTo;
		assert.deepEqual((await step(id, "extend", { to, reason: "complex" })).json.errors[0].pointer, "/toldAt");
		const told = (at: number) => step(id, "extend", { to, reason: "complex", toldAt: new Date(at).toISOString() });
		for (const [at, code] of [
			[api.clock(), "extension_refused"],
			[api.clock() + 3600_000, "invalid_request"],
		] as const) {
			const { json } = await told(at);
			assert.deepEqual([json.code, json.errors[0].pointer], [code, "/toldAt"]);
		}
		const inTime = await told(Date.parse(receivedAt) + 86_400_000);
		assert.equal(inTime.json.clocks.extendedTo, to);
	});

	it("a log of more than is told at once is refused, with what to ask for instead", async (t) => {
		const full = await createTestApi(({ store, clock }) => {
			const one = { _id: "dsr_a", state: "received" as const, receivedAt: clock(), recordedAt: clock() };
			const page = async (_tenantId: string, itemsMax: number) => Array.from({ length: itemsMax }, () => one as never);
			return { policies: openPolicies(), store: { ...store, subjectRequests: { ...store.subjectRequests, page } } };
		});
		t.after(() => full.close());
		const { key } = await full.addTenant({ roles: ["auditor"] });
		const { json } = await full.request(key, "GET", `${path}/log`);
		assert.deepEqual([json.code, json.errors[0].pointer], ["too_many_records", "/querystring/from"]);
	});

	it("of two who check at once, one does", async () => {
		const { id } = (await record({ kind: "erasure" })).json;
		const both = await Promise.all([step(id, "identity", check), step(id, "identity", check)]);
		assert.deepEqual(both.map(({ status }) => status).toSorted(), [200, 409]);
	});

	it("an export is entered before it is made; one that no worker makes is refused, waits for that, and ends with its life", async () => {
		const { id } = (await record()).json;
		await step(id, "identity", check);
		const { status, json } = await api.request(compliance, "POST", `${path}/${id}/export`, { purpose: "answer" });
		assert.deepEqual([status, json.code, json.retryable], [503, "export_pending", true]);
		const entered = (await api.entries()).filter(({ type, about }) => type === "request_exported" && about === id);
		assert.deepEqual(
			entered.map(({ code }) => code),
			["data.answer"],
		);
		assert.deepEqual((await api.store.subjectRequests.find(id))?.exports, []);
		assert.equal((await api.store.subjectExports.open(id)).length, 1);
		await api.store.subjectExports.eraseDue(api.clock() + limits.exportLifeMs);
		assert.deepEqual(await api.store.subjectExports.open(id), []);
	});

	it("is exported so often at most: then it is to be answered, and another recorded", async () => {
		const { id } = (await record()).json;
		await step(id, "identity", check);
		const made = { id: "exp_a", at: api.clock(), by: "key_a", format: "json", report: "data", purpose: "answer" };
		await api.store.subjectRequests.change(id, (request) => ({
			...request,
			exports: Array.from({ length: limits.requestExportsMax }, () => made),
		}));
		const { status, json } = await step(id, "export", { purpose: "answer" });
		assert.deepEqual([status, json.code], [422, "too_many_records"]);
		assert.match(json.errors[0].detail, /record another/);
	});

	it("a refusal says why, and a closed request is over", async () => {
		const { id } = (await record({ number: "+6421123456" })).json;
		assert.equal((await step(id, "close", { outcome: "refused" })).json.code, "invalid_request");
		const closed = await step(id, "close", { outcome: "refused", ground: "no_law" });
		assert.ok(closed.json.eraseBy > closed.json.closed.at);
		for (const [name, body] of Object.entries({ acknowledge: {}, identity: check, close: { outcome: "withdrawn" } })) {
			assert.equal((await step(id, name, body)).json.code, "request_state", name);
		}
	});

	it("the log tells each request and how it was answered; the record of processing tells purposes and times", async () => {
		const log = (await api.request(auditor, "GET", `${path}/log`)).json;
		assert.ok(log.requests.length >= 5);
		const refused = log.requests.find(({ response }: { response: string }) => response === "refused");
		assert.deepEqual(refused.basisForDenial, ["no_law"]);
		const access = log.figures.find(({ kind }: { kind: string }) => kind === "access");
		assert.equal(access.received, log.requests.filter(({ nature }: { nature: string }) => nature === "access").length);
		const later = `${path}/log?from=${encodeURIComponent(new Date(api.clock() + 1).toISOString())}`;
		const empty = (await api.request(auditor, "GET", later)).json;
		assert.deepEqual(empty.requests, []);
		const reversed = await api.request(auditor, "GET", `${later}&to=2020-01-01T00:00:00Z`);
		assert.deepEqual([reversed.status, reversed.json.errors?.[0].pointer], [400, "/querystring/to"]);
		const page = await api.request(auditor, "GET", "/v1/processing-record?format=html");
		assert.match(page.text, /<h1>Record of processing activities<\/h1>/);
		const record30 = (await api.request(auditor, "GET", "/v1/processing-record")).json;
		assert.deepEqual(record30.activities.map(({ purpose }: { purpose: string }) => purpose).length, 4);
	});

	it("the record of processing says what is done: nothing is kept for less than the law's least, and health data is named", async () => {
		const own = await api.addTenant({ roles: ["auditor"] });
		const tenant = await api.store.tenants.find(own.tenantId);
		const retention = { content: "P1Y", decision_record: "P1D" };
		if (tenant) await api.store.tenants.put({ ...tenant, establishment: "US", retention });
		const { activities } = (await api.request(own.key, "GET", "/v1/processing-record")).json;
		type Told = { object: string; atLeast: string; kept: string; atMost: string };
		for (const { erasure, purpose } of activities as { erasure: Told[]; purpose: string }[]) {
			const kept = Object.fromEntries(erasure.map((one) => [one.object, one]));
			assert.equal(kept.content?.kept, kept.content?.atMost, purpose);
			assert.deepEqual([kept.decision_record?.atLeast, kept.decision_record?.kept], ["P5Y", "P5Y"]);
			for (const object of ["consent_evidence", "suppression"]) assert.equal(kept[object]?.kept, kept[object]?.atMost);
		}
		const named = (activities as { purpose: string; dataCategories: string[] }[])
			.filter(({ dataCategories }) => dataCategories.includes("data concerning health"))
			.map(({ purpose }) => purpose);
		assert.deepEqual(named, ["health"]);
	});
});
