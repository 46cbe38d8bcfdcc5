// Every POST is cut off after each of its writes, and repeated with its Idempotency-Key: what it makes is there once.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { routeAccess } from "../../api/roles.ts";
import { generateKey, open, publicKeyOf } from "../../client/e2ee.ts";
import { roles } from "../../domain/roles.ts";
import { editedText, shorter } from "../harness/policies.ts";
import { createTestApi, messageBody, number, type TestApi } from "./harness.ts";

type Person = { token: string; tenantId: string; personId: string };
type Case = {
	body?: object | ((api: TestApi, person: Person & { of?: string | undefined }) => Promise<object>);
	/** Makes what the route names, and answers its id. */
	of?: (api: TestApi, person: Person) => Promise<string>;
	/** How the repeat may be told that there is nothing left to do; without these it succeeds. */
	ends?: string[];
	/** How many there are of what the route adds to a document, once it was repeated. */
	held?: { field: string; collection: string; count: number };
};

const make =
	(path: string, body: object) =>
	async (api: TestApi, { token }: Person) => {
		const { status, json } = await api.request(token, "POST", `/v1/${path}`, body);
		assert.ok(status < 300, `${path}: ${status} ${JSON.stringify(json)}`);
		return json.id as string;
	};
const consent = {
	...{ number, type: "express", purposes: ["marketing"], obtainedAt: "2026-01-01T00:00:00Z" },
	...{ wording: "w-1", evidence: "e-1" },
};
const hold = { scope: "subject", number, ground: "litigation", reason: "case" };
const endpoint = { url: "https://hooks.example.com/lethe" };
const identity = { confirmed: true, method: "id_document", evidence: "e-1", ownedFrom: "2020-01-01T00:00:00Z" };
const lawful = { lawfulBasis: "contract" };

const message = make("messages", messageBody());
const template = make("templates", { name: "t", text: "x" });
const key = make("api-keys", { name: "k", roles: ["sender"] });
const newEndpoint = make("webhook-endpoints", endpoint);
const invited = make("people", { login: "them", roles: ["sender"] });
const requested = (kind: string) => make("subject-requests", { number, kind });
const identified = async (api: TestApi, person: Person) => {
	const id = await requested("correction")(api, person);
	await make(`subject-requests/${id}/identity`, identity)(api, person);
	return id;
};
const recipientKey = await generateKey();
const claimed = { number, key: publicKeyOf(recipientKey) };
const answered = async (api: TestApi, { token }: Person) => {
	const { json } = await api.request(token, "POST", "/v1/recipient-keys/challenges", claimed);
	const { text: answer } = await open(json.challenge, { key: recipientKey, seen: null });
	return { ...claimed, answer };
};
const optedOut = async (api: TestApi, { token }: Person) => {
	const { json } = await api.request(token, "POST", "/v1/opt-outs", {
		number,
		scope: "all",
		at: "2026-01-01T00:00:00Z",
	});
	return json.items[0].id as string;
};
/** A hold that somebody else has placed, and that waits for this person. */
const awaiting = async (api: TestApi, person: Person) => {
	const { key: token } = await api.addKey(person.tenantId, ["compliance"]);
	return make("holds", { ...hold, approvedBy: person.personId })(api, { ...person, token });
};
const enabled = async (api: TestApi, person: Person) => {
	const id = await newEndpoint(api, person);
	await api.store.webhookEndpoints.change(id, ["unverified"], { set: { state: "enabled", verifiedAt: api.clock() } });
	return id;
};
const queueOf = async (api: TestApi, { tenantId }: Person) =>
	(await api.store.tenants.find(tenantId))?.sendQueues[0] as string;
/** Recovery codes go with a password and its one-time codes. */
const withPassword = async (api: TestApi, { personId }: Person) => {
	const set = { password: { hash: "none opens it" }, totp: { secret: "none opens it" } };
	await api.connection.collection("people").updateOne({ _id: personId as never }, { $set: set });
	return personId;
};
const packs = ["otp", "br", "sg", "fr", "ca", "uk", "gdpr", "hipaa", "ccpa"].values();
/** A proposal of somebody else's, as far as these steps have brought it. */
const proposed =
	(...steps: ("check" | "simulate" | "approve")[]) =>
	async (api: TestApi) => {
		// Of another pack for each that is published: it would be in the next one's way.
		const pack = steps.includes("approve") ? (packs.next().value as string) : "pci";
		const text = editedText(pack, "9.0.0", () => undefined);
		const { _id } = await api.publish.propose({ by: "usr_a", why: "A test", text });
		if (steps.includes("check")) await api.publish.check(_id, "usr_a");
		if (steps.includes("simulate")) {
			await api.publish.simulate(_id, "usr_a");
			const set = { "simulation.endedAt": api.clock() };
			await api.store.proposals.change(_id, { to: "simulated", by: "usr_a", set });
		}
		if (steps.includes("approve")) await api.publish.approve(_id, "usr_b", true);
		return _id;
	};

