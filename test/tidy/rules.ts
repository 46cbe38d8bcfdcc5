// House rules that neither the compiler nor the linter knows, each with samples that break it.

import { basename, dirname } from "node:path";
import { type Class, type Program, Visitor, type VisitorObject } from "oxc-parser";
import type { Source } from "./source.ts";

type Rule = {
	/** The rule, as a guarantee. */
	guarantee: string;
	/** Paths that it governs. */
	where: RegExp;
	except?: RegExp;
	/** What is wrong, one line each. */
	find: (source: Source) => string[];
	/** Texts of a file `domain/sample.ts` that break it, and texts that do not. */
	breaks: string[];
	keeps: string[];
};

const product = /^(?!test\/)/;
// Workflows are not among them: Temporal replaces Date and Math.random there by its own, which replay.
const logic = /^(domain|policies|activities|audit)\//;
const randomSources = /^(random\w*|getRandomValues|webcrypto|generateKey\w*)$/;

export const rules: Rule[] = [
	{
		guarantee: "a file opens with a sentence that says its purpose",
		where: /./,
		find: ({ text }) => (/^(#!.*\n)?\/\/ \S+ \S+ .*\S/.test(text) ? [] : ["no purpose sentence"]),
		breaks: ["export const sample = 1;", "//\nexport const sample = 1;", "/* a block of words */", "// Sample\n"],
		keeps: ["// What a sample is.\n", "#!/usr/bin/env node\n// What a sample is.\n"],
	},
	{
		guarantee: "a file's only value bears the name of the file or of its folder",
		where: product,
		except: /\/index\.ts$/,
		find: ({ path, exports }) =>
			exports.length !== 1 || exports.some((name) => bears(name, path)) ? [] : [`exports ${exports[0]}`],
		breaks: ["export const other = 1;", "export type Sample = 1; export function other() {}"],
		keeps: ["export function createSamples() {}", "const script = 1;", "export type Other = 1;"],
	},
	{
		guarantee: "nothing is left to do in a comment",
		where: /./,
		find: ({ comments }) =>
			comments.filter(({ value }) => /\b(TO-?DO|FIX-?ME|XXX|HACK)\b/.test(value)).map(({ value }) => value.trim()),
		breaks: ["// TODO later", "/* FIXME */", "// XXX"],
		keeps: ["// what to do with it"],
	},
	{
		guarantee: "time is a dependency",
		where: logic,
		find: ({ program }) =>
			collect(program, (say) => ({
				MemberExpression: ({ object, property }) => {
					if (object.type !== "Identifier" || property.type !== "Identifier") return;
					if (["Date.now", "performance.now", "process.hrtime"].includes(`${object.name}.${property.name}`)) {
						say(`${object.name}.${property.name}`);
					}
				},
				NewExpression: ({ callee, arguments: given }) => {
					if (callee.type === "Identifier" && callee.name === "Date" && given.length === 0) say("new Date()");
				},
				CallExpression: ({ callee }) => {
					if (callee.type === "Identifier" && callee.name === "Date") say("Date()");
				},
			})),
		breaks: ["const a = Date.now();", "const a = [1].map(Date.now);", "new Date();", "Date();", "performance.now();"],
		keeps: ["const a = new Date(0); Date.parse(b); Date.UTC(2000, 1);"],
	},
	{
		guarantee: "randomness is a dependency",
		where: logic,
		find: ({ program }) =>
			collect(program, (say) => ({
				MemberExpression: ({ object, property }) => {
					if (object.type !== "Identifier" || property.type !== "Identifier") return;
					if (object.name === "Math" && property.name === "random") say("Math.random");
					if (/crypto$/i.test(object.name) && randomSources.test(property.name)) say(`crypto.${property.name}`);
				},
				ImportDeclaration: ({ source, specifiers, importKind }) => {
					if (importKind === "type" || !/^(node:)?crypto$/.test(source.value)) return;
					for (const { local } of specifiers) if (randomSources.test(local.name)) say(local.name);
				},
			})),
		breaks: ["Math.random();", 'import { randomBytes } from "node:crypto";', "crypto.randomUUID();"],
		keeps: ['import { createHash } from "node:crypto";', 'import type { randomBytes } from "node:crypto";'],
	},
	{
		guarantee: "only config.ts and the launchers read the environment",
		where: product,
		except: /^(config\.ts$|stack\/|bench\/)/,
		find: ({ program, arrows }) => [
			...arrows.filter(({ to }) => to === "node:process").map(() => "imports node:process"),
			...collect(program, (say) => ({
				MemberExpression: ({ object, property }) => {
					if (object.type === "Identifier" && object.name === "process" && nameOf(property) === "env")
						say("process.env");
				},
				VariableDeclarator: ({ id, init }) => {
					if (id.type === "ObjectPattern" && init?.type === "Identifier" && init.name === "process")
						say("{ … } = process");
				},
			})),
		],
		breaks: [
			"process.env.X;",
			'process["env"];',
			"const { env } = process;",
			'import { env } from "node:process";',
			'import process from "process";',
		],
		keeps: ["process.exitCode = 1;", "vault.env;"],
	},
	{
		guarantee: "product code does not know how it was started, nor patches a workflow",
		where: product,
		find: ({ program }) =>
			collect(program, (say) => ({
				Identifier: ({ name }) => {
					if (name === "NODE_ENV" || name === "patched" || name === "deprecatePatch") say(name);
				},
				Literal: ({ value }) => {
					if (value === "NODE_ENV") say(value);
				},
			})),
		breaks: ['import { patched } from "@temporalio/workflow";', "process.env.NODE_ENV;", 'environment["NODE_ENV"];'],
		keeps: ["const dispatched = 1;"],
	},
	{
		guarantee: "there is no inheritance but that of errors, and no decorator",
		where: /./,
		find: ({ program }) =>
			collect(program, (say) => {
				const look = ({ superClass }: Class) => {
					const name = superClass?.type === "Identifier" ? superClass.name : superClass?.type;
					if (name !== undefined && !name.endsWith("Error")) say(`extends ${name}`);
				};
				return { ClassDeclaration: look, ClassExpression: look, Decorator: () => say("a decorator") };
			}),
		breaks: ["class A extends B {}", "const a = class extends mixin(B) {};", "@sealed class A {}"],
		keeps: ["class A extends Error {}", "class A {}"],
	},
];

/** What a rule finds in a file, unless the rule does not govern it. */
export function applyRule(rule: Rule, source: Source): string[] {
	if (!rule.where.test(source.path) || rule.except?.test(source.path)) return [];
	return rule.find(source).map((finding) => `${source.path}: ${finding}`);
}

function bears(name: string, path: string): boolean {
	const letters = (text: string) => text.replace(/\W/g, "").toLowerCase();
	const stems = [basename(path).replace(/\.\w+$/, ""), basename(dirname(path))].map((part) =>
		letters(part)
			.replace(/(ie)?s$|y$/, "")
			// A noun and its verb share their beginning: identity, identify.
			.slice(0, 6),
	);
	return stems.some((stem) => stem !== "" && letters(name).includes(stem));
}

function collect(program: Program, visitor: (say: (finding: string) => void) => VisitorObject): string[] {
	const findings: string[] = [];
	new Visitor(visitor((finding) => findings.push(finding))).visit(program);
	return findings;
}

function nameOf(property: { type: string; name?: unknown; value?: unknown }): unknown {
	return property.type === "Literal" ? property.value : property.name;
}
