// The hashing of RFC 6962, and the edge by which a Merkle tree of any size grows without its entries being read again.

import { hash } from "node:crypto";

/** 32 bytes of SHA-256. */
export type Hash = Buffer<ArrayBufferLike>;

export const hashBytes = 32;

/** The hashes that stand one behind the other in bytes, which are copied. */
export function splitHashes(bytes: Uint8Array): Hash[] {
	const copy = Buffer.from(bytes);
	return Array.from({ length: copy.length / hashBytes }, (_, at) =>
		copy.subarray(at * hashBytes, (at + 1) * hashBytes),
	);
}

// Leaves and nodes never hash alike: else a node could be passed off as an entry (RFC 6962, 2.1).
const leafPrefix = Buffer.of(0);
const nodePrefix = Buffer.of(1);

/** The root of a tree without entries. */
const emptyRoot: Hash = sha256(Buffer.alloc(0));

/** The hash of an entry. */
export function leafHash(entry: Uint8Array): Hash {
	return sha256(Buffer.concat([leafPrefix, entry]));
}

export function nodeHash(left: Uint8Array, right: Uint8Array): Hash {
	return sha256(Buffer.concat([nodePrefix, left, right]));
}

/**
 * The edge of a tree: the roots of the full subtrees that its entries fall into, the largest first. One hash for each bit
 * that is set in `size`; all that it takes to append, and to know the root.
 */
export type Frontier = { readonly size: number; readonly hashes: readonly Hash[] };

export const emptyFrontier: Frontier = { size: 0, hashes: [] };

/** The tree with these entries after it. */
export function append(frontier: Frontier, leafHashes: readonly Hash[]): Frontier {
	const hashes = [...frontier.hashes];
	let { size } = frontier;
	for (const leaf of leafHashes) {
		merge(hashes, size, leaf);
		size++;
	}
	return { size, hashes };
}

/**
 * The tree with a full subtree of 2^level entries after it.
 * @throws RangeError when a subtree of that level can't begin where the tree ends
 */
export function appendSubtree({ size, hashes }: Frontier, root: Hash, level: number): Frontier {
	const entries = 2 ** level;
	if (size % entries !== 0) throw new RangeError("no subtree of that level begins there");
	const grown = [...hashes];
	merge(grown, size / entries, root);
	return { size: size + entries, hashes: grown };
}

/** Puts subtree number `position` of its level at the edge; each pair that it completes becomes one. */
function merge(hashes: Hash[], position: number, root: Hash): void {
	let merged = root;
	for (let left = position; left % 2 === 1; left = (left - 1) / 2) merged = nodeHash(hashes.pop() as Hash, merged);
	hashes.push(merged);
}

/** The root of the whole tree. */
export function rootOf({ hashes }: Frontier): Hash {
	const [last, ...larger] = hashes.toReversed();
	if (last === undefined) return emptyRoot;
	return larger.reduce((right, left) => nodeHash(left, right), last);
}

/** A full subtree: the root of entries [index × 2^level, (index + 1) × 2^level). */
export type Node = { level: number; index: number };

/** The full subtrees that cover entries [start, end), from left to right: at most two of a level. */
export function cover(start: number, end: number): Node[] {
	const nodes: Node[] = [];
	let position = start;
	while (position < end) {
		let level = 0;
		while (position % 2 ** (level + 1) === 0 && position + 2 ** (level + 1) <= end) level++;
		nodes.push({ level, index: position / 2 ** level });
		position += 2 ** level;
	}
	return nodes;
}

function sha256(bytes: Buffer): Hash {
	return hash("sha256", bytes, "buffer");
}
