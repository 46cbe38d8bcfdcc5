// The evidence log's one way in: acts become entries, entries get their index, and whoever integrates, no entry twice.

import type { createBatcher } from "../adapters/batcher.ts";
import type { EvidenceStore, Head } from "../adapters/mongo/evidence.ts";
import { LetheError } from "../domain/errors.ts";
import { type Act, type Bundle, bundleEntriesMax, everyTenant, indexText, saidOf, spanOf } from "../domain/evidence.ts";
import type { IdKind } from "../domain/ids.ts";
import type { EvidenceEntry, Message } from "../domain/message.ts";
import { formatEntry } from "./entry.ts";
import { append, type Frontier, hashBytes, leafHash, splitHashes } from "./merkle.ts";

export type Evidence = ReturnType<typeof createEvidence>;

type EvidenceDeps = {
	/** Epoch milliseconds. */
	clock: () => number;
	ids: { random: (kind: IdKind) => string; derive: (kind: IdKind, text: string) => string };
	store: Pick<EvidenceStore, "head" | "insert" | "findAbout">;
	/** How calls that come together share a batch. */
	gather: typeof createBatcher;
	/** Told of what could not be entered as it was said. */
	log?: { error: (fields: Record<string, unknown>, message: string) => void };
};

/** Entries of one caller. */
type Group = {
	entries: Prepared[];
	/** The message that carries them: they may be in the log already, from a process that died before it said so. */
	messageId?: string;
};
type Prepared = { id: string; text: string; about: string[]; tenantId: string | undefined };

const gatheredMax = 200;
// Each round that is lost was won by another writer.
const roundsMax = 64;

/** What a message's document carries of itself. */
type Carrier = Pick<Message, "_id" | "tenantId" | "principalId" | "evidence" | "integrated">;

export function createEvidence(deps: EvidenceDeps) {
	let head: Head | undefined;
	// How often what is known of the store was forgotten: what was read of it before that is of another one.
	let forgotten = 0;

	const enter = deps.gather<Group, void>({
		itemsMax: gatheredMax,
		run: async (groups) => {
			await enterAll(groups);
			return groups.map(() => undefined);
		},
	});

	async function enterAll(groups: Group[]): Promise<void> {
		const entered = new Set<string>();
		for (let round = 0; round < roundsMax; round++) {
			// The end first: what was entered before it is seen, and what comes after it takes the index that is asked for.
			const asOf = forgotten;
			const known = head ?? (await deps.store.head()) ?? { end: 0, frontier: new Uint8Array(), at: 0 };
			for (const id of await findEntered(deps.store, groups)) entered.add(id);
			const distinct = new Map(groups.flatMap(({ entries }) => entries.map((entry) => [entry.id, entry])));
			const fresh = [...distinct.values()].filter(({ id }) => !entered.has(id));
			if (fresh.length === 0) return;
			if (asOf !== forgotten) continue;
			const bundles = bundlesOf(known, fresh, deps.clock());
			head = undefined;
			const inserted = await deps.store.insert(bundles);
			for (const { id } of fresh.slice(0, lengthOf(bundles.slice(0, inserted)))) entered.add(id);
			if (inserted === bundles.length) {
				if (asOf === forgotten) head = endOf(bundles.at(-1) as Bundle);
				return;
			}
		}
		throw new LetheError("store_unavailable", { cause: "lost every race for the next index" });
	}

	return {
		/**
		 * Enters acts; they are durably in the log when it answers. Whoever acts does so after.
		 * @throws LetheError store_unavailable; ZodError when an act says what an entry may not
		 */
		async append(acts: readonly Act[]): Promise<void> {
			const now = deps.clock();
			const entries = acts.map((act) => prepare(deps.ids.random("evidence"), now, act));
			if (entries.length > 0) await enter({ entries });
		},

		/**
		 * Enters what a message's document carries and the log has not, and `next`, which the caller's very next update
		 * adds to it. Answers how many of its entries are in the log; the same document again enters nothing. An act with a
		 * code that no entry may have was done all the same: it is entered with the code `unfit`, and keeps no other waiting.
		 * @throws LetheError store_unavailable
		 */
		async integrate(message: Carrier, next: readonly EvidenceEntry[] = []): Promise<number> {
			const all = [...message.evidence, ...next];
			const first = message.integrated ?? 0;
			const entries = all.slice(first).map((entry, at) => ofMessage(deps, message, entry, first + at));
			if (entries.length > 0) await enter({ entries, messageId: message._id });
			return all.length;
		},

		/** Forgets where the log ends: its store may be another one by now, whose log is shorter. */
		forget(): void {
			head = undefined;
			forgotten++;
		},
	};
}

