// Facts of every kind that the schema allows, made from the schema itself so that no field is forgotten.

import fc from "fast-check";
import { z } from "zod";
import { factKinds, factsSchema } from "../../policies/facts.ts";

const instants = fc
	.integer({ min: Date.UTC(2024, 0, 1), max: Date.UTC(2029, 11, 31) })
	.map((at) => new Date(Math.floor(at / 1000) * 1000).toISOString());
const words = fc.constantFrom(
	...[
		"contract",
		"consent",
		"legitimate_interests",
		"none",
		"explicit_consent",
		"scc",
		"alphanumeric",
		"numeric",
		"sms",
	],
	...[
		"healthcare_exemption",
		"express",
		"purchase",
		"inquiry",
		"litigation",
		"us_law",
		"pre_dispatch",
		"keyed_hash",
		"p1",
	],
);
const places = fc.constantFrom(
	"US",
	"US-CA",
	"US-WA",
	"US-TX",
	"US-FL",
	"DE",
	"FR",
	"GB",
	"IN",
	"BR",
	"CA",
	"AU",
	"SG",
	"JP",
	"EU",
);
const bodies = fc.constantFrom("STOP", "START", "HELP", "Hello", "4111 1111 1111 1111", "STOP. 4111111111111111");

// What the schema alone would leave to chance: values that rules know.
const known: Record<string, fc.Arbitrary<unknown>> = {
	recipientCountry: fc.constantFrom("US", "US", "US", "DE", "FR", "NL", "GB", "IN", "BR", "CA", "AU", "SG", "JP"),
	recipientRegion: fc.constantFrom("US-CA", "US-WA", "US-TX", "US-FL", "US-NY", "US-TN", "US-PR"),
	timezone: fc.constantFrom(
		"America/New_York",
		"America/Chicago",
		"Europe/Paris",
		"Asia/Kolkata",
		"Etc/UTC",
		"unknown",
	),
	localTime: fc.constant("2026-11-25T12:00:00"),
	purposes: fc.subarray(["marketing", "transactional", "health"]),
	composition: fc.array(
		fc.oneof(
			fc.constantFrom("gdpr", "hipaa", "defaults", "nobody", "a min P1Y"),
			fc.record(
				{
					object: fc.constantFrom("content", "decision_record"),
					min: fc.constantFrom("P1D", "P6Y"),
					max: fc.constantFrom("P3Y", null),
				},
				{ requiredKeys: [] },
			),
		),
		{ maxLength: 3 },
	),
	body: bodies,
	evaluatedAt: instants,
};

/** Facts that pass the schema; some name a region of another country, which does not. */
export const anyFacts: fc.Arbitrary<Record<string, unknown>> = arbitraryOf("", factsSchema) as fc.Arbitrary<
	Record<string, unknown>
>;

function arbitraryOf(name: string, schema: z.ZodType): fc.Arbitrary<unknown> {
	const preset = known[name];
	if (preset) return preset;
	const kind = factKinds.get(schema)?.kind;
	if (kind === "time") return instants;
	if (kind === "duration") return fc.constantFrom("PT5M", "PT10M", "PT11M", "P30D");
	if (kind === "flag") return fc.boolean();
	if (kind === "count") return fc.nat(200);
	if (kind === "place") return places;
	if (kind === "word" || kind === "text") return words;
	if (kind === "proof") return fc.oneof(fc.boolean(), fc.constantFrom("ref-1", ""));
	if (schema instanceof z.ZodEnum) return fc.constantFrom(...schema.options);
	if (schema instanceof z.ZodOptional || schema instanceof z.ZodNullable) {
		return arbitraryOf(name, schema.unwrap() as z.ZodType);
	}
	if (schema instanceof z.ZodPipe) return arbitraryOfPipe(name, schema);
	if (schema instanceof z.ZodArray) return fc.array(arbitraryOf("", schema.element as z.ZodType), { maxLength: 3 });
	if (schema instanceof z.ZodUnion) return fc.oneof(fc.boolean(), fc.constantFrom("split: keyed hash", ""));
	if (schema instanceof z.ZodObject) {
		const shape = Object.entries(schema.shape as Record<string, z.ZodType>);
		// Facts that name no time are no facts.
		const required = ["context", "event", "evaluatedAt"].filter((key) => key in schema.shape);
		const fields = shape.map(([key, field]) => {
			const value = arbitraryOf(key, field);
			return [key, required.includes(key) ? value : fc.option(value, { nil: null, freq: 6 })];
		});
		return fc.record(Object.fromEntries(fields), { requiredKeys: required as never[] });
	}
	throw new Error(`no values for ${name}: ${schema.type}`);
}

function arbitraryOfPipe(name: string, schema: z.ZodPipe): fc.Arbitrary<unknown> {
	const { in: given, out } = schema.def as unknown as { in: z.ZodType; out: z.ZodType };
	return arbitraryOf(name, out instanceof z.ZodEnum ? out : given);
}
