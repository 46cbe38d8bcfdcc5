// What a composition of policies must leave of each object before it is published, and what settles a clash.

import assert from "node:assert/strict";
import { test } from "node:test";
import { evaluate } from "../../../policies/evaluate.ts";
import { parseFacts } from "../../../policies/facts.ts";
import { readPacks } from "../../../policies/load.ts";
import { indexPacks } from "../../../policies/packSet.ts";

const packs = indexPacks(readPacks());
const publish = (context: object) =>
	evaluate(
		packs,
		parseFacts({ context: { event: "policy_publish", evaluatedAt: "2026-11-25T12:00:00Z", ...context } }),
	);

test("a clash is settled by a resolution that is there, cited and approved, as far as it says so", () => {
	const composition = [{ min: "P6Y" }, { max: "P3Y" }];
	const settles = (resolution: unknown) => {
		const { allowed, reasons } = publish({ composition, resolution });
		assert.equal(reasons.includes("RETENTION_INTERVAL_EMPTY"), !allowed, JSON.stringify(resolution));
		return allowed;
	};
	const settled = [
		...[true, "pseudonymise", "split_object", "res-2026-11", "pseudonymise: Art. 17(3)(e), approved by counsel"],
		...[{ type: "pseudonymise" }, { type: "pseudonymise", cited: true, approved: true }, ["pseudonymise"]],
		{ method: "split", approvals: ["one", "two"], citation: "Art. 17(3)(e)", status: "approved" },
		{ method: "split", approvals: 2, citations: ["45 CFR 164.316(b)(2)(i)"] },
		[{ type: "split" }, { type: "pseudonymise", approved: true }],
		// A word that may leave a thing open says nothing of the resolution, where it is one among others.
		"Not 17(3)(b): erase content, pseudonymise the record, rely on 17(3)(e)",
		"No content is kept beyond 30 days; the record is pseudonymised",
		...["pseudonymise where consent is absent", "split: the number is withdrawn, the record stays"],
		{ type: "pseudonymise", citation: "GDPR Art. 17(3)(e)", approvedBy: "Open Counsel LLP" },
		{
			type: "pseudonymise",
			citations: ["No. 17, unknown recipients"],
			approvers: ["Open Counsel LLP", "No. 9 Chambers"],
		},
		{ type: "pseudonymise", approvals: [{ by: "one" }, { by: "two", approved: true }] },
	];
	for (const resolution of settled) assert.equal(settles(resolution), true, JSON.stringify(resolution));
	const open = [
		...[undefined, null, false, "", " ", "none", "None", "no", "none yet", "missing", "pending", "pending approval"],
		...["unresolved", "unapproved", "not approved", "draft: pseudonymise", "proposed", "false", "n/a", "-"],
		...[{}, [], [{}], ["pseudonymise", "pending"], { type: "none" }, { method: "pending" }],
		...[
			{ type: "pseudonymise", cited: false, approved: true },
			{ type: "pseudonymise", cited: null },
		],
		...[
			{ type: "pseudonymise", approved: false },
			{ type: "pseudonymise", approvals: [] },
		],
		...[
			{ type: "pseudonymise", approvals: 0 },
			{ type: "pseudonymise", approvedBy: "pending" },
		],
		...[
			{ type: "pseudonymise", citation: "" },
			{ type: "pseudonymise", citation: "none" },
		],
		...["no resolution yet", "Not settled", "to be decided", "Proposed: pseudonymise", "rejected: split"],
		...["pseudonymise, pending approval", "pseudonymise (not yet approved)", "notApproved"],
	];
	const unapproved = [
		...[{ status: "proposed" }, { State: "withdrawn by counsel" }, { cited: "not yet" }, { approved: "yes" }],
		...[{ approval: "pending" }, { approval: "refused by counsel" }, { approver: null }, { approved_by: null }],
		...[{ approvedAt: null }, { approvers: ["nobody"] }, { approvedBy: "no one yet" }, { "Approved-By": "TBD" }],
		...[{ approvals: [{ by: "one" }, { by: "two", status: "pending" }] }, { approvals: [{}] }],
	].map((field) => ({ type: "pseudonymise", ...field }));
	for (const resolution of [...open, ...unapproved]) {
		assert.equal(settles(resolution), false, JSON.stringify(resolution));
	}
	assert.throws(() => settles([null]), { code: "invalid_request" });
});

test("what an item says to be kept without end is not published, but for a suppression", () => {
	const decide = (composition: unknown) => {
		const { allowed, reasons } = publish({ composition });
		return allowed || reasons;
	};
	for (const object of ["content", "address", "receipt", "decision_record", "subject_request"]) {
		assert.deepEqual(decide([{ object, min: "P1D", max: null }]), ["POLICY_CONFLICT_REVIEW"], object);
		assert.deepEqual(decide([{ object, max: null }]), ["POLICY_CONFLICT_REVIEW"], object);
		assert.deepEqual(decide([{ retention: [{ object, maxRetention: null }] }]), ["POLICY_CONFLICT_REVIEW"], object);
		assert.deepEqual(decide([{ object, interval: ["P1D", null] }]), ["POLICY_CONFLICT_REVIEW"], object);
		// Another item gives it an end, or none says that it has none.
		assert.equal(
			decide([
				{ object, min: "P1D", max: null },
				{ object, max: "P30D" },
			]),
			true,
			object,
		);
		assert.equal(decide([{ object, min: "P1D" }]), true, object);
	}
	assert.equal(decide([{ object: "suppression", min: "P5Y", max: null }]), true);
	// A law's minimum is none the shorter for it.
	const law = { pack: "hipaa", object: "decision_record", max: null };
	assert.deepEqual(decide([law, { object: "decision_record", max: "P3Y" }]), [
		"RETENTION_INTERVAL_EMPTY",
		"POLICY_CONFLICT_REVIEW",
	]);
	assert.equal(decide(["hipaa"]), true);
	const settled = publish({ composition: [{ object: "content", max: null }], resolution: "pseudonymise" });
	assert.deepEqual([settled.allowed, settled.reasons], [false, ["POLICY_CONFLICT_REVIEW"]]);
});
