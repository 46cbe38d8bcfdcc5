// Retention intervals of several laws made one: the greatest minimum, the least maximum, and whether anything is left.

import type { CompiledPack, RetentionTerm, Rule } from "./compile.ts";
import { areDisjoint } from "./conditions.ts";
import { retentionObjects } from "./facts.ts";

/** The terms that bind: an object goes no earlier than `min` says and no later than `max` says. */
export type Composed = { min: RetentionTerm; max: RetentionTerm };

/** The binding terms; undefined when there are none. In whatever order the terms come, the answer is the same. */
export function composeRetention(terms: readonly RetentionTerm[]): Composed | undefined {
	const [first] = terms;
	if (!first) return undefined;
	let min = first;
	let max = first;
	for (const term of terms) {
		if (term.minMs > min.minMs || (term.minMs === min.minMs && term.ruleId < min.ruleId)) min = term;
		if (term.maxMs < max.maxMs || (term.maxMs === max.maxMs && term.ruleId < max.ruleId)) max = term;
	}
	return { min, max };
}

/** Whether no length of time satisfies both bounds. */
export function isEmpty({ min, max }: Composed): boolean {
	return min.minMs > max.maxMs;
}

/** Leaves out the terms that a pack's resolution has yield to another one that applies. */
export function settle(terms: RetentionTerm[], packs: readonly CompiledPack[]): RetentionTerm[] {
	const resolutions = packs.flatMap(({ file }) => file.resolutions);
	if (resolutions.length === 0) return terms;
	const yields = (term: RetentionTerm) =>
		resolutions.some(
			({ object, yields: loser, to }) =>
				object === term.object && loser === term.ruleId && terms.some(({ ruleId }) => ruleId === to),
		);
	return terms.filter((term) => !yields(term));
}

/**
 * What is wrong with the retention of packs that may come to apply together, one line each. Intervals on a line have
 * nothing in common only if some two of them have not, so pairs are enough.
 */
export function findRetentionFaults(packs: readonly CompiledPack[]): string[] {
	const rules = packs.flatMap((pack) => pack.retention.map((rule) => ({ pack, rule })));
	const resolved = new Set(packs.flatMap(({ file }) => file.resolutions.flatMap(({ yields, to }) => [yields, to])));
	const known = new Set(rules.map(({ rule }) => rule.id));
	const bounded = new Set(
		rules
			.filter(({ pack, rule }) => pack.unconditional && Object.keys(rule.file.when).length === 0)
			.flatMap(({ rule }) => rule.effect.filter(isBounded).map(({ object }) => object)),
	);
	return [
		...retentionObjects
			.filter((object) => !bounded.has(object))
			.map((object) => `${object}: no rule that always applies gives it a maximum`),
		...[...resolved].filter((id) => !known.has(id)).map((id) => `a resolution names ${id}, which is no retention rule`),
		...rules.flatMap(({ rule: long }) => rules.flatMap(({ rule: short }) => findClashes(long, short, packs))),
	];
}

function findClashes(long: Rule<RetentionTerm[]>, short: Rule<RetentionTerm[]>, packs: readonly CompiledPack[]) {
	if (long !== short && areDisjoint(long.file.when, short.file.when)) return [];
	return long.effect.flatMap((min) =>
		short.effect
			.filter((max) => max.object === min.object && isEmpty({ min, max }))
			.filter((max) => min === max || settle([min, max], packs).length === 2)
			.map((max) => `${min.object}: ${long.id} keeps it ${min.min} at least, ${short.id} ${max.max} at most`),
	);
}

function isBounded({ object, max }: RetentionTerm): boolean {
	return max !== null || object === "suppression";
}
