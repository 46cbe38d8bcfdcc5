// Idempotency-Key for POSTs without an id of their own: once, the same answer, one caller's, and not for ever.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { createInstance } from "../../../api/instance.ts";
import { addAuth } from "../../../api/plugins/auth.ts";
import { addIdempotency } from "../../../api/plugins/idempotency.ts";
import { LetheError } from "../../../domain/errors.ts";
import { createTestApi, type TestApi } from "../harness.ts";

describe("Idempotency-Key", () => {
	let api: TestApi;
	let key: string;
	let tenantId: string;
	let runs = 0;
	let act: () => Promise<object> = async () => ({});
	let app: ReturnType<typeof createInstance>;
	before(async () => {
		api = await createTestApi();
		({ key, tenantId } = await api.addTenant());
		app = createInstance(api);
		addAuth(app, api);
		addIdempotency(app, api);
		app.post("/acts", { config: { roles: ["sender"] } }, async () => {
			runs++;
			return { runs, ...(await act()) };
		});
	});
	after(async () => {
		await app.close();
		await api.close();
	});

	const post = async (idempotencyKey: string, payload: object = {}, by = key) => {
		const headers = { authorization: `Bearer ${by}`, "idempotency-key": idempotencyKey };
		const answer = await app.inject({ method: "POST", url: "/acts", headers, payload });
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

	it("what is kept of a key tells nothing of it, and ends", async () => {
		await post("4915112345678");
		const documents = await api.connection.collection("idempotencyKeys").find({}).toArray();
		assert.ok(documents.length > 0);
		assert.ok(!JSON.stringify(documents).includes("4915112345678"));
		for (const { eraseBy } of documents) assert.ok(eraseBy > 0 && eraseBy <= api.clock() + 25 * 3600_000);
	});
});
