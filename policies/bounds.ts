// The dates and lengths of a decision: how long records are kept, and by when things are due.

import type { Facts } from "../domain/decision.ts";
import type { RetentionTerm } from "./compile.ts";
import type { Composed } from "./compose.ts";
import type { Draft } from "./draft.ts";
import { dueDate, type Within } from "./dueDate.ts";
import { durationMs, formatInstant, instantMs } from "./durations.ts";
import { wallClock } from "./windows.ts";
import { candidateZones } from "./zones.ts";

type DueBound = "ackBy" | "respondBy" | "honorBy" | "backupPurgeBy";

/** How long the record that the decision is about is kept. */
export function boundRecord({ bounds, always }: Draft, { min, max }: Pick<Composed, "min" | "max">): void {
	if (min.minMs > 0) bounds.recordRetentionMin = min.min;
	if (max.max !== null) bounds.recordRetentionMax = max.max;
	always.push(termFinding(min), termFinding(max));
}

/** Keeps the record that the decision is about at least as long as `min`, ISO 8601. */
export function raiseRecordMin({ bounds }: Draft, min: string): void {
	const { recordRetentionMin: known } = bounds;
	if (known === undefined || durationMs(known) < durationMs(min)) bounds.recordRetentionMin = min;
}

/** How long the content is kept; what is refused at the door is not kept at all. */
export function boundContent({ bounds, always }: Draft, { max }: Composed, isStored = true): void {
	if (!isStored) bounds.contentRetentionMax = "PT0S";
	else if (max.max !== null) bounds.contentRetentionMax = max.max;
	if (isStored) always.push(termFinding(max));
}

/** What a bound has to say: its rule and citations. */
export function termFinding({ ruleId, citations }: RetentionTerm) {
	return { codes: [], ruleId, citations };
}

/** The earliest of the dates that the clocks of several rules name; none when no rule sets one. */
export function setDue(
	draft: Draft,
	bound: DueBound,
	clocks: (Within | undefined)[],
	starts: string[] = ["receivedAt"],
): void {
	const from = startDay(draft.facts, draft.now, starts);
	const dates = clocks.flatMap((within) => (within === undefined ? [] : [dueDate(from, within)]));
	const known = draft.bounds[bound];
	const [earliest] = [...dates, ...(known === undefined ? [] : [known])].sort();
	if (earliest !== undefined) draft.bounds[bound] = earliest;
}

/** The shortest of some ISO 8601 durations, undefined when there are none. */
export function shortest(durations: (string | undefined)[]): string | undefined {
	const given = durations.filter((duration) => duration !== undefined);
	return given.sort((a, b) => durationMs(a) - durationMs(b))[0];
}

/** The first day that lies whole after a time: a minimum that ends within a day ends, as a date, on the next. */
export function formatDayFrom(at: number): string {
	return formatInstant(Math.ceil(at / 86_400_000) * 86_400_000).slice(0, 10);
}

/**
 * The day on which a clock starts, ISO 8601: that of the first of these times that the facts have. A day begins at
 * different times on Earth; the earlier of the days in UTC and at the recipient counts.
 */
export function startDay(facts: Facts, now: number, starts: readonly string[]): string {
	const at = starts.map((name) => instantMs(facts.context?.[name])).find((time) => time !== undefined) ?? now;
	const { recipientCountry, recipientRegion, timezone } = facts;
	const candidates = recipientCountry === undefined ? [] : candidateZones(recipientCountry, recipientRegion);
	const zones = timezone === undefined ? candidates.map(({ zone }) => zone) : [timezone];
	const earliest = Math.min(at, ...zones.map((zone) => wallClock(zone, at)));
	return formatInstant(earliest).slice(0, 10);
}
