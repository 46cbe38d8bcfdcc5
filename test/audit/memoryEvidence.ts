// An evidence log in memory: the store's part with the same contract, its keys, a witness, and everything that is built on them.

import { generateKeyPairSync, randomBytes, sign } from "node:crypto";
import { createBatcher } from "../../adapters/batcher.ts";
import { deriveId } from "../../adapters/deriveId.ts";
import type { EvidenceStore } from "../../adapters/mongo/evidence.ts";
import type { TileDocument } from "../../adapters/mongo/models.ts";
import type { Witness } from "../../adapters/witness.ts";
import { createCheckpoints } from "../../audit/checkpoints.ts";
import { createEvidence } from "../../audit/evidence.ts";
import { createEvidenceExports } from "../../audit/evidenceExport.ts";
import { type Bundle, everyTenant, spanOf } from "../../domain/evidence.ts";
import { formatId, type IdKind } from "../../domain/ids.ts";
import { createMemoryWitness } from "../harness/memoryWitness.ts";

export const origin = "lethe.example/evidence";

export const ids = {
	random: (kind: IdKind) => formatId(kind, randomBytes(16)),
	derive: deriveId,
};

export function createKey() {
	const { privateKey, publicKey } = generateKeyPairSync("ed25519");
	const { x } = publicKey.export({ format: "jwk" }) as { x: string };
	return { x, sign: async (bytes: Uint8Array) => ({ signature: sign(null, bytes, privateKey), x }) };
}

export type MemoryEvidence = ReturnType<typeof createMemoryEvidence>;

/** `clock` is one second later at each entry of the log. `turn` runs before each call of the store. */
export function createMemoryEvidence({ turn = async () => undefined }: { turn?: () => Promise<void> } = {}) {
	const kept = {
		bundles: [] as Bundle[],
		tiles: [] as TileDocument[],
		note: undefined as string | undefined,
		before: [] as string[],
	};
	const key = createKey();
	const time = { now: Date.parse("2026-06-01T00:00:00Z") };
	const clock = () => time.now;
	const store: EvidenceStore = {
		async head() {
			await turn();
			const last = kept.bundles.at(-1);
			return last && { end: spanOf(last).end, frontier: last.frontier, at: last.at };
		},
		async insert(following) {
			for (const [index, bundle] of following.entries()) {
				await turn();
				if (kept.bundles.some(({ _id }) => _id === bundle._id)) return index;
				kept.bundles.push(bundle);
			}
			return following.length;
		},
		async *read(start, end = Number.MAX_SAFE_INTEGER) {
			for (const bundle of kept.bundles) {
				const span = spanOf(bundle);
				if (span.end > start && span.start < end) yield bundle;
			}
		},
		async findAbout(wanted) {
			await turn();
			return kept.bundles.filter(({ about }) => about.some((id) => wanted.includes(id)));
		},
		pageOf: async (of, index, itemsMax) =>
			kept.bundles
				.filter(({ _id }) => Number(_id) <= index)
				.filter(({ about, tenants }) =>
					"about" in of ? about.includes(of.about) : [of.tenantId, everyTenant].some((id) => tenants.includes(id)),
				)
				.reverse()
				.slice(0, itemsMax),
		async firstSince(at) {
			const found = kept.bundles.find((bundle) => bundle.at >= at);
			return found && Number(found._id);
		},
		findTiles: async (wanted) => wanted.map((id) => kept.tiles.find(({ _id }) => _id === id)),
		findTileRoots: async (wanted) => wanted.map((id) => kept.tiles.find(({ _id }) => _id === id)?.root),
		keepTile: async (tile) => void kept.tiles.push(tile),
		lastTile: async (prefix) => kept.tiles.map(({ _id }) => _id).findLast((id) => id.startsWith(prefix)),
		async *tiles() {
			yield* kept.tiles;
		},
		checkpoint: async () => kept.note,
		before: async () => kept.before,
		async keepBefore(generation, _size, note) {
			kept.before[generation - 1] ??= note;
		},
		async keepCheckpoint(_size, note) {
			kept.note = note;
		},
	};
	const witness = createMemoryWitness();
	const succession = createMemorySuccession();
	const { judged } = succession;
	const createPublisher = (witnesses: Witness[]) =>
		createCheckpoints({ origin, store, witnesses, sign: key.sign, keys: async () => [key], judged });
	const createWriter = () => createEvidence({ clock, ids, store, gather: createBatcher });
	return {
		kept,
		store,
		key,
		time,
		witnessed: witness.kept,
		createWriter,
		evidence: createWriter(),
		succession,
		witness,
		createCheckpoints: createPublisher,
		checkpoints: createPublisher([witness]),
		exports: createEvidenceExports({ store, ...unsigned }),
		/** All entries, as they stand in the log. */
		entries: () => kept.bundles.flatMap(({ entries }) => entries.map((text) => JSON.parse(text))),
	};
}

/** What people have judged, as Vault records it. */
function createMemorySuccession() {
	let last: string | undefined;
	return {
		judged: async () => last,
		judge: async (note: string) => {
			last = note;
		},
	};
}

/** Nobody signs when an export asks: it goes on at once with what is published. */
export const unsigned = { publishSoon: () => undefined, monotonic: () => 0, patienceMs: 0 };

/** Any document that carries evidence. */
export function carrierOf(count: number, more: { integrated?: number } = {}) {
	return {
		_id: ids.random("message"),
		tenantId: ids.random("tenant"),
		principalId: ids.random("apiKey"),
		evidence: Array.from({ length: count }, (_, at) => ({ at: 1_780_000_000_000 + at, type: "queued" as const })),
		...more,
	};
}

export async function* ofArray<T>(items: readonly T[]): AsyncGenerator<T> {
	yield* items;
}
