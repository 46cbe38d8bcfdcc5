// Tiles: the tree's hashes in pieces of 256, so that a proof in a log of any length reads a few of them and no entries.

import { append, emptyFrontier, type Hash, hashBytes, type Node, rootOf } from "./merkle.ts";
import type { ReadNodes } from "./proofs.ts";

/** Nodes of a tile; a tile of the level above has the tiles' roots. */
export const tileNodes = 256;
const tileLevels = 8;

/** Tile `index` of tile level `level`: the roots of subtrees of 256^level entries. */
export type TileId = { level: number; index: number };

/** A full tile, as it is kept. */
export type Tile = TileId & { hashes: Buffer; root: Hash };

export type TileSource = {
	/** Full tiles, in the order asked. */
	tiles: (ids: readonly TileId[]) => Promise<Tile[]>;
	/** Roots of full tiles, in the order asked. */
	tileRoots: (ids: readonly TileId[]) => Promise<Hash[]>;
	/** Hashes of entries [start, end). */
	leafHashes: (start: number, end: number) => Promise<Hash[]>;
};

/** A full tile of these hashes. @throws RangeError when it isn't full */
export function tileOf(id: TileId, hashes: readonly Hash[]): Tile {
	if (hashes.length !== tileNodes) throw new RangeError("a tile is kept once it is full");
	return { ...id, hashes: Buffer.concat(hashes), root: rootOf(append(emptyFrontier, hashes)) };
}

/** How many full tiles of a level a log of that size has. */
export function tilesOf(size: number, level: number): number {
	return Math.floor(size / tileNodes ** (level + 1));
}

/** Reads nodes of a log of `size` entries whose full tiles are all kept. */
export function createNodeReader(source: TileSource, size: number): ReadNodes {
	const inTile = ({ level, index }: Node): boolean => {
		const tileLevel = Math.floor(level / tileLevels);
		return tileAbove({ level, index }).index < tilesOf(size, tileLevel);
	};
	return async (nodes) => {
		const wanted = nodes.filter(inTile).map(tileAbove);
		const tiles = await readOnce(wanted, source.tiles);
		return Promise.all(
			nodes.map(async (node) => {
				const tile = tiles.get(keyOf(tileAbove(node)));
				return inTile(node) && tile ? fold(hashesIn(tile, node)) : fold(await readEdge(source, node));
			}),
		);
	};
}

/** Hashes of the level of its tile that make up the node. */
function hashesIn(tile: Tile, node: Node): Hash[] {
	const { first, count } = placeOf(node);
	const from = first % tileNodes;
	return Array.from({ length: count }, (_, at) =>
		tile.hashes.subarray((from + at) * hashBytes, (from + at + 1) * hashBytes),
	);
}

// Where a level's last tile is not full yet, its hashes are the roots of the full tiles below, or the entries' own.
async function readEdge(source: TileSource, node: Node): Promise<Hash[]> {
	const level = Math.floor(node.level / tileLevels);
	const { first, count } = placeOf(node);
	if (level === 0) return source.leafHashes(first, first + count);
	const below = Array.from({ length: count }, (_, at) => ({ level: level - 1, index: first + at }));
	return source.tileRoots(below);
}

/** Nodes of the tile's own level below a node: the first of them, and how many. */
function placeOf({ level, index }: Node): { first: number; count: number } {
	const count = 2 ** (level % tileLevels);
	return { first: index * count, count };
}

function tileAbove(node: Node): TileId {
	return { level: Math.floor(node.level / tileLevels), index: Math.floor(placeOf(node).first / tileNodes) };
}

function fold(hashes: readonly Hash[]): Hash {
	return rootOf(append(emptyFrontier, hashes));
}

async function readOnce(ids: TileId[], read: TileSource["tiles"]): Promise<Map<string, Tile>> {
	const distinct = [...new Map(ids.map((id) => [keyOf(id), id])).values()];
	const tiles = distinct.length > 0 ? await read(distinct) : [];
	return new Map(tiles.map((tile) => [keyOf(tile), tile]));
}

function keyOf({ level, index }: TileId): string {
	return `${level}/${index}`;
}
