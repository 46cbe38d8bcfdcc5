// The evidence log in the store: bundles of entries, tiles of hashes over them, and the last checkpoint. Nothing of a log is ever updated or deleted.

import type { mongo } from "mongoose";
import { type Bundle, bundleEntriesMax, everyTenant, indexText, isOfOneLog } from "../../domain/evidence.ts";
import { lengthenEntries, shortenEntries } from "./bundleEntries.ts";
import { guardStore } from "./guard.ts";
import { insertOnce } from "./insertOnce.ts";
import type { CheckpointDocument, Models, TileDocument } from "./models.ts";
import { type Packed, pack, unpack } from "./packing.ts";

/** All of a bundle but its entries; `end` is the index after its last. */
export type Head = { end: number; frontier: Uint8Array; at: number };

/** A bundle as it is stored; older ones have their entries as they are. */
export type StoredBundle = Omit<Bundle, "entries"> & {
	/** Its id says so too, but a stand-in walks no index in the order of ids. */
	start: number;
	entries?: string[];
	/** Its entries, shortened, a line each. */
	packed?: Packed;
};
type Stored = Bundle & { start: number };

export type EvidenceStore = ReturnType<typeof createEvidenceStore>;

const pageBundles = 64;

/** Each call throws LetheError store_unavailable when the server can't answer. */
export function createEvidenceStore(models: Models) {
	const bundles = models.evidenceBundles.collection as unknown as mongo.Collection<StoredBundle>;

	return {
		...createBundleReads(bundles),
		...createTiles(models.evidenceTiles.collection as unknown as mongo.Collection<TileDocument>),
		...createCheckpoints(models.evidenceCheckpoints.collection as unknown as mongo.Collection<CheckpointDocument>),
		/** The end of the log; undefined while it is empty. */
		head: (): Promise<Head | undefined> =>
			guardStore(async () => {
				const [newest] = await bundles.find({}).sort({ start: -1 }).limit(1).map(readBundle).toArray();
				return newest && { end: newest.start + newest.entries.length, frontier: newest.frontier, at: newest.at };
			}),
		/**
		 * Inserts bundles that follow each other; journaled when it answers. Answers how many it inserted before it found
		 * an index that another writer had given already.
		 */
		insert: (following: Bundle[]): Promise<number> =>
			guardStore(async () => {
				// One after the other: each stands only if the one before it does.
				for (const [index, bundle] of following.entries()) {
					if (!(await insertOnce(bundles, storeBundle(bundle)))) return index;
				}
				return following.length;
			}),
	};
}

// Entries are JSON, in which no line ends.
const betweenEntries = "\n";

/** A bundle as it is stored. */
export function storeBundle({ entries, ...bundle }: Bundle): StoredBundle {
	const packed = pack(shortenEntries(entries, bundle).join(betweenEntries));
	return { ...bundle, start: Number(bundle._id), packed };
}

/** What is stored, as a bundle; what can't be opened has no entries, and no check finds it sound. */
export function readBundle({ packed, entries, ...bundle }: StoredBundle): Stored {
	return { ...bundle, entries: entries ?? (packed ? unpackEntries(packed, bundle) : []) };
}

function unpackEntries(packed: Packed, bundle: Pick<Bundle, "about" | "tenants" | "at">): string[] {
	try {
		return lengthenEntries(unpack(packed).split(betweenEntries), bundle);
	} catch {
		return [];
	}
}

