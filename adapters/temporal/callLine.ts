// Calls that nobody waits for: so many at once, the next ones in a line that is bounded in length and in patience.

type Waiting = { call: () => Promise<unknown>; since: number };

/**
 * What finds no place, and what waited longer than `patienceMs`, is dropped: something else repairs it then.
 * @param deps `monotonic` milliseconds
 */
export function createCallLine(deps: {
	inFlightMax: number;
	waitingMax: number;
	patienceMs: number;
	monotonic: () => number;
}) {
	// Two lines of pushes and a moving start each: a shift of a long array moves all of it.
	const urgent = createQueue();
	const usual = createQueue();
	let inFlight = 0;

	function next(): void {
		while (inFlight < deps.inFlightMax) {
			const waiting = urgent.take() ?? usual.take();
			if (!waiting) return;
			if (deps.monotonic() - waiting.since > deps.patienceMs) continue;
			inFlight++;
			waiting
				.call()
				.catch(() => undefined)
				.finally(() => {
					inFlight--;
					next();
				});
		}
	}

	/** Never blocks nor throws. What is urgent goes before all that waits. */
	return function add(call: () => Promise<unknown>, isUrgent = false): void {
		if (urgent.size() + usual.size() + inFlight >= deps.waitingMax + deps.inFlightMax) return;
		(isUrgent ? urgent : usual).put({ call, since: deps.monotonic() });
		// In a later turn: what whoever adds it has to answer goes first.
		setImmediate(next);
	};
}

function createQueue() {
	let items: Waiting[] = [];
	let start = 0;
	return {
		size: () => items.length - start,
		put: (item: Waiting) => void items.push(item),
		take(): Waiting | undefined {
			const item = items[start++];
			if (start >= items.length) {
				items = [];
				start = 0;
			}
			return item;
		},
	};
}
