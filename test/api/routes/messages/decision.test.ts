// Why a message was decided as it was: every stored decision replays from its record, and says whose rules it was made by.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { limits } from "../../../../domain/limits.ts";
import type { Message } from "../../../../domain/message.ts";
import { explain } from "../../../../policies/explain.ts";
import type { Policies } from "../../../../policies/index.ts";
import { editedText, publishChange } from "../../../harness/policies.ts";
import { createTestApi, type TestApi } from "../../harness.ts";

const numbers = {
	DE: "+4915112345678",
	FR: "+33612345678",
	US: "+14155550142",
	GB: "+447400123456",
	AU: "+61412345678",
	BR: "+5511961234567",
	SG: "+6581234567",
};
const consent = {
	type: "express_written",
	purposes: ["marketing", "health"],
	evidence: true,
	obtainedAt: "2026-06-01T10:00:00Z",
};
const health = {
	art9Condition: "9(2)(h)",
	hipaaCoveredEntity: true,
	patientPreference: { channel: "sms", warnedAt: "2026-06-01T10:00:00Z", evidence: true },
};

describe("GET /v1/messages/{id}/decision", () => {
	let api: TestApi;
	let key: string;
	let tenantId: string;
	before(async () => {
		api = await createTestApi((deps) => ({ policies: deps.packs as Policies }));
		({ key, tenantId } = await api.addTenant({ roles: ["sender"], retention: { content: "P20D" } }));
	});
	after(() => api.close());

	const decision = (id: string, by = key) => api.request(by, "GET", `/v1/messages/${id}/decision`);
	const storedAll = () => api.connection.collection<Message>("messages").find({}).toArray() as Promise<Message[]>;

	/** Requests of every kind; those that the policies allow are accepted. */
	async function acceptMany(by: string): Promise<number> {
		let accepted = 0;
		for (const [country, to] of Object.entries(numbers)) {
			for (const category of ["transactional", "marketing", "health", "otp"]) {
				for (const dataClasses of [["contact"], ["health"], ["phi"], ["contact", "order"]]) {
					for (const more of [
						{},
						{ consent, lawfulBasis: "consent" },
						{ consent, context: health, lawfulBasis: "consent" },
					]) {
						const region = country === "US" ? { subjectResidence: "US" } : {};
						const validFor = category === "otp" ? "PT5M" : "P5D";
						const { status } = await api.post(by, { to, category, dataClasses, validFor, ...region, ...more });
						if (status === 202) accepted++;
					}
				}
			}
		}
		return accepted;
	}

	it("every decision of every message replays from what the message pins", async () => {
		const american = await api.addTenant();
		const tenant = await api.store.tenants.find(american.tenantId);
		assert.ok(tenant);
		await api.store.tenants.put({ ...tenant, establishment: "US" });
		// Its carrier may take PHI, or what HIPAA rules instead of another law is not accepted.
		const queue = { _id: "queue", carrier: "simulator", sender: "Lethe", settings: {}, paused: false };
		await api.store.sendQueues.put({ ...queue, baaRef: "baa-1" });
		const accepted = (await acceptMany(key)) + (await acceptMany(american.key));
		const all = await storedAll();
		assert.equal(all.length, accepted);
		assert.ok(accepted > 60, `${accepted} of many were allowed`);
		assert.ok(
			all.some(({ excluded }) => excluded?.length),
			"among them one that a pack left to another law",
		);
		assert.ok(all.some(({ decision }) => decision.packs.length > 3));
		for (const message of all) {
			const { replay } = explain(message, api.stored);
			assert.deepEqual(replay, { agrees: true, missing: [], differences: [] }, message._id);
		}
	});

	it("they replay the same when other versions are in force by then", async () => {
		for (const pack of ["defaults", "gdpr", "us-tcpa", "ccpa", "hipaa"]) {
			const text = editedText(pack, "1.90.0", ({ rules }) => {
				for (const rule of rules) rule.citations = ["Another source"];
			});
			await publishChange({ ...api, policies: api.stored }, { text });
		}
		api.time.offsetMs += limits.policyNoticeMs + 1_000;
		for (const message of await storedAll()) assert.ok(explain(message, api.stored).replay.agrees);
		const { status, json } = await api.post(key, { to: numbers.DE });
		assert.equal(status, 202);
		const { json: shown } = await decision(json.id);
		assert.equal(shown.packs.find(({ id }: { id: string }) => id === "gdpr").version, "1.90.0");
		assert.equal(shown.decisive.citations[0], "Another source");
		const published = shown.packs.filter(({ origin }: { origin: string }) => origin === "published");
		assert.ok(published.length > 0);
		for (const { approval } of published) {
			assert.match(approval.note, /not verified/);
			assert.equal(approval.by, undefined, "who it was is told to those who govern");
		}
	});

	it("a record that was changed does not replay, and it is said which part", async () => {
		const { json } = await api.post(key, { to: numbers.DE });
		const changes = { "decision.reasons": ["SOFT_OPT_IN"], "decision.deliveryMode": "e2ee" };
		await api.connection.collection("messages").updateOne({ _id: json.id }, { $set: changes });
		const { json: shown } = await decision(json.id);
		assert.equal(shown.replay.agrees, false);
		assert.deepEqual(shown.replay.differences.sort(), ["decision: deliveryMode", "decision: reasons"]);
		const unknown = { "decision.packs": [{ id: "gdpr", version: "9.9.9" }] };
		await api.connection.collection("messages").updateOne({ _id: json.id }, { $set: unknown });
		const { json: lost } = await decision(json.id);
		assert.deepEqual(lost.replay.missing, [{ id: "gdpr", version: "9.9.9" }]);
		await api.connection.collection("messages").deleteOne({ _id: json.id });
	});

	it("names the decisive rule with its words and source, the others, the release, and who set each bound", async () => {
		const { json } = await api.post(key, { to: numbers.DE, lawfulBasis: "contract", validFor: "P5D" });
		const { json: shown, text } = await decision(json.id);
		assert.equal(shown.allowed, true);
		assert.ok(shown.decisive.says.length > 5 && shown.decisive.citations.length > 0 && shown.decisive.verifiedOn);
		assert.ok(shown.others.length > 0);
		assert.ok(shown.reasons.every(({ means }: { means: string }) => means.length > 10));
		const content = shown.retention.find(({ object }: { object: string }) => object === "content");
		assert.deepEqual([content.max.duration, content.max.rule], ["P30D", "defaults.retention"]);
		assert.equal(content.max.words, "30 days");
		assert.ok(!text.includes(numbers.DE.slice(1)), "and no number");
	});

	it("is there for who answers for messages, and another tenant's answers like absence", async () => {
		const { json } = await api.post(key, { to: numbers.DE });
		const other = await api.addTenant({ roles: ["sender", "compliance"] });
		assert.equal((await decision(json.id, other.key)).status, 404);
		for (const role of ["compliance", "auditor", "operator", "sender"]) {
			assert.equal((await decision(json.id, (await api.addKey(tenantId, [role])).key)).status, 200, role);
		}
		for (const role of ["approver", "admin"]) {
			assert.equal((await decision(json.id, (await api.addKey(tenantId, [role])).key)).status, 403, role);
		}
	});
});
