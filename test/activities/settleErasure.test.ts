// A request for erasure finds what a law keeps: until its minimum is over, counted from when the message may last have been processed.

import assert from "node:assert/strict";
import { test } from "node:test";
import { settleErasure } from "../../activities/settleErasure.ts";
import type { Facts } from "../../domain/decision.ts";
import type { Message } from "../../domain/message.ts";
import type { SubjectRequest } from "../../domain/subjectRequest.ts";
import { openPolicies } from "../../policies/index.ts";
import { messageOf } from "../harness/message.ts";

const day = 24 * 3600_000;
const acceptedAt = Date.parse("2027-06-25T12:00:00Z");
const now = acceptedAt + 60 * day;
const request = {
	facts: { recipientCountry: "IN", context: { event: "erasure_request", phase: "execute" } },
	identity: { checkedAt: now },
	receivedAt: now,
	tasks: [],
} as unknown as SubjectRequest;

function minimumOf(shape: Partial<Message>): number | undefined {
	const facts = { recipientCountry: "IN", category: "transactional", dataClasses: ["contact"] };
	const message = { ...messageOf({}), acceptedAt, facts, ...shape } as Message;
	return settleErasure({ policies: openPolicies() }, request, message, [], now).eraseAt;
}

test("a year from the processing is a year from the message's end, or from its close while it is open", () => {
	const year = 365 * day;
	const final = minimumOf({ state: "delivered", stateAt: acceptedAt + 12 * day, closeAt: acceptedAt + 14 * day }) ?? 0;
	assert.ok(
		final >= acceptedAt + 12 * day + year && final < acceptedAt + 14 * day + year,
		new Date(final).toISOString(),
	);
	const open = minimumOf({ state: "submitted", stateAt: acceptedAt, closeAt: acceptedAt + 14 * day }) ?? 0;
	assert.ok(open >= acceptedAt + 14 * day + year);
});

test("the law that set a request's clock is the one that erases, whichever of its words brought that law", () => {
	const policies = openPolicies();
	const place = { recipientCountry: "US", senderEstablishment: "US" };
	const [california, nevada] = ["US-CA", "US-NV"];
	for (const [asked, known] of [
		[{ recipientRegion: california }, {}],
		[{ recipientRegion: california, subjectResidence: "US" }, {}],
		[{ recipientRegion: california }, { subjectResidence: "US" }],
		[{ subjectResidence: california }, {}],
		[{ subjectResidence: california }, { subjectResidence: "US" }],
		[{ recipientRegion: nevada, subjectResidence: california }, {}],
		[{ recipientRegion: nevada }, { subjectResidence: california }],
	] as const) {
		const context = { event: "erasure_request" as const, evaluatedAt: new Date(now).toISOString() };
		const facts: Facts = { ...place, dataClasses: ["contact"], ...asked, context };
		const clock = policies.evaluate(facts).packs.map(({ id }) => id);
		const sent = { ...place, recipientRegion: "US-DC", category: "transactional", dataClasses: ["contact"], ...known };
		const message = { ...messageOf({}), acceptedAt, facts: sent } as Message;
		const { verdict, packs } = settleErasure({ policies }, { ...request, facts }, message, [], now);
		const told = JSON.stringify([asked, known]);
		assert.equal(verdict, "erase", told);
		for (const id of clock)
			assert.ok(
				packs.some((pack) => pack.id === id),
				`${told} ${id}`,
			);
	}
	const texan: Facts = { ...place, recipientRegion: "US-TX" };
	const message = { ...messageOf({}), acceptedAt, facts: { ...place, dataClasses: ["contact"] } } as Message;
	const settled = settleErasure({ policies }, { ...request, facts: texan }, message, [], now);
	assert.deepEqual([settled.verdict, settled.reason], ["review", "no_law"]);
});
