// What a text that comes in means.

import assert from "node:assert/strict";
import { test } from "node:test";
import { evaluate } from "../../../policies/evaluate.ts";
import { parseFacts } from "../../../policies/facts.ts";
import { readPacks } from "../../../policies/load.ts";
import { indexPacks } from "../../../policies/packSet.ts";

const packs = indexPacks(readPacks());

test("an opt-out is on record as long as a list of opt-outs, or proof of a consent, must be", () => {
	const keep = (facts: object) => {
		const context = { event: "inbound", body: "STOP", evaluatedAt: "2026-11-25T17:00:00Z" };
		const { recordRetentionMin, recordRetentionMax } = evaluate(packs, parseFacts({ ...facts, context }));
		return [recordRetentionMin, recordRetentionMax];
	};
	const patient = { recipientCountry: "US", recipientRegion: "US-OH", category: "health", dataClasses: ["phi"] };
	assert.deepEqual(keep({ recipientCountry: "US", recipientRegion: "US-OH" }), ["P5Y", undefined]);
	assert.deepEqual(keep(patient), ["P6Y", undefined]);
	assert.deepEqual(keep({ ...patient, recipientRegion: "US-VA" }), ["P10Y", undefined]);
});
