// Why a message was decided as it was, from what it pins: rules with their words and sources, dates with whoever set them.

import type { Decision, Facts } from "../domain/decision.ts";
import { currentFacts, type Message, type RetentionObject, type RetimingRecord } from "../domain/message.ts";
import type { PackRef } from "../domain/proposal.ts";
import { compileCondition } from "./conditions.ts";
import { formatInstant } from "./durations.ts";
import { evaluate } from "./evaluate.ts";
import type { PackVersion, Policies } from "./index.ts";
import { missingFrom } from "./inForce.ts";
import { findApplying, judgedAt } from "./packSet.ts";
import { type ReasonCode, reasonMeanings } from "./reasons.ts";
import { bindingTerms } from "./retention.ts";
import type { PackFile, RuleFile } from "./schema.ts";
import { describeCondition, describeDuration, describeRule } from "./sentences.ts";

const briefValuesMax = 5;

/** A rule as a person reads it. */
export type RuleWords = {
	rule: string;
	version: string;
	says: string;
	when: string;
	/** The same for a line: many spellings of one thing are told by their number. */
	whenBriefly: string;
	citations: readonly string[];
	/** Not of an exclusion, which is a pack's and not a rule's. */
	basis?: RuleFile["basis"];
	confidence?: RuleFile["confidence"];
	verifiedOn?: string;
	note?: string;
};

/** A bound on how long an object is kept, and whose it is. */
export type BoundWords = { duration: string | null; words: string; rule: string; citations: readonly string[] };

export type Explanation = {
	messageId: string;
	/** RFC 3339, as all times here. */
	judgedAt: string;
	allowed: boolean;
	reasons: { code: string; means: string }[];
	/** `monitor`: it went on though limits of its tenant's own, which only watch, would have refused it. */
	mode: "enforced" | "monitor";
	/** Why those would have. */
	noted: { code: string; means: string }[];
	/** That it was rejected after it had been accepted: why in a word, where one was said, and by which rule where a policy did. */
	rejected?: { at: string; code?: string; rule?: RuleWords };
	decisive?: RuleWords;
	others: RuleWords[];
	releaseUtc?: string;
	releaseLocal?: string;
	deliveryMode?: string;
	/** A hold keeps all of it, beyond its dates too. */
	held: boolean;
	retention: {
		object: RetentionObject;
		eraseBy: string;
		/** Erased by the update that makes the message final. */
		atFinal: boolean;
		erasedAt?: string;
		min?: BoundWords;
		max?: BoundWords;
	}[];
	packs: (PackRef & Partial<PackVersion>)[];
	retimings: { at: string; from: PackRef[]; to: PackRef[]; effects: string[]; allowed?: boolean }[];
	replay: Replay;
};

/** Whether judging the record anew, by the versions that it pins, gives what is on record. */
export type Replay = { agrees: boolean; missing: PackRef[]; differences: string[] };

type Judged = Pick<
	Message,
	"_id" | "facts" | "decision" | "excluded" | "reroutes" | "retimings" | "retention" | "abuse" | "holds" | "evidence"
>;
type Known = Pick<Policies, "pinned" | "file" | "versions" | "inForce">;

/** @throws LetheError policies_unavailable */
export function explain(message: Judged, policies: Known): Explanation {
	const { decision, facts, excluded = [], abuse = [] } = message;
	const noted = abuse.flatMap(({ verdict, reason }) => (verdict === "noted" && reason ? [reason] : []));
	const files = [...decision.packs, ...excluded].flatMap(({ id, version }) => policies.file(id, version) ?? []);
	const rules = decision.rules.flatMap((id) => describe(id, files, facts) ?? []);
	const [decisive, ...others] = rules;
	const versions = new Map(policies.versions().map((version) => [`${version.id} ${version.version}`, version]));
	return {
		messageId: message._id,
		judgedAt: formatInstant(judgedAt(facts)),
		allowed: decision.allowed,
		reasons: decision.reasons.map(toWords),
		mode: noted.length > 0 ? "monitor" : "enforced",
		noted: noted.map(toWords),
		...explainRejection(message, policies),
		...(decisive ? { decisive } : {}),
		others,
		...(decision.deferUntilUtc ? { releaseUtc: decision.deferUntilUtc } : {}),
		...(decision.deferUntilLocal ? { releaseLocal: decision.deferUntilLocal } : {}),
		...(decision.deliveryMode ? { deliveryMode: decision.deliveryMode } : {}),
		held: message.holds.length > 0,
		retention: explainRetention(message, policies),
		packs: decision.packs.map((ref) => ({ ...versions.get(`${ref.id} ${ref.version}`), ...ref })),
		retimings: explainRetimings(message),
		replay: replay(message, policies),
	};
}

/** The rule stands in the entry before, by the same update; its words are those in force then. */
function explainRejection({ evidence, facts }: Judged, policies: Known): Pick<Explanation, "rejected"> {
	const index = evidence.findLastIndex(({ type }) => type === "rejected");
	const [before, entry] = [evidence[index - 1], evidence[index]];
	if (!entry) return {};
	const { at, code } = entry;
	const id = before?.type === "decided" && before.at === at ? before.code : undefined;
	const rule = id === undefined ? undefined : describe(id, policies.inForce(at).files, facts);
	return { rejected: { at: formatInstant(at), ...(code === undefined ? {} : { code }), ...(rule ? { rule } : {}) } };
}

