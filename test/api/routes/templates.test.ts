// /v1/templates and /v1/batches: only declared variables go into a text, and each message of a batch has its own fate.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { limits } from "../../../domain/limits.ts";
import { createTestApi, number, type TestApi } from "../harness.ts";

const reminder = {
	name: "reminder",
	text: "Your appointment at {{clinic}} is on {{day}}.",
	variables: {
		clinic: { dataClass: "contact", charactersMax: 20 },
		day: { dataClass: "appointment", charactersMax: 12 },
	},
};
const base = { to: number, category: "transactional" };

describe("/v1/templates and /v1/batches", () => {
	let api: TestApi;
	let sender: string;
	let compliance: string;
	let stranger: string;
	let template: string;
	before(async () => {
		api = await createTestApi();
		const { tenantId, key } = await api.addTenant();
		sender = key;
		compliance = (await api.addKey(tenantId, ["compliance"])).key;
		stranger = (await api.addTenant({ roles: ["sender", "compliance"] })).key;
		template = (await api.request(compliance, "POST", "/v1/templates", reminder)).json.id;
	});
	after(() => api.close());

	const send = (more: object, key = sender) => api.request(key, "POST", "/v1/messages", { ...base, ...more });
	const batch = (body: object, headers = {}) => api.request(sender, "POST", "/v1/batches", body, headers);
	const variables = { clinic: "Nordstadt", day: "Monday" };
	const textOf = async (id: string) => {
		const { tenantId, content: sealed } = await api.read(id);
		const place = { tenantId, messageId: id, object: "content" as const };
		return (await api.encryptionFor.decrypt({ ...place, sealed: sealed as NonNullable<typeof sealed> })).reveal();
	};
	const pointers = (answer: { json: { errors: { pointer: string }[] } }) =>
		answer.json.errors.map((one) => one.pointer);

	it("a filled template is sent as its text, and judged by the classes of what went into it", async () => {
		const { status, json } = await send({ template, variables });
		assert.equal(status, 202);
		assert.equal(await textOf(json.id), "Your appointment at Nordstadt is on Monday.");
		const stored = await api.read(json.id);
		assert.deepEqual([...stored.dataClasses].sort(), ["appointment", "contact"]);
		assert.equal(stored.templateId, template);
		const { json: seen } = await api.request(sender, "GET", `/v1/messages/${json.id}`);
		assert.equal(seen.template, template);
		assert.ok(!JSON.stringify(stored).includes("Nordstadt"));
	});

	it("what is missing, undeclared or too long is refused by pointer, and nothing of it is echoed", async () => {
		const answer = await send({ template, variables: { clinic: "x".repeat(21), name: "Meyerbeer" } });
		assert.equal(answer.status, 400);
		assert.deepEqual(pointers(answer), ["/variables/clinic", "/variables/day", "/variables/name"]);
		assert.ok(!answer.text.includes("Meyerbeer"));
	});

	it("either a body or a template, never both and never neither", async () => {
		for (const more of [{}, { template, variables, body: "x" }]) {
			const answer = await send(more);
			assert.deepEqual([answer.status, ...pointers(answer)], [400, "/body"]);
		}
	});

	it("variables go into a template only: beside a body they are refused, and nobody reads its places as they stand", async () => {
		const body = "Your appointment at {{clinic}} is on {{day}}.";
		const answer = await send({ body, variables });
		assert.deepEqual([answer.status, ...pointers(answer)], [400, "/variables"]);
		const messages = [{ to: number }, { to: number, variables: { day: "Monday" } }];
		const shared = await batch({ category: "transactional", body, variables: { clinic: "Nordstadt" }, messages });
		assert.deepEqual([shared.status, ...pointers(shared)], [400, "/messages/0/variables", "/messages/1/variables"]);
		const own = await batch({ category: "transactional", template, messages: [{ to: number, body, variables }] });
		assert.deepEqual([own.status, ...pointers(own)], [400, "/messages/0/variables"]);
		assert.equal((await send({ body: "No places.", variables: {} })).status, 202, "none are none");
	});

	it("a template that is another tenant's, retired, or of another category fills nothing", async () => {
		assert.deepEqual(pointers(await send({ template, variables }, stranger)), ["/template"]);
		assert.equal((await api.request(stranger, "GET", `/v1/templates/${template}`)).status, 404);
		assert.equal((await api.request(stranger, "POST", `/v1/templates/${template}/retire`)).status, 404);
		const more = { name: "code", text: "Hello", category: "marketing" };
		const { json } = await api.request(compliance, "POST", "/v1/templates", more);
		assert.deepEqual(pointers(await send({ template: json.id })), ["/category"]);
		const retired = await api.request(compliance, "POST", `/v1/templates/${json.id}/retire`);
		assert.ok(retired.json.retiredAt);
		api.time.offsetMs += 6_000;
		assert.deepEqual(pointers(await send({ template: json.id, category: "marketing" })), ["/template"]);
	});

	it("a template with a card number is refused, as every message of it would be, and nothing of it is stored", async () => {
		const body = { name: "card", text: "Pay by 4111 1111 1111 1111.", variables: {} };
		const { status, json } = await api.request(compliance, "POST", "/v1/templates", body);
		assert.deepEqual([status, json.code, json.errors?.[0]?.pointer], [422, "card_number", "/text"]);
		const { items } = (await api.request(compliance, "GET", "/v1/templates")).json;
		assert.ok(items.every(({ name }: { name: string }) => name !== "card"));
	});

	it("a template with faults is refused with each of them; a sender makes none", async () => {
		const broken = { ...reminder, text: "At {{place}} {{" };
		const answer = await api.request(compliance, "POST", "/v1/templates", broken);
		assert.deepEqual(pointers(answer), ["/variables/place", "/variables/clinic", "/variables/day", "/text"]);
		assert.equal((await api.request(sender, "POST", "/v1/templates", reminder)).status, 403);
	});

	it("a tenant has so many in force; retiring one makes room for one", async () => {
		const other = await api.addTenant({ roles: ["compliance"] });
		const about = { tenantId: other.tenantId, text: "x", variables: {}, createdAt: 1, createdBy: "admin" };
		const given = Array.from({ length: limits.templatesPerTenantMax }, (_, index) => ({
			...{ ...about, _id: api.ids.random("template"), name: `t${index}` },
			...(index === 0 && { retiredAt: 2 }),
		}));
		await api.connection.collection("templates").insertMany(given as never[]);
		const make = (name: string) => api.request(other.key, "POST", "/v1/templates", { name, text: "x" });
		const made = await make("one");
		assert.equal(made.status, 201, "what is retired counts for nothing");
		const refused = await make("two");
		assert.deepEqual([refused.status, refused.json.code], [422, "too_many_records"]);
		assert.match(refused.json.errors[0].detail, /retire/);
		await api.request(other.key, "POST", `/v1/templates/${made.json.id}/retire`);
		assert.equal((await make("two")).status, 201);
	});

	it("templates are listed page by page, a tenant's own", async () => {
		const { json: first } = await api.request(sender, "GET", "/v1/templates?limit=1");
		const { json: second } = await api.request(sender, "GET", `/v1/templates?limit=1&cursor=${first.next}`);
		assert.deepEqual([first.items.length, second.items[0].id], [1, template]);
		assert.deepEqual((await api.request(stranger, "GET", "/v1/templates")).json.items, []);
	});

	it("of a name there is one live template, however many come at once; retired, it gives the name free", async () => {
		const make = () => api.request(compliance, "POST", "/v1/templates", { name: "unique", text: "x" });
		const live = async () =>
			(await api.request(compliance, "GET", "/v1/templates?limit=100")).json.items.filter(
				({ name, retiredAt }: { name: string; retiredAt?: string }) => name === "unique" && !retiredAt,
			);
		const answers = await Promise.all([make(), make(), make()]);
		const [made, ...more] = answers.filter(({ status }) => status === 201);
		assert.deepEqual([more.length, (await live()).length], [0, made ? 1 : 0]);
		const { json } = made ?? (await make());
		const again = await make();
		assert.deepEqual([again.status, again.json.code, ...pointers(again)], [409, "template_name_taken", "/name"]);
		await api.request(compliance, "POST", `/v1/templates/${json.id}/retire`);
		assert.equal((await make()).status, 201);
	});

	it("a batch shares what stands beside its messages, takes what it can and lists what it can't", async () => {
		const body = {
			category: "transactional",
			template,
			variables: { clinic: "Nordstadt" },
			messages: [
				{ to: number, variables: { day: "Monday" } },
				{ to: "+499", variables: { day: "Monday" } },
				{ to: number, body: "Written for one" },
				{ to: number },
			],
		};
		const headers = { "idempotency-key": "batch-A" };
		const { status, json } = await batch(body, headers);
		assert.equal(status, 202);
		assert.deepEqual([json.accepted, json.refused], [2, 2]);
		const codes = json.items.map((item: { error?: { code: string } }) => item.error?.code);
		assert.deepEqual(codes, [undefined, "invalid_number", undefined, "invalid_request"]);
		assert.equal(json.items[3].error.errors[0].pointer, "/variables/day");
		assert.deepEqual([json.items[1].error.retryable, json.items[3].error.retryable], [false, false]);
		assert.equal(await textOf(json.items[0].id), "Your appointment at Nordstadt is on Monday.");
		assert.equal(await textOf(json.items[2].id), "Written for one");
		const again = await batch(body, headers);
		assert.equal(again.headers["idempotency-replayed"], "true");
		assert.deepEqual(again.json, json);
		const { json: seen } = await api.request(sender, "GET", `/v1/batches/${json.id}`);
		assert.deepEqual([seen.states, seen.accepted, seen.refused], [{ accepted: 2 }, 2, 2]);
		assert.deepEqual(
			seen.items.map(({ index }: { index: number }) => index),
			[0, 1, 2, 3],
		);
		assert.equal((await api.request(stranger, "GET", `/v1/batches/${json.id}`)).status, 404);
		await api.request(sender, "POST", `/v1/messages/${json.items[0].id}/cancel`);
		assert.deepEqual((await batch(body, headers)).json, json, "what became of it since is no part of the first answer");
		const { json: later } = await api.request(sender, "GET", `/v1/batches/${json.id}`);
		assert.deepEqual(later.states, { cancelled: 1, accepted: 1 });
	});

	it("a batch of which nothing is accepted is refused as a whole, with every reason", async () => {
		const { status, json } = await batch({ category: "otp", body: "x", messages: [{ to: "+499" }, { to: "+498" }] });
		assert.deepEqual([status, json.code, json.items.length], [422, "batch_refused", 2]);
	});

	it("a batch that is empty, too long, or lacks a text or a category is refused before anything is stored", async () => {
		const some = (count: number) => Array.from({ length: count }, () => ({ to: number }));
		assert.equal((await batch({ category: "otp", body: "x", messages: [] })).status, 400);
		assert.equal((await batch({ category: "otp", body: "x", messages: some(501) })).status, 400);
		const answer = await batch({
			messages: [
				{ to: number, body: "x" },
				{ to: number, category: "otp" },
			],
		});
		assert.deepEqual(pointers(answer), ["/messages/0/category", "/messages/1/body"]);
	});

	it("a batch of 500 is accepted as one submission", async () => {
		const messages = Array.from({ length: 500 }, () => ({ to: number, variables }));
		const { status, json } = await batch({ category: "transactional", template, messages });
		assert.deepEqual([status, json.accepted], [202, 500]);
		assert.equal(api.seen.started.filter((id) => id === json.id).length, 1);
	});
});
