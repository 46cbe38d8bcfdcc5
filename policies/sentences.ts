// Rules in words, for people who decide on them: what a rule does, when, and for how long.

import { Temporal } from "temporal-polyfill";
import { effectNames, type PackFile, type RuleFile, weekdays } from "./schema.ts";

/** What a rule does, one entry for each thing that may change by itself: name → words. */
export type Facets = Record<string, string>;

type Effects = Pick<RuleFile, (typeof effectNames)[number]>;
type Span = NonNullable<RuleFile["window"]>["open"][number];

// Weeks are spoken of from Monday on.
const week = [...weekdays.slice(1), weekdays[0]];
const objectWords = (object: string) => object.replaceAll("_", " ");

/** `P30D` → `30 days`. */
export function describeDuration(duration: string): string {
	const { years, months, weeks, days, hours, minutes, seconds } = Temporal.Duration.from(duration);
	const parts = Object.entries({ years, months, weeks, days, hours, minutes, seconds })
		.filter(([, count]) => count !== 0)
		.map(([unit, count]) => `${count} ${count === 1 ? unit.slice(0, -1) : unit}`);
	return parts.join(" ") || "no time at all";
}

/** What a rule does. @param pack whose rule it is */
export function findFacets(rule: RuleFile, pack: Pick<PackFile, "destinations">): Facets {
	const { window, retention, ...others } = rule;
	const facets: Facets = {};
	if (window) Object.assign(facets, quietHours(window, window.regions ?? pack.destinations));
	for (const term of retention ?? []) {
		const name = `${objectWords(term.object)} is kept`;
		facets[name] = [...(facets[name] === undefined ? [] : [facets[name]]), describeTerm(term)].join(" and ");
	}
	for (const [name, effect] of Object.entries(others)) {
		const words = effect === undefined ? undefined : describeEffect(name, effect);
		if (words) Object.assign(facets, words);
	}
	return facets;
}

/** What a rule does, as one sentence without a full stop. */
export function describeRule(rule: RuleFile, pack: Pick<PackFile, "destinations">): string {
	return Object.entries(findFacets(rule, pack))
		.map(([name, words]) => `${name} ${words}`)
		.join("; ");
}

/**
 * When a rule counts; "always" when it has no condition.
 * @param valuesMax more values than so many are told by their number and the first three
 */
export function describeCondition(condition: RuleFile["when"], valuesMax = Number.POSITIVE_INFINITY): string {
	const parts = Object.entries(condition).map(([path, test]) => {
		if (path !== "any" && path !== "all") return `${path} ${describeTest(test, valuesMax)}`;
		const inner = (test as RuleFile["when"][]).map((one) => describeCondition(one, valuesMax));
		return `(${inner.join(path === "any" ? " or " : " and ")})`;
	});
	return parts.join(" and ") || "always";
}

const starts = { created: "", last_in_effect: " from when it was last in effect", processed: " from its processing" };

function describeTerm({ min, max, keep, clock }: NonNullable<Effects["retention"]>[number]): string {
	const isBrief = min === undefined || describeDuration(min) === "no time at all";
	const parts = [
		...(keep === undefined ? [] : [`${describeDuration(keep)} unless a tenant says otherwise`]),
		...(isBrief ? [] : [`at least ${describeDuration(min)}${starts[clock]}`]),
		...(max === undefined ? [] : [max === null ? "without end" : `at most ${describeDuration(max)}`]),
	];
	return parts.join(", ") || "no longer than needed";
}