function createBundleReads(bundles: mongo.Collection<StoredBundle>) {
	const newest = async (start: mongo.Condition<number>): Promise<Stored | undefined> =>
		(await bundles.find({ start }).sort({ start: -1 }).limit(1).map(readBundle).toArray())[0];
	/** The bundle that holds an index, or the last before it. */
	const holding = (index: number): Promise<Stored | undefined> =>
		guardStore(async () => {
			// Bounded from below, for a stand-in reads every place of the index that fits; only a log with a gap has none there.
			const near = await newest({ $lte: index, $gt: index - bundleEntriesMax });
			return near ?? newest({ $lte: index });
		});
	const between = (start: number, end: number): Promise<Stored[]> =>
		guardStore(() =>
			bundles
				.find({ start: { $gt: start, $lt: end } })
				.sort({ start: 1 })
				.limit(pageBundles)
				.map(readBundle)
				.toArray(),
		);

	return {
		/** Bundles that hold entries [start, end), in the order of the log; what stands there, faults included. */
		async *read(start: number, end = Number.MAX_SAFE_INTEGER): AsyncGenerator<Bundle> {
			const first = await holding(start);
			if (first && first.start < end) yield first;
			let last = first;
			// What one bundle holds needs no other.
			while (!last || last.start + last.entries.length < end) {
				const page = await between(last?.start ?? -1, end);
				if (page.length === 0) return;
				yield* page;
				last = page.at(-1);
			}
		},
		/** Bundles with entries about any of these ids, in the order of the log. */
		findAbout: (ids: readonly string[]): Promise<Bundle[]> =>
			guardStore(async () => {
				const found = await bundles
					.find({ about: { $in: [...ids] } })
					.map(readBundle)
					.toArray();
				return found.sort((one, other) => one.start - other.start);
			}),
		/**
		 * Bundles with entries about an id, or else of a tenant or of none; the newest first, down from the one that holds
		 * `index`.
		 */
		pageOf: (of: { about: string } | { tenantId: string }, index: number, itemsMax: number): Promise<Bundle[]> =>
			guardStore(async () => {
				const start = { $lte: index };
				// One query a tenant: asked for both at once, some servers scan.
				const filters: mongo.Filter<StoredBundle>[] =
					"about" in of
						? [{ about: of.about, start }]
						: [of.tenantId, everyTenant].map((tenants) => ({ tenants, start }));
				const reads = filters.map((filter) =>
					bundles.find(filter).sort({ start: -1 }).limit(itemsMax).map(readBundle).toArray(),
				);
				const found = new Map((await Promise.all(reads)).flat().map((bundle) => [bundle.start, bundle]));
				return [...found.values()].sort((one, other) => other.start - one.start).slice(0, itemsMax);
			}),
		/** Index of the first entry that was integrated at that time or later; undefined when there is none. */
		firstSince: (at: number): Promise<number | undefined> =>
			guardStore(async () => {
				const [first] = await bundles
					.find({ at: { $gte: at } }, { projection: { start: 1 } })
					.sort({ at: 1, start: 1 })
					.limit(1)
					.toArray();
				return first?.start;
			}),
	};
}

function createTiles(tiles: mongo.Collection<TileDocument>) {
	const find = (ids: readonly string[], projection: Record<string, 1>) =>
		guardStore(async () => {
			const found = await tiles.find({ _id: { $in: [...ids] } }, { projection }).toArray();
			const byId = new Map(found.map((tile) => [tile._id, tile]));
			return ids.map((id) => byId.get(id));
		});

	return {
		/** Tiles in the order asked. */
		findTiles: (ids: readonly string[]) => find(ids, { hashes: 1, root: 1 }),
		/** Their roots only. */
		findTileRoots: async (ids: readonly string[]) => (await find(ids, { root: 1 })).map((tile) => tile?.root),
		/** Keeps a tile; one that is kept stays as it is. */
		keepTile: (tile: TileDocument) => guardStore(async () => void (await insertOnce(tiles, tile))),
		/** The last tile whose name begins so. */
		lastTile: (prefix: string): Promise<string | undefined> =>
			guardStore(async () => {
				const [last] = await tiles
					.find({ _id: { $gte: prefix, $lt: `${prefix}~` } }, { projection: { _id: 1 } })
					.sort({ _id: -1 })
					.limit(1)
					.toArray();
				return last?._id;
			}),
		/** Every tile, by name. */
		async *tiles(): AsyncGenerator<TileDocument> {
			let after = "";
			for (;;) {
				const page = await guardStore(() =>
					tiles
						.find({ _id: { $gt: after } })
						.sort({ _id: 1 })
						.limit(pageBundles)
						.toArray(),
				);
				yield* page;
				if (page.length === 0) return;
				after = page.at(-1)?._id as string;
			}
		},
	};
}

function createCheckpoints(checkpoints: mongo.Collection<CheckpointDocument>) {
	return {
		/** The last checkpoint, as a signed note. */
		checkpoint: () => guardStore(async () => (await checkpoints.findOne({ _id: "latest" }))?.note),
		/** The last checkpoints of the logs before this one, the first first. */
		before: () =>
			guardStore(async () => {
				const found = await checkpoints.find({ _id: { $ne: "latest" } }).toArray();
				return found.sort((one, other) => one._id.localeCompare(other._id)).map(({ note }) => note);
			}),
		/** Keeps for good the last checkpoint of a log before this one; the first that was kept stands. */
		keepBefore: (generation: number, size: number, note: string) =>
			guardStore(async () => {
				await insertOnce(checkpoints, { _id: `before ${indexText(generation)}`, size, note });
			}),
		/** Keeps a checkpoint unless one of as many entries is kept; one of another log makes way. */
		keepCheckpoint: (size: number, note: string) =>
			guardStore(async () => {
				const last = await checkpoints.findOne({ _id: "latest" });
				if (last && !isOfOneLog(last.note, note)) {
					await checkpoints.updateOne({ _id: "latest", note: last.note }, { $set: { size, note } });
					return;
				}
				const { matchedCount } = await checkpoints.updateOne(
					{ _id: "latest", size: { $lt: size } },
					{ $set: { size, note } },
				);
				if (matchedCount === 0) await insertOnce(checkpoints, { _id: "latest", size, note });
			}),
	};
}
