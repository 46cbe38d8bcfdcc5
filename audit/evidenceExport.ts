// Exports of the evidence log: a run of entries, the checkpoint over the log, and the hashes that prove that the run is all that it holds there.

import { z } from "zod";
import type { EvidenceStore } from "../adapters/mongo/evidence.ts";
import { spanOf } from "../domain/evidence.ts";
import { readCheckpoint } from "./checkpoint.ts";
import { readShown } from "./entry.ts";
import { type Hash, hashBytes, leafHash } from "./merkle.ts";
import { proveConsistency, proveInclusion, proveRange } from "./proofs.ts";
import { createTreeReader, type TreeStore } from "./treeReader.ts";

const exportSchema = "lethe/evidence-export/v1";
const proofSchema = "lethe/evidence-proof/v1";

/** A hash in base64; an entry that is not shown stands as one. */
export const hashSchema = z.base64().length(Math.ceil(hashBytes / 3) * 4);
const hashes = z.array(hashSchema).max(64);
const index = z.int().min(0);

/** The first line; the entries follow it, a line each. */
export const headerSchema = z.strictObject({
	schema: z.literal(exportSchema),
	checkpoint: z.string(),
	/** Index of the first entry, and of the one after the last. */
	start: index,
	end: index,
	/**
	 * How many more entries were integrated in the period that the checkpoint does not cover: nobody signed them yet, so they
	 * are left out, and the period has to be exported again. Not proven, as nothing is that lies past a checkpoint.
	 */
	uncovered: index,
	/** What lies before and behind them in the tree, its full subtrees from left to right. */
	left: hashes,
	right: hashes,
	/**
	 * The last checkpoints of the logs that this one goes on from, the first first: each lost entries by a restore, and people
	 * judged that.
	 */
	predecessors: z.array(z.string()).min(1).max(1_000).optional(),
	/** That the first `size` entries are what they were: RFC 6962, 2.1.2. */
	since: z.strictObject({ size: index, hashes }).optional(),
});

/** One entry with its path to the checkpoint's root: RFC 6962, 2.1.1. */
export const inclusionSchema = z.strictObject({
	schema: z.literal(proofSchema),
	checkpoint: z.string(),
	index,
	entry: z.string(),
	hashes,
});

export type ExportHeader = z.infer<typeof headerSchema>;
export type InclusionProof = z.infer<typeof inclusionSchema>;

/** A period of integration, epoch ms, `to` not included; the whole log without one. `since`: size of an older checkpoint. */
export type Period = { from?: number | undefined; to?: number | undefined; since?: number | undefined };

type ExportStore = TreeStore & Pick<EvidenceStore, "checkpoint" | "before" | "firstSince" | "head">;

type ExportDeps = {
	store: ExportStore;
	/** Has whoever may sign publish a checkpoint; answers at once, and never throws. */
	publishSoon: () => void;
	/** Milliseconds, and how long an export waits for that. */
	monotonic: () => number;
	patienceMs: number;
};

const pollMs = 200;

export type EvidenceExports = ReturnType<typeof createEvidenceExports>;

