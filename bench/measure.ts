// Rates and ratios: interleaved rounds, so that a machine that drifts drifts for both sides.

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
