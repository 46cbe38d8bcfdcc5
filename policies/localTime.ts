// What the clocks in a time zone show.

import { Temporal } from "temporal-polyfill";

// The clocks of these days are set at quarters of an hour, if at all: until the next one a zone's offset stays.
const offsetStaysMs = 15 * 60_000;
const offsetsMax = 1_000;
const offsets = new Map<string, number>();

/**
 * The wall time, ISO 8601 to the second.
 * @param at epoch milliseconds, of these days: before 1972 zones had odd offsets
 * @throws RangeError when there is no such zone
 */
export function localTime(at: number, timezone: string): string {
	const name = `${timezone} ${Math.floor(at / offsetStaysMs)}`;
	let offsetMs = offsets.get(name);
	if (offsetMs === undefined) {
		offsetMs = Temporal.Instant.fromEpochMilliseconds(at).toZonedDateTimeISO(timezone).offsetNanoseconds / 1e6;
		if (offsets.size >= offsetsMax) offsets.clear();
		offsets.set(name, offsetMs);
	}
	return new Date(at + offsetMs).toISOString().slice(0, "2027-01-31T12:00:00".length);
}
