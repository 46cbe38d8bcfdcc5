// Whether this process may work: not while its store is older than the ledger outside says it was.

import { LetheError } from "../../domain/errors.ts";
import type { EpochStanding } from "../../domain/ledger.ts";
import { limits } from "../../domain/limits.ts";

export type Quarantine = ReturnType<typeof createQuarantine>;

export function createQuarantine(deps: {
	standing: () => Promise<EpochStanding>;
	log: { error: (fields: object, message: string) => void };
}) {
	let known: EpochStanding | undefined;
	let running = false;

	async function refresh(): Promise<void> {
		if (running) return;
		running = true;
		try {
			const standing = await deps.standing();
			if (standing !== known && isOld(standing)) {
				deps.log.error({ code: "quarantined", standing }, "the store and the ledger are of different times");
			}
			known = standing;
		} catch {
			// A server that is away says nothing of the store's age: what was known last stands.
		} finally {
			running = false;
		}
	}

	return {
		refresh,
		/** Looks now and again; `stop` ends that. */
		async follow(): Promise<() => void> {
			await refresh();
			const timer = setInterval(() => void refresh(), limits.quarantinePollMs);
			timer.unref();
			return () => clearInterval(timer);
		},
		/** @throws LetheError quarantined while the store is older than it was, or nobody could say yet */
		check(): void {
			if (known === undefined || isOld(known))
				throw new LetheError("quarantined", { cause: known ?? "not compared yet" });
		},
	};
}

function isOld(standing: EpochStanding): boolean {
	return standing === "store_behind" || standing === "ledger_behind";
}
