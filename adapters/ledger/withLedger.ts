// A store whose acts that no restore may undo are in the ledger before they are done, whoever does them.

import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { LetheError } from "../../domain/errors.ts";
import { isId } from "../../domain/ids.ts";
import { keyOf, type LedgerEntry, toLedger } from "../../domain/ledger.ts";
import { limits } from "../../domain/limits.ts";
import { takenBy } from "../../domain/person.ts";
import { isStricter } from "../../domain/tenancy.ts";
import type { Store } from "../mongo/store.ts";
import type { Ledger } from "./ledger.ts";

type LedgerDeps = {
	clock: () => number;
	log: { warn: (fields: Record<string, unknown>, message: string) => void };
};

/**
 * The same store. What forbids or takes away (an opt-out, a withdrawal, a hold, a revocation, a person's role or passkey)
 * is done at once: while the ledger is out of reach, its entry waits in the store, durable before the act, and the sweep
 * enters it. What permits or erases waits for the ledger: such a write throws what the ledger throws, and then nothing
 * was done. An opt-out is lifted in the store first, which alone knows whether it was said again, and not at all without
 * the ledger.
 */
export function withLedger(
	store: Store,
	ledger: Pick<Ledger, "put" | "putWhole" | "putStanding" | "forget">,
	deps: LedgerDeps,
): Store {
	const enter = createEnter(store, ledger, deps);
	return {
		...store,
		subjectRecords: recordsWithLedger(store, ledger, enter, deps),
		...accessWithLedger(store, enter, deps),
		cohorts: {
			...store.cohorts,
			async advance(id, from, to, set) {
				// Its key is gone by now: of a copy of Vault from before, the ledger says that it must go again.
				if (to === "destroyed") await ledger.put({ _id: id, kind: "cohort", at: set?.destroyedAt ?? 0 });
				return store.cohorts.advance(id, from, to, set);
			},
		},
		tenants: { ...store.tenants, setStanding: createSetStanding(store, ledger, deps) },
	};
}

type Enter = ReturnType<typeof createEnter>;

function recordsWithLedger(
	{ subjectRecords, ledgerWaiting }: Store,
	ledger: Pick<Ledger, "putWhole" | "forget">,
	enter: Enter,
	{ clock }: LedgerDeps,
): Store["subjectRecords"] {
	// Whoever is entering what waits would have the ledger know again what it has just forgotten: first that, then this.
	const forget = async (id: string) => {
		// That a key has ended outlives its record: a copy from before would bring it back.
		if (isId("recipientKey", id)) return;
		for (const [kind, entryId] of [
			["record", id],
			["ended", `${id}-end`],
		] as const) {
			const waits = await ledgerWaiting.has(keyOf({ kind, _id: entryId }));
			if (waits) throw new LetheError("keys_unavailable", { cause: "the ledger is still to be told of it" });
			await ledger.forget(kind, entryId);
		}
	};
	// First that it is lifted, and then in the ledger: of one that is said again meanwhile a restore would lift what stands.
	const lift: typeof subjectRecords.end = async (id, ended, set, over) => {
		if (!(await subjectRecords.end(id, ended, set, over))) return false;
		await ledger.putWhole(endingOf(id, ended, set)).catch(async (error) => {
			await subjectRecords.reopen(id, ended);
			throw error;
		});
		return true;
	};
	// First in the ledger, since what a release lets go is gone. That it is about to be done waits in the store: were this to
	// die before the store has it, the sweep does it, and the ledger says nothing for long that is not so.
	const release: typeof subjectRecords.end = async (id, ended, set, over) => {
		const entry = endingOf(id, ended, set);
		const _id = keyOf(entry);
		await ledgerWaiting.add({ _id, entry, at: clock() });
		await ledger.putWhole(entry).catch(async (error) => {
			await ledgerWaiting.remove(_id);
			throw error;
		});
		const released = await subjectRecords.end(id, ended, set, over);
		await ledgerWaiting.remove(_id);
		return released;
	};
	return {
		...subjectRecords,
		async insert(record) {
			const entry = toLedger(record);
			if (entry) await enter(entry);
			return subjectRecords.insert(record);
		},
		async end(id, ended, set, over) {
			if (isId("optOut", id)) return lift(id, ended, set, over);
			if (isId("hold", id)) return release(id, ended, set, over);
			await enter(endingOf(id, ended, set));
			return subjectRecords.end(id, ended, set, over);
		},
		async delete(id) {
			// That a record is being erased was never in it. Of others the ledger goes first: who still finds it tries again.
			if (!isId("evidence", id)) await forget(id);
			await subjectRecords.delete(id);
		},
		async erase(record) {
			const erased = await subjectRecords.erase(record);
			if (erased) await forget(record._id);
			return erased;
		},
	};
}

function endingOf(...[id, ended, set]: Parameters<Store["subjectRecords"]["end"]>) {
	const eraseBy = set?.eraseBy === undefined ? {} : { eraseBy: set.eraseBy };
	return { _id: `${id}-end`, kind: "ended", record: id, ended, ...eraseBy } as const;
}

