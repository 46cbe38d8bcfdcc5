// A store whose acts that no restore may undo are in the ledger before they are done, whoever does them.

import { setTimeout as sleep } from "node:timers/promises";
import { LetheError } from "../../domain/errors.ts";
import { isId } from "../../domain/ids.ts";
import { type LedgerEntry, toLedger } from "../../domain/ledger.ts";
import { limits } from "../../domain/limits.ts";
import type { Store } from "../mongo/store.ts";
import type { Ledger } from "./ledger.ts";

type LedgerDeps = {
	clock: () => number;
	log: { warn: (fields: Record<string, unknown>, message: string) => void };
};

/**
 * The same store. What forbids or keeps (an opt-out, a withdrawal, a hold, a revocation) is done at once: while the ledger
 * is out of reach, its entry waits in the store, durable before the act, and the sweep enters it. What permits or erases
 * waits for the ledger: such a write throws what the ledger throws, and then nothing was done.
 */
export function withLedger(store: Store, ledger: Pick<Ledger, "put" | "putWhole" | "forget">, deps: LedgerDeps): Store {
	const { subjectRecords, cohorts, apiKeys, people, tenants } = store;
	const enter = createEnter(store, ledger, deps);
	const forget = async (id: string) => {
		for (const [kind, entryId] of [
			["record", id],
			["ended", `${id}-end`],
		] as const) {
			await store.ledgerWaiting.remove(waitingId({ kind, _id: entryId }));
			await ledger.forget(kind, entryId);
		}
	};
	return {
		...store,
		subjectRecords: {
			...subjectRecords,
			async insert(record) {
				const entry = toLedger(record);
				if (entry) await enter(entry);
				return subjectRecords.insert(record);
			},
			async end(id, ended, set) {
				const eraseBy = set?.eraseBy === undefined ? {} : { eraseBy: set.eraseBy };
				const entry = { _id: `${id}-end`, kind: "ended", record: id, ended, ...eraseBy } as const;
				await (isId("consent", id) ? enter(entry) : ledger.putWhole(entry));
				return subjectRecords.end(id, ended, set);
			},
			async delete(id) {
				await subjectRecords.delete(id);
				// That a record is being erased was never in it.
				if (!isId("evidence", id)) await forget(id);
			},
			async erase(record) {
				const erased = await subjectRecords.erase(record);
				if (erased) await forget(record._id);
				return erased;
			},
		},
		cohorts: {
			...cohorts,
			async advance(id, from, to, set) {
				// Its key is gone by now: of a copy of Vault from before, the ledger says that it must go again.
				if (to === "destroyed") await ledger.put({ _id: id, kind: "cohort", at: set?.destroyedAt ?? 0 });
				return cohorts.advance(id, from, to, set);
			},
		},
		apiKeys: {
			...apiKeys,
			async revoke(id, now) {
				await enter({ _id: id, kind: "revoked", at: now });
				return apiKeys.revoke(id, now);
			},
		},
		people: {
			...people,
			async end(id, now) {
				await enter({ _id: id, kind: "revoked", at: now });
				return people.end(id, now);
			},
		},
		tenants: {
			...tenants,
			async setStanding(id, from, to, nextCheckAt) {
				const changed = await tenants.setStanding(id, from, to, nextCheckAt);
				const isNews = JSON.stringify(from) !== JSON.stringify(to);
				if (changed && isNews) {
					await ledger.put({ _id: id, kind: "tenant", ...(to ? { standing: to } : {}) }, { once: false });
				}
				return changed;
			},
		},
	};
}

/** Has an entry durable before it answers: in every place of the ledger, or else in the store, from where the sweep takes it. */
function createEnter(store: Store, ledger: Pick<Ledger, "put">, { clock, log }: LedgerDeps) {
	return async (entry: LedgerEntry): Promise<void> => {
		const stop = new AbortController();
		const put = ledger.put(entry).then(
			() => undefined,
			(error: unknown) => error ?? new Error("the ledger failed"),
		);
		const patience = sleep(limits.ledgerPatienceMs, "slow" as const, { signal: stop.signal }).catch(
			() => "slow" as const,
		);
		const failure = await Promise.race([put, patience]);
		stop.abort();
		if (failure === undefined) return;
		if (failure !== "slow" && !(failure instanceof LetheError)) throw failure;
		await store.ledgerWaiting.add({ _id: waitingId(entry), entry, at: clock() });
		log.warn({ code: "ledger_waits", kind: entry.kind }, "in force, and not in the ledger outside yet");
	};
}

function waitingId({ kind, _id }: Pick<LedgerEntry, "kind" | "_id">): string {
	return `${kind}/${_id}`;
}
