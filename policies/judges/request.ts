// What a subject asks for: granted or not, its clocks run.

import type { Facts } from "../../domain/decision.ts";
import { boundRecord, raiseRecordMin, setDue, shortest, startDay, termFinding } from "../bounds.ts";
import type { CompiledPack } from "../compile.ts";
import { type Draft, finding } from "../draft.ts";
import { extendedDate, type Within } from "../dueDate.ts";
import { notBefore } from "../notBefore.ts";
import { bindingTerms } from "../retention.ts";
import type { RuleFile } from "../schema.ts";

/** A request for erasure: content goes, unless a law has it kept; the record stays, under a keyed hash. */
export function erasureRequest(draft: Draft): void {
	if (!judgeRequest(draft, "erasure")) return;
	refuseEarly(draft);
	if (draft.denials.length > 0) return;
	const { facts, now, packs, bounds } = draft;
	bounds.contentRetentionMax = "PT0S";
	const rules = packs.flatMap(({ erase }) => erase.erasure_request.filter((rule) => rule.when(facts, now)));
	for (const rule of rules) draft.grants.push(finding(rule));
	const starts = ["authenticatedAt", "receivedAt"];
	setDue(
		draft,
		"backupPurgeBy",
		rules.map(({ effect }) => effect.backupsWithin),
		starts,
	);
	const within = shortest(rules.map(({ effect }) => effect.contentWithin));
	if (within !== undefined) bounds.purgeContentWithin = within;
}

/**
 * The last day to which a person may extend the answer, ISO 8601: the earliest that any law in question sets; undefined
 * when one of them knows no extension, or none sets a clock.
 */
export function extendableTo(packs: readonly CompiledPack[], facts: Facts, now: number): string | undefined {
	const to = facts.context?.event?.replace(/_request$/, "");
	const rules = packs.flatMap(({ right }) => right.filter((rule) => rule.effect.to === to && rule.when(facts, now)));
	const clocks = rules.flatMap(({ effect }) => (effect.respondWithin === undefined ? [] : [effect]));
	if (clocks.length === 0 || clocks.some(({ extendBy }) => extendBy === undefined)) return undefined;
	const from = startDay(facts, now, ["receivedAt"]);
	const ends = clocks.map(({ respondWithin, extendBy }) =>
		extendedDate(from, respondWithin as Within, extendBy as Within),
	);
	return ends.sort()[0];
}

type Right = NonNullable<RuleFile["right"]>["to"];

/** Whether some law grants it. The clocks run even for a request that is then refused: the refusal has its deadline too. */
export function judgeRequest(draft: Draft, to: Right): boolean {
	const { facts, now, packs, denials, grants, always } = draft;
	const { subject_request } = bindingTerms(packs, facts, now);
	const rules = packs.flatMap(({ right }) => right.filter((rule) => rule.effect.to === to && rule.when(facts, now)));
	const granting = rules.filter(({ effect }) => effect.granted);
	const others = rules.filter(({ effect }) => !effect.granted);
	// A law that says no, or none that says yes; a law that says yes has its way.
	for (const rule of others) (granting.length > 0 ? always : denials).push(finding(rule, ...rule.effect.reasons));
	if (rules.length === 0) denials.push({ codes: ["NO_PACK_DENY_DEFAULT"], citations: [] });
	for (const rule of granting) {
		grants.push(finding(rule, ...rule.effect.reasons));
		always.push(finding(rule, "DSR_CLOCK_STARTED"));
	}
	setDue(
		draft,
		"ackBy",
		rules.map(({ effect }) => effect.ackWithin),
	);
	setDue(
		draft,
		"respondBy",
		rules.map(({ effect }) => effect.respondWithin),
	);
	boundRecord(draft, subject_request);
	return granting.length > 0;
}

// Until a law's minimum has passed the data is stored and not otherwise used.
function refuseEarly(draft: Draft): void {
	const { content, address } = bindingTerms(draft.packs, draft.facts, draft.now);
	for (const { min } of [content, address]) {
		if (min.minMs === 0) continue;
		// What is known of the data is that it was there when the request came.
		const until =
			notBefore(min, draft.facts) ??
			notBefore(min, { context: { createdAt: draft.context.receivedAt ?? draft.context.evaluatedAt } });
		if (until !== undefined && until.at <= draft.now) continue;
		draft.denials.push({ ...termFinding(min), codes: ["MIN_RETENTION_NOT_REACHED", "PROCESSING_RESTRICTED"] });
		raiseRecordMin(draft, min.min);
		if (until !== undefined && until.day > (draft.bounds.notBefore ?? "")) draft.bounds.notBefore = until.day;
	}
}
