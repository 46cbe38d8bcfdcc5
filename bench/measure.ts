// Rates and ratios: interleaved rounds, so that a machine that drifts drifts for both sides.

import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** Least, median and most of some figures. */
export type Spread = { min: number; median: number; max: number };

/** @throws RangeError for no figures */
export function spread(figures: number[]): Spread {
	const sorted = figures.toSorted((a, b) => a - b);
	if (sorted.length === 0) throw new RangeError("nothing was measured");
	const middle = sorted.length / 2;
	const median = Number.isInteger(middle)
		? ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2
		: (sorted[Math.floor(middle)] as number);
	return { min: sorted[0] as number, median, max: sorted.at(-1) as number };
}

/** Ours over theirs, round by round. @throws RangeError for no rounds */
export function spreadOfRatios(ours: number[], theirs: number[]): Spread {
	return spread(ours.map((rate, round) => rate / (theirs[round] as number)));
}

/** Runs `call` for each number below `count`, `concurrency` at a time. Answers items a second. */
export async function rateOf(
	count: number,
	concurrency: number,
	call: (index: number) => Promise<void>,
): Promise<number> {
	let next = 0;
	const startedAt = performance.now();
	const lane = async () => {
		while (next < count) await call(next++);
	};
	await Promise.all(Array.from({ length: concurrency }, lane));
	return count / ((performance.now() - startedAt) / 1000);
}

/**
 * Begins `call` so often a second, whatever the calls before it took, and waits for the last. What would be more than
 * `lanesMax` at once is begun when there is room again. Answers how many were begun in time, and over how many seconds.
 */
export async function offerSteadily(
	{ perSecond, seconds, lanesMax }: { perSecond: number; seconds: number; lanesMax: number },
	call: () => Promise<void>,
): Promise<{ offered: number; seconds: number }> {
	const inFlight = new Set<Promise<void>>();
	const startedAt = performance.now();
	const since = () => (performance.now() - startedAt) / 1000;
	let offered = 0;
	for (; since() < seconds; await sleep(5)) {
		for (; offered < since() * perSecond && inFlight.size < lanesMax; offered++) {
			const work: Promise<void> = call().finally(() => inFlight.delete(work));
			inFlight.add(work);
		}
	}
	const took = since();
	await Promise.all(inFlight);
	return { offered, seconds: took };
}

/** Looks once a second at least until a count has been the same for so long, or has come to `end`. */
export async function untilStill(
	count: () => Promise<number>,
	{ stillMs, end }: { stillMs: number; end?: number },
): Promise<void> {
	let last = await count();
	let since = performance.now();
	while (last !== end) {
		await sleep(Math.min(stillMs, 1_000));
		const now = await count();
		if (now !== last) since = performance.now();
		else if (performance.now() - since >= stillMs) return;
		last = now;
	}
}

/** Milliseconds that `call` takes, one call after the other. */
export async function latenciesOf(
	count: number,
	call: (index: number) => Promise<number | undefined>,
): Promise<number[]> {
	const latencies: number[] = [];
	for (let index = 0; index < count; index++) {
		const startedAt = performance.now();
		const measured = await call(index);
		latencies.push(measured ?? performance.now() - startedAt);
	}
	return latencies;
}

/** The value that 95 of 100 do not exceed, by nearest rank. @throws RangeError for no figures */
export function percentile95(figures: number[]): number {
	if (figures.length === 0) throw new RangeError("nothing was measured");
	return figures.toSorted((a, b) => a - b)[Math.ceil(figures.length * 0.95) - 1] as number;
}

/** Resident memory of a process; null where the system does not tell (it is Linux that does). */
export function residentBytes(pid: number): number | null {
	return readBytes(`/proc/${pid}/status`, "VmRSS");
}

/** The same, but of pages that several processes have (programs, libraries) its share only: added up, they count once. */
export function proportionalBytes(pid: number): number | null {
	return readBytes(`/proc/${pid}/smaps_rollup`, "Pss");
}

function readBytes(file: string, name: string): number | null {
	try {
		const kilobytes = new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(readFileSync(file, "utf8"))?.[1];
		return kilobytes === undefined ? null : Number(kilobytes) * 1024;
	} catch {
		return null;
	}
}

/** What a folder's files take on the disk. */
export function bytesIn(folder: string): number {
	// A store that works drops files meanwhile.
	const sizeOf = (path: string) => statSync(path, { throwIfNoEntry: false })?.blocks ?? 0;
	return readdirSync(folder, { recursive: true, withFileTypes: true })
		.filter((entry) => entry.isFile())
		.reduce((sum, entry) => sum + sizeOf(join(entry.parentPath, entry.name)) * 512, 0);
}
