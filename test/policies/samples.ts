// Small packs for tests: only what a test is about, all else valid.

import { indexPacks, type PackSet } from "../../policies/packSet.ts";
import { packSchema } from "../../policies/schema.ts";

type Fields = Record<string, unknown>;

/** A rule with its evidence filled in. */
export function sampleRule(id: string, effect: Fields): Fields {
	return {
		id,
		basis: "default",
		citations: [`citation of ${id}`],
		verifiedOn: "2026-07-01",
		confidence: "high",
		...effect,
	};
}

/** A pack as it would stand in a file. */
export function samplePack(id: string, rules: Fields[], fields: Fields = {}): Fields {
	const evaluatedAt = "2026-01-01T00:00:00Z";
	return {
		id,
		version: "1.0.0",
		title: id,
		effectiveFrom: "2000-01-01T00:00:00Z",
		applies: {},
		rules,
		cases: [{ name: "sample", facts: { context: { event: "inbound", evaluatedAt } }, expect: { allowed: true } }],
		...fields,
	};
}

/** What every set of packs must have: a maximum for each object. */
export const sampleBase = samplePack("base", [
	sampleRule("base.retention", {
		retention: [
			...["content", "address", "receipt"].map((object) => ({ object, min: "PT0S", max: "P30D" })),
			...["decision_record", "consent_evidence", "subject_request", "policy_documentation"].map((object) => ({
				object,
				max: "P10Y",
			})),
			{ object: "suppression", min: "P5Y", max: null },
		],
	}),
]);

/** An index of the base and the packs given. @throws as the schema and indexPacks */
export function samplePackSet(...packs: Fields[]): PackSet {
	return indexPacks([sampleBase, ...packs].map((pack) => ({ file: packSchema.parse(pack), sha256: "" })));
}
