// fsck: reads a whole stored log again and says where it is not what it was: edited, cut, put in, moved, or another log altogether.

import type { TileDocument } from "../adapters/mongo/models.ts";
import { type Bundle, everyTenant, spanOf } from "../domain/evidence.ts";
import { openCheckpoint } from "./checkpoint.ts";
import { readEntry } from "./entry.ts";
import { packFrontier, unpackFrontier } from "./evidence.ts";
import { append, emptyFrontier, type Frontier, type Hash, hashBytes, leafHash, rootOf, splitHashes } from "./merkle.ts";
import { createSeenNames } from "./seenNames.ts";
import { idOfNote, type OfLine } from "./succession.ts";
import { tileNodes } from "./tiles.ts";

/**
 * `malformed`: an entry that is none, or not in canonical form. `missing`, `overlapping`: indexes that no bundle, or more
 * than one, has. `repeated`: an entry's id comes twice. `edited`: a bundle's entries are not those that were hashed.
 * `misfiled`: what a bundle says of its entries is not so. `out_of_order`: integrated before the one before it.
 * `tile`: a kept tile is not over these entries. `truncated`: a checkpoint has seen more entries. `forked`: it has seen
 * others. `bad_checkpoint`: nobody known has signed it. `unnamed`: it goes on from another log, and no entry says so.
 */
export type FindingKind =
	| "malformed"
	| "missing"
	| "overlapping"
	| "repeated"
	| "edited"
	| "misfiled"
	| "out_of_order"
	| "tile"
	| "truncated"
	| "forked"
	| "bad_checkpoint"
	| "unnamed"
	| "unwitnessed";

/** `index`: of the first entry concerned. `source`: which checkpoint, or tile. */
export type Finding = { kind: FindingKind; index?: number; source?: string };

export type StoredLog = {
	bundles: AsyncIterable<Bundle>;
	tiles: AsyncIterable<TileDocument>;
	/** Signed notes, each with where it was kept: witnesses, the log itself, whoever checks. */
	checkpoints: readonly { source: string; note: string }[];
	/** Of the logs that this one goes on from, the last checkpoints. */
	predecessors?: readonly OfLine[];
};

// One edit may be found in several ways; nobody reads a thousand.
const findingsMax = 100;

/**
 * @param keys `x` of the Ed25519 JWKs that the log's checkpoints are signed with
 * @param origin the log's name; one of a predecessor's counts as well
 * @param progress is told how many entries are read
 * @throws what the log's iterators throw
 */
export async function fsck(
	log: StoredLog,
	options: { keys: readonly { x: string }[]; origin: string; progress?: (entries: number) => void },
): Promise<{ size: number; root: string; findings: Finding[] }> {
	const findings: Finding[] = [];
	const find = (finding: Finding) => {
		if (findings.length < findingsMax) findings.push(finding);
	};
	const { predecessors = [] } = log;
	const names = [options.origin, ...predecessors.map(({ checkpoint }) => checkpoint.origin)];
	const opened = log.checkpoints.map(({ source, note }) => {
		const signed = openCheckpoint(note, options.keys);
		const checkpoint = signed && names.includes(signed.origin) ? signed : undefined;
		if (checkpoint === undefined) find({ kind: "bad_checkpoint", source });
		return { source, checkpoint };
	});
	const sizes = new Set(opened.flatMap(({ checkpoint }) => checkpoint?.size ?? []));
	const { frontier, roots, tileRoots, named } = await readBundles(log.bundles, sizes, find, options.progress);
	for (const { source, checkpoint } of opened) {
		if (checkpoint === undefined) continue;
		const root = roots.get(checkpoint.size);
		if (checkpoint.size > frontier.size) find({ kind: "truncated", index: frontier.size, source });
		else if (root === undefined || !root.equals(checkpoint.root)) find({ kind: "forked", source });
	}
	for (const { note, checkpoint } of predecessors) {
		if (!named.has(idOfNote(note))) find({ kind: "unnamed", source: checkpoint.origin });
	}
	await readTiles(log.tiles, tileRoots, find);
	return { size: frontier.size, root: rootOf(frontier).toString("base64"), findings };
}

type Find = (finding: Finding) => void;

