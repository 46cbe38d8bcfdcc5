// Whoever was shown a key's text stands behind what it does, whatever became of that text since.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { ApiKeyDocument } from "../../adapters/mongo/models.ts";
import { standsBehind } from "../../api/standsBehind.ts";
import { limits } from "../../domain/limits.ts";
import { createTestApi, type TestApi } from "./harness.ts";

describe("a person stands behind a key", () => {
	let api: TestApi;
	let tenantId: string;
	before(async () => {
		api = await createTestApi();
		({ tenantId } = await api.addTenant());
	});
	after(() => api.close());

	const textOf = async (by: string, path: string, body: object = {}) => {
		const { json, text } = await api.request(by, "POST", `/v1/api-keys${path}`, body);
		assert.ok(json.apiKey, text);
		return json as { id: string; apiKey: string };
	};
	const read = async (id: string) => (await api.store.apiKeys.find(id)) as ApiKeyDocument;

	it("whose text they were shown once, however often it was renewed since, and behind what that key made", async () => {
		const { keyId } = await api.addKey(tenantId, ["admin", "compliance"]);
		const { token, personId } = await api.addPerson(tenantId, ["admin", "approver", "compliance"]);
		let shown = await textOf(token, `/${keyId}/rotate`);
		for (let times = 0; times < 5; times++) shown = await textOf(shown.apiKey, `/${keyId}/rotate`);
		const made = await textOf(shown.apiKey, "", { name: "k", roles: ["compliance"] });
		assert.equal(await standsBehind(api, personId, made.id), true);
		const hold = { scope: "tenant", ground: "litigation", reason: "case-7", reviewAt: "2030-01-01T00:00:00Z" };
		const placed = await api.request(made.apiKey, "POST", "/v1/holds", { ...hold, approvedBy: personId });
		assert.deepEqual([placed.status, placed.json.code], [403, "self_approval"]);
		const { personId: other } = await api.addPerson(tenantId, ["approver"]);
		assert.equal(await standsBehind(api, other, made.id), false);
	});

	it("and behind none that so many others were shown, themselves not among them; one more counts as everybody's", async () => {
		const holders = Array.from({ length: limits.keyHoldersMax }, () => api.ids.random("person"));
		const by = { createdBy: holders[0] as string, shownTo: holders };
		const { keyId } = await api.addKey(tenantId, ["admin"], by);
		// One that the key made: neither of the two is a person.
		const { keyId: made } = await api.addKey(tenantId, ["admin"], { createdBy: keyId, shownTo: [keyId] });
		const other = api.ids.random("person");
		for (const id of [keyId, made]) {
			assert.equal(await standsBehind(api, other, id), false);
			assert.equal(await standsBehind(api, holders.at(-1) as string, id), true);
		}
		const { keyId: more } = await api.addKey(tenantId, ["admin"], { ...by, shownTo: [...holders, keyId] });
		const { keyId: another } = await api.addKey(tenantId, ["admin"], { ...by, createdBy: api.ids.random("person") });
		for (const id of [more, another]) assert.equal(await standsBehind(api, other, id), true);
	});

	it("that was shown to more than are asked after, and what is kept of them stays bounded", async () => {
		const { keyId } = await api.addKey(tenantId, ["admin"]);
		const last = api.ids.random("person");
		const others = Array.from({ length: limits.keyHoldersMax + 5 }, () => api.ids.random("person"));
		for (const by of [keyId, ...others, last]) await api.apiKeys.rotate(by, await read(keyId), 0);
		assert.equal((await read(keyId)).shownTo?.length, limits.keyHoldersMax + 1);
		assert.equal(await standsBehind(api, last, keyId), true);
	});
});