/** Every POST of the table of roles, by its path. */
const cases: Record<string, Case> = {
	messages: { body: messageBody() },
	"messages/:id/cancel": { of: message },
	batches: { body: { messages: [{ to: number }], category: "transactional", body: "x", ...lawful } },
	templates: { body: { name: "t", text: "x" } },
	"templates/:id/retire": { of: template },
	"policy-proposals": { body: { why: "A week", pack: "defaults", changes: shorter } },
	"policy-proposals/:id/check": { of: proposed() },
	"policy-proposals/:id/simulate": { of: proposed("check") },
	"policy-proposals/:id/approve": { of: proposed("check", "simulate") },
	"policy-proposals/:id/publish": { of: proposed("check", "simulate", "approve"), ends: ["proposal_state"] },
	"policy-proposals/:id/withdraw": { of: proposed() },
	consents: { body: consent },
	"consents/:id/withdraw": { of: make("consents", consent) },
	"opt-outs": { body: { number, scope: "all" } },
	"opt-outs/:id/lift": { of: optedOut, body: { obtainedAt: "2026-02-01T00:00:00Z", evidence: "e-1" } },
	"recipient-keys/challenges": { body: claimed },
	"recipient-keys": { body: answered },
	"recipient-keys/:id/revoke": {
		of: async (api, person) => make("recipient-keys", await answered(api, person))(api, person),
	},
	holds: { body: hold },
	"holds/:id/approve": { of: awaiting },
	"holds/:id/reject": { of: awaiting },
	"holds/:id/release": { of: make("holds", hold) },
	"subject-requests": { body: { number, kind: "objection" } },
	"subject-requests/:id/acknowledge": { of: requested("access") },
	"subject-requests/:id/identity": { of: requested("restriction"), body: identity, ends: ["request_state"] },
	"subject-requests/:id/decide": {
		of: identified,
		body: { task: "correction", verdict: "done", ground: "asked" },
		ends: ["request_state"],
	},
	"subject-requests/:id/extend": {
		of: async (api, person) => {
			const id = await requested("access")(api, person);
			await api.store.subjectRequests.change(id, (found) => ({
				...found,
				...{ respondBy: "2099-01-01", extendableTo: "2099-03-01" },
			}));
			return id;
		},
		body: async (api) => ({ to: "2099-02-01", reason: "complex", toldAt: new Date(api.clock()).toISOString() }),
	},
	"subject-requests/:id/close": {
		of: requested("access"),
		body: { outcome: "refused", ground: "law" },
		ends: ["request_state"],
	},
	"api-keys": { body: { name: "k", roles: ["sender"] }, held: { collection: "apiKeys", field: "secrets", count: 1 } },
	"api-keys/:id/rotate": { of: key, held: { collection: "apiKeys", field: "secrets", count: 2 } },
	"api-keys/:id/revoke": { of: key },
	verifications: { body: { to: number, ...lawful } },
	"verifications/:id/check": { of: make("verifications", { to: number, ...lawful }), body: { code: "000000" } },
	"webhook-endpoints": { body: endpoint, held: { collection: "webhookEndpoints", field: "secrets", count: 1 } },
	"webhook-endpoints/:id/rotate-secret": {
		of: newEndpoint,
		held: { collection: "webhookEndpoints", field: "secrets", count: 2 },
	},
	"webhook-endpoints/:id/verify": { of: newEndpoint },
	"webhook-endpoints/:id/enable": { of: enabled },
	"webhook-endpoints/:id/disable": { of: enabled },
	"webhook-endpoints/:id/replay": { of: enabled, body: { from: "2026-01-01T00:00:00Z" } },
	people: { body: { login: "them", roles: ["sender"] } },
	"people/:id/enrolment": { of: invited },
	"people/:id/roles": { of: invited, body: { roles: ["auditor"] } },
	"people/:id/confirm": {
		of: async (api, { tenantId }) => (await api.addPerson(tenantId, ["auditor"])).personId,
		body: async (api, { of = "" }) => {
			const { enrolledAt = 0 } = (await api.store.people.find(of)) ?? {};
			return { enrolledAt: new Date(enrolledAt).toISOString() };
		},
	},
	"people/:id/end": { of: invited, ends: ["not_found"] },
	"session/recovery-codes": { of: withPassword },
	"queues/:id/pause": { of: queueOf },
	"queues/:id/resume": { of: queueOf },
	"queues/:id/drain": { of: queueOf },
	"queues/:id/settings": { of: queueOf, body: { limitPerSecond: 5 } },
	"sending-limits": { body: { ratePerSecond: 5 } },
};

/** Nothing of these is in MongoDB, or what it takes to come so far is spent by the first run: a repeat is refused. */
const others = new Set([
	...["messages/check", "recipient-keys/search"],
	...["messages/search", "consents/search", "opt-outs/search", "messages/:id/reveal", "subject-requests/:id/export"],
	...["passkeys", "passkeys/options", "passkeys/:id/remove", "session/end", "sessions/:id/end", "session/password"],
]);

