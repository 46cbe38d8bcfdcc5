// The calendar day at the recipient, for limits that count by the day.

import type { Facts } from "../domain/decision.ts";
import { formatWallTime, wallClock, zonedTimeMs } from "./windows.ts";
import { candidateZones } from "./zones.ts";

const dayMs = 86_400_000;

/** From `start`, before `end`, in epoch milliseconds. */
export type Stretch = { start: number; end: number };

/**
 * The recipient's local day at a time. Where the zone is not known it reaches from the earliest beginning of that day to
 * its latest end in any zone the recipient may be in: what is counted by it is never too little.
 */
export function localDay(facts: Facts, at: number): Stretch {
	const { recipientCountry = "", recipientRegion, timezone } = facts;
	const zones =
		timezone === undefined ? candidateZones(recipientCountry, recipientRegion).map(({ zone }) => zone) : [timezone];
	const days = zones.map((zone) => {
		const midnight = Math.floor(wallClock(zone, at) / dayMs) * dayMs;
		return { start: midnightIn(zone, midnight), end: midnightIn(zone, midnight + dayMs) };
	});
	return { start: Math.min(...days.map(({ start }) => start)), end: Math.max(...days.map(({ end }) => end)) };
}

function midnightIn(zone: string, wallTime: number): number {
	return zonedTimeMs(formatWallTime(wallTime), zone);
}
