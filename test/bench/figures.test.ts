// What is made of figures: regressions that are told, and pictures that show what was measured.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type CpuProfile, drawFlame } from "../../bench/flame.ts";
import { percentile95, spread } from "../../bench/measure.ts";
import { draw, drawLines } from "../../bench/plot.ts";
import { findRegressions } from "../../bench/records.ts";

const then = {
	suite: "lifecycle",
	store: "mongod",
	ratio: 0.6,
	ratios: { single: 1, batch: { min: 0.8, median: 0.9, max: 1 } },
	latencyRatio: 4,
	messagesPerSecond: 900,
};

test("a ratio counts as worse beyond 15 %, a latency's the other way about; rates of another machine do not", () => {
	assert.deepEqual(findRegressions({ ...then, ratio: 0.52, messagesPerSecond: 1, latencyRatio: 3 }, then), []);
	assert.deepEqual(findRegressions({ ...then, ratio: 0.5 }, then), ["ratio is 0.500, was 0.600"]);
	const ratios = { single: 2, batch: { min: 0.8, median: 0.7, max: 1 } };
	assert.deepEqual(findRegressions({ ...then, ratios }, then), ["ratios.batch is 0.700, was 0.900"]);
	assert.deepEqual(findRegressions({ ...then, latencyRatio: 5 }, then), ["latencyRatio is 5.000, was 4.000"]);
});

test("what was recorded on another store, or not at all, is no measure", () => {
	assert.throws(() => findRegressions({ ...then, store: "other" }, then), /not comparable/);
	assert.throws(() => findRegressions(then, undefined), /nothing is recorded/);
});

test("the 95th percentile is the value that 95 of 100 do not exceed", () => {
	const hundred = Array.from({ length: 100 }, (_, index) => 100 - index);
	assert.equal(percentile95(hundred), 95);
	assert.equal(percentile95([7]), 7);
	assert.throws(() => percentile95([]), RangeError);
	assert.equal(spread(hundred).median, 50.5);
});

test("a bar is as long as its figure, and a label can't break the picture", () => {
	const picture = draw("a < b", [{ label: "x & y", min: 1, median: 5, max: 10 }], "note");
	const [, wide] = /width="([\d.]+)" height="20"/.exec(picture) ?? [];
	assert.equal(Number(wide), ((720 - 200 - 90) / 10) * 5);
	assert.ok(picture.includes("a &lt; b") && picture.includes("x &amp; y"));
});

test("lines over time begin at the left, end at the right, and never leave the picture", () => {
	const points = Array.from({ length: 9 }, (_, x) => ({ x, y: 1 + x * x }));
	const picture = drawLines("a < b", [{ label: "x & y", points }], "note");
	assert.match(picture, /a &lt; b[\s\S]*x &amp; y/);
	const drawn = (/points="([^"]+)"/.exec(picture)?.[1] ?? "").split(" ").map((one) => one.split(",").map(Number));
	assert.equal(drawn.length, 9);
	const [xs, ys] = [drawn.map(([x]) => x as number), drawn.map(([, y]) => y as number)];
	assert.deepEqual(
		xs,
		xs.toSorted((one, other) => one - other),
	);
	assert.deepEqual(
		ys,
		ys.toSorted((one, other) => other - one),
		"more is higher up",
	);
	assert.ok(Math.min(...ys) > 24 && Math.max(...ys) < 320 && Math.max(...xs) < 720);
});

test("a flame is as wide as the time that was spent in it, and idle time is none", () => {
	const call = (functionName: string) => ({ functionName, url: "", lineNumber: 0 });
	const profile: CpuProfile = {
		nodes: [
			{ id: 1, callFrame: call("(root)"), children: [2, 4] },
			{ id: 2, callFrame: call("outer"), children: [3] },
			{ id: 3, callFrame: call("inner") },
			{ id: 4, callFrame: call("(idle)") },
		],
		samples: [2, 3, 4],
		timeDeltas: [1_000, 3_000, 96_000],
	};
	const picture = drawFlame(profile);
	assert.ok(picture.includes("<title>all 4.0 ms</title>"));
	assert.ok(picture.includes("<title>outer 4.0 ms</title>") && !picture.includes("idle"));
	assert.match(picture, /<title>inner 3\.0 ms<\/title><rect x="0\.0" y="32" width="900\.0"/);
});
