// The door and the packs in force together: what is stored of a verdict, and what stops at the door.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { Facts } from "../../domain/decision.ts";
import { LetheError } from "../../domain/errors.ts";
import { limits } from "../../domain/limits.ts";
import type { Message } from "../../domain/message.ts";
import { parseFacts } from "../../policies/facts.ts";
import { openPolicies } from "../../policies/index.ts";
import { createTestApi, messageBody, number, type TestApi } from "./harness.ts";

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

	it("a residence that is no country is refused, so that no law of one goes unasked", async () => {
		for (const subjectResidence of ["UK", "QQ"]) {
			const { status, json } = await api.post(key, { subjectResidence });
			assert.deepEqual([status, json.errors[0].pointer], [400, "/subjectResidence"], subjectResidence);
		}
		assert.equal((await api.post(key, { subjectResidence: "EU" })).status, 202);
		const mistyped = await api.post(key, { ...marketing, recipientRegion: "US-FLA" });
		assert.deepEqual([mistyped.status, mistyped.json.errors[0].pointer], [400, "/recipientRegion"]);
	});

	it("a word in camel case is stored with its parts set apart, and counts as one written so", async () => {
		const accepted = await api.post(key, { lawfulBasis: "legitimateInterests" });
		assert.equal(accepted.status, 202, JSON.stringify(accepted.json));
		const { facts } = await api.read(accepted.json.id);
		assert.equal(facts.context?.lawfulBasis, "legitimate_Interests");
		assert.deepEqual(parseFacts(facts), facts);
		const oral = { ...marketing.consent, source: "oralConsent" };
		const { json } = await api.post(key, { ...marketing, consent: oral });
		assert.deepEqual([json.code, json.reasons], ["policy_denied", ["CONSENT_INSUFFICIENT"]]);
	});

	it("a proof of a word that says that there is none is stored and judged as none", async () => {
		const evidence = { ...marketing.consent, evidence: "not_obtained" };
		const refused = await api.post(key, { ...marketing, consent: evidence });
		assert.deepEqual(
			[refused.json.code, refused.json.reasons.includes("CONSENT_INSUFFICIENT")],
			["policy_denied", true],
		);
		const { json } = await api.post(key, { consent: { type: "express", evidence: "None" } });
		assert.equal((await api.read(json.id)).facts.consent?.evidence, false);
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

	it("a card number is refused with the law that says so, and a dry run tells it as a decision", async () => {
		const card = { body: "Card 4111 1111 1111 1111" };
		const { status, json } = await api.post(key, card);
		assert.deepEqual([status, json.code, json.reasons.includes("PAN_DETECTED")], [422, "card_number", true]);
		const dry = await api.request(key, "POST", "/v1/messages?dryRun=true", messageBody(card));
		assert.deepEqual([dry.status, dry.json.decision.allowed], [200, false]);
		assert.ok(dry.json.decision.reasons.includes("PAN_DETECTED"));
	});

	it("health information goes by no plain text, whatever the request names", async () => {
		const context = { art9Condition: "9(2)(h)" };
		const health = { to: americanNumber, category: "health", dataClasses: ["phi"], context };
		const left = await api.post(key, health);
		assert.equal(left.json.code, "link_host_missing");
		assert.equal(left.json.decision.deliveryMode, "secure_link");
		const named = await api.post(key, { ...health, deliver: "sms" });
		assert.equal(named.json.code, "policy_denied");
		assert.deepEqual(named.json.reasons, ["DELIVERY_MODE_TOO_WEAK", "SPECIAL_CATEGORY_SECURE_LINK", "PHI_SECURE_LINK"]);
	});

	it("health goes by a link with a PIN where the tenant has a host for it", async () => {
		const link = { host: "https://m.clinic.example" };
		const { key: clinic } = await api.addTenant({ link });
		const health = { category: "health", dataClasses: ["health"], context: { art9Condition: "9(2)(h)" } };
		const bare = await api.post(clinic, health);
		assert.equal(bare.json.code, "pin_required");
		const without = await api.request(clinic, "POST", "/v1/messages?dryRun=true", messageBody(health));
		assert.deepEqual(
			[without.status, without.json.decision.allowed, without.json.refusal],
			[200, true, "pin_required"],
		);
		const guessable = await api.post(clinic, { ...health, pin: "24.12.1961" });
		assert.deepEqual([guessable.json.code, guessable.json.errors[0].pointer], ["invalid_request", "/pin"]);
		const short = await api.post(clinic, { ...health, pin: "1" });
		assert.deepEqual(
			[short.json.errors.length, short.json.errors[0].pointer],
			[1, "/pin"],
			"told once, by what it lacks",
		);
		const dry = await api.request(clinic, "POST", "/v1/messages?dryRun=true", messageBody({ ...health, pin: "8203" }));
		assert.deepEqual([dry.status, dry.json.segments, dry.json.encoding], [200, 1, "gsm7"]);
		const { status, json } = await api.post(clinic, { ...health, pin: "8203" });
		assert.equal(status, 202, JSON.stringify(json));
		assert.equal(json.decision.deliveryMode, "secure_link");
		const message = await api.read(json.id);
		assert.deepEqual(
			[message.deliveryMode, message.segments, message.link?.pinRounds],
			["secure_link", 1, limits.pinIterationsMin],
		);
		// It is kept for as long as it opens, though nothing else asks for that; its key is of those the API may use.
		assert.equal(message.retention.content?.atFinal, false);
		assert.equal(message.link?.expiresAt, message.deadlineAt + limits.linkLifeMs);
		assert.ok((message.retention.content?.eraseBy ?? 0) >= (message.link?.expiresAt ?? Infinity));
		assert.match(message.content?.cohortId ?? "", /^lnk_/);
		assert.match(message.address?.cohortId ?? "", /^coh_/);
		const useless = await api.post(key, { deliver: "sms", pin: "8203" });
		assert.deepEqual([useless.json.code, useless.json.errors[0].pointer], ["invalid_request", "/pin"]);
	});

	it("no more PINs of a batch are stretched than a request may take", async () => {
		const { key: clinic } = await api.addTenant({ link: { host: "https://m.clinic.example" } });
		const messages = Array.from({ length: limits.pinsPerBatchMax + 1 }, () => ({ to: number, pin: "8203" }));
		const { to: _, ...shared } = messageBody();
		const { json } = await api.request(clinic, "POST", "/v1/batches", { ...shared, messages });
		assert.deepEqual(
			[json.code, json.errors[0].pointer],
			["invalid_request", `/messages/${limits.pinsPerBatchMax}/pin`],
		);
	});

	it("a request may name a more protective mode than any rule does", async () => {
		const answer = await api.post(key, { deliver: "e2ee" });
		assert.equal(answer.json.code, "recipient_key_missing");
		assert.ok(answer.json.reasons.includes("DELIVERY_MODE_ASKED"));
	});

	it("an advertisement to Singapore begins with its label, and of what needs none nothing is noted", async () => {
		const consent = { type: "express", purposes: ["marketing"], evidence: true };
		const { key: shop } = await api.addTenant({ sendQueue: "singapore" });
		const queue = (await api.store.sendQueues.find("singapore")) as Parameters<typeof api.store.sendQueues.put>[0];
		await api.store.sendQueues.put({ ...queue, registrations: { SG: "R-1" } });
		const advertisement = { to: "+6581234567", category: "marketing", consent };
		const bare = await api.post(shop, { ...advertisement, body: "Half price until Sunday" });
		assert.deepEqual([bare.json.code, bare.json.reasons], ["policy_denied", ["AD_LABEL_MISSING"]]);
		const labelled = await api.post(shop, { ...advertisement, body: "<ADV> Half price until Sunday" });
		assert.equal(labelled.status, 202, labelled.text);
		assert.equal((await api.read(labelled.json.id)).facts.context?.adLabel, true);
		const other = await api.post(shop, { to: "+6581234567" });
		assert.ok(!("adLabel" in ((await api.read(other.json.id)).facts.context ?? {})));
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

	it("where a recipient is comes from the number, unless the caller says better", async () => {
		const place = async (more: object) => {
			const { json } = await api.post(key, more);
			const { recipientRegion, timezone } = (await api.read(json.id)).facts;
			return [recipientRegion, timezone];
		};
		// The whole area is in one zone; a border of zones runs through it; the country knows no regions by number.
		assert.deepEqual(await place({ to: americanNumber }), ["US-DC", "America/New_York"]);
		assert.deepEqual(await place({ to: "+18502345678" }), ["US-FL", undefined]);
		assert.deepEqual(await place({}), [undefined, "Europe/Berlin"]);
		// The caller's word counts, and the number fills in only what fits it.
		assert.deepEqual(await place({ to: americanNumber, recipientRegion: "US-TX" }), ["US-TX", undefined]);
		assert.deepEqual(await place({ to: americanNumber, recipientRegion: "US-DC" }), ["US-DC", "America/New_York"]);
		const denver = { to: americanNumber, timezone: "America/Denver" };
		assert.deepEqual(await place(denver), [undefined, "America/Denver"]);
		const texas = { to: "+19152345678", timezone: "America/Chicago" };
		assert.deepEqual(await place(texas), ["US-TX", "America/Chicago"]);
	});

	it("where a zone is not sure, a send is open only when every zone it may be in is", async () => {
		// 08:30 in Miami and 07:30 in Pensacola: the area code 850 lies in both zones.
		api.time.offsetMs = Date.parse("2026-11-25T13:30:00Z") - Date.now();
		const release = async (to: string) => {
			const { json } = await api.post(key, { ...marketing, to, timezone: undefined, recipientRegion: undefined });
			return (await api.read(json.id)).releaseAt;
		};
		assert.equal(await release("+13052345678"), undefined);
		assert.equal(await release("+18502345678"), Date.parse("2026-11-25T14:00:00Z"));
		api.time.offsetMs = 0;
	});
});

describe("frequency limits at the door", () => {
	let api: TestApi;
	let key: string;
	before(async () => {
		api = await createTestApi(() => ({ policies: openPolicies() }));
		({ key } = await api.addTenant());
		// Noon in Miami.
		api.time.offsetMs = Date.parse("2026-11-25T17:00:00Z") - Date.now();
	});
	after(() => api.close());

	const floridian = { ...marketing, timezone: undefined, recipientRegion: undefined };
	const tally = (answers: { status: number; json: { code?: string; reasons?: string[] } }[]) => ({
		accepted: answers.filter(({ status }) => status === 202).length,
		limited: answers.filter(({ json }) => json.reasons?.includes("FREQUENCY_EXCEEDED")).length,
	});

	it("of twenty at once exactly the limit is accepted, and the rest is told why", async () => {
		const post = () => api.post(key, { ...floridian, to: "+13055550101" });
		assert.deepEqual(tally(await Promise.all(Array.from({ length: 20 }, post))), { accepted: 3, limited: 17 });
		assert.deepEqual(tally([await post()]), { accepted: 0, limited: 1 });
		// By the number alone: another tenant, recipient or kind of message has counts of its own.
		const { key: other } = await api.addTenant();
		const answers = [
			await api.post(other, { ...floridian, to: "+13055550101" }),
			await api.post(key, { ...floridian, to: "+13055550102" }),
			await api.post(key, { to: "+13055550101" }),
		];
		assert.deepEqual(tally(answers), { accepted: 3, limited: 0 });
	});

	it("of those that come at once by several routes so many are accepted too, and no more", async () => {
		const one = { ...messageBody({ ...floridian, to: "+13055550107" }) };
		const answers = await Promise.all(
			Array.from({ length: 10 }, (_, index) =>
				index % 2 === 0
					? api.request(key, "POST", "/v1/messages", one)
					: api.request(key, "POST", "/v1/batches", { messages: [one] }),
			),
		);
		assert.equal(tally(answers).accepted, 3);
	});

	it("what ended unsent no longer counts, and a day later none of it does", async () => {
		const post = () => api.post(key, { ...floridian, to: "+13055550103" });
		const answers = await Promise.all([post(), post(), post()]);
		assert.deepEqual(tally(answers), { accepted: 3, limited: 0 });
		api.time.offsetMs += 61_000;
		const operator = (await api.addKey((await api.read(answers[0]?.json.id)).tenantId, ["operator"])).key;
		await api.request(operator, "POST", `/v1/messages/${answers[0]?.json.id}/cancel`);
		assert.deepEqual(tally([await post(), await post()]), { accepted: 1, limited: 1 });
		api.time.offsetMs += 24 * 3600_000;
		assert.deepEqual(tally([await post()]), { accepted: 1, limited: 0 });
	});

	it("what was refused for another reason, or could not be stored, takes up no room", async () => {
		const to = "+13055550104";
		const refused = await Promise.all(
			Array.from({ length: 5 }, () => api.post(key, { ...floridian, to, sender: "Elsewhere" })),
		);
		assert.deepEqual(new Set(refused.map(({ json }) => json.code)), new Set(["no_route"]));
		const { insert } = api.store.messages;
		api.store.messages.insert = () => Promise.reject(new LetheError("store_unavailable"));
		for (let round = 0; round < 3; round++) assert.equal((await api.post(key, { ...floridian, to })).status, 503);
		api.store.messages.insert = insert;
		const answers = await Promise.all(Array.from({ length: 5 }, () => api.post(key, { ...floridian, to })));
		assert.deepEqual(tally(answers), { accepted: 3, limited: 2 });
	});

	it("what is planned for later counts for its time", async () => {
		const to = "+13055550105";
		const sendAt = new Date(api.clock() + 24 * 3600_000 + 60_000).toISOString();
		const planned = await Promise.all([1, 2, 3].map(() => api.post(key, { ...floridian, to, sendAt })));
		assert.deepEqual(tally([...planned, await api.post(key, { ...floridian, to, sendAt })]), {
			accepted: 3,
			limited: 1,
		});
		assert.deepEqual(tally([await api.post(key, { ...floridian, to })]), { accepted: 1, limited: 0 });
	});

	/** Messages that a recipient got, or was to get, besides. */
	async function insertMore(id: string, count: number, more: Partial<Message>) {
		const like = await api.read(id);
		const others = Array.from({ length: count }, () => ({ ...like, _id: api.ids.random("message"), ...more }));
		await api.connection.collection<Message>("messages").insertMany(others);
	}

	it("what a recipient got of other kinds, however much, hides nothing that is counted", async () => {
		const to = "+13055550107";
		const post = () => api.post(key, { ...floridian, to });
		const answers = [await post(), await post(), await post()];
		// All that this process has reserved itself is over, and the store alone knows.
		api.time.offsetMs += limits.reservationMs + 1_000;
		const other = { category: "transactional", acceptedAt: api.clock() } as const;
		await insertMore(answers[0]?.json.id, limits.countedMessagesMax + 1, other);
		assert.deepEqual(tally([...answers, await post()]), { accepted: 3, limited: 1 });
	});

	it("with more than can be counted nothing is sent that a limit concerns, and the reason says so", async () => {
		const to = "+13055550108";
		const first = await api.post(key, { ...floridian, to });
		assert.equal(first.status, 202);
		api.time.offsetMs += limits.reservationMs + 1_000;
		await insertMore(first.json.id, limits.countedMessagesMax, { state: "cancelled" });
		const refused = await api.post(key, { ...floridian, to });
		assert.deepEqual([refused.json.code, refused.json.reasons], ["policy_denied", ["FREQUENCY_UNCOUNTED"]]);
		assert.equal((await api.post(key, { to })).status, 202);
	});

	it("the counts that a decision rests on are among its facts, and no message is counted that no rule limits", async () => {
		const capped = await api.post(key, { ...floridian, to: "+13055550106" });
		const { context } = (await api.read(capped.json.id)).facts;
		assert.deepEqual([context?.sentToday, context?.sentThisWeek, context?.sameSubjectLast24h], [0, 0, 0]);
		const free = await api.post(key, { to: "+13055550106" });
		assert.equal((await api.read(free.json.id)).facts.context?.sentToday, undefined);
	});
});
