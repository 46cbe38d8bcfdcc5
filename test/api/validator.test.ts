// What is wrong with a request is said in our own sentences, by its place, and never by what was sent.

import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { type Fault, validatorCompiler } from "../../api/validator.ts";

const schema = z.strictObject({
	name: z.string().min(2).max(3).optional(),
	count: z.int().min(1).max(9).optional(),
	list: z.array(z.string()).min(1).max(2).optional(),
	kind: z.enum(["a", "b"]).optional(),
	only: z.literal("x").optional(),
	at: z.iso.datetime().optional(),
	own: z.string().regex(/^\d$/, { error: "One digit." }).optional(),
	map: z.record(z.enum(["DE"]), z.int()).optional(),
	some: z
		.union([z.strictObject({ ids: z.array(z.string()) }), z.strictObject({ from: z.string(), to: z.string() })])
		.optional(),
});

function faultsOf(data: unknown, of: z.ZodType = schema): [string, string][] {
	const validate = validatorCompiler({ schema: of, method: "POST", url: "/" });
	const { error = [] } = validate(data) as { error?: Fault[] };
	return error.map(({ instancePath, message }) => [instancePath, message]);
}

test("each fault names what would be right", () => {
	const cases: [unknown, [string, string][]][] = [
		[{ name: "x" }, [["/name", "At least 2 characters."]]],
		[{ name: "xxxx" }, [["/name", "At most 3 characters."]]],
		[{ name: 7 }, [["/name", "It must be a text."]]],
		[{ count: 0 }, [["/count", "At least 1."]]],
		[{ count: 1.5 }, [["/count", "It must be a whole number."]]],
		[{ list: [] }, [["/list", "At least 1 item."]]],
		[{ list: ["a", "b", "c"] }, [["/list", "At most 2 items."]]],
		[{ list: [null] }, [["/list/0", "It must be a text."]]],
		[{ kind: "c" }, [["/kind", "One of a, b."]]],
		[{ only: "y" }, [["/only", "It must be x."]]],
		[{ at: "today" }, [["/at", "A time of RFC 3339 such as 2026-11-26T09:00:00Z."]]],
		[{ own: "ab" }, [["/own", "One digit."]]],
		[[], [["/", "It must be an object."]]],
		[undefined, [["/", "It is missing."]]],
	];
	for (const [data, faults] of cases) assert.deepEqual(faultsOf(data), faults, JSON.stringify(data));
	assert.deepEqual(faultsOf({}), []);
});

test("of several forms the nearest is told of, and where none is nearer, that there are several", () => {
	assert.deepEqual(faultsOf({ some: { ids: [1] } }), [["/some/ids/0", "It must be a text."]]);
	assert.deepEqual(faultsOf({ some: { from: "x" } }).slice(0, 1), [["/some/to", "It is missing."]]);
	const [[place, sentence] = []] = faultsOf({ some: 7 });
	assert.deepEqual([place, /^None of the forms/.test(sentence ?? "")], ["/some", true]);
});

test("no sentence is the validator's own, and none holds what was sent", () => {
	const secret = "+4915112345678";
	const wrong = { name: secret, count: secret, list: secret, kind: secret, only: secret, at: secret, own: secret };
	const said = faultsOf({ ...wrong, map: { DE: secret }, some: secret });
	assert.ok(said.length >= 9);
	for (const [, sentence] of said) assert.doesNotMatch(sentence, /Invalid|expected|received|Too (small|big)|4915/);
});
