// The token endpoint and its tokens: what is asked for rightly is given for minutes, everything else refused by the right code.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash, createPublicKey, generateKeyPairSync, X509Certificate } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, request as requestTls } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { createLocalJWKSet, decodeJwt, jwtVerify } from "jose";
import { createTestApi, type TestApi } from "../harness.ts";
import { createSigning, encode, hmacJwt, prove, type Signing, signJwt } from "../tokens.ts";

const publicUrl = "https://lethe.example";
const grant = { grant_type: "client_credentials" };
const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
type Key = { id: string; apiKey: string };

describe("access tokens", () => {
	let api: TestApi;
	let admin: string;
	let tenantId: string;
	before(async () => {
		api = await createTestApi();
		({ key: admin, tenantId } = await api.addTenant({ roles: ["admin"] }));
	});
	after(() => api.close());

	const createKey = async (more: object = {}): Promise<Key> => {
		const body = { name: "n", roles: ["sender", "auditor"], ...more };
		const { status, json, text } = await api.request(admin, "POST", "/v1/api-keys", body);
		assert.equal(status, 201, text);
		return json;
	};
	const ask = async (
		form: Record<string, string> | string,
		headers: Record<string, string> = {},
		url = "/oauth/token",
	) => {
		const payload = typeof form === "string" ? form : new URLSearchParams(form).toString();
		const type = { "content-type": "application/x-www-form-urlencoded" };
		const answer = await api.app.inject({ method: "POST", url, headers: { ...type, ...headers }, payload });
		return { status: answer.statusCode, headers: answer.headers, json: answer.json(), text: answer.body };
	};
	const basic = ({ id, apiKey }: Key) => `Basic ${Buffer.from(`${id}:${apiKey}`).toString("base64")}`;
	const tokenOf = async (key: Key, more: object = {}, headers: Record<string, string> = {}): Promise<string> => {
		const { status, json, text } = await ask({ ...grant, ...more }, { authorization: basic(key), ...headers });
		assert.equal(status, 200, text);
		return json.access_token;
	};
	const use = async (authorization: string, headers: Record<string, string> = {}, method: "GET" | "POST" = "GET") => {
		const answer = await api.app.inject({
			method,
			url: "/v1/messages?limit=1",
			headers: { authorization, ...headers },
		});
		return { status: answer.statusCode, code: answer.json().code, challenge: answer.headers["www-authenticate"] };
	};
	const refusedAs = async (code: string, authorization: string, headers: Record<string, string> = {}, why = "") => {
		const answer = await use(authorization, headers);
		assert.deepEqual([answer.status, answer.code], [401, code], why);
		return answer;
	};
	const seconds = () => Math.floor(api.clock() / 1000);

	it("a key's text, in the header or in the form, is exchanged for a token that anybody can verify", async () => {
		const key = await createKey();
		const inForm = { ...grant, client_id: key.id, client_secret: key.apiKey };
		for (const answer of [
			await ask(grant, { authorization: basic(key) }),
			await ask(inForm),
			await ask(inForm, {}, "/v1/oauth/token"),
		]) {
			assert.deepEqual([answer.status, answer.headers["cache-control"]], [200, "no-store"]);
			const { access_token: token, ...rest } = answer.json;
			assert.deepEqual(rest, { token_type: "Bearer", expires_in: 600, scope: "sender auditor" });
			const keys = (await api.app.inject({ method: "GET", url: "/.well-known/jwks.json" })).json();
			const options = { issuer: publicUrl, audience: publicUrl, typ: "at+jwt", algorithms: ["ES256"] };
			const { payload } = await jwtVerify(token, createLocalJWKSet(keys), options);
			assert.deepEqual([payload.sub, payload.client_id, payload.scope], [key.id, key.id, "sender auditor"]);
			assert.equal((payload.exp as number) - (payload.iat as number), 600);
			assert.equal((await use(`Bearer ${token}`)).status, 200);
		}
	});

	it("refuses in the words of RFC 6749, and echoes nothing", async () => {
		const key = await createKey();
		const other = await createKey();
		const authorization = basic(key);
		const secret = { client_id: key.id, client_secret: key.apiKey };
		const cases: [string, number, Awaited<ReturnType<typeof ask>>][] = [
			["invalid_request", 400, await ask({}, { authorization })],
			["unsupported_grant_type", 400, await ask({ grant_type: "password" }, { authorization })],
			["invalid_request", 400, await ask("grant_type=client_credentials&grant_type=x", { authorization })],
			["invalid_request", 400, await ask("{}", { authorization, "content-type": "application/json" })],
			["invalid_request", 400, await ask({ ...grant, ...secret }, { authorization })],
			["invalid_request", 400, await ask({ ...grant, x: "y".repeat(20_000) }, { authorization })],
			["invalid_scope", 400, await ask({ ...grant, scope: "sender admin" }, { authorization })],
			["invalid_scope", 400, await ask({ ...grant, scope: "" }, { authorization })],
			["invalid_client", 401, await ask(grant)],
			["invalid_client", 401, await ask({ ...grant, ...secret, client_id: other.id })],
			["invalid_client", 401, await ask({ ...grant, ...secret, client_secret: `${key.apiKey.slice(0, -1)}~` })],
			["invalid_client", 401, await ask(grant, { authorization: "Basic %%%" })],
		];
		for (const [code, status, answer] of cases) {
			assert.deepEqual([answer.json.error, answer.status], [code, status], answer.text);
			assert.deepEqual(Object.keys(answer.json), ["error", "error_description"]);
			assert.ok(!answer.text.includes(key.apiKey.slice(0, 20)));
		}
		assert.match(String(cases.at(-1)?.[2].headers["www-authenticate"]), /^Basic/);
	});

	it("an Idempotency-Key is the client's own: a repeat is given no second token and told so, another form is refused", async () => {
		const [key, other] = [await createKey(), await createKey()];
		const headers = { authorization: basic(key), "idempotency-key": "k" };
		const replayed = "idempotency-replayed";
		// What is refused uses no key up.
		assert.equal((await ask({ ...grant, scope: "admin" }, headers)).json.error, "invalid_scope");
		const first = await ask(grant, headers);
		assert.deepEqual([first.status, first.headers[replayed]], [200, undefined], first.text);
		const inForm = { ...grant, client_id: key.id, client_secret: key.apiKey };
		for (const repeat of [await ask(grant, headers), await ask(inForm, { "idempotency-key": "k" })]) {
			assert.deepEqual([repeat.status, repeat.json.code], [409, "answer_not_kept"], repeat.text);
			assert.equal(repeat.headers[replayed], "true");
			assert.match(String(repeat.headers["content-type"]), /^application\/problem\+json/);
		}
		const narrow = await ask({ ...grant, scope: "auditor" }, headers);
		assert.deepEqual([narrow.status, narrow.json.code], [422, "idempotency_mismatch"]);
		const unfit = await ask(grant, { ...headers, "idempotency-key": "one two" });
		assert.deepEqual([unfit.status, unfit.json.error], [400, "invalid_request"]);
		assert.match(unfit.json.error_description, /Idempotency-Key/);
		assert.equal((await ask(grant, { ...headers, authorization: "Basic %%%" })).json.error, "invalid_client");
		assert.equal((await ask(grant, { ...headers, authorization: basic(other) })).status, 200);
		const stored = await api.connection.collection("idempotencyKeys").find({}).toArray();
		assert.ok(!JSON.stringify(stored).includes(first.json.access_token));
	});

	it("a parameter without a value counts as absent, but for the scope: nothing is not everything", async () => {
		const key = await createKey();
		const empty = { client_id: "", client_secret: "", client_assertion: "", client_assertion_type: "" };
		const answer = await ask({ ...grant, ...empty }, { authorization: basic(key) });
		assert.deepEqual([answer.status, answer.json.scope], [200, "sender auditor"], answer.text);
		const none = await ask({ grant_type: "" }, { authorization: basic(key) });
		assert.deepEqual([none.status, none.json.error], [400, "invalid_request"]);
		const twice = await ask("grant_type=client_credentials&client_id=&client_id=", { authorization: basic(key) });
		assert.deepEqual([twice.status, twice.json.error], [400, "invalid_request"]);
	});

	it("a token has the roles that were asked for, and ends with its key, its time, and what is taken from its key", async () => {
		const key = await createKey();
		const narrow = await tokenOf(key, { scope: "auditor" });
		const sending = await api.app.inject({
			method: "POST",
			url: "/v1/messages",
			headers: { authorization: `Bearer ${narrow}` },
			payload: {},
		});
		assert.equal(sending.statusCode, 403);
		const token = await tokenOf(key);
		const { iat = 0, exp = 0 } = decodeJwt(token);
		assert.equal(exp - iat, 600);
		// By its own end, which is a whole second: its making was up to one after the second that it names.
		const comeTo = (ms: number) => {
			api.time.offsetMs = ms - Date.now();
		};
		comeTo(exp * 1000 - 1_000);
		assert.equal((await use(`Bearer ${token}`)).status, 200);
		comeTo(exp * 1000 + 1_000);
		const { challenge } = await refusedAs("token_invalid", `Bearer ${token}`);
		assert.equal(challenge, 'Bearer error="invalid_token"');
		api.time.offsetMs = 0;
		await api.request(admin, "POST", `/v1/api-keys/${key.id}/revoke`, {});
		api.time.offsetMs += 501;
		await refusedAs("token_invalid", `Bearer ${narrow}`);
		assert.equal((await ask(grant, { authorization: basic(key) })).json.error, "invalid_client");
		api.time.offsetMs = 0;
	});

	it("a token is refused outside its key's networks, as its key is", async () => {
		const key = await createKey({ addresses: ["127.0.0.0/8"] });
		const headers = { authorization: `Bearer ${await tokenOf(key)}` };
		const from = async (remoteAddress: string) =>
			(await api.app.inject({ method: "GET", url: "/v1/messages", headers, remoteAddress })).statusCode;
		assert.deepEqual([await from("127.0.0.9"), await from("192.0.2.1")], [200, 403]);
	});

	it("what we did not sign as an access token for us is none: forged, swapped, confused, early, elsewhere", async () => {
		const key = await createKey();
		const at = seconds();
		const claims = { iss: publicUrl, aud: publicUrl, sub: key.id, iat: at, exp: at + 600, scope: "sender auditor" };
		const [jwk] = (await api.app.inject({ method: "GET", url: "/.well-known/jwks.json" })).json().keys;
		const pem = createPublicKey({ key: jwk, format: "jwk" }).export({ type: "spki", format: "pem" });
		const ours = (changed: object, typ = "at+jwt") => api.tokens.sign(typ, { ...claims, ...changed });
		const good = await ours({});
		assert.equal((await use(`Bearer ${good}`)).status, 200);
		const [header, payload, signature] = good.split(".");
		const stranger = createSigning();
		const wrong: Record<string, string> = {
			expired: await ours({ exp: at - 1 }),
			"not yet valid": await ours({ nbf: at + 60 }),
			"another audience": await ours({ aud: "https://other.example" }),
			"another issuer": await ours({ iss: "https://other.example" }),
			"an issuer that is no text": await ours({ iss: { toString: 1 } }),
			"another type": await ours({}, "JWT"),
			"no expiry": await ours({ exp: undefined }),
			"nobody's": await ours({ sub: api.ids.random("apiKey") }),
			"alg none": `${encode({ alg: "none", typ: "at+jwt" })}.${payload}.`,
			"alg swapped": `${encode({ alg: "EdDSA", typ: "at+jwt", kid: jwk.kid })}.${payload}.${signature}`,
			"public key as HMAC secret": hmacJwt({ alg: "HS256", typ: "at+jwt", kid: jwk.kid }, claims, pem as string),
			"its own key in the header": signJwt(
				{ alg: "ES256", typ: "at+jwt", jwk: stranger.jwk },
				claims,
				stranger.privateKey,
			),
			"its own key under our id": signJwt({ alg: "ES256", typ: "at+jwt", kid: jwk.kid }, claims, stranger.privateKey),
			"more roles": `${header}.${encode({ ...claims, scope: "admin" })}.${signature}`,
			"not JSON": "e30.e30x.AAAA",
			unsigned: `${header}.${payload}.`,
		};
		for (const [why, token] of Object.entries(wrong)) await refusedAs("token_invalid", `Bearer ${token}`, {}, why);
	});

	it("after a rotation of the key of tokens, tokens from before go on, and new ones are signed by the new", async () => {
		const key = await createKey();
		const before = await tokenOf(key);
		api.tokenVault.rotate();
		api.time.offsetMs += 60_001;
		const later = await tokenOf(key);
		assert.notEqual(later.split(".")[0], before.split(".")[0]);
		assert.deepEqual([(await use(`Bearer ${before}`)).status, (await use(`Bearer ${later}`)).status], [200, 200]);
		api.time.offsetMs = 0;
	});

	describe("by private_key_jwt", () => {
		let key: Key;
		let signing: Signing;
		before(async () => {
			signing = createSigning();
			key = await createKey({ publicKeys: [signing.jwk], textless: true });
		});
		let jti = 0;
		const assert_ = (changed: object = {}, header: object = { alg: "ES256" }, by = signing.privateKey) => {
			const claims = {
				iss: key.id,
				sub: key.id,
				aud: `${publicUrl}/oauth/token`,
				exp: seconds() + 60,
				jti: `j${++jti}`,
			};
			return signJwt(header, { ...claims, ...changed }, by);
		};
		const show = (assertion: string, more: object = {}) =>
			ask({ ...grant, client_assertion_type: assertionType, client_assertion: assertion, ...more });

		it("a key without a text signs for its token, each assertion once", async () => {
			assert.equal(key.apiKey, undefined);
			const assertion = assert_();
			const first = await show(assertion, { client_id: key.id });
			assert.equal(first.status, 200, first.text);
			assert.equal((await use(`Bearer ${first.json.access_token}`)).status, 200);
			assert.equal((await show(assertion)).json.error, "invalid_client");
			assert.equal((await show(assert_({ aud: publicUrl }))).status, 200);
		});

		it("while one of its public keys takes the other's place, either signs, without a name to tell them apart", async () => {
			const newer = createSigning();
			const both = await createKey({ publicKeys: [signing.jwk, newer.jwk], textless: true });
			const about = { iss: both.id, sub: both.id };
			for (const by of [signing, newer]) {
				const shown = await show(assert_(about, { alg: "ES256" }, by.privateKey));
				assert.equal(shown.status, 200, shown.text);
			}
			const { json } = await show(assert_(about, { alg: "ES256" }, createSigning().privateKey));
			assert.equal(json.error, "invalid_client");
		});

		it("every assertion that is not exactly that is refused", async () => {
			const pem = signing.publicKey.export({ type: "spki", format: "pem" }) as string;
			const claims = { iss: key.id, sub: key.id, aud: publicUrl, exp: seconds() + 60, jti: "h" };
			const wrong: Record<string, string> = {
				expired: assert_({ exp: seconds() - 31 }),
				"good for too long": assert_({ exp: seconds() + 3600 }),
				"not yet valid": assert_({ nbf: seconds() + 60 }),
				"another audience": assert_({ aud: "https://other.example/oauth/token" }),
				"another subject": assert_({ sub: api.ids.random("apiKey") }),
				"another issuer": assert_({ iss: api.ids.random("apiKey") }),
				"no id": assert_({ jti: undefined }),
				"no expiry": assert_({ exp: undefined }),
				"another's key": assert_({}, { alg: "ES256" }, createSigning().privateKey),
				"alg none": `${encode({ alg: "none" })}.${encode(claims)}.`,
				"public key as HMAC secret": hmacJwt({ alg: "HS256" }, claims, pem),
			};
			for (const [why, assertion] of Object.entries(wrong)) {
				const { status, json } = await show(assertion);
				assert.deepEqual([status, json.error], [401, "invalid_client"], why);
			}
			assert.equal((await show(assert_(), { client_id: api.ids.random("apiKey") })).json.error, "invalid_client");
			for (const type of ["", "x"]) {
				const { json } = await show(assert_(), { client_assertion_type: type });
				assert.deepEqual(
					[json.error, json.error_description.split(" ")[0]],
					["invalid_request", "client_assertion_type"],
				);
			}
		});

		it("a private key that is sent by mistake is refused, and a key without a text is not given one", async () => {
			const jwk = signing.privateKey.export({ format: "jwk" });
			const body = { name: "n", roles: ["sender"], publicKeys: [jwk] };
			const sent = await api.request(admin, "POST", "/v1/api-keys", body);
			assert.equal(sent.status, 400);
			assert.ok(!sent.text.includes(jwk.d as string));
			const point = Buffer.alloc(32, 1).toString("base64url");
			const rsa = (modulusLength: number) => {
				const { n, e } = generateKeyPairSync("rsa", { modulusLength }).publicKey.export({ format: "jwk" });
				return { kty: "RSA", n: n as string, e: e as string };
			};
			const short = Buffer.concat([Buffer.alloc(128), Buffer.from(rsa(1024).n, "base64url")]);
			for (const [why, publicKey] of Object.entries({
				"a point that is not on its curve": { kty: "EC", crv: "P-256", x: point, y: point },
				"RSA of 1024 bits": rsa(1024),
				"RSA of 1024 bits that is written long": { ...rsa(1024), n: short.toString("base64url") },
				"RSA that everybody signs for": { ...rsa(2048), e: "AQ" },
				"RSA of an even exponent": { ...rsa(2048), e: "AQAA" },
				"RSA that says it is of another kind": { ...rsa(2048), alg: "ES256" },
				"an Ed25519 point that everybody signs for": { kty: "OKP", crv: "Ed25519", x: `AQ${"A".repeat(41)}` },
			})) {
				const refused = await api.request(admin, "POST", "/v1/api-keys", { ...body, publicKeys: [publicKey] });
				assert.deepEqual([refused.status, refused.json.code], [400, "invalid_request"], why);
			}
			const good = await api.request(admin, "POST", "/v1/api-keys", { ...body, publicKeys: [rsa(2048)] });
			assert.equal(good.status, 201, good.text);
			const neither = await api.request(admin, "POST", "/v1/api-keys", {
				...body,
				publicKeys: undefined,
				textless: true,
			});
			assert.equal(neither.status, 400);
			const rotated = await api.request(admin, "POST", `/v1/api-keys/${key.id}/rotate`, {});
			assert.equal(rotated.json.code, "key_without_text");
		});
	});

	describe("bound by DPoP", () => {
		let key: Key;
		let signing: Signing;
		let token: string;
		const url = `${publicUrl}/v1/messages`;
		const proof = (change: Parameters<typeof prove>[2] = {}, by = signing) =>
			prove(by, { method: "GET", url, at: api.clock(), token }, change);
		before(async () => {
			signing = createSigning();
			key = await createKey({ proof: "dpop", publicKeys: [createSigning().jwk, signing.jwk] });
			const about = { method: "POST", url: `${publicUrl}/oauth/token`, at: api.clock() };
			const dpop = prove(signing, about);
			const answer = await ask(grant, { authorization: basic(key), dpop });
			assert.deepEqual([answer.status, answer.json.token_type], [200, "DPoP"], answer.text);
			token = answer.json.access_token;
			const again = await ask(grant, { authorization: basic(key), dpop });
			assert.equal(again.json.error, "invalid_dpop_proof", "replayed at the token endpoint");
		});

		it("by none but its own public keys: who has its text and a key of theirs has nothing", async () => {
			const about = { method: "POST", url: `${publicUrl}/oauth/token`, at: api.clock() };
			const stolen = await ask(grant, { authorization: basic(key), dpop: prove(createSigning(), about) });
			assert.deepEqual([stolen.status, stolen.json.error], [400, "invalid_dpop_proof"]);
			const body = { name: "n", roles: ["sender"], proof: "dpop" };
			const { status, json } = await api.request(admin, "POST", "/v1/api-keys", body);
			assert.deepEqual([status, json.errors?.[0].pointer], [400, "/publicKeys"]);
			// One that was made before they were asked for.
			const { key: apiKey, keyId: id } = await api.addKey(tenantId, ["sender"], { proof: "dpop" });
			const before = await ask(grant, { authorization: basic({ id, apiKey }), dpop: prove(signing, about) });
			assert.deepEqual([before.status, before.json.error], [400, "invalid_dpop_proof"]);
			assert.match(before.json.error_description, /publicKeys/);
		});

		it("it opens with a fresh proof of the same key, once a proof", async () => {
			const dpop = proof();
			assert.equal((await use(`DPoP ${token}`, { dpop })).status, 200);
			const { challenge } = await refusedAs("proof_invalid", `DPoP ${token}`, { dpop });
			assert.equal(challenge, 'DPoP error="invalid_dpop_proof"');
			assert.equal((await use(`DPoP ${token}`, { dpop: proof({ claims: { htu: `${url}?a=b` } }) })).status, 200);
		});

		it("without a right proof it is worth nothing, and neither is its key's text", async () => {
			const other = createSigning();
			const late = Math.floor(api.clock() / 1000) - 91;
			const wrong: Record<string, string> = {
				"another key": proof({}, other),
				"another method": proof({ claims: { htm: "POST" } }),
				"another route": proof({ claims: { htu: `${publicUrl}/v1/batches` } }),
				"another host": proof({ claims: { htu: "https://other.example/v1/messages" } }),
				"another token": proof({ claims: { ath: "AAAA" } }),
				"no token": proof({ claims: { ath: undefined } }),
				"too old": proof({ claims: { iat: late } }),
				"from the future": proof({ claims: { iat: late + 91 + 40 } }),
				"no id": proof({ claims: { jti: undefined } }),
				"another type": proof({ header: { typ: "JWT" } }),
				"alg none": proof({ header: { alg: "none" } }),
				"a private key shown": proof({ header: { jwk: signing.privateKey.export({ format: "jwk" }) } }),
				"a point that is not on its curve": proof({ header: { jwk: { ...signing.jwk, y: signing.jwk.x } } }),
				"two at once": `${proof()}, ${proof()}`,
			};
			for (const [why, dpop] of Object.entries(wrong)) await refusedAs("proof_invalid", `DPoP ${token}`, { dpop }, why);
			await refusedAs("proof_invalid", `DPoP ${token}`);
			await refusedAs("proof_invalid", `Bearer ${token}`, { dpop: proof() }, "as a bearer's");
			await refusedAs("proof_invalid", `Bearer ${key.apiKey}`, {}, "the text alone");
			assert.equal((await ask(grant, { authorization: basic(key) })).json.error, "invalid_dpop_proof");
			const unbound = await tokenOf(await createKey());
			await refusedAs("proof_invalid", `DPoP ${unbound}`, { dpop: proof() }, "an unbound token");
		});

		it("its text without the proof, at the token endpoint or as a bearer's, is counted as a leak and entered", async () => {
			const own = await createKey({ proof: "dpop", publicKeys: [signing.jwk] });
			const counts = async () => {
				const { body } = await api.app.inject({ method: "GET", url: "/metrics" });
				const of = (reason: string) =>
					Number(new RegExp(`lethe_credential_alerts_total\\{reason="${reason}"\\} (\\d+)`).exec(body)?.[1] ?? 0);
				return [of("client_refused"), of("proof_invalid")] as [number, number];
			};
			const [refused, invalid] = await counts();
			const about = { method: "POST", url: `${publicUrl}/oauth/token`, at: api.clock() };
			for (const dpop of [undefined, prove(createSigning(), about), "nonsense"]) {
				const answer = await ask(grant, { authorization: basic(own), ...(dpop && { dpop }) });
				assert.equal(answer.json.error, "invalid_dpop_proof", answer.text);
			}
			assert.deepEqual(await counts(), [refused + 3, invalid]);
			await refusedAs("proof_invalid", `Bearer ${own.apiKey}`);
			assert.deepEqual(await counts(), [refused + 3, invalid + 1]);
			const told = (await api.entries(own.id)).filter(({ type }) => type === "credential_alert");
			assert.deepEqual(
				told.map(({ code }) => code),
				["client_refused", "proof_invalid"],
			);
		});
	});

	it("bound to a client certificate, it opens on connections with that certificate only", async () => {
		const [own, another, strange] = [makeCertificate("own"), makeCertificate("another"), makeCertificate("strange")];
		const key = await createKey({ proof: "certificate" });
		const thumbprint = createHash("sha256").update(new X509Certificate(own.cert).raw).digest("base64url");
		const pinned = await createKey({ proof: "certificate", certificates: [thumbprint] });
		const ca = [own.cert, another.cert];
		const options = { ...makeCertificate("localhost"), ca, requestCert: true, rejectUnauthorized: false };
		const server = createServer(options, (request, response) => api.app.routing(request, response));
		await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
		const { port } = server.address() as AddressInfo;
		type Sent = { method: string; path: string; headers: Record<string, string>; body?: string; shown?: object };
		const send = ({ body, shown, ...asked }: Sent) =>
			new Promise<{ status: number | undefined; text: string }>((resolve, reject) => {
				const about = { ...asked, ...shown, port, host: "127.0.0.1", rejectUnauthorized: false, agent: false as const };
				const sent = requestTls(about, async (response) => {
					const text = (await response.toArray()).join("");
					resolve({ status: response.statusCode, text });
				});
				sent.on("error", reject).end(body);
			});
		const askWith = (shown?: object, by = key, more = {}) =>
			send({
				method: "POST",
				path: "/oauth/token",
				headers: { authorization: basic(by), "content-type": "application/x-www-form-urlencoded", ...more },
				body: "grant_type=client_credentials",
				...(shown && { shown }),
			});
		const { text } = await askWith(own);
		const token = JSON.parse(text).access_token;
		const headers = { authorization: `Bearer ${token}` };
		const list = async (shown?: object) =>
			(await send({ method: "GET", path: "/v1/messages", headers, ...(shown && { shown }) })).status;
		assert.deepEqual([await list(own), await list(another), await list()], [200, 401, 401]);
		const answers = async (...asked: Parameters<typeof askWith>) => {
			const { status, text } = await askWith(...asked);
			return status === 200 ? status : JSON.parse(text).error;
		};
		assert.equal(await answers(), "invalid_client");
		assert.equal(await answers(strange), "invalid_client", "whoever made it, nobody signed it");
		const dpop = prove(createSigning(), { method: "POST", url: `${publicUrl}/oauth/token`, at: api.clock() });
		assert.equal(await answers(undefined, key, { dpop }), "invalid_client", "another proof takes its place");
		assert.equal(await answers(another), 200, "any that the authority signed");
		assert.deepEqual([await answers(own, pinned), await answers(another, pinned)], [200, "invalid_client"]);
		const wrong = { name: "n", roles: ["sender"], certificates: [thumbprint] };
		assert.equal((await api.request(admin, "POST", "/v1/api-keys", wrong)).json.errors[0].pointer, "/certificates");
		await refusedAs("proof_invalid", `Bearer ${token}`, {}, "without TLS");
		server.closeAllConnections();
		server.close();
	});
});

function makeCertificate(name: string): { key: string; cert: string } {
	const folder = mkdtempSync(join(tmpdir(), "lethe-certificate-"));
	const [key, cert] = ["key.pem", "cert.pem"].map((file) => join(folder, file)) as [string, string];
	const kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
	const { status } = spawnSync("openssl", [
		"req",
		"-x509",
		...kind,
		"-subj",
		`/CN=${name}`,
		"-keyout",
		key,
		"-out",
		cert,
	]);
	assert.equal(status, 0, "openssl is needed to make a certificate");
	const made = { key: readFileSync(key, "utf8"), cert: readFileSync(cert, "utf8") };
	rmSync(folder, { recursive: true });
	return made;
}
