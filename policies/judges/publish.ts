// Whether a composition of policies may be published: each object must be left an interval.

import { boundContent, boundRecord, termFinding } from "../bounds.ts";
import { composeRetention, isEmpty, settle } from "../compose.ts";
import { readComposition } from "../composition.ts";
import type { Draft } from "../draft.ts";
import { retentionObjects } from "../facts.ts";
import { bindingTerms } from "../retention.ts";
import { mentions, setApart, toWord } from "../words.ts";

// What says of itself that nothing is settled yet: a state that has such a word, and a text that has no other.
const unsettled = [
	...["no", "none", "not", "nothing", "nobody", "never", "n_a", "false", "missing", "absent", "unknown", "open"],
	...["draft", "proposed", "proposal", "pending", "awaiting", "rejected", "refused", "denied", "withdrawn", "revoked"],
	...["expired", "unapproved", "unresolved", "unsettled", "undecided", "uncited", "tbd", "todo", "to_be"],
];
const besideUnsettled = [
	...["n", "a", "to", "be", "is", "there", "yet", "still", "so", "far", "any", "one", "given", "found", "known"],
	...["resolution", "resolved", "settled", "decision", "decided", "approval", "approved", "citation", "cited"],
];
const vocabulary = new Set([...unsettled, ...besideUnsettled]);
// A text may say a lot with the other words: that consent is absent, or that no content is kept.
const unapproved = [
	...["draft", "pending", "unapproved", "not_approved", "not_yet_approved", "not_been_approved", "to_be_approved"],
	...["no_approval", "without_approval", "awaiting_approval"],
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

// The fields in which a resolution says where it stands; `approved` is a yes or none.
const states = /^(status|state|cited|approval)$/;
// Those in which it says what it is, by which law and who approved it.
const texts = /^(type|kind|method|resolution|citations?|approv\w+)$/;

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
	const fields = Object.entries(resolution).map(([name, field]) => [toWord(setApart(name)), field] as const);
	return (
		fields.length > 0 &&
		fields.every(([name, field]) => {
			if (name === "approved") return field === true;
			if (states.test(name)) return isSettled(field, (text) => mentions(text, unsettled));
			return !texts.test(name) || isSettled(field);
		})
	);
}

function isSettled(value: unknown, isOpen = isOpenText): boolean {
	if (Array.isArray(value)) return value.length > 0 && value.every((part) => isSettled(part, isOpen));
	if (typeof value === "object" && value !== null) return isApproved(value);
	if (typeof value !== "string") return Boolean(value);
	return /[\p{L}\p{N}]/u.test(value) && !isOpen(setApart(value));
}

// `none yet`, `rejected: pseudonymise`, `pseudonymise, pending approval`; but not `Not 17(3)(b): erase the content`.
function isOpenText(text: string): boolean {
	const [label = ""] = text.split(":");
	const saysNoMore = toWord(label)
		.split("_")
		.every((word) => vocabulary.has(word));
	return (saysNoMore && mentions(label, unsettled)) || mentions(text, unapproved);
}
