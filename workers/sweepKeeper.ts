// Keeps the sweep coming: its schedule is looked at again and again, for it lives in Temporal, where anybody may end it.

import type { Deps } from "../deps.ts";
import { createLoop } from "./loop.ts";

/**
 * Looks at its start, which fails where the look does, and every `everyMs` from then on. What had to be put right is told:
 * until then nothing was repaired, and nothing forgotten.
 */
export function createSweepKeeper(options: {
	ensureSweep: Deps["runs"]["ensureSweep"];
	everyMs: number;
	log: { warn: (fields: { code: string }, message: string) => void };
}) {
	const { ensureSweep, everyMs, log } = options;
	const loop = createLoop({
		async step() {
			const ensured = await ensureSweep();
			if (ensured) log.warn({ code: `sweep_schedule_${ensured}` }, "the sweep's schedule was put right");
			return everyMs;
		},
		idleEveryMs: everyMs,
		onError: () => log.warn({ code: "sweep_schedule_unknown" }, "the sweep's schedule could not be looked at"),
	});
	return {
		async start(): Promise<void> {
			await ensureSweep();
			loop.start(everyMs);
		},
		close: loop.close,
	};
}
