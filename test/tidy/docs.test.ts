// The pages made from code say what the code says.

import assert from "node:assert/strict";
import { test } from "node:test";
import { errorCatalogue } from "../../domain/errors.ts";
import { reasonCodes } from "../../policies/reasons.ts";
import { renderDocs } from "../../stack/docs.ts";
import { readTreeFile } from "./tree.ts";

for (const [path, text] of Object.entries(renderDocs())) {
	test(`${path} is what \`npm run docs\` writes`, () => assert.equal(readTreeFile(path), text));
}

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
