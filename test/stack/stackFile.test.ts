// What says what runs: a file that is no stack's is refused, and a command that asks the API reads it without what only servers need.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { readStackFile } from "../../stack/stackFile.ts";
import { root, run } from "../harness/programs.ts";

test("a file that is no stack's is refused, with the mend; one that is not there is none", (t) => {
	const folder = mkdtempSync(join(tmpdir(), "lethe-stack-file-"));
	t.after(() => rmSync(folder, { recursive: true }));
	const file = join(folder, "stack.json");
	assert.equal(readStackFile(file), undefined);
	for (const text of ["", "null", "{}", '{"version":2,"servers":{},"processes":{}}']) {
		writeFileSync(file, text);
		assert.throws(() => readStackFile(file), /is not readable as a stack's state\. Delete it, then start again\.$/);
	}
});

test("a command that asks the API loads neither settings nor schemas to find it: they cost half its time", async () => {
	const script = `import { registerHooks } from "node:module";
		registerHooks({ load: (url, context, next) => (console.log(url), next(url, context)) });
		await import("${root}/cli/target.ts");`;
	const { code, out } = await run(process.execPath, ["--input-type=module", "-e", script]);
	assert.deepEqual([code, /target\.ts/.test(out), /zod|config\.ts/.test(out)], [0, true, false], out);
});
