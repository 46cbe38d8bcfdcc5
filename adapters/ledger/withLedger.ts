// A store whose acts that no restore may undo are in the ledger before they are done, whoever does them.

import { toLedger } from "../../domain/ledger.ts";
import type { Store } from "../mongo/store.ts";
import type { Ledger } from "./ledger.ts";

/** The same store; its writes throw what the ledger throws, and then nothing was done. */
export function withLedger(store: Store, ledger: Pick<Ledger, "put" | "forget">): Store {
	const { subjectRecords, cohorts, apiKeys, tenants } = store;
	const forget = async (id: string) => {
		await ledger.forget("record", id);
		await ledger.forget("ended", `${id}-end`);
	};
	return {
		...store,
		subjectRecords: {
			...subjectRecords,
			async insert(record) {
				const entry = toLedger(record);
				if (entry) await ledger.put(entry);
				return subjectRecords.insert(record);
			},
			async end(id, ended, set) {
				const eraseBy = set?.eraseBy === undefined ? {} : { eraseBy: set.eraseBy };
				await ledger.put({ _id: `${id}-end`, kind: "ended", record: id, ended, ...eraseBy });
				return subjectRecords.end(id, ended, set);
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
				await ledger.put({ _id: id, kind: "revoked", at: now });
				return apiKeys.revoke(id, now);
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
