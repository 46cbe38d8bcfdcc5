// Proofs over trees: the published ones, every one of small trees, those of a log of 100,000 entries, and none that is forged.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, it } from "node:test";
import fc from "fast-check";
import { append, emptyFrontier, type Hash, leafHash, rootOf } from "../../audit/merkle.ts";
import {
	createRangeCheck,
	isConsistent,
	isIncluded,
	proveConsistency,
	proveInclusion,
	proveRange,
} from "../../audit/proofs.ts";
import { createNodeReader } from "../../audit/tiles.ts";
import { createMemoryTiles } from "./memoryTiles.ts";
import { consistency, inclusion, leaves, roots } from "./vectors.ts";

const published = leaves.map(leafHash);
const readerOf = (hashes: Hash[], size = hashes.length) =>
	createNodeReader(createMemoryTiles(hashes.slice(0, size)).source, size);
const rootAt = (hashes: Hash[], size: number) => rootOf(append(emptyFrontier, hashes.slice(0, size)));
const flip = (hash: Hash) => Buffer.from(hash.map((byte, at) => (at === 7 ? byte ^ 4 : byte)));

/** Every way in which a list of hashes may be spoilt a little. */
const spoilt = (proof: Hash[]) => [
	...proof.map((_, at) => proof.map((hash, other) => (other === at ? flip(hash) : hash))),
	[...proof, randomBytes(32)],
	[randomBytes(32), ...proof],
	...(proof.length > 0 ? [proof.slice(1), proof.slice(0, -1)] : []),
];

describe("an inclusion proof", () => {
	it("is the published one, and verifies", async () => {
		for (const { index, size, proof } of inclusion) {
			assert.deepEqual(await proveInclusion(readerOf(published, size), index, size), proof);
			assert.ok(isIncluded(proof, published[index] as Hash, index, size, roots[size] as Hash));
		}
	});

	it("verifies for every entry of every small tree, at its place only", async () => {
		const hashes: Hash[] = Array.from({ length: 34 }, () => randomBytes(32));
		for (let size = 1; size <= hashes.length; size++) {
			const [read, root] = [readerOf(hashes, size), rootAt(hashes, size)];
			for (let index = 0; index < size; index++) {
				const proof = await proveInclusion(read, index, size);
				const leaf = hashes[index] as Hash;
				assert.ok(isIncluded(proof, leaf, index, size, root));
				for (let other = 0; other <= size; other++) {
					assert.equal(isIncluded(proof, leaf, other, size, root), other === index);
				}
				assert.ok(!isIncluded(proof, flip(leaf), index, size, root));
				for (const bad of spoilt(proof)) assert.ok(!isIncluded(bad, leaf, index, size, root));
			}
		}
	});

	it("is refused for what is no entry", async () => {
		const read = readerOf(published);
		for (const [index, size] of [
			[8, 8],
			[-1, 8],
			[0.5, 8],
			[0, 0],
		] as const) {
			await assert.rejects(proveInclusion(read, index, size), RangeError);
			assert.ok(!isIncluded([], published[0] as Hash, index, size, published[0] as Hash));
		}
	});
});

describe("a consistency proof", () => {
	it("is the published one, and verifies", async () => {
		for (const { older, newer, proof } of consistency) {
			assert.deepEqual(await proveConsistency(readerOf(published, newer), older, newer), proof);
			const trees = [older, newer].map((size) => ({ size, root: roots[size] as Hash }));
			assert.ok(isConsistent(proof, ...(trees as [{ size: number; root: Hash }, { size: number; root: Hash }])));
		}
	});

	it("verifies between all small trees, and not for another past or when spoilt", async () => {
		const hashes: Hash[] = Array.from({ length: 20 }, () => randomBytes(32));
		for (let newer = 0; newer <= hashes.length; newer++) {
			const [read, root] = [readerOf(hashes, newer), rootAt(hashes, newer)];
			for (let older = 0; older <= newer; older++) {
				const proof = await proveConsistency(read, older, newer);
				const [was, is] = [
					{ size: older, root: rootAt(hashes, older) },
					{ size: newer, root },
				];
				assert.ok(isConsistent(proof, was, is), `${older} → ${newer}`);
				assert.ok(!isConsistent(proof, { size: older, root: randomBytes(32) }, is));
				// From nothing everything follows.
				if (older > 0) assert.ok(!isConsistent(proof, was, { size: newer, root: randomBytes(32) }));
				for (const bad of spoilt(proof)) assert.ok(!isConsistent(bad, was, is));
			}
		}
	});
});

describe("a range's proof", () => {
	const check = async (hashes: Hash[], size: number, start: number, end: number, shown = hashes.slice(start, end)) => {
		const { left, right } = await proveRange(readerOf(hashes, size), start, end, size);
		const range = createRangeCheck(start, left);
		for (const hash of shown) range.add(hash);
		return range.end(right, { size, root: rootAt(hashes, size) });
	};

	it("verifies for every range of every small tree", async () => {
		const hashes: Hash[] = Array.from({ length: 18 }, () => randomBytes(32));
		for (let size = 0; size <= hashes.length; size++) {
			for (let end = 0; end <= size; end++) {
				for (let start = 0; start <= end; start++) assert.ok(await check(hashes, size, start, end));
			}
		}
	});

	it("fails when an entry is edited, left out, put in, or moved", async () => {
		const hashes: Hash[] = Array.from({ length: 40 }, () => randomBytes(32));
		const shown = hashes.slice(9, 29);
		await fc.assert(
			fc.asyncProperty(fc.nat({ max: 18 }), async (at) => {
				const [hash, next] = shown.slice(at, at + 2) as [Hash, Hash];
				for (const bad of [
					shown.toSpliced(at, 1, flip(hash)),
					shown.toSpliced(at, 1),
					shown.toSpliced(at, 0, randomBytes(32)),
					shown.toSpliced(at, 2, next, hash),
					shown.slice(0, at),
				]) {
					assert.ok(!(await check(hashes, 40, 9, 29, bad)));
				}
			}),
		);
	});
});

it("in a log of 100,000 entries proofs read a few tiles and not its entries", async () => {
	const hashes: Hash[] = Array.from({ length: 100_003 }, (_, index) => leafHash(Buffer.from(`entry ${index}`)));
	const size = hashes.length;
	const { source, reads } = createMemoryTiles(hashes);
	const [read, root] = [createNodeReader(source, size), rootAt(hashes, size)];
	for (const index of [0, 1, 255, 256, 65_535, 65_536, 99_840, 100_002]) {
		Object.assign(reads, { tiles: 0, roots: 0, leaves: 0 });
		const proof = await proveInclusion(read, index, size);
		assert.ok(isIncluded(proof, hashes[index] as Hash, index, size, root));
		assert.ok(reads.tiles <= 3 && reads.roots <= 256 && reads.leaves <= 256, JSON.stringify(reads));
	}
	for (const older of [1, 70_000, 99_999]) {
		const proof = await proveConsistency(read, older, size);
		assert.ok(isConsistent(proof, { size: older, root: rootAt(hashes, older) }, { size, root }));
	}
});
