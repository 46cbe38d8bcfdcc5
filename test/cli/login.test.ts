// `lethe login` as a shell sees it: enrol, sign in, act as a person, sign out; the token stays in a file of its owner's.

import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { text } from "node:stream/consumers";
import { after, before, describe, it, test } from "node:test";
import { TOTP } from "otpauth";
import { putIdentityProvider } from "../../cli/administer.ts";
import { ssoCallbackPath } from "../../domain/person.ts";
import { personPassword as password } from "../../stack/enrolPerson.ts";
import { createTestApi, type TestApi } from "../api/harness.ts";
import { freePort } from "../harness/freePort.ts";
import { createBrowser, type OpenidProvider, startOpenidProvider } from "../harness/openidProvider.ts";
import { bareEnvironment, run, start } from "../harness/programs.ts";

describe("lethe login", () => {
	const home = mkdtempSync(join(tmpdir(), "lethe-login-"));
	const env = bareEnvironment({ HOME: home });
	const file = join(home, ".config", "lethe", "sessions.json");
	let api: TestApi;
	let provider: OpenidProvider;
	let url: string;
	let tenantId: string;
	let token: string;
	let secret: string;
	before(async () => {
		const port = await freePort();
		url = `http://127.0.0.1:${port}`;
		api = await createTestApi(() => ({ publicUrl: url }));
		provider = await startOpenidProvider();
		({ tenantId } = await api.addTenant({ governsPolicies: true }));
		const person = { tenantId, login: "kim", name: "Kim", roles: ["approver" as const] };
		token = (await api.people.invite("admin", person)).enrolmentToken;
		await api.app.listen({ host: "127.0.0.1", port });
	});
	after(async () => {
		provider.close();
		await api.close();
		rmSync(home, { recursive: true, force: true });
	});

	const lethe = (args: string[], input = "") =>
		run(process.execPath, ["cli/lethe.ts", ...args, "--url", url], { env, input });
	const list = () => lethe(["policy", "proposals"]);
	const kept = () => JSON.parse(readFileSync(file, "utf8"))[url]?.token as string | undefined;
	/** Steps on to the next code, and says it. */
	function nextCode(): string {
		api.time.offsetMs += 30_000;
		return new TOTP({ secret }).generate({ timestamp: api.clock() });
	}

	it("judges a password before anything is set up for it, and leaves the token good", async () => {
		const refused = await lethe(["login", "--enrol"], `${token}\nshort\n`);
		assert.equal(refused.code, 2);
		assert.match(refused.error, /password_refused: it has fewer than 12 characters\. [^\n]+ still good\.\n$/);
		assert.ok(!/otpauth/.test(refused.out + refused.error));
	});

	it("enrols by the token from an administrator, shows what is shown once, and signs in", async () => {
		const args = ["cli/lethe.ts", "login", "--enrol", "--json", "--url", url];
		const enrolling = start(process.execPath, args, { env, stdin: "pipe" });
		const out = text(enrolling.child.stdout);
		enrolling.child.stdin?.write(`${token}\n${password}\n`);
		[, secret = ""] = await enrolling.says(/^ {2}([A-Z2-7]{32})$/m);
		// Mistyped, it is asked for again: run anew, the command would make another secret.
		const right = nextCode();
		enrolling.child.stdin?.write(
			`${right.slice(1)}\n${right.replace(/^./, (digit) => String((Number(digit) + 5) % 10))}\n`,
		);
		enrolling.child.stdin?.write(`${right}\n`);
		assert.equal(await enrolling.exited, 0, enrolling.output());
		assert.match(enrolling.output(), /otpauth:\/\/totp\/Lethe:kim\?/);
		assert.equal(enrolling.output().match(/^ {2}\w{4}-\w{4}-\w{4}-\w{4}$/gm)?.length, 10);
		assert.deepEqual(JSON.parse(await out).roles, ["approver"], "what a person reads is not in a script's way");
		assert.equal(statSync(file).mode & 0o777, 0o600);
		assert.ok(!enrolling.output().includes(kept() ?? "-"), "the token is for the file");
	});

	it("asks for no further code once the token is not good any more: another has used it meanwhile", async () => {
		const person = { tenantId, login: "ann", name: "Ann", roles: ["auditor" as const] };
		const { enrolmentToken } = await api.people.invite("admin", person);
		const enrolling = start(process.execPath, ["cli/lethe.ts", "login", "--enrol", "--url", url], {
			env,
			stdin: "pipe",
		});
		enrolling.child.stdin?.write(`${enrolmentToken}\n${password}\n`);
		const [, shown = ""] = await enrolling.says(/^ {2}([A-Z2-7]{32})$/m);
		const code = new TOTP({ secret: shown }).generate({ timestamp: api.clock() });
		const body = JSON.stringify({ token: enrolmentToken, password, code, as: "token" });
		const headers = { "content-type": "application/json" };
		assert.equal((await fetch(`${url}/v1/enrolment/complete`, { method: "POST", headers, body })).status, 201);
		enrolling.child.stdin?.end(`${code}\n${code}\n`);
		assert.equal(await enrolling.exited, 2, enrolling.output());
		assert.deepEqual(enrolling.output().match(/enrolment_invalid/g), ["enrolment_invalid"]);
	});

	it("has the commands that follow act as that person, unless a key is named", async () => {
		assert.equal((await list()).code, 0);
		const wrong = await lethe(["policy", "proposals", "--key", "lethe_key_that-nobody-has"]);
		assert.match(wrong.error, /unauthenticated: .*Give a live key with --key, or sign in again with `lethe login`/);
	});

	it("signs out here and at the API, and says that nobody is signed in", async () => {
		const before = kept();
		const { code, out } = await lethe(["logout", "--json"]);
		assert.deepEqual([code, JSON.parse(out)], [0, { signedOut: true }]);
		assert.equal(kept(), undefined);
		const headers = { authorization: `Bearer ${before}` };
		assert.equal((await fetch(`${url}/v1/session`, { headers })).status, 401);
		const nobody = await lethe(["logout"]);
		assert.deepEqual([nobody.code, /^nobody was signed in at [^\n]+\n$/.test(nobody.out)], [1, true]);
		const again = await lethe(["logout", "--json"]);
		assert.deepEqual([again.code, JSON.parse(again.out)], [1, { signedOut: false }]);
	});

	it("signs in again by password and code, in one line says what was wrong, and never repeats it", async () => {
		const wrong = await lethe(["login", "--login", "kim"], `${password}\n000000\n`);
		assert.equal(wrong.code, 2);
		assert.match(wrong.error, /lethe login: sign_in_failed: [^\n]+ Try again with the next code; [^\n]+\n$/);
		assert.ok(!wrong.error.includes(password));
		const cut = await lethe(["login", "--login", "kim"], "");
		assert.match(cut.error, /no answer to "Password:"\. Give one line for each question\.\n$/);
		const right = await lethe(["login", "--login", "kim", "--json"], `${password}\n${nextCode()}\n`);
		assert.equal(right.code, 0, right.error);
		assert.deepEqual([JSON.parse(right.out).roles, "token" in JSON.parse(right.out)], [["approver"], false]);
		assert.equal((await list()).code, 0);
	});

	it("signs in by the tenant's provider through a browser, which gets neither the session nor what fetches it", async () => {
		await lethe(["logout"]);
		// The provider's clock is the real one.
		api.time.offsetMs = 0;
		const about = { url: provider.url, tenantId, clientId: "lethe", authentication: "client_secret_basic" } as const;
		const mfa = { amr: [["mfa"]] };
		provider.register(`${url}${ssoCallbackPath(api.ids.derive("identityProvider", provider.url))}`);
		await putIdentityProvider(api, { ...about, mfa }, provider.clientSecret);
		const person = { tenantId, login: "lee", name: "Lee", roles: ["auditor" as const] };
		const { enrolmentToken } = await api.people.invite("admin", person);
		const bySso = async (more: string[], input = "", browser = createBrowser()) => {
			const args = ["cli/lethe.ts", "login", "--sso", provider.url, "--url", url, ...more];
			const signingIn = start(process.execPath, args, { env, stdin: "pipe" });
			signingIn.child.stdin?.write(input);
			const [, there = ""] = await signingIn.says(/^ {2}(http\S+)$/m);
			const back = await browser.visit(await browser.follow(there, url));
			const shown = await browser.visit(back.headers.get("location") as string);
			assert.match(await shown.text(), /You may close this window/);
			return {
				code: await signingIn.exited,
				output: signingIn.output(),
				there,
				back: back.headers.get("location") ?? "",
			};
		};
		const enrolling = await bySso(["--enrol"], `${enrolmentToken}\n`);
		assert.equal(enrolling.code, 0, enrolling.output);
		assert.match(enrolling.output, /signed in as usr_\w+ \(auditor\)/);
		assert.ok(!enrolling.there.includes("prompt=login") && !enrolling.back.includes(kept() ?? "-"));
		assert.equal((await list()).code, 0);
		const before = kept();
		const again = await bySso([]);
		assert.deepEqual([again.code, again.there.includes("prompt=login")], [0, true], again.output);
		assert.notEqual(kept(), before);
		provider.state.user = { sub: "kim", amr: ["pwd"] };
		const refused = await bySso([]);
		assert.equal(refused.code, 1);
		assert.match(refused.output, /lethe login: sso_mfa_missing: [^\n]+\n/);
	});

	it("tells whoever comes with a key to sign in, where only a person may", async () => {
		const { key } = await api.addKey(tenantId, ["approver"]);
		const refused = await lethe(["policy", "approve", "prp_x", "--key", key]);
		assert.match(refused.error, /person_required: .*Sign in with `lethe login`, and leave --key out\.\n$/);
	});
});

test("signs out only once the session is over: what may be open is kept, and said to be", async (t) => {
	const home = mkdtempSync(join(tmpdir(), "lethe-logout-"));
	t.after(() => rmSync(home, { recursive: true }));
	const statuses = [503, 401];
	const server = createServer((_, answer) => answer.writeHead(statuses.shift() ?? 500).end()).listen(0, "127.0.0.1");
	t.after(() => server.close());
	await once(server, "listening");
	const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
	const file = join(home, ".config", "lethe", "sessions.json");
	mkdirSync(dirname(file), { recursive: true });
	writeFileSync(file, JSON.stringify({ [url]: { token: "t", endsAt: "2999-01-01T00:00:00Z" } }));
	const logout = () =>
		run(process.execPath, ["cli/lethe.ts", "logout", "--url", url], { env: bareEnvironment({ HOME: home }) });
	const open = await logout();
	assert.deepEqual([open.code, open.out], [2, ""]);
	assert.match(open.error, /^lethe logout: [^\n]+ The session may be open still: run this again\.\n$/);
	const over = await logout();
	assert.deepEqual([over.code, over.out, readFileSync(file, "utf8")], [0, `signed out of ${url}\n`, "{}\n"]);
});
