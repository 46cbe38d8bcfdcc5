// The consent ledger: it proves what a message rests on, and a withdrawal reaches whatever rests on it.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { limits } from "../../../domain/limits.ts";
import type { ConsentRecord, OptOutRecord } from "../../../domain/subject.ts";
import { openPolicies } from "../../../policies/index.ts";
import { createTestApi, type TestApi } from "../harness.ts";

let last = 300;
const freshNumber = () => `+1202555${String(++last).padStart(4, "0")}`;

describe("/v1/consents", () => {
	let api: TestApi;
	let tenantId: string;
	let sender: string;
	let compliance: string;
	before(async () => {
		api = await createTestApi(() => ({ policies: openPolicies() }));
		({ tenantId, key: sender } = await api.addTenant());
		compliance = (await api.addKey(tenantId, ["compliance"])).key;
		// Noon in Washington: no window defers what is sent here.
		api.time.offsetMs = Date.parse("2026-11-25T17:00:00Z") - Date.now();
	});
	after(() => api.close());

	const consentOf = (number: string, more: object = {}) => ({
		number,
		type: "express_written",
		purposes: ["marketing"],
		obtainedAt: "2026-06-01T10:00:00Z",
		wording: "newsletter:v3",
		evidence: "form-7",
		source: "web",
		...more,
	});
	const record = (number: string, more: object = {}, key = compliance) =>
		api.request(key, "POST", "/v1/consents", consentOf(number, more));
	const withdraw = (id: string, body: object = {}, key = compliance) =>
		api.request(key, "POST", `/v1/consents/${id}/withdraw`, body);
	const search = (number: string, key = compliance) => api.request(key, "POST", "/v1/consents/search", { number });
	const market = (to: string, more: object = {}) => api.post(sender, { to, category: "marketing", ...more });

	it("a message that states no consent rests on the one on record, and says so", async () => {
		const number = freshNumber();
		assert.equal((await market(number)).json.code, "policy_denied");
		const { status, json, text } = await record(number);
		assert.equal(status, 201);
		assert.ok(!text.includes(number.slice(2)));
		const sent = await market(number);
		assert.equal(sent.status, 202, sent.text);
		const { facts } = await api.read(sent.json.id);
		assert.deepEqual(facts.consent, {
			type: "express_written",
			obtainedAt: "2026-06-01T10:00:00Z",
			purposes: ["marketing"],
			evidence: json.id,
			source: "web",
		});
	});

	it("country and region are kept of a recipient, for packs that come into force later, and told", async () => {
		const number = freshNumber();
		const consent = (await record(number)).json;
		const { items } = (await api.request(compliance, "POST", "/v1/opt-outs", { number, scope: "marketing" })).json;
		for (const { id, country, region } of [consent, items[0]]) {
			const stored = (await api.store.subjectRecords.find(id)) as ConsentRecord | OptOutRecord;
			assert.deepEqual(stored.recipient, { country: "US", region: "US-DC" }, stored.kind);
			assert.deepEqual({ country, region }, stored.recipient);
		}
	});

	it("a word that says that there is no proof is none: nothing is recorded, and nothing lifted", async () => {
		const number = freshNumber();
		for (const evidence of ["none", "None", "not_given", "pending"]) {
			const { status, json } = await record(number, { evidence });
			assert.deepEqual([status, json.errors?.[0].pointer], [400, "/evidence"], evidence);
		}
		assert.deepEqual((await search(number)).json.items, []);
		const { items } = (await api.request(compliance, "POST", "/v1/opt-outs", { number, scope: "marketing" })).json;
		const optIn = { obtainedAt: new Date(api.clock()).toISOString(), evidence: "none" };
		const lifted = await api.request(compliance, "POST", `/v1/opt-outs/${items[0].id}/lift`, optIn);
		assert.deepEqual([lifted.status, lifted.json.errors?.[0].pointer], [400, "/evidence"]);
	});

	it("it serves its own purposes and tenant only", async () => {
		const number = freshNumber();
		await record(number, { purposes: ["transactional"] });
		assert.ok((await market(number)).json.reasons.includes("CONSENT_MISSING"));
		const other = await api.addTenant();
		await record(number);
		assert.equal((await market(number)).status, 202);
		assert.equal((await api.post(other.key, { to: number, category: "marketing" })).json.code, "policy_denied");
	});

	it("a withdrawal ends it, its repeats and what callers state of the time before; the record stays", async () => {
		const number = freshNumber();
		const { json } = await record(number);
		await record(number, { obtainedAt: "2026-07-01T10:00:00Z" });
		const withdrawn = await withdraw(json.id, { evidence: "call-3" });
		assert.equal(withdrawn.json.withdrawn.evidence, "call-3");
		assert.equal(withdrawn.json.country, undefined, "whoever may end it need not read it");
		const { number: _, ...stated } = consentOf(number);
		const { wording: __, ...consent } = stated;
		for (const answer of [await market(number), await market(number, { consent })]) {
			assert.deepEqual([answer.status, answer.json.code], [422, "policy_denied"]);
			assert.ok(answer.json.reasons.includes("CONSENT_MISSING"));
		}
		assert.deepEqual((await withdraw(json.id, { evidence: "call-4" })).json, withdrawn.json);
		assert.equal((await search(number)).json.items.length, 2);
		// Given anew afterwards it counts again.
		api.time.offsetMs += 1_000;
		await record(number, { obtainedAt: new Date(api.clock()).toISOString() });
		assert.equal((await market(number)).status, 202);
	});

	it("a search tells what each still counts for, as a message to the number finds it", async () => {
		// Where an express consent will do for marketing.
		const number = "+4915112345001";
		const inEffect = async () => {
			const { items, optedInAt } = (await search(number)).json;
			return [items.map(({ inEffectFor }: { inEffectFor: string[] }) => inEffectFor.join()), optedInAt];
		};
		const blockedFrom = async () => (await search(number)).json.optedOut;
		assert.equal(await blockedFrom(), "none");
		const both = await record(number, { purposes: ["marketing", "transactional"] });
		const later = await record(number, { obtainedAt: "2026-07-01T10:00:00Z" });
		assert.deepEqual(await inEffect(), [["marketing", "marketing,transactional"], undefined]);
		const optedOut = { number, scope: "marketing", at: "2026-08-01T00:00:00Z" };
		const { items } = (await api.request(compliance, "POST", "/v1/opt-outs", optedOut)).json;
		assert.deepEqual(await inEffect(), [["", "transactional"], undefined]);
		assert.equal(await blockedFrom(), "marketing");
		assert.equal((await market(number)).json.code, "policy_denied");
		const optIn = { obtainedAt: "2026-09-01T00:00:00Z", evidence: "form-9" };
		await api.request(compliance, "POST", `/v1/opt-outs/${items[0].id}/lift`, optIn);
		assert.deepEqual(await inEffect(), [["", "transactional"], "2026-09-01T00:00:00.000Z"]);
		assert.equal((await market(number)).status, 202);
		await withdraw(later.json.id);
		assert.deepEqual(await inEffect(), [["", "transactional"], undefined]);
		assert.equal((await market(number)).json.code, "policy_denied");
		await withdraw(both.json.id);
		assert.deepEqual(await inEffect(), [["", ""], undefined]);
	});

	it("a search tells of a consent whose time is over by the policies where the number is that it counts for nothing", async () => {
		const number = "+16132345678";
		const implied = { type: "implied", ground: "purchase", purposes: ["marketing", "newsletter"] };
		await record(number, { ...implied, obtainedAt: "2024-11-24T17:00:00Z" });
		const inEffect = async () =>
			(await search(number)).json.items.map(({ inEffectFor }: { inEffectFor: string[] }) => inEffectFor.join());
		assert.deepEqual(await inEffect(), ["newsletter"]);
		const { json } = await market(number);
		assert.ok(json.reasons.includes("CONSENT_EXPIRED"), json.code);
		await record(number, { ...implied, obtainedAt: "2026-06-01T17:00:00Z" });
		assert.deepEqual(await inEffect(), ["marketing,newsletter", "newsletter"]);
	});

	it("an opt-in makes no consent where there never was one, and is told as none", async () => {
		const number = "+4915112345002";
		await record(number, { purposes: ["transactional"] });
		const optedOut = { number, scope: "all", at: "2026-08-01T00:00:00Z" };
		const { items } = (await api.request(compliance, "POST", "/v1/opt-outs", optedOut)).json;
		assert.equal((await search(number)).json.optedOut, "all");
		const optIn = { obtainedAt: "2026-09-01T00:00:00Z", evidence: "form-9" };
		await api.request(compliance, "POST", `/v1/opt-outs/${items[0].id}/lift`, optIn);
		const found = (await search(number)).json;
		assert.deepEqual([found.optedInAt, found.optedOut], [undefined, "none"]);
		assert.equal((await market(number)).json.code, "policy_denied");
	});

	it("a withdrawal of marketing leaves messages of other kinds alone", async () => {
		const number = freshNumber();
		const { json } = await record(number);
		await withdraw(json.id);
		assert.equal((await api.post(sender, { to: number })).status, 202);
	});

	it("its proof lives as long as the packs say, from its end at least", async () => {
		const { json } = await record(freshNumber());
		const years = (text: string) => (Date.parse(text) - api.clock()) / (365.25 * 24 * 3600_000);
		assert.ok(years(json.eraseBy) > 5 && years(json.eraseBy) < 10.1);
		assert.ok(years((await withdraw(json.id)).json.eraseBy) >= 4.99);
	});

	it("lists and searches hold no number, and another tenant's consents are absent", async () => {
		const number = freshNumber();
		const { json } = await record(number);
		const list = await api.request(compliance, "GET", "/v1/consents?limit=2");
		assert.equal(list.json.items[0].id, json.id);
		assert.ok(list.json.next);
		const found = await search(number);
		assert.ok(![list.text, found.text].some((text) => text.includes(number.slice(2))));
		const { key: stranger } = await api.addTenant({ roles: ["compliance"] });
		assert.deepEqual((await search(number, stranger)).json.items, []);
		assert.equal((await api.request(stranger, "GET", `/v1/consents/${json.id}`)).status, 404);
		assert.equal((await withdraw(json.id, {}, stranger)).status, 404);
		assert.equal((await api.request(compliance, "GET", `/v1/consents/${json.id}`)).json.id, json.id);
	});

	it("senders may record and withdraw, and not read", async () => {
		const number = freshNumber();
		const { json } = await record(number, {}, sender);
		assert.equal((await search(number, sender)).status, 403);
		assert.equal((await api.request(sender, "POST", `/v1/consents/${json.id}/withdraw`)).status, 200);
	});

	for (const [what, more] of Object.entries({
		"a consent of no type": { type: "none" },
		"no purpose": { purposes: [] },
		"a text in place of its wording's reference": { wording: "I agree to get messages" },
		"a number as evidence": { evidence: "+4915112345678" },
		"a time ahead": { obtainedAt: "2036-01-01T00:00:00Z" },
		"an unknown field": { text: "I agree" },
	})) {
		it(`refuses ${what}`, async () => {
			const number = freshNumber();
			assert.deepEqual((await record(number, more)).json.code, "invalid_request");
			assert.deepEqual((await search(number)).json.items, []);
		});
	}

	it("as much as is kept of one recipient is the end of it; an opt-out still comes through", async () => {
		const number = freshNumber();
		await record(number);
		const [first] = await api.connection.collection("subjectRecords").find({}).sort({ recordedAt: -1 }).toArray();
		const more = Array.from({ length: limits.recordsPerSubjectMax }, (_, index) => ({ ...first, _id: `cns_${index}` }));
		await api.connection.collection("subjectRecords").insertMany(more as never[]);
		assert.deepEqual((await record(number)).json.code, "too_many_records");
		const optOut = await api.request(compliance, "POST", "/v1/opt-outs", { number, scope: "all" });
		assert.equal(optOut.status, 201);
	});
});
