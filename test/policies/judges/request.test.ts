// What a subject asks for, and by when it is done.

import assert from "node:assert/strict";
import { test } from "node:test";
import { evaluate } from "../../../policies/evaluate.ts";
import { parseFacts } from "../../../policies/facts.ts";
import { readPacks } from "../../../policies/load.ts";
import { indexPacks } from "../../../policies/packSet.ts";

const packs = indexPacks(readPacks());

test("a refusal for a minimum tells that minimum, or a longer one of the request's record", () => {
	const india = { recipientCountry: "IN", subjectResidence: "IN", senderEstablishment: "IN" };
	const ask = (place: object) =>
		evaluate(
			packs,
			parseFacts({
				...place,
				context: { event: "erasure_request", verified: true, evaluatedAt: "2027-08-01T00:00:00Z" },
			}),
		);
	const refused = ask(india);
	assert.deepEqual([refused.allowed, refused.recordRetentionMin], [false, "P1Y"]);
	assert.ok(refused.reasons.includes("MIN_RETENTION_NOT_REACHED"));
	// A Californian's request is on record for 24 months.
	const longer = ask({ ...india, subjectResidence: "US-CA" });
	assert.deepEqual([longer.allowed, longer.recordRetentionMin], [false, "P24M"]);
	assert.ok(longer.reasons.includes("MIN_RETENTION_NOT_REACHED"));
});

test("a request that came on a day is due as many days from that day, wherever its subject is", () => {
	const place = { recipientCountry: "US", recipientRegion: "US-CA", subjectResidence: "US-CA" };
	for (const receivedAt of ["2027-03-01", "2027-03-01T18:00:00Z"]) {
		const context = { event: "erasure_request", verified: true, receivedAt, evaluatedAt: "2027-03-02T18:00:00Z" };
		const { ackBy, respondBy, backupPurgeBy } = evaluate(packs, parseFacts({ ...place, context }));
		assert.deepEqual([ackBy, respondBy], ["2027-03-15", "2027-04-15"], receivedAt);
		assert.equal(backupPurgeBy, "2027-04-05", receivedAt);
	}
	for (const timezone of ["Pacific/Honolulu", "America/New_York", "Pacific/Guam"]) {
		const context = { event: "inbound", keywordClass: "stop", receivedAt: "2026-11-25" };
		const facts = { recipientCountry: "US", timezone, context: { ...context, evaluatedAt: "2026-11-25T20:00:00Z" } };
		assert.equal(evaluate(packs, parseFacts(facts)).honorBy, "2026-12-10", timezone);
	}
});

test("backups count from the request, or from when its sender was made sure of, and never from before it", () => {
	const backups = (place: object, context: object) =>
		evaluate(packs, parseFacts({ ...place, context: { event: "erasure_request", verified: true, ...context } }))
			.backupPurgeBy;
	const india = { recipientCountry: "IN", subjectResidence: "IN", timezone: "Asia/Kolkata" };
	const asked = { receivedAt: "2027-05-01T00:00:00Z", evaluatedAt: "2027-05-01T00:00:00Z" };
	assert.equal(backups(india, asked), "2027-06-05");
	assert.equal(backups(india, { ...asked, processedAt: "2026-07-10T00:00:00Z" }), "2027-06-05");
	assert.equal(backups(india, { ...asked, authenticatedAt: "2027-05-03T00:00:00Z" }), "2027-06-07");
	const { evaluatedAt } = asked;
	assert.equal(backups(india, { evaluatedAt, processedAt: "2026-07-10T00:00:00Z" }), "2027-06-05");
});
