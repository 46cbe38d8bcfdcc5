// What Temporal may be told: the guard lets declared payloads through and refuses the rest, whatever a step hands it.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ApplicationFailure, defaultPayloadConverter, toPayloads } from "@temporalio/common";
import fc from "fast-check";
import { createPayloadGuard } from "../../../adapters/temporal/payloadGuard.ts";
import { formatId } from "../../../domain/ids.ts";
import { summaries } from "../../../workflows/contract.ts";
import { failureConverter } from "../../../workflows/failureConverter.ts";

const guard = createPayloadGuard();
const encode = (...values: unknown[]) => guard.encode(toPayloads(defaultPayloadConverter, ...values) ?? []);
// As the SDK answers for a type of ours.
const definition = {
	type: "subjectRequest",
	queryDefinitions: [
		{ name: "__stack_trace", description: "Returns a sensible stack trace." },
		{ name: "__enhanced_stack_trace", description: "Returns a stack trace annotated with source information." },
		{ name: "__temporal_workflow_metadata", description: "Returns metadata associated with this workflow." },
	],
	signalDefinitions: [{ name: "wake" }],
	updateDefinitions: [],
};
const anId = formatId("submission", new Uint8Array(16).fill(7));

describe("payload guard", () => {
	it("lets ids, enums, counts, times and the static summaries through", async () => {
		await encode(anId, 3, true, undefined, null);
		await encode({ submissionId: anId, category: "transactional", region: "US-CA" });
		await encode({ groups: [{ group: 0, closeAt: 1.8e12, count: 500 }] });
		await encode({ counts: { delivered: 499, expired: 1 }, openCount: 0 });
		for (const summary of Object.values(summaries)) await encode(summary);
		await encode({ definition, currentDetails: "final: 1 delivered" });
	});

	it("refuses content, numbers, addresses and undeclared fields, and does not quote them", async () => {
		const refused: unknown[] = [
			"Your appointment is at noon",
			"+12025550142",
			"12025550142",
			12025550142,
			"a@example.org",
			{ submissionId: "+12025550142" },
			{ to: anId },
			{ constructor: "Your appointment is at noon" },
			{ toString: "+12025550142", valueOf: "+12025550142" },
			{ count: 12025550142 },
			{ counts: { "+12025550142": 1 } },
			{ definition, currentDetails: "call 12025550142" },
			{ definition, currentDetails: "", submissionId: anId },
			{ definition: { ...definition, note: "hello there" }, currentDetails: "" },
			{ definition: { ...definition, type: "hello there" }, currentDetails: "" },
			{ definition: { ...definition, signalDefinitions: [{ name: "call 12025550142" }] }, currentDetails: "" },
			{ definition: { ...definition, queryDefinitions: [{ name: "q", description: "hello" }] }, currentDetails: "" },
			{ definition: {}, currentDetails: "" },
			["+12025550142"],
			{ groups: [{ group: 0, note: "hello there" }] },
		];
		for (const value of refused) {
			await assert.rejects(encode(value), (error: Error) => {
				assert.match(error.message, /^payload_refused [a-zA-Z_]+$/);
				return true;
			});
		}
	});

	it("refuses every text with a phone number's digits in it, wherever it stands", async () => {
		await fc.assert(
			fc.asyncProperty(
				fc.stringMatching(/^[a-z ]{0,10}\+?[1-9]\d{7,14}[a-z ]{0,10}$/),
				fc.constantFrom("submissionId", "category", "region", "outcome", "currentDetails"),
				async (text, field) => {
					await assert.rejects(encode(text));
					await assert.rejects(encode({ [field]: text }));
					await assert.rejects(encode({ definition, currentDetails: text }));
				},
			),
		);
	});

	it("keeps a failure's code, drops its message, its details' text and every stack", () => {
		const cause = new Error("could not send 'secret text' to +12025550142");
		const failure = failureConverter.errorToFailure(
			ApplicationFailure.create({ message: "body: secret text", type: "store_unavailable", cause }),
			defaultPayloadConverter,
		);
		const told = JSON.stringify(failure);
		assert.ok(!told.includes("secret"));
		assert.ok(!told.includes("12025550142"));
		assert.ok(!told.includes(".ts:"));
		assert.equal(failure.applicationFailureInfo?.type, "store_unavailable");
	});
});
