// The retention of a composition that is to be published, as facts name it: packs or rules by name, or bounds spelt out.

import type { FactsContext } from "../domain/decision.ts";
import { type CompiledPack, type RetentionTerm, toTerm } from "./compile.ts";
import { isDuration } from "./durations.ts";
import { toRetentionObject } from "./facts.ts";
import { setApart, toWord } from "./words.ts";

type RetentionObject = RetentionTerm["object"];
type Bound = { object?: RetentionObject; end: "min" | "max"; length: string | null };
/** What an item says of its own; `unread`: it names a length of which nothing tells what it bounds. */
type Spelt = { bounds: Bound[]; unread: boolean };

/**
 * The terms of a composition. An item names a pack (`hipaa`, `hipaa 1.0.0`, `{pack: "hipaa"}`) or a rule of one, or says
 * its bounds: `{object?, min?, max?}`, also within `retention`, `[min, max]` for short. `endless`: what an item says to
 * have no maximum. `unknown`: an item that is neither, or a length in one that can't be read.
 */
export function readComposition(
	{ composition, object }: FactsContext,
	packs: readonly CompiledPack[],
): { terms: RetentionTerm[]; endless: RetentionObject[]; unknown: boolean } {
	const items = Array.isArray(composition) ? (composition as unknown[]) : [];
	const asked = toObject(object);
	const read = items.map((item, index) => {
		const { bounds, unread } = findBounds(item, objectOf(item) ?? asked);
		const own = bounds.map((bound) => toOwnTerm(bound, index));
		const endless = own.filter((_, at) => bounds[at]?.length === null).map((term) => term.object);
		const name = nameOf(item);
		// That there is no maximum takes no minimum from the pack that is named.
		const saysAll = own.length > endless.length || (own.length > 0 && name === "");
		const named = saysAll ? [] : findNamed(name, packs);
		const terms = named?.filter((term) => asked === undefined || term.object === asked);
		return { terms: terms && [...own, ...terms], endless, unread };
	});
	return {
		terms: read.flatMap(({ terms }) => terms ?? []),
		endless: read.flatMap(({ endless }) => endless),
		unknown: read.some(({ terms, unread }) => unread || terms === undefined),
	};
}

const ends = new Map<string, Bound["end"]>([
	...(["min", "minimum", ">="] as const).map((name) => [name, "min"] as const),
	...(["max", "maximum", "<="] as const).map((name) => [name, "max"] as const),
]);
// What may stand beside them in a name, as may what is kept.
const besideEnds = new Set(["retention", "days", "weeks", "months", "years"]);
// Lengths that a pack has of other things than what is kept, by the field that they stand in.
const otherLengths: Record<string, string[]> = {
	"": ["backup_max"],
	consent: ["max_age"],
	opt_out: ["honor_within", "confirm_within", "suppress_min"],
};
const nothing: Spelt = { bounds: [], unread: false };

function toOwnTerm({ object = "decision_record", end, length }: Bound, index: number): RetentionTerm {
	return toTerm({ object, [end]: length }, { ruleId: `composition.${index}`, basis: "default", citations: [] });
}

function findBounds(item: unknown, object: RetentionObject | undefined, field = ""): Spelt {
	if (typeof item === "string") return findInText(item, object);
	if (isPair(item)) return join((["min", "max"] as const).map((end, at) => toBound(end, item[at] ?? null, object)));
	if (Array.isArray(item)) return join(item.map((part) => findBounds(part, objectOf(part) ?? object, field)));
	if (typeof item !== "object" || item === null) return nothing;
	return join(
		Object.entries(item).map(([key, value]) => {
			const word = toWord(setApart(key));
			if (otherLengths[field]?.includes(word)) return nothing;
			const bound = readName(word, value);
			if (bound) return toBound(bound.end, value === false ? null : String(value), bound.object ?? object);
			if (typeof value === "string") return { bounds: [], unread: isDuration(value) };
			if (/^(retention|interval|bounds)$/.test(word)) return findBounds(value, objectOf(value) ?? object, word);
			const inner = toRetentionObject(word);
			return inner ? findBounds(value, inner, word) : nothing;
		}),
	);
}

