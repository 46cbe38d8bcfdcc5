// The API as a whole: its description, its health, its methods.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { errorCatalogue } from "../../domain/errors.ts";
import { roles } from "../../domain/roles.ts";
import { createTestApi, messageBody, type TestApi } from "./harness.ts";

describe("the API", () => {
	let api: TestApi;
	const health = { vault: true };
	before(async () => {
		api = await createTestApi(({ checks }) => ({
			checks: {
				...checks,
				vault: () => (health.vault ? Promise.resolve() : Promise.reject(new Error("away"))),
				redis: () => new Promise(() => undefined),
			},
		}));
	});
	after(() => api.close());

	it("is described as OpenAPI 3.1: each route, its security and its problems", async () => {
		const { json } = await api.request("", "GET", "/openapi.json");
		assert.equal(json.openapi, "3.1.0");
		assert.equal(json.info.version, (await api.request("", "GET", "/healthz")).json.version);
		const { tokenUrl, scopes } = json.components.securitySchemes.oauth.flows.clientCredentials;
		const { json: told } = await api.request("", "GET", "/.well-known/oauth-authorization-server");
		assert.deepEqual([tokenUrl, Object.keys(scopes)], [told.token_endpoint, told.scopes_supported]);
		const routes = Object.entries<Record<string, { security?: unknown; responses: Record<string, unknown> }>>(
			json.paths,
		);
		const described = routes.flatMap(([path, methods]) => Object.keys(methods).map((method) => `${method} ${path}`));
		for (const route of [
			"post /v1/messages",
			"get /v1/messages/{id}",
			"post /v1/messages/{id}/cancel",
			"get /v1/messages",
		]) {
			assert.ok(described.includes(route), route);
		}
		for (const [path, methods] of routes) {
			if (!/^\/v1\/(messages|certificates)/.test(path)) continue;
			for (const operation of Object.values(methods)) {
				assert.deepEqual(operation.security, [{ apiKey: [] }, { oauth: [] }, { session: [] }], path);
				assert.ok(operation.responses["4XX"], path);
			}
		}
		const references = JSON.stringify(json).match(/#\/components\/schemas\/\w+/g) ?? [];
		assert.ok(references.length > 0);
		for (const reference of references) {
			assert.ok(json.components.schemas[reference.split("/").at(-1) as string], reference);
		}
	});

	it("what it answers fits its own description", async () => {
		const { key } = await api.addTenant();
		const { json: document } = await api.request("", "GET", "/openapi.json");
		const { json } = await api.post(key);
		const read = await api.request(key, "GET", `/v1/messages/${json.id}`);
		for (const [name, value] of [
			["AcceptedMessage", json],
			["Message", read.json],
		] as const) {
			const schema = document.components.schemas[name];
			assert.deepEqual(
				Object.keys(value).filter((field) => !(field in schema.properties)),
				[],
			);
			for (const field of schema.required) assert.ok(field in value, field);
		}
	});

	it("every POST for a principal describes its Idempotency-Key, and every answer its headers", async () => {
		const { json } = await api.request("", "GET", "/openapi.json");
		type Operation = {
			security?: object[];
			parameters?: { in: string; name: string; required?: boolean; schema: { pattern?: string } }[];
			responses: Record<string, { headers: Record<string, unknown>; content?: Record<string, { schema: object }> }>;
		};
		const posts = Object.entries<Record<string, Operation>>(json.paths).filter(
			// Signing out takes none.
			([path, { post }]) => (post?.security?.length ?? 0) > 0 && path !== "/v1/session/end",
		);
		assert.ok(posts.length > 5);
		for (const [path, { post }] of posts) {
			const { parameters = [], responses } = post as Operation;
			const names = parameters.filter((parameter) => parameter.in === "header").map(({ name }) => name);
			assert.deepEqual(names, path === "/v1/messages" ? ["Prefer", "Idempotency-Key"] : ["Idempotency-Key"], path);
			const key = parameters.find(({ name }) => name === "Idempotency-Key");
			assert.ok(!key?.required);
			assert.match("a-key", new RegExp(key?.schema.pattern ?? "^$"));
			for (const [status, { headers, content }] of Object.entries(responses)) {
				assert.ok(headers["Idempotency-Replayed"] && headers["X-Request-Id"], `${path} ${status}`);
				assert.equal(Boolean(headers["Retry-After"]), /^[45]/.test(status));
				assert.equal(Boolean(headers["Preference-Applied"]), path === "/v1/messages");
				for (const { schema } of Object.values(content ?? {})) assert.ok(!("headers" in schema), `${path} ${status}`);
			}
		}
	});

	it("fields are in camel case, but for those that OAuth names", async () => {
		const { json } = await api.request("", "GET", "/openapi.json");
		const names = new Set<string>();
		const gather = (value: unknown): void => {
			if (typeof value !== "object" || value === null) return;
			const { properties } = value as { properties?: object };
			for (const name of Object.keys(properties ?? {})) names.add(name);
			for (const inner of Object.values(value)) gather(inner);
		};
		const isOwn = ([name]: [string, unknown]) => !/oauth|\.well-known|^(Access)?Token/.test(name);
		for (const part of [json.components.schemas, json.paths])
			gather(Object.fromEntries(Object.entries(part).filter(isOwn)));
		assert.ok(names.size > 200, `${names.size}`);
		assert.deepEqual(
			[...names].filter((name) => name.includes("_")),
			[],
		);
	});

	it("says of each body whether it may be left out, as the route takes it", async () => {
		const { json } = await api.request("", "GET", "/openapi.json");
		const { token } = await api.addPerson((await api.addTenant()).tenantId, [...roles]);
		let optional = 0;
		for (const [path, { post }] of Object.entries<Record<string, { requestBody?: { required: boolean } }>>(
			json.paths,
		)) {
			if (!post?.requestBody || path.includes("/session") || path.includes("/callbacks/")) continue;
			const { json: answer } = await api.request(token, "POST", path.replace(/\{\w+\}/g, "nothing"));
			const isMissed = answer?.errors?.[0]?.pointer === "" && answer.errors[0].detail === "It must be an object.";
			if (isMissed) assert.equal(post.requestBody.required, true, path);
			if (!post.requestBody.required) optional++;
		}
		assert.ok(optional > 15, `${optional}`);
		const { status } = await api.request("", "POST", "/v1/session/passkey-options");
		assert.deepEqual([status, json.paths["/v1/session/passkey-options"].post.requestBody.required], [200, false]);
	});

	it("no route takes a query that it does not declare, and none acts as if it had been understood", async () => {
		const { key, tenantId } = await api.addTenant();
		const { token } = await api.addPerson(tenantId, [...roles]);
		const { json } = await api.request("", "GET", "/openapi.json");
		let asked = 0;
		for (const [path, { get }] of Object.entries<Record<string, object | undefined>>(json.paths)) {
			// A carrier's callbacks and an issuer's answer bring what their sender likes.
			if (!get || path.includes("/callbacks/") || path.endsWith("/callback")) continue;
			const { status, json: answer } = await api.request(token, "GET", `${path.replace(/\{\w+\}/g, "7")}?unasked=1`);
			const pointers = answer?.errors?.map(({ pointer }: { pointer: string }) => pointer);
			assert.deepEqual([status, pointers?.includes("/querystring/unasked")], [400, true], path);
			asked++;
		}
		assert.ok(asked > 30, `${asked}`);
		const before = await api.count();
		const { to, ...shared } = messageBody();
		const batch = { ...shared, messages: [{ to }] };
		const tried = await api.request(key, "POST", "/v1/batches?dryRun=true", batch);
		assert.deepEqual([tried.status, tried.json.errors[0].pointer], [400, "/querystring/dryRun"]);
		assert.equal(await api.count(), before);
		assert.equal((await api.request(key, "POST", "/v1/batches", batch)).status, 202);
	});

	it("no POST takes a body with what it does not declare", async () => {
		const { token } = await api.addPerson((await api.addTenant()).tenantId, [...roles]);
		const { json } = await api.request("", "GET", "/openapi.json");
		let asked = 0;
		for (const [path, { post }] of Object.entries<Record<string, { security: object[] } | undefined>>(json.paths)) {
			if (!post?.security.length) continue;
			const url = path.replace(/\{\w+\}/g, "nothing");
			const { status, json: answer } = await api.request(token, "POST", url, { unasked: 1 }, { origin: api.publicUrl });
			assert.deepEqual([status, answer?.code], [400, "invalid_request"], path);
			asked++;
		}
		assert.ok(asked > 50, `${asked}`);
	});

	it("describes what the token endpoint answers to too many, and where it fails, as it answers that", async () => {
		const { json } = await api.request("", "GET", "/openapi.json");
		for (const path of ["/oauth/token", "/v1/oauth/token"]) {
			const { responses } = json.paths[path].post;
			assert.deepEqual(Object.keys(responses[429].content), ["application/json", "application/problem+json"], path);
			assert.deepEqual(Object.keys(responses["5XX"].content), ["application/problem+json"], path);
			for (const status of ["429", "5XX"]) assert.ok(responses[status].headers["Retry-After"], `${path} ${status}`);
		}
	});

	it("serves the public keys where CONTRACT's clients look for them too", async () => {
		const [bare, versioned] = await Promise.all(
			["", "/v1"].map((prefix) => api.request("", "GET", `${prefix}/.well-known/jwks.json`)),
		);
		assert.equal(versioned?.status, 200);
		assert.deepEqual(versioned?.json, bare?.json);
	});

	it("its pages for readers show messages first, each route once, and bear its own name", async () => {
		const { json } = await api.request("", "GET", "/openapi.json");
		const { json: shown } = await api.request("", "GET", "/docs/json");
		assert.equal(shown.tags[0].name, "messages");
		type Tagged = Record<string, { tags?: string[] }>;
		const used = Object.values<Tagged>(json.paths).flatMap((one) =>
			Object.values(one).flatMap(({ tags = [] }) => tags),
		);
		const told = json.tags.map(({ name }: { name: string }) => name);
		assert.deepEqual([...new Set(used)].toSorted(), told.toSorted());
		const hidden = Object.keys(json.paths).filter((path) => !(path in shown.paths));
		const doubled = ["/v1/.well-known/jwks.json", "/v1/healthz", "/v1/metrics", "/v1/oauth/token", "/v1/readyz"];
		assert.deepEqual(hidden.toSorted(), doubled, "the document itself lists them");
		const page = await api.request("", "GET", "/docs");
		assert.match(page.text, /<title>Lethe<\/title>/);
		assert.doesNotMatch(page.text, /icon/);
		assert.match(
			(await api.request("", "GET", "/docs/static/swagger-initializer.js")).text,
			/"?layout"?: ?"BaseLayout"/,
		);
	});

	it("what its pages offer to try first is taken as it stands", async () => {
		const { key } = await api.addTenant({ roles: ["sender", "compliance", "admin"] });
		const { json } = await api.request("", "GET", "/openapi.json");
		for (const [path, status] of [
			["/v1/messages", 202],
			["/v1/batches", 202],
			["/v1/verifications", 202],
			["/v1/templates", 201],
			["/v1/webhook-endpoints", 201],
			["/v1/verifications/{id}/check", 404],
		] as const) {
			const { $ref } = json.paths[path].post.requestBody.content["application/json"].schema;
			const { example } = json.components.schemas[$ref.split("/").at(-1)];
			assert.ok(example, path);
			const answer = await api.request(key, "POST", path.replace("{id}", "ver_none"), example);
			assert.equal(answer.status, status, `${path} ${answer.text}`);
		}
	});

	it("what an answer bears of these headers is described", async () => {
		const { key } = await api.addTenant();
		const { json } = await api.request("", "GET", "/openapi.json");
		const described = json.paths["/v1/messages"].post.responses["202"].headers;
		const headers = { "idempotency-key": "described", prefer: "wait=1" };
		await api.post(key, {}, { "idempotency-key": "described" });
		const answer = await api.post(key, {}, headers);
		for (const name of ["X-Request-Id", "Idempotency-Replayed", "Preference-Applied"]) {
			assert.ok(answer.headers[name.toLowerCase()] && described[name], name);
		}
	});

	it("each code of the catalogue has the page that its problems link to", async () => {
		for (const code of Object.keys(errorCatalogue)) {
			const { status, text } = await api.request("", "GET", `/errors/${code}`);
			assert.equal(status, 200);
			assert.ok(text.includes(code));
		}
		assert.equal((await api.request("", "GET", "/errors/toString")).status, 404);
		const problem = await api.request("", "GET", "/v1/messages");
		assert.equal(new URL(problem.json.type).pathname, `/errors/${problem.json.code}`);
	});

	it("a known address with another method says which methods it takes", async () => {
		const answer = await api.app.inject({ method: "DELETE", url: "/v1/messages" });
		assert.equal(answer.statusCode, 405);
		assert.equal(answer.json().code, "method_not_allowed");
		assert.equal(answer.headers.allow, "GET, HEAD, POST");
		const queried = await api.app.inject({ method: "QUERY", url: "/v1/messages" } as unknown as { method: "GET" });
		assert.equal(queried.statusCode, 405);
		for (const [method, url] of [
			["HEAD", "/v1/batches"],
			["OPTIONS", "/v1/batches"],
			["HEAD", "/v1/messages/search"],
			["GET", "/v1/messages/search"],
		] as const) {
			const { statusCode, headers } = await api.app.inject({ method, url });
			assert.deepEqual([statusCode, headers.allow], [405, "POST"], `${method} ${url}`);
		}
		const nothing = await api.app.inject({ method: "DELETE", url: "/v1/nothing" });
		assert.deepEqual([nothing.statusCode, nothing.json().code], [404, "not_found"]);
		assert.match(nothing.json().errors[0].detail, /\broute\b/, "and not that an object is not there");
	});

	it("is ready with its store and keys alone, names the servers that are away, and waits for none", async () => {
		const before = Date.now();
		const { status, json } = await api.request("", "GET", "/readyz");
		assert.equal(status, 200);
		const up = { mongodb: "up", vault: "up", policies: "up", quarantine: "up" };
		assert.deepEqual(json, { ready: true, checks: { ...up, temporal: "down", redis: "down" } });
		assert.ok(Date.now() - before < 10_000);
		health.vault = false;
		api.time.offsetMs += 1_001;
		const without = await api.request("", "GET", "/readyz");
		health.vault = true;
		assert.equal(without.status, 503);
		assert.equal(without.json.checks.vault, "down");
		assert.equal((await api.request("", "GET", "/healthz")).status, 200);
	});

	it("tells its counters from near by only, and through no proxy that it was not told of", async () => {
		const ask = async (remoteAddress: string, headers: Record<string, string> = {}) =>
			(await api.app.inject({ url: "/metrics", remoteAddress, headers })).statusCode;
		assert.deepEqual([await ask("127.0.0.1"), await ask("::1"), await ask("198.51.100.7")], [200, 200, 403]);
		for (const name of ["x-forwarded-for", "forwarded", "via", "x-real-ip"])
			assert.equal(await ask("127.0.0.1", { [name]: "127.0.0.1" }), 403);
		const versioned = await api.app.inject({ url: "/v1/metrics", remoteAddress: "198.51.100.7" });
		assert.equal(versioned.json().code, "address_refused");
	});

	it("answers tell browsers to keep, frame and run nothing", async () => {
		const { headers } = await api.request("", "GET", "/v1/messages");
		assert.equal(headers["cache-control"], "no-store");
		assert.match(String(headers["content-security-policy"]), /default-src 'none'/);
		assert.match(String(headers["strict-transport-security"]), /max-age=\d{8}/);
		assert.equal(headers["x-content-type-options"], "nosniff");
		assert.equal((await api.request("", "GET", "/docs")).status, 200);
	});

	it("a close finishes what is under way and sends waiters home", async () => {
		const closing = await createTestApi();
		const { key } = await closing.addTenant();
		const url = await closing.app.listen({ host: "127.0.0.1", port: 0 });
		const post = (headers: Record<string, string> = {}) =>
			fetch(`${url}/v1/messages`, {
				method: "POST",
				headers: { authorization: `Bearer ${key}`, "content-type": "application/json", ...headers },
				body: JSON.stringify(messageBody()),
			});
		const waiting = post({ prefer: "wait=30" });
		while ((await closing.count()) === 0) await sleep(10);
		const before = Date.now();
		const closed = closing.app.close();
		const answer = await waiting;
		assert.equal(answer.status, 202);
		assert.equal(((await answer.json()) as { state: string }).state, "accepted");
		await closed;
		assert.ok(Date.now() - before < 10_000);
		await assert.rejects(post());
		await closing.close();
	});
});
