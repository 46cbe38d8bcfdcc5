// What is said of a decision is what made it.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { EvidenceEntry } from "../../domain/message.ts";
import { explain } from "../../policies/explain.ts";
import { parseFacts } from "../../policies/facts.ts";
import { openPolicies } from "../../policies/index.ts";

const policies = openPolicies();

function explained(document: object, evidence: EvidenceEntry[] = []) {
	const facts = parseFacts({ recipientCountry: "US", recipientRegion: "US-CA", category: "health", ...document });
	const decision = policies.evaluate(facts);
	return explain(
		{ _id: "msg_a", facts, decision, excluded: policies.excluded(facts), retention: {}, holds: [], evidence },
		policies,
	);
}

test("of a pack's exclusions the one that holds is named", () => {
	const said = (document: object) => {
		const { decisive, others, replay } = explained(document);
		assert.ok(replay.agrees);
		return [decisive, ...others].find((rule) => rule?.rule === "ccpa.excludes");
	};
	const context = { evaluatedAt: "2026-11-25T20:00:00Z" };
	const phi = said({ dataClasses: ["phi"], context });
	assert.match(phi?.when ?? "", /phi/);
	const covered = said({ dataClasses: ["health"], context: { ...context, hipaaCoveredEntity: true } });
	assert.match(covered?.when ?? "", /hipaaCoveredEntity|covered/i);
	assert.notEqual(covered?.when, phi?.when);
});

test("a rule with many spellings is told in a line by their number, and beside it with each of them", () => {
	const document = {
		dataClasses: ["contact"],
		context: { evaluatedAt: "2026-11-25T20:00:00Z", lawfulBasis: "no such" },
	};
	const { decisive, others } = explained({ ...document, recipientCountry: "DE", recipientRegion: undefined });
	const long = [decisive, ...others].find((rule) => (rule?.when.split(" or ").length ?? 0) > 10);
	assert.match(long?.whenBriefly ?? "", /one of \d+ names, such as [^,]+, [^,]+, [^,]+/);
	assert.ok((long?.whenBriefly.length ?? 0) < (long?.when.length ?? 0));
});

test("what was allowed and then rejected says by which rule, in the words that were in force then", () => {
	const at = Date.parse("2026-11-26T20:00:00Z");
	const document = { category: "transactional", context: { evaluatedAt: "2026-11-25T20:00:00Z" } };
	const rejected = { at, type: "rejected", code: "policy_denied" } as const;
	const decided = { at, type: "decided", code: "defaults.opted-out-of-all" } as const;
	const said = explained(document, [decided, rejected, { at: at + 1, type: "erased", code: "content" }]);
	assert.equal(said.allowed, true);
	assert.deepEqual([said.rejected?.at, said.rejected?.code], ["2026-11-26T20:00:00Z", "policy_denied"]);
	const { rule, version, citations } = said.rejected?.rule ?? {};
	assert.deepEqual([rule, version], ["defaults.opted-out-of-all", "1.4.0"]);
	assert.deepEqual(citations, ["Lethe default: an opt-out of all blocks everything"]);
	// A carrier decides by no rule, and what was decided at another time is not why.
	const byCarrier = explained(document, [
		{ ...decided, at: at - 1 },
		{ ...rejected, code: "number_gone" },
	]);
	assert.deepEqual(byCarrier.rejected, { at: "2026-11-26T20:00:00Z", code: "number_gone" });
	// Nor does every carrier say why.
	assert.deepEqual(explained(document, [{ at, type: "rejected" }]).rejected, { at: "2026-11-26T20:00:00Z" });
	assert.equal(explained(document, [decided]).rejected, undefined);
});
