// Reports as pages: whatever a value holds, it is text.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { renderReport } from "../../api/report.ts";

test("no value and no name becomes markup, in any place", () => {
	const own = new Set(renderReport("t", { a: [{ b: { c: "d" } }], e: "f", g: ["h"] }).match(/<\/?\w+/g));
	const value = fc.oneof(fc.string(), fc.constantFrom("<script>alert(1)</script>", "\"'>&<b>"), fc.array(fc.string()));
	const property = fc.property(
		fc.string(),
		fc.dictionary(fc.string(), value),
		fc.array(fc.dictionary(fc.string(), value)),
		(title, one, rows) => {
			const tags = renderReport(title, { one, rows }).match(/<\/?\w+/g) ?? [];
			assert.deepEqual(
				tags.filter((tag) => !own.has(tag)),
				[],
			);
		},
	);
	fc.assert(property, { numRuns: 300 });
});

test("names are read as words, and what is empty says so", () => {
	const page = renderReport("A report", { receivedAt: "today", messages: [], none: undefined });
	assert.ok(page.includes("<h2>Received at</h2><p>today</p>"));
	assert.ok(page.includes("<h2>Messages</h2><p>none</p>"));
	assert.ok(!page.includes("undefined"));
});
