// Idempotency-Key for POSTs without an id of their own: once, the same answer, one caller's, and not for ever.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { createApiKeyAuthenticator } from "../../../api/authenticators/apiKey.ts";
import { createKeyring } from "../../../api/authenticators/keyring.ts";
import { createInstance } from "../../../api/instance.ts";
import { createMetrics } from "../../../api/metrics.ts";
import { addAuth } from "../../../api/plugins/auth.ts";
import { addIdempotency } from "../../../api/plugins/idempotency.ts";
import { LetheError } from "../../../domain/errors.ts";
import { createTestApi, type TestApi } from "../harness.ts";

describe("Idempotency-Key", () => {
	let api: TestApi;
	let key: string;
	let tenantId: string;
	let principal: { id: string };
	let runs = 0;
	let act: () => Promise<object> = async () => ({});
	let app: ReturnType<typeof createInstance>;
	before(async () => {
		api = await createTestApi();
		const tenant = await api.addTenant();
		({ key, tenantId } = tenant);
		principal = { id: tenant.keyId };
		app = createInstance(api);
		const keyring = createKeyring({ ...api, metrics: createMetrics() });
		addAuth(app, [createApiKeyAuthenticator({ ...api, keyring })]);
		addIdempotency(app, api);
		app.post("/acts", async () => {
			runs++;
			return { runs, ...(await act()) };
		});
		app.post("/secrets", { config: { secretAnswer: true } }, async () => {
			runs++;
			return { secret: "xyzzy", ...(await act()) };
		});
	});
	after(async () => {
		await app.close();
		await api.close();
	});

	const post = async (idempotencyKey: string, payload: object = {}, by = key, url = "/acts") => {
		const headers = { authorization: `Bearer ${by}`, "idempotency-key": idempotencyKey };
		const answer = await app.inject({ method: "POST", url, headers, payload });
		return { status: answer.statusCode, json: answer.json(), replayed: answer.headers["idempotency-replayed"] };
	};

	it("the first answer is given again, to its caller only", async () => {
		act = async () => ({});
		const first = await post("a");
		const repeat = await post("a");
		assert.deepEqual(repeat, { ...first, replayed: "true" });
		const { key: sibling } = await api.addKey(tenantId);
		const other = await post("a", {}, sibling);
		assert.notEqual(other.json.runs, first.json.runs);
	});

	it("what can be neither stored nor hashed is refused, and is no failure of ours", async () => {
		const before = runs;
		const send = async (payload: string) => {
			const headers = { authorization: `Bearer ${key}`, "content-type": "application/json", "idempotency-key": "odd" };
			const answer = await app.inject({ method: "POST", url: "/acts", headers, payload });
			const { code, errors = [] } = answer.json();
			return [answer.statusCode, code, errors[0]?.pointer];
		};
		assert.deepEqual(await send('{"a":[{"name":"\\ud800"}]}'), [400, "invalid_request", "/a/0/name"]);
		assert.deepEqual(await send('{"a":{"x\\udc00":1}}'), [400, "invalid_request", "/a"]);
		assert.deepEqual(await send(`{"a":${"[".repeat(9_000)}${"]".repeat(9_000)}}`), [400, "invalid_request", ""]);
		assert.equal(runs, before);
		// What is read as infinite is a number like others; a whole pair is a character.
		assert.equal((await send('{"a":1e999,"b":"\\ud83d\\ude00"}'))[0], 200);
		assert.equal((await send('{"a":1e999,"b":"\\ud83d\\ude01"}'))[1], "idempotency_mismatch");
	});

	it("an answer with a secret is never kept: a repeat runs nothing, and says so", async () => {
		const first = await post("secret", {}, key, "/secrets");
		assert.equal(first.json.secret, "xyzzy");
		const before = runs;
		const repeat = await post("secret", {}, key, "/secrets");
		assert.deepEqual([repeat.status, repeat.json.code, repeat.replayed], [409, "answer_not_kept", "true"]);
		assert.equal(runs, before);
		const stored = await api.connection.collection("idempotencyKeys").find({}).toArray();
		assert.ok(!JSON.stringify(stored).includes("xyzzy"));
		act = async () => Promise.reject(new LetheError("not_found"));
		const refused = await post("refused", {}, key, "/secrets");
		assert.deepEqual(await post("refused", {}, key, "/secrets"), { ...refused, replayed: "true" });
		act = async () => ({});
	});

	it("another body is refused and runs nothing", async () => {
		await post("b", { n: 1 });
		const before = runs;
		const other = await post("b", { n: 2 });
		assert.deepEqual([other.status, other.json.code], [422, "idempotency_mismatch"]);
		assert.equal(runs, before);
		assert.equal((await post("b", { n: 1 })).replayed, "true");
	});

	it("while the first runs, a repeat is told so", async () => {
		let finish: (value: object) => void = () => undefined;
		const running = new Promise<void>((started) => {
			act = () => {
				started();
				return new Promise((resolve) => {
					finish = resolve;
				});
			};
		});
		const first = post("c");
		await running;
		const second = await post("c");
		assert.deepEqual([second.status, second.json.code], [409, "idempotency_in_progress"]);
		finish({});
		assert.equal((await first).status, 200);
		act = async () => ({});
		assert.equal((await post("c")).replayed, "true");
	});

	it("a key whose process died is taken over once its time is up, by one repeat", async () => {
		let dead = true;
		act = () => (dead ? new Promise(() => undefined) : Promise.resolve({}));
		const before = runs;
		void post("d").catch(() => undefined);
		while (runs === before) await new Promise((resolve) => setImmediate(resolve));
		dead = false;
		api.time.offsetMs += 61_000;
		const answers = await Promise.all([post("d"), post("d"), post("d")]);
		api.time.offsetMs = 0;
		assert.equal(runs, before + 2);
		assert.ok(answers.every(({ status }) => status === 200 || status === 409));
		assert.equal(answers.filter(({ status, replayed }) => status === 200 && !replayed).length, 1);
	});

	it("a run that was taken over, and is done all the same, settles nothing of its successor's", async () => {
		const endings: ((value: object) => void)[] = [];
		act = () => new Promise((resolve) => void endings.push(resolve));
		const begun = async (count: number) => {
			while (endings.length < count) await new Promise((resolve) => setImmediate(resolve));
		};
		const first = post("late");
		await begun(1);
		api.time.offsetMs += 61_000;
		const second = post("late");
		await begun(2);
		endings[0]?.({ by: "the first" });
		assert.equal((await first).json.by, "the first");
		assert.equal((await post("late")).json.code, "idempotency_in_progress");
		endings[1]?.({ by: "the second" });
		const answered = await second;
		assert.deepEqual(await post("late"), { ...answered, replayed: "true" });
		api.time.offsetMs = 0;
		act = async () => ({});
	});

	it("a refusal is the answer; a failure that may pass is not", async () => {
		act = async () => {
			throw new LetheError("not_cancellable");
		};
		assert.equal((await post("e")).status, 409);
		act = async () => ({});
		const refused = await post("e");
		assert.deepEqual([refused.status, refused.json.code, refused.replayed], [409, "not_cancellable", "true"]);
		act = async () => {
			throw new LetheError("store_unavailable");
		};
		assert.equal((await post("f")).status, 503);
		act = async () => ({});
		const again = await post("f");
		assert.deepEqual([again.status, again.replayed], [200, undefined]);
	});

	it("keys that are too long, empty or not visible are refused", async () => {
		for (const bad of ["x".repeat(129), "", "a b", "a\tb"]) {
			const answer = await post(bad);
			assert.deepEqual([answer.status, answer.json.code], [400, "invalid_request"], bad.slice(0, 5));
		}
	});

	describe("across a rotation of the keyed hash", () => {
		const version = async () => (await api.hmac.mac("idempotency", undefined, "")).version;
		const rotate = async () => {
			const before = await version();
			api.vault.rotate("hmac-idempotency");
			// Longer than the versions that were read are held.
			api.time.offsetMs += 300_000;
			while ((await version()) === before) await new Promise((resolve) => setImmediate(resolve));
		};

		it("a repeat is answered as before, another body is refused, and neither runs", async () => {
			act = async () => ({});
			const first = await post("g", { n: 1 });
			await rotate();
			const before = runs;
			assert.deepEqual(await post("g", { n: 1 }), { ...first, replayed: "true" });
			assert.equal((await post("g", { n: 2 })).json.code, "idempotency_mismatch");
			assert.equal(runs, before);
		});

		it("a key whose process died is taken over where it stands", async () => {
			let dead = true;
			act = () => (dead ? new Promise(() => undefined) : Promise.resolve({}));
			const before = runs;
			void post("h").catch(() => undefined);
			while (runs === before) await new Promise((resolve) => setImmediate(resolve));
			dead = false;
			await rotate();
			const answers = await Promise.all([post("h"), post("h"), post("h")]);
			assert.equal(runs, before + 2);
			assert.equal(answers.filter(({ status, replayed }) => status === 200 && !replayed).length, 1);
			assert.equal((await post("h")).replayed, "true");
		});

		it("claimed by two processes under two versions at once, none runs that saw the other", async () => {
			act = async () => ({});
			await rotate();
			const { id: principalId } = principal;
			const macs = await api.hmac.allMacs("idempotency", undefined, JSON.stringify([tenantId, principalId, "i"]));
			const theirs = api.ids.derive("request", macs.at(-1)?.mac as string);
			const { idempotencyKeys } = api.store;
			let startedAt = 0;
			const claimBeside: typeof idempotencyKeys.claim = async (document) => {
				startedAt = document.startedAt;
				await idempotencyKeys.claim({ ...document, _id: theirs });
				return idempotencyKeys.claim(document);
			};
			const store = { ...api.store, idempotencyKeys: { ...idempotencyKeys, claim: claimBeside } };
			const other = createInstance(api);
			const keyring = createKeyring({ ...api, metrics: createMetrics() });
			addAuth(other, [createApiKeyAuthenticator({ ...api, keyring })]);
			addIdempotency(other, { ...api, store });
			let ran = 0;
			other.post("/acts", async () => ({ ran: ++ran }));
			const headers = { authorization: `Bearer ${key}`, "idempotency-key": "i" };
			const answer = await other.inject({ method: "POST", url: "/acts", headers, payload: {} });
			assert.deepEqual([answer.statusCode, answer.json().code, ran], [409, "idempotency_in_progress", 0]);
			await idempotencyKeys.release({ id: theirs, startedAt });
			assert.equal((await post("i")).status, 200, "the claim that was let go hinders nobody");
			await other.close();
		});
	});

	it("what is kept of a key tells nothing of it, and ends", async () => {
		await post("4915112345678");
		const documents = await api.connection.collection("idempotencyKeys").find({}).toArray();
		assert.ok(documents.length > 0);
		assert.ok(!JSON.stringify(documents).includes("4915112345678"));
		for (const { eraseBy } of documents) assert.ok(eraseBy > 0 && eraseBy <= api.clock() + 25 * 3600_000);
	});
});
