// What a subject's request erased is certified by the page, however much it is, and every message bears its own.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createEraseSubject, type EraseSubjectDeps } from "../../activities/eraseSubject.ts";
import type { CertificateInput } from "../../audit/certificate.ts";
import { limits } from "../../domain/limits.ts";
import { categories, type Message } from "../../domain/message.ts";
import type { SubjectRequest } from "../../domain/subjectRequest.ts";
import type { Transition } from "../../domain/transition.ts";
import { messageOf } from "../harness/message.ts";

const itemsMax = limits.requestCertificateItemsMax;

/** A message whose text went for the request; its address too, or it is there still. */
function erased(index: number, isWhole: boolean): Message {
	const { content: _, address, ...message } = messageOf({ id: `msg_${index}`, acceptedAt: index, state: "delivered" });
	const gone = { eraseBy: 1, atFinal: true, request: "req_a", erasedAt: 5 };
	const attempts = [{ number: 1, claim: "c", startedAt: index, leaseUntil: 1, outcome: "accepted" as const }];
	const retention = { content: gone, address: isWhole ? gone : { eraseBy: 99, atFinal: false } };
	return { ...message, attempts, retention, ...(isWhole || !address ? {} : { address }) };
}

/** One whose erasure began at 1,000, after the messages that it is about; `pass` as it counts them. */
function requestAbout({ tenantId }: Message, pass: number): SubjectRequest {
	return {
		...{ _id: "req_a", tenantId, subjects: ["mac"], tasks: [], receivedAt: 1 },
		...{ facts: { context: {} }, identity: { ownedFrom: 0, checkedAt: 1 }, erasure: { startedAt: 1_000, pass } },
	} as unknown as SubjectRequest;
}

async function certify(messages: Message[]): Promise<{ issued: CertificateInput[]; changes: Transition[] }> {
	const issued: CertificateInput[] = [];
	const changes: Transition[] = [];
	const newest = messages.toReversed();
	const deps = {
		clock: () => 10,
		ids: { derive: (_kind: string, text: string) => text },
		certificates: {
			issue: async (input: CertificateInput) => {
				issued.push(input);
				return { id: input.id, jws: "", payload: { issuedAt: new Date(10).toISOString() } };
			},
		},
		evidence: { integrate: async () => 1 },
		policies: { reevaluate: () => ({ allowed: false, reasons: [], citations: [], packs: [], rules: [] }) },
		store: {
			messages: { transition: async (change: Transition) => changes.push(change) > 0 },
			subjectRecords: { findBySubjects: async () => [] },
			cohorts: { find: async () => undefined },
			certificates: { insert: async () => true },
			subjectMessages: {
				pageBefore: async (_mac: string, category: string, before: number, max: number, by: string) => {
					if (category !== categories[0] || by !== "mac") return [];
					const from = newest.findIndex(({ acceptedAt }) => acceptedAt < before);
					return from < 0 ? [] : newest.slice(from, from + max);
				},
			},
		},
	} as unknown as EraseSubjectDeps;
	const request = {
		...{ _id: "req_a", tenantId: "ten_a", subjects: ["mac"], certificates: [], tasks: [], receivedAt: 1 },
		...{ facts: { context: {} }, identity: { ownedFrom: 0, checkedAt: 1 }, decision: { packs: [] } },
		erasure: { startedAt: 1_000_000, pass: 2 },
	} as unknown as SubjectRequest;
	await createEraseSubject(deps).certify(request);
	return { issued, changes };
}

