// How fast a range of numbers is written to, counted in a real Redis: shared, sliding, and remembered here when Redis forgets.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, describe, it } from "node:test";
import { Redis } from "ioredis";
import { createVelocity } from "../../../adapters/redis/velocity.ts";

describe("velocity", () => {
	const prefix = `t${randomBytes(6).toString("hex")}`;
	let connection: Redis;
	let other: Redis;
	before(() => {
		connection = new Redis(process.env.REDIS_URL as string);
		other = new Redis(process.env.REDIS_URL as string);
	});
	after(() => {
		connection.disconnect();
		other.disconnect();
	});
	// Two windows of a day end within one test only if it runs at midnight: then it counts two of them.
	const range = (of: string, messagesMax: number) => ({
		...{ tenantId: "ten_a", prefix: of, windowSeconds: 86_400, messagesMax },
	});
	const velocityOn = (redis: Redis) =>
		createVelocity({ connection: redis, prefix, monotonic: () => performance.now() });

	it("is one count to all processes: exactly as many are within the limit, however many come at once", async () => {
		const processes = [velocityOn(connection), velocityOn(other)];
		const asked = Array.from({ length: 60 }, (_, index) =>
			(processes[index % 2] as (typeof processes)[0]).count(range("DE:1512", 20), "within"),
		);
		const paces = await Promise.all(asked);
		assert.equal(paces.filter(({ within }) => within).length, 20);
		const { within, seen } = await velocityOn(other).count(range("DE:1512", 20), "never");
		assert.deepEqual([within, seen], [false, 21]);
		assert.equal(
			(await velocityOn(other).count(range("DE:1513", 20), "never")).seen,
			1,
			"another range is another count",
		);
	});

	it("only watched goes on counting beyond the limit", async () => {
		const velocity = velocityOn(connection);
		const paces = [];
		for (let turn = 0; turn < 5; turn++) paces.push(await velocity.count(range("US:2025", 3), "always"));
		assert.deepEqual(
			paces.map(({ within, seen }) => [within, seen]),
			[
				[true, 1],
				[true, 2],
				[true, 3],
				[false, 4],
				[false, 5],
			],
		);
	});

	it("an emptied Redis, and one that is away or hangs, forget nothing that this process counted", async () => {
		const redis = new Redis(process.env.REDIS_URL as string, { maxRetriesPerRequest: 0, enableOfflineQueue: false });
		await new Promise((resolve) => redis.once("ready", resolve));
		const velocity = velocityOn(redis);
		const asked = () => velocity.count(range("FR:6123", 3), "within");
		await asked();
		await asked();
		await connection.del(...(await connection.keys(`${prefix}:velocity:*`)));
		assert.deepEqual(await asked(), { within: true, seen: 3 });
		await connection.del(...(await connection.keys(`${prefix}:velocity:*`)));
		assert.deepEqual(await asked(), { within: false, seen: 4 });
		redis.disconnect();
		assert.deepEqual(await asked(), { within: false, seen: 4 });
		const hanging = createVelocity({
			connection: { defineCommand: () => undefined, countRanges: () => new Promise(() => undefined) } as never,
			prefix,
			monotonic: () => performance.now(),
		});
		assert.deepEqual(await hanging.count(range("FR:6124", 1), "within"), { within: true, seen: 1 });
		assert.deepEqual(await hanging.count(range("FR:6124", 1), "within"), { within: false, seen: 2 });
	});

	it("what Redis is told is the tenant, the country and four digits", async () => {
		await velocityOn(connection).count(range("DE:1514", 3), "always");
		const keys = await connection.keys(`${prefix}:velocity:*1514*`);
		assert.deepEqual(keys, [`${prefix}:velocity:ten_a:DE:1514:86400`]);
		assert.ok((await connection.ttl(keys[0] as string)) > 0);
	});
});
