// What is made of figures: regressions that are told, and pictures that show what was measured.

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { basename, join } from "node:path";
import { test } from "node:test";
import { type CpuProfile, drawFlame } from "../../bench/flame.ts";
import { percentile95, spread, untilStill } from "../../bench/measure.ts";
import { untilSettled } from "../../bench/peers.ts";
import { draw, drawLines } from "../../bench/plot.ts";
import { type Figures, findRegressions, isBusy, recorded } from "../../bench/records.ts";
import { root } from "../tidy/tree.ts";

const rates = { store: "mongod", messagesPerSecond: 900 };
const lifecycle = {
	...rates,
	suite: "lifecycle",
	ratio: 0.6,
	sharedRatio: 3,
	sharing: { waiting: { ratios: { min: 1, median: 1.2, max: 1.4 } } },
	latencyRatio: 4,
	eventsPerMessage: 13,
	historyBytesPerMessage: 2_600,
};

test("a figure counts as worse beyond 15 %, one that is better when less the other way about; rates do not count", () => {
	const judge = (changed: object) => findRegressions({ ...lifecycle, ...changed }, lifecycle);
	assert.deepEqual(judge({ ratio: 0.52, messagesPerSecond: 1, latencyRatio: 3 }), []);
	assert.deepEqual(judge({ ratio: 0.5 }), ["ratio is 0.500, was 0.600"]);
	const sharing = { waiting: { ratios: { min: 0.8, median: 0.9, max: 2 } } };
	assert.deepEqual(judge({ sharing }), ["sharing.waiting.ratios is 0.900, was 1.200"]);
	assert.deepEqual(judge({ latencyRatio: 5 }), ["latencyRatio is 5.000, was 4.000"]);
});

test("what grows under a steady load counts as worse the more it grows, and a message that failed by itself", () => {
	const soak = {
		...{ suite: "soak", store: "mongod", messages: 9_000, failed: 0, databaseBytesPerMessage: 2_000 },
		ratios: { memoryBytes: 1, handles: 1, openRuns: 1, redisKeys: 4, databaseBytes: 3 },
	};
	const judge = (changed: object) => findRegressions({ ...soak, ...changed }, soak);
	assert.deepEqual(judge({ ratios: { ...soak.ratios, memoryBytes: 0.5, handles: 0.7 } }), []);
	assert.deepEqual(judge({ ratios: { ...soak.ratios, memoryBytes: 1.3 } }), ["ratios.memoryBytes is 1.300, was 1.000"]);
	assert.deepEqual(judge({ failed: 2 }), ["2 of 9000 messages failed"]);
});

test("a page counts as worse the later it can be read, with a PIN and without, and the more it weighs", () => {
	const page = {
		...{ suite: "page", store: "mongod", ratio: 2, pinRatio: 3 },
		...{ withoutPin: { bytes: 12_000 }, withPin: { bytes: 13_000 } },
	};
	const judge = (changed: object) => findRegressions({ ...page, ...changed }, page);
	assert.deepEqual(judge({ ratio: 1, pinRatio: 1.5 }), []);
	assert.deepEqual(judge({ ratio: 2.5 }), ["ratio is 2.500, was 2.000"]);
	assert.deepEqual(judge({ pinRatio: 4 }), ["pinRatio is 4.000, was 3.000"]);
	assert.deepEqual(judge({ withPin: { bytes: 26_000 } }), ["withPin.bytes is 26000.000, was 13000.000"]);
});

test("of growth nothing counts that has nothing of ours in it, nor memory that the system did not tell", () => {
	const growth = {
		...{ suite: "growth", store: "mongod", ratios: { bare: 1, single: 0.9, batch: 1 } },
		...{ memory: { letheSharedOnceBytes: 800e6 }, bytesPerMessage: { all: 2_000 } },
	};
	const judge = (changed: object, then: Figures = growth) => findRegressions({ ...growth, ...changed }, then);
	assert.deepEqual(judge({ ratios: { ...growth.ratios, bare: 0.1 } }), []);
	assert.deepEqual(judge({ ratios: { ...growth.ratios, single: 0.7 } }), ["ratios.single is 0.700, was 0.900"]);
	assert.deepEqual(judge({ memory: { letheSharedOnceBytes: 1e9 } }).length, 1);
	assert.deepEqual(judge({ memory: { letheSharedOnceBytes: Number.NaN } }), []);
	assert.deepEqual(judge({}, { ...growth, memory: { letheSharedOnceBytes: null } }), []);
});

