// What a counter in Redis stands at, without waiting for it: its last answer and what was asked since, while that is fresh.

/** What one more made of a count, and for how many milliseconds that goes on: its window's, where it has one. */
export type Counted = { counted: number; lastsMs: number };

type Known = { counted: number; freshUntil: number; lastsUntil: number; unanswered: number };

const freshMsMax = 1_000;
// By so many each, at the most, processes together can take a counter beyond its limit.
const unansweredMax = 16;
const keysMax = 10_000;

/**
 * Whoever is far from a limit is counted, and does not wait to hear it.
 * @param monotonic milliseconds that no one can set
 */
export function createEstimates(monotonic: () => number) {
	const entries = new Map<string, Known>();

	function entryOf(key: string): Known {
		const entry = entries.get(key) ?? { counted: 0, freshUntil: 0, lastsUntil: 0, unanswered: 0 };
		entries.delete(key);
		entries.set(key, entry);
		const [oldest] = entries.keys();
		if (oldest !== undefined && entries.size > keysMax) entries.delete(oldest);
		return entry;
	}

	return {
		/** What one more is going to make of it; undefined when the counter has to be waited for. */
		next(key: string): Counted | undefined {
			const { counted, freshUntil, lastsUntil, unanswered } = entryOf(key);
			const now = monotonic();
			if (now >= freshUntil || unanswered >= unansweredMax) return undefined;
			return { counted: counted + unanswered + 1, lastsMs: lastsUntil - now };
		},
		/** What it was last told to stand at, for as long as that goes on; undefined where nothing of it is known. */
		last(key: string): Counted | undefined {
			const { counted, lastsUntil } = entryOf(key);
			const lastsMs = lastsUntil - monotonic();
			return counted > 0 && lastsMs > 0 ? { counted, lastsMs } : undefined;
		},
		/** Notes what one more made of it, once that is known; undefined where it stays unknown. */
		async note(key: string, asked: Promise<Counted | undefined>): Promise<void> {
			const entry = entryOf(key);
			entry.unanswered++;
			const told = await asked;
			entry.unanswered--;
			entry.counted = told?.counted ?? 0;
			const now = monotonic();
			entry.lastsUntil = now + (told?.lastsMs ?? 0);
			entry.freshUntil = Math.min(entry.lastsUntil, now + freshMsMax);
		},
	};
}
