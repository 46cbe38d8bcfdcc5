// The way that a message takes, at the door: the policies judge the route itself, and a recipient keeps the sender it knows.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { SendQueueDocument } from "../../adapters/mongo/models.ts";
import { limits } from "../../domain/limits.ts";
import { openPolicies } from "../../policies/index.ts";
import { createTestApi, messageBody, type TestApi } from "./harness.ts";

describe("routing at the door", () => {
	let api: TestApi;
	const ill = new Set<string>();
	before(async () => {
		api = await createTestApi(({ sendQueues }) => ({
			policies: openPolicies(),
			sendQueues: { ...sendQueues, areIll: async (names) => new Set(names.filter((name) => ill.has(name))) },
		}));
	});
	after(() => api.close());

	let count = 0;
	async function tenantWith(queues: Partial<SendQueueDocument>[]) {
		count++;
		const { tenantId, key } = await api.addTenant();
		const ids = queues.map((_, index) => `way${index}-${count}`);
		for (const [index, _id] of ids.entries()) {
			const about = { carrier: `carrier${index}`, sender: "Lethe", settings: {}, paused: false };
			await api.store.sendQueues.put({ _id, ...about, ...queues[index] });
		}
		await api.store.tenants.set(tenantId, { sendQueues: ids });
		api.time.offsetMs += limits.tenantSeenMs;
		const wayOf = async (more: object = {}) => {
			const { status, json } = await api.post(key, more);
			return status === 202 ? (await api.read(json.id)).sendQueue : json.code;
		};
		return { key, ids, wayOf };
	}
	const later = () => {
		api.time.offsetMs += limits.tenantSeenMs;
	};

	it("takes the cheaper, unless the policies refuse that route; what they were told is kept with the message", async () => {
		const cheap = { prices: { "*": 1 }, approvedSubprocessor: false };
		const dear = { prices: { "*": 2 }, processingCountry: "DE" };
		const { key, ids } = await tenantWith([dear, cheap]);
		const { json } = await api.post(key);
		const message = await api.read(json.id);
		assert.equal(message.sendQueue, ids[0]);
		assert.deepEqual(message.facts.context?.route, { provider: "carrier0", processingCountry: "DE" });
		const alone = await tenantWith([cheap]);
		const refused = await api.post(alone.key);
		assert.deepEqual([refused.json.code, refused.json.reasons], ["policy_denied", ["SUBPROCESSOR_NOT_APPROVED"]]);
		const dry = await api.request(key, "POST", "/v1/messages?dryRun=true", messageBody());
		assert.equal(dry.json.sendQueue, ids[0]);
	});

	it("passes over a carrier that fails, and comes back to it", async () => {
		const { ids, wayOf } = await tenantWith([{ prices: { "*": 1 } }, { prices: { "*": 2 } }]);
		const [cheap = "", dear = ""] = ids;
		assert.equal(await wayOf(), cheap);
		ill.add(cheap);
		later();
		assert.equal(await wayOf(), dear);
		ill.delete(cheap);
		later();
		assert.equal(await wayOf(), cheap);
	});

	it("keeps to the sender that the recipient knows, though another is cheaper by now; strangers get that one", async () => {
		const { ids, wayOf } = await tenantWith([{ sender: "Known", prices: { "*": 2 } }, { sender: "New" }]);
		const [known = "", other = ""] = ids;
		assert.equal(await wayOf(), known);
		await api.store.sendQueues.set(other, { prices: { "*": 1 } });
		later();
		assert.equal(await wayOf(), known);
		assert.equal(await wayOf({ to: "+4915112345679" }), other);
		assert.equal(await wayOf({ sender: "New" }), other, "who asks for a sender gets it");
		api.time.offsetMs += limits.senderKnownMs;
		assert.equal(await wayOf({ category: "transactional" }), other, "and in the end it is forgotten");
	});

	it("goes from a sender that a registry does not name to no country whose rules ask for one", async () => {
		const [australia, india, america] = ["+61491570156", "+919876543210", "+12025550142"];
		const name = await tenantWith([{}]);
		const number = await tenantWith([{ sender: "+4915112345678" }]);
		for (const [{ key }, to, reasons] of [
			[name, australia, ["SENDER_ID_UNREGISTERED"]],
			[number, australia, undefined],
			[name, america, undefined],
			[await tenantWith([{ registrations: { AU: "R-1" } }]), america, ["SENDER_ID_UNREGISTERED"]],
			[name, india, ["DLT_TEMPLATE_MISSING", "SENDER_ID_UNREGISTERED"]],
			[name, "+4915112345678", undefined],
		] as const) {
			const { json } = await api.post(key, { to });
			assert.deepEqual(json.reasons?.toSorted(), reasons, to);
		}
		const half = await tenantWith([{ registrations: { IN: "E-1:LETHE" } }]);
		assert.deepEqual((await api.post(half.key, { to: india })).json.reasons, ["DLT_TEMPLATE_MISSING"]);
		const registrations = { AU: "R-1", IN: "E-1:LETHE:T-1", US: "C-A1" };
		const listed = await tenantWith([{ registrations }]);
		for (const to of [australia, india, america]) assert.equal(await listed.wayOf({ to }), listed.ids[0], to);
	});
});
