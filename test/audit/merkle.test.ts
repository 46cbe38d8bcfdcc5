// The hashing of RFC 6962 against its published vectors, and the edge against the definition.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
	append,
	appendSubtree,
	cover,
	emptyFrontier,
	type Hash,
	leafHash,
	nodeHash,
	rootOf,
} from "../../audit/merkle.ts";
import { leaves, roots } from "./vectors.ts";

/** MTH as RFC 6962, 2.1 defines it. */
export function definedRoot(hashes: Hash[]): Hash {
	if (hashes.length <= 1) return hashes[0] ?? (roots[0] as Hash);
	const split = 2 ** Math.ceil(Math.log2(hashes.length) - 1);
	return nodeHash(definedRoot(hashes.slice(0, split)), definedRoot(hashes.slice(split)));
}

describe("a tree's hashes", () => {
	it("are those that are published for RFC 6962", () => {
		for (const [size, root] of roots.entries()) {
			const hashes = leaves.slice(0, size).map(leafHash);
			assert.deepEqual(rootOf(append(emptyFrontier, hashes)), root, `size ${size}`);
		}
	});

	it("are the same however the entries came, one by one or by subtrees, and as defined", () => {
		const hashes = Array.from({ length: 300 }, () => randomBytes(32));
		fc.assert(
			fc.property(fc.nat({ max: 300 }), fc.nat({ max: 300 }), (a, b) => {
				const [cut, size] = [Math.min(a, b), Math.max(a, b)];
				const root = definedRoot(hashes.slice(0, size));
				const grown = append(append(emptyFrontier, hashes.slice(0, cut)), hashes.slice(cut, size));
				assert.deepEqual(rootOf(grown), root);
				const jumped = cover(cut, size).reduce(
					(frontier, { level, index }) =>
						appendSubtree(frontier, definedRoot(hashes.slice(index * 2 ** level, (index + 1) * 2 ** level)), level),
					append(emptyFrontier, hashes.slice(0, cut)),
				);
				assert.deepEqual(jumped, grown);
			}),
		);
	});

	it("take no subtree where none can begin", () => {
		const one = append(emptyFrontier, [randomBytes(32)]);
		assert.throws(() => appendSubtree(one, randomBytes(32), 1), RangeError);
	});
});
