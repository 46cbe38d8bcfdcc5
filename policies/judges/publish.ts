// Whether a composition of policies may be published: each object must be left an interval.

import { boundContent, boundRecord, termFinding } from "../bounds.ts";
import { composeRetention, isEmpty, settle } from "../compose.ts";
import { readComposition } from "../composition.ts";
import type { Draft } from "../draft.ts";
import { retentionObjects } from "../facts.ts";
import { bindingTerms } from "../retention.ts";
import { mentions, toWord } from "../words.ts";

// What says of itself that nothing is settled yet.
const unsettled = [
	...["draft", "proposed", "proposal", "pending", "rejected", "withdrawn", "revoked", "unapproved", "unresolved"],
	...["unsettled", "undecided", "uncited", "missing", "absent", "unknown", "open", "tbd", "todo", "false", "n_a"],
	...["not_approved", "not_cited", "not_resolved", "not_settled", "not_yet", "to_be_decided", "to_be_approved"],
];
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

const proofsOfResolution = [
	...["type", "kind", "method", "resolution", "status", "state"],
	...["approvals", "approvedBy", "cited", "citation", "citations"],
];

/** A publication. An interval that is empty is refused, unless an approved resolution settles it; so is one said to have no end. */
export function publish(draft: Draft): void {
	const { context, denials, grants } = draft;
	const binding = bindingTerms(draft.packs, draft.facts, draft.now);
	boundContent(draft, binding.content);
	const { terms, endless, unknown } = readComposition(context, draft.inForce);
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
		// Storage limitation, GDPR Art. 5(1)(e): only a suppression may be kept without end.
		if (object !== "suppression" && max.max === null && endless.includes(object)) {
			denials.push({ ...termFinding(max), codes: ["POLICY_CONFLICT_REVIEW"] });
		}
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

// A resolution that says of itself that there is none, or that nobody has approved or cited it, settles nothing.
function isApproved(resolution: unknown): boolean {
	if (Array.isArray(resolution)) return resolution.length > 0 && resolution.every(isApproved);
	if (typeof resolution !== "object" || resolution === null) return isSettled(resolution);
	const { approved = true, ...others } = resolution as Record<string, unknown>;
	const isThere = proofsOfResolution.every((name) => others[name] === undefined || isSettled(others[name]));
	return Object.keys(resolution).length > 0 && approved === true && isThere;
}

function isSettled(value: unknown): boolean {
	if (Array.isArray(value)) return value.length > 0 && value.every(isSettled);
	if (typeof value !== "string") return Boolean(value);
	return (
		/[\p{L}\p{N}]/u.test(value) && !/^(no|none|not|nothing)(_|$)/.test(toWord(value)) && !mentions(value, unsettled)
	);
}
