// Tokens of an independent authorization server (oidc-provider), found by discovery: taken for one tenant, with mapped roles, or refused.

import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, describe, it } from "node:test";
// @ts-expect-error It brings no types.
import Provider from "oidc-provider";
import { trustIssuer } from "../../../cli/administer.ts";
import { createTestApi, messageBody, type TestApi } from "../harness.ts";
import { createSigning, encode, hmacJwt, prove, signJwt } from "../tokens.ts";

const audience = "https://lethe.example/api";
const scopes = "messages:send audit:read other";
const mapping = [
	{ value: "messages:send", roles: ["sender"] },
	{ value: "audit:read", roles: ["auditor"] },
];

describe("tokens of outside issuers", () => {
	let api: TestApi;
	let server: Server;
	let url: string;
	let tenantId: string;
	let away = false;
	let asked = 0;
	let requests = 0;
	const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
	const ec = createSigning();
	before(async () => {
		api = await createTestApi();
		({ tenantId } = await api.addTenant());
		server = createServer();
		await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
		url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
		const keys = { rsa: rsa.privateKey.export({ format: "jwk" }), ec: ec.privateKey.export({ format: "jwk" }) };
		const serve = createProvider(url, keys);
		server.on("request", (request, response) => {
			if (request.url === "/jwks") asked++;
			requests++;
			if (away) response.writeHead(503).end();
			else serve(request, response);
		});
		await trustIssuer(api, { url, tenantId, audience, claim: "scope", mapping });
	});
	after(async () => {
		server.closeAllConnections();
		server.close();
		await api.close();
	});

	const tokenOf = async (client: string, scope = scopes, headers: Record<string, string> = {}): Promise<string> => {
		const body = new URLSearchParams({ grant_type: "client_credentials", scope, resource: audience });
		const authorization = `Basic ${Buffer.from(`${client}:${"s".repeat(40)}`).toString("base64")}`;
		const answer = await fetch(`${url}/token`, { method: "POST", headers: { authorization, ...headers }, body });
		const json = (await answer.json()) as { access_token: string };
		assert.equal(answer.status, 200, JSON.stringify(json));
		return json.access_token;
	};
	const use = async (authorization: string, headers: Record<string, string> = {}) => {
		const answer = await api.app.inject({ method: "GET", url: "/v1/messages", headers: { authorization, ...headers } });
		return answer.statusCode === 200 ? "200" : `${answer.statusCode} ${answer.json().code}`;
	};

	it("of either algorithm open what the mapping gives, as one principal of the one tenant", async () => {
		for (const client of ["rs256", "es256"]) assert.equal(await use(`Bearer ${await tokenOf(client)}`), "200", client);
		assert.equal(await use(`Bearer ${await tokenOf("es256", "other")}`), "403 forbidden", "a scope that gives nothing");
		const authorization = `Bearer ${await tokenOf("es256")}`;
		const sent = await api.request("", "POST", "/v1/messages", messageBody(), { authorization });
		assert.equal(sent.status, 202, sent.text);
		const message = await api.read(sent.json.id);
		assert.equal(message.tenantId, tenantId);
		assert.match(message.principalId, /^out_/);
		const issuer = api.ids.derive("issuer", url);
		const told = api.ids.derive("outsider", `${issuer}\n${(claimsOf(await tokenOf("es256")) as { sub?: string }).sub}`);
		assert.notEqual(message.principalId, told, "whoever guesses a subject can't tell whether it is theirs");
	});

	it("bound by DPoP, they open with a proof only", async () => {
		const signing = createSigning();
		const about = { method: "POST", url: `${url}/token`, at: Date.now() };
		const token = await tokenOf("es256", scopes, { dpop: prove(signing, about) });
		const target = { method: "GET", url: "https://lethe.example/v1/messages", token };
		assert.equal(await use(`DPoP ${token}`, { dpop: prove(signing, { ...target, at: api.clock() }) }), "200");
		assert.equal(await use(`Bearer ${token}`), "401 proof_invalid");
		assert.equal(await use(`DPoP ${token}`), "401 proof_invalid");
	});

	it("what the issuer did not sign for us, as an access token, now, is refused", async () => {
		const token = await tokenOf("es256");
		const [, payload, signature] = token.split(".") as [string, string, string];
		const [told, claims] = [headerOf(token), claimsOf(token)];
		const signed = (changed: object, typ = "at+jwt") =>
			signJwt({ ...told, typ }, { ...claims, ...changed }, ec.privateKey);
		assert.equal(await use(`Bearer ${signed({})}`), "200");
		const pem = rsa.publicKey.export({ type: "spki", format: "pem" }) as string;
		const stranger = createSigning();
		const wrong: Record<string, string> = {
			expired: signed({ exp: claims.iat - 31 }),
			"not yet valid": signed({ nbf: claims.iat + 60 }),
			"given out in the future": signed({ iat: claims.iat + 60 }),
			"given out long ago": signed({ iat: claims.iat - 25 * 3600, exp: claims.iat + 60 }),
			"another audience": signed({ aud: "https://other.example" }),
			"another issuer": signed({ iss: "https://other.example" }),
			"no subject": signed({ sub: undefined }),
			"a subject that is no text": signed({ sub: { toString: 1 } }),
			"an ID token": signed({}, "JWT"),
			"alg none": `${encode({ ...told, alg: "none" })}.${payload}.`,
			"alg swapped": `${encode({ ...told, alg: "RS256" })}.${payload}.${signature}`,
			"public RSA key as HMAC secret": hmacJwt({ alg: "HS256", typ: "at+jwt", kid: "rsa" }, claims, pem),
			"a key of its own under a known id": signJwt({ ...told, typ: "at+jwt" }, claims, stranger.privateKey),
			"a key of its own": signJwt({ ...told, kid: "other", jwk: stranger.jwk }, claims, stranger.privateKey),
		};
		for (const [why, one] of Object.entries(wrong)) assert.equal(await use(`Bearer ${one}`), "401 token_invalid", why);
	});

	it("keys that nobody knows make the issuer be asked now and then, not each time", async () => {
		const before = asked;
		const token = signJwt({ alg: "ES256", typ: "at+jwt", kid: "made-up" }, { iss: url }, ec.privateKey);
		api.time.offsetMs += 31_000;
		for (let times = 0; times < 5; times++) await use(`Bearer ${token}`);
		assert.equal(asked, before + 1);
		api.time.offsetMs = 0;
	});

	it("while the issuer is away its known keys go on for an hour, and then it is said so", async () => {
		const token = await tokenOf("es256");
		const claims = claimsOf(token);
		const long = signJwt(headerOf(token), { ...claims, exp: claims.iat + 36_000 }, ec.privateKey);
		away = true;
		api.time.offsetMs = 11 * 60_000;
		assert.equal(await use(`Bearer ${long}`), "200");
		api.time.offsetMs = 100 * 60_000;
		const burst = async () => {
			const before = requests;
			const together = await Promise.all([1, 2, 3].map(() => use(`Bearer ${long}`)));
			for (const answer of [...together, await use(`Bearer ${long}`)]) assert.equal(answer, "503 issuer_unavailable");
			return requests - before;
		};
		assert.equal(await burst(), 1, "whatever comes, it is asked once");
		const waits: number[] = [];
		for (let minute = 0; minute < 5; minute++) {
			for (let second = 0; second < 60; second += 5) {
				api.time.offsetMs += 5_000;
				if ((await burst()) > 0) waits.push(minute * 60 + second + 5);
			}
		}
		const gaps = waits.map((at, index) => at - (waits[index - 1] ?? 0));
		assert.ok(
			gaps.every((gap, index) => gap >= (gaps[index - 1] ?? 0)),
			`ever later: ${gaps}`,
		);
		assert.deepEqual([gaps.length < 10, Math.max(...gaps) <= 65], [true, true], `and not too late: ${gaps}`);
		away = false;
		api.time.offsetMs += 65_000;
		assert.equal(await use(`Bearer ${long}`), "200");
		api.time.offsetMs = 0;
	});

	it("an issuer is one tenant's, shows its keys when it is trusted, and is forgotten within a second", async () => {
		const { tenantId: other } = await api.addTenant();
		const about = { audience, claim: "scope", mapping };
		await assert.rejects(trustIssuer(api, { ...about, url, tenantId: other }), /one tenant's/);
		for (const bad of [`${url}/none`, `${url}/`, "http://10.0.0.1", "https://10.0.0.1"]) {
			await assert.rejects(trustIssuer(api, { ...about, url: bad, tenantId }), /does not show its keys/, bad);
		}
		const token = await tokenOf("es256");
		const untyped = signJwt({ ...headerOf(token), typ: "JWT" }, claimsOf(token), ec.privateKey);
		await trustIssuer(api, { ...about, url, tenantId, acceptsJwt: true });
		api.time.offsetMs += 501;
		assert.equal(await use(`Bearer ${untyped}`), "200", "by an administrator's word");
		await api.store.issuers.remove(api.ids.derive("issuer", url));
		api.time.offsetMs += 501;
		assert.equal(await use(`Bearer ${token}`), "401 token_invalid");
		api.time.offsetMs = 0;
	});
});

function headerOf(token: string): object {
	return JSON.parse(Buffer.from(token.split(".")[0] as string, "base64url").toString());
}

function claimsOf(token: string): { iat: number } {
	return JSON.parse(Buffer.from(token.split(".")[1] as string, "base64url").toString());
}

function createProvider(issuer: string, { rsa, ec }: { rsa: object; ec: object }) {
	const clientOf = (alg: string) => ({
		client_id: alg.toLowerCase(),
		client_secret: "s".repeat(40),
		grant_types: ["client_credentials"],
		redirect_uris: [],
		response_types: [],
		token_endpoint_auth_method: "client_secret_basic",
	});
	const resourceOf = (_context: unknown, _indicator: string, { clientId }: { clientId: string }) => ({
		scope: scopes,
		audience,
		accessTokenFormat: "jwt",
		accessTokenTTL: 600,
		jwt: { sign: { alg: clientId.toUpperCase() } },
	});
	const keys = [
		{ ...rsa, kid: "rsa", use: "sig", alg: "RS256" },
		{ ...ec, kid: "ec", use: "sig", alg: "ES256" },
	];
	const provider = new Provider(issuer, {
		clients: ["RS256", "ES256"].map(clientOf),
		jwks: { keys },
		scopes: scopes.split(" "),
		features: {
			clientCredentials: { enabled: true },
			devInteractions: { enabled: false },
			dPoP: { enabled: true },
			resourceIndicators: { enabled: true, getResourceServerInfo: resourceOf, useGrantedResource: () => true },
		},
	});
	return provider.callback() as (request: unknown, response: unknown) => void;
}
