// From retention intervals to dates: when each object of a message must be gone, and which bucket of due times its key belongs to.

import { Temporal } from "temporal-polyfill";
import type { RetentionInterval, RetentionPlan } from "../domain/decision.ts";
import { limits } from "../domain/limits.ts";
import { type RetentionObject, type RetentionRecord, sealedObjects } from "../domain/message.ts";
import { durationMs } from "./durations.ts";

// Wide buckets keep Vault's keys few; narrow ones let short-lived content go in time.
const bucketSizesMs = [24 * 3600_000, 6 * 3600_000, 3600_000, 600_000, 60_000, 10_000];

/** When an object is due and, for encrypted ones, the cohort its key belongs to. Times are epoch milliseconds. */
export type ObjectRetention = RetentionRecord & { dueAt: number; retentionClass: string };

export type RetentionTimes = { acceptedAt: number; closeAt: number };

/**
 * Dates for every object that a message leaves. An object goes at its minimum, or when the tenant's stated need ends or,
 * where none is stated, the packs' own, and never after its maximum; what nothing keeps goes when the message becomes final.
 * A minimum is counted from the message's close: until then it may still be processed, and its record is written. A
 * record whose minimum is its maximum may go by that as well. Answers undefined when the content can't outlive the
 * message's close, or its minimum, within its maximum: the validity is too long.
 */
export function planRetention(
	plan: RetentionPlan,
	needs: Partial<Record<RetentionObject, string>>,
	times: RetentionTimes,
): Record<RetentionObject, ObjectRetention> | undefined {
	const objects = {} as Record<RetentionObject, ObjectRetention>;
	for (const object of ["content", "address", "receipt", "decision_record"] as const) {
		const planned = planObject(plan[object], object, needs[object], times);
		if (!planned) return undefined;
		objects[object] = planned;
	}
	return objects;
}

/** When an object is due of a message that is the same and comes `ms` later; undefined when its validity is too long. */
export function dueAfter(
	plan: RetentionPlan,
	needs: Partial<Record<RetentionObject, string>>,
	{ acceptedAt, closeAt }: RetentionTimes,
	object: RetentionObject,
	ms: number,
): number | undefined {
	const times = { acceptedAt: acceptedAt + ms, closeAt: closeAt + ms };
	return planObject(plan[object], object, needs[object], times)?.dueAt;
}

/** Dates anew; without `bucketed` an object has no bucket that ends in time, and must go by itself. */
export type Replanned = Record<RetentionObject, ObjectRetention & { bucketed: boolean }>;

/** The same dates under policies that came later. What may not live until the message's close goes at its maximum. */
export function replanRetention(
	plan: RetentionPlan,
	needs: Partial<Record<RetentionObject, string>>,
	times: RetentionTimes,
): Replanned {
	const objects = {} as Replanned;
	for (const object of ["content", "address", "receipt", "decision_record"] as const) {
		const planned = planObject(plan[object], object, needs[object], times);
		objects[object] = { ...(planned ?? latestOf(plan[object], object, times)), bucketed: planned !== undefined };
	}
	return objects;
}

/**
 * How long something is kept, ISO 8601: for the need that is stated, else the packs' own, but within the interval. For telling
 * it only: a date comes of the calendar of its time, in which months differ.
 */
export function keptFor({ min, max, keep }: Pick<RetentionInterval, "min" | "max" | "keep">, stated?: string): string {
	const need = stated ?? keep ?? min;
	const least = durationMs(need) < durationMs(min) ? min : need;
	return max !== null && durationMs(max) < durationMs(least) ? max : least;
}

/** The first bucket boundary at or after `earliest` and not after `latest`, of the widest bucket that has one. */
export function bucketEnd(earliest: number, latest: number): number | undefined {
	for (const size of bucketSizesMs) {
		const end = Math.ceil(earliest / size) * size;
		if (end <= latest) return end;
	}
	return undefined;
}

