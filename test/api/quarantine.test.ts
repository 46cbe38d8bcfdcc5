// A process whose store is older than it was takes nothing in and tells nothing, but how it is.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { LetheError } from "../../domain/errors.ts";
import { createTestApi, inboundOf, receiptOf, type TestApi } from "./harness.ts";

describe("the door in quarantine", () => {
	let api: TestApi;
	const state = { old: false };
	before(async () => {
		const checkSettled = async () => {
			if (state.old) throw new LetheError("quarantined", { cause: "store_behind" });
		};
		api = await createTestApi(({ checks }) => ({
			quarantine: { checkSettled },
			checks: { ...checks, quarantine: checkSettled },
		}));
	});
	after(() => api.close());

	it("answers 503 with a code of its own to callers and carriers, and goes on once it is over", async () => {
		const { key } = await api.addTenant({ roles: ["sender", "compliance", "auditor"] });
		const accepted = await api.post(key);
		const carrierId = await api.sent(accepted.json.id);
		state.old = true;
		const before = await api.count();
		for (const [method, url] of [
			["POST", "/v1/messages"],
			["POST", "/v1/opt-outs"],
			["GET", `/v1/messages/${accepted.json.id}`],
			["GET", "/v1/holds"],
		] as const) {
			const { status, json } = await api.request(key, method, url, method === "POST" ? {} : undefined);
			assert.deepEqual([status, json.code, json.retryable], [503, "quarantined", true], url);
		}
		const receipt = receiptOf(carrierId);
		assert.deepEqual(await api.callback(receipt), { status: 503, code: "quarantined" });
		assert.equal((await api.callback(inboundOf("STOP"), { kind: "inbound" })).status, 503);
		assert.equal(await api.count(), before);
		assert.equal((await api.read(accepted.json.id)).state, "submitted");
		for (const url of ["/healthz", "/metrics", "/.well-known/jwks.json"]) {
			assert.equal((await api.app.inject({ url })).statusCode, 200, url);
		}
		const { statusCode, ...readiness } = await api.app.inject({ url: "/readyz" });
		assert.deepEqual([statusCode, readiness.json().ready], [503, false], "nothing is to be sent here meanwhile");
		state.old = false;
		assert.equal((await api.callback(receipt)).status, 200, "what the carrier brings again is taken");
		assert.equal((await api.read(accepted.json.id)).state, "delivered");
	});
});
