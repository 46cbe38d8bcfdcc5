// Send queues as operators see and stop them: kept in the store, entered before it is done, and nobody else's.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { Failing } from "../../../adapters/redis/health.ts";
import { backlogKey } from "../../../domain/backlog.ts";
import { enqueue } from "../../../domain/transition.ts";
import { createTestApi, type TestApi } from "../harness.ts";

describe("/v1/queues", () => {
	let api: TestApi;
	let tenantId: string;
	let operator: string;
	let sender: string;
	let isRedisAway = false;
	const failing = new Map<string, Failing>();
	before(async () => {
		api = await createTestApi((given) => ({
			sendQueues: {
				...given.sendQueues,
				async failing(names) {
					if (isRedisAway) throw new Error("away");
					return new Map([...failing].filter(([id]) => names.includes(id)));
				},
			},
		}));
		({ tenantId, key: sender } = await api.addTenant({ sendQueue: "own" }));
		operator = (await api.addKey(tenantId, ["operator"])).key;
	});
	after(() => api.close());

	const step = (id: string, name: string, key = operator) => api.request(key, "POST", `/v1/queues/${id}/${name}`, {});
	const stateOf = async (id: string) => {
		const { json } = await api.request(operator, "GET", "/v1/queues");
		return json.items.find((item: { id: string }) => item.id === id)?.state;
	};

	it("are listed with what waits in the store and what Redis tells", async () => {
		const { status, json } = await api.request(operator, "GET", "/v1/queues");
		assert.equal(status, 200);
		assert.deepEqual(json.items, [
			{
				id: "own",
				carrier: "simulator",
				sender: "Lethe",
				state: "open",
				routed: true,
				movesWaiting: false,
				baa: false,
				failing: false,
				registrations: { US: "C-A1" },
				backlog: 0,
				live: { waiting: 0, delayed: 0, active: 0, segmentsPerSecond: 0, senders: 0 },
			},
		]);
	});

	it("say that their carrier fails, why by a code of ours, and nothing of it while Redis is away", async () => {
		const told = async () => {
			const { failing: fails, failure } = (await api.request(operator, "GET", "/v1/queues")).json.items[0];
			return [fails, failure];
		};
		failing.set("own", {});
		assert.deepEqual(await told(), [true, undefined]);
		failing.set("own", { code: "credentials_refused", since: 0 });
		assert.deepEqual(await told(), [true, { code: "credentials_refused", since: "1970-01-01T00:00:00.000Z" }]);
		const gauge = async () => (await api.app.inject("/metrics")).body.match(/^lethe_send_queues_failing (.*)$/m)?.[1];
		assert.equal(await gauge(), "1");
		isRedisAway = true;
		assert.deepEqual(await told(), [undefined, undefined]);
		assert.equal(await gauge(), "Nan");
		isRedisAway = false;
		failing.clear();
	});

	it("pause, drain and resume in the store, each act entered once", async () => {
		for (const [name, state] of [
			["pause", "paused"],
			["pause", "paused"],
			["drain", "draining"],
			["resume", "open"],
		] as const) {
			assert.equal((await step("own", name)).json.state, state);
			assert.equal(await stateOf("own"), state);
			assert.equal((await api.store.sendQueues.find("own"))?.paused, state === "paused");
		}
		const acts = (await api.entries()).filter(({ code }) => code === "own").map(({ type }) => type);
		assert.deepEqual(
			acts.filter((type) => type.startsWith("send_queue_")),
			["send_queue_paused", "send_queue_drained", "send_queue_resumed"],
		);
	});

	it("hand on what waits where their operator says so, until they are resumed or stopped without that word", async () => {
		const { key, tenantId: owner } = await api.addTenant({ sendQueue: "leaving" });
		const keeper = (await api.addKey(owner, ["operator"])).key;
		const ask = async (name: string, body: object) => {
			const { status, json } = await api.request(keeper, "POST", `/v1/queues/leaving/${name}`, body);
			return [status, json.state, json.movesWaiting];
		};
		assert.deepEqual(await ask("pause", { moveWaiting: true }), [200, "paused", true]);
		assert.deepEqual(await ask("pause", {}), [200, "paused", false]);
		assert.deepEqual(await ask("drain", { moveWaiting: true }), [200, "draining", true]);
		assert.deepEqual(await ask("resume", {}), [200, "open", false]);
		assert.equal((await ask("resume", { moveWaiting: true }))[0], 400);
		assert.equal((await api.request(key, "POST", "/v1/queues/leaving/pause", { moveWaiting: true })).status, 403);
		const acts = await api.entries();
		assert.deepEqual(
			acts.filter(({ type, code }) => type.startsWith("send_queue_") && code === "leaving").map(({ type }) => type),
			[
				...["send_queue_paused", "send_queue_emptied", "send_queue_paused"],
				...["send_queue_drained", "send_queue_emptied", "send_queue_resumed"],
			],
		);
	});

	it("are set by their operators: rates, prices and registrations, what is left out staying as it is", async () => {
		const set = (body: object, key = operator) => api.request(key, "POST", "/v1/queues/own/settings", body);
		assert.equal((await set({ prices: { DE: 1 } }, sender)).status, 403);
		for (const wrong of [
			{},
			{ prices: { XY: 1 } },
			{ prices: { DE: -1 } },
			{ registrations: { DE: "4915112345678" } },
		]) {
			assert.equal((await set(wrong)).status, 400, JSON.stringify(wrong));
		}
		const given = { prices: { DE: 0.07, "*": 0.1 }, countryRates: { DE: 5 }, registrations: { US: "C-A1" } };
		await set({ ...given, limitPerSecond: 20 });
		const { json } = await set({ countryRates: null });
		assert.deepEqual([json.prices, json.registrations], [given.prices, given.registrations]);
		assert.deepEqual([json.limitPerSecond, json.countryRates], [20, undefined]);
		await set({ limitPerSecond: null, prices: null, registrations: null });
	});

	it("whose messages nobody knows the fate of list them, and no others, page by page", async () => {
		const { key } = await api.addTenant({ sendQueue: "doubtful" });
		const ids: string[] = [];
		for (let turn = 0; turn < 3; turn++) ids.push((await api.post(key)).json.id);
		const [unknown = "", ambiguous = ""] = ids;
		for (const id of ids) await api.sent(id);
		await api.store.messages.transition({ id: unknown, set: { state: "unknown" } });
		const set = { state: "sending", "attempts.0.outcome": "ambiguous" };
		await api.store.messages.transition({ id: ambiguous, set });
		const list = async (more = "") => (await api.request(key, "GET", `/v1/messages?inDoubt=true${more}`)).json;
		const idsOf = ({ items }: { items: { id: string }[] }) => items.map(({ id }) => id);
		assert.deepEqual(new Set(idsOf(await list())), new Set([unknown, ambiguous]));
		const first = await list("&limit=1");
		const rest = await list(`&limit=1&cursor=${first.next}`);
		assert.deepEqual(new Set([...idsOf(first), ...idsOf(rest)]), new Set([unknown, ambiguous]));
		assert.equal(rest.next, undefined);
	});

	it("that drain are given nothing new, and those that pause keep it", async () => {
		await api.addTenant({ sendQueue: "flow" }).then(async ({ key, tenantId: owner }) => {
			const keeper = (await api.addKey(owner, ["operator"])).key;
			await step("flow", "drain", keeper);
			const { status, json } = await api.post(key);
			assert.deepEqual([status, json.code], [422, "no_route"]);
		});
		await api.addTenant({ sendQueue: "still" }).then(async ({ key, tenantId: owner }) => {
			const keeper = (await api.addKey(owner, ["operator"])).key;
			await step("still", "pause", keeper);
			assert.equal((await api.post(key)).status, 202);
		});
	});

	it("of others answer like absence; shared ones are a matter of who governs; senders see none", async () => {
		const other = await api.addTenant({ sendQueue: "other" });
		assert.equal((await step("other", "pause")).status, 404);
		assert.equal((await step("nowhere", "pause")).status, 404);
		assert.equal((await step("own", "pause", sender)).status, 403);
		assert.equal((await api.request(sender, "GET", "/v1/queues")).status, 403);
		const sharing = await api.addTenant({ sendQueue: "other" });
		const one = (await api.addKey(sharing.tenantId, ["operator"])).key;
		assert.equal((await step("other", "pause", one)).status, 403);
		await api.store.tenants.put({
			...(await api.store.tenants.find(other.tenantId)),
			governsPolicies: true,
		} as never);
		const governor = (await api.addKey(other.tenantId, ["operator"])).key;
		assert.equal((await step("other", "pause", governor)).status, 200);
	});

	it("that others use too tell a tenant of its own messages alone; who governs sees all there is", async () => {
		const [one, other] = [await api.addTenant({ sendQueue: "common" }), await api.addTenant({ sendQueue: "common" })];
		await api.store.sendQueues.set("common", { prices: { "*": 0.07 } });
		for (const [key, count] of [
			[one.key, 2],
			[other.key, 3],
		] as const) {
			for (let index = 0; index < count; index++) {
				const { json } = await api.post(key, { category: index === 0 ? "otp" : "transactional" });
				const message = await api.read(json.id);
				const place = backlogKey(message, api.clock());
				assert.ok(await api.store.messages.transition(enqueue(message, api.clock(), place)));
			}
		}
		const seenBy = async (tenantId: string) => {
			const { key } = await api.addKey(tenantId, ["operator"]);
			return (await api.request(key, "GET", "/v1/queues")).json.items[0];
		};
		const told = await seenBy(one.tenantId);
		assert.deepEqual([told.id, told.shared, told.backlog], ["common", true, 2]);
		for (const name of ["live", "prices", "registrations"]) assert.ok(!(name in told), name);
		assert.equal((await seenBy(other.tenantId)).backlog, 3);
		await api.store.tenants.set(other.tenantId, { governsPolicies: true });
		const all = await seenBy(other.tenantId);
		assert.deepEqual([all.shared, all.backlog, all.prices], [undefined, 5, { "*": 0.07 }]);
		assert.ok(all.live && all.registrations);
	});

	it("that nobody may use yet are listed to who governs, who may set them before; to nobody else", async () => {
		const queue = { _id: "new", carrier: "simulator", sender: "Lethe", settings: {}, paused: false };
		await api.store.sendQueues.put(queue);
		const governing = await api.addTenant({ sendQueue: "governing", governsPolicies: true, roles: ["operator"] });
		const { json } = await api.request(governing.key, "GET", "/v1/queues");
		assert.deepEqual(
			json.items.map(({ id, routed }: { id: string; routed: boolean }) => [id, routed]),
			[
				["governing", true],
				["new", false],
			],
		);
		assert.equal((await step("new", "pause", governing.key)).json.state, "paused");
		assert.equal((await step("own", "pause", governing.key)).status, 404, "another's queue is none of theirs");
		assert.equal((await step("new", "resume")).status, 404);
		assert.equal(await stateOf("new"), undefined);
		await api.store.tenants.set(tenantId, { sendQueues: ["own", "new"] });
		assert.deepEqual([await stateOf("new"), (await step("new", "resume", governing.key)).status], ["paused", 404]);
		await api.store.tenants.set(tenantId, { sendQueues: ["own"] });
	});
});
