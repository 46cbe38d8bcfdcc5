// Gathers calls that arrive while an earlier batch is under way into the next one: idle means no wait, load means big batches.

type Waiting<Item, Result> = { item: Item; resolve: (result: Result) => void; reject: (error: unknown) => void };

/**
 * One function call a caller, one `run` a batch. At most `inFlightMax` batches run at once. With `gatherMs`, a batch
 * waits that long for more calls: for what is dear to run and in no hurry.
 * With `keyOf`, items of the same key never share a batch, and keep their order.
 * `run` answers in the order of its items, an Error for one that failed by itself; when it throws, every caller of that
 * batch gets the error.
 */
export function createBatcher<Item, Result>(options: {
	run: (items: Item[]) => Promise<(Result | Error)[]>;
	itemsMax: number;
	inFlightMax?: number;
	gatherMs?: number;
	keyOf?: (item: Item) => string;
}): (item: Item) => Promise<Result> {
	const { run, itemsMax, keyOf } = options;
	const inFlightMax = options.inFlightMax ?? 1;
	let waiting: Waiting<Item, Result>[] = [];
	const keysInFlight = new Set<string>();
	let inFlight = 0;
	let scheduled = false;

	function schedule(): void {
		if (scheduled || inFlight >= inFlightMax || waiting.length === 0) return;
		scheduled = true;
		const start = () => {
			scheduled = false;
			const batch = take();
			if (batch.length === 0) return;
			void flush(batch);
			// What did not fit need not wait for this one's end where another may run beside it.
			schedule();
		};
		// A turn of the event loop lets calls made together share the batch.
		if (options.gatherMs === undefined) setImmediate(start);
		else setTimeout(start, options.gatherMs);
	}

	function take(): Waiting<Item, Result>[] {
		if (!keyOf) return waiting.splice(0, itemsMax);
		const batch: Waiting<Item, Result>[] = [];
		const left: Waiting<Item, Result>[] = [];
		const seen = new Set(keysInFlight);
		for (const entry of waiting) {
			const key = keyOf(entry.item);
			if (batch.length < itemsMax && !seen.has(key)) batch.push(entry);
			else left.push(entry);
			seen.add(key);
		}
		waiting = left;
		for (const entry of batch) keysInFlight.add(keyOf(entry.item));
		return batch;
	}

	async function flush(batch: Waiting<Item, Result>[]): Promise<void> {
		inFlight++;
		try {
			const results = await run(batch.map((entry) => entry.item));
			for (const [index, entry] of batch.entries()) {
				const result = results[index];
				if (result instanceof Error) entry.reject(result);
				else entry.resolve(result as Result);
			}
		} catch (error) {
			for (const entry of batch) entry.reject(error);
		} finally {
			inFlight--;
			if (keyOf) for (const entry of batch) keysInFlight.delete(keyOf(entry.item));
			schedule();
		}
	}

	return (item) =>
		new Promise((resolve, reject) => {
			waiting.push({ item, resolve, reject });
			schedule();
		});
}
