// A decision in the making: what speaks against, what speaks for, and what is said either way.

import type { Decision, Facts, FactsContext } from "../domain/decision.ts";
import type { CompiledPack } from "./compile.ts";
import type { Applying } from "./packSet.ts";
import type { ReasonCode } from "./reasons.ts";

/** What one rule has to say. The engine's own findings have no rule. */
export type Finding = { codes: readonly ReasonCode[]; ruleId?: string; citations: readonly string[] };

export type Bounds = Omit<Decision, "allowed" | "reasons" | "citations" | "packs" | "rules">;

/** One evaluation: the facts, their time in epoch milliseconds, the packs that apply, and what was found so far. */
export type Draft = {
	facts: Facts;
	context: FactsContext;
	now: number;
	packs: readonly CompiledPack[];
	/** Those of the time that the facts name, whether they apply or not. */
	inForce: readonly CompiledPack[];
	denials: Finding[];
	/** Counted only if nothing denies. */
	grants: Finding[];
	/** Counted either way. */
	always: Finding[];
	bounds: Bounds;
};

export function startDraft(facts: Facts, now: number, { packs, inForce, excluded }: Applying): Draft {
	const always = excluded.map(({ reason, citations, packId }) => ({
		codes: reason === undefined ? [] : [reason],
		ruleId: `${packId}.excludes`,
		citations,
	}));
	return { facts, context: facts.context ?? {}, now, packs, inForce, denials: [], grants: [], always, bounds: {} };
}

/** The decision: any denial refuses; reasons, citations and rules once each, the decisive ones first. */
export function concludeDraft({ packs, denials, grants, always, bounds }: Draft): Decision {
	const allowed = denials.length === 0;
	const findings = [...(allowed ? grants : denials), ...always];
	return {
		allowed,
		reasons: unique(findings.flatMap(({ codes }) => codes)),
		...bounds,
		citations: unique(findings.flatMap(({ citations }) => citations)),
		packs: packs.map(({ ref }) => ({ ...ref })),
		rules: unique(findings.flatMap(({ ruleId }) => (ruleId === undefined ? [] : [ruleId]))),
	};
}

/** What a rule says. */
export function finding(rule: { id: string; citations: readonly string[] }, ...codes: ReasonCode[]): Finding {
	return { codes, ruleId: rule.id, citations: rule.citations };
}

function unique<T>(values: T[]): T[] {
	return [...new Set(values)];
}
