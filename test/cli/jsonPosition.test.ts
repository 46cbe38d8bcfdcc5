// The place at which a text stops being JSON, found for whatever is wrong with it.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { jsonPosition } from "../../cli/jsonPosition.ts";

test("the first thing that JSON does not allow is found", () => {
	const faults: [text: string, line: number, column: number][] = [
		["", 1, 1],
		["{", 1, 2],
		['{"a": 1,, }', 1, 9],
		['{\n  "category": otp\n}', 2, 15],
		["[1,}", 1, 4],
		["[1 2]", 1, 4],
		['{"a" 1}', 1, 6],
		["{a: 1}", 1, 2],
		["[1,]", 1, 4],
		["[[1]", 1, 5],
		["[1]]", 1, 4],
		["{]", 1, 2],
		['["a\nb"]', 1, 2],
		['["\\x"]', 1, 2],
		["[01]", 1, 3],
		["[\n  1,\n  'a'\n]", 3, 3],
	];
	for (const [text, line, column] of faults) assert.deepEqual(jsonPosition(text), { line, column }, text);
});

test("what is JSON is read to its end, and what is cut off is found where it is cut", () => {
	fc.assert(
		fc.property(fc.json(), (text) => {
			const end = text.split("\n");
			assert.deepEqual(jsonPosition(text), { line: end.length, column: (end.at(-1)?.length ?? 0) + 1 });
			assert.equal(jsonPosition(`${text} ?`).column, (end.at(-1)?.length ?? 0) + 2);
		}),
	);
});
