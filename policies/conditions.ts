// When something holds: tests on facts, all of which must pass. Compiled once, at load.

import type { Facts } from "../domain/decision.ts";
import { type Condition, knownFacts, type Operators, type Scalar, type Test } from "./conditionSchema.ts";
import { expandCountries } from "./countries.ts";
import { durationMs, instantMs } from "./durations.ts";
import { mentions, spellings, toWord } from "./words.ts";

export type Predicate = (facts: Facts, now: number) => boolean;
type FactReader = (facts: Facts) => unknown;

/** The condition as a function. The facts are not changed; `now` is epoch milliseconds. */
export function compileCondition(condition: Condition): Predicate {
	const predicates = Object.entries(condition).flatMap(([path, test]) => {
		if (path === "all") return (test as Condition[]).map(compileCondition);
		return [path === "any" ? compileAny(test as Condition[]) : compileTest(path, test as Test)];
	});
	const [first, second] = predicates;
	if (!first) return () => true;
	if (!second) return first;
	return (facts, now) => predicates.every((predicate) => predicate(facts, now));
}

// Facts of one value, which is compared as it is: a word or a proof has several spellings, and meets tests of each.
const exactKinds = new Set<string | undefined>(["name", "place", "flag", "count"]);

/** Whether no facts can meet both: some single-valued fact would need two values. */
export function areDisjoint(one: Condition, other: Condition): boolean {
	return Object.entries(one).some(([path, test]) => {
		const theirs = other[path];
		const fact = knownFacts.get(path);
		if (theirs === undefined || fact?.isList || !exactKinds.has(fact?.kind)) return false;
		if (!isList(test) || !isList(theirs)) return false;
		return !toList(test).some((value) => toList(theirs).includes(value));
	});
}

function compileAny(conditions: Condition[]): Predicate {
	const predicates = conditions.map(compileCondition);
	return (facts, now) => predicates.some((predicate) => predicate(facts, now));
}

// A proof that says that there is none says it in any spelling.
const wordKinds = new Set<string | undefined>(["word", "proof"]);

function compileTest(path: string, test: Test): Predicate {
	const read = readerOf(path);
	const isOneOf = wordKinds.has(knownFacts.get(path)?.kind) ? matchesWord : matchesOneOf;
	if (isList(test)) {
		const check = isOneOf(toList(test));
		return (facts, now) => check(read(facts), now);
	}
	const checks = compileChecks(test, isOneOf);
	return (facts, now) => {
		const value = read(facts);
		return checks.every((check) => check(value, now));
	};
}

type Check = (value: unknown, now: number) => boolean;

function compileChecks(test: Operators, isOneOf: (values: Scalar[]) => Check): Check[] {
	const { given, not, orAbsent, above, below, longerThan, olderThan, notOlderThan, before, after } = test;
	const { country, notCountry } = test;
	const checks: Check[] = [];
	if (given !== undefined) checks.push((value) => isGiven(value) === given);
	if (not !== undefined) checks.push(negate(isOneOf(toList(not))));
	if (orAbsent !== undefined) checks.push(either(isAbsent, isOneOf(toList(orAbsent))));
	if (test.mentions !== undefined) checks.push(matchesPhrase(test.mentions));
	if (above !== undefined) checks.push((value) => typeof value === "number" && value > above);
	if (below !== undefined) checks.push((value) => typeof value === "number" && value < below);
	if (longerThan !== undefined) {
		checks.push((value) => typeof value === "string" && durationMs(value) > durationMs(longerThan));
	}
	if (olderThan !== undefined) {
		checks.push((value, now) => (instantMs(value) ?? Number.POSITIVE_INFINITY) + durationMs(olderThan) < now);
	}
	if (notOlderThan !== undefined) checks.push(isRecent(durationMs(notOlderThan)));
	if (before !== undefined)
		checks.push((value, now) => (instantMs(value) ?? Number.POSITIVE_INFINITY) < boundary(before, now));
	if (after !== undefined)
		checks.push((value, now) => (instantMs(value) ?? Number.NEGATIVE_INFINITY) > boundary(after, now));
	if (country !== undefined) checks.push(matchesCountry(country));
	if (notCountry !== undefined) checks.push(negate(matchesCountry(notCountry)));
	return checks;
}

function matchesOneOf(values: Scalar[]): Check {
	const wanted = new Set<unknown>(values);
	return (value) => matches(value, wanted);
}

function matchesWord(values: Scalar[]): Check {
	const wanted = new Set(values.map((value) => (typeof value === "string" ? toWord(value) : value)));
	const words = (value: unknown): unknown[] => (typeof value === "string" ? spellings(value) : [value]);
	return (value) => matches(Array.isArray(value) ? value.flatMap(words) : words(value), wanted);
}

function matchesPhrase(phrases: string[]): Check {
	const wanted = phrases.map(toWord);
	return (value) => typeof value === "string" && mentions(value, wanted);
}

function matchesCountry(names: string[]): Check {
	const wanted = expandCountries(names);
	if (names.includes("EEA")) wanted.add("EU").add("EEA");
	return (value) => typeof value === "string" && wanted.has(value.split("-", 1)[0] ?? "");
}

function negate(check: Check): Check {
	return (value, now) => !check(value, now);
}

function either(one: Check, other: Check): Check {
	return (value, now) => one(value, now) || other(value, now);
}

function isRecent(ageMs: number): Check {
	return (value, now) => {
		const at = instantMs(value);
		return at !== undefined && at <= now && at + ageMs >= now;
	};
}

function boundary(at: string, now: number): number {
	return at === "now" ? now : Date.parse(at);
}

function matches(value: unknown, wanted: Set<unknown>): boolean {
	return Array.isArray(value) ? value.some((member) => wanted.has(member)) : wanted.has(value);
}

function isAbsent(value: unknown): boolean {
	return value === undefined || value === null;
}

function isGiven(value: unknown): boolean {
	return !isAbsent(value) && value !== false && value !== "";
}

function isList(test: Condition[string]): test is Scalar | Scalar[] {
	return typeof test !== "object" || (Array.isArray(test) && typeof test[0] !== "object");
}

function toList(values: Scalar | Scalar[]): Scalar[] {
	return Array.isArray(values) ? values : [values];
}

function readerOf(path: string): FactReader {
	const [first = "", second, third] = path.split(".");
	const field = (value: unknown, key: string) => (value as Record<string, unknown> | null | undefined)?.[key];
	if (second === undefined) return (facts) => field(facts, first);
	if (third === undefined) return (facts) => field(field(facts, first), second);
	return (facts) => field(field(field(facts, first), second), third);
}
