// When a recipient may be written to: open hours by the wall clock at the recipient, right through changes of the clock.

import { Temporal } from "temporal-polyfill";
import { isHoliday } from "./holidays.ts";

const minuteMs = 60_000;
const dayMs = 86_400_000;

/** Minutes of the day, half-open. */
export type Span = { start: number; end: number };

/** Open spans of each weekday, Sunday first, in order; public holidays of `closedOn` (ISO 3166-1) are closed. */
export type OpenHours = { byWeekday: Span[][]; closedOn?: string | undefined };

/** Hours that count in one zone. */
export type Gate = { zone: string; hours: OpenHours };

/**
 * The first time from `at` on at which every gate is open, undefined when there is none before `until`.
 * Times are epoch milliseconds.
 */
export function firstOpen(gates: Gate[], at: number, until: number): number | undefined {
	let time = at;
	for (;;) {
		let next = time;
		for (const gate of gates) {
			const open = opensAt(gate, next, until);
			if (open === undefined) return undefined;
			next = open;
		}
		if (next === time) return time;
		time = next;
	}
}

/** Why a gate is closed at a time; undefined when it is open. */
export function closedBecause(gate: Gate, at: number): "QUIET_DAY" | "QUIET_HOURS" | undefined {
	const local = at + offsetAt(gate.zone, at).offsetMs;
	if (openFrom(gate.hours, local) === local) return undefined;
	return spansOf(gate.hours, Math.floor(local / dayMs)).length === 0 ? "QUIET_DAY" : "QUIET_HOURS";
}

/** Why a gate that is closed at `at` is so on each day until it is open for good; nothing when it is open. */
export function closedCauses(gate: Gate, at: number, until: number): Set<"QUIET_DAY" | "QUIET_HOURS"> {
	const causes = new Set<"QUIET_DAY" | "QUIET_HOURS">();
	let time = at;
	do {
		const cause = closedBecause(gate, time);
		if (cause === undefined) break;
		causes.add(cause);
		const local = wallClock(gate.zone, time);
		time += dayMs - (((local % dayMs) + dayMs) % dayMs);
	} while (time < until);
	return causes;
}

/** Wall time in a zone, as if it were UTC: epoch milliseconds whose UTC reading is what the clock there shows. */
export function wallClock(zone: string, at: number): number {
	return at + offsetAt(zone, at).offsetMs;
}

/** A wall time of `wallClock` as text, ISO 8601 to the second. */
export function formatWallTime(wallTime: number): string {
	return new Date(wallTime).toISOString().slice(0, "2027-01-31T12:00:00".length);
}

/** Epoch milliseconds of a wall time; of one that comes twice the first, of one that is skipped what is shown instead. */
export function zonedTimeMs(local: string, zone: string): number {
	return Temporal.PlainDateTime.from(local).toZonedDateTime(zone).epochMilliseconds;
}

// Between two changes of the clock wall time runs evenly, so each such stretch is searched by itself: a gap in the
// clock then opens the gate at once, and an hour that comes twice counts both times.
function opensAt({ zone, hours }: Gate, at: number, until: number): number | undefined {
	for (let time = at; time < until; ) {
		const { offsetMs, end } = offsetAt(zone, time);
		const open = openFrom(hours, time + offsetMs, Math.min(end, until) + offsetMs);
		if (open !== undefined && open - offsetMs < Math.min(end, until)) return open - offsetMs;
		time = end;
	}
	return undefined;
}

/** The first open wall time from `local` on and before `until`. */
function openFrom(hours: OpenHours, local: number, until = local + 1): number | undefined {
	for (let day = Math.floor(local / dayMs); day * dayMs < until; day += 1) {
		for (const { start, end } of spansOf(hours, day)) {
			const open = Math.max(local, day * dayMs + start * minuteMs);
			if (open < day * dayMs + end * minuteMs) return open;
		}
	}
	return undefined;
}

function spansOf({ byWeekday, closedOn }: OpenHours, epochDay: number): Span[] {
	// 1 January 1970 was a Thursday.
	const spans = byWeekday[(((epochDay + 4) % 7) + 7) % 7] ?? [];
	return spans.length > 0 && closedOn !== undefined && isHoliday(closedOn, epochDay) ? [] : spans;
}

/** From `start`, before `end`, a zone is `offsetMs` ahead of UTC. */
type Stretch = { start: number; end: number; offsetMs: number };

const zonesItemsMax = 500;
const stretches = new Map<string, Stretch[]>();

// Asking the runtime for an offset takes microseconds, for a transition milliseconds: each stretch is asked for once.
function offsetAt(zone: string, at: number): Stretch {
	const known = stretches.get(zone)?.find((stretch) => at >= stretch.start && at < stretch.end);
	if (known) return known;
	const there = Temporal.Instant.fromEpochMilliseconds(at).toZonedDateTimeISO(zone);
	const end = there.getTimeZoneTransition("next")?.epochMilliseconds ?? Number.POSITIVE_INFINITY;
	// "previous" is strictly before, so the start of a stretch would be given the one before it.
	const start = there.add({ milliseconds: 1 }).getTimeZoneTransition("previous")?.epochMilliseconds;
	const stretch = { start: start ?? Number.NEGATIVE_INFINITY, end, offsetMs: there.offsetNanoseconds / 1e6 };
	if (stretches.size >= zonesItemsMax) stretches.clear();
	const kept = stretches.get(zone) ?? [];
	stretches.set(zone, [stretch, ...kept].slice(0, 16));
	return stretch;
}
