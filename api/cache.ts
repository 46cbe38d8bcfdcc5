// Remembers for a moment what a look-up answered, so that a busy caller costs the store one read.

/**
 * Calls for the same key within `ttlMs` share one look-up, those under way included. What is absent and what failed
 * is not remembered. At most `itemsMax` keys are kept, the oldest going first.
 */
export function createCache<Value>(options: {
	load: (key: string) => Promise<Value | undefined>;
	clock: () => number;
	ttlMs: number;
	itemsMax: number;
}): (key: string) => Promise<Value | undefined> {
	const entries = new Map<string, { value: Promise<Value | undefined>; until: number }>();

	return (key) => {
		const now = options.clock();
		const known = entries.get(key);
		if (known && now < known.until && known.until <= now + options.ttlMs) return known.value;
		const entry = { value: options.load(key), until: now + options.ttlMs };
		entries.delete(key);
		entries.set(key, entry);
		const [oldest] = entries.keys();
		if (oldest !== undefined && entries.size > options.itemsMax) entries.delete(oldest);
		const forget = () => {
			if (entries.get(key) === entry) entries.delete(key);
		};
		entry.value.then((value) => value === undefined && forget(), forget);
		return entry.value;
	};
}
