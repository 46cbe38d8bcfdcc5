// /v1/api-keys: shown once, narrowed, rotated without a gap, ended at once; a leaked one's use is seen.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { isApiKey } from "../../../domain/apiKeyText.ts";
import { limits } from "../../../domain/limits.ts";
import { until } from "../../harness/until.ts";
import { createTestApi, messageBody, type TestApi } from "../harness.ts";

describe("/v1/api-keys", () => {
	let api: TestApi;
	let tenantId: string;
	let admin: string;
	before(async () => {
		api = await createTestApi();
		({ tenantId, key: admin } = await api.addTenant({ roles: ["admin"] }));
	});
	after(() => api.close());

	const create = async (more: object = {}) => {
		const answer = await api.request(admin, "POST", "/v1/api-keys", { name: "Billing", roles: ["sender"], ...more });
		assert.equal(answer.status, 201, answer.text);
		return answer.json as { id: string; apiKey: string };
	};
	const step = (id: string, name: string, body?: object, by = admin) =>
		api.request(by, "POST", `/v1/api-keys/${id}/${name}`, body);
	const use = async (key: string, remoteAddress = "192.0.2.1") => {
		const headers = { authorization: `Bearer ${key}` };
		const answer = await api.app.inject({ method: "GET", url: "/v1/messages", headers, remoteAddress });
		return answer.statusCode;
	};
	/** What the log has of a key, by type and code. */
	const actsOf = async (id: string) => {
		const entries = await api.entries(id);
		return entries.filter(({ about }) => about === id).map(({ type, code }) => (code ? `${type} ${code}` : type));
	};
	const alerts = async (reason: string) => {
		const { body } = await api.app.inject({ method: "GET", url: "/metrics" });
		return Number(new RegExp(`lethe_credential_alerts_total\\{reason="${reason}"\\} (\\d+)`).exec(body)?.[1] ?? 0);
	};

	it("a key is shown once, stored as a keyed hash, and entered before it counts", async () => {
		const { id, apiKey } = await create();
		assert.ok(isApiKey(apiKey));
		assert.equal(await use(apiKey), 200);
		const stored = JSON.stringify(await api.store.apiKeys.find(id));
		assert.ok(!stored.includes(apiKey.slice(10, 30)) && !stored.includes(apiKey.slice(-20)), "no part of the text");
		for (const url of [`/v1/api-keys/${id}`, "/v1/api-keys"]) {
			const { status, text } = await api.request(admin, "GET", url);
			assert.equal(status, 200);
			assert.ok(text.includes(id) && !text.includes(apiKey) && !text.includes("secrets"));
		}
		assert.deepEqual((await actsOf(id)).slice(0, 1), ["api_key_created sender"]);
	});

	it("compliance is given, and a key that has it renewed, by whoever holds it in force alone", async () => {
		const body = { name: "Exports", roles: ["sender", "compliance"] };
		const { key: foreign } = await api.addTenant({ roles: ["admin", "compliance"] });
		for (const by of [admin, (await api.addPerson(tenantId, ["admin"])).token]) {
			const { status, json } = await api.request(by, "POST", "/v1/api-keys", body);
			assert.deepEqual([status, json.code, json.errors?.[0].pointer], [403, "forbidden", "/roles"]);
		}
		const { key: both } = await api.addKey(tenantId, ["admin", "compliance"]);
		const { token: person } = await api.addPerson(tenantId, ["admin", "compliance"]);
		for (const by of [both, person]) {
			const { status, json } = await api.request(by, "POST", "/v1/api-keys", body);
			assert.deepEqual([status, json.roles], [201, body.roles]);
			const refused = await step(json.id, "rotate");
			assert.deepEqual([refused.status, refused.json.code, refused.json.apiKey], [403, "forbidden", undefined]);
			assert.equal((await step(json.id, "rotate", {}, by)).status, 200);
			assert.equal((await step(json.id, "rotate", {}, foreign)).status, 404);
			assert.equal((await step(json.id, "revoke")).status, 200, "to end one takes no more than to be an administrator");
		}
	});

	it("a repeat with the same Idempotency-Key makes no other, and never shows the first again", async () => {
		const body = { name: "Once", roles: ["sender"] };
		const headers = { "idempotency-key": "once" };
		const first = await api.request(admin, "POST", "/v1/api-keys", body, headers);
		const again = await api.request(admin, "POST", "/v1/api-keys", body, headers);
		assert.deepEqual([first.status, again.status, again.json.code], [201, 409, "answer_not_kept"]);
		assert.ok(!again.text.includes(first.json.apiKey));
		const keys = await api.store.apiKeys.findByTenant(tenantId);
		assert.equal(keys.filter(({ name }) => name === "Once").length, 1);
	});

	it("a tenant has so many that have not ended; revoking one makes room for one", async () => {
		const other = await api.addTenant({ roles: ["admin"] });
		const make = () => api.request(other.key, "POST", "/v1/api-keys", { name: "More", roles: ["sender"] });
		const about = {
			tenantId: other.tenantId,
			roles: ["sender"],
			name: "t",
			createdAt: api.clock(),
			createdBy: "admin",
		};
		const given = Array.from({ length: limits.apiKeysPerTenantMax }, (_, index) => ({
			...{ ...about, _id: api.ids.random("apiKey"), secrets: [] },
			...(index === 0 && { revokedAt: api.clock() }),
			...(index === 1 && { expiresAt: api.clock() }),
		}));
		await api.connection.collection("apiKeys").insertMany(given as never[]);
		const made = await make();
		assert.equal(made.status, 201, "those that have ended count for nothing");
		const refused = await make();
		assert.deepEqual([refused.status, refused.json.code], [422, "too_many_records"]);
		assert.match(refused.json.errors[0].detail, /revoke/);
		await api.request(other.key, "POST", `/v1/api-keys/${made.json.id}/revoke`, {});
		const live = async () =>
			(await api.store.apiKeys.findEnds(other.tenantId)).filter(({ endsAt }) => endsAt > api.clock()).length;
		const together = await Promise.all(Array.from({ length: 4 }, make));
		const count = together.filter(({ status }) => status === 201).length;
		assert.deepEqual(
			[await live(), count <= 1],
			[limits.apiKeysPerTenantMax - 1 + count, true],
			"also of those at once",
		);
		if (count === 0) assert.equal((await make()).status, 201);
		assert.equal((await make()).status, 422);
	});

	it("what makes no sense is refused by its field", async () => {
		for (const [more, pointer] of [
			[{ roles: [] }, "/roles"],
			[{ roles: ["root"] }, "/roles/0"],
			[{ addresses: ["192.0.2.1"] }, "/addresses/0"],
			[{ addresses: ["192.0.2.0/33"] }, "/addresses/0"],
			[{ categories: [] }, "/categories"],
			[{ expiresAt: "tomorrow" }, "/expiresAt"],
			[{ expiresAt: new Date(api.clock() - 1).toISOString() }, "/expiresAt"],
		] as const) {
			const { status, json } = await api.request(admin, "POST", "/v1/api-keys", {
				name: "n",
				roles: ["sender"],
				...more,
			});
			assert.deepEqual([status, json.errors?.[0]?.pointer], [400, pointer]);
		}
	});

	it("an overlap that is no duration is refused, and rotates nothing", async () => {
		const { id } = await create();
		for (const overlap of ["", "P", "soon", "P31D"]) {
			const answer = await api.request(admin, "POST", `/v1/api-keys/${id}/rotate`, { overlap });
			assert.deepEqual([answer.status, answer.json.errors?.[0].pointer], [400, "/overlap"], overlap);
		}
		assert.equal((await api.store.apiKeys.find(id))?.secrets.length, 1);
	});

	it("rotated, both texts open until the overlap ends; the principal stays the same", async () => {
		const { id, apiKey } = await create();
		const headers = { "idempotency-key": "across" };
		const first = await api.post(apiKey, {}, headers);
		const { json } = await step(id, "rotate", { overlap: "PT1H" });
		assert.equal(json.id, id);
		assert.ok(json.rotatedAt && json.overlapEndsAt);
		assert.notEqual(json.apiKey, apiKey);
		assert.deepEqual([await use(apiKey), await use(json.apiKey)], [200, 200]);
		const repeat = await api.post(json.apiKey, {}, headers);
		assert.deepEqual([repeat.json.id, repeat.headers["idempotency-replayed"]], [first.json.id, "true"]);
		const third = (await step(id, "rotate", { overlap: "PT0S" })).json.apiKey;
		api.time.offsetMs += 501;
		assert.deepEqual([await use(apiKey), await use(json.apiKey), await use(third)], [401, 401, 200]);
		assert.ok((await actsOf(id)).includes("credential_alert superseded"));
		api.time.offsetMs = 0;
		assert.equal((await step(id, "rotate", { overlap: "P31D" })).status, 400);
	});

	it("of two rotations at once one is told to look again", async () => {
		const { id } = await create();
		const found = await api.store.apiKeys.find(id);
		assert.ok(found);
		await api.apiKeys.rotate("admin", found, 0);
		await assert.rejects(api.apiKeys.rotate("admin", found, 0), { code: "key_changed" });
		await step(id, "revoke");
		assert.deepEqual([(await step(id, "rotate")).json.code], ["key_changed"]);
	});

	it("one that has ended is given no text that would open nothing, and none is entered", async () => {
		const expiring = await create({ expiresAt: new Date(api.clock() + 60_000).toISOString() });
		const revoked = await create();
		await step(revoked.id, "revoke");
		api.time.offsetMs += 60_001;
		for (const { id } of [expiring, revoked]) {
			const { status, json } = await step(id, "rotate");
			assert.deepEqual([status, json.code], [409, "key_changed"]);
			assert.ok(!(await actsOf(id)).includes("api_key_rotated"));
		}
		api.time.offsetMs = 0;
	});

	it("revoked, a key opens nothing within a second, and its use is entered once a minute and counted each time", async () => {
		const { id, apiKey } = await create();
		assert.equal(await use(apiKey), 200);
		assert.equal((await step(id, "revoke")).json.state, "revoked");
		const before = await alerts("revoked");
		api.time.offsetMs += 501;
		assert.deepEqual(await Promise.all([1, 2, 3].map(() => use(apiKey))), [401, 401, 401], "at once");
		assert.equal(await alerts("revoked"), before + 3);
		const tellsSo = async () => (await actsOf(id)).filter((act) => act === "credential_alert revoked").length;
		assert.equal(await tellsSo(), 1);
		api.time.offsetMs += 60_000;
		await use(apiKey);
		assert.equal(await tellsSo(), 2);
		const { revokedAt } = (await api.store.apiKeys.find(id)) ?? {};
		assert.equal(await api.apiKeys.revoke("admin", { _id: id, tenantId: api.ids.random("tenant") }), true);
		assert.equal((await api.store.apiKeys.find(id))?.revokedAt, revokedAt, "it ended when it was first said");
		api.time.offsetMs = 0;
	});

	it("outside its networks a key is refused and that is entered; within them it opens, in either notation", async () => {
		const { id, apiKey } = await create({
			addresses: ["198.51.100.0/24", "::ffff:192.0.2.0/120", "2001:db8::/32"],
		});
		for (const address of ["198.51.100.9", "192.0.2.7", "::ffff:198.51.100.9", "2001:db8:1::2"]) {
			assert.equal(await use(apiKey, address), 200, address);
		}
		for (const address of ["198.51.101.9", "192.0.3.7", "2001:db9::1", "::ffff:198.51.101.9"]) {
			assert.equal(await use(apiKey, address), 403, address);
		}
		const acts = await actsOf(id);
		assert.equal(acts.filter((act) => act === "credential_alert address_refused").length, 1);
		assert.equal(await alerts("address_refused"), 4);
	});

	it("a network it never came from is entered, once; the first one and another address of the same are not", async () => {
		const { id, apiKey } = await create();
		const tellsSo = async () => (await actsOf(id)).filter((act) => act === "credential_alert new_address").length;
		await use(apiKey, "2001:db8::1");
		await until(async () => (await api.store.apiKeys.find(id))?.seenFrom?.length === 1);
		api.time.offsetMs += 501;
		await use(apiKey, "2001:db8::2");
		assert.equal(await tellsSo(), 0);
		await use(apiKey, "203.0.113.7");
		assert.equal(await tellsSo(), 1);
		await until(async () => (await api.store.apiKeys.find(id))?.seenFrom?.length === 2);
		await use(apiKey, "203.0.113.7");
		assert.equal(await tellsSo(), 1);
		// Under another version of the hash's key it is known still, and kept under that from then on.
		api.vault.rotate("hmac-api-key");
		api.time.offsetMs += 24 * 3600_000;
		await use(apiKey, "203.0.113.7");
		const versions = async () => ((await api.store.apiKeys.find(id))?.seenFrom ?? []).map((mac) => mac.slice(0, 2));
		await until(async () => (await versions()).join() === "1.,2.");
		assert.equal(await tellsSo(), 1);
		const stored = JSON.stringify(await api.store.apiKeys.find(id));
		assert.ok(!stored.includes("203.0.113.7") && !stored.includes("cb007107"), "no address at rest");
		api.time.offsetMs = 0;
	});

	it("of a new key's first two networks the second is entered, however soon after the first it comes", async () => {
		const toldOf = async (...addresses: string[]) => {
			const { id, apiKey } = await create();
			await Promise.all(addresses.map((address) => use(apiKey, address)));
			return (await actsOf(id)).filter((act) => act === "credential_alert new_address").length;
		};
		assert.equal(await toldOf("192.0.2.1", "203.0.113.7"), 1);
		assert.equal(await toldOf("192.0.2.1", "192.0.2.1", "192.0.2.1"), 0);
	});

	it("its last use is written once a minute, beside the requests", async () => {
		const { id, apiKey } = await create();
		await use(apiKey);
		await until(async () => (await api.store.apiKeys.find(id))?.lastUsedAt !== undefined);
		const first = (await api.store.apiKeys.find(id))?.lastUsedAt as number;
		api.time.offsetMs += 30_000;
		await use(apiKey);
		api.time.offsetMs += 30_001;
		await use(apiKey);
		await until(async () => ((await api.store.apiKeys.find(id))?.lastUsedAt ?? 0) >= first + 60_000);
		api.time.offsetMs = 0;
	});

	it("a key with categories sends only these, one by one and in a batch", async () => {
		const { apiKey } = await create({ categories: ["otp"] });
		assert.equal((await api.post(apiKey, { category: "otp", validFor: "PT5M" })).status, 202);
		const refused = await api.post(apiKey, { category: "marketing" });
		assert.deepEqual([refused.status, refused.json.code], [403, "category_refused"]);
		assert.equal(refused.json.errors[0].pointer, "/category");
		assert.match(refused.json.errors[0].detail, /\botp\b/);
		const tried = await api.request(apiKey, "POST", "/v1/messages?dryRun=true", messageBody());
		assert.equal(tried.json.code, "category_refused");
		const { to: _, ...shared } = messageBody({ category: "otp", validFor: "PT5M" }) as { to: string };
		const messages = [{ to: "+4915112345671" }, { to: "+4915112345672", category: "marketing" }];
		const batch = await api.request(apiKey, "POST", "/v1/batches", { ...shared, messages });
		assert.deepEqual([batch.status, batch.json.items?.[1]?.error?.code ?? batch.text], [202, "category_refused"]);
	});

	it("another tenant's keys answer like absence, and only an admin changes any", async () => {
		const { id } = await create();
		const { key: stranger } = await api.addTenant({ roles: ["admin"] });
		const { key: auditor } = await api.addKey(tenantId, ["auditor"]);
		for (const name of ["rotate", "revoke"]) {
			assert.equal((await step(id, name, {}, stranger)).status, 404);
			assert.equal((await step(id, name, {}, auditor)).status, 403);
		}
		assert.equal((await api.request(stranger, "GET", `/v1/api-keys/${id}`)).status, 404);
		assert.equal((await api.request(auditor, "GET", `/v1/api-keys/${id}`)).status, 200);
		const { json } = await api.request(stranger, "GET", "/v1/api-keys");
		assert.equal(json.items.length, 1, "its own");
	});

	it("are listed newest first, in pages", async () => {
		const ids: string[] = [];
		let cursor = "";
		do {
			const { json } = await api.request(admin, "GET", `/v1/api-keys?limit=3${cursor}`);
			ids.push(...json.items.map((item: { id: string }) => item.id));
			cursor = json.next ? `&cursor=${json.next}` : "";
		} while (cursor);
		const stored = await api.store.apiKeys.findByTenant(tenantId);
		assert.deepEqual(
			ids,
			stored.toSorted((a, b) => b.createdAt - a.createdAt || (a._id < b._id ? 1 : -1)).map(({ _id }) => _id),
		);
	});
});
