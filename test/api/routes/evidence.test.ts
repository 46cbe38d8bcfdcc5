// /v1/evidence: what auditors read, take away and prove; each look at it is itself in it, and nobody sees another's.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { createCheckpoints } from "../../../audit/checkpoints.ts";
import { verifyEvidence } from "../../../audit/verifyEvidence.ts";
import { LetheError } from "../../../domain/errors.ts";
import type { Entry } from "../../../domain/evidence.ts";
import { createKey, ofArray, origin } from "../../audit/memoryEvidence.ts";
import { createMemoryWitness } from "../../harness/memoryWitness.ts";
import { createTestApi, number, type TestApi } from "../harness.ts";

describe("/v1/evidence", () => {
	let api: TestApi;
	let tenant: { tenantId: string; key: string; keyId: string };
	const key = createKey();
	const away = { value: false };
	before(async () => {
		api = await createTestApi(({ evidence }) => ({
			evidence: {
				append: (acts) => (away.value ? Promise.reject(new LetheError("store_unavailable")) : evidence.append(acts)),
			},
		}));
		tenant = await api.addTenant({ roles: ["auditor", "compliance", "sender"] });
	});
	after(() => api.close());
	const get = (path: string, by = tenant.key) => api.request(by, "GET", `/v1${path}`);
	const list = async (query = ""): Promise<(Entry & { index: number })[]> =>
		(await get(`/evidence${query}`)).json.items;
	const last = async () => (await list("?limit=2"))[1] as Entry;
	const publish = () =>
		createCheckpoints({
			origin,
			store: api.store.evidence,
			witnesses: [witness],
			sign: key.sign,
			keys: async () => [key],
			judged: async () => undefined,
		}).publish();
	const witness = createMemoryWitness();

	it("has a search, a read, a list and a refusal before they are answered, by whom, and never of which number", async () => {
		const acts = [
			[() => api.request(tenant.key, "POST", "/v1/consents/search", { number }), "searched", "searchConsents"],
			[() => api.request(tenant.key, "POST", "/v1/opt-outs/search", { number }), "searched", "searchOptOuts"],
			[() => api.request(tenant.key, "POST", "/v1/messages/search", { number }), "searched", "searchMessages"],
			[() => get("/consents"), "record_read", "listConsents"],
			[() => get("/messages"), "record_read", "listMessages"],
			[() => get("/evidence"), "evidence_read", "listEvidence"],
			[() => get("/policy-proposals"), "denied", "listPolicyProposals"],
		] as const;
		for (const [act, type, code] of acts) {
			await act();
			const entry = await last();
			assert.deepEqual([entry.type, entry.code, entry.by, entry.tenantId], [type, code, tenant.keyId, tenant.tenantId]);
		}
		const { key: other, keyId } = await api.addKey(tenant.tenantId, ["sender"]);
		assert.equal((await get("/evidence", other)).status, 403);
		const denied = (await list("?limit=10")).find(({ type, by }) => type === "denied" && by === keyId);
		assert.equal(denied?.code, "listEvidence");
		const all = JSON.stringify(await list("?limit=100"));
		assert.ok(!all.includes(number.slice(4)));
	});

	it("has what is placed, lifted, recorded and withdrawn, by whom and about what, before it is done", async () => {
		const post = async (path: string, body: object) => (await api.request(tenant.key, "POST", `/v1${path}`, body)).json;
		const obtainedAt = new Date(api.clock() - 1000).toISOString();
		const consent = await post("/consents", {
			number,
			type: "express",
			purposes: ["marketing"],
			obtainedAt,
			wording: "w:1",
			evidence: "form-a",
		});
		await post(`/consents/${consent.id}/withdraw`, {});
		const hold = await post("/holds", { scope: "subject", number, ground: "litigation" });
		await post(`/holds/${hold.id}/release`, {});
		const { items } = await post("/opt-outs", { number, scope: "all" });
		const typesOf = async (about: string) => (await list(`?about=${about}`)).map(({ type, by }) => [type, by]);
		const by = tenant.keyId;
		assert.deepEqual(await typesOf(consent.id), [
			["consent_withdrawn", by],
			["consent_recorded", by],
		]);
		assert.deepEqual(await typesOf(hold.id), [
			["hold_released", by],
			["hold_placed", by],
		]);
		assert.deepEqual(await typesOf(items[0].id), [["opt_out_recorded", by]]);
	});

	it("that can't be written stops the act, and its answer", async () => {
		away.value = true;
		const acts = [
			await api.request(tenant.key, "POST", "/v1/consents/search", { number }),
			await api.request(tenant.key, "POST", "/v1/holds", { scope: "subject", number, ground: "litigation" }),
			await get("/consents"),
			await get("/evidence"),
			await get("/evidence/export"),
		];
		away.value = false;
		assert.deepEqual(
			acts.map(({ status, json }) => [status, json.code]),
			acts.map(() => [503, "store_unavailable"]),
		);
		assert.ok(!(await get("/holds")).json.items.some(({ released }: { released?: object }) => released === undefined));
	});

	it("asks of a message who reads it, but not of who sent it", async () => {
		const sent = (await api.post(tenant.key)).json.id;
		await get(`/messages/${sent}`);
		assert.deepEqual(await list(`?about=${sent}`), []);
		const other = await api.addKey(tenant.tenantId, ["operator"]);
		await get(`/messages/${sent}`, other.key);
		assert.deepEqual(
			(await list(`?about=${sent}`)).map(({ type, by }) => [type, by]),
			[["record_read", other.keyId]],
		);
	});

	it("lets those without a key fill nothing", async () => {
		const countDenied = async () => (await list("?limit=100")).filter(({ code }) => code === "getConsent").length;
		for (let at = 0; at < 5; at++) await get("/consents/cns_a", "lethe_key_nobodynobodynobody");
		assert.ok((await countDenied()) <= 1);
	});

	it("has a refusal of one principal at one route once in ten seconds, however often it is asked for", async () => {
		const { key: leaked, keyId } = await api.addKey(tenant.tenantId, ["sender"]);
		const refusals = async () => {
			const found = (await api.entries()).filter(({ type, by }) => type === "denied" && by === keyId);
			return found.map(({ code }) => code);
		};
		const ask = async (path: string) => assert.equal((await get(path, leaked)).status, 403);
		await Promise.all(Array.from({ length: 10 }, () => ask("/people")));
		for (let at = 0; at < 5; at++) await ask("/people");
		assert.deepEqual(await refusals(), ["listPeople"]);
		await ask("/evidence");
		assert.deepEqual(await refusals(), ["listPeople", "listEvidence"]);
		api.time.offsetMs += 10_000;
		await ask("/people");
		assert.deepEqual(await refusals(), ["listPeople", "listEvidence", "listPeople"]);
		api.time.offsetMs += 10_000;
		away.value = true;
		const answers = await Promise.all([1, 2].map(() => get("/people", leaked)));
		away.value = false;
		assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([503]), "none unless it is entered");
	});

	it("is paged, the last integrated first, and by nothing but its cursors", async () => {
		const first = await get("/evidence?limit=5");
		const second = await get(`/evidence?limit=5&cursor=${first.json.next}`);
		const indexes = [...first.json.items, ...second.json.items].map(({ index }: { index: number }) => index);
		assert.deepEqual(
			indexes,
			indexes.toSorted((a, b) => b - a),
		);
		assert.equal(new Set(indexes).size, 10);
		assert.equal((await get("/evidence?cursor=abc")).status, 400);
	});

	it("is read only so far at once for what is told to others, and says where to go on", async () => {
		const other = await api.addTenant();
		const about = api.ids.random("hold");
		const enter = ({ tenantId }: { tenantId: string }) =>
			api.evidence.append([{ type: "hold_placed", about, tenantId, by: tenant.keyId }]);
		await enter(tenant);
		for (let times = 0; times < 130; times++) await enter(other);
		const { json: first } = await get(`/evidence?about=${about}`);
		assert.deepEqual([first.items, typeof first.next], [[], "string"]);
		const { json: second } = await get(`/evidence?about=${about}&cursor=${first.next}`);
		assert.deepEqual([second.items.length, second.items[0]?.tenantId, second.next], [1, tenant.tenantId, undefined]);
	});

	it("shows a tenant nothing of another's, and proves nothing of it to them", async () => {
		await publish();
		const other = await api.addTenant({ roles: ["auditor"] });
		const theirs = (await get("/evidence?limit=100", other.key)).json.items as Entry[];
		assert.ok(theirs.every(({ tenantId }) => tenantId === undefined || tenantId === other.tenantId));
		assert.equal((await get("/evidence/0/proof", other.key)).status, 404);
		assert.equal((await get("/evidence/0/proof")).status, 200);
		const { text } = await get("/evidence/export", other.key);
		assert.ok(!text.includes(tenant.tenantId) && !text.includes(tenant.keyId));
		const result = await verifyEvidence(ofArray(text.trimEnd().split("\n")), [key]);
		assert.ok(result.valid && result.hidden > 10);
	});

	it("is exported with its proof, and shown to have grown", async () => {
		const older = (await get("/evidence/checkpoint")).text;
		const size = Number(older.split("\n")[1]);
		await publish();
		const exported = await get(`/evidence/export?since=${size}`);
		assert.equal(exported.headers["content-type"], "application/x-ndjson; charset=utf-8");
		const result = await verifyEvidence(ofArray(exported.text.trimEnd().split("\n")), [key], older);
		assert.ok(result.valid);
		assert.deepEqual([result.grownSince, result.start, result.end], [size, 0, result.size]);
		const proof = await get("/evidence/3/proof");
		assert.equal((await verifyEvidence(ofArray([proof.text]), [key])).valid, true);
		assert.equal((await get(`/evidence/growth?older=${size}`)).status, 200);
		for (const path of ["export?since=999999", "growth?older=999999"]) {
			assert.equal((await get(`/evidence/${path}`)).status, 400);
		}
		const nothing = await get("/evidence/export?from=2099-01-01T00:00:00Z");
		const none = await verifyEvidence(ofArray(nothing.text.trimEnd().split("\n")), [key]);
		assert.ok(none.valid && none.start === none.end);
		const reversed = await get("/evidence/export?from=2026-02-01T00:00:00Z&to=2026-01-01T00:00:00Z");
		assert.deepEqual([reversed.status, reversed.json.errors?.[0].pointer], [400, "/querystring/to"]);
	});
});
