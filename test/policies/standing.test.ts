// What is on record of a recipient makes a caller's words stricter, never milder.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Facts } from "../../domain/decision.ts";
import { type ConsentRecord, type OptOutRecord, type SubjectRecord, standingOf } from "../../domain/subject.ts";
import { parseFacts } from "../../policies/facts.ts";
import { openPolicies } from "../../policies/index.ts";
import { withStanding } from "../../policies/standing.ts";

const now = Date.parse("2026-11-25T17:00:00Z");
const dayMs = 24 * 3600_000;
const common = { tenantId: "ten_a", subjects: ["mac"], recordedAt: now, recordedBy: "key_a" };
const ending = (at: number) => ({ at, recordedAt: at, recordedBy: "key_a", source: "api" as const });

const consent = (id: string, at: number, more: Partial<ConsentRecord> = {}): ConsentRecord => ({
	...common,
	_id: id,
	kind: "consent",
	at,
	type: "express_written",
	purposes: ["marketing"],
	wording: "w:1",
	evidence: "e",
	keptAfterEnd: "P5Y",
	...more,
});
const optOut = (id: string, at: number, more: Partial<OptOutRecord> = {}): OptOutRecord => ({
	...common,
	_id: id,
	kind: "opt_out",
	at,
	scope: "all",
	source: "api",
	...more,
});
const facts: Facts = {
	recipientCountry: "US",
	recipientRegion: "US-NY",
	timezone: "America/New_York",
	category: "marketing",
	dataClasses: ["contact"],
	context: { event: "send", evaluatedAt: "2026-11-25T17:00:00Z" },
};
const judged = (records: SubjectRecord[], stated = facts) => withStanding(stated, standingOf(records, "ten_a"));

test("nothing on record leaves the facts alone", () => assert.deepEqual(judged([]), facts));

test("who relies on consent that is neither stated nor on record has none; other bases leave it open", () => {
	const relying = (lawfulBasis: string): Facts => {
		return { ...facts, category: "transactional", context: { ...facts.context, lawfulBasis } };
	};
	for (const basis of ["consent", "Article 6(1)(a)", "art6(1)(a)", "Art. 9(2)(a)"]) {
		assert.deepEqual(judged([], relying(basis)).consent, { type: "none" }, basis);
	}
	const explicit = {
		...facts,
		category: "health" as const,
		context: { ...facts.context, art9Condition: "Art. 9(2)(a)" },
	};
	assert.deepEqual(judged([], explicit).consent, { type: "none" });
	assert.equal(judged([], relying("contract")).consent, undefined);
	assert.equal(judged([], relying("6(1)(f)")).consent, undefined);
	const given = { ...relying("consent"), consent: { type: "express" as const } };
	assert.deepEqual(judged([], given).consent, given.consent);
	const onRecord = consent("cns_a", now - dayMs, { purposes: ["transactional"] });
	assert.equal(judged([onRecord], relying("consent")).consent?.evidence, "cns_a");
});

test("the strongest valid consent serves, the newest of several", () => {
	const records = [
		consent("cns_a", now - 3 * dayMs, { type: "implied" }),
		consent("cns_b", now - 2 * dayMs),
		consent("cns_c", now - dayMs),
		consent("cns_d", now - dayMs, { purposes: ["health"] }),
	];
	assert.equal(judged(records).consent?.evidence, "cns_c");
	const stated = { ...facts, consent: { type: "express" as const } };
	assert.deepEqual(judged(records, stated).consent, { type: "express" });
});

test("a word on record is of the same words as one that a caller states", () => {
	const { source, ground } =
		judged([consent("cns_a", now - dayMs, { source: "oralConsent", ground: "inquiry" })]).consent ?? {};
	assert.deepEqual([source, ground], ["oral_Consent", "inquiry"]);
});

test("a withdrawal reaches every consent to the purpose that was given before it, and what a caller states of then", () => {
	const withdrawn = now - dayMs;
	const records = [consent("cns_a", now - 3 * dayMs, { ended: ending(withdrawn) }), consent("cns_b", now - 2 * dayMs)];
	assert.equal(judged(records).consent?.withdrawnAt, "2026-11-24T17:00:00Z");
	for (const obtainedAt of [undefined, "2026-11-24T17:00:00Z"]) {
		const stated: Facts = { ...facts, consent: { type: "express_written", obtainedAt } };
		assert.equal(judged(records, stated).consent?.withdrawnAt, "2026-11-24T17:00:00Z");
	}
	const later: Facts = { ...facts, consent: { type: "express_written", obtainedAt: "2026-11-25T10:00:00Z" } };
	assert.equal(judged(records, later).consent?.withdrawnAt, undefined);
	assert.equal(judged([...records, consent("cns_c", now)]).consent?.evidence, "cns_c");
});

test("an opt-out is told with its time; the one reply to it is not told that the number is suppressed", () => {
	const context = judged([optOut("opt_a", now)]).context;
	assert.deepEqual([context?.optOutAt, context?.suppressionHashMatch], ["2026-11-25T17:00:00Z", true]);
	const reply: Facts = { ...facts, category: "transactional", context: { ...facts.context, optOutKeywordReply: true } };
	assert.equal(judged([optOut("opt_a", now)], reply).context?.suppressionHashMatch, undefined);
	assert.equal(judged([optOut("opt_a", now)], { ...facts, optedOut: "none" }).optedOut, "all");
	assert.equal(judged([optOut("opt_a", now, { scope: "marketing" })], { ...facts, optedOut: "all" }).optedOut, "all");
});

