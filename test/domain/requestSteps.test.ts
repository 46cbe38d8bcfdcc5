// A subject's request as people change it: what each step leaves behind, and which reminders that ends.

import assert from "node:assert/strict";
import { test } from "node:test";
import { requestSteps } from "../../domain/requestSteps.ts";
import { dueAlerts, type SubjectRequest } from "../../domain/subjectRequest.ts";

const dayMs = 86_400_000;
const receivedAt = Date.parse("2027-01-04T09:00:00Z");
const by = (days: number) => ({ id: "usr_a", at: receivedAt + days * dayMs });

function requestOf(more: Partial<SubjectRequest> = {}): SubjectRequest {
	return {
		...{ _id: "dsr_a", tenantId: "ten_a", kind: "access", state: "received", subjects: ["mac"], channel: "letter" },
		...{ receivedAt, recordedAt: receivedAt, recordedBy: "usr_a", facts: {} as SubjectRequest["facts"] },
		decision: { allowed: true, reasons: [], citations: [], packs: [], rules: [] } as SubjectRequest["decision"],
		...{ ackBy: "2027-01-18", respondBy: "2027-02-18", extendableTo: "2027-04-04" },
		...{ tasks: [], alerts: [], certificates: [], exports: [], log: [] },
		...more,
	};
}

const identity = { method: "id_document", evidence: "case-a", ownedFrom: 0 };
const soon = (request: SubjectRequest) =>
	dueAlerts(request, Date.parse("2027-01-18T00:00:00Z")).due.includes("acknowledge_soon");

test("only that the requester was told ends the reminder to tell them: no check of who asks does", () => {
	for (const confirmed of [false, true]) {
		const checked = requestSteps.identify(requestOf(), { ...identity, confirmed }, by(1));
		assert.equal(checked.acknowledgedAt, undefined);
		assert.ok(soon(checked));
		const told = requestSteps.acknowledge(checked, by(2));
		assert.equal(told.acknowledgedAt, by(2).at);
		assert.ok(!soon(told));
	}
});

test("an answer ends every reminder, the one to acknowledge too", () => {
	const closed = requestSteps.close(requestOf(), { outcome: "refused", ground: "no_law" }, by(1));
	assert.deepEqual(dueAlerts(closed, receivedAt + 1_000 * dayMs), { due: [] });
});
