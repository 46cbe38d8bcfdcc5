// One file of the tree, parsed: its arrows to other modules, its exports and its syntax tree.

import { isBuiltin } from "node:module";
import { posix } from "node:path";
import { type Comment, type EcmaScriptModule, type Program, parseSync, Visitor } from "oxc-parser";

/**
 * An import, export-from, dynamic import or import type; `to` is a path in the tree, `node:x` or `npm:x`.
 * `path` is a relative file name in a string, for someone else to load (a bundler, a new process).
 */
export type Arrow = { from: string; to: string; kind: "value" | "type" | "path" };

export type Source = {
	path: string;
	text: string;
	program: Program;
	comments: Comment[];
	/** Names of the values that it exports; types are not among them. */
	exports: string[];
	arrows: Arrow[];
};

/** `to` of an arrow whose target is computed, so that nothing can judge it. */
export const computed = "npm:(computed)";

/** @throws Error when the text is not TypeScript */
export function parseSource(path: string, text: string): Source {
	const { program, comments, module, errors } = parseSync(path, text);
	if (errors[0]) throw new Error(`${path}: ${errors[0].message}`);
	const arrows: Arrow[] = [];
	const add = (specifier: string | undefined, kind: Arrow["kind"]) =>
		arrows.push({ from: path, to: specifier === undefined ? computed : resolve(path, specifier), kind });
	for (const { moduleRequest, entries } of module.staticImports) {
		add(moduleRequest.value, entries.length > 0 && entries.every((entry) => entry.isType) ? "type" : "value");
	}
	for (const entry of module.staticExports.flatMap((statement) => statement.entries)) {
		if (entry.moduleRequest) add(entry.moduleRequest.value, entry.isType ? "type" : "value");
	}
	new Visitor({
		ImportExpression: ({ source }) => add(source.type === "Literal" ? String(source.value) : undefined, "value"),
		TSImportType: ({ source }) => add(source.value, "type"),
		Literal: ({ value }) => {
			if (typeof value === "string" && /^\.{1,2}\/.*\.(ts|mjs|js)$/.test(value)) add(value, "path");
		},
		CallExpression: ({ callee, arguments: [first] }) => {
			if (callee.type !== "Identifier" || callee.name !== "require") return;
			add(first?.type === "Literal" ? String(first.value) : undefined, "value");
		},
	}).visit(program);
	return { path, text, program, comments, exports: exportedNames(module), arrows };
}

function resolve(from: string, specifier: string): string {
	if (specifier.startsWith(".")) return posix.join(posix.dirname(from), specifier);
	if (isBuiltin(specifier)) return specifier.startsWith("node:") ? specifier : `node:${specifier}`;
	return `npm:${specifier.split("/", specifier.startsWith("@") ? 2 : 1).join("/")}`;
}

function exportedNames(module: EcmaScriptModule): string[] {
	const entries = module.staticExports.flatMap((statement) => statement.entries);
	return entries.flatMap(({ isType, exportName }) => (isType ? [] : (exportName.name ?? [])));
}
