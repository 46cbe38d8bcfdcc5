// Whether this machine's time may end anything: a clock that has jumped would expire what is open, and destroy keys, before their time.

import { LetheError } from "../domain/errors.ts";
import { limits } from "../domain/limits.ts";
import type { ActivityDeps } from "./deps.ts";

export type ClockGuardDeps = Pick<ActivityDeps, "clock" | "monotonic" | "log" | "vaultTime">;

/** Vault's clock is the one that all machines are compared with. While Vault is away nobody tells: then each goes by its own. */
export function createClockGuard(deps: ClockGuardDeps) {
	let reading: Promise<{ time: number; at: number } | undefined> | undefined;
	let readAt = Number.NEGATIVE_INFINITY;
	let toldAt = Number.NEGATIVE_INFINITY;

	async function read() {
		const askedAt = deps.monotonic();
		const time = await deps.vaultTime().catch(() => undefined);
		if (time === undefined) return undefined;
		return { time, at: (askedAt + deps.monotonic()) / 2 };
	}

	/**
	 * A jump since the last reading is seen, for what has passed is counted on a clock that nobody can set.
	 * @throws LetheError clock_off when this clock and Vault's differ by more than `limits.clockSkewMs`
	 */
	async function checkClock(): Promise<void> {
		if (deps.monotonic() - readAt >= limits.clockReadMs) {
			readAt = deps.monotonic();
			reading = read();
		}
		const known = await reading;
		if (!known) return;
		const differenceMs = Math.round(deps.clock() - known.time - (deps.monotonic() - known.at));
		if (Math.abs(differenceMs) <= limits.clockSkewMs) return;
		if (deps.monotonic() - toldAt >= limits.clockToldMs) {
			toldAt = deps.monotonic();
			const seconds = Math.abs(Math.round(differenceMs / 1000));
			const why = `${seconds} s ${differenceMs > 0 ? "ahead of" : "behind"} Vault's: set the clock of this machine, or of Vault's`;
			deps.log.error({ code: "clock_off", why }, "nothing is ended, erased or destroyed by this clock");
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
