// The door while Vault is away: what a person forbids is in force from the answer on, and what would permit waits.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { withLedger } from "../../adapters/ledger/withLedger.ts";
import type { ApiDeps } from "../../api/deps.ts";
import { LetheError } from "../../domain/errors.ts";
import { openPolicies } from "../../policies/index.ts";
import { createTestApi, inboundOf, type TestApi } from "./harness.ts";

describe("the door while Vault is away", () => {
	let api: TestApi;
	let sender: string;
	let compliance: string;
	const refuse = () => Promise.reject(new LetheError("keys_unavailable"));
	const about = ({ store, clock, log }: ApiDeps) =>
		withLedger(store, { put: refuse, putWhole: refuse, putStanding: refuse, forget: refuse }, { clock, log });
	before(async () => {
		api = await createTestApi((deps) => ({ policies: openPolicies(), store: about(deps) }));
		const { tenantId, key } = await api.addTenant();
		sender = key;
		compliance = (await api.addKey(tenantId, ["compliance"])).key;
	});
	after(() => api.close());

	const place = (path: string, body: object) => api.request(compliance, "POST", `/v1/${path}`, body);
	const waiting = async () => (await api.store.ledgerWaiting.oldest(100)).length;
	const codeOf = async (to: string) => (await api.post(sender, { to })).json.code ?? "accepted";

	it("an opt-out and a hold block from their answer on, and metrics tell that the ledger lacks them", async () => {
		const [optedOut, held] = ["+12025550151", "+12025550152"];
		assert.equal((await place("opt-outs", { number: optedOut, scope: "all" })).status, 201);
		assert.equal((await place("holds", { scope: "subject", number: held, ground: "litigation" })).status, 201);
		assert.equal(await codeOf(optedOut), "policy_denied");
		assert.equal(await codeOf(held), "policy_denied");
		assert.equal(await waiting(), 2);
		api.time.offsetMs += 5_000;
		const { body } = await api.app.inject("/metrics");
		assert.ok(Number(/^lethe_ledger_waiting_seconds (\S+)$/m.exec(body)?.[1]) >= 5);
	});

	it("a STOP is taken, once, and the carrier need not bring it again", async () => {
		const from = "+12025550153";
		const before = await waiting();
		const stop = inboundOf("STOP", { from, at: api.clock() });
		const options = { kind: "inbound", at: api.clock() } as const;
		assert.equal((await api.callback(stop, options)).status, 200);
		assert.equal((await api.callback(stop, options)).status, 200);
		assert.equal(await codeOf(from), "policy_denied");
		assert.equal((await waiting()) - before, 1);
	});

	it("lifting an opt-out and releasing a hold are refused, and both stand", async () => {
		const optOut = await place("opt-outs", { number: "+12025550154", scope: "all" });
		const hold = await place("holds", { scope: "subject", number: "+12025550155", ground: "litigation" });
		api.time.offsetMs += 10_000;
		const obtainedAt = new Date(api.clock() - 1_000).toISOString();
		const lifted = await place(`opt-outs/${optOut.json.items[0].id}/lift`, { obtainedAt, evidence: "form-7" });
		const released = await place(`holds/${hold.json.id}/release`, {});
		for (const { status, json } of [lifted, released]) assert.deepEqual([status, json.code], [503, "keys_unavailable"]);
		assert.equal(await codeOf("+12025550154"), "policy_denied");
		assert.equal(await codeOf("+12025550155"), "policy_denied");
	});
});

describe("the door while a tenant's key for pseudonyms can't be read", () => {
	let api: TestApi;
	let sender: string;
	before(async () => {
		api = await createTestApi(({ hmac }) => ({
			hmac: {
				...hmac,
				macs: (purpose, ...of) =>
					purpose === "subject" ? Promise.reject(new LetheError("keys_unavailable")) : hmac.macs(purpose, ...of),
			},
		}));
		({ key: sender } = await api.addTenant());
	});
	after(() => api.close());

	it("what is wrong with a request in itself is told as ever, and the rest is asked to come again", async () => {
		const codeOf = async (more: object) => (await api.post(sender, more)).json.code;
		assert.equal(await codeOf({ clientReference: "a@b" }), "reference_not_opaque");
		assert.equal(await codeOf({ sendAt: "2020-01-01T00:00:00Z" }), "invalid_request");
		assert.equal(await codeOf({ validFor: "PT1S" }), "invalid_request");
		assert.equal(await codeOf({}), "keys_unavailable");
	});
});
