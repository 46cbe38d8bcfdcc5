// A pack file made ready for use: conditions as functions, windows as minutes, rules sorted by what they do and when.

import type { PolicyEvent } from "../domain/decision.ts";
import { compileCondition, type Predicate } from "./conditions.ts";
import { expandCountries } from "./countries.ts";
import { durationMs } from "./durations.ts";
import { events } from "./facts.ts";
import { effectNames, type PackFile, type RuleFile, weekdays } from "./schema.ts";
import type { OpenHours, Span } from "./windows.ts";

/** A rule that may fire. `effect` is its one effect. */
export type Rule<E = unknown> = {
	id: string;
	citations: readonly string[];
	when: Predicate;
	file: RuleFile;
	effect: E;
};

type Effect<K extends keyof RuleFile> = NonNullable<RuleFile[K]>;

/** A bound on how long an object is kept; milliseconds are for comparing. */
export type RetentionTerm = {
	object: Effect<"retention">[number]["object"];
	clock: Effect<"retention">[number]["clock"];
	min: string;
	minMs: number;
	max: string | null;
	maxMs: number;
	keep: string;
	keepMs: number;
	basis: RuleFile["basis"];
	ruleId: string;
	citations: readonly string[];
};

export type WindowEffect = { regions?: ReadonlySet<string> | undefined; hours: OpenHours };

export type CompiledPack = {
	ref: { id: string; version: string };
	file: PackFile;
	/** Whether it applies to everything, whatever the facts. */
	unconditional: boolean;
	applies: Predicate;
	excludes: (PackFile["excludes"][number] & { holds: Predicate })[];
	destinations: ReadonlySet<string>;
	deny: Record<PolicyEvent, Rule<Effect<"deny">>[]>;
	reasons: Record<PolicyEvent, Rule<Effect<"reasons">>[]>;
	erase: Record<PolicyEvent, Rule<Effect<"erase">>[]>;
	consent: Rule<Effect<"consent">>[];
	window: Rule<WindowEffect>[];
	frequency: Rule<Effect<"frequency">>[];
	delivery: Rule<Effect<"delivery">>[];
	retention: Rule<RetentionTerm[]>[];
	right: Rule<Effect<"right">>[];
	optOut: Rule<Effect<"optOut">>[];
	breach: Rule<Effect<"breach">>[];
};

/** The pack as it stands at a time, with the rules that are in force then. @param at epoch milliseconds */
export function compilePack(file: PackFile, at: number): CompiledPack {
	const rules = file.rules.filter((rule) => isInForce(rule, at)).map(compileRule);
	const withEffect = <K extends (typeof effectNames)[number]>(name: K) =>
		rules.filter((rule): rule is Rule<Effect<K>> => rule.file[name] !== undefined);
	return {
		ref: { id: file.id, version: file.version },
		file,
		unconditional: Object.keys(file.applies).length === 0 && file.excludes.length === 0,
		applies: compileCondition(file.applies),
		excludes: file.excludes.map((exclusion) => ({ ...exclusion, holds: compileCondition(exclusion.when) })),
		destinations: expandCountries(file.destinations),
		deny: byEvent(withEffect("deny")),
		reasons: byEvent(withEffect("reasons")),
		erase: byEvent(withEffect("erase")),
		consent: withEffect("consent"),
		window: withEffect("window").map((rule) => ({ ...rule, effect: compileWindow(rule.effect) })),
		frequency: withEffect("frequency"),
		delivery: withEffect("delivery"),
		retention: withEffect("retention").map((rule) => ({ ...rule, effect: toTerms(rule) })),
		right: withEffect("right"),
		optOut: withEffect("optOut"),
		breach: withEffect("breach"),
	};
}

/** Whether something dated is in force at a time: from `effectiveFrom` on and before `effectiveTo`. */
export function isInForce(
	dated: { effectiveFrom?: string | undefined; effectiveTo?: string | undefined },
	at: number,
): boolean {
	const from = dated.effectiveFrom === undefined ? Number.NEGATIVE_INFINITY : Date.parse(dated.effectiveFrom);
	const to = dated.effectiveTo === undefined ? Number.POSITIVE_INFINITY : Date.parse(dated.effectiveTo);
	return at >= from && at < to;
}

function compileRule(file: RuleFile): Rule {
	const name = effectNames.find((effect) => file[effect] !== undefined);
	const effect = name === undefined ? undefined : file[name];
	return { id: file.id, citations: file.citations, when: compileCondition(file.when), file, effect };
}

function byEvent<E>(rules: Rule<E>[]): Record<PolicyEvent, Rule<E>[]> {
	const on = (event: PolicyEvent) => rules.filter((rule) => (rule.file.on ?? ["send"]).includes(event));
	return Object.fromEntries(events.map((event) => [event, on(event)])) as Record<PolicyEvent, Rule<E>[]>;
}

function compileWindow({ regions, open, closedOn }: Effect<"window">): WindowEffect {
	const byWeekday = weekdays.map((weekday) =>
		open
			.filter(({ days }) => days.includes(weekday))
			.map(({ start, end }): Span => ({ start: minuteOf(start), end: minuteOf(end) }))
			.sort((a, b) => a.start - b.start),
	);
	return { regions: regions && new Set(regions), hours: { byWeekday, closedOn } };
}

function minuteOf(time: string): number {
	return Number(time.slice(0, 2)) * 60 + Number(time.slice(3));
}

function toTerms({ id, citations, effect, file }: Rule<Effect<"retention">>): RetentionTerm[] {
	return effect.map(({ object, clock, min, max, keep }) =>
		toTerm({ object, clock, min, max, keep }, { ruleId: id, basis: file.basis, citations }),
	);
}

type Bounds = {
	object: RetentionTerm["object"];
	clock?: RetentionTerm["clock"] | undefined;
	min?: string | null | undefined;
	max?: string | null | undefined;
	keep?: string | undefined;
};

/** Bounds ready for comparing; what is not said bounds nothing. */
export function toTerm(bounds: Bounds, source: Pick<RetentionTerm, "ruleId" | "basis" | "citations">): RetentionTerm {
	const { object, clock = "created", keep = "PT0S" } = bounds;
	const min = bounds.min ?? "PT0S";
	const max = bounds.max ?? null;
	const maxMs = max === null ? Number.POSITIVE_INFINITY : durationMs(max);
	return { object, clock, min, minMs: durationMs(min), max, maxMs, keep, keepMs: durationMs(keep), ...source };
}
