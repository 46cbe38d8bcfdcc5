// Whether a composition of policies may be published: each object must be left an interval.

import { boundContent, boundRecord, termFinding } from "../bounds.ts";
import { composeRetention, isEmpty, settle } from "../compose.ts";
import { readComposition } from "../composition.ts";
import type { Draft } from "../draft.ts";
import { retentionObjects } from "../facts.ts";
import { bindingTerms } from "../retention.ts";
import { mentions } from "../words.ts";

const unapproved = ["draft", "proposed", "pending", "rejected", "withdrawn", "unapproved"];
const pseudonyms = [
	"pseudonymise",
	"pseudonymize",
	"pseudonymised",
	"pseudonymized",
	"pseudonym",
	"pseudonymisation",
	"pseudonymization",
	"hash",
	"keyed_hash",
	"hashed",
	"hmac",
	"split",
	"split_object",
	"subject_hash",
];

/** A publication. An interval that is empty is refused, unless an approved resolution settles it. */
export function publish(draft: Draft): void {
	const { context, denials, grants } = draft;
	const binding = bindingTerms(draft.packs, draft.facts, draft.now);
	boundContent(draft, binding.content);
	const { terms, unknown } = readComposition(context, draft.inForce);
	if (unknown) denials.push({ codes: ["NO_PACK_DENY_DEFAULT", "POLICY_CONFLICT_REVIEW"], citations: [] });
	const isResolved = isApproved(context.resolution);
	const objects = retentionObjects.filter((object) => terms.some((term) => term.object === object));
	const record = objects.includes("decision_record")
		? "decision_record"
		: objects.find((object) => object !== "content");
	for (const object of objects) {
		const own = terms.filter((term) => term.object === object);
		const composed = composeRetention(settle(own, draft.inForce));
		if (!composed) continue;
		const { min, max } = composed;
		if (object === "content") boundContent(draft, composed);
		if (object === record) boundRecord(draft, composed);
		// What outlives the least maximum is no longer the object that it bounds.
		if (object === record && isResolved && isEmpty(composed)) delete draft.bounds.recordRetentionMax;
		if (!isEmpty(composed)) {
			grants.push(termFinding(min), termFinding(max));
		} else if (!isResolved) {
			const citations = [...min.citations, ...max.citations];
			denials.push({ codes: ["RETENTION_INTERVAL_EMPTY", "POLICY_CONFLICT_REVIEW"], citations });
		}
	}
	const settlement = isResolved ? JSON.stringify(context.resolution) : "";
	const isPseudonymous = mentions(`${settlement} ${String(context.subject ?? "")}`, pseudonyms);
	if (isPseudonymous) grants.push({ codes: ["RECORD_PSEUDONYMISED"], citations: [] });
}

// A resolution that says of itself that nobody has approved it settles nothing.
function isApproved(resolution: unknown): boolean {
	if (typeof resolution !== "object" || resolution === null) return Boolean(resolution);
	const {
		approved = true,
		status = "",
		approvals = true,
		approvedBy = true,
		citation = true,
		citations = true,
	} = resolution as Record<string, unknown>;
	const isThere = [approvals, approvedBy, citation, citations].every((value) =>
		Array.isArray(value) ? value.length > 0 : Boolean(value),
	);
	return approved === true && isThere && !mentions(String(status), unapproved);
}
