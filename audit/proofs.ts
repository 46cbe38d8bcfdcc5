// Proofs over a Merkle tree (RFC 6962, 2.1.1 and 2.1.2; RFC 9162, 2.1.3 and 2.1.4): which hashes they take, and their verification.

import {
	append,
	appendSubtree,
	cover,
	emptyFrontier,
	type Frontier,
	type Hash,
	type Node,
	nodeHash,
	rootOf,
} from "./merkle.ts";

/** Reads the roots of full subtrees, in the order asked. */
export type ReadNodes = (nodes: readonly Node[]) => Promise<Hash[]>;

/** A run of entries [start, end) whose root is one hash of a proof. */
type Span = { start: number; end: number };

/**
 * The hashes that lead from entry `index` to the root of the first `size` entries.
 * @throws RangeError when there is no such entry
 */
export async function proveInclusion(read: ReadNodes, index: number, size: number): Promise<Hash[]> {
	if (!isCount(index) || !isCount(size) || index >= size) throw new RangeError("no such entry in a tree of that size");
	return readSpans(read, pathOf(index, { start: 0, end: size }));
}

/**
 * The hashes that show that the first `older` entries of a tree of `newer` are the older tree.
 * @throws RangeError when older is larger than newer
 */
export async function proveConsistency(read: ReadNodes, older: number, newer: number): Promise<Hash[]> {
	if (!isCount(older) || !isCount(newer) || older > newer) throw new RangeError("the older tree is the larger one");
	if (older === 0 || older === newer) return [];
	return readSpans(read, spansBetween(older, { start: 0, end: newer }, true));
}

/** What lies left and right of entries [start, end) in a tree of `size`: with their own hashes it makes the root. */
export type RangeProof = { left: Hash[]; right: Hash[] };

/** @throws RangeError when there is no such range */
export async function proveRange(read: ReadNodes, start: number, end: number, size: number): Promise<RangeProof> {
	if (![start, end, size].every(isCount) || start > end || end > size) throw new RangeError("no such range");
	const [left, right] = [cover(0, start), cover(end, size)];
	const hashes = await read([...left, ...right]);
	return { left: hashes.slice(0, left.length), right: hashes.slice(left.length) };
}

/** Whether `leaf` is the hash of entry `index` of the tree with this size and root. */
export function isIncluded(proof: readonly Hash[], leaf: Hash, index: number, size: number, root: Hash): boolean {
	if (!isCount(index) || !isCount(size) || index >= size) return false;
	let [position, last, known] = [index, size - 1, leaf];
	for (const sibling of proof) {
		if (last === 0) return false;
		if (position % 2 === 1 || position === last) {
			known = nodeHash(sibling, known);
			while (position % 2 === 0 && position !== 0) [position, last] = [position / 2, half(last)];
		} else known = nodeHash(known, sibling);
		[position, last] = [half(position), half(last)];
	}
	return last === 0 && known.equals(root);
}

type Tree = { size: number; root: Hash };

/** Whether the older tree is the beginning of the newer one. */
export function isConsistent(proof: readonly Hash[], older: Tree, newer: Tree): boolean {
	if (!isCount(older.size) || !isCount(newer.size) || older.size > newer.size) return false;
	if (older.size === newer.size) return proof.length === 0 && older.root.equals(newer.root);
	if (older.size === 0) return proof.length === 0 && older.root.equals(rootOf(emptyFrontier));
	// A full older tree is itself the first hash, and is left out of the proof.
	const isFull = Number.isInteger(Math.log2(older.size));
	const [first, ...path] = isFull ? [older.root, ...proof] : proof;
	if (first === undefined) return false;
	let [position, last] = [older.size - 1, newer.size - 1];
	while (position % 2 === 1) [position, last] = [half(position), half(last)];
	let [olderRoot, newerRoot] = [first, first];
	for (const sibling of path) {
		if (last === 0) return false;
		if (position % 2 === 1 || position === last) {
			olderRoot = nodeHash(sibling, olderRoot);
			newerRoot = nodeHash(sibling, newerRoot);
			while (position % 2 === 0 && position !== 0) [position, last] = [position / 2, half(last)];
		} else newerRoot = nodeHash(newerRoot, sibling);
		[position, last] = [half(position), half(last)];
	}
	return last === 0 && olderRoot.equals(older.root) && newerRoot.equals(newer.root);
}

/**
 * A run of entries that is proven as it is read: `left` begins it, each entry goes to `add`, `end` says whether what came
 * between is all that the tree holds there.
 */
export function createRangeCheck(start: number, left: readonly Hash[]) {
	const nodes = cover(0, start);
	const fits = isCount(start) && nodes.length === left.length;
	let frontier: Frontier = fits ? { size: start, hashes: left } : emptyFrontier;
	return {
		add: (leaf: Hash): void => {
			frontier = append(frontier, [leaf]);
		},
		end: (right: readonly Hash[], { size, root }: Tree): boolean => {
			if (!fits || !isCount(size) || size < frontier.size) return false;
			const rest = cover(frontier.size, size);
			if (rest.length !== right.length) return false;
			const whole = rest.reduce(
				(grown, { level }, index) => appendSubtree(grown, right[index] as Hash, level),
				frontier,
			);
			return rootOf(whole).equals(root);
		},
	};
}

/** PATH of RFC 6962, 2.1.1: the siblings on the way to the entry, the nearest first. */
function pathOf(index: number, { start, end }: Span): Span[] {
	if (end - start === 1) return [];
	const middle = start + splitOf(end - start);
	return index < middle
		? [...pathOf(index, { start, end: middle }), { start: middle, end }]
		: [...pathOf(index, { start: middle, end }), { start, end: middle }];
}

/** SUBPROOF of RFC 6962, 2.1.2. `whole`: what lies below is the older tree, whose root the verifier has. */
function spansBetween(older: number, { start, end }: Span, whole: boolean): Span[] {
	if (older === end) return whole ? [] : [{ start, end }];
	const middle = start + splitOf(end - start);
	return older <= middle
		? [...spansBetween(older, { start, end: middle }, whole), { start: middle, end }]
		: [...spansBetween(older, { start: middle, end }, false), { start, end: middle }];
}

async function readSpans(read: ReadNodes, spans: Span[]): Promise<Hash[]> {
	const covers = spans.map(({ start, end }) => cover(start, end));
	const hashes = await read(covers.flat());
	let at = 0;
	return covers.map((nodes) => {
		const found = hashes.slice(at, at + nodes.length);
		at += nodes.length;
		return rootOf({ size: 0, hashes: found });
	});
}

/** The largest power of two that is smaller than `size`: where a tree divides. */
function splitOf(size: number): number {
	let split = 1;
	while (split * 2 < size) split *= 2;
	return split;
}

function half(position: number): number {
	return Math.floor(position / 2);
}

function isCount(value: number): boolean {
	return Number.isSafeInteger(value) && value >= 0;
}
