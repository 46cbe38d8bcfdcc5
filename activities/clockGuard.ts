// Whether this machine's time may end or send anything: a clock that has jumped would expire what is open, destroy keys
// before their time, and claim by a lease that is over for everybody else.

import { LetheError } from "../domain/errors.ts";
import { limits } from "../domain/limits.ts";
import type { ActivityDeps } from "./deps.ts";

export type ClockGuardDeps = Pick<ActivityDeps, "clock" | "monotonic" | "log" | "vaultTime">;

/** What Vault said, and when by the monotonic clock. */
type Reading = { time: number; at: number };

/** Vault's clock is the one that all machines are compared with. While Vault is away nobody tells: then each goes by its own. */
export function createClockGuard(deps: ClockGuardDeps) {
	let reading: Promise<Reading | undefined> | undefined;
	let last: Reading | undefined;
	let readAt = Number.NEGATIVE_INFINITY;
	let toldAt = Number.NEGATIVE_INFINITY;

	async function read(): Promise<Reading | undefined> {
		const askedAt = deps.monotonic();
		const time = await deps.vaultTime().catch(() => undefined);
		if (time === undefined) return undefined;
		last = { time, at: (askedAt + deps.monotonic()) / 2 };
		return last;
	}

	// Every send waits for it: for a Vault that hangs not longer than this, where an earlier reading tells as well.
	function readSoon(): Promise<Reading | undefined> {
		const earlier = last;
		if (!earlier) return read();
		const patience = new Promise<Reading>((resolve) => {
			setTimeout(() => resolve(earlier), limits.clockPatienceMs).unref();
		});
		return Promise.race([read(), patience]);
	}

	/**
	 * A jump since the last reading is seen, for what has passed is counted on a clock that nobody can set.
	 * @throws LetheError clock_off when this clock and Vault's differ by more than `limits.clockSkewMs`
	 */
	async function checkClock(): Promise<void> {
		if (deps.monotonic() - readAt >= limits.clockReadMs) {
			readAt = deps.monotonic();
			reading = readSoon();
		}
		const known = await reading;
		if (!known) return;
		const differenceMs = Math.round(deps.clock() - known.time - (deps.monotonic() - known.at));
		if (Math.abs(differenceMs) <= limits.clockSkewMs) return;
		if (deps.monotonic() - toldAt >= limits.clockToldMs) {
			toldAt = deps.monotonic();
			const seconds = Math.abs(Math.round(differenceMs / 1000));
			const why = `${seconds} s ${differenceMs > 0 ? "ahead of" : "behind"} Vault's: set the clock of this machine, or of Vault's`;
			deps.log.error({ code: "clock_off", why }, "nothing is sent, ended, erased or destroyed by this clock");
		}
		throw new LetheError("clock_off", { cause: "compared with Vault's" });
	}

	return {
		checkClock,
		/** The same functions; none does anything while the clocks differ. Temporal repeats them, and may on another machine. */
		withClock<Steps extends Record<string, (...args: never[]) => Promise<unknown>>>(steps: Steps): Steps {
			const guarded = Object.entries(steps).map(([name, step]) => [
				name,
				async (...args: never[]) => {
					await checkClock();
					return step(...args);
				},
			]);
			return Object.fromEntries(guarded) as Steps;
		},
	};
}
