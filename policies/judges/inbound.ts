// What a text from a recipient means: an opt-out is recorded whatever else is in the text.

import { boundContent, boundRecord, setDue, shortest } from "../bounds.ts";
import { type Draft, finding } from "../draft.ts";
import { bindingTerms } from "../retention.ts";

/** A text that came in. */
export function inbound(draft: Draft): void {
	const { facts, now, packs, bounds, context } = draft;
	const { content, suppression, consent_evidence } = bindingTerms(packs, facts, now);
	boundContent(draft, content, draft.denials.length === 0);
	if (context.keywordClass !== "stop") return;
	const rules = packs.flatMap(({ optOut }) => optOut.filter((rule) => rule.when(facts, now)));
	for (const rule of rules) draft.always.push(finding(rule, ...rule.effect.reasons));
	setDue(
		draft,
		"honorBy",
		rules.map(({ effect }) => effect.honorWithin),
	);
	const confirmWithin = shortest(rules.map(({ effect }) => effect.confirmWithin));
	if (confirmWithin !== undefined) bounds.confirmationWithin = confirmWithin;
	const counts = rules.flatMap(({ effect }) => effect.maxConfirmations ?? []);
	if (counts.length > 0) bounds.maxConfirmations = Math.min(...counts);
	// It is entered on the list and ends a consent: the record of it is proof of both.
	const proof = consent_evidence.min.minMs > suppression.min.minMs ? consent_evidence : suppression;
	boundRecord(draft, { min: proof.min, max: suppression.max });
}
