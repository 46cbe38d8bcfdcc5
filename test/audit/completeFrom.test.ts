// Law 3 of the design, as properties of the arithmetic.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { completeFrom } from "../../audit/completeFrom.ts";
import { copiesOf, copyNames, type ErasureFacts, type Lifetimes } from "../../audit/copies.ts";

const hour = 3600_000;
const at = fc.integer({ min: 1_600_000_000_000, max: 1_900_000_000_000 });
const bounded = fc.integer({ min: 0, max: 400 * 24 * hour });
const lifetime = fc.option(bounded, { nil: null, freq: 3 });
const lifetimes: fc.Arbitrary<Lifetimes> = fc.record({
	oplogMs: lifetime,
	journalMs: lifetime,
	databaseBackupMs: lifetime,
	vaultRaftLogMs: lifetime,
	vaultSnapshotMs: lifetime,
	logsMs: lifetime,
	carrierMs: lifetime,
	keyCacheMs: fc.integer({ min: 0, max: hour }),
});
const facts: fc.Arbitrary<ErasureFacts> = fc.record({
	erasedAt: at,
	verified: fc.constant(true),
	keyDestroyedAt: fc.option(at, { nil: undefined }),
	keyDueAt: fc.option(at, { nil: undefined }),
	encrypted: fc.constant(true),
	carrierCopies: fc.array(fc.record({ kind: fc.constant("obligation" as const), handedAt: at })),
	unverified: fc.constant([]),
});

const last = (...values: (number | null)[]) => (values.includes(null) ? Infinity : Math.max(...(values as number[])));
const judge = (one: ErasureFacts, lives: Lifetimes) => completeFrom(copiesOf(one, lives), !one.encrypted);

test("complete from the earlier of both sides, and never before the last destruction plus the cache age", () => {
	fc.assert(
		fc.property(facts, lifetimes, (one, lives) => {
			const database = one.erasedAt + last(lives.oplogMs, lives.journalMs, lives.databaseBackupMs);
			const vault = (one.keyDestroyedAt ?? Infinity) + last(lives.vaultRaftLogMs, lives.vaultSnapshotMs);
			const floor = Math.max(one.erasedAt, one.keyDestroyedAt ?? 0) + lives.keyCacheMs;
			const expected = Math.max(Math.min(database, vault), floor);
			const result = judge(one, lives);
			if (expected === Infinity) return assert.equal(result.status, "incomplete");
			assert.equal(result.status === "complete" && Date.parse(result.completeFrom), expected);
		}),
	);
});

test("what was never encrypted is complete with the last copy of the database, whatever becomes of keys", () => {
	fc.assert(
		fc.property(facts, lifetimes, (one, lives) => {
			const expected = one.erasedAt + last(lives.oplogMs, lives.journalMs, lives.databaseBackupMs);
			const result = judge({ ...one, encrypted: false }, lives);
			if (expected === Infinity) return assert.deepEqual([...result.reasons], ["database_unbounded"]);
			assert.equal(result.status === "complete" && Date.parse(result.completeFrom), expected);
		}),
	);
});

test("where any of it was never encrypted, no key's end gives the date; what else is missing is said as ever", () => {
	fc.assert(
		fc.property(facts, lifetimes, (one, lives) => {
			const copies = copiesOf(one, lives);
			const database = one.erasedAt + last(lives.oplogMs, lives.journalMs, lives.databaseBackupMs);
			const floor = Math.max(one.erasedAt, one.keyDestroyedAt ?? 0) + lives.keyCacheMs;
			const result = completeFrom(copies, true);
			if (database < Infinity) {
				assert.equal(result.status === "complete" && Date.parse(result.completeFrom), Math.max(database, floor));
				return;
			}
			const sealedOnly = completeFrom(copies, false);
			const reasons = sealedOnly.status === "incomplete" ? sealedOnly.reasons : ["database_unbounded"];
			assert.deepEqual(result, { status: "incomplete", reasons });
		}),
	);
});

test("one unverified copy, whichever it is, makes it incomplete", () => {
	fc.assert(
		fc.property(facts, lifetimes, fc.constantFrom(...copyNames), (one, lives, name) => {
			const result = judge({ ...one, unverified: [name] }, lives);
			assert.equal(result.status, "incomplete");
			assert.ok(result.reasons.some((reason) => reason === "copy_unverified"));
		}),
	);
});

test("a planned destruction of the key never gives the date", () => {
	fc.assert(
		fc.property(facts, lifetimes, at, (one, lives, dueAt) => {
			const standing = { ...one, keyDestroyedAt: undefined };
			assert.deepEqual(
				judge({ ...standing, keyDueAt: dueAt }, lives),
				judge({ ...standing, keyDueAt: undefined }, lives),
			);
		}),
	);
});

test("longer lifetimes never give an earlier date, and an incomplete one always says why", () => {
	fc.assert(
		fc.property(facts, lifetimes, bounded, (one, lives, more) => {
			const name = "databaseBackupMs";
			const before = judge(one, lives);
			const after = judge(one, { ...lives, [name]: lives[name] === null ? null : lives[name] + more });
			assert.equal(after.status, before.status);
			if (before.status === "complete" && after.status === "complete") {
				assert.ok(after.completeFrom >= before.completeFrom);
			}
			if (before.status === "incomplete") assert.ok(before.reasons.length > 0);
		}),
	);
});

test("a document that was not read back makes it incomplete", () => {
	const lives = {
		oplogMs: 1,
		journalMs: 1,
		databaseBackupMs: 1,
		vaultRaftLogMs: 1,
		vaultSnapshotMs: 1,
		logsMs: 1,
		carrierMs: 1,
	};
	const key = { encrypted: true, keyDestroyedAt: 1.7e12, keyDueAt: undefined };
	const one = { erasedAt: 1.7e12, ...key, carrierCopies: [], unverified: [] };
	assert.equal(judge({ ...one, verified: true }, { ...lives, keyCacheMs: 1 }).status, "complete");
	assert.equal(judge({ ...one, verified: false }, { ...lives, keyCacheMs: 1 }).status, "incomplete");
});

test("a lifetime that is negative or not a number is refused, one beyond a century is no limit", () => {
	const lives = {
		oplogMs: 1,
		journalMs: 1,
		databaseBackupMs: 1,
		vaultRaftLogMs: 1,
		vaultSnapshotMs: 1,
		logsMs: 1,
		carrierMs: 1,
	};
	const one = { erasedAt: 1.7e12, verified: true, keyDestroyedAt: undefined, keyDueAt: 1.8e12 };
	const full = { ...one, encrypted: true, carrierCopies: [], unverified: [] };
	for (const oplogMs of [-1, Number.NaN]) {
		assert.throws(() => judge(full, { ...lives, keyCacheMs: 1, oplogMs }), RangeError);
	}
	assert.deepEqual(judge(full, { ...lives, keyCacheMs: 1, oplogMs: Number.MAX_SAFE_INTEGER }).reasons, [
		"database_unbounded",
		"key_not_destroyed",
	]);
});
