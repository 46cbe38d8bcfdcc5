// /v1/people: an administrator says who may sign in, nobody does it to themselves, and no key does it at all.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { limits } from "../../../../domain/limits.ts";
import { createTestApi, type TestApi } from "../../harness.ts";

describe("/v1/people", () => {
	let api: TestApi;
	let tenantId: string;
	let admin: { token: string; personId: string };
	before(async () => {
		api = await createTestApi();
		({ tenantId } = await api.addTenant());
		admin = await api.addPerson(tenantId, ["admin"]);
	});
	after(() => api.close());

	let sequence = 0;
	const ask = (method: "GET" | "POST", path: string, body?: object, by = admin.token) =>
		api.request(by, method, `/v1/people${path}`, body);
	const invite = (more: object = {}) =>
		ask("POST", "", { login: `Clerk${sequence++}@Example.com`, name: "Ü. Clerk", roles: ["auditor"], ...more });

	it("invites with a token that is shown once, tells names to administrators, and enters ids and words only", async () => {
		const made = await invite();
		assert.equal(made.status, 201);
		assert.match(made.json.enrolmentToken, /^lethe_enrol_[\w-]{43}$/);
		assert.equal(Date.parse(made.json.expiresAt) - api.clock() > limits.enrolmentLifeMs - 60_000, true);
		const seen = await ask("GET", `/${made.json.id}`);
		const { login, name, roles, state, createdBy } = seen.json;
		assert.deepEqual(
			[login, name, roles, state, createdBy],
			["clerk0@example.com", "Ü. Clerk", ["auditor"], "invited", admin.personId],
		);
		assert.ok(!seen.text.includes("enrol_"));
		const log = JSON.stringify(await api.connection.collection("evidenceBundles").find().toArray());
		for (const secret of [login, name, made.json.enrolmentToken]) assert.ok(!log.includes(secret), secret);
	});

	it("has each login name once a tenant, however it is written, and again once its owner has left", async () => {
		const login = "Kim@Example.com";
		const first = await invite({ login });
		assert.equal((await invite({ login: " kim@EXAMPLE.com" })).json.code, "login_taken");
		assert.equal((await ask("POST", `/${first.json.id}/end`, {})).status, 204);
		assert.equal((await invite({ login })).status, 201);
		const gone = (await ask("GET", "")).json.items.find(({ id }: { id: string }) => id === first.json.id);
		assert.deepEqual([gone.state, gone.login, gone.name], ["ended", "", ""]);
		assert.equal((await ask("POST", `/${first.json.id}/roles`, { roles: ["admin"] })).status, 404);
	});

	it("of two invitations of one name at once one is made", async () => {
		const answers = await Promise.all([1, 2, 3].map(() => invite({ login: "twice@example.com" })));
		assert.deepEqual(answers.map(({ status }) => status).sort(), [201, 409, 409]);
	});

	it("is for no key, and for nobody about themselves", async () => {
		const { key } = await api.addKey(tenantId, ["admin"]);
		assert.equal((await ask("POST", "", { login: "x", roles: ["approver"] }, key)).json.code, "person_required");
		for (const path of ["/roles", "/enrolment", "/end"]) {
			const body = path === "/roles" ? { roles: ["admin", "approver"] } : {};
			const refused = await ask("POST", `/${admin.personId}${path}`, body);
			assert.deepEqual([refused.status, refused.json.code], [403, "self_approval"], path);
		}
		assert.deepEqual((await api.store.people.find(admin.personId))?.roles, ["admin"]);
	});
});
