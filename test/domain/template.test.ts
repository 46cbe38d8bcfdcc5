// Templates: every place is declared, every declared variable has a place, and values are put in as they are.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { Plaintext } from "../../domain/plaintext.ts";
import { fillTemplate, templateFaults } from "../../domain/template.ts";

const short = { dataClass: "contact", charactersMax: 8 };
const fill = (text: string, names: string[], values: Record<string, string>) => {
	const variables = Object.fromEntries(names.map((name) => [name, short]));
	const given = Object.fromEntries(Object.entries(values).map(([name, value]) => [name, Plaintext.text(value)]));
	const filled = fillTemplate({ text, variables }, given);
	return "text" in filled ? filled.text.reveal() : filled.faults.map(({ pointer }) => pointer);
};

describe("templates", () => {
	it("a place that nothing declares, a variable without a place and stray braces are told by pointer", () => {
		const faults = templateFaults({ text: "Hi {{name}}, {{ day }} {{x1}}", variables: { clinic: short } });
		assert.deepEqual(
			faults.map(({ pointer }) => pointer),
			["/variables/name", "/variables/clinic", "/text"],
		);
		assert.deepEqual(templateFaults({ text: "Hi {{name}} {a}", variables: { name: short } }), []);
	});

	it("a missing, an undeclared and a too long value are refused together", () => {
		assert.deepEqual(fill("{{a}}{{b}}", ["a", "b"], { b: "123456789", c: "x" }), [
			"/variables/a",
			"/variables/b",
			"/variables/c",
		]);
		assert.deepEqual(fill("{{toString}}", ["toString"], {}), ["/variables/toString"]);
	});

	it("values are never read as template or pattern, whatever they hold", () => {
		assert.equal(fill("{{a}}-{{b}}-{{a}}", ["a", "b"], { a: "{{b}}", b: "$&$1" }), "{{b}}-$&$1-{{b}}");
		fc.assert(
			fc.property(fc.string({ maxLength: 8 }), fc.string({ maxLength: 8 }), (a, b) => {
				assert.equal(fill("<{{a}}|{{b}}>", ["a", "b"], { a, b }), `<${a}|${b}>`);
			}),
		);
	});

	it("what would be longer than a message may be is refused", () => {
		assert.deepEqual(fill(`${"x".repeat(1_525)}{{a}}`, ["a"], { a: "123456" }), ["/variables"]);
	});
});