const paths = Object.keys(routeAccess)
	.filter((route) => route.startsWith("POST "))
	.map((route) => route.slice("POST /v1/".length))
	.filter((path) => !others.has(path));

describe("a POST that is cut off", () => {
	let api: TestApi;
	let writes: ReturnType<typeof watchWrites>;
	before(async () => {
		api = await createTestApi();
		writes = watchWrites(api);
	});
	after(() => api.close());

	it("has a case for every route", () => assert.deepEqual(paths.toSorted(), Object.keys(cases).toSorted()));

	for (const [path, { of, body = {}, ends = [], held }] of Object.entries(cases)) {
		it(`${path} makes nothing twice`, async () => {
			for (let cut = 1; cut < 30; cut++) {
				const person = await everyRole(api);
				const id = await of?.(api, person);
				const asked = typeof body === "function" ? await body(api, { ...person, of: id }) : body;
				const headers = { "idempotency-key": `cut-${cut}` };
				const post = () => api.request(person.token, "POST", `/v1/${path.replace(":id", id ?? "")}`, asked, headers);

				writes.begin(cut);
				const first = await post();
				if (writes.end() === "alive") return assert.ok(first.status < 300, first.text);
				const after = `after ${writes.calls.join(", ")}`;
				assert.ok(first.status < 400 || first.status >= 500, `${after}: ${first.text}`);
				api.time.offsetMs += 61_000;
				const again = await post();
				assert.ok(again.status < 300 || ends.includes(again.json?.code), `${after}: ${again.status} ${again.text}`);
				const twice = Object.entries(writes.made).filter(([, ids]) => ids.size > 1);
				assert.deepEqual(twice, [], after);
				if (!held) continue;
				const named = { _id: (id ?? again.json.id) as never };
				const document = await api.connection.collection(held.collection).findOne(named);
				assert.equal(document?.[held.field].length, held.count, after);
			}
			assert.fail("it never ends");
		});
	}

	it("a code that was right is so to the request that was cut off, and to no other", async () => {
		const { token } = await everyRole(api);
		const { json } = await api.request(token, "POST", "/v1/verifications", { to: number, ...lawful });
		const mac = await api.hmac.mac("code", undefined, `${json.id} 123456`);
		await api.connection.collection("verifications").updateOne({ ids: json.id }, { $set: { "current.mac": mac } });
		const check = (key: string) =>
			api.request(token, "POST", `/v1/verifications/${json.id}/check`, { code: "123456" }, { "idempotency-key": key });
		writes.begin(1);
		assert.ok((await check("mine")).status >= 500);
		writes.end();
		api.time.offsetMs += 61_000;
		assert.deepEqual((await check("theirs")).json.reason, "used");
		assert.equal((await check("mine")).json.valid, true);
	});
});

async function everyRole(api: TestApi): Promise<Person> {
	const { tenantId } = await api.addTenant({ governsPolicies: true });
	return { tenantId, ...(await api.addPerson(tenantId, [...roles])) };
}

// What a request keeps of itself, keys and their cohorts, and the log of acts, which a repeat enters again.
const besides = /^(idempotencyKeys|evidence\w+|cohorts|wrappingKeys|spending)$/;

/** Counts what is written, and has every write fail once so many are done: as if the process had died there. */
function watchWrites({ connection }: TestApi) {
	let left = Number.POSITIVE_INFINITY;
	const made: Record<string, Set<unknown>> = {};
	const calls: string[] = [];
	const note = (collection: string, method: string, [given]: unknown[], result: { upsertedId?: unknown }) => {
		const ids = made[collection] ?? new Set();
		made[collection] = ids;
		if (method === "insertOne" || method === "insertMany") {
			for (const { _id } of [given].flat() as { _id: unknown }[]) ids.add(_id);
		}
		if (result.upsertedId) ids.add(result.upsertedId);
		if (method === "deleteOne") ids.delete((given as { _id: unknown })._id);
	};
	const methods = [
		"insertOne",
		"insertMany",
		"updateOne",
		"updateMany",
		"replaceOne",
		"bulkWrite",
		"deleteOne",
	] as const;
	for (const [name, collection] of Object.entries(connection.collections)) {
		for (const method of [...methods, "deleteMany"] as const) {
			const write = (collection[method] as (...given: unknown[]) => Promise<object>).bind(collection);
			const mortal = async (...given: unknown[]) => {
				if (left <= 0) throw new Error("dead");
				const result = await write(...given);
				if (besides.test(name)) return result;
				calls.push(`${name}.${method}`);
				note(name, method, given, result as object);
				left--;
				if (left <= 0) throw new Error("dead");
				return result;
			};
			Object.assign(collection, { [method]: mortal });
		}
	}
	return {
		made,
		calls,
		begin(cut: number): void {
			left = cut;
			for (const name of Object.keys(made)) delete made[name];
			calls.length = 0;
		},
		end(): "alive" | "dead" {
			const fate = left > 0 ? "alive" : "dead";
			left = Number.POSITIVE_INFINITY;
			return fate;
		},
	};
}
