// Writes the pages and the schema that are made from code, for people and editors; a test compares them.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { settings } from "../config.ts";
import { errorCatalogue } from "../domain/errors.ts";
import { packJsonSchema } from "../policies/jsonSchema.ts";
import { readFiles } from "../policies/load.ts";
import { reasonMeanings } from "../policies/reasons.ts";
import { effectNames, type PackFile } from "../policies/schema.ts";

const made = "<!-- Made by `npm run docs`; a test fails when it is out of date. -->";

/** Path from the repository's root → the page's text. */
export function renderDocs(): Record<string, string> {
	return {
		"docs/errors.md": renderErrors(),
		"docs/reasons.md": renderReasons(),
		"docs/rules.md": renderRules(),
		"docs/settings.md": renderSettings(),
		"policies/pack.schema.json": `${JSON.stringify(packJsonSchema(), null, "\t")}\n`,
	};
}

if (import.meta.main) {
	for (const [path, text] of Object.entries(renderDocs())) {
		writeFileSync(join(import.meta.dirname, "..", path), text);
		console.log(`${path} written`);
	}
}

function renderErrors(): string {
	const sections = Object.entries(errorCatalogue).map(
		([code, { status, retryable, title }]) =>
			`## ${code}\n\n${title}\n\nStatus ${status}. ${
				retryable ? "The same request may succeed later." : "Do not repeat the same request unchanged."
			}\n`,
	);
	return `${made}

# Errors

Every failure answers \`application/problem+json\` (RFC 9457). \`type\` links to a section of this page, \`code\` is its
heading and never changes, \`retryable\` says whether the same request may succeed later, \`requestId\` finds the cause in
the logs, and \`errors[]\` points into the request. Contents, numbers and secrets are never echoed.

${sections.join("\n")}`;
}

function renderReasons(): string {
	const rows = Object.entries(reasonMeanings).map(([code, meaning]) => `| \`${code}\` | ${meaning} |`);
	return `${made}

# Reasons

Every decision gives its reasons as codes of this page and no others, the decisive ones first; \`rules\` and \`citations\`
of the decision say which rule of which pack is meant.

| code | means |
|---|---|
${rows.join("\n")}
`;
}

function renderRules(): string {
	const packs = readFiles().map(({ file }) => renderPack(file));
	return `${made}

# Rules

What the packs in \`policies/packs\` hold, rule by rule. **Not legal advice:** every rule says how sure its reading is and when
its source was last looked at; counsel confirms before use. Basis: \`law\` is a statute, rule, regulator's guidance or binding
standard, \`carrier\` operators' terms, \`default\` a choice of this project.

${packs.join("\n")}`;
}

function renderPack({ id, version, title, rules, excludes, cases }: PackFile): string {
	const rows = rules.map((rule) => {
		const effect = effectNames.find((name) => rule[name] !== undefined) ?? "";
		const dates = [rule.effectiveFrom && `from ${rule.effectiveFrom}`, rule.effectiveTo && `until ${rule.effectiveTo}`];
		const note = [...dates, rule.note].filter(Boolean).join(". ");
		const cells = [
			`\`${rule.id}\``,
			effect,
			rule.basis,
			rule.citations.join("; "),
			`${rule.confidence}, ${rule.verifiedOn}`,
			note,
		];
		return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
	});
	const excluded = excludes.map(({ citations }) => citations.join("; "));
	const leaves =
		excluded.length > 0 ? `\nLeaves out what ${[...new Set(excluded)].join(" and ")} leaves to others.\n` : "";
	return `## ${title} (\`${id}\` ${version}, ${cases.length} cases)
${leaves}
| rule | does | basis | source | sure, as of | note |
|---|---|---|---|---|---|
${rows.join("\n")}
`;
}

function renderSettings(): string {
	const rows = Object.entries(settings).map(([name, setting]) => {
		const { takes, otherwise } = describe(setting.schema);
		return `| \`${name}\` | ${setting.doc}${"secret" in setting ? " Secret." : ""} | ${takes} | ${otherwise} |`;
	});
	return `${made}

# Settings

All settings are environment variables, read and checked once at start; a bad or unknown one ends the process with a line
that names it. An empty variable counts as absent. A setting whose default is "none" is needed only by the processes that
use it, and they say so. \`npm start\` hands the \`LETHE_\` ones on to its processes; addresses and credentials are its own.

| setting | what it does | takes | default |
|---|---|---|---|
${rows.join("\n")}
`;
}

type JsonSchema = {
	type?: string;
	enum?: unknown[];
	const?: unknown;
	format?: string;
	pattern?: string;
	minimum?: number;
	maximum?: number;
	anyOf?: JsonSchema[];
};

function describe(schema: z.ZodType): { takes: string; otherwise: string } {
	const json = z.toJSONSchema(schema, { io: "input" }) as JsonSchema;
	const { data } = schema.safeParse(undefined);
	return { takes: takes(json).replaceAll("|", "\\|"), otherwise: data === undefined ? "none" : `\`${data}\`` };
}

function takes(json: JsonSchema): string {
	if (json.anyOf) return json.anyOf.map(takes).join(" or ");
	if (json.enum) return json.enum.map((value) => `\`${value}\``).join(", ");
	if (json.const !== undefined) return `\`${json.const}\``;
	if (json.format === "uri") return "URL";
	if (json.pattern) return `text matching \`${json.pattern}\``;
	if (json.type !== "integer" && json.type !== "number") return "text";
	const { minimum = 0, maximum = Number.MAX_SAFE_INTEGER } = json;
	return maximum === Number.MAX_SAFE_INTEGER ? `whole number from ${minimum}` : `whole number ${minimum} to ${maximum}`;
}
