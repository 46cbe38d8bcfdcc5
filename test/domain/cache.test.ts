// What was read a moment ago is not read again; what failed, was absent or is too old is.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createCache, createMemory } from "../../domain/cache.ts";

describe("cache", () => {
	const setUp = (itemsMax = 10) => {
		const time = { now: 0 };
		const loads: string[] = [];
		const answers: Record<string, number | undefined> = { a: 1, b: 2, c: 3 };
		const find = createCache<number>({
			load: async (key) => {
				loads.push(key);
				if (key === "away") throw new Error("away");
				return answers[key];
			},
			clock: () => time.now,
			ttlMs: 100,
			itemsMax,
		});
		return { time, loads, find };
	};

	it("reads a key once within its time, also for those that ask while it is read", async () => {
		const { time, loads, find } = setUp();
		assert.deepEqual(await Promise.all([find("a"), find("a"), find("b")]), [1, 1, 2]);
		time.now = 99;
		await find("a");
		assert.deepEqual(loads, ["a", "b"]);
		time.now = 100;
		await find("a");
		assert.deepEqual(loads, ["a", "b", "a"]);
	});

	it("remembers neither a failure nor what is absent", async () => {
		const { loads, find } = setUp();
		for (let round = 0; round < 2; round++) {
			await assert.rejects(find("away"));
			assert.equal(await find("absent"), undefined);
		}
		assert.deepEqual(loads, ["away", "absent", "away", "absent"]);
	});

	it("believes nothing for longer than its time after the clock was set back", async () => {
		const { time, loads, find } = setUp();
		time.now = 1_000;
		await find("a");
		time.now = 0;
		await find("a");
		assert.deepEqual(loads, ["a", "a"]);
	});

	it("forgets the oldest beyond its bound", async () => {
		const { loads, find } = setUp(2);
		for (const key of ["a", "b", "c", "b", "a"]) await find(key);
		assert.deepEqual(loads, ["a", "b", "c", "a"]);
	});

	it("a memory keeps each key for its own time", async () => {
		const time = { now: 0 };
		const remember = createMemory({ clock: () => time.now, itemsMax: 10 });
		let reads = 0;
		const read = async () => ++reads;
		await remember("short", 10, read);
		await remember("long", 100, read);
		time.now = 50;
		assert.deepEqual([await remember("short", 10, read), await remember("long", 100, read)], [3, 2]);
	});
});
