// The place at which a text stops being JSON, or says one thing twice, found for whatever is wrong with it.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { jsonFault } from "../../cli/jsonFault.ts";

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
		["]", 1, 1],
		["}", 1, 1],
		['["a\nb"]', 1, 2],
		['["\\x"]', 1, 2],
		["[01]", 1, 3],
		["[\n  1,\n  'a'\n]", 3, 3],
	];
	for (const [text, line, column] of faults) assert.deepEqual(jsonFault(text), { line, column, repeats: false }, text);
});

test("a name that its object has already is found, however it is spelled, and in another object it is none", () => {
	const faults: [text: string, line: number, column: number][] = [
		['{"category":"otp","category":"marketing"}', 1, 19],
		['{"a": {"b": 1,\n"b": 2}}', 2, 1],
		['[{"a": 1}, {"a": 1, "\\u0061": 1}]', 1, 21],
		['{"__proto__": 1, "a": {}, "__proto__": 1}', 1, 27],
		['{"": 1, "": 1}', 1, 9],
	];
	for (const [text, line, column] of faults) assert.deepEqual(jsonFault(text), { line, column, repeats: true }, text);
	for (const text of ['[{"a": 1}, {"a": 1}]', '{"a": {"a": "a"}, "b": ["a", "a"]}']) {
		assert.equal(jsonFault(text), undefined, text);
	}
});

test("what is JSON has none, and what follows it is found", () => {
	fc.assert(
		fc.property(fc.json(), (text) => {
			assert.equal(jsonFault(text), undefined);
			const end = text.split("\n");
			assert.equal(jsonFault(`${text} ?`)?.column, (end.at(-1)?.length ?? 0) + 2);
		}),
	);
});

test("one is found where the parser finds one, and nowhere else", () => {
	const piece = fc.oneof(
		fc.constantFrom("{", "}", "[", "]", ",", ":", " ", "\n", '"', "\\", "-", "0", "1.5e3", "true", "null", '"a"'),
		fc.string({ unit: "binary", maxLength: 2 }),
		fc.constantFrom('"\u007f"', '"\u0085"', '"\u001f"', '"\ud800"'),
	);
	fc.assert(
		fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
			const text = pieces.join("");
			let isJson = true;
			try {
				JSON.parse(text);
			} catch {
				isJson = false;
			}
			const fault = jsonFault(text);
			assert.equal(fault === undefined || fault.repeats, isJson, text);
		}),
		{ numRuns: 500 },
	);
});
