// The table of routes and roles, every cell of it tried: by key, by token of ours and of an outside issuer, bound or not, and by person, signed in just now and a while ago, here and at another tenant.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { calculateJwkThumbprint } from "jose";
import type { Access } from "../../api/plugins/auth.ts";
import { routeAccess } from "../../api/roles.ts";
import { generateKey, open, publicKeyOf } from "../../client/e2ee.ts";
import { limits } from "../../domain/limits.ts";
import { type Role, roles } from "../../domain/roles.ts";
import { signedText } from "../harness/signedText.ts";
import { createTestApi, number, type TestApi } from "./harness.ts";
import { createSigning, prove, signJwt } from "./tokens.ts";

const refusals = ["unauthenticated", "forbidden", "person_required", "fresh_mfa_required"];
const machines = ["key", "token", "bound token", "outside token", "bound outside token"] as const;
const kinds = [...machines, "person", "person of a while ago"] as const;
type Kind = (typeof kinds)[number];
type Method = "GET" | "POST";
type Caller = (method: Method, url: string, body?: object) => ReturnType<TestApi["request"]>;
const isMachine = (kind: Kind) => (machines as readonly Kind[]).includes(kind);

/** What a cell must answer; undefined where whoever asks gets as far as the route itself. */
function refusalOf(route: string, role: Role, kind: Kind): string | undefined {
	const { roles: may, personOnly, freshMfa } = routeAccess[route] as Access;
	if (!may.includes(role)) return "forbidden";
	// Whatever is mapped: a token shows no second factor.
	if (kind.endsWith("outside token") && role === "approver") return "forbidden";
	if (personOnly && isMachine(kind)) return "person_required";
	if (freshMfa && kind === "person of a while ago") return "fresh_mfa_required";
	return undefined;
}

const split = (route: string) => route.split(" ") as [Method, string];

