// Remembers for a moment what a look-up answered, so that a busy caller costs the store one read.

/**
 * Calls for the same key within their `ttlMs` share one look-up, those under way included. What is absent and what
 * failed is not remembered. At most `itemsMax` keys are kept, the oldest going first.
 * @param clock milliseconds; one that was set back has nothing believed for longer than its time
 */
export function createMemory({ clock, itemsMax }: { clock: () => number; itemsMax: number }) {
	const entries = new Map<string, { value: Promise<unknown>; until: number }>();

	return function remember<Value>(key: string, ttlMs: number, load: () => Promise<Value>): Promise<Value> {
		const now = clock();
		const known = entries.get(key);
		if (known && now < known.until && known.until <= now + ttlMs) return known.value as Promise<Value>;
		const value = load();
		const entry = { value, until: now + ttlMs };
		entries.delete(key);
		entries.set(key, entry);
		const [oldest] = entries.keys();
		if (oldest !== undefined && entries.size > itemsMax) entries.delete(oldest);
		const forget = () => {
			if (entries.get(key) === entry) entries.delete(key);
		};
		value.then((found) => found === undefined && forget(), forget);
		return value;
	};
}

/** A memory of one kind of look-up, by its key. */
export function createCache<Value>(options: {
	load: (key: string) => Promise<Value | undefined>;
	clock: () => number;
	ttlMs: number;
	itemsMax: number;
}): (key: string) => Promise<Value | undefined> {
	const remember = createMemory(options);
	return (key) => remember(key, options.ttlMs, () => options.load(key));
}
