// The door and the packs in force together: what is stored of a verdict, and what stops at the door.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { Facts } from "../../domain/decision.ts";
import { parseFacts } from "../../policies/facts.ts";
import { openPolicies } from "../../policies/index.ts";
import { createTestApi, type TestApi } from "./harness.ts";

const americanNumber = "+12025550142";
const marketing = {
	to: americanNumber,
	category: "marketing",
	validFor: "PT23H",
	timezone: "America/New_York",
	recipientRegion: "US-DC",
	consent: { type: "express_written", obtainedAt: "2026-06-01T10:00:00Z", purposes: ["marketing"], evidence: true },
};

describe("messages judged by the packs in force", () => {
	let api: TestApi;
	let key: string;
	const policies = openPolicies();
	before(async () => {
		api = await createTestApi(() => ({ policies }));
		({ key } = await api.addTenant());
	});
	after(() => api.close());

	it("what a decision rests on is stored as facts that give the same decision again", async () => {
		const texts = [
			{},
			{ category: "otp", dataClasses: ["contact", "otp_secret"], validFor: "PT5M", context: { otpDigits: 6 } },
		];
		for (const more of [...texts, { timezone: "Europe/Berlin", subjectResidence: "DE" }]) {
			const { status, json } = await api.post(key, more);
			assert.equal(status, 202, JSON.stringify(json));
			const { facts, decision } = await api.read(json.id);
			assert.deepEqual(parseFacts(facts), facts);
			assert.deepEqual(policies.evaluate(facts as Facts), decision);
			assert.ok(decision.packs.length > 0 && decision.rules.length > 0);
		}
	});

	it("each object lives within what the packs permit", async () => {
		const { json } = await api.post(key, { category: "otp", dataClasses: ["otp_secret"], validFor: "PT5M" });
		const { retention, acceptedAt, closeAt } = await api.read(json.id);
		const content = retention.content?.eraseBy ?? 0;
		assert.ok(content > closeAt && content <= acceptedAt + 600_000);
		assert.ok((retention.decision_record?.eraseBy ?? 0) > acceptedAt + 364 * 24 * 3600_000);
		assert.equal(retention.content?.atFinal, true);
		assert.equal(retention.decision_record?.atFinal, false);
	});

	it("no lawful basis, no pack for the country, or a code that lives too long stop at the door", async () => {
		const before = await api.count();
		const bare = await api.post(key, { lawfulBasis: undefined });
		assert.deepEqual([bare.json.code, bare.json.reasons], ["policy_denied", ["LAWFUL_BASIS_MISSING"]]);
		const elsewhere = await api.post(key, { to: "+81312345678" });
		assert.deepEqual([elsewhere.json.code, elsewhere.json.reasons], ["policy_denied", ["NO_PACK_DENY_DEFAULT"]]);
		const code = await api.post(key, { category: "otp", dataClasses: ["otp_secret"], validFor: "PT11M" });
		assert.ok(["policy_denied", "validity_too_long"].includes(code.json.code));
		assert.equal(await api.count(), before);
	});

	it("health information goes by no plain text", async () => {
		const context = { art9Condition: "9(2)(h)" };
		const answer = await api.post(key, { to: americanNumber, category: "health", dataClasses: ["phi"], context });
		assert.equal(answer.json.code, "delivery_mode_unavailable");
		assert.equal(answer.json.decision.deliveryMode, "secure_link");
	});

	it("marketing late in the evening waits for the recipient's morning, or is refused if it would expire first", async () => {
		api.time.offsetMs = Date.parse("2026-11-26T02:30:00Z") - Date.now();
		const { json } = await api.post(key, marketing);
		const refused = await api.post(key, { ...marketing, validFor: "PT2H" });
		const morning = await api.read(json.id);
		api.time.offsetMs = 0;
		assert.equal(json.state, "deferred");
		assert.equal(new Date(morning.releaseAt ?? 0).toISOString(), "2026-11-26T13:00:00.000Z");
		assert.deepEqual(refused.json.code, "policy_denied");
		assert.ok(refused.json.reasons.includes("EXPIRES_BEFORE_WINDOW"));
	});
});