describe("who may what", () => {
	let api: TestApi;
	const issuer = createSigning();
	const holder = createSigning();
	before(async () => {
		const most = { keyRequestsPerSecond: 1e6, tenantRequestsPerSecond: 1e6, addressRequestsPerSecond: 1e6 };
		api = await createTestApi(({ requestLimits }) => ({
			requestLimits: { ...requestLimits, ...most },
			issuerKeys: { get: async () => ({ keys: [{ ...issuer.jwk, kid: "ec", alg: "ES256" }] }) },
		}));
	});
	after(() => api.close());

	for (const kind of kinds) {
		it(`every cell of route × role answers as the table says, to a ${kind}`, async () => {
			const { tenantId } = await api.addTenant();
			const wrong: string[] = [];
			for (const role of roles) {
				let call = await callerOf(kind, tenantId, [role]);
				const late = kind === "person of a while ago" ? api.sessionLimits.freshMfaMs + 1 : 0;
				for (const route of Object.keys(routeAccess)) {
					const [method, path] = split(route);
					api.time.offsetMs = late;
					const url = path.replace(/:(\w+)/g, "nothing");
					const { json, status } = await call(method, url, method === "POST" ? {} : undefined);
					api.time.offsetMs = 0;
					const expected = refusalOf(route, role, kind);
					const refused = refusals.includes(json?.code) ? json.code : undefined;
					if (refused !== expected || status >= 500) wrong.push(`${route} ${role}: ${status} ${json?.code}`);
					const said = JSON.stringify(json?.errors ?? []);
					if (/Invalid |expected |received |Too (small|big)/.test(said)) wrong.push(`${route}: ${said}`);
					// Whoever may sign out has done so.
					if (status === 204) call = await callerOf(kind, tenantId, [role]);
				}
			}
			assert.deepEqual(wrong, []);
		});
	}

	it("a person none of whose roles is in force gets at what is their own, and at nothing else", async () => {
		const { tenantId } = await api.addTenant();
		const wrong: string[] = [];
		for (const route of Object.keys(routeAccess)) {
			const call = await callerOf("person", tenantId, []);
			const [method, path] = split(route);
			const { json } = await call(method, path.replace(/:(\w+)/g, "nothing"), method === "POST" ? {} : undefined);
			const isOwn = /^\/v1\/(sessions?|passkeys)\b/.test(path);
			if ((json?.code === "forbidden") === isOwn) wrong.push(`${route}: ${json?.code}`);
		}
		assert.deepEqual(wrong, []);
	});

	it("what is another tenant's is answered like what is not there, to whoever asks, on every route that names something", async () => {
		const [ours, theirs] = [await tenant(), await tenant()];
		const made = await seed(theirs);
		const wrong: string[] = [];
		const own = await callerOf("person", theirs.tenantId, [...roles]);
		for (const kind of kinds.filter((one) => one !== "person of a while ago")) {
			wrong.push(...(await tellApart(kind, await callerOf(kind, ours.tenantId, [...roles]), own, made)));
		}
		assert.deepEqual(wrong, []);
	});

	/** What of another tenant's is answered otherwise than what is not there; and what its own people are not told. */
	async function tellApart(kind: Kind, call: Caller, own: Caller, made: Record<string, string>): Promise<string[]> {
		const wrong: string[] = [];
		for (const route of Object.keys(routeAccess).filter((one) => one.includes("/:id"))) {
			const [method, path] = split(route);
			const thing = path.split("/")[2] ?? "";
			// What every tenant shares, or nobody can have at another.
			if (thing === "policy-proposals") continue;
			const id = made[thing];
			assert.ok(id, `nothing of ${thing} is seeded`);
			const body = method === "POST" ? (bodies[path.split("/:id")[1] ?? ""] ?? {}) : undefined;
			const ask = async (name: string) => {
				const url = path.replace(":id", name);
				const { status, json } = await call(method, url, body);
				return JSON.stringify([status, { ...json, requestId: "" }]);
			};
			const absent = id.replace(/.{20}$/, "a".repeat(20));
			const [foreign, nothing] = [await ask(id), await ask(absent)];
			const expected = routeAccess[route]?.personOnly && isMachine(kind) ? /^\[403,.*"person_required"/ : /^\[404,/;
			if (foreign !== nothing || !expected.test(foreign))
				wrong.push(`${route} to a ${kind}: ${foreign} and ${nothing}`);
			// The scripted policy decides by a rule that no pack has to explain.
			if (method !== "GET" || path.endsWith("/decision") || kind !== "person") continue;
			// And it is there for those whose it is, or the comparison says nothing.
			const { status } = await own(method, path.replace(":id", id));
			if (status !== 200) wrong.push(`${route}: ${status} to its own tenant`);
		}
		return wrong;
	}

	it("lists hold nothing of another tenant", async () => {
		const [ours, theirs] = [await tenant(), await tenant()];
		const ids = Object.values(await seed(theirs));
		const lists = Object.keys(routeAccess).filter((route) => /^GET \/v1\/[\w-]+$/.test(route));
		assert.ok(lists.length > 10);
		for (const kind of ["person", "bound token", "outside token"] as const) {
			const call = await callerOf(kind, ours.tenantId, [...roles]);
			for (const route of lists) {
				const { text } = await call(...split(route));
				for (const id of ids) assert.ok(!text.includes(id), `${route} tells a ${kind} of ${id}`);
			}
		}
	});

	/** Somebody or something of a tenant with these roles, and how it asks. */
	async function callerOf(kind: Kind, tenantId: string, granted: Role[]): Promise<Caller> {
		if (!isMachine(kind)) {
			const { token } = await api.addPerson(tenantId, granted);
			return (method, url, body) => api.request(token, method, url, body);
		}
		const { key, keyId } = await api.addKey(tenantId, granted);
		if (kind === "key") return (method, url, body) => api.request(key, method, url, body);
		const isBound = kind.startsWith("bound");
		const token = kind.endsWith("outside token")
			? await outsideToken(tenantId, granted, isBound)
			: await ownToken(keyId, key, isBound);
		if (!isBound) return (method, url, body) => api.request(token, method, url, body);
		return (method, url, body) => {
			const dpop = prove(holder, { method, url: `${api.publicUrl}${url}`, at: api.clock(), token });
			return api.request("", method, url, body, { authorization: `DPoP ${token}`, dpop });
		};
	}

	async function ownToken(id: string, secret: string, isBound: boolean): Promise<string> {
		const url = "/oauth/token";
		const proof = () => prove(holder, { method: "POST", url: `${api.publicUrl}${url}`, at: api.clock() });
		const authorization = `Basic ${Buffer.from(`${id}:${secret}`).toString("base64")}`;
		const type = { "content-type": "application/x-www-form-urlencoded" };
		const headers = { ...type, authorization, ...(isBound && { dpop: proof() }) };
		const answer = await api.app.inject({ method: "POST", url, headers, payload: "grant_type=client_credentials" });
		assert.equal(answer.statusCode, 200, answer.body);
		return answer.json().access_token;
	}

	/** Of an issuer that the tenant trusts to give any role. */
	async function outsideToken(tenantId: string, granted: Role[], isBound: boolean): Promise<string> {
		const url = `https://login.example.com/${tenantId}`;
		const mapping = roles.map((role) => ({ value: role, roles: [role] }));
		const trusted = { _id: api.ids.derive("issuer", url), url, tenantId, audience: "us", claim: "scope", mapping };
		await api.store.issuers.put({ ...trusted, createdAt: 1 });
		const iat = Math.floor(api.clock() / 1000);
		const cnf = isBound ? { cnf: { jkt: await calculateJwkThumbprint(holder.jwk) } } : {};
		const claims = { iss: url, aud: "us", sub: "s", iat, exp: iat + 600, scope: granted.join(" "), ...cnf };
		return signJwt({ alg: "ES256", typ: "at+jwt", kid: "ec" }, claims, issuer.privateKey);
	}

	it("every list is read page by page, alike", async () => {
		const ours = await tenant();
		await seed(ours);
		// A number is sent a second code no sooner.
		api.time.offsetMs = limits.verificationCooldownMs;
		await seed(ours, "others");
		let longer = 0;
		// What a person or the deployment has few of is answered whole.
		const whole = [
			"alerts",
			"queues",
			"sessions",
			"passkeys",
			"policies",
			"sending-limits",
			"sender-keys",
			"processing-record",
		];
		const other = ["session", "evidence", "certificates", "policy-proposals", ...whole];
		for (const route of Object.keys(routeAccess).filter((one) => /^GET \/v1\/[\w-]+$/.test(one))) {
			const [method, url] = split(route);
			if (other.includes(url.split("/")[2] as string)) continue;
			const all = await api.request(ours.token, method, `${url}?limit=100`);
			const ids: string[] = [];
			let cursor: string | undefined = "";
			while (cursor !== undefined) {
				const { json, status } = await api.request(
					ours.token,
					method,
					`${url}?limit=1${cursor && `&cursor=${cursor}`}`,
				);
				assert.equal(status, 200, url);
				assert.ok(json.items.length <= 1, url);
				ids.push(...json.items.map(({ id }: { id: string }) => id));
				assert.ok(ids.length <= 100, `${url} never ends`);
				cursor = json.next;
			}
			assert.deepEqual(
				ids,
				all.json.items.map(({ id }: { id: string }) => id),
				url,
			);
			if (ids.length > 1) longer++;
			const refused = await api.request(ours.token, method, `${url}?cursor=x`);
			assert.deepEqual([refused.status, refused.json.errors[0].pointer], [400, "/querystring/cursor"], url);
		}
		assert.ok(longer >= 8, `${longer}`);
		api.time.offsetMs = 0;
	});

	/** A tenant, and somebody with every role there. */
	async function tenant() {
		const sendQueue = `queue-${Math.random().toString(36).slice(2)}`.replace(/\d/g, "x");
		const { tenantId } = await api.addTenant({ sendQueue });
		const { token, personId } = await api.addPerson(tenantId, [...roles]);
		return { tenantId, token, personId, sendQueue };
	}

	/** A key of the number's, its challenge opened as its holder does. */
	async function makeKey(token: string): Promise<string> {
		const key = await generateKey();
		const body = { number, key: publicKeyOf(key) };
		const { json } = await api.request(token, "POST", "/v1/recipient-keys/challenges", body);
		const { text: answer } = await open(json.challenge, { key, seen: null });
		return (await api.request(token, "POST", "/v1/recipient-keys", { ...body, answer })).json.id;
	}

	/** One of everything that has an id of its own, by the word of its routes. */
	async function seed({ tenantId, token, sendQueue }: Awaited<ReturnType<typeof tenant>>, name = "them") {
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
			templates: await make("templates", { name, text: "x" }),
			consents: await make("consents", { ...consent, wording: "w-1", evidence: "e-1" }),
			"opt-outs": await make("opt-outs", { number, scope: "all" }),
			"recipient-keys": await makeKey(token),
			holds: await make("holds", { scope: "subject", number, ...hold }),
			"subject-requests": await make("subject-requests", { number, kind: "access" }),
			certificates: certificate,
			"api-keys": await make("api-keys", { name: "k", roles: ["sender"] }),
			people: await make("people", { login: name, roles: ["sender"] }),
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
	"/extend": { to: "2030-01-01", reason: "complex", toldAt: "2029-01-01T00:00:00Z" },
	"/close": { outcome: "granted" },
	"/export": { purpose: "answer" },
	"/check": { code: "123456" },
	"/replay": { from: "2026-01-01T00:00:00Z" },
	"/settings": { limitPerSecond: 5 },
	"/roles": { roles: ["sender"] },
	"/confirm": { enrolledAt: "2026-01-01T00:00:00Z" },
};