function ofMessage(deps: EvidenceDeps, message: Carrier, entry: EvidenceEntry, position: number): Prepared {
	const { at, type, code, attempt } = entry;
	const by = entry.by ?? (type === "accepted" ? message.principalId : undefined);
	const act: Act = {
		type,
		...(code === undefined ? {} : { code }),
		...(attempt === undefined ? {} : { attempt }),
		...(by === undefined ? {} : { by }),
		tenantId: message.tenantId,
		about: message._id,
	};
	return prepareFit(deps, deps.ids.derive("evidence", saidOf(act, at, position)), at, act);
}

// Were it refused, nothing of its message would be in the log ever after, and no erasure of it be certified.
function prepareFit({ log }: EvidenceDeps, id: string, at: number, act: Act): Prepared {
	try {
		return prepare(id, at, act);
	} catch {
		const { type, tenantId, about } = act;
		log?.error({ code: "evidence_unfit", kind: type, messageId: about }, "entered without what an entry may not say");
		return prepare(id, at, { type, code: "unfit", ...(tenantId && { tenantId }), ...(about && { about }) });
	}
}

function prepare(id: string, at: number, act: Act): Prepared {
	return { id, text: formatEntry(id, at, act), about: act.about ? [act.about] : [], tenantId: act.tenantId };
}

async function findEntered(store: EvidenceDeps["store"], groups: Group[]): Promise<string[]> {
	// All of a message's, wherever its document was read: who loses a race may have read an older one than who enters it again.
	const messageIds = groups.flatMap(({ messageId }) => messageId ?? []);
	if (messageIds.length === 0) return [];
	const found = await store.findAbout([...new Set(messageIds)]);
	// Bundles hold others' entries as well: to read them all as what they say would cost more than it tells.
	return found.flatMap(({ entries }) => entries.map((text) => /"id":"([^"]+)"/.exec(text)?.[1] ?? ""));
}

/** Entries as bundles that follow the end of the log. */
function bundlesOf(head: Head, entries: Prepared[], now: number): Bundle[] {
	const bundles: Bundle[] = [];
	let frontier = unpackFrontier(head.end, head.frontier);
	for (let from = 0; from < entries.length; from += bundleEntriesMax) {
		const taken = entries.slice(from, from + bundleEntriesMax);
		const start = frontier.size;
		frontier = append(
			frontier,
			taken.map(({ text }) => leafHash(Buffer.from(text))),
		);
		bundles.push({
			_id: indexText(start),
			entries: taken.map(({ text }) => text),
			about: [...new Set(taken.flatMap(({ about }) => about))],
			tenants: [...new Set(taken.map(({ tenantId }) => tenantId ?? everyTenant))],
			frontier: packFrontier(frontier),
			// Clocks of two processes differ; the log's own order never goes back.
			at: Math.max(now, head.at),
		});
	}
	return bundles;
}

function endOf(bundle: Bundle): Head {
	return { end: spanOf(bundle).end, frontier: bundle.frontier, at: bundle.at };
}

function lengthOf(bundles: Bundle[]): number {
	return bundles.reduce((sum, { entries }) => sum + entries.length, 0);
}

export function packFrontier({ hashes }: Frontier): Buffer {
	return Buffer.concat(hashes);
}

/** @throws RangeError when these are not the hashes of a tree of that size */
export function unpackFrontier(size: number, packed: Uint8Array): Frontier {
	const ones = [...size.toString(2)].filter((bit) => bit === "1").length;
	if (packed.length !== ones * hashBytes) throw new RangeError("not the edge of a tree of that size");
	return { size, hashes: splitHashes(packed) };
}
