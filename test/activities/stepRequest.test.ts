// A step of a subject's request that fails, for however long: reminders come all the same, and its run is left to try it again.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createStepRequest, type StepRequestDeps } from "../../activities/stepRequest.ts";
import { LetheError } from "../../domain/errors.ts";
import type { SubjectRequest } from "../../domain/subjectRequest.ts";

test("a step that fails keeps no reminder back, and the sweep does not wake its run, which tries it again each minute", async () => {
	const now = Date.parse("2026-01-30T12:00:00Z");
	let request = {
		...{ _id: "req_a", tenantId: "ten_a", kind: "erasure", state: "executing", respondBy: "2026-01-31" },
		...{ tasks: [], alerts: [], log: [], certificates: [], nextCheckAt: now },
		erasure: { startedAt: 1, pass: 2, step: "certify", cursor: { index: 0 }, erasedCount: 0, keptCount: 0, kept: [] },
	} as unknown as SubjectRequest;
	const deps = {
		clock: () => now,
		log: { warn: () => undefined },
		exportSubject: async () => false,
		eraseSubject: {
			certify: async () => {
				throw new LetheError("store_unavailable", { cause: "archive unreadable" });
			},
		},
		store: {
			subjectRequests: {
				find: async () => request,
				change: async (_id: string, decide: (current: SubjectRequest) => SubjectRequest | undefined) => {
					request = decide(request) ?? request;
					return request;
				},
			},
		},
	} as unknown as StepRequestDeps;
	await assert.rejects(createStepRequest(deps).stepRequest("req_a"), { code: "store_unavailable" });
	assert.deepEqual(
		request.alerts.map(({ code }) => code),
		["answer_soon"],
	);
	assert.ok((request.nextCheckAt ?? 0) > now + 2 * 60_000);
});
