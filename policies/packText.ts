// A pack's text: read, checked against the schema, and kept with the line of each of its parts.

import {
	type Document,
	isAlias,
	isMap,
	isScalar,
	isSeq,
	LineCounter,
	type Node,
	type Pair,
	parseDocument,
	visit,
	type YAMLError,
} from "yaml";
import type { z } from "zod";
import { limits } from "../domain/limits.ts";
import { nearest, type PackFault } from "./faults.ts";
import { fieldsAt } from "./jsonSchema.ts";
import { readOnce } from "./readOnce.ts";
import { decidingSchema, type PackFile, packSchema, type WholePack } from "./schema.ts";

type Path = readonly PropertyKey[];
/** The line of a part, or of the nearest thing around it that is there. */
type Lines = (path: Path) => number;
export type PackText = {
	/** Absent when there are faults. */
	file?: WholePack;
	faults: PackFault[];
	/** Whoever asks for many lines takes `linesIn`. */
	lineOf: Lines;
};

const known = new Map<string, PackText>();

/** Reads a pack. Nothing of it is run; a fault does not stop the search for others, of which the first are told. */
export function readPackText(text: string): PackText {
	// Every process keeps every pack: its tree, which takes sixteen times its text, is made again for who asks for a line.
	return readOnce(known, text, () => ({ ...readAnew(text), lineOf: forgetfulLinesIn(text) }));
}

function readAnew(text: string): Omit<PackText, "lineOf"> {
	const { document, lineOf, lineAt } = parse(text);
	const broken = [...document.errors, ...document.warnings].slice(0, limits.packFaultsMax);
	const faults: PackFault[] = broken.map(toFault);
	if (faults.length === 0) faults.push(...findDoubles(document, lineAt));
	if (faults.length > 0) return { faults };
	let value: unknown;
	try {
		value = toValue(document);
	} catch {
		const message = "not YAML: its aliases repeat too much";
		return { faults: [{ line: 1, message, mend: "Write some of them out." }] };
	}
	const result = packSchema.safeParse(value, { reportInput: true, error: sayTooSmall });
	if (result.success) return { file: result.data, faults: [] };
	const { issues } = result.error;
	const mistyped = issues
		.filter(({ code }) => code === "unrecognized_keys")
		.slice(0, limits.packFaultsMax)
		.map(({ path }) => `${path.join(".")}.`);
	// What is wrong beside a mistyped field is mostly that it is not there under its name.
	const told = issues.filter(
		({ code, path }) => code !== "custom" || !mistyped.some((place) => `${path.join(".")}.`.startsWith(place)),
	);
	for (const issue of told) {
		faults.push(...toFaults(issue, [], lineOf));
		if (faults.length >= limits.packFaultsMax) break;
	}
	return { faults: faults.slice(0, limits.packFaultsMax).sort((a, b) => a.line - b.line) };
}

/**
 * What decides of a pack whose text is known to be whole: its cases, most of a text, are not read. Undefined where it takes
 * the whole text to tell.
 */
