// The tenant's own limits at the door: where it sends to, how fast, for how much; explained, and set by its operators.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { createRefund } from "../../activities/refund.ts";
import type { SendQueueDocument } from "../../adapters/mongo/models.ts";
import { LetheError } from "../../domain/errors.ts";
import { limits } from "../../domain/limits.ts";
import { cancel } from "../../domain/transition.ts";
import { createTestApi, messageBody, number, type TestApi } from "./harness.ts";

const american = "+12025550142";

describe("the tenant's own limits", () => {
	let api: TestApi;
	const ranges = new Map<string, number>();
	const down = { spending: false };
	before(async () => {
		api = await createTestApi(({ store, sendQueues }) => ({
			store: {
				...store,
				spending: {
					...store.spending,
					take: (taking) =>
						down.spending ? Promise.reject(new LetheError("store_unavailable")) : store.spending.take(taking),
				},
			},
			sendQueues: {
				...sendQueues,
				async countRange({ tenantId, prefix, messagesMax }, takes) {
					const key = `${tenantId}/${prefix}`;
					const seen = (ranges.get(key) ?? 0) + 1;
					const within = seen <= messagesMax;
					if (takes === "always" || (takes === "within" && within)) ranges.set(key, seen);
					return { within, seen };
				},
			},
		}));
	});
	after(() => api.close());

	const spentOf = async (tenantId: string) =>
		(await api.store.spending.read(tenantId, api.clock())).all?.month?.segments ?? 0;
	const dryRun = async (key: string, more: object = {}) =>
		(await api.request(key, "POST", "/v1/messages?dryRun=true", messageBody(more))).json;

	it("tell whoever counts no more of a number than its country and four digits", async () => {
		const { key, tenantId } = await api.addTenant();
		for (const to of [number, american]) assert.equal((await api.post(key, { to })).status, 202);
		const told = [...ranges.keys()].filter((one) => one.startsWith(tenantId));
		assert.deepEqual(told, [`${tenantId}/DE:1511`, `${tenantId}/US:${american.slice(2, 6)}`]);
	});

	it("send to no country that is not allowed, and say so before anything is stored", async () => {
		const { key } = await api.addTenant({ destinations: ["DE"] });
		assert.equal((await api.post(key)).status, 202);
		const before = await api.count();
		const { status, json } = await api.post(key, { to: american });
		assert.deepEqual([status, json.code, json.reasons], [422, "destination_not_allowed", ["DESTINATION_NOT_ALLOWED"]]);
		assert.equal(await api.count(), before);
		const [destination] = (await dryRun(key, { to: american })).abuse;
		assert.deepEqual(destination, {
			check: "destination",
			verdict: "refused",
			reason: "DESTINATION_NOT_ALLOWED",
			country: "US",
		});
	});

	it("refuse what a budget has no room for, with the counter and when to come again; the rest of a batch passes", async () => {
		const { tenantId, key } = await api.addTenant({ budgets: { DE: { day: { segments: 3 } } } });
		const messages = Array.from({ length: 5 }, () => ({ to: number }));
		const batch = { ...messageBody(), to: undefined, messages };
		const { status, json } = await api.request(key, "POST", "/v1/batches", batch);
		assert.deepEqual([status, json.accepted, json.refused], [202, 3, 2]);
		const errors = json.items.flatMap(({ error }: { error?: { code: string; retryable: boolean } }) => error ?? []);
		const told = errors.map((error: { code: string; retryable: boolean }) => [error.code, error.retryable]);
		assert.deepEqual(told, Array(2).fill(["limit_reached", true]));
		const refused = await api.post(key);
		assert.deepEqual([refused.status, refused.json.code, refused.json.retryable], [429, "limit_reached", true]);
		assert.ok(Number(refused.headers["retry-after"]) > 1);
		assert.deepEqual(refused.json.abuse, [
			{
				...{ check: "budget", verdict: "refused", reason: "BUDGET_EXHAUSTED", country: "DE" },
				...{ unit: "segments", period: "day", limit: 3, seen: 4 },
			},
		]);
		assert.equal((await dryRun(key)).abuse.at(-1).verdict, "refused");
		assert.equal(await spentOf(tenantId), 3, "a dry run spends nothing");
		assert.equal((await api.post(key, { to: american })).status, 202, "another country has room");
	});

	it("refuse a budget of money where the queue has no price", async () => {
		const { key } = await api.addTenant({ sendQueue: "unpriced", budgets: { "*": { month: { cost: 5 } } } });
		const { json } = await api.post(key);
		assert.deepEqual([json.code, json.reasons], ["limit_reached", ["PRICE_UNKNOWN"]]);
		const queue = (await api.store.sendQueues.find("unpriced")) as SendQueueDocument;
		await api.store.sendQueues.put({ ...queue, prices: { "*": 2 } });
		api.time.offsetMs += limits.tenantSeenMs;
		assert.deepEqual([(await api.post(key)).status, (await api.post(key)).status], [202, 202]);
		assert.deepEqual((await api.post(key)).json.abuse[0].seen, 6);
	});

	it("accept nothing on a budget while the store does not answer", async () => {
		const { key } = await api.addTenant({ budgets: { DE: { day: { segments: 3 } } } });
		down.spending = true;
		const { status } = await api.post(key).finally(() => {
			down.spending = false;
		});
		assert.equal(status, 503);
	});

	it("charge a message once, however often it is repeated, and give back what ended surely unsent, once", async () => {
		const { tenantId, key } = await api.addTenant({ budgets: { "*": { day: { segments: 10 } } } });
		const first = await api.post(key, {}, { "idempotency-key": "a-1" });
		await api.post(key, {}, { "idempotency-key": "a-1" });
		const sent = await api.post(key);
		assert.equal(await spentOf(tenantId), 2);
		await api.sent(sent.json.id);
		const refund = createRefund(api);
		await refund(await api.read(first.json.id));
		assert.equal(await spentOf(tenantId), 2, "what is open stays charged");
		const message = await api.read(first.json.id);
		assert.ok(await api.store.messages.transition(cancel(message, api.clock())));
		const ended = await api.read(message._id);
		await Promise.all([refund(ended), refund(ended), refund(ended)]);
		assert.equal(await spentOf(tenantId), 1);
		const handedOver = { ...(await api.read(sent.json.id)), state: "unknown" } as const;
		await refund(handedOver);
		assert.equal(await spentOf(tenantId), 1, "what may have been sent stays charged");
	});

	it("watch the speed of a range of numbers, refuse where told to, and let an exempt range pass", async () => {
		const velocity = { messagesMax: 2, windowSeconds: 600, mode: "monitor" } as const;
		const { tenantId, key } = await api.addTenant({ velocity });
		const set = async (more: object) => {
			await api.store.tenants.set(tenantId, { velocity: { ...velocity, ...more } });
			api.time.offsetMs += limits.tenantSeenMs;
		};
		for (let turn = 0; turn < 2; turn++) await api.post(key);
		const noted = await api.post(key);
		assert.equal(noted.status, 202);
		const verdict = { check: "velocity", country: "DE", verdict: "noted", reason: "PREFIX_VELOCITY" };
		const told = (await api.request(key, "GET", `/v1/messages/${noted.json.id}`)).json.abuse;
		assert.deepEqual(told, [{ ...verdict, windowSeconds: 600, limit: 2, seen: 3 }]);
		await set({ mode: "enforce" });
		const refused = await api.post(key);
		assert.deepEqual([refused.status, refused.json.abuse[0].seen], [429, 4]);
		assert.equal(refused.headers["retry-after"], "600");
		assert.equal((await api.post(key, { to: american })).status, 202, "another range is another count");
		await set({ mode: "enforce", exempt: { "DE:151": 0 } });
		assert.equal((await api.post(key)).status, 202);
	});

	it("are read and set by operators alone, each change entered before it is made", async () => {
		const { tenantId, key } = await api.addTenant({ roles: ["operator"], destinations: [] });
		const sender = (await api.addKey(tenantId, ["sender"])).key;
		const set = (body: object, by = key) => api.request(by, "POST", "/v1/sending-limits", body);
		assert.equal((await set({ destinations: ["DE"] }, sender)).status, 403);
		for (const wrong of [{}, { destinations: ["XY"] }, { destinations: null }, { budgets: { DE: { week: {} } } }]) {
			assert.equal((await set(wrong)).status, 400, JSON.stringify(wrong));
		}
		const until = "2027-01-01T00:00:00.000Z";
		const velocity = { messagesMax: 9, windowSeconds: 60, mode: "enforce", exempt: { "DE:1512": until, FR: null } };
		const budgets = { "*": { month: { cost: 2.5 } } };
		const { json } = await set({ destinations: ["DE"], budgets, velocity, countryRates: { DE: 5 }, regions: ["eu"] });
		assert.deepEqual([json.budgets, json.velocity, json.countryRates], [budgets, velocity, { DE: 5 }]);
		const refused = await set({ velocity: { ...velocity, exempt: { "DE:1512": until, FR: "1970-01-01T00:00:00Z" } } });
		const past = [{ pointer: "/velocity/exempt/FR", detail: "It lies in the past." }];
		assert.deepEqual([refused.status, refused.json.errors], [400, past]);
		const removed = (await set({ budgets: null, regions: null })).json;
		assert.deepEqual([removed.budgets, removed.regions, removed.destinations], [undefined, undefined, ["DE"]]);
		const changes = (await api.entries()).filter(({ type, about }) => type === "tenant_changed" && about === tenantId);
		assert.deepEqual(
			changes.map(({ code }) => code),
			["budgets.countryRates.destinations.regions.velocity", "budgets.regions"],
		);
		await api.store.tenants.set(tenantId, { velocity: { ...velocity, exempt: { US: 1 } } });
		const kept = await set({ velocity: { ...velocity, exempt: { US: new Date(1).toISOString() } } });
		assert.equal(kept.status, 200, "one that has ended since is given again with what stands");
	});

	it("take no time of a year that no answer can say, and can be read after it", async () => {
		const { key } = await api.addTenant({ roles: ["operator"] });
		const exempt = { DE: "9999-12-31T23:59:59-23:59" };
		const body = { velocity: { messagesMax: 9, windowSeconds: 60, mode: "enforce", exempt } };
		const { status, json } = await api.request(key, "POST", "/v1/sending-limits", body);
		assert.deepEqual([status, json.errors?.[0].pointer], [400, "/velocity/exempt/DE"]);
		assert.equal((await api.request(key, "GET", "/v1/sending-limits")).status, 200);
	});
});