/** Throws LetheError store_unavailable. */
export function createEvidenceExports(deps: ExportDeps) {
	const tree = createTreeReader(deps.store);

	async function latest(): Promise<{ note: string; size: number } | undefined> {
		const note = await deps.store.checkpoint();
		const checkpoint = note === undefined ? undefined : readCheckpoint(note);
		return note === undefined || checkpoint === undefined ? undefined : { note, size: checkpoint.size };
	}

	async function boundOf(at: number | undefined, size: number, otherwise: number): Promise<number> {
		if (at === undefined) return otherwise;
		return Math.min((await deps.store.firstSince(at)) ?? size, size);
	}

	const { reachOf, cover } = createCover(deps, latest);

	return {
		/** The last checkpoint, as a signed note; undefined while none is published. */
		checkpoint: async (): Promise<string | undefined> => (await latest())?.note,

		/**
		 * The lines of an export: of a tenant's entries, and those that are nobody's; others stand as their hashes, which
		 * prove them without showing them. All entries without a tenant. A checkpoint is published first, where the last one does
		 * not cover the period; what none covers in time is left out, and counted. Undefined while none is published.
		 * @throws RangeError when `since` is larger than the log
		 */
		async export(period: Period, tenantId?: string): Promise<{ lines: AsyncGenerator<string> } | undefined> {
			const reach = await reachOf(period.to);
			await cover(reach);
			const published = await latest();
			if (published === undefined) return undefined;
			const { note, size } = published;
			const from = period.from === undefined ? 0 : await reachOf(period.from);
			const uncovered = Math.max(0, reach - Math.max(from, size));
			const start = await boundOf(period.from, size, 0);
			const end = Math.max(start, await boundOf(period.to, size, size));
			const read = await tree.nodesOf(size);
			const { left, right } = await proveRange(read, start, end, size);
			const { since } = period;
			const grown =
				since === undefined ? {} : { since: { size: since, hashes: pack(await proveConsistency(read, since, size)) } };
			const sides = { left: pack(left), right: pack(right) };
			const header: ExportHeader = {
				schema: exportSchema,
				checkpoint: note,
				start,
				end,
				uncovered,
				...sides,
				...(await predecessorsOf(deps.store, note)),
				...grown,
			};
			return { lines: linesOf(deps.store, header, tenantId) };
		},

		/** Proof of one entry of a tenant or of nobody; undefined when there is none there that it may see. */
		async prove(at: number, tenantId: string): Promise<InclusionProof | undefined> {
			const published = await latest();
			if (published === undefined || !Number.isSafeInteger(at) || at < 0 || at >= published.size) return undefined;
			for await (const bundle of deps.store.read(at, at + 1)) {
				const entry = bundle.entries[at - spanOf(bundle).start];
				if (entry === undefined || !readShown(entry, tenantId)) return undefined;
				const path = await proveInclusion(await tree.nodesOf(published.size), at, published.size);
				return { schema: proofSchema, checkpoint: published.note, index: at, entry, hashes: pack(path) };
			}
			return undefined;
		},

		/** The hashes by which a log of `older` entries is shown to have grown into the last checkpoint's. @throws RangeError */
		async proveGrowth(older: number): Promise<{ checkpoint: string; older: number; hashes: string[] } | undefined> {
			const published = await latest();
			if (published === undefined) return undefined;
			const path = await proveConsistency(await tree.nodesOf(published.size), older, published.size);
			return { checkpoint: published.note, older, hashes: pack(path) };
		},
	};
}

function createCover(deps: ExportDeps, latest: () => Promise<{ size: number } | undefined>) {
	/** The log's length by then, whether a checkpoint covers it or not. */
	async function reachOf(at: number | undefined): Promise<number> {
		return (at === undefined ? undefined : await deps.store.firstSince(at)) ?? (await deps.store.head())?.end ?? 0;
	}

	/** Waits until a checkpoint covers so many entries, or for as long as is bearable. */
	async function cover(reach: number): Promise<void> {
		const until = deps.monotonic() + deps.patienceMs;
		for (let asked = false; ((await latest())?.size ?? 0) < reach; asked = true) {
			if (!asked) deps.publishSoon();
			if (deps.monotonic() >= until) return;
			await new Promise((resolve) => setTimeout(resolve, pollMs));
		}
	}

	return { reachOf, cover };
}

/** Of the logs before the one of that checkpoint. */
async function predecessorsOf(
	store: Pick<EvidenceStore, "before">,
	note: string,
): Promise<Pick<ExportHeader, "predecessors">> {
	const before = await store.before();
	// Its own stands among them for a moment, as it is given a successor.
	const own = before.findIndex((one) => readCheckpoint(one)?.origin === readCheckpoint(note)?.origin);
	const predecessors = own < 0 ? before : before.slice(0, own);
	return predecessors.length === 0 ? {} : { predecessors };
}

async function* linesOf(
	store: Pick<EvidenceStore, "read">,
	header: ExportHeader,
	tenantId: string | undefined,
): AsyncGenerator<string> {
	yield JSON.stringify(header);
	if (header.start === header.end) return;
	for await (const bundle of store.read(header.start, header.end)) {
		const { start } = spanOf(bundle);
		for (const text of bundle.entries.slice(Math.max(0, header.start - start), header.end - start)) {
			yield tenantId === undefined || readShown(text, tenantId)
				? text
				: JSON.stringify(leafHash(Buffer.from(text)).toString("base64"));
		}
	}
}

function pack(list: readonly Hash[]): string[] {
	return list.map((one) => one.toString("base64"));
}
