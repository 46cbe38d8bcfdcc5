// The table of routes and roles, every cell of it tried: by key and by person, signed in just now and a while ago, here and at another tenant.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { freshMfaRoutes, personRoutes, routeRoles } from "../../api/roles.ts";
import { type Role, roles } from "../../domain/roles.ts";
import { signedText } from "../harness/signedText.ts";
import { createTestApi, number, type TestApi } from "./harness.ts";

const refusals = ["unauthenticated", "forbidden", "person_required", "fresh_mfa_required"];
const kinds = ["key", "person", "person of a while ago"] as const;
type Kind = (typeof kinds)[number];

/** What a cell must answer; undefined where whoever asks gets as far as the route itself. */
function refusalOf(route: string, role: Role, kind: Kind): string | undefined {
	if (!routeRoles[route]?.includes(role)) return "forbidden";
	if (personRoutes.has(route) && kind === "key") return "person_required";
	if (freshMfaRoutes.has(route) && kind === "person of a while ago") return "fresh_mfa_required";
	return undefined;
}

const split = (route: string) => route.split(" ") as ["GET" | "POST", string];

describe("who may what", () => {
	let api: TestApi;
	before(async () => {
		const most = { keyRequestsPerSecond: 1e6, tenantRequestsPerSecond: 1e6, addressRequestsPerSecond: 1e6 };
		api = await createTestApi(({ requestLimits }) => ({ requestLimits: { ...requestLimits, ...most } }));
	});
	after(() => api.close());

	for (const kind of kinds) {
		it(`every cell of route × role answers as the table says, to a ${kind}`, async () => {
			const { tenantId } = await api.addTenant();
			const wrong: string[] = [];
			for (const role of roles) {
				const bearer = async () =>
					kind === "key" ? (await api.addKey(tenantId, [role])).key : (await api.addPerson(tenantId, [role])).token;
				let token = await bearer();
				const late = kind === "person of a while ago" ? api.sessionLimits.freshMfaMs + 1 : 0;
				for (const route of Object.keys(routeRoles)) {
					const [method, path] = split(route);
					api.time.offsetMs = late;
					const url = path.replace(/:(\w+)/g, "nothing");
					const { json, status } = await api.request(token, method, url, method === "POST" ? {} : undefined);
					api.time.offsetMs = 0;
					const expected = refusalOf(route, role, kind);
					const refused = refusals.includes(json?.code) ? json.code : undefined;
					if (refused !== expected || status >= 500) wrong.push(`${route} ${role}: ${status} ${json?.code}`);
					// Whoever may sign out has done so.
					if (status === 204) token = await bearer();
				}
			}
			assert.deepEqual(wrong, []);
		});
	}

	it("what is another tenant's is answered like what is not there, on every route that names something", async () => {
		const [ours, theirs] = [await tenant(), await tenant()];
		const made = await seed(theirs);
		const wrong: string[] = [];
		for (const route of Object.keys(routeRoles).filter((one) => one.includes("/:id"))) {
			const [method, path] = split(route);
			const thing = path.split("/")[2] ?? "";
			// What every tenant shares, or nobody can have at another.
			if (thing === "policy-proposals") continue;
			const id = made[thing];
			assert.ok(id, `nothing of ${thing} is seeded`);
			const body = method === "POST" ? (bodies[path.split("/:id")[1] ?? ""] ?? {}) : undefined;
			const ask = async (name: string) => {
				const url = path.replace(":id", name);
				const { status, json } = await api.request(ours.token, method, url, body);
				return JSON.stringify([status, { ...json, requestId: "" }]);
			};
			const absent = id.replace(/.{20}$/, "a".repeat(20));
			const [foreign, nothing] = [await ask(id), await ask(absent)];
			if (foreign !== nothing || !/^\[404,/.test(foreign)) wrong.push(`${route}: ${foreign} and ${nothing}`);
			// The scripted policy decides by a rule that no pack has to explain.
			if (method !== "GET" || path.endsWith("/decision")) continue;
			// And it is there for those whose it is, or the comparison says nothing.
			const own = await api.request(theirs.token, method, path.replace(":id", id));
			if (own.status !== 200) wrong.push(`${route}: ${own.status} to its own tenant`);
		}
		assert.deepEqual(wrong, []);
	});

	it("lists hold nothing of another tenant", async () => {
		const [ours, theirs] = [await tenant(), await tenant()];
		const ids = Object.values(await seed(theirs));
		const lists = Object.keys(routeRoles).filter((route) => /^GET \/v1\/[\w-]+$/.test(route));
		assert.ok(lists.length > 10);
		for (const route of lists) {
			const [method, url] = split(route);
			const { text } = await api.request(ours.token, method, url);
			for (const id of ids) assert.ok(!text.includes(id), `${route} tells of ${id}`);
		}
	});

	/** A tenant, and somebody with every role there. */
	async function tenant() {
		const sendQueue = `queue-${Math.random().toString(36).slice(2)}`.replace(/\d/g, "x");
		const { tenantId } = await api.addTenant({ sendQueue });
		const { token, personId } = await api.addPerson(tenantId, [...roles]);
		return { tenantId, token, personId, sendQueue };
	}

	/** One of everything that has an id of its own, by the word of its routes. */
	async function seed({ tenantId, token, sendQueue }: Awaited<ReturnType<typeof tenant>>) {
		const make = async (path: string, body: object) => {
			const { status, json } = await api.request(token, "POST", `/v1/${path}`, body);
			assert.ok(status < 300, `${path}: ${status} ${JSON.stringify(json)}`);
			return (json.id ?? json.items[0].id) as string;
		};
		const consent = { number, type: "express", purposes: ["marketing"], obtainedAt: "2026-01-01T00:00:00Z" };
		const { key } = await api.addKey(tenantId, ["sender"]);
		const message = await api.post(key);
		const certificate = api.ids.random("certificate");
		await api.store.certificates.insert({
			...{ _id: certificate, tenantId, kind: "record", about: message.json.id, issuedAt: 1 },
			jws: signedText({ id: certificate, kind: "record", issuedAt: "2026-01-31T00:00:00.000Z" }),
		});
		const batch = { messages: [{ to: number }], category: "transactional", body: "x", lawfulBasis: "contract" };
		return {
			messages: message.json.id,
			batches: await make("batches", batch),
			templates: await make("templates", { name: "t", text: "x" }),
			consents: await make("consents", { ...consent, wording: "w-1", evidence: "e-1" }),
			"opt-outs": await make("opt-outs", { number, scope: "all" }),
			holds: await make("holds", { scope: "subject", number, ...hold }),
			"subject-requests": await make("subject-requests", { number, kind: "access" }),
			certificates: certificate,
			"api-keys": await make("api-keys", { name: "k", roles: ["sender"] }),
			people: await make("people", { login: "them", roles: ["sender"] }),
			sessions: (await api.request(token, "GET", "/v1/session")).json.id,
			passkeys: api.ids.random("passkey"),
			queues: sendQueue,
			verifications: await make("verifications", { to: number, lawfulBasis: "contract" }),
			"webhook-endpoints": await make("webhook-endpoints", { url: "https://hooks.example.com/lethe" }),
		} as Record<string, string>;
	}
});

const hold = { ground: "litigation", reason: "case" };
/** What POSTs want to be told, by what stands after the id. */
const bodies: Record<string, object> = {
	"/reveal": { purpose: "complaint", ticket: "case-1" },
	"/lift": { obtainedAt: "2026-01-01T00:00:00Z", evidence: "e-1" },
	"/identity": { confirmed: true, method: "id_document", evidence: "e-1", ownedFrom: "2020-01-01T00:00:00Z" },
	"/decide": { task: "conflict", verdict: "keep", ground: "law" },
	"/extend": { to: "2030-01-01", reason: "complex" },
	"/close": { outcome: "granted" },
	"/export": { purpose: "answer" },
	"/check": { code: "123456" },
	"/replay": { from: "2026-01-01T00:00:00Z" },
	"/settings": { limitPerSecond: 5 },
	"/roles": { roles: ["sender"] },
};