test("no certificate is of more than a page of what went, nor of what stays; each tells of its own carriers' copies", async () => {
	const count = itemsMax + 5;
	const { issued, changes } = await certify(Array.from({ length: count }, (_, index) => erased(index, true)));
	assert.equal(issued.length, 3, "two objects of each went, and each has its record still");
	for (const { objects, carrierCopies, request } of issued) {
		assert.ok(objects.length <= itemsMax && (request?.kept.length ?? 0) <= itemsMax);
		assert.equal(carrierCopies.length, new Set(objects.map(({ messageId }) => messageId)).size);
	}
	const sum = (of: (input: CertificateInput) => number) => issued.reduce((all, input) => all + of(input), 0);
	assert.equal(
		sum(({ objects }) => objects.length),
		2 * count,
	);
	assert.equal(
		sum(({ request }) => request?.kept.length ?? 0),
		count,
	);
	assert.equal(new Set(changes.map(({ id }) => id)).size, count);
});

test("what stays is told whole, also where it is more than what went", async () => {
	const { issued } = await certify(Array.from({ length: itemsMax + 5 }, (_, index) => erased(index, false)));
	const kept = issued.flatMap(({ request }) => request?.kept ?? []);
	assert.equal(kept.length, 2 * (itemsMax + 5));
	assert.equal(new Set(issued.map(({ id }) => id)).size, issued.length);
	assert.ok(issued.every(({ objects }) => objects.length > 0));
});

test("what was accepted before the erasure began, by a clock that is ahead, is the request's too; what came later is not", async () => {
	const at = (acceptedAt: number) => ({ ...erased(acceptedAt, true), acceptedAt });
	const { issued } = await certify([1_000_000 + limits.clockSkewMs, 1_000_001 + limits.clockSkewMs].map(at));
	const named = issued.flatMap(({ objects }) => objects.map(({ messageId }) => messageId));
	assert.deepEqual([...new Set(named)], [`msg_${1_000_000 + limits.clockSkewMs}`]);
});

test("what goes is dated from its write, and not from before the ledger was told, which may be slow", async () => {
	let now = 1_000;
	const message = messageOf({ id: "msg_a", acceptedAt: 500, state: "delivered" });
	const changes: Transition[] = [];
	const deps = {
		clock: () => now,
		ledger: {
			put: async () => {
				now += 60_000;
			},
		},
		policies: { reevaluate: () => ({ allowed: true, reasons: [], citations: [], packs: [], rules: [] }) },
		store: {
			messages: {
				find: async () => message,
				transition: async (change: Transition) => changes.push(change) > 0,
			},
			subjectRecords: { findBySubjects: async () => [] },
			subjectMessages: { pageBefore: async () => [message] },
		},
	} as unknown as EraseSubjectDeps;
	await createEraseSubject(deps).eraseOnePage(requestAbout(message, 1), { index: 0 });
	const [erasing] = changes;
	assert.equal(erasing?.set?.["retention.content.erasedAt"], 61_000);
	assert.deepEqual(
		erasing?.evidence?.map(({ at }) => at),
		[61_000, 61_000],
	);
});

test("what a law put off, and puts off no more, is in the ledger with its new day: there the first of a message stands", async () => {
	const marked = { request: "req_a", inPlace: true, atFinal: false };
	const retention = { content: { ...marked, eraseBy: 900_000 }, address: { ...marked, eraseBy: 900_000 } };
	const message = { ...messageOf({ id: "msg_a", acceptedAt: 500, state: "delivered" }), retention };
	const entries = new Map([["msg_a", 900_000]]);
	const deps = {
		clock: () => 1_000,
		ledger: {
			put: async ({ _id, at }: { _id: string; at: number }) => void entries.set(_id, entries.get(_id) ?? at),
			forget: async (_kind: string, id: string) => void entries.delete(id),
		},
		policies: { reevaluate: () => ({ allowed: true, reasons: [], citations: [], packs: [], rules: [] }) },
		store: {
			messages: { find: async () => message, transition: async () => true },
			subjectRecords: { findBySubjects: async () => [] },
			subjectMessages: { pageBefore: async () => [message] },
		},
	} as unknown as EraseSubjectDeps;
	await createEraseSubject(deps).eraseOnePage(requestAbout(message, 2), { index: 0 });
	assert.deepEqual([...entries], [["msg_a", 1_000]]);
});
