// Who a client says it is, before it has shown that: it may say anything, and the store is asked for a key's id only.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { createTestApi, type TestApi } from "./harness.ts";
import { encode } from "./tokens.ts";

describe("what a client claims to be", () => {
	let api: TestApi;
	let keyId: string;
	const asked: unknown[] = [];
	before(async () => {
		api = await createTestApi(({ store }) => {
			const find = (id: string) => {
				asked.push(id);
				return store.apiKeys.find(id);
			};
			return { store: { ...store, apiKeys: { ...store.apiKeys, find } } };
		});
		({ keyId } = await api.addTenant());
	});
	after(() => api.close());

	/** By an assertion that nobody has signed. */
	const claim = async (iss: unknown) => {
		asked.length = 0;
		const form = {
			grant_type: "client_credentials",
			client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
			client_assertion: `${encode({ alg: "ES256" })}.${encode({ iss, sub: iss, jti: "j" })}.AAAA`,
		};
		const answer = await api.app.inject({
			method: "POST",
			url: "/oauth/token",
			headers: { "content-type": "application/x-www-form-urlencoded" },
			payload: new URLSearchParams(form).toString(),
		});
		return [answer.statusCode, answer.json().error];
	};
	const alerts = async () => (await api.entries()).filter(({ type }) => type === "credential_alert").length;

	it("is asked of no store unless it is a key's id, and raises no alert on anybody's key", async () => {
		const operators = [{ $regex: "^key_" }, { $ne: null }, { $in: [keyId] }, { $where: "sleep(1000)" }];
		for (const iss of [...operators, [keyId], { toString: 1 }, 7, true, null, "", "key_", `${keyId} `]) {
			assert.deepEqual(await claim(iss), [401, "invalid_client"], JSON.stringify(iss));
			assert.deepEqual([asked, await alerts()], [[], 0], JSON.stringify(iss));
		}
	});

	it("raises one on the key that it names", async () => {
		assert.deepEqual(await claim(keyId), [401, "invalid_client"]);
		assert.deepEqual([new Set(asked), await alerts()], [new Set([keyId]), 1]);
	});
});