async function readBundles(
	bundles: StoredLog["bundles"],
	sizes: ReadonlySet<number>,
	find: Find,
	progress?: (entries: number) => void,
) {
	let frontier = emptyFrontier;
	// Of the entries' own hashes only those of the last tile, which is not full yet: a log may be of any length.
	const tileRoots: Hash[] = [];
	let tile = emptyFrontier;
	const roots = new Map<number, Hash>();
	const ids = createSeenNames();
	const named = new Set<string>();
	let before: { end: number; at: number; frontier: Frontier } = { end: 0, at: 0, frontier };
	if (sizes.has(0)) roots.set(0, rootOf(frontier));
	for await (const bundle of bundles) {
		const { start, end } = spanOf(bundle);
		if (start > before.end) find({ kind: "missing", index: before.end });
		if (start < before.end) find({ kind: "overlapping", index: start });
		if (bundle.at < before.at) find({ kind: "out_of_order", index: start });
		checkEntries(bundle, { ids, named }, find);
		const hashes = bundle.entries.map((text) => leafHash(Buffer.from(text)));
		const stored = storedFrontier(bundle, find);
		// From the edge before it, so that a fault is told where it is and not again at every bundle after it.
		const follows = start === before.end && isSame(append(before.frontier, hashes), stored);
		if (start === before.end && stored && !follows) find({ kind: "edited", index: start });
		for (const hash of hashes) {
			frontier = append(frontier, [hash]);
			tile = append(tile, [hash]);
			if (tile.size === tileNodes) {
				tileRoots.push(rootOf(tile));
				tile = emptyFrontier;
			}
			if (sizes.has(frontier.size)) roots.set(frontier.size, rootOf(frontier));
		}
		before = { end, at: bundle.at, frontier: stored ?? append(before.frontier, hashes) };
		progress?.(end);
	}
	return { frontier, roots, tileRoots, named };
}

/** `ids`: of every entry; `named`: of what entries say that the log is the successor of. */
type Seen = { ids: ReturnType<typeof createSeenNames>; named: Set<string> };

function checkEntries(bundle: Bundle, { ids: seen, named }: Seen, find: Find): void {
	const { start } = spanOf(bundle);
	const about = new Set<string>();
	const tenants = new Set<string>();
	for (const [at, text] of bundle.entries.entries()) {
		const entry = readEntry(text);
		if (entry === undefined) {
			find({ kind: "malformed", index: start + at });
			continue;
		}
		if (!seen.add(entry.id)) find({ kind: "repeated", index: start + at });
		if (entry.about !== undefined) about.add(entry.about);
		if (entry.predecessor && entry.about !== undefined) named.add(entry.about);
		tenants.add(entry.tenantId ?? everyTenant);
	}
	const ids = bundle.about.filter((key) => !isOlderKey(key));
	const older = bundle.about.filter(isOlderKey).map((key) => key.split(" ")[0] ?? "");
	const isFiled = sameMembers(ids, about) && older.every((id) => about.has(id)) && sameMembers(bundle.tenants, tenants);
	if (!isFiled || bundle.entries.length === 0) find({ kind: "misfiled", index: start });
}

// Bundles of earlier versions also name a message's id with where on its document their entries began, after a blank. Today's
// name ids alone.
function isOlderKey(key: string): boolean {
	return key.includes(" ");
}

function storedFrontier(bundle: Bundle, find: Find): Frontier | undefined {
	const { start, end } = spanOf(bundle);
	try {
		return unpackFrontier(end, bundle.frontier);
	} catch {
		find({ kind: "edited", index: start });
		return undefined;
	}
}

/** @param tileRoots of the full tiles over the entries, which are of level 0 */
async function readTiles(tiles: StoredLog["tiles"], tileRoots: readonly Hash[], find: Find): Promise<void> {
	// By level, the roots of its full tiles; the last of them has none.
	const levels: (readonly Hash[])[] = [tileRoots];
	for (let above: readonly Hash[] = tileRoots; above.length > 0; levels.push(above)) above = rootsOver(above);
	for await (const { _id, hashes, root } of tiles) {
		const [level, index] = _id.split("/").map(Number) as [number, number];
		const isOver = levels[level]?.[index]?.equals(root) === true;
		// Without hashes it stands for those of its entries.
		const isKept = hashes === undefined ? level === 0 : rootOfTile(hashes)?.equals(root) === true;
		if (!isOver || !isKept) find({ kind: "tile", source: _id });
	}
}

/** Undefined where these are not the hashes of a full tile. */
function rootOfTile(hashes: Uint8Array): Hash | undefined {
	return hashes.length === tileNodes * hashBytes ? rootOf(append(emptyFrontier, splitHashes(hashes))) : undefined;
}

/** Roots of the full tiles over these hashes. */
function rootsOver(hashes: readonly Hash[]): Hash[] {
	const count = Math.floor(hashes.length / tileNodes);
	return Array.from({ length: count }, (_, index) =>
		rootOf(append(emptyFrontier, hashes.slice(index * tileNodes, (index + 1) * tileNodes))),
	);
}

function isSame(a: Frontier, b: Frontier | undefined): boolean {
	return b !== undefined && a.size === b.size && packFrontier(a).equals(packFrontier(b));
}

function sameMembers(list: readonly string[], set: ReadonlySet<string>): boolean {
	return list.length === set.size && list.every((one) => set.has(one));
}
