// A tenant that is suspended or leaves: nothing new of it is accepted, and what its recipients say still counts.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { createApiKey, trustIssuer } from "../../cli/administer.ts";
import { limits } from "../../domain/limits.ts";
import { createTestApi, inboundOf, messageBody, number, type TestApi } from "./harness.ts";

describe("a tenant's standing at the door", () => {
	let api: TestApi;
	before(async () => {
		api = await createTestApi();
	});
	after(() => api.close());

	const suspend = async (tenantId: string) => {
		const standing = { state: "suspended", since: api.clock(), open: "wait" } as const;
		assert.ok(await api.store.tenants.setStanding(tenantId, undefined, standing));
		// As long as a process may remember what it read.
		api.time.offsetMs += limits.tenantSeenMs;
		return standing;
	};

	it("a suspended tenant's messages are refused by a code of their own, dry runs too; resumed, they are accepted", async () => {
		const { tenantId, key } = await api.addTenant();
		assert.equal((await api.post(key)).status, 202);
		const standing = await suspend(tenantId);
		const before = await api.count();
		for (const url of ["/v1/messages", "/v1/messages?dryRun=true"]) {
			const { status, json } = await api.request(key, "POST", url, messageBody());
			assert.deepEqual([status, json.code, json.retryable], [403, "tenant_suspended", false], url);
		}
		assert.equal(await api.count(), before);
		await api.store.tenants.setStanding(tenantId, standing, undefined);
		api.time.offsetMs += limits.tenantSeenMs;
		assert.equal((await api.post(key)).status, 202);
	});

	it("nobody is given a way in of a tenant that is leaving or has left, by the API or by command", async () => {
		const { tenantId } = await api.addTenant();
		const { key: admin } = await api.addKey(tenantId, ["admin"]);
		const invited = { login: "a@example.com", name: "A", roles: ["sender" as const], tenantId };
		const trust = { url: "https://i.example", tenantId, audience: "a", claim: "scope", mapping: [] };
		const about = { tenantId, name: "k", roles: ["sender"] };
		const since = api.clock();
		const leaving = { state: "leaving", since, step: "ending" } as const;
		const left = { state: "left", since, certificateId: "crt" } as const;
		for (const [from, to] of [
			[undefined, leaving],
			[leaving, left],
		] as const) {
			assert.ok(await api.store.tenants.setStanding(tenantId, from, to));
			for (const [path, body] of [
				["api-keys", { name: "k", roles: ["sender"] }],
				["webhook-endpoints", { url: "https://example.com/hook" }],
			] as const) {
				const { status, json } = await api.request(admin, "POST", `/v1/${path}`, body);
				assert.deepEqual([status, json.code], [403, "tenant_suspended"], path);
			}
			await assert.rejects(api.people.invite("admin", invited), { code: "tenant_suspended" });
			await assert.rejects(trustIssuer(api, trust), { code: "tenant_suspended" });
			await assert.rejects(createApiKey(api, about), { code: "tenant_suspended" });
		}
		assert.equal((await api.store.apiKeys.findByTenant(tenantId)).length, 2);
	});

	it("what was accepted before is answered as it was, by its key", async () => {
		const { tenantId, key } = await api.addTenant();
		const first = await api.post(key, {}, { "idempotency-key": "a-1" });
		await suspend(tenantId);
		const again = await api.post(key, {}, { "idempotency-key": "a-1" });
		assert.deepEqual([again.status, again.json.id], [first.status, first.json.id]);
	});

	it("a recipient's STOP still counts, though its confirmation can't be sent", async () => {
		const { tenantId, key } = await api.addTenant({ sendQueue: "stopped" });
		api.callbackKeys.set("stopped", api.callbackKeys.get("queue") as never);
		api.policy.script.decision = { maxConfirmations: 1, confirmationWithin: "PT5M" };
		const { json } = await api.post(key);
		await api.sent(json.id);
		await suspend(tenantId);
		const before = await api.count();
		const { status } = await api.callback(inboundOf("STOP", { from: number, at: api.clock() }), {
			queue: "stopped",
			kind: "inbound",
		});
		assert.equal(status, 200);
		const [record] = await api.store.subjectRecords.page(tenantId, "opt_out", 10);
		assert.equal(record?.scope, "all");
		assert.equal(await api.count(), before);
	});
});
