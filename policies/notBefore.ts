// When the minimum time for which a law has something kept is over.

import type { Facts, FactsContext } from "../domain/decision.ts";
import { formatDayFrom } from "./bounds.ts";
import { addDuration } from "./cohorts.ts";
import type { RetentionTerm } from "./compile.ts";
import { instantMs } from "./durations.ts";

type Clock = Pick<RetentionTerm, "object" | "clock" | "min">;

/** The end of the minimum, in epoch milliseconds and as a day; undefined when nothing says when its clock started. */
export function notBefore(
	{ object, clock, min }: Clock,
	{ context = {}, consent }: Pick<Facts, "context" | "consent">,
): { at: number; day: string } | undefined {
	if (object === "consent_evidence" && isInEffect(consent, context)) return undefined;
	const start = latest(startOf(clock, context) ?? beginningOf(object, context), endingOf(object, context, consent));
	if (start === undefined) return undefined;
	const at = addDuration(start, min);
	return { at, day: formatDayFrom(at) };
}

// A consent that nobody has withdrawn, or told to have ended, is in effect: what proves it has not begun to age.
function isInEffect(consent: Facts["consent"], context: FactsContext): boolean {
	const { type, withdrawnAt } = consent ?? { type: "none" };
	return type !== "none" && withdrawnAt === undefined && context.lastInEffectAt === undefined;
}

// Of two times that may start a clock the later counts: creation or when it was last in effect, 45 CFR 164.316(b)(2)(i).
function startOf(clock: RetentionTerm["clock"], context: FactsContext): number | undefined {
	const created = instantMs(context.createdAt);
	const other = {
		created: undefined,
		last_in_effect: instantMs(context.lastInEffectAt),
		processed: instantMs(context.processedAt),
	}[clock];
	return latest(created, other);
}

// What is not said to have been created came about by what it is a record of, or when that was last worked on.
function beginningOf(object: RetentionTerm["object"], context: FactsContext): number | undefined {
	const worked = instantMs(context.processedAt) ?? instantMs(context.acceptedAt);
	if (object === "subject_request") return latest(worked, instantMs(context.receivedAt));
	// What proves a consent is no record of the message that was sent on it.
	return object === "consent_evidence" ? undefined : worked;
}

// What proves an opt-out or a consent ages from that opt-out or from the consent's end, whenever the proof was made.
function endingOf(
	object: RetentionTerm["object"],
	context: FactsContext,
	consent: Facts["consent"],
): number | undefined {
	if (object === "suppression") return instantMs(context.optOutAt);
	const withdrawn = object === "consent_evidence" ? instantMs(consent?.withdrawnAt) : undefined;
	return withdrawn === undefined ? undefined : latest(instantMs(consent?.obtainedAt), withdrawn);
}

function latest(...times: (number | undefined)[]): number | undefined {
	const known = times.filter((at) => at !== undefined);
	return known.length > 0 ? Math.max(...known) : undefined;
}
