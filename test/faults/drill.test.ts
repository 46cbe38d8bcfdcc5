// Both drills, as an operator runs them: every row of their tables is as it must be.

import assert from "node:assert/strict";
import { test } from "node:test";
import { root, run } from "../harness/programs.ts";

for (const name of ["restore", "forget"]) {
	test(`lethe drill ${name} passes, and says so by its exit code`, async () => {
		const { code, out, error } = await run(process.execPath, [`${root}/cli/lethe.ts`, "drill", name, "--json"]);
		assert.equal(code, 0, `${out}\n${error}`);
		const { passed, rows } = JSON.parse(out);
		assert.equal(passed, true);
		assert.ok(rows.length > 8);
	});
}
