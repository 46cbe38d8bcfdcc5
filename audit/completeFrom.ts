// When what was erased can no longer be read by anyone: the arithmetic of an erasure certificate, pure.

import type { Copy, CopyName } from "./copies.ts";

export const incompleteReasons = [
	"copy_unverified",
	"database_unbounded",
	"key_not_destroyed",
	"vault_unbounded",
	"caches_unbounded",
] as const;
export type IncompleteReason = (typeof incompleteReasons)[number];

export type Completeness =
	| { status: "complete"; reasons: []; completeFrom: string }
	| { status: "incomplete"; reasons: IncompleteReason[] };

/** Copies that hold ciphertext beside its wrapped data key. */
const databaseCopies = ["database oplog", "database journal", "database backups"] as const satisfies CopyName[];
/** Copies that hold the cohort key, once Vault itself no longer does. */
const vaultCopies = ["vault raft log", "vault snapshots"] as const satisfies CopyName[];

/**
 * Plaintext needs a database copy and a Vault copy of the cohort key together, so it is out of reach from the earlier
 * of (last database copy gone, last Vault copy gone), and never before the process caches have let go of their keys.
 *
 * A cohort key whose destruction is only planned proves nothing: holds, outages or a stopped purge may delay it. Until
 * the destruction has happened and was read back, only the database side can give the date, and if that side has no
 * end the certificate is incomplete; the purge's own certificate then tells the rest. One unverified copy makes it
 * incomplete, whatever the dates say.
 *
 * What was never encrypted is read from a database copy alone: where any of it was, no end of a key gives the date.
 *
 * @param copies every copy once; times RFC 3339
 * @param someKeyless whether any of what was erased was not encrypted
 */
export function completeFrom(copies: readonly Copy[], someKeyless: boolean): Completeness {
	const copy = (name: CopyName): Copy | undefined => copies.find((candidate) => candidate.copy === name);
	const reasons: IncompleteReason[] = [];
	if (copies.some((candidate) => candidate.status === "unverified")) reasons.push("copy_unverified");
	const databaseEnd = lastEnd(databaseCopies.map(copy));
	const keyDestroyed = copy("vault cohort key")?.status === "erased";
	// What was never encrypted has no key whose end could help, and none in a cache.
	const encrypted = copy("vault cohort key")?.status !== "holds_none";
	const vaultEnd = keyDestroyed ? lastEnd(vaultCopies.map(copy)) : undefined;
	const cacheEnd = encrypted ? lastEnd([copy("process key caches")]) : Number.NEGATIVE_INFINITY;
	const keyEnd = someKeyless ? undefined : vaultEnd;
	if (databaseEnd === undefined && keyEnd === undefined) {
		reasons.push("database_unbounded");
		if (encrypted && vaultEnd === undefined) reasons.push(keyDestroyed ? "vault_unbounded" : "key_not_destroyed");
	}
	if (cacheEnd === undefined) reasons.push("caches_unbounded");
	if (reasons.length > 0 || cacheEnd === undefined) return { status: "incomplete", reasons };
	const ends = [databaseEnd, keyEnd].filter((end) => end !== undefined);
	const from = Math.max(Math.min(...ends), cacheEnd);
	return { status: "complete", reasons: [], completeFrom: new Date(from).toISOString() };
}

/** Latest end, epoch ms; undefined when one of them has none. */
function lastEnd(copies: (Copy | undefined)[]): number | undefined {
	const ends = copies.map((copy) => (copy?.status === "expires" ? Date.parse(copy.endsAt ?? "") : Number.NaN));
	return ends.some(Number.isNaN) ? undefined : Math.max(...ends);
}
