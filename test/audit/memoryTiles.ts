// Tiles of a tree in memory, as the store would keep them.

import type { Hash } from "../../audit/merkle.ts";
import { type Tile, type TileId, type TileSource, tileNodes, tileOf, tilesOf } from "../../audit/tiles.ts";

/** Every full tile of these entries, and their hashes. `reads` counts what was asked of it. */
export function createMemoryTiles(leafHashes: Hash[]) {
	const levels: Tile[][] = [];
	let below = leafHashes;
	for (let level = 0; tilesOf(leafHashes.length, level) > 0; level++) {
		const hashes = below;
		const tiles = Array.from({ length: tilesOf(leafHashes.length, level) }, (_, index) =>
			tileOf({ level, index }, hashes.slice(index * tileNodes, (index + 1) * tileNodes)),
		);
		levels.push(tiles);
		below = tiles.map(({ root }) => root);
	}
	const reads = { tiles: 0, roots: 0, leaves: 0 };
	const find = ({ level, index }: TileId) => levels[level]?.[index] as Tile;
	const source: TileSource = {
		tiles: async (ids) => {
			reads.tiles += ids.length;
			return ids.map(find);
		},
		tileRoots: async (ids) => {
			reads.roots += ids.length;
			return ids.map((id) => find(id).root);
		},
		leafHashes: async (start, end) => {
			reads.leaves += end - start;
			return leafHashes.slice(start, end);
		},
	};
	return { source, reads };
}
