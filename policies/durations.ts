// ISO 8601 durations and RFC 3339 times as arithmetic, for packs and facts.

import { Temporal } from "temporal-polyfill";

// A year without a leap day: only the order of durations is read off it, so the year must not matter.
const reference = Temporal.PlainDate.from("2023-01-01");

/** Milliseconds of a duration, for comparing durations only: a month has no fixed length. */
export function durationMs(duration: string): number {
	return remember(lengths, duration, () => {
		const parsed = Temporal.Duration.from(duration);
		return parsed.total({ unit: "milliseconds", relativeTo: reference });
	});
}

/** Whether `text` is a duration that is not negative. */
export function isDuration(text: string): boolean {
	try {
		return durationMs(text) >= 0;
	} catch {
		return false;
	}
}

/** Epoch milliseconds of an RFC 3339 time; undefined when there is none. @throws RangeError when it is not one */
export function instantMs(time: unknown): number | undefined {
	if (time === undefined || time === null) return undefined;
	const parsed = typeof time === "string" && /T.*(Z|[+-]\d\d:\d\d)$/.test(time) ? Date.parse(time) : Number.NaN;
	if (Number.isNaN(parsed)) throw new RangeError("not a time in RFC 3339 with an offset");
	return parsed;
}

/** RFC 3339 in UTC, without fractions that are zero. */
export function formatInstant(at: number): string {
	return new Date(at).toISOString().replace(".000Z", "Z");
}

const lengths = new Map<string, number>();

// Bounded: what a caller may vary must not grow the memory.
function remember<K, V>(memo: Map<K, V>, key: K, make: () => V): V {
	const known = memo.get(key);
	if (known !== undefined) return known;
	if (memo.size >= 1000) memo.clear();
	const made = make();
	memo.set(key, made);
	return made;
}
