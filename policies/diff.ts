// What a new version of a pack changes, rule by rule, in words.

import { elide } from "./elide.ts";
import type { PackFile, RuleFile } from "./schema.ts";
import { describeCondition, describeRule, findFacets } from "./sentences.ts";

/** One thing that differs; without `before` it is new, without `after` it is gone. */
export type Difference = { rule: string; what: string; before?: string; after?: string };

/** Every difference that matters to a decision or its reasons; comments and cases are none. */
export function diffPacks(before: PackFile | undefined, after: PackFile): Difference[] {
	const old = new Map(before?.rules.map((rule) => [rule.id, rule]));
	const kept = new Set(after.rules.map(({ id }) => id));
	const removed = (before?.rules ?? []).filter(({ id }) => !kept.has(id));
	return [
		...(before ? compare("pack", describePack(before), describePack(after)) : []),
		...removed.map((rule) => ({
			rule: rule.id,
			what: "rule removed:",
			before: describeRule(rule, before as PackFile),
		})),
		...after.rules.flatMap((rule): Difference[] => {
			const known = old.get(rule.id);
			if (known) return compare(rule.id, describeAll(known, before as PackFile), describeAll(rule, after));
			return [{ rule: rule.id, what: "new rule:", after: describeRule(rule, after) }];
		}),
	];
}

/** One line, as it is read aloud; of long ones, which name every spelling of a thing, only what differs and what is near it. */
export function describeDifference({ rule, what, before, after }: Difference): string {
	const isChange = before !== undefined && after !== undefined;
	const change = isChange ? elide(before, after).join(" → ") : (after ?? before);
	return `${rule}: ${what} ${change}`;
}

function compare(rule: string, before: Record<string, string>, after: Record<string, string>): Difference[] {
	const names = [...new Set([...Object.keys(before), ...Object.keys(after)])];
	return names
		.filter((what) => before[what] !== after[what])
		.map((what) => {
			const [old, now] = [before[what], after[what]];
			return {
				rule,
				what,
				...(old === undefined ? {} : { before: old }),
				...(now === undefined ? {} : { after: now }),
			};
		});
}

function describeAll(rule: RuleFile, pack: PackFile): Record<string, string> {
	const { basis, citations, confidence, verifiedOn, effectiveFrom, effectiveTo, on, when } = rule;
	return {
		...findFacets(rule, pack),
		"counts when": describeCondition(when),
		basis,
		citations: citations.join("; "),
		confidence,
		"verified on": verifiedOn,
		...(on ? { events: on.join(", ") } : {}),
		...(effectiveFrom ? { "counts from": effectiveFrom } : {}),
		...(effectiveTo ? { "counts until": effectiveTo } : {}),
	};
}

function describePack({ effectiveFrom, effectiveTo, destinations, applies, excludes, resolutions }: PackFile) {
	const left = excludes.map(({ when, reason, citations }) => {
		const said = [...(reason ? [reason] : []), ...citations].join("; ");
		return `${describeCondition(when)} (${said})`;
	});
	const settled = resolutions.map(({ object, yields, to }) => `${object}: ${yields} yields to ${to}`);
	return {
		"in force from": effectiveFrom,
		...(effectiveTo ? { "in force until": effectiveTo } : {}),
		destinations: destinations.join(", ") || "none",
		"applies when": describeCondition(applies),
		"leaves out": left.join("; ") || "nothing",
		"settled conflicts": settled.join("; ") || "none",
	};
}
