// The retention of a composition that is to be published, as facts name it: packs or rules by name, or bounds spelt out.

import type { FactsContext } from "../domain/decision.ts";
import { type CompiledPack, type RetentionTerm, toTerm } from "./compile.ts";
import { isDuration } from "./durations.ts";
import { toRetentionObject } from "./facts.ts";

type RetentionObject = RetentionTerm["object"];
type Bound = { object?: RetentionObject; end: "min" | "max"; length: string };

/**
 * The terms of a composition. An item names a pack (`hipaa`, `hipaa 1.0.0`, `{pack: "hipaa"}`) or a rule of one, or says
 * its bounds: `{object?, min?, max?}`, also within `retention`. `unknown`: an item that is neither.
 */
export function readComposition(
	{ composition, object }: FactsContext,
	packs: readonly CompiledPack[],
): { terms: RetentionTerm[]; unknown: boolean } {
	const items = Array.isArray(composition) ? (composition as unknown[]) : [];
	const asked = toObject(object);
	const read = items.map((item, index) => {
		const bounds = findBounds(item, objectOf(item) ?? asked);
		if (bounds.length > 0) return bounds.map((bound) => toOwnTerm(bound, index));
		return findNamed(nameOf(item), packs)?.filter((term) => asked === undefined || term.object === asked);
	});
	return { terms: read.flatMap((terms) => terms ?? []), unknown: read.includes(undefined) };
}

const signs: Record<string, string> = { ">=": "min", "<=": "max" };

function toOwnTerm({ object = "decision_record", end, length }: Bound, index: number): RetentionTerm {
	return toTerm({ object, [end]: length }, { ruleId: `composition.${index}`, basis: "default", citations: [] });
}

function findBounds(item: unknown, object: RetentionObject | undefined): Bound[] {
	if (typeof item === "string") {
		const spelt = [...item.matchAll(/(min|max|>=|<=)\w*\s*[:=]?\s*(P[\dYMWDTHS.]+)/gi)];
		return spelt.flatMap(([, end = "", length = ""]) => toBounds(signs[end] ?? end, length, object));
	}
	if (Array.isArray(item)) return item.flatMap((part) => findBounds(part, objectOf(part) ?? object));
	if (typeof item !== "object" || item === null) return [];
	return Object.entries(item).flatMap(([key, value]) => {
		if (typeof value === "string") return toBounds(key, value, object);
		if (/^(retention|interval|bounds)$/i.test(key)) return findBounds(value, objectOf(value) ?? object);
		const named = toObject(key);
		return named ? findBounds(value, named) : [];
	});
}

function toBounds(key: string, length: string, object: RetentionObject | undefined): Bound[] {
	const end = /(min|max)(imum)?$/i.exec(key)?.[1]?.toLowerCase();
	if ((end !== "min" && end !== "max") || !isDuration(length)) return [];
	const named = /^content/i.test(key) ? "content" : object;
	return [{ ...(named ? { object: named } : {}), end, length }];
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
