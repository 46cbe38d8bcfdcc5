// What a condition in a pack may say: which facts it may name, and what it may ask of each.

import { z } from "zod";
import { isDuration } from "./durations.ts";
import { factKinds, factsSchema } from "./facts.ts";

export type Scalar = string | number | boolean;
export type Operators = {
	given?: boolean | undefined;
	not?: Scalar | Scalar[] | undefined;
	orAbsent?: Scalar | Scalar[] | undefined;
	mentions?: string[] | undefined;
	above?: number | undefined;
	below?: number | undefined;
	longerThan?: string | undefined;
	olderThan?: string | undefined;
	notOlderThan?: string | undefined;
	before?: string | undefined;
	after?: string | undefined;
	country?: string[] | undefined;
	notCountry?: string[] | undefined;
};
export type Test = Scalar | Scalar[] | Operators;
type FactKind = "text" | "word" | "flag" | "count" | "time" | "duration" | "proof" | "place" | "name" | "group";

/**
 * Path of a fact → its test; a list in the facts matches by any member. `any` holds when one of its conditions does,
 * `all` when each does.
 */
export type Condition = { any?: Condition[] | undefined; all?: Condition[] | undefined } & {
	[path: string]: Test | Condition[] | undefined;
};

const instant = z
	.union([z.literal("now"), z.iso.datetime()], { error: "neither now nor a time in RFC 3339, UTC" })
	.meta({ id: "moment" });
const duration = z.string().refine(isDuration, { error: "not a duration in ISO 8601, such as P30D" });
const countries = z.array(z.string().regex(/^([A-Z]{2}|EEA)$/, { error: "not a country, nor EEA" })).min(1);

const operators = {
	given: z.boolean().describe("true: present, and neither false nor empty; false: not so"),
	mentions: z.array(z.string().min(2)).min(1).describe("Has one of these in it, as whole words"),
	above: z.number().describe("A number greater than this"),
	below: z.number().describe("A number less than this"),
	longerThan: duration.describe("A duration longer than this one"),
	olderThan: duration.describe("A time that lies more than this before the facts' own"),
	notOlderThan: duration.describe("A time that lies this much before the facts' own at most, and not after it"),
	before: instant.describe("A time before this one, or before the facts' own (now)"),
	after: instant.describe("A time after this one, or after the facts' own (now)"),
	country: countries.describe("One of these countries, or a region of one"),
	notCountry: countries.describe("None of these countries, nor a region of one; absent counts"),
};

// What may be asked of each kind: a question that a fact can't answer would make a rule that never fires.
const questions: Record<FactKind, (keyof typeof operators)[]> = {
	text: ["given", "mentions"],
	word: ["given", "mentions"],
	flag: ["given"],
	count: ["given", "above", "below"],
	time: ["given", "olderThan", "notOlderThan", "before", "after"],
	duration: ["given", "longerThan"],
	proof: ["given"],
	place: ["given", "country", "notCountry"],
	name: ["given"],
	group: ["given"],
};

const tests = new Map<z.ZodType | FactKind, z.ZodType>();

/** Every fact that a condition may name: its kind, and what values it can have where single values may be asked for. */
export const knownFacts = new Map(listFacts(factsSchema.shape as Record<string, z.ZodType>, ""));

/** A value or list: the fact is one of them. An absent fact fails every test but `given: false`, `not`, `notCountry` and `orAbsent`. */
export const conditionSchema: z.ZodType<Condition> = z.lazy(() => conditionShape);

const conditionShape = z
	.strictObject({
		any: z.array(conditionSchema).min(1).optional().describe("One of these holds"),
		all: z.array(conditionSchema).min(1).optional().describe("Each of these holds"),
		...Object.fromEntries([...knownFacts].map(([path, fact]) => [path, testOf(fact).optional()])),
	})
	.meta({ id: "condition" }) as unknown as z.ZodType<Condition>;

/** `isList`: one fact may hold several values. */
type KnownFact = { kind: FactKind; values?: z.ZodType; isList?: true };

// One test for each kind and list of values, so that the published schema says each once.
function testOf(fact: KnownFact): z.ZodType {
	const { kind, values } = fact;
	const shared = values === undefined || kind === "flag" || kind === "count" || kind === "word" || kind === "proof";
	const key = shared ? kind : (values ?? kind);
	const known = tests.get(key) ?? (shared ? makeTest(fact).meta({ id: `${kind}Test` }) : makeTest(fact));
	tests.set(key, known);
	return known;
}

function makeTest({ kind, values }: KnownFact): z.ZodType {
	const shape = Object.fromEntries(questions[kind].map((name) => [name, operators[name].optional()]));
	const list = values && z.union([values, z.array(values).min(1)]);
	const lists = list && {
		not: list.optional().describe("None of these; absent counts"),
		orAbsent: list.optional().describe("One of these, or absent"),
	};
	const asked = z
		.strictObject({ ...shape, ...lists })
		.refine((test) => Object.keys(test).length > 0, { error: "an empty test" });
	return values ? z.union([values, z.array(values).min(1), asked]) : asked;
}

function listFacts(shape: Record<string, z.ZodType>, prefix: string): [string, KnownFact][] {
	return Object.entries(shape).flatMap(([key, schema]) => {
		const inner = unwrap(schema);
		const path = prefix + key;
		const nested = inner instanceof z.ZodObject ? listFacts(inner.shape as Record<string, z.ZodType>, `${path}.`) : [];
		return [[path, describeFact(inner)] as [string, KnownFact], ...nested];
	});
}

function describeFact(schema: z.ZodType): KnownFact {
	const kind = factKinds.get(schema)?.kind;
	if (kind === "time" || kind === "duration") return { kind };
	if (kind === "proof") return { kind, values: z.union([z.boolean(), z.string()]) };
	if (kind === "word") return { kind, values: z.string().min(1) };
	if (kind === "place") return { kind, values: (schema as z.ZodPipe).in as z.ZodType };
	if (kind !== undefined) return { kind, values: schema };
	if (schema instanceof z.ZodEnum) return { kind: "name", values: schema };
	const member = schema instanceof z.ZodArray ? unwrap(schema.element as z.ZodType) : undefined;
	if (member instanceof z.ZodEnum || member instanceof z.ZodString)
		return { kind: "name", values: member, isList: true };
	return schema instanceof z.ZodString ? { kind: "text", values: schema } : { kind: "group" };
}

function unwrap(schema: z.ZodType): z.ZodType {
	if (factKinds.has(schema)) return schema;
	if (schema instanceof z.ZodOptional || schema instanceof z.ZodNullable) return unwrap(schema.unwrap() as z.ZodType);
	if (!(schema instanceof z.ZodPipe)) return schema;
	const { in: given, out } = schema.def as unknown as { in: z.ZodType; out: z.ZodType };
	return out instanceof z.ZodEnum ? out : unwrap(given);
}
