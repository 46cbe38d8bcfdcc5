// What the metrics watch of forgetting: how late purges are, what can't be read, what the ledger was not told, how many keys are past their cryptoperiod.

import { findKeyAges, type KeyPeriods } from "../audit/keyAges.ts";
import { limits } from "../domain/limits.ts";
import type { ApiDeps } from "./deps.ts";
import type { Metrics } from "./metrics.ts";

type WatchedDeps = Pick<ApiDeps, "clock" | "keyVersions"> & {
	store: {
		cohorts: Pick<ApiDeps["store"]["cohorts"], "oldestDue">;
		messages: Pick<ApiDeps["store"]["messages"], "findUnreadable">;
		ledgerWaiting: Pick<ApiDeps["store"]["ledgerWaiting"], "oldest">;
	};
	limits: { purgeLagMsMax: number; keyPeriods: KeyPeriods };
};

/** Whoever is alerted by these needs no threshold of their own: `…_overdue` is above 0 when something is to be done. */
export function watchForgetting(metrics: Pick<Metrics, "watch">, deps: WatchedDeps): void {
	const lagMs = async () => {
		const now = deps.clock();
		return Math.max(0, now - ((await deps.store.cohorts.oldestDue(now))?.dueAt ?? now));
	};
	const { purgeLagMsMax, keyPeriods } = deps.limits;
	metrics.watch(
		"lethe_purge_lag_seconds",
		"How long the cohort that is overdue for the longest has been due.",
		async () => (await lagMs()) / 1000,
	);
	metrics.watch("lethe_purge_overdue", "1 when that is longer than LETHE_PURGE_LAG_MS_MAX.", async () =>
		(await lagMs()) > purgeLagMsMax ? 1 : 0,
	);
	metrics.watch(
		"lethe_messages_unreadable",
		`Messages of which what is due is not done, since they can't be read; ${limits.unreadableItems} at most are counted.`,
		async () => (await deps.store.messages.findUnreadable(limits.unreadableItems)).length,
	);
	metrics.watch(
		"lethe_ledger_waiting_seconds",
		"How long the oldest opt-out, withdrawal, hold or revocation has waited for the ledger outside the store.",
		async () => {
			const now = deps.clock();
			const [oldest] = await deps.store.ledgerWaiting.oldest(1);
			return Math.max(0, now - (oldest?.at ?? now)) / 1000;
		},
	);
	metrics.watch("lethe_keys_overdue", "Signing and HMAC keys in use beyond their cryptoperiod.", async () => {
		const ages = await findKeyAges(deps.keyVersions, keyPeriods, deps.clock());
		return ages.filter(({ overdue }) => overdue).length;
	});
}
