// The client: built as it is published, it repeats safely, gives up in time, and believes only signed webhooks.

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { pathToFileURL } from "node:url";
import { Webhook } from "standardwebhooks";
import { generateKey } from "../../client/e2ee.ts";
import type * as Client from "../../client/index.ts";
import { createTestApi, messageBody, type TestApi } from "../api/harness.ts";
import { root, run } from "../harness/programs.ts";

const url = "https://lethe.example";
const body = (more: object = {}) => messageBody(more) as Client.MessageRequestInput;
const problem = (status: number, code: string, retryable: boolean, headers: Record<string, string> = {}) =>
	new Response(
		JSON.stringify({ type: `${url}/errors/${code}`, title: code, status, code, retryable, requestId: "req_1" }),
		{
			status,
			headers: { "content-type": "application/problem+json", ...headers },
		},
	);

describe("the client", () => {
	const dir = mkdtempSync(join(tmpdir(), "lethe-client-"));
	let client: typeof Client;
	let api: TestApi;
	before(async () => {
		const built = await run(process.execPath, [
			join(root, "node_modules/typescript/bin/tsc"),
			"-p",
			"client",
			"--outDir",
			dir,
		]);
		assert.equal(built.code, 0, built.out + built.error);
		writeFileSync(join(dir, "package.json"), '{"type":"module"}');
		client = (await import(pathToFileURL(join(dir, "index.js")).href)) as typeof Client;
		api = await createTestApi();
	});
	after(async () => {
		await api.close();
		rmSync(dir, { recursive: true });
	});

	/** A client whose requests the API itself answers, after `answers` that a test plays. */
	function open(key: string, answers: (() => Response | Error)[] = []) {
		const seen: { method: string; path: string; headers: Headers }[] = [];
		const fetch: typeof globalThis.fetch = async (to, init = {}) => {
			const { pathname, search } = new URL(String(to));
			const headers = new Headers(init.headers);
			seen.push({ method: init.method ?? "GET", path: `${pathname}${search}`, headers });
			init.signal?.throwIfAborted();
			const played = answers.shift()?.();
			if (played instanceof Error) throw played;
			if (played) return played;
			const answer = await api.app.inject({
				method: (init.method ?? "GET") as "GET",
				url: `${pathname}${search}`,
				headers: Object.fromEntries(headers),
				...(init.body ? { payload: String(init.body) } : {}),
			});
			return new Response(answer.body, {
				status: answer.statusCode,
				headers: answer.headers as Record<string, string>,
			});
		};
		return { seen, lethe: client.createClient({ url: `${url}/`, key, fetch }) };
	}

	it("sends once whatever is repeated: lost answers, 503 and 429, with one key, waiting as it is asked to", async () => {
		const { key } = await api.addTenant();
		const lost = () => new TypeError("fetch failed");
		const { lethe, seen } = open(key, [
			lost,
			() => problem(503, "overloaded", true, { "retry-after": "0" }),
			() => problem(429, "rate_limited", true, { "retry-after": "1" }),
		]);
		const startedAt = performance.now();
		const before = await api.count();
		const { id, state } = await lethe.messages.send(body());
		assert.ok(performance.now() - startedAt >= 1_000);
		assert.match(id, /^msg_/);
		assert.equal(state, "accepted");
		assert.equal(seen.length, 4);
		assert.equal(new Set(seen.map(({ headers }) => headers.get("idempotency-key"))).size, 1);
		assert.equal((await api.count()) - before, 1);
	});

	it("asks anew for the answer of a search that was lost, which is kept nowhere", async () => {
		const { key } = await api.addTenant({ roles: ["compliance"] });
		let asked = 0;
		const fetch: typeof globalThis.fetch = async (to, init = {}) => {
			const { pathname } = new URL(String(to));
			const headers = Object.fromEntries(new Headers(init.headers));
			const payload = String(init.body);
			const answer = await api.app.inject({ method: "POST", url: pathname, headers, payload });
			if (++asked % 2 === 1) throw new TypeError("terminated");
			return new Response(answer.body, {
				status: answer.statusCode,
				headers: answer.headers as Record<string, string>,
			});
		};
		const { to: number } = messageBody();
		const losing = client.createClient({ url, key, fetch });
		assert.deepEqual((await losing.call("searchMessages", { body: { number } })).items, []);
		const claimed = { kty: "OKP", crv: "X25519", x: (await generateKey()).x } as const;
		const challenge = await losing.call("challengeRecipientKey", { body: { number, key: claimed } });
		assert.match(challenge.challenge, /^lethe1\./);
		assert.equal(asked, 4);
	});

	it("repeats of what takes no idempotency key only what was surely not done, never a lost answer", async () => {
		const busy = () => problem(503, "overloaded", true, { "retry-after": "0" });
		const limited = () => problem(429, "rate_limited", true, { "retry-after": "0" });
		const done = () => new Response(null, { status: 204 });
		const again = open("k", [busy, limited, done]);
		await again.lethe.call("signOut", {});
		assert.equal(again.seen.length, 3);
		assert.equal(again.seen[0]?.headers.get("idempotency-key"), null);
		for (const lose of [
			() => new TypeError("fetch failed"),
			() => problem(503, "store_unavailable", true, { "retry-after": "0" }),
			() => new Response("<html>", { status: 502 }),
		]) {
			const once = open("k", [lose, done]);
			await assert.rejects(once.lethe.call("signOut", {}));
			assert.equal(once.seen.length, 1);
			const enrolling = open("k", [lose, done]);
			const body = { token: "t", password: "p", code: "123456" };
			await assert.rejects(enrolling.lethe.call("completeEnrolment", { body }));
			assert.equal(enrolling.seen.length, 1);
		}
	});

	it("repeats nothing that would be refused again, and tells why by code and pointer, never by what was sent", async () => {
		const { key } = await api.addTenant();
		const { lethe, seen } = open(key);
		const refused = await lethe.messages.send(body({ validFor: "soon" })).catch((error: unknown) => error);
		assert.ok(refused instanceof client.LetheProblem);
		assert.deepEqual(
			[refused.status, refused.code, refused.retryable, seen.length],
			[400, "invalid_request", false, 1],
		);
		assert.equal(refused.errors[0]?.pointer, "/validFor");
		assert.match(refused.requestId ?? "", /^req_/);
		assert.ok(!JSON.stringify(refused.problem).includes(messageBody().to));
		const gateway = open(key, [() => new Response("<html>", { status: 502 })]);
		await gateway.lethe.messages.send(body());
		assert.equal(gateway.seen.length, 2);
	});

	it("gives up when its tries or its time are over, and at once when the caller does", async () => {
		const { key } = await api.addTenant();
		const away = () => new TypeError("fetch failed");
		const tired = client.createClient({ url, key, retriesMax: 1, fetch: async () => Promise.reject(away()) });
		await assert.rejects(tired.messages.get("msg_x"), client.LetheUnreachable);
		const busy = async () => problem(503, "overloaded", true, { "retry-after": "20" });
		const silent: typeof fetch = (_, { signal } = {}) =>
			new Promise((_resolve, reject) => signal?.addEventListener("abort", () => reject(signal.reason)));
		const patient = client.createClient({ url, key, timeoutMs: 100, fetch: silent });
		await assert.rejects(patient.messages.get("msg_x"), client.LetheTimeout);
		const leaving = new AbortController();
		const waiting = client.createClient({ url, key, fetch: busy }).messages.get("msg_x", { signal: leaving.signal });
		leaving.abort(new Error("left"));
		await assert.rejects(waiting, /left/);
	});

	it("takes any time that it is given: without end, longer than a timer goes, in parts of a millisecond", async () => {
		const { key } = await api.addTenant();
		const { lethe } = open(key);
		for (const timeoutMs of [Number.POSITIVE_INFINITY, 2 ** 31, 30 * 86_400_000, 20_000.5]) {
			const { id } = await lethe.messages.send(body(), { timeoutMs });
			await lethe.messages.cancel(id, { timeoutMs });
			assert.equal((await lethe.messages.wait(id, { timeoutMs })).state, "cancelled", String(timeoutMs));
		}
	});

	it("tells a refusal at once whose wait is longer than its time, however long that is", async () => {
		for (const seconds of ["31", "86400", "1000000", "9".repeat(400)]) {
			const { lethe, seen } = open("k", [() => problem(429, "limit_reached", true, { "retry-after": seconds })]);
			const startedAt = performance.now();
			const refused = await lethe.messages.send(body()).catch((error: unknown) => error);
			assert.ok(refused instanceof client.LetheProblem, seconds);
			assert.deepEqual([refused.code, refused.retryAfterMs], ["limit_reached", Number(seconds) * 1000]);
			assert.ok(performance.now() - startedAt < 5_000);
			assert.equal(seen.length, 1);
		}
	});

	it("takes the seconds or the date of a Retry-After, and waits by itself where it is neither", async () => {
		const asked = async (header: string) => {
			const fetch = async () => problem(503, "overloaded", true, { "retry-after": header });
			const refused = await client
				.createClient({ url, key: "k", fetch, retriesMax: 0 })
				.messages.get("msg_x")
				.catch((error: unknown) => error);
			assert.ok(refused instanceof client.LetheProblem);
			return refused.retryAfterMs;
		};
		assert.equal(await asked("2"), 2_000);
		const inAMinute = (await asked(new Date(Date.now() + 60_000).toUTCString())) ?? 0;
		assert.ok(inAMinute > 55_000 && inAMinute <= 60_000, String(inAMinute));
		assert.equal(await asked("Wed, 21 Oct 2015 07:28:00 GMT"), 0);
		for (const header of ["1.5", "-5", "soon", ""]) assert.equal(await asked(header), undefined, header);
	});

	it("tells of an address that is none when it is made, not as an API that is not reached", () => {
		for (const none of ["", "lethe.example", "lethe.example:443", "/v1", "ftp://lethe.example"]) {
			assert.throws(() => client.createClient({ url: none, key: "k" }), TypeError, none);
		}
		client.createClient({ url: "HTTPS://lethe.example", key: "k" });
	});

	it("tells at once of an idempotency key that fits no header, and sends nothing", async () => {
		const { lethe, seen } = open("k");
		for (const idempotencyKey of ["訂單-1", "one\ntwo"]) {
			await assert.rejects(lethe.messages.send(body(), { idempotencyKey }), TypeError);
		}
		assert.deepEqual(seen, []);
	});

	it("believes no answer of another type than it asks for: a proxy's page is repeated, and in the end told", async () => {
		const { key } = await api.addTenant();
		const page = (type: string) => () => new Response("<html>Soon again</html>", { headers: { "content-type": type } });
		const { lethe, seen } = open(key, ["text/html", "text/plain", "application/json"].map(page));
		assert.match((await lethe.messages.send(body())).id, /^msg_/);
		assert.equal(seen.length, 4);
		const fetch = async () => page("text/html; charset=utf-8")();
		const never = client.createClient({ url, key, fetch, retriesMax: 0 });
		await assert.rejects(never.messages.send(body()), client.LetheUnreachable);
		await assert.rejects(never.call("getMetrics", {}), client.LetheUnreachable);
	});

	it("reads the answers that are text, and pages where they are asked for", async () => {
		const { key } = await api.addTenant({ roles: ["compliance", "auditor"] });
		const { lethe } = open(key);
		assert.match(String(await lethe.call("getMetrics", {})), /^# HELP /);
		const asked = { query: { format: "html" } } as const;
		assert.match(String(await lethe.call("getProcessingRecord", asked)), /^<!doctype html>/i);
		assert.equal(typeof (await lethe.call("getProcessingRecord", {})), "object");
	});

	it("is called as its README says: the compiler takes that as it stands", async () => {
		const page = readFileSync(join(root, "client/README.md"), "utf8");
		const [, example = ""] = /^```ts\n(.*?)^```$/ms.exec(page) ?? [];
		const given = "declare const to: string, body: string, apiKey: string;\n";
		writeFileSync(join(dir, "example.ts"), given + example.replace('"@lethe/client"', '"./index.js"'));
		const types = ["--typeRoots", join(root, "node_modules/@types"), "--types", "node"];
		const options = ["--ignoreConfig", "--noEmit", "--strict", "--module", "nodenext", ...types];
		const asked = [join(root, "node_modules/typescript/bin/tsc"), ...options, join(dir, "example.ts")];
		const checked = await run(process.execPath, asked);
		assert.equal(checked.code, 0, checked.out + checked.error);
	});

	it("takes ordinary arrays where the API bounds their length: the compiler says so", async () => {
		const { key } = await api.addTenant({ roles: ["admin"] });
		const states: ("delivered" | "undelivered")[] = ["delivered", "undelivered"];
		const body = { url: "https://example.com/hook", states };
		assert.deepEqual((await open(key).lethe.call("createWebhookEndpoint", { body })).states, states);
	});

	it("takes a DELETE for done whose answer was lost, once nothing is there any more, and no other", async () => {
		const { key } = await api.addTenant({ roles: ["admin"] });
		const { lethe } = open(key);
		const make = async () =>
			(await lethe.call("createWebhookEndpoint", { body: { url: "https://example.com/hook" } })).id;
		const lostAfter = async (id: string) => {
			await lethe.call("deleteWebhookEndpoint", { params: { id } });
			return new TypeError("terminated");
		};
		const first = await lethe.call("deleteWebhookEndpoint", { params: { id: await make() } });
		assert.match(first?.id ?? "", /^whe_/);
		const id = await make();
		const lost = await lostAfter(id);
		const repeating = open(key, [() => lost]);
		assert.equal(await repeating.lethe.call("deleteWebhookEndpoint", { params: { id } }), undefined);
		assert.equal(repeating.seen.length, 2);
		const isAbsence = ({ code }: { code?: string }) => code === "not_found";
		await assert.rejects(lethe.call("deleteWebhookEndpoint", { params: { id } }), isAbsence);
		const limited = open(key, [() => problem(429, "rate_limited", true, { "retry-after": "0" })]);
		await assert.rejects(limited.lethe.call("deleteWebhookEndpoint", { params: { id } }), isAbsence);
		const shed = open(key, [() => problem(503, "overloaded", true, { "retry-after": "0" })]);
		await assert.rejects(shed.lethe.call("deleteWebhookEndpoint", { params: { id } }), isAbsence);
		const reading = open(key, [() => lost]);
		await assert.rejects(reading.lethe.call("getWebhookEndpoint", { params: { id } }), isAbsence);
	});

	it("tells that there is no key by an error of its own, sends nothing without one, and repeats nothing", async () => {
		const failed = new Error("the token's server is away");
		let asked = 0;
		const sent: unknown[] = [];
		const send = async (...request: unknown[]) => {
			sent.push(request);
			return Response.json({});
		};
		// Such as of a token server's error, which has no token.
		const none = async () => JSON.parse("{}").access_token as string;
		const keys = [() => Promise.reject(failed), () => assert.fail(failed), () => "not\na header", none, () => ""];
		for (const giveKey of keys) {
			const key = () => {
				asked++;
				return giveKey();
			};
			const error = await client
				.createClient({ url, key, fetch: send as typeof fetch })
				.messages.get("msg_x")
				.catch((thrown: unknown) => thrown);
			assert.ok(error instanceof client.LetheKeyMissing && error.cause instanceof Error);
		}
		assert.deepEqual([asked, sent], [keys.length, []]);
	});

	it("waits for a key as long as for all else of its call, and no longer than the caller does", async () => {
		const never = () => new Promise<string>(() => undefined);
		const waiting = client.createClient({ url, key: never, fetch: () => assert.fail("it is sent"), timeoutMs: 50 });
		await assert.rejects(waiting.messages.get("msg_x"), client.LetheTimeout);
		const leaving = new AbortController();
		const left = waiting.messages.get("msg_x", { signal: leaving.signal, timeoutMs: 30_000 });
		leaving.abort(new Error("left"));
		await assert.rejects(left, /left/);
	});

	it("gives a wait that it asks for its time, beside that of any other call, unless it is told a time", async (context) => {
		const timeout = context.mock.method(AbortSignal, "timeout");
		const answer = () => Response.json({ id: "msg_x", state: "accepted" }, { status: 202 });
		const { lethe, seen } = open("k", [answer, answer, answer]);
		await lethe.messages.send(body());
		await lethe.messages.send(body(), { waitSeconds: 30 });
		await lethe.messages.send(body(), { waitSeconds: 30, timeoutMs: 5_000 });
		const waits = seen.map(({ headers }) => headers.get("prefer"));
		assert.deepEqual(waits, [null, "wait=30", "wait=30"]);
		const times = timeout.mock.calls.map(({ arguments: [ms] }) => ms);
		assert.deepEqual(times, [30_000, 60_000, 5_000]);
	});

	it("walks through a list page by page, and reads, cancels and tries out", async () => {
		const { key } = await api.addTenant({ roles: ["sender", "operator"] });
		const { lethe, seen } = open(key);
		const sent: string[] = [];
		for (let count = 0; count < 5; count++) sent.push((await lethe.messages.send(body())).id);
		const listed: string[] = [];
		for await (const { id } of lethe.messages.list({ limit: 2 })) listed.push(id);
		assert.deepEqual(listed.toSorted(), sent.toSorted());
		assert.equal(seen.filter(({ method }) => method === "GET").length, 3);
		const [first = ""] = sent;
		assert.equal((await lethe.messages.cancel(first)).state, "cancelled");
		assert.equal((await lethe.messages.wait(first)).state, "cancelled");
		const trial = await lethe.messages.tryOut(body());
		assert.equal(trial.segments, 1);
		const asked = seen.length;
		for (const id of ["", ".", ".."]) await assert.rejects(lethe.messages.cancel(id), TypeError);
		assert.equal(seen.length, asked, "nothing else is asked in its place");
	});

	it("waits for a message while the API is away, whatever the clock is set to meanwhile", async (context) => {
		const { key } = await api.addTenant();
		const { id } = await open(key).lethe.messages.send(body());
		await open(key).lethe.messages.cancel(id);
		const away = () => new TypeError("fetch failed");
		const busy = () => problem(503, "overloaded", true, { "retry-after": "0" });
		const still = () => Response.json({ id, state: "accepted" });
		const { lethe, seen } = open(key, [still, away, busy, busy, busy, busy]);
		const waited = lethe.messages.wait(id, { timeoutMs: 30_000 });
		const now = Date.now;
		const clock = context.mock.method(Date, "now", () => now() + 3600_000);
		assert.equal((await waited).state, "cancelled");
		clock.mock.restore();
		assert.equal(seen.length, 7);
		const gone = open(key, [away, away]);
		await assert.rejects(gone.lethe.messages.wait(id, { retriesMax: 1 }), client.LetheUnreachable);
	});

	it("believes a webhook only with a right signature, an honest time and its headers, under any of its secrets", async () => {
		const [old, secret] = ["c2VjcmV0IG9uZSwgMjQgYnl0ZXMh", "c2VjcmV0IHR3bywgMjQgYnl0ZXMh"];
		const at = new Date();
		const text = '{"type":"message.delivered","data":{"id":"msg_x"}}';
		const headers = {
			"Webhook-Id": "evt_1",
			"webhook-timestamp": String(Math.floor(at.getTime() / 1000)),
			"webhook-signature": `v1a,xx v1,AAAA ${new Webhook(secret).sign("evt_1", at, text)}`,
		};
		const opened = await client.unwrap<{ type: string }>(text, headers, {
			secret: [`whsec_${old}`, `whsec_${secret}`],
		});
		assert.deepEqual([opened.id, opened.payload.type], ["evt_1", "message.delivered"]);
		await client.unwrap(new TextEncoder().encode(text), new Headers(headers), { secret });
		const bad: [why: string, text: string, headers: object, secret: string, now?: number][] = [
			["signature_wrong", `${text} `, headers, secret],
			["signature_wrong", text, headers, old],
			["signature_wrong", text, { ...headers, "Webhook-Id": "evt_2" }, secret],
			["stale", text, headers, secret, at.getTime() + 301_000],
			["stale", text, headers, secret, at.getTime() - 301_000],
			["stale", text, { ...headers, "webhook-timestamp": "x" }, secret],
			["headers_missing", text, { ...headers, "webhook-signature": undefined }, secret],
		];
		for (const [reason, told, given, by, now] of bad) {
			await assert.rejects(
				client.unwrap(told, given as Record<string, string>, { secret: by, ...(now ? { now } : {}) }),
				(error) => error instanceof client.WebhookRefused && error.reason === reason,
			);
		}
		await assert.rejects(client.unwrap(text, headers, { secret: "" }), TypeError);
		const [bytes, seconds] = [new Uint8Array([0x22, 0xff, 0x22]), headers["webhook-timestamp"]];
		const signature = createHmac("sha256", Buffer.from(secret, "base64")).update(`evt_1.${seconds}.`).update(bytes);
		const signed = { ...headers, "webhook-signature": `v1,${signature.digest("base64")}` };
		for (const [reason, given] of [
			["signature_wrong", headers],
			["malformed", signed],
		] as const) {
			await assert.rejects(
				client.unwrap(bytes, given, { secret }),
				(error) => error instanceof client.WebhookRefused && error.reason === reason,
			);
		}
	});

	it("needs nothing of Node: what is published names no built-in and no package", () => {
		for (const name of ["index", "client", "errors", "unwrap", "routes"]) {
			const text = readFileSync(join(dir, `${name}.js`), "utf8");
			assert.doesNotMatch(text, /\b(process|Buffer|require)\b(?!\.)|from "(?!\.\/)/, name);
		}
	});
});
