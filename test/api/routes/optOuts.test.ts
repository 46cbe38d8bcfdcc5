// Opt-outs by number: recorded at once and once, never lifted by a list, and lifted only by what the recipient said later.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { openPolicies } from "../../../policies/index.ts";
import { createTestApi, type TestApi } from "../harness.ts";

let last = 200;
const freshNumber = () => `+1202555${String(++last).padStart(4, "0")}`;

describe("/v1/opt-outs", () => {
	let api: TestApi;
	let tenantId: string;
	let sender: string;
	let compliance: string;
	/** What comes once an opt-in was looked at, and before it lifts anything. */
	let meanwhile: (() => Promise<void>) | undefined;
	before(async () => {
		api = await createTestApi(({ evidence }) => ({
			policies: openPolicies(),
			evidence: {
				...evidence,
				append: async (acts) => {
					const appended = await evidence.append(acts);
					if (!acts.some(({ type }) => type === "opt_out_lifted")) return appended;
					const once = meanwhile;
					meanwhile = undefined;
					await once?.();
					return appended;
				},
			},
		}));
		({ tenantId, key: sender } = await api.addTenant());
		compliance = (await api.addKey(tenantId, ["compliance"])).key;
	});
	after(() => api.close());

	const optOut = (number: string, more: object = {}, key = compliance) =>
		api.request(key, "POST", "/v1/opt-outs", { number, scope: "all", ...more });
	const search = (number: string, key = compliance) => api.request(key, "POST", "/v1/opt-outs/search", { number });
	const lift = (id: string, obtainedAt: number, key = compliance) => {
		const body = { obtainedAt: new Date(obtainedAt).toISOString(), evidence: "form-7" };
		return api.request(key, "POST", `/v1/opt-outs/${id}/lift`, body);
	};
	const send = (to: string, more: object = {}) => api.post(sender, { to, ...more });

	it("a number that has opted out is sent nothing, whatever the caller says of it", async () => {
		const number = freshNumber();
		const { status, json, text } = await optOut(number);
		assert.equal(status, 201);
		assert.equal(json.optedOut, "all");
		assert.ok(!text.includes(number.slice(2)));
		const refused = await send(number, { optedOut: "none" });
		assert.equal(refused.json.code, "policy_denied");
		assert.ok(refused.json.reasons.includes("OPTED_OUT_REVOKE_ALL"));
		assert.ok(refused.json.reasons.includes("SUPPRESSED_BY_HASH"));
	});

	it("an opt-out of marketing leaves other messages alone", async () => {
		const number = freshNumber();
		await optOut(number, { scope: "marketing" });
		assert.equal((await send(number)).status, 202);
		const consent = { type: "express_written", purposes: ["marketing"], evidence: true };
		assert.ok((await send(number, { category: "marketing", consent })).json.reasons.includes("OPTED_OUT"));
		assert.equal((await optOut(number, { scope: "all" })).status, 201);
		assert.equal((await send(number)).json.code, "policy_denied");
	});

	it("a recipient whose first opt-out is long erased can opt out again", async () => {
		const number = freshNumber();
		const ids: string[] = [];
		for (let round = 0; round < 2; round++) {
			api.time.offsetMs += 1_000;
			const { json } = await optOut(number);
			const { id } = json.items.find(({ lifted }: { lifted?: object }) => !lifted);
			ids.push(id);
			api.time.offsetMs += 1_000;
			assert.equal((await lift(id, api.clock())).status, 200);
		}
		await api.store.subjectRecords.delete(ids[0] as string);
		api.time.offsetMs += 1_000;
		assert.equal((await optOut(number)).status, 201);
	});

	it("a list that says `none` lifts nothing, and one that repeats it adds nothing", async () => {
		const number = freshNumber();
		await optOut(number, { source: "import", at: "2020-01-01T00:00:00Z" });
		for (const more of [{ scope: "all", source: "import" }, { scope: "marketing" }]) {
			const again = await optOut(number, more);
			assert.deepEqual([again.status, again.json.optedOut, again.json.items.length], [200, "all", 1]);
		}
		const none = await optOut(number, { scope: "none", source: "import" });
		assert.deepEqual([none.status, none.json], [200, { items: [] }]);
		assert.equal((await send(number)).json.code, "policy_denied");
		assert.equal((await search(number)).json.items.length, 1);
	});

	it("whoever may not search is answered alike of every number, whatever was on record of it", async () => {
		const [theirs, fresh] = [freshNumber(), freshNumber()];
		await optOut(theirs, { source: "import", at: "2020-01-01T00:00:00Z" });
		for (const scope of ["none", "marketing", "marketing", "all"]) {
			const [covered, first] = [await optOut(theirs, { scope }, sender), await optOut(fresh, { scope }, sender)];
			const told = scope === "none" ? { items: [] } : { optedOut: scope, items: [] };
			assert.deepEqual([covered.status, covered.json], [200, told], scope);
			assert.deepEqual([first.status, first.json], [200, told], scope);
		}
		assert.equal((await search(fresh)).json.optedOut, "all");
	});

	it("whoever may search is told whether it is new, and of records their own", async () => {
		const { key: colleague } = await api.addKey(tenantId, ["compliance"]);
		const number = freshNumber();
		await optOut(number, { scope: "marketing" }, colleague);
		const covered = await optOut(number, { scope: "marketing" });
		assert.deepEqual([covered.status, covered.json], [200, { optedOut: "marketing", items: [] }]);
		const broader = await optOut(number);
		assert.deepEqual([broader.status, broader.json.optedOut, broader.json.items.length], [201, "all", 1]);
		const again = await optOut(number);
		assert.deepEqual([again.status, again.json], [200, broader.json]);
	});

	it("it outlives the messages: with all of them erased the number stays suppressed", async () => {
		const number = freshNumber();
		const { json } = await send(number);
		await optOut(number);
		await api.connection.collection("messages").deleteOne({ _id: json.id });
		assert.equal((await send(number)).json.code, "policy_denied");
	});

	it("only a fresh opt-in lifts it, and both stay on record", async () => {
		const number = freshNumber();
		const { json } = await optOut(number);
		const [{ id, at }] = json.items;
		for (const stale of [Date.parse(at) - 1, Date.parse(at), api.clock() + 3600_000]) {
			const refused = await lift(id, stale);
			assert.deepEqual([refused.status, refused.json.code], [422, "opt_in_not_fresh"]);
		}
		assert.equal((await send(number)).json.code, "policy_denied");
		api.time.offsetMs += 1_000;
		const lifted = await lift(id, api.clock());
		assert.equal(lifted.json.lifted.evidence, "form-7");
		const { json: found } = await search(number);
		assert.deepEqual([found.optedOut, found.items.length], ["none", 1]);
		const sent = await send(number);
		assert.equal(sent.status, 202);
		assert.equal((await api.read(sent.json.id)).facts.context?.freshOptInEvidence, id);
		// Lifted once: what is said of it later does not rewrite what was said then.
		api.time.offsetMs += 1_000;
		assert.deepEqual((await lift(id, api.clock())).json, lifted.json);
		assert.equal((await optOut(number)).status, 201);
		assert.equal((await search(number)).json.items.length, 2);
	});

	it("an opt-in does not lift what the recipient says again while it is being lifted", async () => {
		const number = freshNumber();
		const { id } = (await optOut(number)).json.items[0];
		api.time.offsetMs += 1_000;
		const obtainedAt = api.clock();
		meanwhile = async () => {
			api.time.offsetMs += 1_000;
			assert.equal((await optOut(number)).status, 200);
		};
		const refused = await lift(id, obtainedAt);
		assert.equal(meanwhile, undefined, "it was said again");
		assert.deepEqual([refused.status, refused.json.code], [422, "opt_in_not_fresh"]);
		assert.equal((await search(number)).json.optedOut, "all");
		api.time.offsetMs += 1_000;
		assert.equal((await lift(id, api.clock())).status, 200);
	});

	it("twenty at once are one record", async () => {
		const number = freshNumber();
		const answers = await Promise.all(Array.from({ length: 20 }, () => optOut(number)));
		assert.equal(answers.filter(({ status }) => status === 201).length, 1);
		assert.equal((await search(number)).json.items.length, 1);
	});

	it("it is found under every version of the key, before a rotation and after", async () => {
		const [before, later] = [freshNumber(), freshNumber()];
		await optOut(before);
		const { json: early } = await send(later);
		api.vault.rotate(`hmac-subject-${tenantId}`);
		api.time.offsetMs += 200_000;
		assert.equal((await send(before)).json.code, "policy_denied");
		await optOut(later);
		// What was accepted under the old version is found by what is recorded under the new one.
		const { subject } = await api.read(early.id);
		assert.equal((await api.store.subjectRecords.findBySubjects([subject.mac])).length, 1);
		assert.equal((await optOut(before)).status, 200);
	});

	it("the list goes page by page, without numbers, and is the tenant's own", async () => {
		const { key: stranger } = await api.addTenant({ roles: ["compliance"] });
		const number = freshNumber();
		await optOut(number);
		const seen: string[] = [];
		let next: string | undefined;
		do {
			const query = next ? `&cursor=${next}` : "";
			const page = await api.request(compliance, "GET", `/v1/opt-outs?limit=3${query}`);
			assert.ok(page.json.items.length <= 3);
			assert.ok(!/\d{7}/.test(page.text.replace(/"[^"]*(At|at)":"[^"]*"/g, "").replace(/key_\w+|opt_\w+/g, "")));
			seen.push(...page.json.items.map(({ id }: { id: string }) => id));
			next = page.json.next;
		} while (next);
		assert.equal(new Set(seen).size, seen.length);
		assert.equal(seen.length, await api.connection.collection("subjectRecords").countDocuments({ tenantId }));
		assert.deepEqual((await api.request(stranger, "GET", "/v1/opt-outs")).json.items, []);
		assert.equal((await search(number, stranger)).json.optedOut, "none");
		assert.equal((await lift(seen[0] as string, api.clock(), stranger)).status, 404);
		assert.equal((await api.request(compliance, "GET", "/v1/opt-outs?cursor=x")).json.code, "invalid_request");
	});

	it("senders may record, and neither search nor lift; times ahead and bad numbers are refused", async () => {
		const number = freshNumber();
		assert.equal((await optOut(number, {}, sender)).status, 200);
		const id = (await search(number)).json.items[0].id;
		for (const answer of [await search(number, sender), await lift(id, api.clock(), sender)]) {
			assert.deepEqual([answer.status, answer.json.code], [403, "forbidden"]);
		}
		const ahead = await optOut(freshNumber(), { at: new Date(api.clock() + 3600_000).toISOString() });
		assert.deepEqual(ahead.json.errors, [{ pointer: "/at", detail: "Not in the future." }]);
		const bad = await optOut("0151 1234567");
		assert.deepEqual([bad.json.code, bad.json.errors[0].pointer], ["invalid_number", "/number"]);
	});

	it("one Idempotency-Key with two numbers is a mismatch, not a replay", async () => {
		const headers = { "idempotency-key": "list-1" };
		const first = await api.request(
			compliance,
			"POST",
			"/v1/opt-outs",
			{ number: freshNumber(), scope: "all" },
			headers,
		);
		assert.equal(first.status, 201);
		const number = freshNumber();
		const other = await api.request(compliance, "POST", "/v1/opt-outs", { number, scope: "all" }, headers);
		assert.deepEqual([other.status, other.json.code], [422, "idempotency_mismatch"]);
		assert.equal((await search(number)).json.optedOut, "none");
	});
});