test("a promise that a run breaks is told, whatever is on record", () => {
	const over = ["single: events is 15, at most 14 by the design"];
	assert.deepEqual(findRegressions({ suite: "cost", store: "mongod", over }, undefined), over);
	const accept = {
		...{
			suite: "accept",
			store: "mongod",
			ratio: 0.3,
			latencyRatio: 4,
			loaded: { latencyRatio: 2 },
			batches: { ratio: 5 },
		},
		overload: { met: { overloaded: true, durable: true, memoryBounded: true, recovered: true } },
	};
	assert.deepEqual(findRegressions(accept, accept), []);
	const slow = { ...accept, loaded: { latencyRatio: 3 } };
	assert.deepEqual(findRegressions(slow, accept), ["loaded.latencyRatio is 3.000, was 2.000"]);
	const overload = { met: { ...accept.overload.met, durable: false } };
	assert.deepEqual(findRegressions({ ...accept, overload }, accept), ["overload.met.durable is false"]);
	assert.equal(findRegressions({ ...accept, overload }, undefined)[0], "overload.met.durable is false");
});

test("a run beside the peers in which Lethe failed, or sent twice, is no pass; another peer may do either", () => {
	const killed = { accepted: 9, submittedAtKill: 5, lost: 0, twice: 0, receiptsLost: 0 };
	const peers = {
		...{ suite: "peers", store: "mongod", ratios: { "lethe-batch": { plain: 0.2 } } },
		peers: { jasmin: { absent: "there is no Python with venv" }, plain: { killed: { ...killed, twice: 3 } } },
	};
	const judge = (ours: object, more: object = {}) =>
		findRegressions({ ...peers, ...more, peers: { ...peers.peers, "lethe-batch": ours } }, peers);
	assert.deepEqual(judge({ killed }), []);
	assert.deepEqual(judge({ failed: "POST answered 500" }, { ratios: {} }), ["lethe-batch: POST answered 500"]);
	assert.deepEqual(judge({ absent: "it did not start" }, { ratios: {} }), ["lethe-batch: it did not start"]);
	assert.deepEqual(judge({ killed: { ...killed, twice: 2 } }), ["lethe-batch: 2 sent twice after a kill"]);
});

test("a figure that is no number passes nowhere, and one that is 0 as it was does", () => {
	const judge = (changed: object) => findRegressions({ ...lifecycle, ...changed }, lifecycle);
	assert.deepEqual(judge({ ratio: Number.NaN }), ["ratio is NaN, was 0.600"]);
	assert.deepEqual(judge({ latencyRatio: Number.NaN }), ["latencyRatio is NaN, was 4.000"]);
	const none = { ...lifecycle, eventsPerMessage: 0 };
	assert.deepEqual(findRegressions(none, none), []);
	const purge = { suite: "purge", store: "mongod", ratio: Number.NaN, targets: { ratioMin: 0.5 } };
	assert.deepEqual(findRegressions(purge, undefined)[0], "ratio is NaN, its target 0.5");
});

test("what was recorded on another store, or not at all, is no measure, and no pass", () => {
	const told = (now: Figures, then: Figures | undefined) => findRegressions(now, then).join();
	assert.match(
		told({ ...lifecycle, ratio: 0.1, store: "other" }, lifecycle),
		/^recorded on mongod, .* not comparable$/,
	);
	assert.match(told(lifecycle, undefined), /^nothing is recorded of lifecycle/);
	assert.throws(() => findRegressions({ suite: "unknown" }, undefined), /unknown/);
});

test("each record that there is can be compared: none is worse than itself", () => {
	for (const file of readdirSync(join(root, "docs/benchmarks"))) {
		const figures = recorded(basename(file, ".json"));
		assert.ok(figures, file);
		const worse = findRegressions(figures, figures).filter((line) => line.includes(", was "));
		assert.deepEqual(worse, [], file);
	}
});

test("figures of a machine that others use are not kept: more than half of its processors busy", () => {
	assert.equal(isBusy({ loadBefore: 1, cores: 2 }), false);
	assert.equal(isBusy({ loadBefore: 1.1, cores: 2 }), true);
	assert.equal(isBusy({ loadBefore: 1.1, cores: 4 }), false);
});

test("what is counted is waited for until it stays as it is, or has come to its end", async () => {
	const counts = [3, 2, 1, 0, 9];
	await untilStill(async () => counts.shift() as number, { stillMs: 10, end: 0 });
	assert.deepEqual(counts, [9]);
	const moving = [7, 6, 5];
	let looks = 0;
	await untilStill(async () => moving[looks++] ?? 5, { stillMs: 10, end: 0 });
	assert.ok(looks > moving.length);
});

test("after a kill those texts are waited for that a peer said it has, whatever else comes of it meanwhile", async () => {
	const taken = { times: 1, cameAt: 1, acknowledgedAt: 2 };
	const seen = new Map(["k-0", "k-1", "k-9"].map((text) => [text, taken] as const));
	let looks = 0;
	const smsc = {
		async texts() {
			// A late one comes once somebody has looked.
			if (looks++ > 0) seen.set("k-2", taken);
			return seen;
		},
	};
	const accepted = ["k-0", "k-1", "k-2"];
	const place = { smsc, sink: { heard: new Map<string, number>() } };
	const settled = await untilSettled({ receipts: "acknowledged" }, place, "k-", accepted, 5_000);
	assert.deepEqual(
		accepted.filter((text) => !settled.received.has(text)),
		[],
	);
	assert.equal(looks, 2);
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
