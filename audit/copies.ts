// Every place that held, or could hold, what was erased, and the fate of its copy.

import { z } from "zod";
import type { CarrierCopy } from "../domain/carrierCopy.ts";
import { formatTime } from "../domain/formatTime.ts";

const time = z.iso.datetime({ precision: 3 });

export const copyNames = [
	"database document",
	"database oplog",
	"database journal",
	"database backups",
	"vault cohort key",
	"vault raft log",
	"vault snapshots",
	"process key caches",
	"redis",
	"temporal history",
	"logs",
	"carrier",
] as const;
export type CopyName = (typeof copyNames)[number];

/**
 * One copy. `at`: when it was erased; `endsAt`: when it ends by its declared lifetime, or by plan. RFC 3339.
 * `planned` is still there and nothing relies on its end; `unbounded` has no declared end; `unverified` should have
 * been read back and was not; `obligation` lies with a processor, whose agreement ends it at `endsAt`.
 */
export const copySchema = z.strictObject({
	copy: z.enum(copyNames),
	method: z.enum([
		"ciphertext_and_wrapped_key_removed",
		"record_removed",
		"key_destroyed",
		"outlived",
		"forgotten",
		"opaque_ids_only",
		"processor_agreement",
		"carrier_redaction",
	]),
	status: z.enum(["erased", "holds_none", "expires", "planned", "unbounded", "unverified", "obligation"]),
	/** What the status rests on: read back by Lethe, told by the carrier, declared by the operator, or so by construction. */
	proof: z.enum(["read_back", "confirmed", "declared", "by_design", "none"]),
	at: time.optional(),
	endsAt: time.optional(),
});
export type Copy = z.infer<typeof copySchema>;

/** Longest life of each kind of copy, in ms; null means that nobody limits it. */
export type Lifetimes = {
	oplogMs: number | null;
	journalMs: number | null;
	databaseBackupMs: number | null;
	vaultRaftLogMs: number | null;
	vaultSnapshotMs: number | null;
	logsMs: number | null;
	/** Longest time that carriers keep what they were handed, by their agreements. */
	carrierMs: number | null;
	/** Longest time that a process keeps a wrapping key. */
	keyCacheMs: number;
};

/** What happened, epoch ms. */
export type ErasureFacts = {
	/** The last object's erasure. */
	erasedAt: number;
	/** All objects were read back and found gone. */
	verified: boolean;
	/** When the last cohort key was destroyed and found gone; undefined while one of them stands. */
	keyDestroyedAt: number | undefined;
	/** When the last cohort key is to be destroyed; undefined when not known. */
	keyDueAt: number | undefined;
	/** Whether any of it was kept under a cohort's key: otherwise no copy of a key counts. */
	encrypted: boolean;
	/** Of each message, what its carrier has. */
	carrierCopies: readonly CarrierCopy[];
	/** Copies whose check failed or could not be made. */
	unverified: readonly CopyName[];
};

/** All copies, each once, in the order of `copyNames`. */
export function copiesOf(facts: ErasureFacts, lifetimes: Lifetimes): Copy[] {
	const { erasedAt, keyDestroyedAt } = facts;
	const lastDestruction = Math.max(erasedAt, keyDestroyedAt ?? erasedAt);
	const removed = facts.encrypted ? "ciphertext_and_wrapped_key_removed" : "record_removed";
	const copies: Copy[] = [
		gone("database document", removed, erasedAt, facts.verified),
		expiring("database oplog", erasedAt, lifetimes.oplogMs),
		expiring("database journal", erasedAt, lifetimes.journalMs),
		expiring("database backups", erasedAt, lifetimes.databaseBackupMs),
		...vaultCopies(facts, lifetimes),
		facts.encrypted
			? { ...expiring("process key caches", lastDestruction, lifetimes.keyCacheMs), method: "forgotten" }
			: holdsNone("process key caches"),
		holdsNone("redis"),
		holdsNone("temporal history"),
		holdsNone("logs", end(lastDestruction, lifetimes.logsMs)),
		carriersCopy(facts.carrierCopies, lifetimes.carrierMs),
	];
	return copies.map((copy) => (facts.unverified.includes(copy.copy) ? unverified(copy) : copy));
}

