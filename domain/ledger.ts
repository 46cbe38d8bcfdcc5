// The ledger outside the stores: what a restored store must be told again, and how old it may be. Times are epoch milliseconds.

import type { Taking } from "./person.ts";
import type { Ending, HoldRecord, OptOutRecord, SubjectRecord } from "./subject.ts";
import type { TenantStanding } from "./tenancy.ts";

/** One fact that a copy of before it must not undo. Pseudonyms, ids, times, and the country and region of who opted out. */
export type LedgerEntry =
	| { _id: string; kind: "record"; record: OptOutRecord | HoldRecord }
	| { _id: string; kind: "ended"; record: string; ended: Ending; eraseBy?: number }
	/** A message's content, number and receipts went before their time. */
	| { _id: string; kind: "erasure"; tenantId: string; messageId: string; at: number }
	| { _id: string; kind: "cohort"; at: number }
	/** An API key, a person or a webhook endpoint has ended. */
	| { _id: string; kind: "revoked"; at: number }
	/** An API key has another text: when each of before ends. One that is not named ended at `at`. */
	| { _id: string; kind: "rotated"; apiKeyId: string; at: number; ends: { createdAt: number; endsAt: number }[] }
	/** As it was trusted at `at`, an outside issuer, of tokens or of people, is trusted no more. */
	| { _id: string; kind: "distrusted"; issuerId: string; at: number }
	/** What the change that made this revision of a person took from them. */
	| { _id: string; kind: "taken"; personId: string; revision: number; taking: Taking }
	/** Where a tenant stands as of a revision; `intended` is what was about to be, and of one revision counts less. */
	| {
			_id: string;
			kind: "tenant";
			tenantId: string;
			revision: number;
			standing?: TenantStanding;
			intended?: true;
	  };

/** An entry that could not be put outside yet, while what it tells is in force in the store. `at`: since when, epoch ms. */
export type WaitingEntry = { _id: string; entry: LedgerEntry; at: number };

export const ledgerKinds = [
	...["record", "ended", "erasure", "cohort", "revoked", "rotated", "distrusted", "taken", "tenant"],
] as const satisfies LedgerEntry["kind"][];

/** What an entry is known by; of one there is one. */
export function keyOf({ kind, _id }: Pick<LedgerEntry, "kind" | "_id">): string {
	return `${kind}/${_id}`;
}

/** Which life of a store this is, and how far it has come; both rise together in the store and in the ledger. */
export type Epoch = { epoch: string; beat: number; at: number };

/** `new`: neither has begun. */
export type EpochStanding = "new" | "current" | "store_behind" | "ledger_behind";

/** Whether one of the two is a copy from before: nothing is done then until a restore has been seen to. */
export function isOld(standing: EpochStanding): boolean {
	return standing === "store_behind" || standing === "ledger_behind";
}

/**
 * Compares a store with what is known outside of it. The store beats first, so it may be one beat ahead of `main`; of
 * `witness`, which others may write elsewhere, only what is ahead counts.
 */
export function compareEpochs(
	store: Epoch | undefined,
	{ main, witness }: { main: Epoch | undefined; witness: Epoch | undefined },
): EpochStanding {
	const known = [main, witness].filter((epoch) => epoch !== undefined);
	const newest = known.toSorted((a, b) => b.at - a.at || b.beat - a.beat)[0];
	if (!newest) return store === undefined || store.beat <= 1 ? "new" : "ledger_behind";
	if (!store || (store.epoch !== newest.epoch && store.at <= newest.at)) return "store_behind";
	const furthest = Math.max(0, ...known.filter(({ epoch }) => epoch === store.epoch).map(({ beat }) => beat));
	if (store.beat < furthest) return "store_behind";
	const isMainClose = main?.epoch === store.epoch && main.beat >= store.beat - 1;
	return isMainClose ? "current" : "ledger_behind";
}

/**
 * Whether an epoch may take the place of another: in one life later beats only, and another life's only where the writer
 * knows of it. Whoever was frozen before it wrote takes nothing back.
 * @param known what the writer had read before it acted
 */
export function mayFollow(next: Epoch, standing: Epoch | undefined, known: readonly (Epoch | undefined)[]): boolean {
	if (standing === undefined) return true;
	if (standing.epoch === next.epoch) return next.beat > standing.beat;
	return known.some((one) => one?.epoch === standing.epoch);
}

/** What the ledger keeps of a record: what it does, and nothing of the message that it came in. */
export function toLedger(record: SubjectRecord): LedgerEntry | undefined {
	if (record.kind === "consent" || record.kind === "recipient_key") return undefined;
	if (record.kind === "hold") return { _id: record._id, kind: "record", record };
	const { facts: _, decision: __, ...kept } = record;
	return { _id: record._id, kind: "record", record: kept };
}

/** The entries of a record that stands: as it was when it was recorded, and its ending beside it. */
export function entriesOf(record: SubjectRecord): LedgerEntry[] {
	const { _id, ended, eraseBy } = record;
	const entry = toLedger(asRecorded(record));
	const ending =
		ended &&
		({ _id: `${_id}-end`, kind: "ended", record: _id, ended, ...(eraseBy !== undefined && { eraseBy }) } as const);
	return [entry, ending].filter((one) => one !== undefined);
}

// How far a hold had come says nothing of another copy of the store: there its turn comes at once.
function asRecorded(record: SubjectRecord): SubjectRecord {
	const { ended: _, ...recorded } = record;
	if (recorded.kind !== "hold") return recorded;
	const { passes: __, place: ___, appliedAt: ____, ...placed } = recorded;
	return { ...placed, nextCheckAt: placed.recordedAt };
}

/** Of each tenant the entry that counts. */
export function newestStandings(entries: Extract<LedgerEntry, { kind: "tenant" }>[]): typeof entries {
	const newest = new Map<string, (typeof entries)[number]>();
	for (const entry of entries) {
		const known = newest.get(entry.tenantId);
		const isNewer = !known || entry.revision > known.revision;
		if (isNewer || (entry.revision === known.revision && known.intended)) newest.set(entry.tenantId, entry);
	}
	return [...newest.values()];
}
