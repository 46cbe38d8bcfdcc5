// The clocks that laws set for a breach, from the time at which somebody became aware of it.

import { Temporal } from "temporal-polyfill";
import { dueDate, type Within } from "./dueDate.ts";
import type { PackFile, RuleFile } from "./schema.ts";

/** Whom a law has told, and by when, RFC 3339 UTC; `keepRecordUntil`: how long what is known of it is kept. */
export type BreachClock = {
	rule: string;
	citations: string[];
	note?: string;
	toAuthority?: string;
	toSubjects?: string;
	/** They are to be told where the risk to them is high; the law sets no date for it. */
	toSubjectsAtHighRisk?: "without_undue_delay";
	toController?: string;
	keepRecordUntil?: string;
};

// Rules of versions that were published before a rule could say so, and don't change any more.
const atHighRisk = ["gdpr.breach", "uk.breach"];

/** The clocks of the packs' rules that are in force at `awareAt`, epoch milliseconds; the soonest to an authority first. */
export function breachClocks(packs: readonly PackFile[], awareAt: number): BreachClock[] {
	const clocks = packs.flatMap(({ rules }) => rules.flatMap((rule) => toClock(rule, awareAt)));
	const soonest = (clock: BreachClock) => clock.toAuthority ?? clock.toController ?? clock.toSubjects ?? "9";
	return clocks.sort((a, b) => (soonest(a) < soonest(b) ? -1 : 1));
}

function toClock(rule: RuleFile, awareAt: number): BreachClock[] {
	const { breach, id, citations, note, effectiveFrom, effectiveTo } = rule;
	if (!breach) return [];
	if (effectiveFrom !== undefined && awareAt < Date.parse(effectiveFrom)) return [];
	if (effectiveTo !== undefined && awareAt >= Date.parse(effectiveTo)) return [];
	const { toAuthority, toSubjects, toController, keepRecord } = breach;
	const { toSubjectsAtHighRisk = atHighRisk.includes(id) ? "without_undue_delay" : undefined } = breach;
	return [
		{
			rule: id,
			citations,
			...(note === undefined ? {} : { note }),
			...(toAuthority === undefined ? {} : { toAuthority: dueBy(awareAt, toAuthority) }),
			...(toSubjects === undefined ? {} : { toSubjects: dueBy(awareAt, toSubjects) }),
			...(toSubjectsAtHighRisk === undefined ? {} : { toSubjectsAtHighRisk }),
			...(toController === undefined ? {} : { toController: dueBy(awareAt, toController) }),
			...(keepRecord === undefined ? {} : { keepRecordUntil: dueBy(awareAt, keepRecord) }),
		},
	];
}

/** Hours count from the minute, calendar spans to the same time of day; business days end with their last day. */
function dueBy(awareAt: number, within: Within): string {
	const aware = Temporal.Instant.fromEpochMilliseconds(awareAt).toZonedDateTimeISO("UTC");
	if (typeof within !== "string") return `${dueDate(aware.toPlainDate().toString(), within)}T23:59:59Z`;
	return aware.add(Temporal.Duration.from(within)).toInstant().toString();
}