test("what has lifted an opt-out counts until the next one", () => {
	const lifted = optOut("opt_a", now - dayMs, { ended: ending(now) });
	assert.equal(judged([lifted]).context?.freshOptInEvidence, "opt_a");
	const again = judged([lifted, optOut("opt_b", now)]);
	assert.deepEqual([again.optedOut, again.context?.freshOptInEvidence], ["all", undefined]);
});

const lifted = optOut("opt_a", now - 2 * dayMs, { scope: "marketing", ended: ending(now - dayMs) });

test("an opt-out ends every consent to marketing of before, and lifting it makes none of them count again", () => {
	const before = consent("cns_a", now - 3 * dayMs);
	assert.equal(judged([before, optOut("opt_a", now - 2 * dayMs)]).consent?.withdrawnAt, "2026-11-23T17:00:00Z");
	const again = judged([before, lifted]).consent;
	assert.deepEqual([again?.type, again?.obtainedAt, again?.evidence], ["express", "2026-11-24T17:00:00Z", "opt_a"]);
	const decision = openPolicies().evaluate(judged([before, lifted]));
	assert.deepEqual([decision.allowed, decision.reasons], [false, ["CONSENT_INSUFFICIENT"]]);
	assert.equal(judged([before, lifted, consent("cns_b", now)]).consent?.evidence, "cns_b");
	const repeated = optOut("opt_a", now - 5 * dayMs, { repeatedAt: now - 2 * dayMs, ended: ending(now - dayMs) });
	assert.equal(judged([before, repeated]).consent?.type, "express");
	assert.equal(judged([before, lifted, optOut("opt_b", now)]).consent?.withdrawnAt, "2026-11-25T17:00:00Z");
});

test("what a caller states of before an opt-out is worth no more than the opt-in that lifted it", () => {
	const stated = (obtainedAt?: string, type: "express_written" | "implied" = "express_written"): Facts => {
		return { ...facts, consent: { type, obtainedAt } };
	};
	for (const obtainedAt of [undefined, "2026-11-20T17:00:00Z"]) {
		assert.equal(judged([lifted], stated(obtainedAt)).consent?.type, "express");
		assert.equal(judged([lifted], stated(obtainedAt, "implied")).consent?.type, "implied");
	}
	const since = stated("2026-11-23T17:00:01Z");
	assert.deepEqual(judged([lifted], since).consent, since.consent);
});

test("an opt-out that was lifted makes no consent where there was none, and takes none for other messages", () => {
	assert.equal(judged([lifted]).consent, undefined);
	const given = consent("cns_a", now - 3 * dayMs, { purposes: ["transactional"] });
	const other = judged([given, { ...lifted, scope: "all" }], { ...facts, category: "transactional" });
	assert.deepEqual([other.consent?.evidence, other.consent?.withdrawnAt], ["cns_a", undefined]);
});

const time = fc.integer({ min: -5, max: 0 }).map((days) => now + days * dayMs);
const ended = fc.option(time.map(ending), { nil: undefined });
const withEnd = <R extends SubjectRecord>(record: R, end: ReturnType<typeof ending> | undefined): R =>
	end ? { ...record, ended: end } : record;
const anyRecord: fc.Arbitrary<SubjectRecord> = fc
	.tuple(fc.nat({ max: 9 }), time, ended, fc.constantFrom("consent", "marketing", "all", "hold"))
	.map(([n, at, end, kind]): SubjectRecord => {
		if (kind === "consent") return withEnd(consent(`cns_${n}`, at), end);
		if (kind === "hold") {
			return withEnd({ ...common, _id: `hld_${n}`, kind, at, scope: "subject", ground: "g" } as SubjectRecord, end);
		}
		return withEnd(optOut(`opt_${n}`, at, { scope: kind as "marketing" | "all" }), end);
	});
const anyRecords = fc.uniqueArray(anyRecord, { selector: ({ _id }) => _id, maxLength: 8 });
const stated = fc.constantFrom<Facts>(
	{ ...facts, consent: { type: "express_written", obtainedAt: "2026-11-22T17:00:00Z" } },
	{ ...facts, category: "transactional" },
	{ ...facts, recipientRegion: "US-FL", category: "health" },
	{ ...facts, optedOut: "marketing" },
);

test("no record allows what the caller's own consent and words would not, and all of it is facts", () => {
	const policies = openPolicies();
	const property = fc.property(anyRecords, stated, (records, words) => {
		const known = judged(records, words);
		assert.deepEqual(parseFacts(known), known);
		// A consent on record may serve where none is stated: with that left out, only refusals are added.
		const others = words.consent ? records : records.filter(({ kind }) => kind !== "consent");
		if (policies.evaluate(judged(others, words)).allowed) assert.ok(policies.evaluate(words).allowed);
	});
	fc.assert(property, { numRuns: 300 });
});

test("the order in which records are read does not matter", () => {
	const shuffled = anyRecords.chain((records) =>
		fc.shuffledSubarray(records, { minLength: records.length }).map((other) => [records, other] as const),
	);
	const property = fc.property(shuffled, stated, ([one, other], words) => {
		assert.deepEqual(judged(one, words), judged(other, words));
	});
	fc.assert(property, { numRuns: 300 });
});
