// What two long texts differ in is seen, and nothing of it is left out.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { elide } from "../../policies/elide.ts";

const names = Array.from({ length: 300 }, (_, index) => `name_${index}`);

test("of a long list a name that is gone is told with what is near it, and the rest of the list is not", () => {
	const before = `basis is not ${names.join(" or ")}`;
	const after = `basis is not ${names.filter((name) => name !== "name_150").join(" or ")}`;
	const [old, now] = elide(before, after);
	assert.match(old, /^basis is not name_0 … .*name_149 or name_150 or name_151.* … .*name_299$/);
	assert.ok(!now.includes("name_150") && old.length + now.length < 250, `${old} → ${now}`);
});

test("what is short, or beyond measure, is told whole", () => {
	assert.deepEqual(elide("at most 30 days", "at most 7 days"), ["at most 30 days", "at most 7 days"]);
	const [one, other] = ["a", "b"].map((side) =>
		names
			.map((name) => `${side}_${name}`.repeat(4))
			.join(" ")
			.repeat(8),
	) as [string, string];
	assert.deepEqual(elide(one, other), [one, other]);
});

test("no word that only one of two texts has is left out of it", () => {
	const text = fc.array(fc.constantFrom(..."abcdefgh"), { maxLength: 120 });
	fc.assert(
		fc.property(text, text, fc.nat(60), (start, end, gap) => {
			const [before, after] = [
				[...start, "gone", ...end],
				[...start.slice(gap), ...end, "new"],
			];
			const [old, now] = elide(before.join(" "), after.join(" "));
			assert.ok(old.split(" ").includes("gone") && now.split(" ").includes("new"));
			for (const [told, whole] of [
				[old, before],
				[now, after],
			] as const) {
				let place = 0;
				for (const word of told.split(" ").filter((one) => one !== "…")) {
					place = whole.indexOf(word, place) + 1;
					assert.ok(place > 0, `${told} is no part of ${whole.join(" ")}`);
				}
			}
		}),
	);
});