export function readDeciding(text: string): { file: PackFile; lineOf: Lines } | undefined {
	const start = text.search(/^cases:/m);
	// Only what nothing follows can be left out: the next part would begin as far left.
	if (start === -1 || /^(?![\s#]|- )./m.test(text.slice(start + "cases:".length))) return undefined;
	const { document, lineAt } = parse(text.slice(0, start));
	if (document.errors.length + document.warnings.length + findDoubles(document, lineAt).length > 0) return undefined;
	const { success, data: file } = decidingSchema.safeParse(toValue(document));
	return success ? { file, lineOf: forgetfulLinesIn(text) } : undefined;
}

/** The lines of a text's parts; it keeps the text's tree for as long as it is kept. */
export function linesIn(text: string): Lines {
	return parse(text).lineOf;
}

// Made here, where nothing else is in sight: it would keep what it sees alive.
function forgetfulLinesIn(text: string): Lines {
	return (path) => linesIn(text)(path);
}

function parse(text: string) {
	const lines = new LineCounter();
	// Values stay text, numbers and booleans. Unique keys are seen to by `findDoubles`: the library compares each with each.
	const document = parseDocument(text, { schema: "core", uniqueKeys: false, lineCounter: lines, prettyErrors: true });
	const lineAt = (offset: number) => lines.linePos(offset).line;
	return { document, lineAt, lineOf: (path: Path) => lineAt(offsetOf(document, path)) };
}

/** Keys that a map has already: which of both counts, another reader may see otherwise. */
function findDoubles(document: Document, lineAt: (offset: number) => number): PackFault[] {
	const doubles: PackFault[] = [];
	visit(document, {
		Map(_, { items }) {
			const seen = new Set<string>();
			for (const item of items) {
				const key = keyOf(item);
				if (key === undefined) continue;
				if (seen.has(key) && doubles.length < limits.packFaultsMax) {
					const line = lineAt((item.key as Node).range?.[0] ?? 0);
					doubles.push({
						line,
						message: `not YAML: the keys of a map must be unique, ${key.slice(0, 60)} is there already`,
						mend: "Correct the line.",
					});
				}
				seen.add(key);
			}
		},
	});
	return doubles;
}

/** Bounded against texts that swell when read. @throws ReferenceError for one that does */
function toValue(document: Document): unknown {
	return document.toJS({ maxAliasCount: 50 });
}

function toFault({ code, message, linePos }: YAMLError): PackFault {
	const line = linePos?.[0].line ?? 1;
	if (code === "MULTIPLE_DOCS") {
		return {
			line,
			message: "a second text begins at this ---",
			mend: "Leave one of them, each is proposed by itself.",
		};
	}
	const said = message.split("\n")[0]?.replace(/ at line \d+, column \d+:?$/, "");
	return { line, message: `not YAML: ${said}`, mend: "Correct the line." };
}

/** In words for who writes no programs; what the schema says itself stands. */
function sayTooSmall(issue: z.core.$ZodRawIssue): string | undefined {
	if (issue.code !== "too_small") return undefined;
	const isEmpty = issue.origin === "array" || (issue.origin === "string" && issue.minimum === 1);
	if (isEmpty) return "there is nothing in it";
	return issue.origin === "string" ? `shorter than ${issue.minimum} characters` : `less than ${issue.minimum}`;
}

const kinds: Record<string, string> = { string: "a text", array: "a list", object: "a set of fields" };

function toFaults(issue: z.core.$ZodIssue, at: Path, lineOf: Lines): PackFault[] {
	const path = [...at, ...issue.path];
	const where = path.map(String).join(".") || "the file";
	if (issue.code === "invalid_union") return findBranch(issue).flatMap((inner) => toFaults(inner, path, lineOf));
	if (issue.code === "unrecognized_keys") {
		const fields = fieldsAt(path as (string | number)[]);
		return issue.keys.slice(0, limits.packFaultsMax).map((key) => ({
			line: lineOf([...path, key]),
			message: `${where}: ${key} is not a field here`,
			mend: suggest(key, fields, "Correct or remove it."),
		}));
	}
	const line = lineOf(path);
	if (issue.code === "invalid_value") {
		const isMissing = issue.input === undefined;
		const message = isMissing ? `${where} is missing` : `${where}: ${say(issue.input)} is not one of its values`;
		const values = issue.values.map(String);
		return [{ line, message, mend: suggest(String(issue.input ?? ""), values, "Use one of docs/reasons.md.") }];
	}
	if (issue.code === "invalid_type") {
		if (issue.input === undefined) return [{ line, message: `${where} is missing`, mend: "Add it." }];
		const expected = kinds[issue.expected] ?? issue.expected;
		const isBare = issue.expected === "string" && (typeof issue.input === "number" || typeof issue.input === "boolean");
		const mend = isBare ? "Put it in quotes." : `Give ${expected}.`;
		return [{ line, message: `${where}: ${say(issue.input)} is not ${expected}`, mend }];
	}
	return [{ line, message: `${where}: ${issue.message}`, mend: "Correct it." }];
}

// Of the ways in which a value may be written, the one that it comes nearest to.
function findBranch({ errors }: z.core.$ZodIssueInvalidUnion): z.core.$ZodIssue[] {
	const isOtherShape = ({ code, path, input }: z.core.$ZodIssue) =>
		path.length === 0 && (code === "invalid_type" || (code === "invalid_value" && typeof input === "object"));
	return errors.find((issues) => issues.length > 0 && !issues.some(isOtherShape)) ?? errors[0] ?? [];
}

function suggest(name: string, names: readonly string[], otherwise: string): string {
	const meant = nearest(name, names);
	if (meant !== undefined) return `Did you mean ${meant}?`;
	return names.length > 0 && names.length <= 30 ? `Use one of: ${names.join(", ")}.` : otherwise;
}

function say(value: unknown): string {
	if (value === null) return "nothing";
	return typeof value === "object" ? (Array.isArray(value) ? "a list" : "an object") : String(value).slice(0, 60);
}

function offsetOf(document: Document, path: Path): number {
	let node: unknown = document.contents;
	let offset = (document.contents as Node | null)?.range?.[0] ?? 0;
	for (const key of path) {
		const inner = isAlias(node) ? node.resolve(document) : node;
		const pair = isMap(inner) ? inner.items.find((item) => keyOf(item) === String(key)) : undefined;
		const next = pair ? pair.value : isSeq(inner) ? inner.items[Number(key)] : undefined;
		const place = (pair ? pair.key : next) as Node | undefined;
		if (!place) return offset;
		offset = place.range?.[0] ?? offset;
		node = next;
	}
	return offset;
}

function keyOf({ key }: Pair): string | undefined {
	return isScalar(key) ? String(key.value) : undefined;
}