function findInText(text: string, object: RetentionObject | undefined): Spelt {
	const spelt = [...text.matchAll(/(min|max|>=|<=)\w*\s*[:=]?\s*(P[\dYMWDTHS.]*[YMWDHS])/gi)];
	const lengths = text.match(/(?<![\p{L}\p{N}])P(?=T?\d)[\dYMWDTHS.]*[YMWDHS]/giu) ?? [];
	const read = join(
		spelt.map(([, end = "", length = ""]) => toBound(ends.get(end.toLowerCase()) ?? "min", length, object)),
	);
	return { ...read, unread: read.unread || lengths.filter(isDuration).length > read.bounds.length };
}

function toBound(end: Bound["end"], length: string | null, object: RetentionObject | undefined): Spelt {
	if (length !== null && !isDuration(length)) return { bounds: [], unread: true };
	// What has no minimum may go at once.
	if (length === null && end === "min") return nothing;
	return { bounds: [{ ...(object ? { object } : {}), end, length }], unread: false };
}

// `min`, `min_retention`, `content_maximum`, `max_days`; what is said to be kept for a time is so at least. Of any other
// name that ends so only a length, or none, is a bound: `effMin`.
function readName(word: string, value: unknown): { end: Bound["end"]; object?: RetentionObject } | undefined {
	if (word === "keep") return { end: "min" };
	const words = word.split("_");
	const end = words.map((part) => ends.get(part)).find((found) => found !== undefined);
	const others = words.filter((part) => !ends.has(part) && !besideEnds.has(part)).join("_");
	const object = toRetentionObject(others);
	const isLength =
		ends.has(words.at(-1) ?? "") && (value === false || (typeof value === "string" && isDuration(value)));
	return end && (others === "" || object || isLength) ? { end, ...(object ? { object } : {}) } : undefined;
}

// A minimum and a maximum, of which one may be none.
function isPair(value: unknown): value is (string | null)[] {
	const isLength = (end: unknown) => end === null || (typeof end === "string" && isDuration(end));
	return Array.isArray(value) && value.length === 2 && value.every(isLength) && value.some((end) => end !== null);
}

function join(parts: Spelt[]): Spelt {
	return { bounds: parts.flatMap(({ bounds }) => bounds), unread: parts.some(({ unread }) => unread) };
}

// Packs go by their ids, by the words in them, and by a few words that people use instead.
const otherNames: Record<string, string> = {
	eu: "gdpr",
	eprivacy: "gdpr",
	cpra: "ccpa",
	lgpd: "br",
	casl: "ca",
	pipeda: "ca",
	mhmda: "us-wa-health",
};

function findNamed(name: string, packs: readonly CompiledPack[]): RetentionTerm[] | undefined {
	const [id = ""] = name.split(/[\s@:]/);
	const rules = packs.flatMap(({ retention }) => retention.filter((rule) => rule.id === id));
	const words = id.split(/[-_]/).map((word) => otherNames[word] ?? word);
	const exact = packs.filter(({ ref }) => ref.id === id || words.includes(ref.id));
	const named =
		exact.length > 0 ? exact : packs.filter(({ ref }) => ref.id.split("-").some((word) => words.includes(word)));
	if (rules.length === 0 && named.length === 0) return undefined;
	return [...rules, ...named.flatMap(({ retention }) => retention)].flatMap(({ effect }) => effect);
}

function nameOf(item: unknown): string {
	if (typeof item === "string") return item.toLowerCase();
	const name = fieldOf(item, "pack") ?? fieldOf(item, "id") ?? fieldOf(item, "rule") ?? fieldOf(item, "name");
	return typeof name === "string" ? name.toLowerCase() : "";
}

function objectOf(value: unknown): RetentionObject | undefined {
	return toObject(fieldOf(value, "object"));
}

function toObject(name: unknown): RetentionObject | undefined {
	return typeof name === "string" ? toRetentionObject(name) : undefined;
}

function fieldOf(value: unknown, key: string): unknown {
	return typeof value === "object" && value !== null ? (value as Record<string, unknown>)[key] : undefined;
}
