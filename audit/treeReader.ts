// The tree of a stored log: its tiles kept up with its entries, and its hashes read through them.

import type { EvidenceStore } from "../adapters/mongo/evidence.ts";
import { indexText, spanOf } from "../domain/evidence.ts";
import { cover, type Hash, leafHash, rootOf } from "./merkle.ts";
import type { ReadNodes } from "./proofs.ts";
import { createNodeReader, type TileId, type TileSource, tileNodes, tileOf, tilesOf } from "./tiles.ts";

export type TreeReader = ReturnType<typeof createTreeReader>;

export type TreeStore = Pick<EvidenceStore, "read" | "findTiles" | "findTileRoots" | "keepTile" | "lastTile">;

/** Throws LetheError store_unavailable; RangeError when the store has less than it must have. */
export function createTreeReader(store: TreeStore) {
	const source: TileSource = {
		async tiles(ids) {
			const found = await store.findTiles(ids.map(tileName));
			return Promise.all(
				ids.map(async (id, at) => {
					const tile = found[at];
					if (tile === undefined) throw new RangeError("a tile is missing");
					const hashes = tile.hashes ? Buffer.from(tile.hashes) : Buffer.concat(await belowTile(source, id));
					return { ...id, hashes, root: Buffer.from(tile.root) };
				}),
			);
		},
		async tileRoots(ids) {
			const found = await store.findTileRoots(ids.map(tileName));
			return found.map((root) => {
				if (root === undefined) throw new RangeError("a tile is missing");
				return Buffer.from(root);
			});
		},
		leafHashes: (start, end) => readLeafHashes(store, start, end),
	};
	let filledTo = 0;

	/** Keeps each tile that the first `size` entries complete; what is kept stays. */
	async function fillTiles(size: number): Promise<void> {
		if (size <= filledTo) return;
		for (let level = 0; tilesOf(size, level) > 0; level++) {
			for (let index = await nextTile(store, level); index < tilesOf(size, level); index++) {
				const hashes = await belowTile(source, { level, index });
				const { hashes: bytes, root } = tileOf({ level, index }, hashes);
				await store.keepTile({ _id: tileName({ level, index }), ...(level > 0 ? { hashes: bytes } : {}), root });
			}
		}
		filledTo = size;
	}

	/** Reads the hashes of the first `size` entries. */
	async function nodesOf(size: number): Promise<ReadNodes> {
		await fillTiles(size);
		return createNodeReader(source, size);
	}

	return {
		nodesOf,
		/** The root over the first `size` entries. */
		async rootAt(size: number): Promise<Hash> {
			const read = await nodesOf(size);
			return rootOf({ size, hashes: await read(cover(0, size)) });
		},
	};
}

function tileName({ level, index }: TileId): string {
	return `${level}/${indexText(index)}`;
}

async function nextTile(store: TreeStore, level: number): Promise<number> {
	const last = await store.lastTile(`${level}/`);
	return last === undefined ? 0 : Number(last.split("/")[1]) + 1;
}

function belowTile(source: TileSource, { level, index }: TileId): Promise<Hash[]> {
	const start = index * tileNodes;
	if (level === 0) return source.leafHashes(start, start + tileNodes);
	return source.tileRoots(Array.from({ length: tileNodes }, (_, at) => ({ level: level - 1, index: start + at })));
}

async function readLeafHashes(store: TreeStore, start: number, end: number): Promise<Hash[]> {
	const hashes: Hash[] = [];
	for await (const bundle of store.read(start, end)) {
		const span = spanOf(bundle);
		if (span.start > start + hashes.length) break;
		const shown = bundle.entries.slice(Math.max(0, start - span.start), end - span.start);
		for (const text of shown) hashes.push(leafHash(Buffer.from(text)));
	}
	if (hashes.length !== end - start) throw new RangeError("entries are missing");
	return hashes;
}
