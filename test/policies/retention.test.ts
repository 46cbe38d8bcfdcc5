// Retention intervals: composed the same in any order, never empty, and what clashes is found when packs are read.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { composeRetention } from "../../policies/compose.ts";
import { durationMs } from "../../policies/durations.ts";
import { retentionObjects } from "../../policies/facts.ts";
import { readPacks } from "../../policies/load.ts";
import { indexPacks } from "../../policies/packSet.ts";
import { retentionPlan } from "../../policies/retention.ts";
import { samplePack, samplePackSet, sampleRule } from "./samples.ts";

const loaded = readPacks();
const packs = indexPacks(loaded);
const evaluatedAt = "2026-11-25T12:00:00Z";

const terms = fc
	.record({ min: fc.nat(4000), max: fc.oneof(fc.constant(null), fc.nat(9000)), ruleId: fc.uuid() })
	.map(({ min, max, ruleId }) => ({
		object: "content" as const,
		clock: "created" as const,
		min: `P${min}D`,
		minMs: durationMs(`P${min}D`),
		max: max === null ? null : `P${max}D`,
		maxMs: max === null ? Number.POSITIVE_INFINITY : durationMs(`P${max}D`),
		keep: "PT0S",
		keepMs: 0,
		basis: "law" as const,
		ruleId,
		citations: [],
	}));

test("the greatest minimum and the least maximum bind, in whatever order the rules come", () => {
	fc.assert(
		fc.property(fc.array(terms, { minLength: 1, maxLength: 8 }), fc.infiniteStream(fc.nat()), (some, order) => {
			const composed = composeRetention(some);
			assert.equal(composed?.min.minMs, Math.max(...some.map(({ minMs }) => minMs)));
			assert.equal(composed?.max.maxMs, Math.min(...some.map(({ maxMs }) => maxMs)));
			const shuffled = some.map((term) => [order.next().value ?? 0, term] as const).sort(([a], [b]) => a - b);
			assert.deepEqual(composeRetention(shuffled.map(([, term]) => term)), composed);
		}),
	);
});

test("the plan does not depend on the order in which packs are read", () => {
	const facts = { recipientCountry: "US", recipientRegion: "US-VA", senderEstablishment: "DE", dataClasses: ["phi"] };
	const given = { ...facts, context: { evaluatedAt } };
	assert.deepEqual(retentionPlan(indexPacks([...loaded].reverse()), given), retentionPlan(packs, given));
});

test("every object has an interval that is not empty, and only suppression is kept without end", () => {
	const places = ["US", "DE", "FR", "GB", "IN", "AU", "JP"];
	for (const recipientCountry of places) {
		for (const category of ["otp", "transactional", "marketing", "health"]) {
			for (const dataClasses of [["contact"], ["phi"]]) {
				const plan = retentionPlan(packs, { recipientCountry, category, dataClasses, context: { evaluatedAt } });
				assert.deepEqual(Object.keys(plan), [...retentionObjects]);
				for (const [object, { min, max, citations }] of Object.entries(plan)) {
					assert.ok(max === null ? object === "suppression" : durationMs(min) <= durationMs(max), object);
					assert.ok(citations.length > 0);
				}
			}
		}
	}
});

test("a code goes within ten minutes, a record under HIPAA stays six years, one in the Union at most six", () => {
	const context = { evaluatedAt };
	const otp = retentionPlan(packs, { recipientCountry: "DE", category: "otp", context });
	assert.equal(otp.content.max, "PT10M");
	assert.deepEqual([otp.address.max, otp.receipt.max, otp.decision_record.max], ["P30D", "P90D", "P6Y"]);
	const phi = retentionPlan(packs, { recipientCountry: "US", dataClasses: ["phi"], context });
	assert.equal(phi.decision_record.min, "P6Y");
	assert.equal(retentionPlan(packs, { recipientCountry: "US", context }).decision_record.min, "P5Y");
});

test("two rules that leave no interval stop the packs from being read, and are both named", () => {
	const keep = (when: object) => sampleRule("keep.logs", { when, retention: [{ object: "content", min: "P1Y" }] });
	assert.throws(() => samplePackSet(samplePack("keep", [keep({})])), /content: keep\.logs .* base\.retention/);
	const long = sampleRule("long.record", { retention: [{ object: "receipt", min: "P5D" }] });
	const short = (when: object) => sampleRule("short.record", { when, retention: [{ object: "receipt", max: "P4D" }] });
	assert.throws(
		() => samplePackSet(samplePack("long", [long]), samplePack("short", [short({})])),
		/long\.record .* short\.record/,
	);
	const self = sampleRule("self.record", { retention: [{ object: "receipt", min: "P5D", max: "P4D" }] });
	assert.throws(() => samplePackSet(samplePack("self", [self])), /self\.record .* self\.record/);
});

