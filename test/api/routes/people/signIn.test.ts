// People sign in with two factors or not at all: enrolment, codes and passkeys once each, sessions that end, failures that slow.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { Redis } from "ioredis";
import { TOTP } from "otpauth";
import { networkOf, siteOf } from "../../../../api/addresses.ts";
import { limits } from "../../../../domain/limits.ts";
import type { Role } from "../../../../domain/roles.ts";
import { personPassword } from "../../../../stack/enrolPerson.ts";
import { createAuthenticator } from "../../../harness/authenticator.ts";
import { until } from "../../../harness/until.ts";
import { createTestApi, type TestApi } from "../../harness.ts";

const origin = "https://lethe.example";
const password = personPassword;

describe("signing in", () => {
	let api: TestApi;
	let tenantId: string;
	let sequence = 0;
	const redis = new Redis(process.env.REDIS_URL as string);
	before(async () => {
		api = await createTestApi();
		({ tenantId } = await api.addTenant());
	});
	after(async () => {
		await emptyRedis();
		redis.disconnect();
		await api.close();
	});

	const keysInRedis = () => redis.keys(`${api.connection.name}:*`);
	async function emptyRedis(): Promise<void> {
		const keys = await keysInRedis();
		if (keys.length > 0) await redis.del(keys);
	}
	async function redisText(): Promise<string> {
		const values = (await keysInRedis()).map(async (key) => {
			const type = await redis.type(key);
			const value = { string: () => redis.get(key), set: () => redis.smembers(key), hash: () => redis.hgetall(key) }[
				type
			];
			return [key, await value?.()];
		});
		return JSON.stringify(await Promise.all(values));
	}

	type Given = { headers?: Record<string, string>; address?: string };
	async function call(method: "GET" | "POST", path: string, body?: object, { headers = {}, address }: Given = {}) {
		const answer = await api.app.inject({
			...{ method, url: `/v1${path}`, headers, ...(body ? { payload: body } : {}) },
			remoteAddress: address ?? "192.0.2.1",
		});
		const cookie = String(answer.headers["set-cookie"] ?? "");
		return {
			status: answer.statusCode,
			json: answer.body ? answer.json() : undefined,
			headers: answer.headers,
			cookie,
		};
	}
	const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });

	const invite = (login = `clerk${sequence++}@example.com`, roles: Role[] = ["auditor"]) =>
		api.people.invite("admin", { tenantId, login, name: "A clerk", roles }).then((made) => ({ ...made, login }));

	/** Steps on to the next code, and says it. */
	function codeOf(secret: string): string {
		api.time.offsetMs += 30_000;
		return new TOTP({ secret }).generate({ timestamp: api.clock() });
	}

	/** Somebody who has enrolled with password and authenticator app. */
	async function enrolled(roles?: Role[]) {
		const invited = await invite(undefined, roles);
		const begun = await call("POST", "/enrolment", { token: invited.enrolmentToken });
		assert.equal(begun.status, 200);
		const { secret } = begun.json.totp;
		const set = { token: invited.enrolmentToken, password, code: codeOf(secret) };
		const done = await call("POST", "/enrolment/complete", set);
		assert.equal(done.status, 201, JSON.stringify(done.json));
		return { ...invited, secret, recoveryCodes: done.json.recoveryCodes as string[], ...set };
	}
	type Enrolled = Awaited<ReturnType<typeof enrolled>>;
	const signIn = (person: Enrolled, more: object = {}, given?: Given) =>
		call(
			"POST",
			"/session",
			{ login: person.login, password, code: codeOf(person.secret), as: "token", ...more },
			given,
		);

	it("leads from an invitation to a session, and each step leaves its entry before it is answered", async () => {
		const person = await enrolled(["compliance", "auditor"]);
		const answer = await signIn(person);
		assert.equal(answer.status, 201);
		assert.deepEqual(
			[answer.json.personId, answer.json.tenantId, answer.json.method],
			[person.id, tenantId, "password"],
		);
		const own = await call("GET", "/session", undefined, bearer(answer.json.token));
		assert.deepEqual([own.json.id, own.json.roles], [answer.json.id, ["compliance", "auditor"]]);
		assert.equal((await call("GET", "/messages", undefined, bearer(answer.json.token))).status, 200);
		const types = (await api.entries(person.id)).map(({ type }) => type);
		for (const type of ["person_invited", "person_enrolled", "signed_in"] as const)
			assert.ok(types.includes(type), type);
	});

	it("moves a login name to the newest version of its key, so that the one before may end; nothing of it is lost", async () => {
		const person = await enrolled();
		api.vault.rotate("hmac-person");
		api.time.offsetMs += limits.hmacRefreshMs;
		const logins = () => api.connection.collection("personLogins").find({ personId: person.id }).toArray();
		assert.deepEqual(
			(await logins()).map(({ mac }) => mac.slice(0, 2)),
			["1."],
		);
		for (const _ of [1, 2]) {
			assert.equal((await signIn(person)).status, 201);
			assert.deepEqual(
				(await logins()).map(({ mac }) => mac.slice(0, 2)),
				["2."],
			);
		}
		await api.store.people.renewLogin(tenantId, "1.of-a-process-behind", person.id);
		assert.deepEqual(
			(await logins()).map(({ mac }) => mac.slice(0, 2)),
			["2."],
		);
	});

	it("stores no name, password, code or token in clear, in no store", async () => {
		const person = await enrolled();
		const { json } = await signIn(person);
		const held = [JSON.stringify(await api.connection.collection("people").find().toArray())];
		held.push(JSON.stringify(await api.connection.collection("personLogins").find().toArray()));
		const redis = await redisText();
		assert.ok(redis.includes(json.id), "Redis was read");
		held.push(redis, api.logLines.join(""));
		for (const secret of [person.login, "A clerk", password, person.secret, json.token, ...person.recoveryCodes]) {
			for (const text of held) assert.ok(!text.includes(secret), secret.slice(0, 6));
		}
	});

	it("refuses every wrong part with one and the same answer", async () => {
		const person = await enrolled();
		const right = () => ({ login: person.login, password, code: codeOf(person.secret) });
		const wrong = [
			{ ...right(), login: "nobody@example.com" },
			{ ...right(), password: `${password}x` },
			{ ...right(), code: "000000" },
			{ login: person.login, password, recoveryCode: "aaaa-aaaa-aaaa-aaaa" },
			{ login: person.login, password, recoveryCode: "x" },
		];
		const answers = [];
		for (const body of wrong) {
			const began = performance.now();
			answers.push(await call("POST", "/session", body, { address: "192.0.2.7" }));
			// A timer may fire a millisecond early.
			assert.ok(performance.now() - began >= limits.signInFailureMsMin - 2, "nobody's name fails no sooner");
		}
		const bodies = answers.map(({ json }) => JSON.stringify({ ...json, requestId: "" }));
		assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([401]));
		assert.equal(new Set(bodies).size, 1);
		assert.match(bodies[0] ?? "", /"sign_in_failed"/);
		assert.equal((await call("POST", "/session", { login: person.login, password })).status, 400, "one factor alone");
		assert.equal((await signIn(person)).status, 201);
	});

	it("takes a code once, also of two that come at once, and none that is older", async () => {
		const person = await enrolled();
		const older = codeOf(person.secret);
		const code = codeOf(person.secret);
		const answers = await Promise.all(
			[1, 2].map(() => call("POST", "/session", { login: person.login, password, code })),
		);
		assert.deepEqual(answers.map(({ status }) => status).sort(), [201, 401]);
		for (const again of [code, older]) {
			assert.equal((await call("POST", "/session", { login: person.login, password, code: again })).status, 401);
		}
		assert.equal((await signIn(person)).status, 201);
	});

	it("takes each recovery code once, however it is written, and never without the password", async () => {
		const person = await enrolled();
		assert.equal(person.recoveryCodes.length, limits.recoveryCodeItems);
		const [first = "", second = ""] = person.recoveryCodes;
		const by = (recoveryCode: string, more = {}) =>
			call("POST", "/session", { login: person.login, password, recoveryCode, ...more });
		assert.equal((await by(first, { password: "another long one" })).status, 401);
		assert.equal((await by(first.toUpperCase().replaceAll("-", " "))).status, 201);
		assert.equal((await by(first)).status, 401);
		assert.equal((await by(second)).json.method, "recovery");
	});

	it("keeps people of one login name at two tenants apart", async () => {
		const other = (await api.addTenant()).tenantId;
		const here = await enrolled();
		const made = await api.people.invite("admin", { tenantId: other, login: here.login, name: "", roles: ["sender"] });
		await assert.rejects(
			api.people.invite("admin", { tenantId: other, login: here.login.toUpperCase(), name: "", roles: ["sender"] }),
			{ code: "login_taken" },
		);
		const { secret } = (await call("POST", "/enrolment", { token: made.enrolmentToken })).json.totp;
		await call("POST", "/enrolment/complete", { token: made.enrolmentToken, password, code: codeOf(secret) });
		const as = async (of: string) => (await signIn({ ...here, secret: of })).json.tenantId;
		assert.deepEqual([await as(here.secret), await as(secret)], [tenantId, other]);
		// Who signs in at one of them forgives no guesses at the other, and counts as none.
		const counted = `${api.connection.name}:attempts:${await api.personMacs.one("account", here.login)}`;
		await redis.del(counted);
		const wrong = { ...{ login: here.login, password: `${password}x` }, code: "000000" };
		assert.equal((await call("POST", "/session", wrong, { address: "198.51.100.251" })).status, 401);
		for (const one of [secret, here.secret]) {
			assert.equal((await signIn({ ...here, secret: one })).status, 201);
			assert.equal(await redis.hget(counted, "count"), "1");
		}
		await api.people.end("admin", other, made.id);
		assert.equal((await signIn(here)).status, 201);
		assert.equal(await redis.exists(counted), 0);
	});

	it("makes failures wait, longer each time, by account and by address, and forgets them after a success", async () => {
		const person = await enrolled();
		const fail = (login: string, address: string) =>
			call("POST", "/session", { login, password: "not the right one", code: "123456" }, { address });
		const count = limits.signInsFreePerAccountMax;
		for (const login of [person.login, "nobody.at.all@example.com"]) {
			// At once: each is counted before it is looked at.
			const tries = Array.from({ length: count + 3 }, () => fail(login, "203.0.113.9"));
			const right = signIn({ ...person, login }, {}, { address: "203.0.113.9" });
			const answers = await Promise.all([...tries, right]);
			assert.equal(answers.filter(({ status }) => status === 401).length, count);
			for (const slowed of answers.slice(count)) {
				assert.deepEqual([slowed.status, slowed.json.code], [429, "sign_in_slowed"]);
				assert.ok(Number(slowed.headers["retry-after"]) >= 1);
			}
		}
		await until(async () => (await signIn(person, {}, { address: "203.0.113.9" })).status === 201);
		assert.equal((await fail(person.login, "203.0.113.9")).status, 401, "forgotten");
		const many = Array.from({ length: limits.signInsFreePerAddressMax + 3 }, (_, index) =>
			fail(`nobody${index}@example.com`, "198.51.100.200"),
		);
		const statuses = (await Promise.all(many)).map(({ status }) => status);
		assert.equal(statuses.filter((status) => status === 401).length, limits.signInsFreePerAddressMax);
	});

	describe("guesses at an account from elsewhere", () => {
		const guess = (login: string, address: string) =>
			call("POST", "/session", { login, password: "not the right one", code: "123456" }, { address });
		const waitOf = (answer: { headers: Record<string, unknown> }) => Number(answer.headers["retry-after"]);
		/** Sets what is counted of guesses, as if there had been so many, with a wait that begins now. */
		async function pretend(kind: "account" | "account-network", of: string, tries: number, waitMs: number) {
			const key = `${api.connection.name}:attempts:${await api.personMacs.one(kind, of)}`;
			await redis.hset(key, { count: tries, until: Date.now() + waitMs });
		}

		it("from one network wait ever longer there, and keep nobody waiting anywhere else", async () => {
			const person = await enrolled();
			const stranger = "203.0.113.66";
			const tries = Array.from({ length: 20 }, () => guess(person.login, stranger));
			const statuses = (await Promise.all(tries)).map(({ status }) => status);
			assert.equal(statuses.filter((status) => status === 401).length, limits.signInsFreePerAccountMax);
			assert.equal((await signIn(person, {}, { address: "203.0.113.67" })).status, 201);
			await pretend("account-network", `${networkOf(stranger)}\n${person.login}`, 20, 3_600_000);
			assert.equal(waitOf(await guess(person.login, stranger)), limits.signInWaitMsMax / 1000);
		});

		it("from many wait a minute at most, so they are bounded, and where its owner comes from nobody is slowed", async () => {
			const person = await enrolled();
			const home = "203.0.113.70";
			assert.equal((await signIn(person, {}, { address: home })).status, 201);
			const free = limits.signInsFreeEverywhereMax;
			const tries = Array.from({ length: free + 3 }, (_, index) => guess(person.login, `198.51.100.${index + 1}`));
			const statuses = (await Promise.all(tries)).map(({ status }) => status);
			assert.equal(statuses.filter((status) => status === 401).length, free);
			await pretend("account", person.login, free + 20, 3_600_000);
			const slowed = await guess(person.login, "198.51.100.99");
			assert.deepEqual([slowed.status, waitOf(slowed)], [429, limits.signInWaitEverywhereMsMax / 1000]);
			assert.equal(
				(await signIn(person, {}, { address: "198.51.100.98" })).status,
				429,
				"nor its owner from a new one",
			);
			assert.equal((await signIn(person, {}, { address: home })).status, 201);
		});
	});

	describe("strangers who have more networks than anybody counts", () => {
		const site = "2001:db8:77";
		const guess = (login: string, address: string) =>
			call("POST", "/session", { login, password: "not the right one", code: "123456" }, { address });
		const keyOf = async (of: string) =>
			`${api.connection.name}:attempts:${await api.personMacs.one("address", `password\n${of}`)}`;
		const counted = async () => new Set(await redis.keys(`${api.connection.name}:attempts:*`));

		it("are counted as one site too, and once that waits leave nothing behind; who is known to come from it does not wait", async () => {
			const person = await enrolled();
			const home = `${site}:aa::1`;
			assert.equal((await signIn(person, {}, { address: home })).status, 201);
			const key = await keyOf(siteOf(home));
			await redis.del(key);
			for (const index of [1, 2])
				assert.equal((await guess(`x${index}@example.com`, `${site}:${index}::1`)).status, 401);
			assert.equal(await redis.hget(key, "count"), "2");
			await redis.hset(key, { count: limits.signInsFreePerSiteMax, until: Date.now() + 3_600_000 });
			const before = await counted();
			const slowed = await guess("x3@example.com", `${site}:3::1`);
			assert.deepEqual([slowed.status, slowed.json.code], [429, "sign_in_slowed"]);
			assert.equal(Number(slowed.headers["retry-after"]), limits.signInWaitEverywhereMsMax / 1000);
			assert.deepEqual(await counted(), before);
			assert.equal((await guess("x3@example.com", "2001:db8:78:3::1")).status, 401, "another site");
			assert.equal((await signIn(person, {}, { address: home })).status, 201);
		});

		it("are forgotten within the hour while what they did costs no wait, whether or not the name is known", async () => {
			const person = await enrolled();
			const kept = async (login: string, address: string) => {
				const before = await counted();
				assert.equal((await guess(login, address)).status, 401);
				const fresh = [...(await counted())].filter((key) => !before.has(key));
				return Promise.all(fresh.map((key) => redis.pttl(key)));
			};
			const [known, unknown] = [
				await kept(person.login, "198.51.100.230"),
				await kept("nobody.of.that.name@example.com", "198.51.100.231"),
			];
			assert.deepEqual([known.length, unknown.length], [3, 3], "a network, a name from there, a name from anywhere");
			for (const ms of [...known, ...unknown]) assert.ok(ms > 0 && ms <= limits.signInsKeptMsMin, String(ms));
			await redis.hset(await keyOf(networkOf("198.51.100.230")), { count: limits.signInsFreePerAddressMax + 1 });
			await guess(person.login, "198.51.100.230");
			const ms = await redis.pttl(await keyOf(networkOf("198.51.100.230")));
			assert.ok(ms > 3 * limits.signInsKeptMsMin && ms <= 4 * limits.signInsKeptMsMin, String(ms));
		});
	});

	describe("an enrolment", () => {
		it("is good once, for three days, and for whoever was handed its token", async () => {
			const person = await enrolled();
			for (const path of ["/enrolment", "/enrolment/complete"]) {
				const body =
					path === "/enrolment" ? { token: person.token } : { token: person.token, password, code: "123456" };
				assert.equal((await call("POST", path, body)).json.code, "enrolment_invalid");
			}
			const late = await invite();
			api.time.offsetMs += limits.enrolmentLifeMs;
			assert.equal((await call("POST", "/enrolment", { token: late.enrolmentToken })).status, 401);
			assert.equal((await call("POST", "/enrolment", { token: "lethe_enrol_x" })).status, 401);
		});

		it("wants a code of the secret that it gave last, and a password that is hard to guess", async () => {
			const { enrolmentToken: token, login } = await invite();
			const first = (await call("POST", "/enrolment", { token })).json.totp.secret;
			const { secret } = (await call("POST", "/enrolment", { token })).json.totp;
			const complete = (given: string, code: string) =>
				call("POST", "/enrolment/complete", { token, password: given, code });
			for (const [weak, reason] of [
				["short", "too_short"],
				["passwordpassword", "guessable"],
				[`${login} 2026`, "guessable"],
				["aaaaaaaaaaaaaaaa", "guessable"],
				["x7".repeat(129), "too_long"],
			] as const) {
				const refused = await complete(weak, codeOf(secret));
				assert.deepEqual([refused.status, refused.json.reason], [422, reason], weak.slice(0, 20));
			}
			assert.equal((await complete(password, codeOf(first))).status, 401);
			assert.equal((await complete(password, codeOf(secret))).status, 201);
		});

		it("that is renewed ends what was there: sessions, password and codes", async () => {
			const person = await enrolled();
			const { json } = await signIn(person);
			api.time.offsetMs += 1;
			await api.people.renewEnrolment("admin", tenantId, person.id);
			api.time.offsetMs += 501;
			assert.equal((await call("GET", "/session", undefined, bearer(json.token))).status, 401);
			assert.equal((await signIn(person)).status, 401);
		});
	});

	it("lets a session whose person has to enrol anew add nothing to sign in with, though it is not known everywhere yet", async () => {
		const person = await enrolled();
		const as = bearer((await signIn(person)).json.token);
		const offered = (await call("POST", "/passkeys/options", {}, as)).json;
		await api.people.renewEnrolment("admin", tenantId, person.id);
		for (const [path, body] of [
			["/passkeys", createAuthenticator(origin).create(offered)],
			["/session/recovery-codes", {}],
		] as const) {
			const { status, json } = await call("POST", path, body, as);
			assert.deepEqual([status, json.code], [401, "unauthenticated"], path);
		}
		const left = await api.store.people.find(person.id);
		assert.deepEqual([left?.passkeys, left?.recoveryMacs], [[], []]);
	});

	describe("a passkey", () => {
		/** Somebody who has enrolled with a device. */
		async function withDevice() {
			const { id, enrolmentToken: token } = await invite();
			const device = createAuthenticator(origin);
			const { passkey } = (await call("POST", "/enrolment", { token })).json;
			const done = await call("POST", "/enrolment/complete", { token, passkey: device.create(passkey) });
			assert.deepEqual([done.status, done.json.recoveryCodes], [201, []]);
			return { id, device };
		}
		const options = async () => (await call("POST", "/session/passkey-options", {})).json;
		const show = (passkey: object) => call("POST", "/session", { passkey, as: "token" });

		it("signs in without a name, by a challenge that is taken once", async () => {
			const { id, device } = await withDevice();
			const shown = device.get(await options());
			const answer = await show(shown);
			assert.deepEqual([answer.status, answer.json?.personId, answer.json?.method], [201, id, "passkey"]);
			assert.equal((await show(shown)).json.code, "sign_in_failed");
			assert.equal((await show(device.get(await options()))).status, 201);
		});

		it("opens nothing for another origin, without its owner's check, unknown, copied or forged", async () => {
			const { device, id } = await withDevice();
			const stranger = createAuthenticator(origin);
			stranger.create({ challenge: "", user: { id: Buffer.from(id).toString("base64url") } });
			const asked = await options();
			const good = device.get(asked);
			const bad = [
				device.get(await options(), { from: "https://lethe.example.evil.example" }),
				stranger.get(await options()),
				device.get({ challenge: Buffer.from("made up by the caller").toString("base64url") }),
				{ ...good, response: { ...good.response, signature: Buffer.alloc(70).toString("base64url") } },
				{ ...good, response: { ...good.response, userHandle: Buffer.from("usr_x").toString("base64url") } },
				{ ...good, id: "AAAA", rawId: "AAAA" },
			];
			for (const [index, shown] of bad.entries()) {
				const { status, json } = await show(shown);
				assert.deepEqual([status, json.code], [401, "sign_in_failed"], String(index));
			}
			// A copy of the device counts from where it was copied.
			const copied = structuredClone(device.get(await options()));
			assert.equal((await show(device.get(await options()))).status, 201);
			assert.equal((await show(copied)).status, 401);
		});

		it("that counts opens once a count, also to two that come at once, and its count never falls", async () => {
			const { device, id } = await withDevice();
			const counted = async () => (await api.store.people.find(id))?.passkeys[0]?.counter;
			for (const round of [1, 2, 3]) {
				const both = [device.get(await options()), device.get(await options(), { isCopy: true })];
				const statuses = (await Promise.all(both.map(show))).map(({ status }) => status);
				assert.deepEqual(statuses.toSorted(), [201, 401], String(round));
				assert.equal(await counted(), round);
			}
			const [older, newer] = [device.get(await options()), device.get(await options())];
			await Promise.all([newer, older].map(show));
			assert.equal(await counted(), 5);
		});

		it("that only wants a touch is no second factor, neither to add nor to sign in", async () => {
			const { enrolmentToken: token } = await invite();
			const device = createAuthenticator(origin, { verifies: false });
			const { passkey } = (await call("POST", "/enrolment", { token })).json;
			const refused = await call("POST", "/enrolment/complete", { token, passkey: device.create(passkey) });
			assert.equal(refused.json.code, "sign_in_failed");
		});

		it("is added and removed by whoever has just signed in; the last thing to sign in with stays", async () => {
			const { device } = await withDevice();
			const { token } = (await show(device.get(await options()))).json;
			const as = bearer(token);
			const second = createAuthenticator(origin);
			const offered = await call("POST", "/passkeys/options", {}, as);
			assert.equal(offered.json.excludeCredentials.length, 1);
			assert.equal((await call("POST", "/passkeys", second.create(offered.json), as)).status, 201);
			api.time.offsetMs += 501;
			assert.equal((await show(second.get(await options()))).status, 201);
			const { items } = (await call("GET", "/passkeys", undefined, as)).json;
			const [first, last] = items.map(({ id }: { id: string }) => id);
			assert.equal((await call("POST", `/passkeys/${first}/remove`, {}, as)).status, 204);
			assert.equal((await show(device.get(await options()))).status, 401);
			assert.equal((await call("POST", `/passkeys/${last}/remove`, {}, as)).json.code, "last_credential");
			api.time.offsetMs += api.sessionLimits.freshMfaMs + 1;
			const stale = await call("POST", "/passkeys", second.create(offered.json), as);
			assert.equal(stale.json.code, "fresh_mfa_required");
		});

		it("goes with no password and no codes: none that would open nothing are given out, and what is refused is not entered as done", async () => {
			const { id, device } = await withDevice();
			const as = bearer((await show(device.get(await options()))).json.token);
			for (const [path, body] of [
				["/session/recovery-codes", {}],
				["/session/password", { password }],
			] as const) {
				const { status, json } = await call("POST", path, body, as);
				assert.deepEqual([status, json.code], [409, "no_password"], path);
			}
			const [own] = (await call("GET", "/passkeys", undefined, as)).json.items;
			assert.equal((await call("POST", `/passkeys/${own.id}/remove`, {}, as)).json.code, "last_credential");
			assert.equal((await call("POST", "/session/end", {}, as)).status, 204);
			assert.deepEqual((await api.store.people.find(id))?.recoveryMacs, []);
			const types = (await api.entries(id)).map(({ type }) => type);
			assert.deepEqual(
				types.filter((type) => type.startsWith("credential_")),
				[],
			);
		});
	});

	describe("a session", () => {
		it("ends unused after its idle time, and used at its absolute limit", async () => {
			const person = await enrolled();
			const { token, endsAt } = (await signIn(person)).json;
			const alive = async () => (await call("GET", "/session", undefined, bearer(token))).status;
			assert.equal(await alive(), 200);
			const idleMs = await redis.pttl(`${api.connection.name}:session:${await api.personMacs.one("session", token)}`);
			assert.ok(idleMs > api.sessionLimits.idleMs - 5_000 && idleMs <= api.sessionLimits.idleMs);
			api.time.offsetMs = Date.parse(endsAt) - Date.now() - 2_000;
			assert.equal(await alive(), 200);
			api.time.offsetMs += 4_000;
			assert.equal(await alive(), 401);
			api.time.offsetMs -= 10_000;
			assert.equal(await alive(), 401, "gone for good");
		});

		it("is over when signed out, ended from elsewhere, when the person left, and when Redis was emptied", async () => {
			const person = await enrolled();
			const tokens = [];
			for (let index = 0; index < 4; index++) tokens.push((await signIn(person)).json.token as string);
			const [first = "", second = "", third = "", fourth = ""] = tokens;
			const alive = async (token: string) => (await call("GET", "/session", undefined, bearer(token))).status;
			const { items } = (await call("GET", "/sessions", undefined, bearer(first))).json;
			assert.equal(items.length, 5, "with the one that the enrolment began");
			assert.deepEqual(items.filter(({ current }: { current: boolean }) => current).length, 1);
			assert.equal((await call("POST", "/session/end", {}, bearer(first))).status, 204);
			assert.equal(await alive(first), 401);
			const own = (await call("GET", "/session", undefined, bearer(second))).json.id;
			assert.equal((await call("POST", `/sessions/${own}/end`, {}, bearer(third))).status, 204);
			assert.equal(await alive(second), 401);
			const stranger = await enrolled();
			const foreign = (await signIn(stranger)).json;
			assert.equal((await call("POST", `/sessions/${foreign.id}/end`, {}, bearer(third))).status, 404);
			await emptyRedis();
			assert.equal(await alive(third), 401);
			assert.equal(await alive(fourth), 401);
			const again = (await signIn(person)).json.token;
			await api.people.end("admin", tenantId, person.id);
			api.time.offsetMs += 501;
			assert.equal(await alive(again), 401);
			assert.equal((await signIn(person)).status, 401);
		});

		it("that is begun while what it was begun with is taken away is over with the others", async () => {
			const meanwhile: { run?: (() => Promise<unknown>) | undefined } = {};
			const at = { step: "match" as "append" | "match" };
			const run = async (step: typeof at.step) => {
				if (at.step !== step) return;
				const { run: once } = meanwhile;
				delete meanwhile.run;
				await once?.();
			};
			const [before, tenantBefore] = [api, tenantId];
			api = await createTestApi((deps) => ({
				personSeal: {
					...deps.personSeal,
					open: async (...args) => {
						const opened = await deps.personSeal.open(...args);
						if (args[0].field === "totp") await run("match");
						return opened;
					},
				},
				evidence: {
					...deps.evidence,
					append: async (acts) => {
						if (acts.some(({ type }) => type === "signed_in")) await run("append");
						return deps.evidence.append(acts);
					},
				},
			}));
			try {
				({ tenantId } = await api.addTenant());
				const fresh = "another long enough phrase";
				for (const step of ["match", "append"] as const) {
					at.step = step;
					for (const way of ["code", "recovery"] as const) {
						const person = await enrolled();
						const { json: owner } = await signIn(person);
						meanwhile.run = async () => {
							const changed = await call("POST", "/session/password", { password: fresh }, bearer(owner.token));
							assert.equal(changed.status, 204, JSON.stringify(changed.json));
						};
						const shown = way === "code" ? {} : { code: undefined, recoveryCode: person.recoveryCodes[0] };
						const late = await signIn(person, shown);
						assert.equal(meanwhile.run, undefined, "it was changed meanwhile");
						const opens =
							late.status === 201 && (await call("GET", "/session", undefined, bearer(late.json.token))).status;
						assert.notEqual(opens, 200, `${step} ${way}`);
						assert.equal((await signIn(person, { password: fresh })).status, 201);
					}
				}
			} finally {
				await api.close();
				[api, tenantId] = [before, tenantBefore];
			}
		});

		it("is nobody's once what Redis holds of it was altered, or is another's", async () => {
			const [person, other] = [await enrolled(), await enrolled(["admin"])];
			const [token, foreign] = [(await signIn(person)).json.token, (await signIn(other)).json.token];
			const keyOf = async (of: string) => `${api.connection.name}:session:${await api.personMacs.one("session", of)}`;
			const key = await keyOf(token);
			const [kept, theirs] = [(await redis.get(key)) ?? "", (await redis.get(await keyOf(foreign))) ?? ""];
			const seenAs = async () => {
				const given = { ...bearer(token), address: "192.0.2.77" };
				const { status, json } = await call("GET", "/session", undefined, given);
				return status === 200 ? json.personId : json.code;
			};
			const withoutHash = kept.slice(kept.indexOf("{"));
			for (const put of [kept.replaceAll(person.id, other.id), theirs, withoutHash, ` ${withoutHash}`, ""]) {
				assert.notEqual(put, kept);
				await redis.set(key, put);
				assert.equal(await seenAs(), "unauthenticated", put);
			}
			await redis.set(key, kept);
			assert.equal(await seenAs(), person.id);
			// Somebody else's among one's own is neither shown nor there to be ended.
			const mac = (await keyOf(foreign)).split(":").at(-1) as string;
			await redis.sadd(`${api.connection.name}:sessions:${person.id}`, mac);
			const { items } = (await call("GET", "/sessions", undefined, bearer(token))).json;
			const { id } = (await call("GET", "/session", undefined, bearer(foreign))).json;
			assert.ok(items.length > 0 && !items.some((one: { id: string }) => one.id === id));
		});

		it("has the roles that its person has now", async () => {
			const person = await enrolled(["auditor"]);
			const { token } = (await signIn(person)).json;
			assert.equal((await call("GET", "/queues", undefined, bearer(token))).status, 403);
			await api.people.setRoles("admin", tenantId, person.id, ["operator"]);
			api.time.offsetMs += 501;
			assert.equal((await call("GET", "/queues", undefined, bearer(token))).status, 200);
			assert.equal((await call("GET", "/evidence", undefined, bearer(token))).status, 403);
		});

		it("in a cookie is bound to this host, hidden from scripts, and changes nothing for another site", async () => {
			const person = await enrolled(["compliance"]);
			const { cookie, json } = await signIn(person, { as: "cookie" }, { headers: { origin } });
			assert.equal(json.token, undefined);
			assert.match(
				cookie,
				/^__Host-lethe_session=lethe_session_[\w-]{43}; Max-Age=\d+; Path=\/; HttpOnly; Secure; SameSite=Strict$/,
			);
			const [pair = ""] = cookie.split(";");
			const withCookie = (more: Record<string, string> = {}) => ({ headers: { cookie: pair, ...more } });
			assert.equal((await call("GET", "/session", undefined, withCookie())).status, 200);
			const placing = { scope: "tenant", ground: "litigation", reason: "case_7", reviewAt: "2030-01-01T00:00:00Z" };
			for (const more of [{}, { origin: "https://evil.example" }, { origin: "null" }] as Record<string, string>[]) {
				const refused = await call("POST", "/holds", placing, withCookie(more));
				assert.deepEqual([refused.status, refused.json.code], [403, "cross_origin"]);
			}
			const body = { login: person.login, password, code: codeOf(person.secret) };
			const login = await call("POST", "/session", body, { headers: { origin: "https://evil.example" } });
			assert.equal(login.json.code, "cross_origin");
			const ended = await call("POST", "/session/end", {}, withCookie({ origin }));
			assert.equal(ended.status, 204);
			assert.match(ended.cookie, /^__Host-lethe_session=; .*Expires=Thu, 01 Jan 1970/);
			assert.equal((await call("GET", "/session", undefined, withCookie())).status, 401);
		});

		it("in a cookie, without the origin of a page of ours, begins nothing, and uses nothing up", async () => {
			const [person, invited] = [await enrolled(), await invite()];
			const { cookie } = await signIn(person, { as: "cookie" }, { headers: { origin } });
			const [pair = ""] = cookie.split(";");
			const { totp } = (await call("POST", "/enrolment", { token: invited.enrolmentToken })).json;
			const again = { login: person.login, password, code: codeOf(person.secret), as: "token" };
			const [recoveryCode] = person.recoveryCodes;
			const recovered = { login: person.login, password, recoveryCode, as: "token" };
			const first = { token: invited.enrolmentToken, password, code: codeOf(totp.secret), as: "token" };
			for (const [path, body] of [
				["/session", again],
				["/session", recovered],
				["/enrolment/complete", first],
			] as const) {
				const refused = await call("POST", path, body, { headers: { cookie: pair } });
				assert.deepEqual([refused.status, refused.json.code], [403, "cross_origin"], path);
				assert.equal((await call("POST", path, body)).status, 201, "what was shown is good still");
			}
		});

		it("is replaced by signing in again, which is how a second factor is made fresh", async () => {
			const person = await enrolled();
			const { token } = (await signIn(person)).json;
			api.time.offsetMs += api.sessionLimits.freshMfaMs + 1;
			const renew = () => call("POST", "/session/recovery-codes", {}, bearer(token));
			assert.equal((await renew()).json.code, "fresh_mfa_required");
			const again = (await signIn(person, {}, bearer(token))).json.token;
			assert.equal((await call("GET", "/session", undefined, bearer(token))).status, 401);
			const codes = await call("POST", "/session/recovery-codes", {}, bearer(again));
			assert.equal(codes.json.recoveryCodes.length, limits.recoveryCodeItems);
			const [old = ""] = person.recoveryCodes;
			assert.equal((await call("POST", "/session", { login: person.login, password, recoveryCode: old })).status, 401);
			const changed = await call(
				"POST",
				"/session/password",
				{ password: "another ferry, another oak" },
				bearer(again),
			);
			assert.equal(changed.status, 204);
			api.time.offsetMs += 501;
			assert.equal((await call("GET", "/session", undefined, bearer(again))).status, 401);
			assert.equal((await signIn(person)).status, 401);
			assert.equal((await signIn(person, { password: "another ferry, another oak" })).status, 201);
		});
	});
});
