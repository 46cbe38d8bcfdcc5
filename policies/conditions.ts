// The language in which packs say when something holds: tests on facts, all of which must pass. Compiled once, at load.

import { z } from "zod";
import type { Facts } from "../domain/decision.ts";
import { expandCountries } from "./countries.ts";
import { durationMs, instantMs, isDuration } from "./durations.ts";
import { factsSchema } from "./facts.ts";

export type Predicate = (facts: Facts, now: number) => boolean;
type Scalar = string | number | boolean;
type Test = z.output<typeof testSchema>;
type FactReader = (facts: Facts) => unknown;

/**
 * Path of a fact → its test; a list in the facts matches by any member. `any` holds when one of its conditions does,
 * `all` when each does.
 */
export type Condition = { any?: Condition[] | undefined; all?: Condition[] | undefined } & {
	[path: string]: Test | Condition[] | undefined;
};

const scalar = z.union([z.string(), z.number(), z.boolean()]);
const scalars = z.union([scalar, z.array(scalar).min(1)]);
const instant = z.union([z.literal("now"), z.iso.datetime()]);
const countries = z.array(z.string().regex(/^([A-Z]{2}|EEA)$/)).min(1);

/** A value or list: the fact is one of them. An absent fact fails every test but `given: false`, `not`, `notCountry` and `orAbsent`. */
const testSchema = z.union([
	scalars,
	z
		.strictObject({
			/** Present, and neither false nor empty. */
			given: z.boolean().optional(),
			not: scalars.optional(),
			orAbsent: scalars.optional(),
			above: z.number().optional(),
			below: z.number().optional(),
			longerThan: z.string().refine(isDuration).optional(),
			/** A time that lies more than this before the facts' own. */
			olderThan: z.string().refine(isDuration).optional(),
			before: instant.optional(),
			after: instant.optional(),
			/** The country itself or a region of it. */
			country: countries.optional(),
			notCountry: countries.optional(),
		})
		.refine((test) => Object.keys(test).length > 0, { error: "an empty test" }),
]);

export const conditionSchema: z.ZodType<Condition> = z.lazy(() =>
	z
		.object({ any: z.array(conditionSchema).min(1).optional(), all: z.array(conditionSchema).min(1).optional() })
		.catchall(testSchema)
		.superRefine((condition, check) => {
			for (const [path, test] of Object.entries(condition)) {
				if (path === "any" || path === "all") continue;
				const message = wrongWith(path, test as Test);
				if (message) check.addIssue({ code: "custom", path: [path], message });
			}
		}),
) as z.ZodType<Condition>;

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

/** Whether no facts can meet both: some single-valued fact would need two values. */
export function areDisjoint(one: Condition, other: Condition): boolean {
	return Object.entries(one).some(([path, test]) => {
		const theirs = other[path];
		if (path === "any" || path === "all" || path === "dataClasses" || theirs === undefined) return false;
		if (!isList(test) || !isList(theirs)) return false;
		return !toList(test).some((value) => toList(theirs).includes(value));
	});
}

function compileAny(conditions: Condition[]): Predicate {
	const predicates = conditions.map(compileCondition);
	return (facts, now) => predicates.some((predicate) => predicate(facts, now));
}

function compileTest(path: string, test: Test): Predicate {
	const read = readerOf(path);
	if (isList(test)) {
		const wanted = new Set<unknown>(toList(test));
		return (facts) => matches(read(facts), wanted);
	}
	const checks = compileChecks(test);
	return (facts, now) => {
		const value = read(facts);
		return checks.every((check) => check(value, now));
	};
}

type Check = (value: unknown, now: number) => boolean;

function compileChecks(test: Exclude<Test, Scalar | Scalar[]>): Check[] {
	const { given, not, orAbsent, above, below, longerThan, olderThan, before, after, country, notCountry } = test;
	const checks: Check[] = [];
	if (given !== undefined) checks.push((value) => isGiven(value) === given);
	if (not !== undefined) checks.push(negate(matchesOneOf(toList(not))));
	if (orAbsent !== undefined) checks.push(either(isAbsent, matchesOneOf(toList(orAbsent))));
	if (above !== undefined) checks.push((value) => typeof value === "number" && value > above);
	if (below !== undefined) checks.push((value) => typeof value === "number" && value < below);
	if (longerThan !== undefined) {
		checks.push((value) => typeof value === "string" && durationMs(value) > durationMs(longerThan));
	}
	if (olderThan !== undefined) {
		checks.push((value, now) => (instantMs(value) ?? Number.POSITIVE_INFINITY) + durationMs(olderThan) < now);
	}
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

function matchesCountry(names: string[]): Check {
	const wanted = expandCountries(names);
	return (value) => typeof value === "string" && wanted.has(value.slice(0, 2));
}

function negate(check: Check): Check {
	return (value, now) => !check(value, now);
}

function either(one: Check, other: Check): Check {
	return (value, now) => one(value, now) || other(value, now);
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

// A path or a value that no fact can have would make a rule that never fires.
function wrongWith(path: string, test: Test): string | undefined {
	const schema = knownPaths.get(path);
	if (!schema) return "is not a fact";
	const literals = isList(test) ? toList(test) : [test.not, test.orAbsent].flatMap((part) => toList(part ?? []));
	const element = schema instanceof z.ZodArray ? (schema.element as z.ZodType) : schema;
	const bad = literals.find((literal) => !element.safeParse(literal).success);
	return bad === undefined ? undefined : `${String(bad)} is not a value that this fact can have`;
}

function listPaths(shape: Record<string, z.ZodType>, prefix: string): [string, z.ZodType][] {
	return Object.entries(shape).flatMap(([key, schema]) => {
		const inner = unwrap(schema);
		const path = prefix + key;
		const nested = inner instanceof z.ZodObject ? listPaths(inner.shape as Record<string, z.ZodType>, `${path}.`) : [];
		return [[path, inner] as [string, z.ZodType], ...nested];
	});
}

function unwrap(schema: z.ZodType): z.ZodType {
	const wrapped = schema instanceof z.ZodOptional || schema instanceof z.ZodNullable;
	return wrapped ? unwrap(schema.unwrap() as z.ZodType) : schema;
}

const knownPaths = new Map(listPaths(factsSchema.shape as Record<string, z.ZodType>, ""));
