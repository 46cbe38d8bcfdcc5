// Whether this process may work: not while its store is older than the ledger outside says it was.

import { setTimeout as sleep } from "node:timers/promises";
import { LetheError } from "../../domain/errors.ts";
import { isOld } from "../../domain/ledger.ts";
import { limits } from "../../domain/limits.ts";
import type { EpochStore, Ledger } from "./ledger.ts";

export type Quarantine = ReturnType<typeof createQuarantine>;

const settlePollMs = 50;

type Life = Awaited<ReturnType<Ledger["life"]>>;

/**
 * `life` compares the store with the ledger, `stored` asks the store alone. `forget` is called whenever the store turns out
 * to be another than it was: nothing that a process remembers of it holds any more.
 */
export function createQuarantine(deps: {
	life: Ledger["life"];
	stored: EpochStore["read"];
	forget: () => void;
	log: { error: (fields: object, message: string) => void };
}) {
	let known: Life | undefined;
	let running = false;
	let isAskedAgain = false;
	const failure = createFailure(deps.log);
	// How often the store was out of sight, and up to which time it has been looked at since.
	let losses = 0;
	let settled = 0;

	async function compare(): Promise<void> {
		const now = await deps.life();
		const { standing } = now;
		if (standing !== known?.standing && isOld(standing)) {
			deps.log.error({ code: "quarantined", standing }, "the store and the ledger are of different times");
		}
		const isOther = isOld(standing) || (known !== undefined && known.stored?.epoch !== now.stored?.epoch);
		known = now;
		if (isOther) deps.forget();
	}

	/** Without the ledger: the life that it was in, and no earlier beat of it. */
	async function isAsBefore(): Promise<boolean> {
		const stored = await deps.stored();
		const before = known?.stored;
		return stored !== undefined && stored.epoch === before?.epoch && stored.beat >= before.beat;
	}

	async function refresh(): Promise<void> {
		isAskedAgain = running;
		if (running) return;
		running = true;
		const seen = losses;
		try {
			await compare();
			settled = seen;
			failure.end();
		} catch (error) {
			failure.tell(error);
			// A server that is away says nothing of the store's age: what was known last stands.
			if (seen !== settled && (await isAsBefore().catch(() => false))) settled = seen;
		} finally {
			running = false;
		}
		if (isAskedAgain) await refresh();
	}

	function checkAge(): void {
		if (known === undefined || isOld(known.standing))
			throw new LetheError("quarantined", { cause: known?.standing ?? `not compared yet ${failure.why()}`.trim() });
	}

	function check(): void {
		checkAge();
		if (settled !== losses) throw new LetheError("store_unavailable", { cause: "not looked at since it was away" });
	}

	return {
		refresh,
		/** The store is out of sight: whatever comes back in its place is to be looked at first. */
		lose(): void {
			losses++;
		},
		/** Looks now and again; `stop` ends that. */
		async follow(): Promise<() => void> {
			await refresh();
			const timer = setInterval(() => void refresh(), limits.quarantinePollMs);
			timer.unref();
			return () => clearInterval(timer);
		},
		/**
		 * @throws LetheError quarantined while the store is older than it was, or nobody could say yet; store_unavailable while
		 * it has been away and was not looked at since
		 */
		check,
		/** The same, once a store that was away has been looked at again, or after `limits.storeSettleMsMax`. */
		async checkSettled(): Promise<void> {
			for (let waitedMs = 0; settled !== losses && waitedMs < limits.storeSettleMsMax; waitedMs += settlePollMs) {
				await sleep(settlePollMs);
			}
			check();
		},
		/** Only that of its age. @throws LetheError quarantined */
		checkAge,
	};
}

/** Why the last look found nothing out; each reason is told once, or nobody would know why a process does nothing. */
function createFailure(log: { error: (fields: object, message: string) => void }) {
	let why = "";
	return {
		tell(error: unknown): void {
			const { code = "failed", cause } = error as { code?: string; cause?: unknown };
			const now = typeof cause === "string" ? `${code}: ${cause}` : code;
			if (now !== why) log.error({ code, cause }, "the store can't be compared with the ledger");
			why = now;
		},
		end(): void {
			why = "";
		},
		why: () => why,
	};
}
