// /v1/verifications: a code goes out, is good once and for ten minutes, and tells nobody what is on record of a number.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { tidyVerifications } from "../../../activities/tidyVerifications.ts";
import type { Facts } from "../../../domain/decision.ts";
import { limits } from "../../../domain/limits.ts";
import type { Message } from "../../../domain/message.ts";
import { openPolicies } from "../../../policies/index.ts";
import { createTestApi, type TestApi } from "../harness.ts";

describe("/v1/verifications", () => {
	let api: TestApi;
	let tenantId: string;
	let sender: string;
	let counted = 0;
	before(async () => {
		api = await createTestApi(() => ({
			requestCounts: {
				take: async ({ name, requests }) => {
					if (name === "verification-resends") counted++;
					return {
						allowed: name !== "verification-resends" || counted <= requests,
						counted: 1,
						remaining: 1,
						resetMs: 7_000,
					};
				},
			},
		}));
		const tenant = await api.addTenant();
		({ tenantId, key: sender } = tenant);
		await api.store.tenants.setVerification(tenantId, { hosts: ["login.example.com"], name: "Example Bank" });
	});
	after(() => api.close());

	let numbers = 0;
	const newNumber = () => `+49151${String(10_000_000 + numbers++)}`;
	const start = (to: string, more: object = {}, key = sender, headers = {}) =>
		api.request(key, "POST", "/v1/verifications", { to, lawfulBasis: "contract", ...more }, headers);
	const check = (id: string, code: string, key = sender, headers = {}) =>
		api.request(key, "POST", `/v1/verifications/${id}/check`, { code }, headers);
	const read = async (id: string) => (await api.request(sender, "GET", `/v1/verifications/${id}`)).json;
	async function lastMessage(): Promise<Message> {
		const [message] = await api.store.messages.page(tenantId, 1);
		return message as Message;
	}
	async function lastText(): Promise<string> {
		const { _id, content: sealed } = await lastMessage();
		const place = { tenantId, messageId: _id, object: "content" as const };
		return (await api.encryptionFor.decrypt({ ...place, sealed: sealed as NonNullable<typeof sealed> })).reveal();
	}
	const lastCode = async () => /\d{6,10}/.exec(await lastText())?.[0] as string;
	const wrongFor = (code: string) => String((Number(code) + 1) % 10 ** code.length).padStart(code.length, "0");

	it("a right code is approved once; nothing of it is stored in clear, logged or answered", async () => {
		const { status, json, text } = await start(newNumber(), { host: "login.example.com", clientReference: "login-7" });
		assert.equal(status, 202);
		assert.deepEqual([json.state, json.attemptsLeft], ["pending", limits.verificationAttemptsMax]);
		const sent = await lastText();
		const code = await lastCode();
		assert.match(sent, /^\d{6} is your code for Example Bank\..*\n\n@login\.example\.com #\d{6}$/s);
		assert.ok(sent.endsWith(`#${code}`) && sent.startsWith(code));
		const message = await lastMessage();
		assert.deepEqual([message.category, message.clientReference], ["otp", "login-7"]);
		assert.ok(message.deadlineAt <= message.acceptedAt + limits.validForOtpDefaultMs);
		const kept = JSON.stringify(await api.connection.collection("verifications").find({}).toArray());
		assert.ok(![kept, text, api.logLines.join("")].some((place) => place.includes(code)));
		assert.deepEqual((await check(json.id, wrongFor(code))).json, { valid: false, reason: "wrong", attemptsLeft: 4 });
		assert.equal((await check(json.id, code)).json.valid, true);
		assert.deepEqual((await check(json.id, code)).json, { valid: false, reason: "used", attemptsLeft: 0 });
		assert.equal((await read(json.id)).state, "approved");
	});

	it("of many checks at once each is counted, and of many right ones one is approved", async () => {
		const first = (await start(newNumber())).json;
		const wrong = wrongFor(await lastCode());
		const guesses = await Promise.all(Array.from({ length: 20 }, () => check(first.id, wrong)));
		const reasons = guesses.map(({ json }) => json.reason).toSorted();
		const locked = Array.from({ length: 20 - limits.verificationAttemptsMax }, () => "locked");
		assert.deepEqual(reasons, [...locked, ...Array.from({ length: limits.verificationAttemptsMax }, () => "wrong")]);
		const second = (await start(newNumber())).json;
		const code = await lastCode();
		const rights = await Promise.all(Array.from({ length: 20 }, () => check(second.id, code)));
		assert.equal(rights.filter(({ json }) => json.valid).length, 1);
	});

	it("another code replaces the one before, after a wait that is told", async () => {
		const to = newNumber();
		const first = (await start(to)).json;
		const old = await lastCode();
		const early = await start(to);
		assert.deepEqual([early.status, early.json.code], [429, "rate_limited"]);
		assert.equal(early.headers["retry-after"], String(limits.verificationCooldownMs / 1000));
		assert.equal(
			(await check(first.id, old === "000000" ? "111111" : wrongFor(old))).json.reason,
			"wrong",
			"the old one stands",
		);
		api.time.offsetMs += limits.verificationCooldownMs;
		const second = (await start(to)).json;
		assert.equal((await check(first.id, old)).json.reason, "replaced");
		const { state, expiresAt } = await read(first.id);
		assert.equal(state, "replaced");
		assert.ok(Date.parse(expiresAt) <= api.clock(), "it does not end with the code that took its place");
		assert.equal((await check(second.id, await lastCode())).json.valid, true);
	});

	it("an expired code is not good any more, and its hash is gone; a day later there is nothing", async () => {
		const { id } = (await start(newNumber(), { validFor: "PT1M" })).json;
		const code = await lastCode();
		api.time.offsetMs += 60_000;
		assert.equal((await check(id, code)).json.reason, "expired");
		await tidyVerifications(api);
		assert.equal((await api.store.verifications.findByCode(id))?.current.mac, undefined);
		api.time.offsetMs += limits.verificationWindowMs;
		await tidyVerifications(api);
		assert.equal((await check(id, code)).status, 404);
	});

	it("a number that must not be written to is answered like any other, and is sent nothing", async () => {
		const [plain, blocked] = [newNumber(), newNumber()];
		const expected = await start(plain);
		const { key: compliance } = await api.addKey(tenantId, ["compliance"]);
		await api.request(compliance, "POST", "/v1/opt-outs", { number: blocked, scope: "all" });
		const before = await api.count();
		const evaluate = api.policy.evaluate.bind(api.policy);
		api.policy.evaluate = (facts) =>
			facts.optedOut === "all" ? { ...evaluate(facts), allowed: false, reasons: ["OPTED_OUT"] } : evaluate(facts);
		const answer = await start(blocked);
		assert.equal(await api.count(), before);
		assert.equal(answer.status, expected.status);
		assert.deepEqual(Object.keys(answer.json).sort(), Object.keys(expected.json).sort());
		assert.deepEqual((await check(answer.json.id, "000000")).json, { valid: false, reason: "wrong", attemptsLeft: 4 });
		api.policy.evaluate = (facts) => ({ ...evaluate(facts), allowed: false, reasons: ["LAWFUL_BASIS_MISSING"] });
		const refusals = [await start(newNumber()), await start(newNumber())];
		assert.deepEqual(
			refusals.map(({ status, json }) => [status, json.code]),
			[
				[422, "policy_denied"],
				[422, "policy_denied"],
			],
		);
		api.policy.evaluate = evaluate;
		const acts = await api.entries(answer.json.id);
		assert.ok(JSON.stringify(acts).includes("verification_withheld"));
	});

	it("what was not sent does not count: the next try need not wait", async () => {
		const to = newNumber();
		const evaluate = api.policy.evaluate.bind(api.policy);
		api.policy.evaluate = (facts) => ({ ...evaluate(facts), allowed: false });
		assert.equal((await start(to)).status, 422);
		api.policy.evaluate = evaluate;
		assert.equal((await start(to)).status, 202);
	});

	it("a code that was refused leaves the one on its way right, and uses up none of its tenant's", async () => {
		const { tenantId: other, key } = await api.addTenant({ budgets: { "*": { month: { segments: 1 } } } });
		const { key: narrow } = await api.addKey(other, ["sender"], { categories: ["marketing"] });
		const to = newNumber();
		const { json } = await start(to, {}, key);
		const [message] = (await api.store.messages.page(other, 1)) as [Message];
		const place = { tenantId: other, messageId: message._id, object: "content" as const };
		const sealed = message.content as NonNullable<typeof message.content>;
		const code = /\d{6}/.exec((await api.encryptionFor.decrypt({ ...place, sealed })).reveal())?.[0] as string;
		const evaluate = api.policy.evaluate.bind(api.policy);
		const denying = async () => {
			api.policy.evaluate = (facts) => ({ ...evaluate(facts), allowed: false, reasons: ["LAWFUL_BASIS_MISSING"] });
			return start(to, {}, key).finally(() => {
				api.policy.evaluate = evaluate;
			});
		};
		const before = counted;
		for (const [refused, foreseen] of [
			["category_refused", () => start(to, {}, narrow)],
			["invalid_request", () => start(to, { webhook: "whe_none" }, key)],
			["no_route", () => start(to, { sender: "Elsewhere" }, key)],
			["policy_denied", denying],
			["limit_reached", () => start(to, {}, key)],
		] as const) {
			api.time.offsetMs += limits.verificationCooldownMs;
			assert.equal((await foreseen()).json.code, refused);
		}
		assert.equal(counted, before + 1, "what the tenant's own limits refuse is not foreseen");
		assert.equal((await check(json.id, code, key)).json.valid, true);
		counted = 0;
	});

	it("longer codes, other languages and templates; a host that is not the tenant's is refused", async () => {
		await start(newNumber(), { digits: 10, locale: "de" });
		assert.match(await lastText(), /^\d{10} ist Ihr Code/);
		const { key: compliance } = await api.addKey(tenantId, ["compliance"]);
		const template = {
			name: "login",
			text: "Login: {{code}}",
			variables: { code: { dataClass: "otp_secret", charactersMax: 10 } },
		};
		const { json } = await api.request(compliance, "POST", "/v1/templates", template);
		await start(newNumber(), { template: json.id, host: "login.example.com" });
		assert.match(await lastText(), /^Login: (\d{6})\n\n@login\.example\.com #\1$/);
		for (const [more, pointer] of [
			[{ host: "evil.example" }, "/host"],
			[{ digits: 5 }, "/digits"],
			[{ validFor: "PT11M" }, "/validFor"],
			[{ template: "tpl_none" }, "/template"],
		] as const) {
			const answer = await start(newNumber(), more);
			assert.deepEqual([answer.status, answer.json.errors[0].pointer], [400, pointer]);
			if (pointer === "/host") assert.match(answer.json.errors[0].detail, /`lethe admin tenant codes --host`/);
		}
		assert.equal((await start("+49")).json.code, "invalid_number");
	});

	it("a template that takes no code is named, in words of what it must be, not by fields that the request lacks", async () => {
		const { key: compliance } = await api.addKey(tenantId, ["compliance"]);
		const code = { dataClass: "otp_secret", charactersMax: 6 };
		for (const [name, text, more, asked] of [
			["more", "{{code}}, {{name}}", { variables: { code, name: { dataClass: "contact", charactersMax: 9 } } }, {}],
			["less", "Login", { variables: {} }, {}],
			["short", "Login: {{code}}", { variables: { code } }, { digits: 8 }],
			["other", "Login: {{code}}", { variables: { code }, category: "marketing" }, {}],
		] as const) {
			const { json } = await api.request(compliance, "POST", "/v1/templates", { name, text, ...more });
			const { status, json: refused } = await start(newNumber(), { template: json.id, ...asked });
			assert.deepEqual([status, refused.errors[0].pointer], [400, "/template"], name);
			assert.match(refused.errors[0].detail, /`code`/, name);
		}
	});

	it("a check is done once a key, and its answer is never kept; another tenant's code is not there", async () => {
		const { id } = (await start(newNumber())).json;
		const wrong = wrongFor(await lastCode());
		const headers = { "idempotency-key": "check-1" };
		assert.equal((await check(id, wrong, sender, headers)).json.attemptsLeft, 4);
		const repeat = await check(id, wrong, sender, headers);
		assert.deepEqual([repeat.status, repeat.json.code], [409, "answer_not_kept"]);
		assert.equal((await read(id)).attemptsLeft, 4);
		const { key: stranger } = await api.addTenant();
		assert.equal((await check(id, wrong, stranger)).status, 404);
		assert.equal((await api.request(stranger, "GET", `/v1/verifications/${id}`)).status, 404);
		assert.equal((await check(id, "12345")).status, 400);
	});

	it("a tenant sends only so many codes anew an hour", async () => {
		const to = newNumber();
		await start(to);
		api.time.offsetMs += limits.verificationCooldownMs;
		counted = limits.verificationResendsPerHourMax;
		const answer = await start(to);
		assert.deepEqual([answer.status, answer.headers["retry-after"]], [429, "7"]);
		assert.equal((await start(newNumber())).status, 202, "the first of a number is no resend");
		counted = 0;
	});
});

describe("what a code is refused for", () => {
	let api: TestApi;
	const ranges = new Map<string, number>();
	const capping = { value: false };
	before(async () => {
		const packs = openPolicies();
		const policies = {
			...packs,
			isCapped: (facts: Facts) => capping.value || packs.isCapped(facts),
			consider(facts: Facts) {
				const considered = packs.consider(facts);
				const isOver = Number(facts.context?.sentToday ?? 0) > 0;
				const refused = { ...considered.decision, allowed: false, rules: ["test.one-a-day"] };
				return isOver ? { ...considered, decision: refused } : considered;
			},
		};
		api = await createTestApi(({ sendQueues }) => ({
			policies,
			sendQueues: {
				...sendQueues,
				async countRange({ tenantId, messagesMax }, takes) {
					const seen = (ranges.get(tenantId) ?? 0) + 1;
					if (takes !== "never") ranges.set(tenantId, seen);
					return { within: seen <= messagesMax, seen };
				},
			},
		}));
	});
	after(() => api.close());

	let numbers = 0;
	const newNumber = () => `+4915125${100_000 + numbers++}`;
	const start = (key: string, to: string, more: object = {}) =>
		api.request(key, "POST", "/v1/verifications", { to, lawfulBasis: "contract", ...more });
	async function optOut(tenantId: string, number: string): Promise<string> {
		const { key } = await api.addKey(tenantId, ["compliance"]);
		assert.equal((await api.request(key, "POST", "/v1/opt-outs", { number, scope: "all" })).status, 201);
		return number;
	}
	const codesOf = (answers: { status: number; json: { code?: string } }[]) =>
		answers.map(({ status, json }) => json.code ?? status);
	const withheldOf = async (id: string) =>
		(await api.entries(id)).filter(({ type }) => type === "verification_withheld");
	const spentOf = async (tenantId: string) =>
		(await api.store.spending.read(tenantId, api.clock())).all?.month?.segments ?? 0;

	it("by the queue that it would take is told, for that is every number's", async () => {
		const unregistered = await api.addTenant({ sendQueue: "unregistered" });
		const queue = { carrier: "simulator", sender: "Lethe", settings: {}, registrations: {}, paused: false };
		await api.store.sendQueues.put({ _id: "unregistered", ...queue });
		const { key } = await api.addTenant();
		for (const to of ["+919876543210", "+12025550142"]) {
			const { status, json } = await start(unregistered.key, to);
			assert.deepEqual([status, json.code], [422, "policy_denied"], to);
		}
		assert.equal((await start(key, "+12025550142")).status, 202, "with a sender that is registered");
	});

	it("by the tenant's own limits, or by its routes, is told of each number alike, also of one that opted out", async () => {
		const velocity = { messagesMax: 1, windowSeconds: 600, mode: "enforce" } as const;
		for (const [limit, more, code] of [
			[{ velocity }, {}, "limit_reached"],
			[{ budgets: { "*": { month: { segments: 1 } } } }, {}, "limit_reached"],
			[{ destinations: ["FR"] }, {}, "destination_not_allowed"],
			[{}, { sender: "Elsewhere" }, "no_route"],
		] as const) {
			const { tenantId, key } = await api.addTenant({ ...limit, destinations: [...(limit.destinations ?? ["*"])] });
			const blocked = await optOut(tenantId, newNumber());
			if (code === "limit_reached") assert.equal((await start(key, newNumber())).status, 202);
			const answers = [await start(key, newNumber(), more), await start(key, blocked, more)];
			assert.deepEqual(codesOf(answers), [code, code]);
			assert.deepEqual(answers[0]?.json.errors, answers[1]?.json.errors);
		}
	});

	it("by what is on record of the number is not: an opt-out, however much else is known of it, and a full count", async () => {
		const { tenantId, key } = await api.addTenant();
		const blocked = await optOut(tenantId, newNumber());
		const answer = await start(key, blocked);
		assert.equal(answer.status, 202);
		assert.equal((await withheldOf(answer.json.id)).length, 1);
		const { key: compliance } = await api.addKey(tenantId, ["compliance"]);
		const consented = [newNumber(), newNumber(), newNumber()];
		const [open, gone, ended] = consented as [string, string, string];
		for (const number of consented) {
			const consent = { number, type: "express", purposes: ["otp"], obtainedAt: "2026-06-01T10:00:00Z" };
			const proof = { wording: "codes:v1", evidence: "form-7", source: "web" };
			const { status, json } = await api.request(compliance, "POST", "/v1/consents", { ...consent, ...proof });
			assert.equal(status, 201);
			if (number === ended) await api.request(compliance, "POST", `/v1/consents/${json.id}/withdraw`, {});
		}
		await optOut(tenantId, gone);
		const onRecord = { lawfulBasis: "consent" };
		const answers = [];
		for (const number of [open, gone, ended, newNumber()]) answers.push(await start(key, number, onRecord));
		assert.deepEqual(codesOf(answers), [202, 202, 202, "policy_denied"]);
		const withheld = await Promise.all(answers.slice(0, 3).map(({ json }) => withheldOf(json.id)));
		assert.deepEqual(
			withheld.map((entries) => entries.length),
			[0, 1, 1],
		);
		capping.value = true;
		const often = newNumber();
		const first = await start(key, often);
		api.time.offsetMs += limits.verificationCooldownMs;
		const second = await start(key, often);
		capping.value = false;
		assert.deepEqual(codesOf([first, second]), [202, 202]);
		assert.deepEqual(
			(await withheldOf(second.json.id)).map(({ code }) => code),
			["test.one-a-day"],
		);
	});

	it("costs nothing: what is not sent is not charged", async () => {
		const { tenantId, key } = await api.addTenant({ budgets: { "*": { month: { segments: 9 } } } });
		const blocked = await optOut(tenantId, newNumber());
		assert.equal((await start(key, blocked)).status, 202);
		for (let turn = 0; turn < 100 && (await spentOf(tenantId)) > 0; turn++) await sleep(20);
		assert.equal(await spentOf(tenantId), 0);
		assert.equal((await start(key, newNumber())).status, 202);
		assert.equal(await spentOf(tenantId), 1);
	});
});
