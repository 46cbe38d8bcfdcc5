// API keys: unknown, expired and revoked ones open nothing, roles bound the rest.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import Fastify from "fastify";
import { createInstance } from "../../../api/instance.ts";
import { addAccess, addAuth } from "../../../api/plugins/auth.ts";
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
		assert.deepEqual(answer.json.errors, [{ pointer: "", detail: "It needs the role sender." }]);
		assert.equal((await list(`Bearer ${key}`)).status, 200);
		const { key: approver } = await api.addTenant({ roles: ["approver"] });
		assert.equal((await list(`Bearer ${approver}`)).status, 403);
	});

	it("nothing of a request is read before its key is known", async () => {
		const answer = await api.app.inject({ method: "POST", url: "/v1/messages", payload: "{broken" });
		assert.equal(answer.statusCode, 401);
	});

	const own = { freshMfaMs: 0, clock: Date.now };

	it("a route that the table does not name stops the start", async () => {
		const app = Fastify();
		addAccess(app, { "GET /closed": { roles: ["sender"] } }, own);
		app.get("/closed", async () => ({}));
		assert.throws(() => app.post("/closed", async () => ({})), /has no roles/);
		await app.close();
	});

	it("a row of the table that no route answers to any more stops it too: what it asks for would be asked of nobody", async () => {
		const app = Fastify();
		const table = {
			"GET /closed": { roles: ["sender"] },
			"GET /renamed": { roles: ["sender"], freshMfa: true },
		} as const;
		addAccess(app, table, own);
		app.get("/closed", async () => ({}));
		await assert.rejects(async () => app.ready(), /GET \/renamed/);
		await app.close();
	});

	it("the first way in that knows the credentials decides", async () => {
		const app = createInstance(api);
		const asked: string[] = [];
		const way =
			(name: string, knows: string) =>
			async ({ headers }: { headers: { authorization?: string } }) => {
				asked.push(name);
				if (headers.authorization !== knows) return undefined;
				return { id: name, tenantId: "t", roles: ["sender"], kind: "person" as const };
			};
		addAuth(app, [way("first", "a"), way("second", "b"), way("third", "b")]);
		app.get("/who", async ({ principal }) => ({ id: principal.id }));
		const who = (authorization: string) => app.inject({ method: "GET", url: "/who", headers: { authorization } });
		assert.deepEqual((await who("b")).json(), { id: "second" });
		assert.deepEqual(asked, ["first", "second"]);
		assert.equal((await who("c")).statusCode, 401);
		await app.close();
	});
});
