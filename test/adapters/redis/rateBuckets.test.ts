// Token buckets on a real Redis: exact over time, shared by whoever asks, and never half taken.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, describe, it } from "node:test";
import { Redis } from "ioredis";
import { createRateBuckets } from "../../../adapters/redis/rateBuckets.ts";

describe("rate buckets", () => {
	const prefix = `t${randomBytes(6).toString("hex")}`;
	const connections = [new Redis(process.env.REDIS_URL as string), new Redis(process.env.REDIS_URL as string)];
	const [buckets, others] = connections.map((connection) => createRateBuckets({ connection, prefix })) as [
		ReturnType<typeof createRateBuckets>,
		ReturnType<typeof createRateBuckets>,
	];
	after(async () => {
		const keys = await (connections[0] as Redis).keys(`${prefix}:*`);
		if (keys.length > 0) await (connections[0] as Redis).del(keys);
		for (const connection of connections) connection.disconnect();
	});
	let sequence = 0;
	const bucketOf = (segmentsPerSecond: number) => ({ name: `b${sequence++}`, segmentsPerSecond });
	const hour = 3600_000;

	it("give turns at their rate, segment by segment, to two that ask at once", async () => {
		const bucket = bucketOf(100);
		const asked = Array.from({ length: 200 }, (_, index) =>
			(index % 2 ? buckets : others).take([bucket], 1 + (index % 3), hour),
		);
		const turns = await Promise.all(asked);
		assert.ok(turns.every(({ taken }) => taken));
		const segments = Array.from({ length: 200 }, (_, index) => 1 + (index % 3)).reduce((sum, one) => sum + one);
		const last = Math.max(...turns.map(({ waitMs }) => waitMs));
		// What is asked for while they are being asked passes, and a tenth of a second is saved up.
		assert.ok(last > segments * 10 - 1_000 && last <= segments * 10, `${last} ms for ${segments}`);
	});

	it("have a tenth of a second saved up, however long they were idle, and no more", async () => {
		const bucket = bucketOf(20);
		const turns = [];
		for (let index = 0; index < 4; index++) turns.push(await buckets.take([bucket], 1, hour));
		assert.deepEqual(
			turns.slice(0, 2).map(({ waitMs }) => waitMs),
			[0, 0],
		);
		assert.ok((turns[3]?.waitMs ?? 0) > 0);
	});

	it("that can't give in time give nothing, and the one asked with them keeps what it has", async () => {
		const [slow, quick] = [bucketOf(1), bucketOf(10)];
		assert.deepEqual(await buckets.take([slow], 10, 0), { taken: true, waitMs: 0 });
		const refused = await buckets.take([quick, slow], 1, 500);
		assert.equal(refused.taken, false);
		assert.ok(refused.waitMs > 5_000);
		for (let index = 0; index < 2; index++) assert.equal((await buckets.take([quick], 1, 0)).taken, true);
	});

	it("go on at their rate after the clock of Redis was set back, or another Redis took over whose clock is behind", async () => {
		const redis = connections[0] as Redis;
		const bucket = bucketOf(10);
		const key = `${prefix}:rate:${bucket.name}`;
		await buckets.take([bucket], 5, 0);
		// As it would stand there, had it been written by a clock that was an hour ahead.
		const written = (await redis.get(key)) as string;
		const ahead = written.replace(/\d+\.\d+/g, (time) => (Number(time) + hour).toFixed(3));
		await redis.set(key, ahead, "PX", hour);
		const { taken, waitMs } = await buckets.take([bucket], 1, 1_000);
		assert.ok(taken && waitMs > 0 && waitMs <= 500, `${taken} ${waitMs}`);
		await redis.set(key, ahead, "PX", hour);
		await buckets.hold(bucket.name, 2_000);
		const held = await buckets.take([bucket], 1, 0);
		assert.ok(!held.taken && held.waitMs <= 2_000, `${held.waitMs}`);
	});

	it("leave no key behind once they are full again", async () => {
		const bucket = bucketOf(1);
		await buckets.take([bucket], 1, 0);
		const ttl = await (connections[0] as Redis).pttl(`${prefix}:rate:${bucket.name}`);
		assert.ok(ttl > 0 && ttl <= 1_200, `${ttl}`);
	});

	it("throw when Redis is away", async () => {
		const away = new Redis({ port: 1, lazyConnect: true, maxRetriesPerRequest: 0, retryStrategy: () => null });
		away.on("error", () => undefined);
		await assert.rejects(createRateBuckets({ connection: away, prefix }).take([bucketOf(1)], 1, 0));
	});
});