/** Keys, people, issuers and endpoints: whatever gave someone a way in, or a word of what happens, and does no more. */
function accessWithLedger(store: Store, enter: Enter, { clock }: LedgerDeps) {
	const { apiKeys, people, issuers, identityProviders, webhookEndpoints } = store;
	return {
		apiKeys: {
			...apiKeys,
			async revoke(id, now) {
				await enter({ _id: id, kind: "revoked", at: now });
				return apiKeys.revoke(id, now);
			},
			async replaceSecrets(id, newest, set) {
				const [current, ...earlier] = set.secrets;
				const at = current?.createdAt ?? clock();
				const ends = earlier.map(({ createdAt, endsAt = at }) => ({ createdAt, endsAt }));
				await enter({ _id: `${id}-${randomUUID()}`, kind: "rotated", apiKeyId: id, at, ends });
				return apiKeys.replaceSecrets(id, newest, set);
			},
		},
		people: {
			...people,
			change: (id, decide) =>
				people.change(id, decide, async (from, to) => {
					const [taking, { revision }] = [takenBy(from, to), to];
					if (taking) await enter({ _id: `${id}-${randomUUID()}`, kind: "taken", personId: id, revision, taking });
				}),
			async end(id, now) {
				await enter({ _id: id, kind: "revoked", at: now });
				return people.end(id, now);
			},
		},
		issuers: trustedWithLedger(issuers, enter, clock),
		identityProviders: trustedWithLedger(identityProviders, enter, clock),
		webhookEndpoints: {
			...webhookEndpoints,
			async delete(id) {
				await enter({ _id: id, kind: "revoked", at: clock() });
				return webhookEndpoints.delete(id);
			},
		},
	} satisfies Partial<Store>;
}

/** Who speaks for a tenant from outside. Trusted otherwise, one may be trusted with less: as it was it is trusted no more. */
function trustedWithLedger<Trusted extends { _id: string; createdAt: number }, Of extends TrustedStore<Trusted>>(
	trusted: Of & TrustedStore<Trusted>,
	enter: Enter,
	clock: () => number,
): Of {
	const distrust = (issuerId: string, at: number) =>
		enter({ _id: `${issuerId}-${randomUUID()}`, kind: "distrusted", issuerId, at });
	return {
		...trusted,
		async put(document: Trusted) {
			const known = await trusted.find(document._id);
			if (!known) return trusted.put(document);
			await distrust(known._id, known.createdAt);
			return trusted.put({ ...document, createdAt: Math.max(document.createdAt, known.createdAt + 1) });
		},
		async remove(id: string) {
			const known = await trusted.find(id);
			if (known) await distrust(id, Math.max(known.createdAt, clock()));
			return trusted.remove(id);
		},
	};
}

type TrustedStore<Trusted> = {
	find: (id: string) => Promise<Trusted | undefined>;
	put: (document: Trusted) => Promise<void>;
	remove: (id: string) => Promise<boolean>;
};

/**
 * Where a tenant stands. That it is about to be changed waits in the store until the ledger knows what became of it: were
 * this to die, the sweep tells it. What is stricter than before is in the ledger first.
 */
function createSetStanding(
	{ tenants, ledgerWaiting }: Store,
	ledger: Pick<Ledger, "put" | "putStanding">,
	deps: LedgerDeps,
): Store["tenants"]["setStanding"] {
	return async function setStanding(id, from, to, nextCheckAt) {
		if (JSON.stringify(from) === JSON.stringify(to)) return tenants.setStanding(id, from, to, nextCheckAt);
		const { standingRevision = 0 } = (await tenants.find(id)) ?? {};
		const isTaking = isStricter(to, from);
		const standing = isTaking ? to : from;
		const revision = isTaking ? standingRevision + 1 : standingRevision;
		const _id = `${id}-${randomUUID()}`;
		const entry = {
			_id,
			kind: "tenant",
			tenantId: id,
			revision,
			intended: true,
			...(standing && { standing }),
		} as const;
		await ledgerWaiting.add({ _id: keyOf(entry), entry, at: deps.clock() });
		if (isTaking) await isTold(ledger.put(entry));
		const changed = await tenants.setStanding(id, from, to, nextCheckAt);
		if (await isTold(ledger.putStanding(id))) await ledgerWaiting.remove(keyOf(entry));
		else tellWaiting(deps, entry);
		return changed;
	};
}

/** Has an entry durable before it answers: in every place of the ledger, or else in the store, from where the sweep takes it. */
function createEnter(store: Store, ledger: Pick<Ledger, "put">, deps: LedgerDeps) {
	return async (entry: LedgerEntry): Promise<void> => {
		if (await isTold(ledger.put(entry))) return;
		await store.ledgerWaiting.add({ _id: keyOf(entry), entry, at: deps.clock() });
		tellWaiting(deps, entry);
	};
}

/** Whether the ledger has it, within the patience for that. @throws what is no fault of a server's */
async function isTold(putting: Promise<void>): Promise<boolean> {
	const stop = new AbortController();
	const put = putting.then(
		() => undefined,
		(error: unknown) => error ?? new Error("the ledger failed"),
	);
	const patience = sleep(limits.ledgerPatienceMs, "slow" as const, { signal: stop.signal }).catch(
		() => "slow" as const,
	);
	const failure = await Promise.race([put, patience]);
	stop.abort();
	if (failure === undefined) return true;
	if (failure !== "slow" && !(failure instanceof LetheError)) throw failure;
	return false;
}

function tellWaiting({ log }: LedgerDeps, { kind }: LedgerEntry): void {
	log.warn({ code: "ledger_waits", kind }, "in force, and not in the ledger outside yet");
}
