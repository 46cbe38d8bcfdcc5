// How long each object that a message leaves must and may be kept, composed from the packs that apply.

import type { Facts, RetentionInterval, RetentionPlan } from "../domain/decision.ts";
import type { CompiledPack, RetentionTerm } from "./compile.ts";
import { type Composed, composeRetention, isEmpty, settle } from "./compose.ts";
import { recordableFacts } from "./contentFacts.ts";
import { retentionObjects } from "./facts.ts";
import { type Applying, findApplying, judgedAt, type PackSet } from "./packSet.ts";

export type BindingTerms = Record<keyof RetentionPlan, Composed>;

/**
 * The interval of every object, in ISO 8601 durations: greatest minimum, least maximum of the packs that apply.
 * @param applying where that is known already
 * @throws LetheError invalid_request when the facts name no time; Error when no pack is in force then
 */
export function retentionPlan(packs: PackSet, facts: Facts, applying?: Pick<Applying, "packs">): RetentionPlan {
	const now = judgedAt(facts);
	const judged = recordableFacts(facts);
	const binding = bindingTerms((applying ?? findApplying(packs, judged, now)).packs, judged, now);
	const plan = retentionObjects.map((object): [string, RetentionInterval] => {
		const { min, max, keep } = binding[object];
		const citations = [...new Set([...min.citations, ...max.citations])];
		return [object, { min: min.min, max: max.max, keep: keep.keep, citations }];
	});
	return Object.fromEntries(plan) as RetentionPlan;
}

/** The binding terms of every object. @throws Error when an object has none or they leave no interval: fail closed */
export function bindingTerms(packs: readonly CompiledPack[], facts: Facts, now: number): BindingTerms {
	const terms = new Map<string, RetentionTerm[]>(retentionObjects.map((object) => [object, []]));
	for (const pack of packs) {
		for (const rule of pack.retention) {
			if (rule.when(facts, now)) for (const term of rule.effect) terms.get(term.object)?.push(term);
		}
	}
	const binding = retentionObjects.map((object) => {
		const composed = composeRetention(settle(terms.get(object) ?? [], packs));
		// Loading has ruled both out for every time at which a pack is in force.
		if (!composed || isEmpty(composed)) throw new Error(`policies: no retention interval for ${object}`);
		return [object, composed];
	});
	return Object.fromEntries(binding) as BindingTerms;
}
