// Keys whose requests must be signed: their text alone opens nothing, and a signature opens once, for what it covers.

import assert from "node:assert/strict";
import { createHash, randomBytes, sign } from "node:crypto";
import { after, before, describe, it } from "node:test";
import { requireSignatures } from "../../../cli/administer.ts";
import { limits } from "../../../domain/limits.ts";
import { createTestApi, messageBody, type TestApi } from "../harness.ts";
import { createSigning, type Signing } from "../tokens.ts";

type Change = {
	components?: string[];
	params?: Record<string, string | number | undefined>;
	digest?: string;
	by?: Signing;
	url?: string;
};

describe("signed requests", () => {
	let api: TestApi;
	let key: { id: string; apiKey: string };
	const signing = createSigning();
	before(async () => {
		api = await createTestApi();
		const { key: admin } = await api.addTenant({ roles: ["admin"] });
		const body = { name: "n", roles: ["sender"], publicKeys: [signing.jwk], proof: "signature" };
		const created = await api.request(admin, "POST", "/v1/api-keys", body);
		assert.equal(created.status, 201, created.text);
		key = created.json;
		const without = await api.request(admin, "POST", "/v1/api-keys", { ...body, publicKeys: undefined });
		assert.equal(without.status, 400);
	});
	after(() => api.close());

	const seconds = () => Math.floor(api.clock() / 1000);
	/** The headers that sign a request, or sign it wrongly. */
	function signedHeaders(
		method: string,
		url: string,
		body: string | undefined,
		headers: Record<string, string>,
		change: Change,
	) {
		const digest =
			change.digest ??
			`sha-256=:${createHash("sha256")
				.update(body ?? "")
				.digest("base64")}:`;
		const sent: Record<string, string> = { ...headers, ...(body === undefined ? {} : { "content-digest": digest }) };
		const derived: Record<string, string> = {
			"@method": method,
			"@target-uri": change.url ?? `https://lethe.example${url}`,
		};
		const covering = change.components ?? [
			"@method",
			"@target-uri",
			...Object.keys(sent).filter((name) => name !== "authorization"),
		];
		const params = { created: seconds(), keyid: key.id, nonce: randomBytes(16).toString("hex"), ...change.params };
		const told = Object.entries(params).flatMap(([name, value]) =>
			value === undefined ? [] : [`;${name}=${typeof value === "number" ? value : `"${value}"`}`],
		);
		const input = `(${covering.map((name) => `"${name}"`).join(" ")})${told.join("")}`;
		const lines = covering.map((name) => `"${name}": ${derived[name] ?? sent[name]}`);
		const base = [...lines, `"@signature-params": ${input}`].join("\n");
		const by = { key: (change.by ?? signing).privateKey, dsaEncoding: "ieee-p1363" } as const;
		const signature = sign("sha256", Buffer.from(base), by).toString("base64");
		return { ...sent, "signature-input": `sig=${input}`, signature: `sig=:${signature}:` };
	}
	const authorization = () => ({ authorization: `Bearer ${key.apiKey}` });
	const inject = async (method: "GET" | "POST", url: string, headers: Record<string, string>, payload?: string) => {
		const answer = await api.app.inject({ method, url, headers, ...(payload === undefined ? {} : { payload }) });
		return answer.statusCode < 300 ? `${answer.statusCode}` : `${answer.statusCode} ${answer.json().code}`;
	};
	const list = (change: Change = {}, url = "/v1/messages?limit=1") =>
		inject("GET", url, signedHeaders("GET", url, undefined, authorization(), change));
	const body = () => JSON.stringify(messageBody());
	const headersOf = (more: Record<string, string> = {}) => ({
		...authorization(),
		"content-type": "application/json",
		...more,
	});
	const alerts = async () => {
		const { body: metrics } = await api.app.inject({ method: "GET", url: "/metrics" });
		return Number(/lethe_credential_alerts_total\{reason="signature_invalid"\} (\d+)/.exec(metrics)?.[1] ?? 0);
	};
	const refused = "401 signature_invalid";

	it("signed, a request goes through, and once; its body is the one that was signed", async () => {
		const url = "/v1/messages";
		assert.equal(await list(), "200");
		const headers = signedHeaders("POST", url, body(), headersOf({ "idempotency-key": "one" }), {});
		assert.equal(await inject("POST", url, headers, body()), "202");
		assert.equal(await inject("POST", url, headers, body()), refused, "replayed");
		const other = signedHeaders("POST", url, body(), headersOf(), {});
		const before = await alerts();
		assert.equal(await inject("POST", url, other, body().replace("Termin", "Tarmin")), refused, "another body");
		assert.equal(await alerts(), before + 1, "a head that somebody puts another body to is a leak's too");
		assert.equal(await inject("POST", url, signedHeaders("POST", url, body(), headersOf(), {})), refused, "no body");
		assert.equal(await api.count(), 1);
	});

	it("its text alone, or a signature that is not exactly for this, opens nothing, and each is counted as a leak", async () => {
		const at = seconds();
		const before = await alerts();
		const wrong: Record<string, Change> = {
			"another key": { by: createSigning() },
			"another key's id": { params: { keyid: api.ids.random("apiKey") } },
			"too old": { params: { created: at - 91 } },
			"from the future": { params: { created: at + 40 } },
			"no time": { params: { created: undefined } },
			over: { params: { expires: at - 1 } },
			"an end that is none": { params: { expires: "never" } },
			"no nonce": { params: { nonce: undefined } },
			"a short nonce": { params: { nonce: "short" } },
			"another algorithm": { params: { alg: "hmac-sha256" } },
			"the method not covered": { components: ["@target-uri"] },
			"the query not covered": { components: ["@method", "@path"] },
			"another route": { url: "https://lethe.example/v1/batches" },
			"another host": { url: "https://other.example/v1/messages?limit=1" },
		};
		for (const [why, change] of Object.entries(wrong)) assert.equal(await list(change), refused, why);
		assert.equal(await inject("GET", "/v1/messages", authorization()), refused, "unsigned");
		assert.equal(await alerts(), before + Object.keys(wrong).length + 1);
	});

	it("what decides what a request does must be covered where it is sent", async () => {
		const url = "/v1/messages";
		const whole = ["@method", "@target-uri", "content-type", "content-digest", "idempotency-key"];
		for (const left of ["content-type", "content-digest", "idempotency-key"]) {
			const components = whole.filter((name) => name !== left);
			const headers = signedHeaders("POST", url, body(), headersOf({ "idempotency-key": "two" }), { components });
			assert.equal(await inject("POST", url, headers, body()), refused, left);
		}
		for (const digest of ["md5=:AAAA:", "nonsense", "sha-256=:AAAA:"]) {
			const headers = signedHeaders("POST", url, body(), headersOf(), { digest });
			assert.equal(await inject("POST", url, headers, body()), refused, digest);
		}
	});

	it("the key's tokens need it too", async () => {
		const form = `grant_type=client_credentials&client_id=${key.id}&client_secret=${key.apiKey}`;
		const type = { "content-type": "application/x-www-form-urlencoded" };
		const given = await api.app.inject({ method: "POST", url: "/oauth/token", headers: type, payload: form });
		const bearer = { authorization: `Bearer ${given.json().access_token}` };
		assert.equal(await inject("GET", "/v1/messages", bearer), refused);
		const headers = signedHeaders("GET", "/v1/messages", undefined, bearer, {});
		assert.equal(await inject("GET", "/v1/messages", headers), "200");
		assert.equal(await inject("GET", "/v1/messages", headers), refused, "replayed");
	});

	it("a tenant that requires it has it of every key and token, whatever they ask for, and of no person", async () => {
		const { tenantId, key: plain } = await api.addTenant({ roles: ["admin"] });
		const own = { name: "n", roles: ["sender"], publicKeys: [signing.jwk] };
		const made = (await api.request(plain, "POST", "/v1/api-keys", own)).json;
		const person = await api.addPerson(tenantId, ["sender"]);
		const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
		const form = `grant_type=client_credentials&client_id=${made.id}&client_secret=${made.apiKey}`;
		const type = { "content-type": "application/x-www-form-urlencoded" };
		const given = await api.app.inject({ method: "POST", url: "/oauth/token", headers: type, payload: form });
		const all = [plain, made.apiKey, given.json().access_token].map(bearer);
		const ask = () => Promise.all(all.map((headers) => inject("GET", "/v1/messages", headers)));
		assert.deepEqual(await ask(), ["200", "200", "200"]);
		await requireSignatures(api, tenantId, true);
		api.time.offsetMs += limits.tenantSeenMs;
		assert.deepEqual(await ask(), Array(3).fill(refused));
		for (const headers of all.slice(1)) {
			const change = { params: { keyid: made.id } };
			assert.equal(
				await inject("GET", "/v1/messages", signedHeaders("GET", "/v1/messages", undefined, headers, change)),
				"200",
			);
		}
		assert.equal((await api.request(person.token, "GET", "/v1/messages")).status, 200);
	});

	it("or of what asks of people for a fresh second factor alone: releasing, exporting, keys", async () => {
		const { tenantId } = await api.addTenant();
		const { key: text, keyId } = await api.addKey(tenantId, ["admin", "compliance"], { publicKeys: [signing.jwk] });
		await requireSignatures(api, tenantId, "step_up");
		api.time.offsetMs += limits.tenantSeenMs;
		const bearer = { authorization: `Bearer ${text}` };
		const steps = ["holds/hld_a/release", "subject-requests/sub_a/export", "subject-requests/sub_a/decide", "api-keys"];
		for (const path of steps) assert.equal(await inject("POST", `/v1/${path}`, bearer), refused, path);
		assert.equal(await inject("GET", "/v1/holds", bearer), "200");
		const url = "/v1/holds/hld_a/release";
		const headers = signedHeaders("POST", url, undefined, bearer, { params: { keyid: keyId } });
		assert.equal(await inject("POST", url, headers), "404 not_found");
		assert.equal(await inject("POST", url, headers), refused, "replayed");
	});
});