test("rules that can never apply together do not clash, and those that meet in a point do not either", () => {
	const rule = (id: string, category: string[], bounds: object) =>
		sampleRule(id, { when: { category }, retention: [{ object: "receipt", ...bounds }] });
	const long = samplePack("long", [rule("long.record", ["otp"], { min: "P5D" })]);
	const short = (category: string[], max: string) => samplePack("short", [rule("short.record", category, { max })]);
	assert.doesNotThrow(() => samplePackSet(long, short(["marketing", "health"], "P4D")));
	assert.doesNotThrow(() => samplePackSet(long, short(["otp"], "P5D")));
	assert.throws(() => samplePackSet(long, short(["otp", "health"], "P4D")), /long\.record/);
});

test("rules for two purposes of one consent, or two spellings of one word, may apply together and clash", () => {
	const rule = (id: string, when: object, bounds: object) =>
		sampleRule(id, { when, retention: [{ object: "receipt", ...bounds }] });
	const meet = (one: object, other: object) => () =>
		samplePackSet(
			samplePack("long", [rule("long.record", one, { min: "P5D" })]),
			samplePack("short", [rule("short.record", other, { max: "P4D" })]),
		);
	assert.throws(meet({ "consent.purposes": "marketing" }, { "consent.purposes": "health" }), /long\.record/);
	assert.throws(meet({ "context.lawfulBasis": "contract" }, { "context.lawfulBasis": "Contract" }), /long\.record/);
	assert.throws(meet({ "context.gdprScope": "offer" }, { "context.gdprScope": "monitoring" }), /long\.record/);
	assert.doesNotThrow(meet({ "context.autodialed": true }, { "context.autodialed": [false] }));
	assert.doesNotThrow(meet({ subjectResidence: "US-CA" }, { subjectResidence: ["US-WA", "DE"] }));
});

test("a clash that a pack settles on purpose is settled for that object, where both rules apply", () => {
	const keep = sampleRule("keep.logs", {
		retention: [
			{ object: "content", min: "P1Y" },
			{ object: "content", max: "P2Y" },
		],
	});
	const resolution = {
		object: "content",
		yields: "base.retention",
		to: "keep.logs",
		why: "a law asks",
		citations: ["one"],
	};
	const set = samplePackSet(samplePack("keep", [keep], { resolutions: [resolution] }));
	const { content, address } = retentionPlan(set, { context: { evaluatedAt } });
	assert.deepEqual([content.min, content.max, address.max], ["P1Y", "P2Y", "P30D"]);
	assert.throws(
		() => samplePackSet(samplePack("keep", [keep], { resolutions: [{ ...resolution, to: "keep.other" }] })),
		/keep\.other/,
	);
});

test("a resolution by which nothing, or no maximum, would be left is a fault", () => {
	const settled = (bounds: object, ...pairs: [yields: string, to: string][]) => {
		const rules = [sampleRule("keep.logs", { retention: [{ object: "content", ...bounds }] })];
		const resolutions = pairs.map(([yields, to]) => ({
			object: "content",
			...{ yields, to, why: "a law asks", citations: ["one"] },
		}));
		return () => samplePackSet(samplePack("keep", rules, { resolutions }));
	};
	const bounds = { min: "P1Y", max: "P2Y" };
	const base: [string, string] = ["base.retention", "keep.logs"];
	assert.doesNotThrow(settled(bounds, base));
	assert.throws(settled({ min: "P1Y" }, base), /content: .*keep\.logs, which gives it no maximum, .*Give it one there/);
	assert.throws(settled(bounds, base, ["keep.logs", "keep.logs"]), /keep\.logs, which yields to it in turn/);
	assert.throws(settled(bounds, base, ["keep.logs", "base.retention"]), /which yields to it in turn/);
});

test("a rule that yields to one without a maximum is settled where another always gives it one, or none is needed", () => {
	const settled = (object: string, max: string) => {
		const rules = [
			sampleRule("keep.short", { retention: [{ object, max }] }),
			sampleRule("keep.long", { retention: [{ object, min: "P6Y" }] }),
		];
		const why = { why: "a law asks", citations: ["one"] };
		const resolutions = [{ object, yields: "keep.short", to: "keep.long", ...why }];
		const plan = retentionPlan(samplePackSet(samplePack("keep", rules, { resolutions })), { context: { evaluatedAt } });
		return plan[object as keyof typeof plan];
	};
	const { min, max } = settled("decision_record", "P5Y");
	assert.deepEqual([min, max], ["P6Y", "P10Y"]);
	assert.equal(settled("suppression", "P5Y").max, null);
});

test("a set of packs that leaves an object without a maximum is not read", () => {
	const alone = loaded.filter(({ file }) => file.id === "gdpr");
	assert.throws(() => indexPacks(alone), /content: no rule that always applies/);
});
