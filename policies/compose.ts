// Retention intervals of several laws made one: the greatest minimum, the least maximum, and whether anything is left.

import type { CompiledPack, RetentionTerm, Rule } from "./compile.ts";
import { areDisjoint } from "./conditions.ts";
import { retentionObjects } from "./facts.ts";
import type { SetFault } from "./faults.ts";

/** The terms that bind: an object goes no earlier than `min` says, no later than `max` says, and is kept as `keep` says. */
export type Composed = { min: RetentionTerm; max: RetentionTerm; keep: RetentionTerm };

/** The binding terms; undefined when there are none. In whatever order the terms come, the answer is the same. */
export function composeRetention(terms: readonly RetentionTerm[]): Composed | undefined {
	const [first] = terms;
	if (!first) return undefined;
	let min = first;
	let max = first;
	let keep = first;
	for (const term of terms) {
		if (term.minMs > min.minMs || (term.minMs === min.minMs && precedes(term, min))) min = term;
		if (term.maxMs < max.maxMs || (term.maxMs === max.maxMs && precedes(term, max))) max = term;
		if (term.keepMs > keep.keepMs || (term.keepMs === keep.keepMs && precedes(term, keep))) keep = term;
	}
	return { min, max, keep };
}

const ranks = ["law", "carrier", "default"];

// Of rules that say the same a law is named before a choice.
function precedes(one: RetentionTerm, other: RetentionTerm): boolean {
	const order = ranks.indexOf(one.basis) - ranks.indexOf(other.basis);
	return order < 0 || (order === 0 && one.ruleId < other.ruleId);
}

/** Whether no length of time satisfies both bounds. */
export function isEmpty({ min, max }: Pick<Composed, "min" | "max">): boolean {
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
 * What is wrong with the retention of packs that may come to apply together. Intervals on a line have nothing in common
 * only if some two of them have not, so pairs are enough.
 */
export function findRetentionFaults(packs: readonly CompiledPack[]): SetFault[] {
	const rules = packs.flatMap((pack) => pack.retention.map((rule) => ({ pack, rule })));
	const bounding = rules
		.filter(({ pack, rule }) => pack.unconditional && Object.keys(rule.file.when).length === 0)
		.flatMap(({ rule }) => rule.effect.filter(isBounded));
	const bounded = new Set(bounding.map(({ object }) => object));
	return [
		...retentionObjects
			.filter((object) => !bounded.has(object))
			.map((object) => ({
				path: [],
				message: `retention: ${object}: no rule that always applies gives it a maximum`,
				mend: "Give it one in a pack that applies to everything.",
			})),
		...packs.flatMap((pack) => findLooseResolutions(pack, packs)),
		...findVoidResolutions(packs, bounding),
		...rules.flatMap((long) => rules.flatMap((short) => findClashes(long, short, packs))),
	];
}

// A rule of a pack that is not there has nothing to settle; one that its pack does not have is a slip.
function findLooseResolutions({ ref, file }: CompiledPack, packs: readonly CompiledPack[]): SetFault[] {
	const isLoose = (id: string) => {
		const owner = packs.find((pack) => id.startsWith(`${pack.ref.id}.`));
		return owner?.file.rules.some((rule) => rule.id === id && rule.retention !== undefined) === false;
	};
	return file.resolutions.flatMap((resolution, index) =>
		(["yields", "to"] as const)
			.filter((side) => isLoose(resolution[side]))
			.map((side) => ({
				pack: `${ref.id} ${ref.version}`,
				path: ["resolutions", index, side],
				message: `retention: a resolution names ${resolution[side]}, which is no rule about retention`,
				mend: "Name the id of a rule with a retention effect.",
			})),
	);
}

// What yields is replaced: by what yields to it in turn nothing is left, and by what has no maximum no end, unless one of
// the `bounding` terms, which always apply, stays.
function findVoidResolutions(packs: readonly CompiledPack[], bounding: readonly RetentionTerm[]): SetFault[] {
	const all = packs.flatMap((pack) =>
		pack.file.resolutions.map((resolution, index) => ({ ...resolution, pack, index })),
	);
	const terms = packs.flatMap(({ retention }) => retention.flatMap(({ effect }) => effect));
	const isEnded = (id: string, about: string) =>
		terms.some(({ ruleId, object, max }) => ruleId === id && object === about && max !== null);
	return all.flatMap(({ pack, index, object, yields, to }) => {
		const fault = { pack: `${pack.ref.id} ${pack.ref.version}`, path: ["resolutions", index, "to"] };
		const name = `retention: ${object}: a resolution has ${yields} yield to ${to}`;
		const next = all.filter((other) => other.object === object);
		if (yieldsTo(to, yields, next)) {
			return [{ ...fault, message: `${name}, which yields to it in turn`, mend: "Remove one of them." }];
		}
		const isThere = terms.some((term) => term.ruleId === to && term.object === object);
		if (!isThere || isEnded(to, object) || !isEnded(yields, object)) return [];
		const stays = ({ ruleId }: RetentionTerm) => !next.some((other) => other.yields === ruleId);
		if (bounding.some((term) => term.object === object && stays(term))) return [];
		return [{ ...fault, message: `${name}, which gives it no maximum`, mend: "Give it one there." }];
	});
}

/** Whether a rule is another, or yields to it, be it by way of further ones. */
function yieldsTo(id: string, other: string, resolutions: readonly { yields: string; to: string }[]): boolean {
	const reached = new Set([id]);
	for (const one of reached) for (const { yields, to } of resolutions) if (yields === one) reached.add(to);
	return reached.has(other);
}

type Owned = { pack: CompiledPack; rule: Rule<RetentionTerm[]> };

function findClashes(long: Owned, short: Owned, packs: readonly CompiledPack[]): SetFault[] {
	if (long.rule !== short.rule && neverMeet(long, short)) return [];
	return long.rule.effect.flatMap((min) =>
		short.rule.effect
			.filter((max) => max.object === min.object && isEmpty({ min, max }))
			.filter((max) => min === max || settle([min, max], packs).length === 2)
			.map((max) => ({
				pack: `${long.pack.ref.id} ${long.pack.ref.version}`,
				path: ["rules", long.pack.file.rules.indexOf(long.rule.file)],
				message: `retention: ${min.object}: ${long.rule.id} keeps it ${min.min} at least, ${short.rule.id} ${max.max} at most`,
				mend: "Change one, or settle it by a cited resolution.",
			})),
	);
}

// No facts meet both: their own conditions, or those of their packs, exclude each other.
function neverMeet(one: Owned, other: Owned): boolean {
	const conditions = ({ pack, rule }: Owned) => [pack.file.applies, rule.file.when];
	return conditions(one).some((mine) => conditions(other).some((theirs) => areDisjoint(mine, theirs)));
}

function isBounded({ object, max }: RetentionTerm): boolean {
	return max !== null || object === "suppression";
}
