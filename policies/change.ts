// Drafts a new version from the text of another: values exchanged where they stand, comments and order kept.

import { isMap, isScalar, isSeq, parseDocument, stringify } from "yaml";
import { LetheError } from "../domain/errors.ts";
import { readPackText } from "./packText.ts";
import { refusedPack } from "./refusedPack.ts";

/** A value of one rule: `path` names fields, list items by number, by the object that they are about, or `*` for all. */
export type RuleChange = { rule: string; path: string; value: string | number | boolean | null };

/**
 * The text with another version and date, and the values changed.
 * @throws LetheError invalid_request naming the change that finds no place
 */
export function draftChange(
	text: string,
	version: { version: string; effectiveFrom: string },
	changes: readonly RuleChange[],
): string {
	const document = parseDocument(text, { schema: "core", uniqueKeys: false });
	const rules = document.get("rules");
	const edits = [
		...findPlaces(document.contents, ["version"], version.version),
		...findPlaces(document.contents, ["effectiveFrom"], version.effectiveFrom),
	];
	for (const [index, { rule: id, path, value }] of changes.entries()) {
		const rule = isSeq(rules) ? rules.items.find((item) => isMap(item) && item.get("id") === id) : undefined;
		const found = findPlaces(rule, path.split("."), value);
		if (found.length === 0) {
			const what = rule ? "It names no value of that rule." : "It names no rule of the pack.";
			const detail = `${what} \`lethe policy show\` prints the text.`;
			throw new LetheError("invalid_request", { errors: [{ pointer: `/changes/${index}`, detail }] });
		}
		edits.push(...found);
	}
	return applyEdits(text, edits);
}

/**
 * What a text calls itself.
 * @throws LetheError policy_refused when it is not YAML, or names no pack and version
 */
export function readName(text: string): { pack: string; version: string; effectiveFrom?: string } {
	const document = parseDocument(text, { schema: "core", uniqueKeys: false });
	const field = (name: string) => (isMap(document.contents) ? document.get(name) : undefined);
	const [pack, version, effectiveFrom] = [field("id"), field("version"), field("effectiveFrom")];
	const known = typeof pack === "string" && typeof version === "string" && /^[a-z][\w-]{0,39}$/.test(pack);
	if (known && document.errors.length === 0 && /^[\w.-]{1,20}$/.test(version)) {
		return { pack, version, ...(typeof effectiveFrom === "string" ? { effectiveFrom } : {}) };
	}
	const { faults } = readPackText(text);
	throw refusedPack(faults.length > 0 ? faults : [unnamed]);
}

const unnamed = { line: 1, message: "its `id` or `version` is too long", mend: "Start from the version in force." };

type Edit = { start: number; end: number; text: string };

// Only a value is exchanged for a value: whoever wants another structure edits the text.
function findPlaces(node: unknown, path: readonly string[], value: RuleChange["value"]): Edit[] {
	const [key, ...rest] = path;
	if (key === undefined) {
		if (!isScalar(node) || !node.range) return [];
		// The end of a block's last line is the block's.
		const isBlock = node.type === "BLOCK_FOLDED" || node.type === "BLOCK_LITERAL";
		return [{ start: node.range[0], end: node.range[1], text: `${written(value)}${isBlock ? "\n" : ""}` }];
	}
	if (isSeq(node)) {
		const items = node.items.filter((item, index) => isWanted(item, index, key));
		return items.flatMap((item) => findPlaces(item, rest, value));
	}
	return isMap(node) ? findPlaces(node.get(key, true), rest, value) : [];
}

// As it may stand anywhere, on one line: within `[a, b]` a comma would begin another value.
function written(value: RuleChange["value"]): string {
	if (typeof value === "string" && value.includes("\n")) return JSON.stringify(value);
	return stringify([value], { collectionStyle: "flow", lineWidth: 0 }).trim().slice(1, -1).trim();
}

function isWanted(item: unknown, index: number, key: string): boolean {
	return key === "*" || key === String(index) || (isMap(item) && item.get("object") === key);
}

// From the end on, so that the places before it stay where they are; of two edits of one place the last counts.
function applyEdits(text: string, edits: readonly Edit[]): string {
	const byStart = new Map(edits.map((edit) => [edit.start, edit]));
	return [...byStart.values()]
		.sort((a, b) => b.start - a.start)
		.reduce((edited, edit) => edited.slice(0, edit.start) + edit.text + edited.slice(edit.end), text);
}