function toWords(code: string): { code: string; means: string } {
	return { code, means: reasonMeanings[code as ReasonCode] ?? "" };
}

/** Judges what a message pins anew: its decision, and every one that a later version made of it while it was open. */
function replay(message: Judged, policies: Pick<Policies, "pinned">): Replay {
	const { facts, decision, excluded = [], retimings = [] } = message;
	const againAt = (record: RetimingRecord) => {
		const known = factsAt(message, record);
		return { ...known, context: { ...known.context, evaluatedAt: formatInstant(record.at) } };
	};
	const records = [
		{ name: "decision", facts, decision, refs: [...decision.packs, ...excluded] },
		...retimings.flatMap((record) =>
			record.decision
				? [
						{
							name: `re-timing of ${formatInstant(record.at)}`,
							facts: againAt(record),
							decision: record.decision,
							refs: [...record.packs, ...(record.excluded ?? [])],
						},
					]
				: [],
		),
	];
	const results = records.map((record) => replayOne(record, policies));
	const missing = results.flatMap((result) => result.missing);
	const differences = results.flatMap((result) => result.differences);
	return { agrees: missing.length === 0 && differences.length === 0, missing, differences };
}

/** What a re-timing judged the message by: on the route that it had then. */
function factsAt({ facts, reroutes = [] }: Judged, { reroutes: count = 0 }: RetimingRecord): Facts {
	return currentFacts({ facts, reroutes: reroutes.slice(0, count) });
}

type DecisionRecord = { name: string; facts: Facts; decision: Decision; refs: PackRef[] };

function replayOne({ name, facts, decision, refs }: DecisionRecord, policies: Pick<Policies, "pinned">) {
	const { packs, missing } = policies.pinned(refs);
	if (missing.length > 0) return { missing, differences: [] };
	const again: Record<string, unknown> = evaluate(packs, facts);
	const before: Record<string, unknown> = decision;
	const fields = new Set([...Object.keys(again), ...Object.keys(before)]);
	const differences = [...fields]
		.filter((field) => JSON.stringify(again[field]) !== JSON.stringify(before[field]))
		.map((field) => `${name}: ${field}`);
	return { missing, differences };
}

// The rule's own words where its authors gave some, and what it does in any case.
function describe(id: string, files: readonly PackFile[], facts: Facts): RuleWords | undefined {
	const pack = files.find((file) => id.startsWith(`${file.id}.`));
	if (!pack) return undefined;
	const holds = ({ when }: PackFile["excludes"][number]) => compileCondition(when)(facts, judgedAt(facts));
	const exclusion = id === `${pack.id}.excludes` ? pack.excludes.find(holds) : undefined;
	if (exclusion) {
		const { citations, when } = exclusion;
		const says = "leaves it to another law";
		return { rule: id, version: pack.version, says, ...describeWhen(when), citations };
	}
	const rule = pack.rules.find((one) => one.id === id);
	if (!rule) return undefined;
	const { basis, citations, confidence, verifiedOn, note, when } = rule;
	const says = describeRule(rule, pack);
	const words = { rule: id, version: pack.version, says, ...describeWhen(when) };
	return { ...words, basis, citations, confidence, verifiedOn, ...(note ? { note } : {}) };
}

function describeWhen(when: RuleFile["when"]): Pick<RuleWords, "when" | "whenBriefly"> {
	return { when: describeCondition(when), whenBriefly: describeCondition(when, briefValuesMax) };
}

// The bounds of the versions that set the dates: those of the decision, or of the last that came into force since.
function explainRetention(message: Judged, policies: Known): Explanation["retention"] {
	const last = message.retimings?.at(-1);
	const facts = last ? factsAt(message, last) : message.facts;
	const at = last?.at ?? judgedAt(facts);
	const { packs, missing } = policies.pinned(last?.packs ?? message.decision.packs);
	const bounds = missing.length > 0 ? undefined : bindingTerms(findApplying(packs, facts, at).packs, facts, at);
	return Object.entries(message.retention).map(([name, record]) => {
		const object = name as RetentionObject;
		const { eraseBy, atFinal, erasedAt } = record;
		const bound = bounds?.[object];
		const dates = {
			eraseBy: formatInstant(eraseBy),
			atFinal,
			...(erasedAt ? { erasedAt: formatInstant(erasedAt) } : {}),
		};
		if (!bound) return { object, ...dates };
		return { object, ...dates, min: toBound(bound.min, bound.min.min), max: toBound(bound.max, bound.max.max) };
	});
}

function toBound(term: { ruleId: string; citations: readonly string[] }, duration: string | null): BoundWords {
	const words = duration === null ? "without end" : describeDuration(duration);
	return { duration, words, rule: term.ruleId, citations: term.citations };
}

function explainRetimings({ retimings = [], decision: first }: Judged): Explanation["retimings"] {
	return retimings.map(({ at, from, packs, effects, decision }, index) => ({
		at: formatInstant(at),
		from,
		to: missingFrom(packs, retimings[index - 1]?.packs ?? first.packs),
		effects,
		...(decision ? { allowed: decision.allowed } : {}),
	}));
}
