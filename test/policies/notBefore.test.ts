// When a minimum is over: counted from what started it, and from nothing earlier.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Facts } from "../../domain/decision.ts";
import { notBefore } from "../../policies/notBefore.ts";

type Clock = Parameters<typeof notBefore>[0];

const dayOf = (term: Partial<Clock>, facts: Facts) =>
	notBefore({ object: "decision_record", clock: "created", min: "P2Y", ...term }, facts)?.day;

test("a request's record that is not said to have been created was when the request came", () => {
	const request = { object: "subject_request" } as const;
	const receivedAt = "2024-12-26T00:00:00Z";
	assert.equal(dayOf(request, { context: { receivedAt } }), "2026-12-26");
	assert.equal(dayOf(request, { context: { receivedAt, createdAt: "2024-12-28T00:00:00Z" } }), "2026-12-28");
	assert.equal(dayOf(request, { context: { receivedAt, processedAt: "2025-01-05T00:00:00Z" } }), "2027-01-05");
	assert.equal(dayOf(request, { context: { receivedAt, processedAt: "2024-01-05T00:00:00Z" } }), "2026-12-26");
	assert.equal(dayOf({}, { context: { receivedAt } }), undefined);
});

test("a suppression was when the recipient opted out", () => {
	const optOutAt = "2022-11-25T16:54:00Z";
	assert.equal(dayOf({ object: "suppression", min: "P5Y" }, { context: { optOutAt } }), "2027-11-26");
	assert.equal(dayOf({ object: "receipt", min: "P5Y" }, { context: { optOutAt } }), undefined);
	const early = { optOutAt, createdAt: "2018-01-01T00:00:00Z" };
	assert.equal(dayOf({ object: "suppression", min: "P5Y" }, { context: early }), "2027-11-26");
});

test("proof of a consent ages once the consent is withdrawn, and not before", () => {
	const proof = { object: "consent_evidence", clock: "last_in_effect" } as const;
	const consent = { obtainedAt: "2019-03-01T00:00:00Z" };
	assert.equal(dayOf(proof, { consent }), undefined);
	assert.equal(dayOf(proof, { consent: { ...consent, withdrawnAt: "2020-03-01T00:00:00Z" } }), "2022-03-01");
	assert.equal(dayOf(proof, { consent: { withdrawnAt: "2020-03-01T00:00:00Z" } }), "2022-03-01");
	assert.equal(
		dayOf(proof, { consent: { obtainedAt: "2021-03-01T00:00:00Z", withdrawnAt: "2020-03-01T00:00:00Z" } }),
		"2023-03-01",
	);
	const context = { lastInEffectAt: "2021-06-01T00:00:00Z" };
	assert.equal(dayOf(proof, { consent, context }), "2023-06-01");
	assert.equal(dayOf(proof, { consent, context: { acceptedAt: "2020-01-01T00:00:00Z" } }), undefined);
	const early = { createdAt: "2018-01-01T00:00:00Z" };
	// A consent that is stated and has not ended is in effect, whenever its proof was made; one that is not may have been.
	for (const stated of [consent, { type: "express" as const }]) {
		assert.equal(dayOf(proof, { consent: stated, context: early }), undefined);
		assert.equal(dayOf({ ...proof, clock: "created" }, { consent: stated, context: early }), undefined);
	}
	assert.equal(dayOf(proof, { context: early }), "2020-01-01");
	assert.equal(dayOf(proof, { consent: { type: "none" }, context: early }), "2020-01-01");
	const late = { ...consent, withdrawnAt: "2026-10-01T00:00:00Z" };
	assert.equal(dayOf(proof, { consent: late, context: early }), "2028-10-01");
});
