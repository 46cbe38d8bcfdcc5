// What may be erased, and what a law still has kept.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Facts } from "../../../domain/decision.ts";
import { evaluate } from "../../../policies/evaluate.ts";
import { parseFacts } from "../../../policies/facts.ts";
import { readPacks } from "../../../policies/load.ts";
import { indexPacks } from "../../../policies/packSet.ts";

const packs = indexPacks(readPacks());
const decide = (facts: Facts, context: object) =>
	evaluate(packs, parseFacts({ ...facts, context: { evaluatedAt: "2026-11-25T17:00:00Z", ...context } }));

test("a request's record goes after twenty-four months in California, and not at twenty-three", () => {
	const purge = (receivedAt: string) =>
		decide(
			{ recipientCountry: "US", recipientRegion: "US-CA", subjectResidence: "US-CA", category: "transactional" },
			{ event: "purge_due", object: "subject_request", receivedAt },
		);
	const early = purge("2024-12-25T17:00:00Z");
	assert.deepEqual([early.allowed, early.notBefore], [false, "2026-12-26"]);
	assert.ok(early.reasons.includes("MIN_RETENTION_NOT_REACHED"));
	assert.equal(purge("2024-11-25T17:00:01Z").allowed, false);
	assert.equal(purge("2024-11-25T17:00:00Z").allowed, true);
});

test("an opt-out's record goes after five years in the United States, and not at four", () => {
	const purge = (optOutAt: string) =>
		decide({ recipientCountry: "US" }, { event: "purge_due", object: "suppression", optOutAt });
	assert.deepEqual(
		[purge("2022-11-25T16:54:00Z").allowed, purge("2022-11-25T16:54:00Z").notBefore],
		[false, "2027-11-26"],
	);
	assert.equal(purge("2021-11-25T17:00:01Z").allowed, false);
	assert.equal(purge("2021-11-25T17:00:00Z").allowed, true);
});

test("proof of a consent goes five years after its withdrawal", () => {
	const purge = (consent: Facts["consent"], more?: object) =>
		decide({ recipientCountry: "US", consent }, { event: "purge_due", object: "consent_evidence", ...more });
	const obtainedAt = "2019-01-01T00:00:00Z";
	assert.equal(purge({ obtainedAt, withdrawnAt: "2020-01-01T00:00:00Z" }).allowed, true);
	const early = purge({ obtainedAt, withdrawnAt: "2022-01-01T00:00:00Z" });
	assert.deepEqual([early.allowed, early.notBefore], [false, "2027-01-01"]);
	// Still in effect.
	assert.equal(purge({ obtainedAt }).allowed, false);
	assert.equal(purge({ obtainedAt }, { createdAt: obtainedAt }).allowed, false);
});

test("the end of a hold erases nothing that a law's minimum still keeps", () => {
	const release = (country: string, evaluatedAt: string, processedAt?: string) =>
		decide(
			{ recipientCountry: country, subjectResidence: country, senderEstablishment: country },
			{ event: "hold_released", processedAt, contentMaxReachedAt: "2027-07-10T00:00:00Z", evaluatedAt },
		);
	const kept = release("IN", "2027-08-01T00:00:00Z", "2027-06-10T00:00:00Z");
	assert.deepEqual([kept.allowed, kept.notBefore, kept.purgeContentWithin], [false, "2028-06-10", undefined]);
	assert.deepEqual(kept.reasons, ["MIN_RETENTION_NOT_REACHED", "PROCESSING_RESTRICTED"]);
	assert.equal(release("IN", "2028-06-09T23:59:59Z", "2027-06-10T00:00:00Z").allowed, false);
	const over = release("IN", "2028-06-10T00:00:00Z", "2027-06-10T00:00:00Z");
	assert.deepEqual([over.allowed, over.purgeContentWithin], [true, "PT1H"]);
	// Nobody can show that a year has passed.
	assert.equal(release("IN", "2028-06-10T00:00:00Z").allowed, false);
	// What is not due stays, and its hold is gone.
	assert.deepEqual(release("IN", "2027-07-09T00:00:00Z", "2027-06-10T00:00:00Z").allowed, true);
	assert.deepEqual(release("DE", "2027-08-01T00:00:00Z").purgeContentWithin, "PT1H");
});

test("a log of breaches goes after twenty-four months in Canada, after six years of a patient's data, and not before", () => {
	const purge = (facts: Facts, createdAt: string) => {
		const decision = decide(facts, { event: "purge_due", object: "breach_log", createdAt });
		const { allowed, recordRetentionMin, notBefore, reasons } = decision;
		return [allowed, recordRetentionMin, notBefore, reasons.includes("MIN_RETENTION_NOT_REACHED")];
	};
	const canada = { recipientCountry: "CA", senderEstablishment: "CA", subjectResidence: "CA" };
	assert.deepEqual(purge(canada, "2024-12-25T00:00:00Z"), [false, "P24M", "2026-12-25", true]);
	assert.deepEqual(purge(canada, "2024-11-25T17:00:01Z")[0], false);
	assert.deepEqual(purge(canada, "2024-11-25T17:00:00Z"), [true, "P24M", undefined, false]);
	const patient: Facts = { recipientCountry: "US", recipientRegion: "US-OH", category: "health", dataClasses: ["phi"] };
	assert.deepEqual(purge(patient, "2021-11-25T17:00:00Z"), [false, "P6Y", "2027-11-26", true]);
	assert.deepEqual(purge(patient, "2020-11-25T17:00:00Z"), [true, "P6Y", undefined, false]);
	// Where no law asks for it, it is a record as any other.
	assert.deepEqual(purge({ recipientCountry: "AU" }, "2026-11-25T00:00:00Z"), [true, undefined, undefined, false]);
	assert.equal(decide(canada, { event: "purge_due", object: "breach_log" }).allowed, false);
});