function vaultCopies(facts: ErasureFacts, lifetimes: Lifetimes): Copy[] {
	const { keyDestroyedAt, keyDueAt } = facts;
	if (!facts.encrypted)
		return [holdsNone("vault cohort key"), holdsNone("vault raft log"), holdsNone("vault snapshots")];
	if (keyDestroyedAt !== undefined) {
		return [
			gone("vault cohort key", "key_destroyed", keyDestroyedAt, true),
			expiring("vault raft log", keyDestroyedAt, lifetimes.vaultRaftLogMs),
			expiring("vault snapshots", keyDestroyedAt, lifetimes.vaultSnapshotMs),
		];
	}
	return [
		planned("vault cohort key", "key_destroyed", keyDueAt, 0),
		planned("vault raft log", "outlived", keyDueAt, lifetimes.vaultRaftLogMs),
		planned("vault snapshots", "outlived", keyDueAt, lifetimes.vaultSnapshotMs),
	];
}

/** The worst of them: what nobody but the carrier can end, then what it is still to be asked, then what it has forgotten. */
function carriersCopy(copies: readonly CarrierCopy[], lifetimeMs: number | null): Copy {
	const copy = "carrier";
	const left = copies.flatMap((one) => (one.kind === "planned" || one.kind === "obligation" ? [one] : []));
	if (left.length > 0) {
		const endsAt = end(Math.max(...left.map(({ handedAt }) => handedAt)), lifetimeMs);
		const dated = { proof: "declared", ...(endsAt ? { endsAt } : {}) } as const;
		return left.some(({ kind }) => kind === "obligation")
			? { copy, method: "processor_agreement", status: "obligation", ...dated }
			: { copy, method: "carrier_redaction", status: "planned", ...dated };
	}
	const redacted = copies.flatMap((one) => (one.kind === "redacted" ? [one] : []));
	if (redacted.length === 0) return holdsNone(copy);
	const proof = redacted.every(({ readBack }) => readBack) ? "read_back" : "confirmed";
	const at = formatTime(Math.max(...redacted.map((one) => one.at)));
	return { copy, method: "carrier_redaction", status: "erased", proof, at };
}

function gone(copy: CopyName, method: Copy["method"], at: number, verified: boolean): Copy {
	const erased: Copy = { copy, method, status: "erased", proof: "read_back", at: formatTime(at) };
	return verified ? erased : unverified(erased);
}

function expiring(copy: CopyName, from: number, lifetimeMs: number | null): Copy {
	const endsAt = end(from, lifetimeMs);
	if (endsAt === undefined) return { copy, method: "outlived", status: "unbounded", proof: "declared" };
	return { copy, method: "outlived", status: "expires", proof: "declared", endsAt };
}

function planned(copy: CopyName, method: Copy["method"], dueAt: number | undefined, lifetimeMs: number | null): Copy {
	const bounded = lifetimeMs !== null && lifetimeMs <= lifetimeMsMax;
	if (!bounded) return { copy, method, status: "unbounded", proof: "declared" };
	const endsAt = dueAt === undefined ? undefined : end(dueAt, lifetimeMs);
	return { copy, method, status: "planned", proof: "declared", ...(endsAt ? { endsAt } : {}) };
}

function holdsNone(copy: CopyName, endsAt?: string): Copy {
	const method = "opaque_ids_only";
	return { copy, method, status: "holds_none", proof: "by_design", ...(endsAt ? { endsAt } : {}) };
}

function unverified({ copy, method }: Copy): Copy {
	return { copy, method, status: "unverified", proof: "none" };
}

// Longer than a century is nobody's limit, and years past 9999 have no RFC 3339 form.
const lifetimeMsMax = 100 * 365.25 * 24 * 3600_000;

function end(from: number, lifetimeMs: number | null): string | undefined {
	if (lifetimeMs === null || lifetimeMs > lifetimeMsMax) return undefined;
	if (!(lifetimeMs >= 0)) throw new RangeError("a declared lifetime is negative or not a number");
	return formatTime(from + lifetimeMs);
}
