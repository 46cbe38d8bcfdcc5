// The batcher's promises: one answer a caller, order kept within a key, and one batch's failure is not another's.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { createBatcher } from "../../adapters/batcher.ts";

describe("batcher", () => {
	it("answers every caller with its own result, whatever the sizes and timing", async () => {
		await fc.assert(
			fc.asyncProperty(
				fc.array(fc.nat(20), { maxLength: 60 }),
				fc.integer({ min: 1, max: 7 }),
				async (items, itemsMax) => {
					const sizes: number[] = [];
					const batch = createBatcher<number, number>({
						itemsMax,
						run: async (batchItems) => {
							sizes.push(batchItems.length);
							await new Promise((resolve) => setImmediate(resolve));
							return batchItems.map((item) => item * 2);
						},
					});
					assert.deepEqual(
						await Promise.all(items.map(batch)),
						items.map((item) => item * 2),
					);
					assert.ok(sizes.every((size) => size <= itemsMax));
				},
			),
		);
	});

	it("never puts two items of one key into a batch, and keeps their order", async () => {
		const seen: string[][] = [];
		const batch = createBatcher<{ key: string; at: number }, void>({
			itemsMax: 100,
			inFlightMax: 3,
			keyOf: (item) => item.key,
			run: async (items) => {
				seen.push(items.map((item) => `${item.key}${item.at}`));
				await new Promise((resolve) => setTimeout(resolve, 1));
				return items.map(() => undefined);
			},
		});
		const items = [1, 2, 3].flatMap((at) => ["a", "b"].map((key) => ({ key, at })));
		await Promise.all(items.map(batch));
		for (const keys of seen) assert.equal(new Set(keys.map((item) => item[0])).size, keys.length);
		assert.deepEqual(
			seen.flat().filter((item) => item.startsWith("a")),
			["a1", "a2", "a3"],
		);
	});

	it("what does not fit into one batch starts beside it, up to the bound", async () => {
		let running = 0;
		let most = 0;
		const batch = createBatcher<number, number>({
			itemsMax: 2,
			inFlightMax: 3,
			run: async (items) => {
				most = Math.max(most, ++running);
				await new Promise((resolve) => setTimeout(resolve, 20));
				running--;
				return items;
			},
		});
		await Promise.all(Array.from({ length: 20 }, (_, index) => batch(index)));
		assert.equal(most, 3);
	});

	it("a failed batch fails its own callers only", async () => {
		let round = 0;
		const batch = createBatcher<number, number>({
			itemsMax: 1,
			run: async (items) => {
				if (round++ === 0) throw new Error("first");
				return items;
			},
		});
		const results = await Promise.allSettled([batch(1), batch(2)]);
		assert.deepEqual(
			results.map((result) => result.status),
			["rejected", "fulfilled"],
		);
	});

	it("what failed by itself fails for its own caller only", async () => {
		const batch = createBatcher<number, number>({
			itemsMax: 3,
			run: async (items) => items.map((item) => (item === 2 ? new Error("two") : item)),
		});
		const results = await Promise.allSettled([1, 2, 3].map(batch));
		assert.deepEqual(
			results.map((result) => (result.status === "fulfilled" ? result.value : result.reason.message)),
			[1, "two", 3],
		);
	});
});