const describers: Record<string, (effect: never) => Facets> = {
	deny: (reasons: string[]) => ({ refuses: `(${reasons.join(", ")})` }),
	reasons: (reasons: string[]) => ({ notes: reasons.join(", ") }),
	consent: (effect: NonNullable<Effects["consent"]>) => ({
		consent: [
			`must be ${effect.minType.replaceAll("_", " ")} or stronger`,
			...(effect.purposeBound ? ["for this purpose"] : []),
			...(effect.softOptIn ? ["existing customers may be written to without"] : []),
			...(effect.absent === "satisfied" ? ["where none is stated it counts as given"] : []),
			...effect.expires.map(({ type, age, ...on }) => {
				const grounds = describeFields(on);
				return `${type.replaceAll("_", " ")}${grounds ? ` (${grounds})` : ""} ends after ${describeDuration(age)}`;
			}),
		].join(", "),
	}),
	frequency: ({ max, per }: NonNullable<Effects["frequency"]>) => ({
		messages: `at most ${max} within ${describeDuration(per)}`,
	}),
	delivery: ({ mode, reason }: NonNullable<Effects["delivery"]>) => ({
		delivery: `by ${objectWords(mode)}, or more protective (${reason})`,
	}),
	erase: ({ contentWithin, backupsWithin }: NonNullable<Effects["erase"]>) => ({
		...(contentWithin ? { "content is erased": `within ${describeDuration(contentWithin)}` } : {}),
		...(backupsWithin ? { "copies in backups end": `within ${describeDuration(backupsWithin)}` } : {}),
	}),
};

function describeEffect(name: string, effect: unknown): Facets {
	const describe = describers[name] as ((effect: unknown) => Facets) | undefined;
	if (describe) return describe(effect);
	return (effectNames as string[]).includes(name) ? { [objectWords(name)]: describeFields(effect) } : {};
}

function describeFields(value: unknown): string {
	if (Array.isArray(value)) return value.map(describeFields).join(", ");
	if (typeof value !== "object" || value === null) return String(value);
	const fields = Object.entries(value).filter(([, field]) => field !== undefined);
	return fields.map(([name, field]) => `${name} ${describeFields(field)}`).join(", ");
}

function quietHours({ open, closedOn }: NonNullable<Effects["window"]>, places: readonly string[]): Facets {
	const byDay = week.map((day) => spell(open.filter(({ days }) => days.includes(day))));
	const of = places.length > 0 ? ` of ${places.join(", ")}` : "";
	const facets: Facets = {};
	for (let first = 0; first < week.length; ) {
		let last = first;
		while (last + 1 < week.length && byDay[last + 1] === byDay[first]) last++;
		const days = first === last ? capital(week[first]) : `${capital(week[first])}-${capital(week[last])}`;
		facets[`quiet hours${of}, ${days}:`] = byDay[first] ?? "";
		first = last + 1;
	}
	if (closedOn) facets["quiet all day"] = `on public holidays of ${closedOn}`;
	return facets;
}

// Open hours turned round: from the end of the one to the start of the next day's.
function spell(spans: Span[]): string {
	const [only] = spans;
	if (!only) return "all day";
	if (spans.length > 1) return `outside ${spans.map(({ start, end }) => `${start}-${end}`).join(", ")}`;
	if (only.start === "00:00" && only.end === "24:00") return "none";
	return `${only.end === "24:00" ? "00:00" : only.end}-${only.start}`;
}

function capital(day: string | undefined): string {
	return `${day?.charAt(0).toUpperCase()}${day?.slice(1)}`;
}

function describeTest(test: RuleFile["when"][string], valuesMax: number): string {
	if (typeof test !== "object") return `is ${test}`;
	if (Array.isArray(test)) return `is ${describeValues(test, valuesMax)}`;
	const tests = Object.entries(test ?? {}).filter(([, value]) => value !== undefined);
	return tests.map(([name, value]) => describeOperator(name, value, valuesMax)).join(" and ");
}

function describeValues(values: readonly unknown[], max: number): string {
	if (values.length <= max) return values.join(" or ");
	return `one of ${values.length} names, such as ${values.slice(0, 3).join(", ")}`;
}

function describeOperator(name: string, value: unknown, valuesMax: number): string {
	const text = describeValues([value].flat(), valuesMax);
	const words: Record<string, string> = {
		given: value ? "is given" : "is not given",
		not: `is not ${text}`,
		orAbsent: `is ${text} or not given`,
		country: `is in ${text}`,
		notCountry: `is not in ${text}`,
		olderThan: `is more than ${text} ago`,
		notOlderThan: `is not more than ${text} ago`,
		longerThan: `is longer than ${text}`,
	};
	return words[name] ?? `${name} ${text}`;
}
