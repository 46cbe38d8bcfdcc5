// What may be erased, and when that may be certified.

import { boundContent, boundRecord, shortest, termFinding } from "../bounds.ts";
import { toTerm } from "../compile.ts";
import { type Composed, composeRetention } from "../compose.ts";
import { type Draft, finding } from "../draft.ts";
import { formatInstant, instantMs } from "../durations.ts";
import { notBefore } from "../notBefore.ts";
import type { ReasonCode } from "../reasons.ts";
import { type BindingTerms, bindingTerms } from "../retention.ts";

/** The last hold on something was released: what it has kept beyond its time goes. */
export function holdReleased(draft: Draft): void {
	const { facts, now, packs, context } = draft;
	const { content, decision_record } = bindingTerms(packs, facts, now);
	boundContent(draft, content);
	boundRecord(draft, decision_record);
	if (draft.denials.length > 0) return;
	const dueAt = instantMs(context.contentMaxReachedAt) ?? now;
	if (dueAt > now || isKept(draft, content, "PROCESSING_RESTRICTED")) return;
	const rules = packs.flatMap(({ erase }) => erase.hold_released.filter((rule) => rule.when(facts, now)));
	for (const rule of rules) draft.grants.push(finding(rule, "HOLD_RELEASED_PURGE_DUE", "ERASE_CONTENT"));
	const within = shortest(rules.map(({ effect }) => effect.contentWithin));
	if (within !== undefined) draft.bounds.purgeContentWithin = within;
}

/** Something is due to be erased: refused while a law has it kept. */
export function purgeDue(draft: Draft): void {
	const { facts, now, packs, context } = draft;
	const object = (context.object ?? "content") as keyof BindingTerms | "breach_log";
	const binding = bindingTerms(packs, facts, now);
	const kept = object === "breach_log" ? breachLog(draft, binding) : binding[object];
	boundRecord(draft, kept);
	boundContent(draft, binding.content);
	isKept(draft, kept);
	draft.grants.push({ ...termFinding(kept.min), codes: object === "content" ? ["ERASE_CONTENT"] : [] });
}

// A log of breaches is a record as those of decisions are, and kept as long as a law wants what is known of a breach kept.
function breachLog({ facts, now, packs }: Draft, { decision_record: { min, max, keep } }: BindingTerms): Composed {
	const rules = packs.flatMap(({ breach }) => breach.filter((rule) => rule.when(facts, now)));
	const terms = rules.map(({ id, citations, file, effect }) =>
		toTerm({ object: "decision_record", min: effect.keepRecord }, { ruleId: id, basis: file.basis, citations }),
	);
	return composeRetention([min, max, keep, ...terms]) ?? { min, max, keep };
}

/** Whether an erasure is complete: no certificate says so while a copy of the key may come back. */
export function erasureVerify(draft: Draft): void {
	const { facts, now, packs, context, bounds } = draft;
	boundRecord(draft, bindingTerms(packs, facts, now).decision_record);
	const backupsEnd = instantMs(context.keyBackupsExpireAt);
	if (backupsEnd !== undefined) bounds.certificateNotBefore = formatInstant(Math.max(backupsEnd, now));
}

/** Whether a law's minimum still has something kept: then it is refused. Without a start nobody can show that it has passed. */
function isKept({ facts, now, denials, bounds }: Draft, { min }: Composed, ...more: ReasonCode[]): boolean {
	const until = notBefore(min, facts);
	if (min.minMs === 0 || (until !== undefined && until.at <= now)) return false;
	denials.push({ ...termFinding(min), codes: ["MIN_RETENTION_NOT_REACHED", ...more] });
	if (until !== undefined) bounds.notBefore = until.day;
	return true;
}
