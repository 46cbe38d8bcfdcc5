// How the bench is called: what is mistyped is told of before anything is measured.

import assert from "node:assert/strict";
import { test } from "node:test";
import { run } from "../harness/programs.ts";

test("an option that there is not, or an amount that is none, is misuse, told in one line", async () => {
	for (const [args, says] of [
		[["--nope"], /^Unknown option '--nope'; --help/],
		[["--rounds", "abc"], /^--rounds takes a number above 0, not 'abc'; --help/],
		[["--rounds", "0"], /^--rounds takes a number above 0/],
		[["--messages", "-5"], /^Option '--messages' argument is ambiguous; --help/],
		[["--minutes", "1.5h"], /^--minutes takes a number above 0, not '1\.5h'; --help/],
		[["--rate", "100,x"], /^--rate takes a number above 0, not 'x'; --help/],
		[["--only", "plain,kanel"], /^--only takes parts of the peers' names, not 'kanel'; --help/],
		[["accept"], /^One suite at a time, not 'policy accept'; --help/],
	] as const) {
		const { code, out, error } = await run(process.execPath, ["bench/run.ts", "policy", ...args]);
		assert.deepEqual([code, out, error.trimEnd().split("\n").length], [2, "", 1], args.join(" "));
		assert.match(error, says);
	}
});