// The last boundary at or before `latest`: of a bucket that costs no more than a seventh of the time asked for, if there is one.
function lastBucketEnd(earliest: number, latest: number, start: number): number | undefined {
	for (const size of bucketSizesMs) {
		const end = Math.floor(latest / size) * size;
		if (end >= earliest && 7 * size <= latest - start) return end;
	}
	return bucketEnd(earliest, latest);
}

/** Epoch milliseconds of `at` plus an ISO 8601 duration, in UTC. */
export function addDuration(at: number, duration: string): number {
	const fixed = fixedLengthMs(duration);
	if (fixed !== undefined) return at + fixed;
	// The calendar, which is slow, is asked once a day: in UTC every moment of a day is moved by the same time.
	const day = Math.floor(at / dayMs) * dayMs;
	const name = `${day} ${duration}`;
	let length = dayLengths.get(name);
	if (length === undefined) {
		const start = Temporal.Instant.fromEpochMilliseconds(day).toZonedDateTimeISO("UTC");
		length = start.add(Temporal.Duration.from(duration)).epochMilliseconds - day;
		if (dayLengths.size >= dayLengthsMax) dayLengths.clear();
		dayLengths.set(name, length);
	}
	return at + length;
}

const dayMs = 24 * 3600_000;
const dayLengths = new Map<string, number>();
const dayLengthsMax = 1_000;

const fixedLengths = new Map<string, number | undefined>();

// Days and less have one length in UTC; years and months depend on the date.
function fixedLengthMs(duration: string): number | undefined {
	if (!fixedLengths.has(duration)) {
		const parsed = Temporal.Duration.from(duration);
		const calendar = parsed.years !== 0 || parsed.months !== 0;
		fixedLengths.set(duration, calendar ? undefined : parsed.total({ unit: "milliseconds", relativeTo: "2024-01-01" }));
	}
	return fixedLengths.get(duration);
}

function latestOf({ min, max }: RetentionPlan["content"], object: RetentionObject, times: RetentionTimes) {
	// Only a maximum leaves no bucket.
	const eraseBy = addDuration(times.acceptedAt, max ?? min);
	const atFinal = addDuration(times.acceptedAt, min) <= times.acceptedAt;
	return { eraseBy, atFinal, dueAt: eraseBy, retentionClass: `${object}/${max ?? "unbounded"}` };
}

function planObject(
	interval: RetentionPlan["content"],
	object: RetentionObject,
	stated: string | undefined,
	times: RetentionTimes,
): ObjectRetention | undefined {
	const alive = times.closeAt + limits.clockSkewMs;
	const isKept = addDuration(times.acceptedAt, interval.min) > times.acceptedAt;
	const minimum = isKept ? addDuration(alive, interval.min) : times.acceptedAt;
	const longest = interval.max === null ? Number.POSITIVE_INFINITY : addDuration(times.acceptedAt, interval.max);
	// Of what has no key the minimum, which a law sets, goes before a maximum that is as long.
	const latest = isKept && !isSealed(object) ? Math.max(longest, minimum) : longest;
	if (minimum > latest) return undefined;
	const need = addDuration(times.acceptedAt, stated ?? interval.keep ?? interval.min);
	const wanted = Math.min(latest, Math.max(minimum, need));
	const dueAt =
		bucketEnd(Math.max(wanted, alive), latest) ??
		lastBucketEnd(Math.max(minimum, alive), latest, times.acceptedAt) ??
		(isSealed(object) || alive > latest ? undefined : Math.max(minimum, alive));
	if (dueAt === undefined) return undefined;
	const atFinal = wanted <= times.acceptedAt;
	return {
		eraseBy: Math.min(latest, dueAt),
		atFinal,
		dueAt,
		retentionClass: `${object}/${interval.max ?? "unbounded"}`,
	};
}

// What has no key of its own needs no bucket, so its interval may be a point: six years at least and at most.
function isSealed(object: RetentionObject): boolean {
	return sealedObjects.some((sealed) => sealed === object);
}
