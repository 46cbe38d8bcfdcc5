// How wrong the clocks of the processes were, and when: what a time that one of them wrote down is worth.

import type { Befallen, ProcessTarget } from "./schedule.ts";

// libfaketime counts whole seconds, and reads a process's offset again once more than one of them is over.
const seenMs = 2_000;

/** Each time, by this machine's clock, at which one of these processes may have read `at`. All epoch ms. */
export function timesOf(at: number, targets: readonly ProcessTarget[], faults: readonly Befallen[]): number[] {
	const times = jumpsOf(targets, faults).map(({ byMs, from, to }) => ({ time: at - byMs, from, to }));
	return [at, ...times.filter(({ time, from, to }) => from <= time && time <= to).map(({ time }) => time)];
}

/** The most that these clocks were ahead, and behind, at any time of a period, ms; 0 where none was wrong then. */
export function clockErrors(
	targets: readonly ProcessTarget[],
	faults: readonly Befallen[],
	period: { from: number; to: number },
): { aheadMs: number; behindMs: number } {
	const offsets = jumpsOf(targets, faults)
		.filter(({ from, to }) => from <= period.to && period.from <= to)
		.map(({ byMs }) => byMs);
	return { aheadMs: Math.max(0, ...offsets), behindMs: Math.max(0, ...offsets.map((byMs) => -byMs)) };
}

function jumpsOf(targets: readonly ProcessTarget[], faults: readonly Befallen[]) {
	return faults.flatMap(({ kind, target, byMs = 0, from, to }) =>
		kind === "jump" && targets.some((one) => one === target) ? [{ byMs, from, to: to + seenMs }] : [],
	);
}
