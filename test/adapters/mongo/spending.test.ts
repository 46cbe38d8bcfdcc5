// Budgets in a real store: exact however many spend at once, whole or not at all, and gone when the store is.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, describe, it } from "node:test";
import fc from "fast-check";
import { connectMongo, type MongoConnection } from "../../../adapters/mongo/connection.ts";
import { createStore, type Store } from "../../../adapters/mongo/store.ts";
import { type AbuseLimits, chargeOf, countersOf } from "../../../domain/abuse.ts";

describe("spending", () => {
	let connection: MongoConnection;
	let stores: Store[];
	const deps = { clock: () => 1_000, randomToken: () => randomBytes(9).toString("base64url") };
	const at = Date.UTC(2026, 10, 26, 12);
	before(async () => {
		const database = `t${randomBytes(6).toString("hex")}`;
		connection = await connectMongo({ url: process.env.MONGODB_URL as string, database });
		const other = await connectMongo({ url: process.env.MONGODB_URL as string, database });
		stores = [createStore(connection, deps), createStore(other, deps)];
		await stores[0]?.prepare();
	});
	after(async () => {
		await connection.dropDatabase();
		for (const store of stores) await store.close();
	});
	const fresh = () => `ten_${randomBytes(8).toString("hex")}`;
	const spending = (index = 0) => (stores[index % 2] as Store).spending;
	const taking = (tenantId: string, budgets: AbuseLimits["budgets"], segments = 1, country = "DE", when = at) => ({
		tenantId,
		at: when,
		counters: countersOf(chargeOf(when, segments, 0.5), country, budgets),
	});

	it("of many charges at once, from two processes, exactly as many pass as there is room for", async () => {
		const tenantId = fresh();
		const budgets = { "*": { day: { segments: 100 } } };
		const charges = Array.from({ length: 200 }, (_, index) => spending(index).take(taking(tenantId, budgets)));
		const refused = (await Promise.all(charges)).filter((short) => short !== undefined);
		assert.equal(refused.length, 100);
		for (const { counter, seen } of refused) {
			assert.deepEqual([counter.country, counter.period, counter.unit, seen <= 100], ["*", "day", "segments", true]);
		}
		assert.equal((await spending().read(tenantId, at)).all?.day26?.segments, 100);
	});

	it("whatever is asked for, no counter passes its limit, and what is refused is counted nowhere", async () => {
		const amount = fc.record({ segments: fc.integer({ min: 1, max: 12 }), country: fc.constantFrom("DE", "FR") });
		const limit = fc.option(fc.nat(40), { nil: undefined });
		await fc.assert(
			fc.asyncProperty(fc.array(amount, { maxLength: 12 }), limit, limit, limit, async (asked, all, german, money) => {
				const tenantId = fresh();
				const budgets: AbuseLimits["budgets"] = {
					"*": { ...(all !== undefined && { month: { segments: all } }) },
					DE: {
						day: { ...(german !== undefined && { segments: german }), ...(money !== undefined && { cost: money }) },
					},
				};
				const passed: typeof asked = [];
				await Promise.all(
					asked.map(async (one, index) => {
						const short = await spending(index).take(taking(tenantId, budgets, one.segments, one.country));
						if (!short) passed.push(one);
						else assert.ok(short.seen + short.counter.adds > (short.counter.limit ?? 0));
					}),
				);
				const sum = (of: typeof asked) => of.reduce((total, { segments }) => total + segments, 0);
				const inGermany = sum(passed.filter(({ country }) => country === "DE"));
				const spent = await spending().read(tenantId, at);
				assert.equal(spent.all?.month?.segments ?? 0, sum(passed));
				assert.equal(spent.DE?.day26?.cost ?? 0, inGermany * 500_000);
				assert.ok(sum(passed) <= (all ?? Number.POSITIVE_INFINITY));
				assert.ok(inGermany <= Math.min(german ?? Number.POSITIVE_INFINITY, (money ?? Number.POSITIVE_INFINITY) * 2));
			}),
			{ numRuns: 25 },
		);
	});

	it("what is given back is there to be spent; another day and another month have room of their own", async () => {
		const tenantId = fresh();
		const budgets = { DE: { day: { segments: 3 } } };
		assert.equal(await spending().take(taking(tenantId, budgets, 3)), undefined);
		assert.equal((await spending().take(taking(tenantId, budgets, 1)))?.seen, 3);
		await spending().giveBack(taking(tenantId, undefined, 2));
		assert.equal(await spending().take(taking(tenantId, budgets, 2)), undefined);
		assert.ok(await spending().take(taking(tenantId, budgets, 1)));
		for (const later of [at + 24 * 3600_000, Date.UTC(2026, 11, 26)]) {
			assert.equal(await spending().take(taking(tenantId, budgets, 3, "DE", later)), undefined);
		}
		assert.ok(
			await spending().take(taking(tenantId, { DE: { month: { segments: 6 } } }, 1)),
			"the month is all its days",
		);
	});

	it("a store that is away lets nothing pass", async () => {
		const away = await connectMongo({ url: process.env.MONGODB_URL as string, database: "x" });
		const store = createStore(away, deps);
		await away.close();
		await assert.rejects(store.spending.take(taking(fresh(), {})), { code: "store_unavailable" });
	});
});
