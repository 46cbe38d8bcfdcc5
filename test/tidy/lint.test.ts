// The linter's configuration: each rule that the house relies on is seen to refuse a sample.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { readTreeFile, root } from "./tree.ts";

const folder = mkdtempSync(join(tmpdir(), "lethe-lint-"));
after(() => rmSync(folder, { recursive: true }));

const longFunction = (lines: number) =>
	`export function long(a: number) {\n${"\ta += 1;\n".repeat(lines - 3)}\treturn a;\n}\n`;

const samples: [rule: string, path: string, text: string][] = [
	["complexity/noExcessiveLinesPerFunction", "api/long.ts", longFunction(71)],
	["correctness/noUnusedImports", "api/unused.ts", 'import { a } from "./other.ts";\n'],
	["correctness/noUnusedVariables", "api/variable.ts", "const a = 1;\n"],
	["correctness/useImportExtensions", "api/extension.ts", 'export { a } from "./other";\n'],
	["nursery/noFloatingPromises", "api/floating.ts", 'import { work } from "./other.ts";\nwork();\n'],
	["nursery/noMisusedPromises", "api/misused.ts", 'import { work } from "./other.ts";\nif (work()) work;\n'],
	["style/noDefaultExport", "api/default.ts", "export default 1;\n"],
	["style/useImportType", "api/type.ts", 'import { B } from "./other.ts";\nexport const b: B = 1;\n'],
	["style/useNodeAssertStrict", "test/assert.test.ts", 'import assert from "node:assert";\nassert.ok(1);\n'],
	["style/useThrowOnlyError", "api/throw.ts", 'throw "text";\n'],
	["suspicious/noConsole", "api/console.ts", "console.log(1);\n"],
	["suspicious/noExplicitAny", "api/any.ts", "export let a: any;\n"],
	["suspicious/noFocusedTests", "test/only.test.ts", 'it.only("x", () => {});\n'],
];
const clean: [path: string, text: string][] = [
	[
		"api/other.ts",
		"export const a = 1;\nexport type B = number;\nexport async function work() {\n\treturn await a;\n}\n",
	],
	["api/fits.ts", longFunction(70)],
	["test/long.test.ts", longFunction(200)],
	["cli/console.ts", "console.log(1);\n"],
];

for (const [path, text] of [...clean, ...samples.map(([, path, text]) => [path, text] as const)]) {
	mkdirSync(dirname(join(folder, path)), { recursive: true });
	writeFileSync(join(folder, path), text);
}
// Biome counts the lines between the braces, hence 68 in biome.json for 70 in all.
const config = JSON.parse(readTreeFile("biome.json"));
writeFileSync(join(folder, "biome.json"), JSON.stringify({ ...config, $schema: undefined, vcs: { enabled: false } }));
for (const path of ["package.json", "tsconfig.json"]) writeFileSync(join(folder, path), readTreeFile(path));
const biome = join(root, "node_modules/.bin/biome");
const report = spawnSync(process.execPath, [biome, "lint", "--max-diagnostics=none", "--reporter=github", "."], {
	cwd: folder,
	encoding: "utf8",
}).stdout.split("\n");
const refusals = (path: string) => report.filter((line) => line.includes(`${path},`) && line.startsWith("::error"));

for (const [rule, path] of samples) {
	test(`the linter refuses what ${rule} forbids`, () => {
		assert.ok(
			refusals(path).some((line) => line.includes(`lint/${rule},`)),
			report.join("\n"),
		);
	});
}

test("the linter refuses nothing in files that keep the rules", () => {
	assert.deepEqual(
		clean.flatMap(([path]) => refusals(path)),
		[],
	);
});
