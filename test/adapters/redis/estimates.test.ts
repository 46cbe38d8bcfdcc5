// What a counter stands at, without waiting for it: bounded in age and in number, and never for what is not known.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createEstimates } from "../../../adapters/redis/estimates.ts";

function open(lastsMs = 500) {
	const time = { ms: 0 };
	const { next, note } = createEstimates(() => time.ms);
	const answers: ((counted: number | undefined) => void)[] = [];
	const ask = () =>
		void note(
			"k",
			new Promise((resolve) => {
				answers.push((counted) => resolve(counted === undefined ? undefined : { counted, lastsMs }));
			}),
		);
	const answer = async (counted: number | undefined) => {
		answers.shift()?.(counted);
		await new Promise(setImmediate);
	};
	return { time, next: () => next("k"), ask, answer };
}

test("nothing is known before the first answer; then what was answered, and all that was asked since", async () => {
	const { next, ask, answer } = open();
	assert.equal(next(), undefined);
	ask();
	assert.equal(next(), undefined);
	await answer(7);
	assert.deepEqual(next(), { counted: 8, lastsMs: 500 });
	ask();
	ask();
	assert.equal(next()?.counted, 10);
	await answer(20);
	assert.equal(next()?.counted, 22, "one is still on its way");
});

test("it holds for as long as it was told, for so many that are on their way, and not once one is not answered", async () => {
	const { time, next, ask, answer } = open();
	ask();
	await answer(1);
	time.ms = 499;
	assert.ok(next());
	time.ms = 500;
	assert.equal(next(), undefined);
	ask();
	await answer(2);
	for (let count = 0; count < 16; count++) ask();
	assert.equal(next(), undefined);
	await answer(3);
	assert.equal(next()?.counted, 3 + 15 + 1);
	await answer(undefined);
	assert.equal(next(), undefined);
});

test("it is gone by for a second at most, and says all the while when the count really ends", async () => {
	const { time, next, ask, answer } = open(60_000);
	ask();
	await answer(1);
	time.ms = 999;
	assert.deepEqual(next(), { counted: 2, lastsMs: 59_001 });
	time.ms = 1_000;
	assert.equal(next(), undefined);
});
