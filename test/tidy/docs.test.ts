// The pages made from code say what the code says.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { errorCatalogue } from "../../domain/errors.ts";
import { reasonCodes } from "../../policies/reasons.ts";
import { renderClientTypes } from "../../stack/clientTypes.ts";
import { renderDocs } from "../../stack/docs.ts";
import { readTreeFile, root, treePaths } from "./tree.ts";

for (const [path, text] of Object.entries(renderDocs())) {
	test(`${path} is what \`npm run docs\` writes`, () => assert.equal(readTreeFile(path), text));
}

test("the client's types are what `npm run docs` makes of the OpenAPI document", async () => {
	for (const [path, text] of Object.entries(await renderClientTypes())) assert.equal(readTreeFile(path), text, path);
});

test("links between pages lead to files of the tree", () => {
	const broken = treePaths
		.filter((path) => path.endsWith(".md"))
		.flatMap((page) => {
			const links = [...readTreeFile(page).matchAll(/\]\(([^)#:]+)(#[^)]*)?\)/g)].map(([, to = ""]) => to);
			return links.filter((to) => !existsSync(join(root, dirname(page), to))).map((to) => `${page} → ${to}`);
		});
	assert.deepEqual(broken, []);
});

test("what a delivery mode protects against is shown by a test of that name", () => {
	const page = readTreeFile("docs/delivery-modes.md");
	const shown = [...page.matchAll(/^\[(\d+)\]: \.\.\/(\S+) "(.+)"$/gm)];
	assert.ok(shown.length > 5);
	const missing = shown.filter(([, , path = "", name = ""]) => !readTreeFile(path).includes(name));
	assert.deepEqual(
		missing.map(([line]) => line),
		[],
	);
	const named = new Set(shown.map(([, number]) => number));
	assert.deepEqual(
		[...page.matchAll(/\[(\d+)\][^:]/g)].filter(([, number]) => !named.has(number)),
		[],
	);
	const [, table = ""] = page.split("\n|---|---|---|---|---|\n");
	const cells = (table.split("\n\n")[0] ?? "").split("\n").flatMap((row) => row.split("|").slice(2, -1));
	assert.ok(cells.length >= 28);
	// Who has no SMS reads none: nothing is to be shown of that.
	assert.deepEqual(
		cells.filter((cell) => !/\(\[\d+\]/.test(cell) && cell.trim() !== "sees no SMS"),
		[],
	);
});

test("every script that CONTRIBUTING.md and the README name is there", () => {
	const { scripts } = JSON.parse(readTreeFile("package.json"));
	const text = readTreeFile("CONTRIBUTING.md") + readTreeFile("README.md");
	const named = [...text.matchAll(/\bnpm run (?:--\w+ )?([\w:-]+)/g)].map(([, name = ""]) => name);
	assert.ok(named.includes("check"));
	assert.deepEqual(
		named.filter((name) => !(name in scripts)),
		[],
	);
});

test("docs/alerts.md lists each metric of ours, and its rules name no other", () => {
	const page = readTreeFile("docs/alerts.md");
	const names = (text: string, pattern: RegExp) => [...new Set(text.match(pattern))].sort();
	const code = treePaths.filter((path) => path.startsWith("api/")).map((path) => readTreeFile(path));
	const known = names(code.join("\n"), /(?<=(?:watch\(\s*|name: )")lethe_[a-z_]+(?=",)/g);
	assert.ok(known.includes("lethe_purge_overdue"));
	assert.deepEqual(names(page, /(?<=^\| `)lethe_[a-z_]+/gm), known);
	assert.deepEqual(
		names(page, /lethe_[a-z_]+/g).filter((name) => !known.includes(name)),
		[],
	);
});

test("every error code has a section with its status and its sentence", () => {
	const page = readTreeFile("docs/errors.md");
	for (const [code, { status, title }] of Object.entries(errorCatalogue)) {
		const section = page.split(`\n## ${code}\n`)[1]?.split("\n## ")[0];
		assert.ok(section?.includes(title) && section.includes(`Status ${status}.`), code);
	}
});

test("every reason code has a row with its meaning", () => {
	const page = readTreeFile("docs/reasons.md");
	for (const code of reasonCodes) assert.match(page, new RegExp(`^\\| \`${code}\` \\| \\S.*\\. \\|$`, "m"));
});
