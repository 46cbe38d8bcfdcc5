// API keys: unknown, expired and revoked ones open nothing, roles bound the rest.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import Fastify from "fastify";
import { addAuth } from "../../../api/plugins/auth.ts";
import { createTestApi, type TestApi } from "../harness.ts";

describe("authentication", () => {
	let api: TestApi;
	before(async () => {
		api = await createTestApi();
	});
	after(() => api.close());

	const list = async (authorization: string | undefined) => {
		const headers = authorization === undefined ? {} : { authorization };
		const answer = await api.app.inject({ method: "GET", url: "/v1/messages", headers });
		return { status: answer.statusCode, code: answer.json().code, headers: answer.headers };
	};

	it("without a key that is known, every route of /v1 is closed", async () => {
		const { key } = await api.addTenant();
		const bad = [
			undefined,
			"",
			"Bearer",
			`Basic ${key}`,
			key,
			`Bearer ${key}x`,
			`Bearer ${key.slice(0, -1)}`,
			"Bearer lethe_key_",
		];
		for (const authorization of [...bad, `Bearer lethe_key_${"x".repeat(400)}`, `Bearer ${key} ${key}`]) {
			const answer = await list(authorization);
			assert.deepEqual([answer.status, answer.code], [401, "unauthenticated"], authorization?.slice(0, 12));
			assert.equal(answer.headers["www-authenticate"], "Bearer");
		}
		assert.equal((await list(`Bearer ${key}`)).status, 200);
		assert.equal((await list(`bearer ${key}`)).status, 200);
	});

	it("a key ends at its time and, once revoked, within half a second", async () => {
		const { tenantId, key, keyId } = await api.addTenant();
		const { key: brief } = await api.addKey(tenantId, ["sender"], { expiresAt: api.clock() + 60_000 });
		assert.equal((await list(`Bearer ${brief}`)).status, 200);
		assert.equal((await list(`Bearer ${key}`)).status, 200);
		await api.store.apiKeys.revoke(keyId, api.clock());
		api.time.offsetMs += 501;
		assert.equal((await list(`Bearer ${key}`)).status, 401);
		api.time.offsetMs += 60_000;
		assert.equal((await list(`Bearer ${brief}`)).status, 401);
		api.time.offsetMs = 0;
	});

	it("a key is found under an older version of the hash key", async () => {
		const { key } = await api.addTenant();
		api.vault.rotate("hmac-api-key");
		api.time.offsetMs += 61_000;
		assert.equal((await list(`Bearer ${key}`)).status, 200);
		api.time.offsetMs = 0;
	});

	it("a role that a route does not name is refused", async () => {
		const { key } = await api.addTenant({ roles: ["auditor"] });
		const answer = await api.post(key);
		assert.deepEqual([answer.status, answer.json.code], [403, "forbidden"]);
		assert.equal((await list(`Bearer ${key}`)).status, 200);
		const { key: approver } = await api.addTenant({ roles: ["approver"] });
		assert.equal((await list(`Bearer ${approver}`)).status, 403);
	});

	it("nothing of a request is read before its key is known", async () => {
		const answer = await api.app.inject({ method: "POST", url: "/v1/messages", payload: "{broken" });
		assert.equal(answer.statusCode, 401);
	});

	it("a route that names no roles stops the start", async () => {
		const app = Fastify();
		addAuth(app, api);
		assert.throws(() => app.get("/open", async () => ({})), /names no roles/);
		await app.close();
	});
});
