// People sign in by their tenant's identity provider: whom it vouches for, with a second factor, just now, and for nobody else's tenant.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { putIdentityProvider, removeIdentityProvider } from "../../../../cli/administer.ts";
import { limits } from "../../../../domain/limits.ts";
import { ssoCallbackPath } from "../../../../domain/person.ts";
import type { Role } from "../../../../domain/roles.ts";
import { freePort } from "../../../harness/freePort.ts";
import {
	type Claims,
	createBrowser,
	type OpenidProvider,
	startOpenidProvider,
} from "../../../harness/openidProvider.ts";
import { createTestApi, type TestApi } from "../../harness.ts";
import { createSigning, encode, hmacJwt, signJwt } from "../../tokens.ts";

const amr = [["mfa"], ["pwd", "otp"]];

describe("single sign-on", () => {
	let api: TestApi;
	let home: string;
	let ours: OpenidProvider;
	let theirs: OpenidProvider;
	let tenantId: string;
	let otherTenantId: string;
	let sequence = 0;

	before(async () => {
		const port = await freePort();
		home = `http://127.0.0.1:${port}`;
		api = await createTestApi(() => ({ publicUrl: home, trustedProxies: ["127.0.0.1"] }));
		({ tenantId } = await api.addTenant());
		({ tenantId: otherTenantId } = await api.addTenant());
		await api.app.listen({ host: "127.0.0.1", port });
		[ours, theirs] = [await startOpenidProvider(), await startOpenidProvider()];
		await register(ours, tenantId);
		await register(theirs, otherTenantId);
	});
	after(async () => {
		ours.close();
		theirs.close();
		await api.close();
	});

	const idOf = ({ url }: OpenidProvider) => api.ids.derive("identityProvider", url);
	async function register(provider: OpenidProvider, of: string, mfa: object = { amr }): Promise<void> {
		provider.register(`${home}${ssoCallbackPath(idOf(provider))}`);
		const about = {
			url: provider.url,
			tenantId: of,
			clientId: "lethe",
			authentication: "client_secret_basic",
		} as const;
		await putIdentityProvider(api, { ...about, mfa }, provider.clientSecret);
	}
	const post = async (path: string, body: object, browser = createBrowser(), headers: Record<string, string> = {}) => {
		const given = { "content-type": "application/json", origin: home, ...headers };
		const answer = await browser.visit(`${home}/v1${path}`, {
			method: "POST",
			headers: given,
			body: JSON.stringify(body),
		});
		const text = await answer.text();
		return { status: answer.status, json: text === "" ? undefined : JSON.parse(text), headers: answer.headers };
	};
	/** From the start until the provider sends the browser back; answers where to. */
	async function goThere(browser = createBrowser(), more: object = {}, provider = ours): Promise<string> {
		const { status, json } = await post("/session/sso", { issuer: provider.url, ...more }, browser);
		assert.equal(status, 200, JSON.stringify(json));
		return browser.follow(json.url, home);
	}
	const comeBack = async (url: string, browser: ReturnType<typeof createBrowser>) => {
		const answer = await browser.visit(url);
		const text = await answer.text();
		return { status: answer.status, json: text === "" ? undefined : JSON.parse(text) };
	};
	async function signIn(more: object = {}, provider = ours, browser = createBrowser()) {
		return { browser, ...(await comeBack(await goThere(browser, more, provider), browser)) };
	}
	const invite = (of = tenantId, roles: Role[] = ["auditor"]) =>
		api.people.invite("admin", { tenantId: of, login: `clerk${sequence++}@example.com`, name: "A clerk", roles });
	/** Somebody who has enrolled with an account of their own there, and is who signs in there next. */
	async function enrolled(provider = ours, of = tenantId, roles?: Role[]) {
		const { id, enrolmentToken } = await invite(of, roles);
		provider.state.user = { sub: `sub-${id}`, amr: ["pwd", "mfa"] };
		const done = await signIn({ enrolmentToken }, provider);
		assert.equal(done.status, 200, JSON.stringify(done.json));
		return { id, browser: done.browser, enrolmentToken };
	}
	const refusalOf = async (more?: object) => {
		const { status, json } = await signIn(more);
		return status === 200 ? "200" : `${status} ${json.code}`;
	};
	async function entriesOf(type: string, about: string): Promise<(string | undefined)[]> {
		const entries = await api.entries(about);
		return entries.filter((one) => one.type === type).map(({ code }) => code);
	}

	it("takes an answer in whose query another question mark stands", async () => {
		await enrolled();
		const browser = createBrowser();
		const back = await goThere(browser);
		const { status, json } = await comeBack(back.replace("?", "?session_state=a?b&"), browser);
		assert.equal(status, 200, JSON.stringify(json));
	});

	it("leads from an invitation, by the provider, to a session in a cookie, and out again", async () => {
		const { id, browser } = await enrolled();
		const session = await browser.visit(`${home}/v1/session`);
		const shown = (await session.json()) as Record<string, unknown>;
		assert.deepEqual([shown.personId, shown.tenantId, shown.method], [id, tenantId, "sso"]);
		assert.equal((await browser.visit(`${home}/v1/messages`)).status, 200);
		const again = await signIn();
		assert.deepEqual([again.status, again.json.personId], [200, id]);
		assert.deepEqual(await entriesOf("person_enrolled", id), ["sso"]);
		assert.deepEqual(await entriesOf("signed_in", id), ["sso", "sso"]);
		const crossing = await post("/session/end", {}, browser, { origin: "https://evil.example" });
		assert.equal(crossing.json.code, "cross_origin");
		assert.equal((await post("/session/end", {}, browser)).status, 204);
		assert.equal((await browser.visit(`${home}/v1/session`)).status, 401);
	});

	it("shows a browser a page at its end, whichever it is, and a program its JSON", async () => {
		const browsers = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
		const end = async (accept: string, isWrong = false) => {
			await enrolled();
			const browser = createBrowser();
			const url = await goThere(browser);
			const answer = await browser.visit(isWrong ? url.replace("state=", "state=x") : url, { headers: { accept } });
			const session = await browser.visit(`${home}/v1/session`);
			const type = answer.headers.get("content-type")?.split(";")[0];
			return { status: answer.status, type, text: await answer.text(), session: session.status };
		};
		const done = await end(browsers);
		assert.deepEqual([done.status, done.type, done.session], [200, "text/html", 200]);
		assert.match(done.text, /^<!doctype html>[\s\S]*<h1>Signed in</);
		const refused = await end(browsers, true);
		assert.deepEqual([refused.status, refused.type, refused.session], [401, "text/html", 401]);
		assert.match(refused.text, /\/errors\/sso_failed"/);
		for (const accept of ["*/*", "application/json", "application/json, text/html", "text/html;q=0"]) {
			assert.equal((await end(accept)).type, "application/json", accept);
			assert.equal((await end(accept, true)).type, "application/problem+json", accept);
		}
		const bare = await createBrowser().visit(`${home}/v1/session/sso/none/callback`, { headers: { accept: browsers } });
		assert.deepEqual([bare.status, bare.headers.get("content-type")], [400, "text/html; charset=utf-8"]);
	});

	it("moves whom the provider names to the newest version of the key, so that the one before may end", async () => {
		const { id } = await enrolled();
		const before = api.time.offsetMs;
		api.vault.rotate("hmac-person");
		api.time.offsetMs += limits.hmacRefreshMs;
		const versionOf = async () => (await api.store.people.find(id))?.sso?.mac.slice(0, 2);
		assert.equal(await versionOf(), "1.");
		for (const _ of [1, 2]) {
			assert.equal((await signIn()).json.personId, id);
			assert.equal(await versionOf(), "2.");
		}
		api.time.offsetMs = before;
	});

	it("asks by PKCE, state and nonce, and leaves nothing of them, nor of whom it named, in a store or a log", async () => {
		const browser = createBrowser();
		const { json, headers } = await post("/session/sso", { issuer: ours.url }, browser);
		assert.match(
			headers.getSetCookie().join(),
			/^lethe_browser=[\w-]{43}; Max-Age=600; Path=\/; HttpOnly; SameSite=Lax$/,
		);
		const asked = new URL(json.url).searchParams;
		assert.deepEqual([asked.get("scope"), asked.get("code_challenge_method")], ["openid", "S256"]);
		assert.equal(asked.get("max_age"), String(api.sessionLimits.lifeMs / 1000));
		await enrolled();
		const state = asked.get("state") as string;
		const secrets = [state, asked.get("nonce"), await api.personMacs.one("verifier", state), ours.state.user.sub];
		const people = JSON.stringify(await api.connection.collection("people").find().toArray());
		for (const secret of secrets) assert.ok(secret && !`${people}${api.logLines}`.includes(secret), secret ?? "none");
	});

	it("lets nobody in who was not invited, and makes nobody of them", async () => {
		const people = await api.connection.collection("people").countDocuments();
		ours.state.user = { sub: "a-stranger", amr: ["mfa"] };
		assert.equal(await refusalOf(), "403 sso_unlinked");
		assert.equal(await api.connection.collection("people").countDocuments(), people);
		assert.ok((await entriesOf("sign_in_failed", idOf(ours))).includes("sso.unlinked"));
	});

	it("takes an invitation once, for one account, of one's own tenant", async () => {
		const { enrolmentToken } = await enrolled();
		const used = await post("/session/sso", { issuer: ours.url, enrolmentToken });
		assert.equal(used.json.code, "enrolment_invalid");
		const another = await invite();
		assert.equal(await refusalOf({ enrolmentToken: another.enrolmentToken }), "409 sso_taken");
		const foreign = await invite(otherTenantId);
		const crossed = await post("/session/sso", { issuer: ours.url, enrolmentToken: foreign.enrolmentToken });
		assert.equal(crossed.json.code, "enrolment_invalid");
		// Two ways that were begun with the same token: the first one back has it.
		const one = await invite();
		ours.state.user = { sub: "one", amr: ["mfa"] };
		const [first, second] = [createBrowser(), createBrowser()];
		const given = { enrolmentToken: one.enrolmentToken };
		const urls = [await goThere(first, given), await goThere(second, given)];
		assert.equal((await comeBack(urls[0] as string, first)).status, 200);
		ours.state.user = { sub: "two", amr: ["mfa"] };
		assert.equal((await comeBack(urls[1] as string, second)).status, 409);
	});

	it("counts a second factor only as the tenant's provider has to show it", async () => {
		await enrolled();
		const { sub } = ours.state.user;
		for (const [shown, expected] of [
			[{ amr: ["pwd"] }, "403 sso_mfa_missing"],
			[{ amr: ["otp"] }, "403 sso_mfa_missing"],
			[{}, "403 sso_mfa_missing"],
			[{ acr: "mfa" }, "403 sso_mfa_missing"],
			[{ amr: ["otp", "pwd"] }, "200"],
		] as const) {
			ours.state.user = { sub, ...(shown as object) };
			assert.equal(await refusalOf(), expected, JSON.stringify(shown));
		}
		await register(ours, tenantId, { amr, acr: ["urn:mfa"] });
		ours.state.user = { sub, amr: ["mfa"] };
		assert.equal(await refusalOf(), "403 sso_mfa_missing", "both are asked for");
		ours.state.user = { sub, amr: ["mfa"], acr: "urn:mfa" };
		assert.equal(await refusalOf(), "200");
		await register(ours, tenantId);
		await assert.rejects(register(ours, tenantId, { amr: [] }), /--amr or --acr/);
		assert.ok((await entriesOf("sign_in_failed", idOf(ours))).includes("sso.mfa"));
	});

	it("refuses every token that the provider did not give us, now, for this sign-in", async () => {
		await enrolled();
		const stranger = createSigning();
		const pem = ours.signing.publicKey.export({ type: "spki", format: "pem" }) as string;
		const header = { alg: "ES256", kid: "ec" };
		const now = () => Math.floor(Date.now() / 1000);
		const signed = (change: (claims: Claims) => Claims) => (claims: Claims) =>
			ours.sign({ ...claims, ...change(claims) });
		const wrong: Record<string, (claims: Claims, token: string) => string> = {
			"another nonce": signed(() => ({ nonce: "n".repeat(43) })),
			"no nonce": signed(() => ({ nonce: undefined })),
			"another issuer": signed(() => ({ iss: theirs.url })),
			"another audience": signed(() => ({ aud: "another" })),
			"several audiences and none that it was given": signed(() => ({ aud: ["lethe", "another"] })),
			"given to another": signed(() => ({ aud: ["lethe", "another"], azp: "another" })),
			"one audience, given to another": signed(() => ({ azp: "another" })),
			expired: signed(() => ({ exp: now() - 31 })),
			"given out long ago": signed(() => ({ iat: now() - 700 })),
			"no subject": signed(() => ({ sub: undefined })),
			"a subject that is no text": signed(() => ({ sub: ["one"] })),
			"no time of authentication": signed(() => ({ auth_time: undefined })),
			"authenticated before a session may begin": signed(() => ({
				auth_time: now() - api.sessionLimits.lifeMs / 1000 - 60,
			})),
			"authenticated in the future": signed(() => ({ auth_time: now() + 60 })),
			"alg none": (claims) => `${encode({ alg: "none" })}.${encode(claims)}.`,
			"alg swapped": (_claims, token) => [encode({ ...header, alg: "RS256" }), ...token.split(".").slice(1)].join("."),
			"HMAC by the public key": (claims) => hmacJwt({ ...header, alg: "HS256" }, claims, pem),
			"HMAC by the client's secret": (claims) => hmacJwt({ alg: "HS256" }, claims, ours.clientSecret),
			"another's key under a known id": (claims) => signJwt(header, claims, stranger.privateKey),
			"a key that it brings": (claims) =>
				signJwt({ ...header, kid: "x", jwk: stranger.jwk }, claims, stranger.privateKey),
			"no token at all": () => "",
		};
		try {
			ours.state.change = signed(() => ({}));
			assert.equal(await refusalOf(), "200");
			for (const [why, change] of Object.entries(wrong)) {
				ours.state.change = change;
				assert.equal(await refusalOf(), "401 sso_failed", why);
			}
		} finally {
			ours.state.change = undefined;
		}
		assert.equal(await refusalOf(), "200");
	});

	it("takes a way back once, from the browser that began it, with what that was given", async () => {
		await enrolled();
		const browser = createBrowser();
		const url = await goThere(browser);
		const refused = async (at: string | URL, by = browser) => {
			const { status, json } = await comeBack(String(at), by);
			assert.deepEqual([status, json.code], [401, "sso_failed"]);
		};
		const changed = (change: (url: URL) => void, from: string) => {
			const copy = new URL(from);
			change(copy);
			return copy;
		};
		await refused(changed(({ searchParams }) => searchParams.set("state", "s".repeat(43)), url));
		await refused(changed(({ searchParams }) => searchParams.delete("state"), url));
		assert.equal((await comeBack(url, browser)).status, 200);
		await refused(url);
		// Each of these has used its state up.
		for (const change of [
			({ searchParams }: URL) => searchParams.set("iss", theirs.url),
			({ searchParams }: URL) => searchParams.delete("iss"),
			({ searchParams }: URL) => searchParams.set("code", "made-up"),
			({ searchParams }: URL) => searchParams.delete("code"),
			(to: URL) => {
				to.pathname = ssoCallbackPath(idOf(theirs));
			},
		]) {
			await refused(changed(change, await goThere(browser)));
		}
		await refused(await goThere(createBrowser()), browser);
		await refused(await goThere(createBrowser()), createBrowser());
		// A code that the provider gave for another way there: its PKCE verifier is another's.
		const [mine, stolen] = [await goThere(browser), await goThere(createBrowser())];
		const code = new URL(stolen).searchParams.get("code") as string;
		await refused(changed(({ searchParams }) => searchParams.set("code", code), mine));
		const declined = changed(
			({ searchParams }) => {
				searchParams.delete("code");
				searchParams.set("error", "access_denied");
			},
			await goThere(browser),
		);
		await refused(declined);
	});

	it("keeps tenants apart: an account of one provider is nobody at another, and a provider is one tenant's", async () => {
		const here = await enrolled();
		theirs.state.user = ours.state.user;
		const there = await signIn({}, theirs);
		assert.deepEqual([there.status, there.json.code], [403, "sso_unlinked"]);
		const { id } = await enrolled(theirs, otherTenantId);
		assert.notEqual(id, here.id);
		await assert.rejects(register(ours, otherTenantId), /one tenant's/);
		const unknown = await post("/session/sso", { issuer: "https://nobody.example.com" });
		assert.equal(unknown.json.code, "not_found");
	});

	it("has a second factor shown anew for what asks for it, and does not take an old one's word", async () => {
		const { id } = await enrolled(ours, tenantId, ["admin"]);
		const browser = createBrowser();
		const { sub } = ours.state.user;
		const old = api.sessionLimits.freshMfaMs / 1000 + 60;
		ours.state.user = { sub, amr: ["mfa"], secondsAgo: old };
		assert.equal((await signIn({}, ours, browser)).status, 200);
		const act = () => post("/api-keys", { name: "k", roles: ["sender"] }, browser);
		assert.equal((await act()).json.code, "fresh_mfa_required");
		// A provider that does not ask again, whatever it is told.
		ours.state.change = (claims) => ours.sign({ ...claims, auth_time: Math.floor(Date.now() / 1000) - old });
		const begun = await goThere(browser, { fresh: true });
		assert.equal((await comeBack(begun, browser)).json.code, "sso_failed");
		ours.state.change = undefined;
		ours.state.user = { sub, amr: ["mfa"] };
		const { json } = await post("/session/sso", { issuer: ours.url, fresh: true }, browser);
		const asked = new URL(json.url).searchParams;
		assert.deepEqual([asked.get("prompt"), asked.get("max_age")], ["login", "0"]);
		const stale = await browser.visit(`${home}/v1/session`);
		const { id: before } = (await stale.json()) as { id: string };
		assert.equal((await comeBack(await browser.follow(json.url, home), browser)).status, 200);
		assert.equal((await act()).status, 201);
		const list = await browser.visit(`${home}/v1/sessions`);
		const { items } = (await list.json()) as { items: { id: string }[] };
		assert.ok(!items.some((one) => one.id === before), "the session of before has ended");
		assert.ok((await entriesOf("sign_in_failed", idOf(ours))).includes("sso.age"));
		for (const path of ["/passkeys/options", "/session/recovery-codes"]) {
			assert.equal((await post(path, {}, browser)).json.code, "sso_only", `${id} ${path}`);
		}
	});

	it("hands a program its session by a code that is nothing without the program's own verifier", async () => {
		const { id } = await enrolled();
		const verifier = "v".repeat(43);
		const challenge = await challengeOf(verifier);
		const loopback = { port: 41_234, challenge };
		// The browser has no cookie of ours: another program began.
		const begin = async () => (await post("/session/sso", { issuer: ours.url, loopback })).json.url as string;
		const back = async () => {
			const browser = createBrowser();
			const answer = await browser.visit(await browser.follow(await begin(), home));
			assert.deepEqual([answer.status, answer.headers.getSetCookie()], [303, []]);
			return new URL(answer.headers.get("location") as string);
		};
		const location = await back();
		assert.equal(location.origin, "http://127.0.0.1:41234");
		const code = location.searchParams.get("code") as string;
		const fetchBy = (by: string) => post("/session/sso/complete", { code, verifier: by });
		assert.equal((await fetchBy("w".repeat(43))).json.code, "sso_failed");
		const done = await fetchBy(verifier);
		assert.deepEqual([done.status, done.json.personId, done.json.method], [201, id, "sso"]);
		assert.equal((await fetchBy(verifier)).json.code, "sso_failed", "once");
		const headers = { authorization: `Bearer ${done.json.token}` };
		assert.equal((await fetch(`${home}/v1/session`, { headers })).status, 200);
		ours.state.user = { sub: "somebody-else", amr: ["pwd"] };
		assert.equal((await back()).searchParams.get("error"), "sso_mfa_missing");
	});

	it("says when the provider is away or does not know us, and lets nobody in meanwhile", async () => {
		await enrolled();
		const url = await goThere();
		ours.state.away = true;
		const browser = createBrowser();
		const begun = await goThereAway();
		assert.notEqual(begun.status, 200, url);
		ours.state.away = false;
		await api.providerCredentials.write(idOf(ours), { secret: "another".repeat(8) });
		const { status, json } = await comeBack(await goThere(browser), browser);
		assert.deepEqual([status, json.code], [503, "issuer_unavailable"]);
		await register(ours, tenantId);
		assert.equal(await refusalOf(), "200");

		async function goThereAway() {
			const one = createBrowser();
			const there = await post("/session/sso", { issuer: ours.url }, one);
			// What is known of the provider still leads there; it does not lead back.
			return one.visit(there.json.url);
		}
	});

	it("shows a key in place of a secret where the provider asks for that", async () => {
		const url = `${home}${ssoCallbackPath(idOf(theirs))}`;
		const about = { url: theirs.url, tenantId: otherTenantId, clientId: "lethe", mfa: { amr } };
		const { publicKey } = await putIdentityProvider(api, { ...about, authentication: "private_key_jwt" }, undefined);
		assert.deepEqual(Object.keys(publicKey ?? {}).sort(), ["alg", "crv", "kid", "kty", "use", "x", "y"]);
		const client = { token_endpoint_auth_method: "private_key_jwt", client_secret: undefined };
		theirs.register(url, { ...client, jwks: { keys: [publicKey] } });
		await enrolled(theirs, otherTenantId);
	});

	it("makes whoever fails wait, by address, and nobody else", async () => {
		await enrolled();
		const guesser = createBrowser();
		const guess = () => comeBack(`${home}${ssoCallbackPath(idOf(ours))}?state=${"s".repeat(43)}&code=x`, guesser);
		const tries = await Promise.all(Array.from({ length: limits.signInsFreePerAddressMax + 2 }, guess));
		const codes = tries.map(({ json }) => json.code).sort();
		assert.deepEqual(codes.filter((code) => code === "sign_in_slowed").length, 2);
		assert.equal(await refusalOf(), "200");
	});

	it("ends with the provider's removal: sessions, and ways back that are under way", async () => {
		const { browser } = await enrolled(theirs, otherTenantId);
		const other = createBrowser();
		const url = await goThere(other, {}, theirs);
		api.time.offsetMs += 1;
		assert.equal(await removeIdentityProvider(api, theirs.url), true);
		assert.equal(await removeIdentityProvider(api, theirs.url), false);
		api.time.offsetMs += 501;
		assert.equal((await browser.visit(`${home}/v1/session`)).status, 401);
		assert.equal((await comeBack(url, other)).json.code, "sso_failed");
		assert.equal((await post("/session/sso", { issuer: theirs.url })).json.code, "not_found");
	});
});

async function challengeOf(verifier: string): Promise<string> {
	const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier));
	return Buffer.from(digest).toString("base64url");
}
