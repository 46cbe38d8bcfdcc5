// POST /v1/messages: what an acceptance promises, what is refused, and what a repeat answers.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import { LetheError } from "../../../../domain/errors.ts";
import type { Message } from "../../../../domain/message.ts";
import { cancel } from "../../../../domain/transition.ts";
import { createTestApi, messageBody, number, type TestApi, text } from "../../harness.ts";

describe("POST /v1/messages", () => {
	let api: TestApi;
	let key: string;
	let tenantId: string;
	before(async () => {
		api = await createTestApi();
		({ key, tenantId } = await api.addTenant());
	});
	after(() => api.close());

	const withDecision = async <T>(decision: TestApi["policy"]["script"]["decision"], call: () => Promise<T>) => {
		api.policy.script.decision = decision;
		try {
			return await call();
		} finally {
			api.policy.script.decision = {};
		}
	};

	it("what is accepted is stored encrypted, opens with its keys only for its own place, and is started once", async () => {
		const answer = await api.post(key, { clientReference: "order-A7" });
		assert.equal(answer.status, 202);
		assert.equal(answer.json.state, "accepted");
		const message = await api.read(answer.json.id);
		const stored = JSON.stringify(message, (_name, value) =>
			value?.type === "Buffer" ? Buffer.from(value.data).toString("latin1") : value,
		);
		for (const secret of [text, number, number.slice(1), number.slice(3), "Termin"])
			assert.ok(!stored.includes(secret));
		for (const [object, plain] of [
			["content", text],
			["address", number],
		] as const) {
			const sealed = message[object] as NonNullable<Message["content"]>;
			const place = { tenantId, messageId: message._id, object };
			assert.equal((await api.encryptionFor.decrypt({ ...place, sealed })).reveal(), plain);
			await assert.rejects(api.encryptionFor.decrypt({ ...place, tenantId: "ten_other", sealed }));
			assert.equal(message.retention[object]?.cohortId, sealed.cohortId);
		}
		assert.notEqual(message.content?.cohortId, message.address?.cohortId);
		assert.deepEqual(api.seen.started.filter((id) => id === message.submissionId).length, 1);
		assert.ok((message.nextCheckAt ?? 0) > message.acceptedAt);
		assert.equal(answer.json.expiresAt, new Date(message.deadlineAt).toISOString());
		assert.ok(message.closeAt > message.deadlineAt);
	});

	it("facts keep the keyword class of a text, never the text or the number", async () => {
		const { json } = await api.post(key, { body: "STOP" });
		const { facts } = await api.read(json.id);
		assert.equal(facts.context?.keywordClass, "stop");
		assert.equal(facts.recipientCountry, "DE");
		assert.ok(!JSON.stringify(facts).includes(number.slice(3)));
		assert.ok(!JSON.stringify(facts).includes("STOP"));
	});

	it("a body that is not JSON is told so, and not quoted", async () => {
		for (const payload of [`{"to": "${number}"`, " "]) {
			const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };
			const answer = await api.app.inject({ method: "POST", url: "/v1/messages", headers, payload });
			assert.equal(answer.statusCode, 400);
			assert.deepEqual(answer.json().errors, [{ pointer: "", detail: "The body is not JSON." }]);
			assert.ok(!answer.body.includes(number.slice(3)));
		}
	});

	it("a body that would not be stored as it was sent is refused: bytes that are no text, and NUL", async () => {
		const before = await api.count();
		const send = (payload: string | Buffer) => {
			const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };
			return api.app.inject({ method: "POST", url: "/v1/messages", headers, payload });
		};
		const marked = JSON.stringify(messageBody({ body: "ä##" }));
		const bytes = Buffer.from(marked.replace("##", "\x01\x01")).map((byte) => (byte === 1 ? 0xff : byte));
		const cases: [Buffer | string, object][] = [
			[Buffer.from(bytes), { pointer: "", detail: "The body is not UTF-8." }],
			[Buffer.from(marked, "latin1"), { pointer: "", detail: "The body is not UTF-8." }],
			[marked.replace("##", "\\u0000"), { pointer: "/body", detail: "It holds a NUL character." }],
			[
				marked.replace('"to"', '"context":{"a\\u0000":1},"to"'),
				{ pointer: "/context", detail: "It holds a NUL character." },
			],
		];
		for (const [payload, fault] of cases) {
			const answer = await send(payload);
			assert.deepEqual([answer.statusCode, answer.json().errors], [400, [fault]]);
		}
		assert.equal(await api.count(), before);
		assert.equal((await send(marked)).statusCode, 202);
	});

	it("a compressed body is refused for that, and one said to be as it is is taken", async () => {
		const text = JSON.stringify(messageBody());
		const send = (coding: string, payload: string | Buffer) => {
			const headers = {
				authorization: `Bearer ${key}`,
				"content-type": "application/json",
				"content-encoding": coding,
			};
			return api.app.inject({ method: "POST", url: "/v1/messages", headers, payload });
		};
		for (const [coding, payload] of [
			["gzip", gzipSync(text)],
			["gzip", text],
		] as const) {
			const answer = await send(coding, payload);
			assert.deepEqual([answer.statusCode, answer.json().code], [415, "unsupported_media_type"]);
			assert.match(answer.json().errors[0].detail, /Content-Encoding/);
		}
		assert.equal((await send("Identity", text)).statusCode, 202);
	});

	it("twenty concurrent posts with one key make one message", async () => {
		const before = await api.count();
		const headers = { "idempotency-key": "twenty" };
		const answers = await Promise.all(Array.from({ length: 20 }, () => api.post(key, {}, headers)));
		assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([202]));
		assert.equal(new Set(answers.map(({ json }) => json.id)).size, 1);
		assert.equal(new Set(answers.map(({ text }) => text)).size, 1);
		assert.equal(answers.filter(({ headers }) => headers["idempotency-replayed"] === "true").length, 19);
		assert.equal(await api.count(), before + 1);
	});

	it("a key used with another body is refused and changes nothing", async () => {
		const headers = { "idempotency-key": "other-body" };
		const first = await api.post(key, {}, headers);
		const stored = await api.read(first.json.id);
		const second = await api.post(key, { body: `${text}!` }, headers);
		assert.equal(second.status, 422);
		assert.equal(second.json.code, "idempotency_mismatch");
		assert.deepEqual(await api.read(first.json.id), stored);
	});

	it("a key belongs to one request: what was a message is no batch of one, nor the other way round, nor both at once", async () => {
		const { to, ...shared } = messageBody();
		const ask = {
			message: (name: string) => api.post(key, {}, { "idempotency-key": name }),
			batch: (name: string) =>
				api.request(key, "POST", "/v1/batches", { ...shared, messages: [{ to }] }, { "idempotency-key": name }),
		};
		const before = await api.count();
		for (const [first, second] of [
			["message", "batch"],
			["batch", "message"],
		] as const) {
			const name = `one-${first}`;
			assert.equal((await ask[first](name)).status, 202);
			const other = await ask[second](name);
			assert.deepEqual([other.status, other.json.code], [422, "idempotency_mismatch"], name);
			const repeat = await ask[first](name);
			assert.deepEqual([repeat.status, repeat.headers["idempotency-replayed"]], [202, "true"], name);
		}
		const both = await Promise.all([ask.message("one-both"), ask.batch("one-both")]);
		assert.deepEqual(both.map(({ status }) => status).toSorted(), [202, 422]);
		assert.equal(await api.count(), before + 3);
	});

	it("a key belongs to its caller: another principal's makes another message", async () => {
		const headers = { "idempotency-key": "shared" };
		const { key: sibling } = await api.addKey(tenantId);
		const [mine, theirs] = [await api.post(key, {}, headers), await api.post(sibling, {}, headers)];
		assert.notEqual(mine.json.id, theirs.json.id);
		assert.equal(theirs.headers["idempotency-replayed"], undefined);
	});

	it("a repeat answers as the first did, whatever became of the message or the policies since", async () => {
		const headers = { "idempotency-key": "later" };
		const first = await api.post(key, {}, headers);
		const change = cancel(await api.read(first.json.id), api.clock());
		assert.ok(await api.store.messages.transition(change));
		const repeat = await api.post(key, {}, headers);
		assert.equal(repeat.text, first.text);
		const denied = await withDecision({ allowed: false }, () => api.post(key, {}, headers));
		assert.equal(denied.status, 202);
		assert.equal(denied.text, first.text);
		api.memory.away.value = true;
		api.time.offsetMs += 20 * 60_000;
		const keyless = await api.post(key, {}, headers);
		api.memory.away.value = false;
		api.time.offsetMs = 0;
		assert.equal(keyless.text, first.text);
	});

	it("what was refused has left nothing: its key is judged anew, with any body, until something is accepted", async () => {
		const headers = { "idempotency-key": "refused" };
		const before = await api.count();
		const refused = await withDecision({ allowed: false }, () => api.post(key, {}, headers));
		assert.deepEqual([refused.json.code, await api.count()], ["policy_denied", before]);
		const accepted = await api.post(key, { body: `${text}!` }, headers);
		assert.deepEqual([accepted.status, accepted.headers["idempotency-replayed"]], [202, undefined]);
		assert.equal((await api.post(key, {}, headers)).json.code, "idempotency_mismatch");
		assert.match(JSON.stringify(api.app.swagger()), /what was refused left nothing/, "and it is said");
	});

	it("a repeat is known under an older version of the idempotency key", async () => {
		const headers = { "idempotency-key": "rotated" };
		const first = await api.post(key, {}, headers);
		api.vault.rotate("hmac-idempotency");
		api.time.offsetMs = 61_000;
		const repeat = await api.post(key, {}, headers);
		const other = await api.post(key, { body: "Something else" }, headers);
		api.time.offsetMs = 0;
		assert.equal(repeat.json.id, first.json.id);
		assert.equal(repeat.headers["idempotency-replayed"], "true");
		assert.equal(other.json.code, "idempotency_mismatch");
	});

	it("a deferral is stored with its release, and its start is not waited for before that", async () => {
		const deferUntilUtc = new Date(api.clock() + 20 * 60_000).toISOString();
		const answer = await withDecision({ deferUntilUtc }, () => api.post(key, {}, { "idempotency-key": "deferral" }));
		assert.equal(answer.json.state, "deferred");
		const message = await api.read(answer.json.id);
		assert.equal(message.state, "deferred");
		assert.equal(message.releaseAt, Date.parse(deferUntilUtc));
		assert.ok((message.nextCheckAt ?? 0) > Date.parse(deferUntilUtc));
		const repeat = await api.post(key, {}, { "idempotency-key": "deferral" });
		assert.equal(repeat.json.state, "deferred");
	});

	it("sendAt moves the deadline with it, and the rules of that time are asked", async () => {
		const sendAt = new Date(api.clock() + 3 * 3600_000).toISOString();
		const { json } = await api.post(key, { sendAt, validFor: "PT10M", timezone: "Europe/Berlin" });
		const message = await api.read(json.id);
		assert.equal(message.state, "deferred");
		assert.equal(message.releaseAt, Date.parse(sendAt));
		assert.equal(message.deadlineAt, Date.parse(sendAt) + 600_000);
		assert.equal(message.facts.context?.evaluatedAt, sendAt);
		const berlin = new Intl.DateTimeFormat("sv-SE", {
			timeZone: "Europe/Berlin",
			dateStyle: "short",
			timeStyle: "medium",
		});
		assert.equal(message.facts.localTime, berlin.format(Date.parse(sendAt)).replace(" ", "T"));
	});

	it("a one-time code expires in minutes unless told otherwise, and ten minutes is told to the policies", async () => {
		const { json } = await api.post(key, { category: "otp", validFor: undefined });
		const message = await api.read(json.id);
		assert.equal(message.deadlineAt - message.acceptedAt, 300_000);
		assert.equal(message.facts.context?.otpValidity, "PT300S");
	});

	it("is valid for a week where that is asked for in weeks", async () => {
		const { status, json } = await api.post(key, { validFor: "P1W" });
		assert.equal(status, 202, JSON.stringify(json));
		const { deadlineAt, acceptedAt } = await api.read(json.id);
		assert.equal(deadlineAt - acceptedAt, 7 * 24 * 3600_000);
	});

	const refusals: [why: string, more: object, status: number, code: string, pointer?: string][] = [
		["an unknown field", { priority: 1 }, 400, "invalid_request", "/priority"],
		["an unknown field of snake case", { valid_for: "PT1H" }, 400, "invalid_request", "/valid_for"],
		["an unknown nested field", { consent: { type: "express", by: "x" } }, 400, "invalid_request", "/consent/by"],
		["an unknown field that is a number", { [number]: 1 }, 400, "invalid_request", ""],
		["an unknown field that is a text", { consent: { "Ihr Termin": 1 } }, 400, "invalid_request", "/consent"],
		["an unknown field that has no end", { ["a".repeat(33)]: 1 }, 400, "invalid_request", ""],
		["a text that is empty", { body: "" }, 400, "invalid_request", "/body"],
		["a text that is too long", { body: "x".repeat(1531) }, 400, "invalid_request", "/body"],
		["half a surrogate pair", { body: "\ud83d" }, 400, "invalid_request", "/body"],
		["a number that no plan knows", { to: "+499" }, 422, "invalid_number", "/to"],
		["a number without its plus", { to: number.slice(1) }, 422, "invalid_number", "/to"],
		["a number of no country", { to: "+80012345678" }, 422, "invalid_number", "/to"],
		["a number with separators", { to: "+49 151 12345678" }, 422, "invalid_number", "/to"],
		["a reference that is a number", { clientReference: "4915112345678" }, 422, "reference_not_opaque"],
		["a reference that is an address", { clientReference: "ann@example.org" }, 422, "reference_not_opaque"],
		["a card number", { body: "Card 4111111111111111" }, 422, "card_number", "/body"],
		["a fact that may hide a number", { lawfulBasis: "+4915112345678" }, 400, "invalid_request", "/lawfulBasis"],
		[
			"a fact that may hide a text",
			{ context: { tcpaBasis: "call me" } },
			400,
			"invalid_request",
			"/context/tcpaBasis",
		],
		[
			"the word that it answers an opt-out",
			{ context: { optOutKeywordReply: true } },
			400,
			"invalid_request",
			"/context/optOutKeywordReply",
		],
		[
			"the time of an opt-out",
			{ context: { optOutAt: "2026-11-25T16:58:00Z" } },
			400,
			"invalid_request",
			"/context/optOutAt",
		],
		[
			"a proof that is a number",
			{ consent: { evidence: "4915112345678" } },
			400,
			"invalid_request",
			"/consent/evidence",
		],
		["data of no known class", { dataClasses: ["secret"] }, 400, "invalid_request", "/dataClasses/0"],
		["a validity in months", { validFor: "P1M" }, 400, "invalid_request", "/validFor"],
		["a validity of two weeks", { validFor: "P2W" }, 400, "invalid_request", "/validFor"],
		["a validity of nothing", { validFor: "PT0S" }, 400, "invalid_request", "/validFor"],
		["a validity of eight days", { validFor: "P8D" }, 400, "invalid_request", "/validFor"],
		["a time that is none", { sendAt: "2026-02-30T00:00:00Z" }, 400, "invalid_request", "/sendAt"],
		[
			"a time long past",
			{ sendAt: new Date(Date.now() - 25 * 60 * 60 * 1_000).toISOString() },
			400,
			"invalid_request",
			"/sendAt",
		],
		["a time in another year", { sendAt: "2099-01-01T00:00:00Z" }, 400, "invalid_request", "/sendAt"],
		["a zone that is none", { timezone: "Europe/Atlantis" }, 400, "invalid_request", "/timezone"],
		["a region elsewhere", { recipientRegion: "US-TX" }, 400, "invalid_request", "/recipientRegion"],
		["a sender of someone else", { sender: "Others" }, 422, "no_route", "/sender"],
	];
	for (const [why, more, status, code, pointer] of refusals) {
		it(`refuses ${why}, and stores nothing`, async () => {
			const before = await api.count();
			const answer = await api.post(key, more);
			assert.equal(answer.json.code, code);
			assert.equal(answer.status, status);
			assert.equal(answer.json.status, status);
			assert.match(String(answer.headers["content-type"]), /^application\/problem\+json/);
			if (pointer !== undefined) assert.equal(answer.json.errors[0].pointer, pointer);
			assert.equal(await api.count(), before);
		});
	}

	it("nothing at all is told of everything that is missing, and a time just past is now", async () => {
		const { json } = await api.request(key, "POST", "/v1/messages", {});
		const pointers = json.errors.map(({ pointer }: { pointer: string }) => pointer);
		assert.deepEqual(pointers.sort(), ["/body", "/category", "/to"]);
		const { json: none } = await api.request(key, "POST", "/v1/messages", []);
		assert.deepEqual(none.errors, [{ pointer: "", detail: "It must be an object." }]);
		assert.equal(
			(await api.post(key, { sendAt: new Date(api.clock() - 23 * 60 * 60 * 1_000).toISOString() })).status,
			202,
		);
	});

	it("several unknown fields are each pointed at, and a flood of them is not answered with a flood", async () => {
		const { json } = await api.post(key, { first: 1, second: 1, [number]: 1 });
		const detail = "This field is not known.";
		assert.deepEqual(json.errors, [
			{ pointer: "/first", detail },
			{ pointer: "/second", detail },
		]);
		const names = Array.from({ length: 500 }, (_, index) => `x${"abcdefghij"[index % 10]}${"k".repeat(index % 30)}`);
		const flood = await api.post(key, Object.fromEntries(names.map((name) => [name, 1])));
		assert.equal(flood.json.errors.length, 20);
	});

	it("a denial says by which rules and citations, and stores nothing", async () => {
		const before = await api.count();
		const decision = { allowed: false, reasons: ["CONSENT_MISSING"], citations: ["UWG 7(2)"], rules: ["de.consent"] };
		const answer = await withDecision(decision, () => api.post(key));
		assert.equal(answer.status, 422);
		assert.equal(answer.json.code, "policy_denied");
		assert.deepEqual(answer.json.reasons, ["CONSENT_MISSING"]);
		assert.deepEqual(answer.json.citations, ["UWG 7(2)"]);
		assert.deepEqual(answer.json.rules, ["de.consent"]);
		assert.equal(await api.count(), before);
	});

	it("a deferral past the deadline is a denial", async () => {
		const deferUntilUtc = new Date(api.clock() + 2 * 3600_000).toISOString();
		const answer = await withDecision({ deferUntilUtc }, () => api.post(key));
		assert.equal(answer.json.code, "policy_denied");
		assert.ok(answer.json.reasons.includes("EXPIRES_BEFORE_WINDOW"));
	});

	it("a mode that can't be kept is refused, with the decision that asks for it", async () => {
		const before = await api.count();
		for (const [deliveryMode, code] of [
			["secure_link", "link_host_missing"],
			["e2ee", "recipient_key_missing"],
		] as const) {
			const answer = await withDecision({ deliveryMode }, () => api.post(key));
			assert.equal(answer.json.code, code);
			assert.equal(answer.json.decision.deliveryMode, deliveryMode);
		}
		assert.equal(await api.count(), before);
	});

	it("content may not be kept as long as the message lives: refused at acceptance", async () => {
		const { plan } = api.policy.script;
		api.policy.script.plan = { ...plan, content: { min: "PT0S", max: "PT1H", citations: [] } };
		const answer = await api.post(key, { validFor: "PT1H" });
		api.policy.script.plan = plan;
		assert.equal(answer.json.code, "validity_too_long");
	});

	it("a dry run answers decision and segments, a denial too, and stores nothing", async () => {
		const before = await api.count();
		const url = "/v1/messages?dryRun=true";
		const ran = await api.request(key, "POST", url, messageBody({ body: "Straße €" }));
		assert.equal(ran.status, 200);
		assert.deepEqual([ran.json.encoding, ran.json.segments, ran.json.units], ["gsm7", 1, 9]);
		assert.equal(ran.json.decision.allowed, true);
		assert.deepEqual(ran.json.route, { sendQueue: "queue", carrier: "simulator", sender: "Lethe" });
		const denied = await withDecision({ allowed: false }, () => api.request(key, "POST", url, messageBody()));
		assert.equal(denied.status, 200);
		assert.equal(denied.json.decision.allowed, false);
		assert.equal(await api.count(), before);
		const asked = (await api.entries()).filter(({ type, tenantId: of }) => type === "searched" && of === tenantId);
		// It says what is on record of a number, as a search does.
		assert.deepEqual(
			asked.map(({ code }) => code),
			["dryRun", "dryRun"],
		);
		const unclear = await api.request(key, "POST", "/v1/messages?dryRun=maybe", messageBody());
		assert.equal(unclear.json.code, "invalid_request");
	});

	it("a dry run tells what refuses a message that the policies let go", async () => {
		const { plan } = api.policy.script;
		api.policy.script.plan = { ...plan, content: { min: "PT0S", max: "PT1H", citations: [] } };
		const dry = await api.request(key, "POST", "/v1/messages?dryRun=true", messageBody({ validFor: "PT1H" }));
		api.policy.script.plan = plan;
		assert.deepEqual([dry.status, dry.json.decision.allowed, dry.json.refusal], [200, true, "validity_too_long"]);
	});

	it("substitutes look-alikes where it is asked to, shows by a dry run what that spares, and stores what it shows", async () => {
		const body = `“Ihr Termin” – ${"ä".repeat(100)}`;
		const dry = async (more: object) =>
			(await api.request(key, "POST", "/v1/messages?dryRun=true", messageBody({ body, ...more }))).json;
		const { encoding, segments, substituted } = await dry({ substitute: true });
		assert.deepEqual([encoding, segments], ["gsm7", 1]);
		const plain = await dry({});
		assert.deepEqual(substituted, { characters: 3, before: { encoding: "ucs2", segments: 2, units: plain.units } });
		assert.deepEqual([plain.segments, "substituted" in plain], [2, false]);
		const stored = async (more: object) => {
			const { _id, content, segments: counted } = await api.read((await api.post(key, { body, ...more })).json.id);
			assert.ok(content);
			const place = { tenantId, messageId: _id, object: "content" };
			return [counted, (await api.encryptionFor.decrypt({ ...place, sealed: content })).reveal()];
		};
		assert.deepEqual(await stored({ substitute: true }), [1, `"Ihr Termin" - ${"ä".repeat(100)}`]);
		assert.deepEqual(await stored({}), [2, body]);
	});

	it("a wait ends with the final state, or with its time", async () => {
		const asked = api.post(key, {}, { prefer: "wait=20", "idempotency-key": "waited" });
		const [message] = await untilStored(api, "waited", key);
		assert.ok(await api.store.messages.transition(cancel(message as Message, api.clock())));
		const answer = await asked;
		assert.equal(answer.status, 200);
		assert.equal(answer.json.state, "cancelled");
		assert.equal(answer.headers["preference-applied"], "wait=20");
		const late = await api.post(key, {}, { prefer: "respond-async, wait=1" });
		assert.equal(late.status, 202);
		assert.equal(late.json.state, "accepted");
		assert.equal(late.headers["preference-applied"], "wait=1");
	});

	it("what was accepted is answered so, though the store can't be asked what became of it while that is waited for", async () => {
		const away = await createTestApi(({ store }) => ({
			store: {
				...store,
				messages: { ...store.messages, find: () => Promise.reject(new LetheError("store_unavailable")) },
			},
		}));
		try {
			const { key } = await away.addTenant();
			const answer = await away.post(key, {}, { prefer: "wait=1" });
			assert.deepEqual([answer.status, answer.json.state], [202, "accepted"]);
			assert.equal(answer.headers["preference-applied"], undefined);
			assert.equal(await away.count(), 1);
		} finally {
			await away.close();
		}
	});

	it("without its key server a new cohort is refused and nothing is stored; what is cached goes on", async () => {
		assert.equal((await api.post(key)).status, 202);
		api.memory.away.value = true;
		const before = await api.count();
		const cached = await api.post(key);
		const { key: stranger } = await api.addTenant();
		const uncached = await api.post(stranger);
		api.memory.away.value = false;
		assert.equal(cached.status, 202);
		assert.equal(uncached.status, 503);
		assert.equal(uncached.json.code, "keys_unavailable");
		assert.equal(uncached.json.retryable, true);
		assert.ok(uncached.headers["retry-after"]);
		assert.equal(await api.count(), before + 1);
		assert.equal((await api.post(stranger)).status, 202);
	});
});

describe("POST /v1/messages, without its store", () => {
	it("answers 503 and accepts nothing", async () => {
		const api = await createTestApi();
		const { key } = await api.addTenant();
		assert.equal((await api.post(key)).status, 202);
		const started = api.seen.started.length;
		await api.store.close();
		const answer = await api.post(key);
		assert.equal(answer.status, 503);
		assert.equal(answer.json.code, "store_unavailable");
		assert.equal(api.seen.started.length, started);
		await api.close();
	});
});

async function untilStored(api: TestApi, idempotencyKey: string, key: string): Promise<Message[]> {
	for (;;) {
		// The key alone finds the message: a second post with it answers the same id.
		const repeat = await api.post(key, {}, { "idempotency-key": idempotencyKey });
		if (repeat.json?.id) return [await api.read(repeat.json.id)];
	}
}
