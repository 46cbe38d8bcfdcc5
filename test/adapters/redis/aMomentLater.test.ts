// What is put off is done all the same, and all that was put off meanwhile together with it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { aMomentLater } from "../../../adapters/redis/aMomentLater.ts";

test("what is put off within a moment goes out in one turn, in order, and each caller has its own answer", async () => {
	let seen: { done: string[]; turns: number };
	const put = (name: string) => {
		const mine = seen;
		return aMomentLater(async () => {
			if (mine.done.length === 0) setImmediate(() => mine.turns++);
			mine.done.push(`${name} ${mine.turns}`);
			return name;
		});
	};
	let first: Promise<string>;
	do {
		seen = { done: [], turns: 0 };
		first = put("one");
		assert.deepEqual(seen.done, [], "not at once");
		await new Promise((resolve) => setImmediate(resolve));
		// A machine that stood still for longer than the moment has it over by then: the others would be in the next.
	} while (seen.done.length > 0);
	assert.deepEqual(await Promise.all([first, put("two"), put("three")]), ["one", "two", "three"]);
	assert.deepEqual(seen.done, ["one 0", "two 0", "three 0"]);
	assert.equal(await put("four"), "four", "and the next moment comes");
});

test("what fails keeps nothing else from being done", async () => {
	const failing = aMomentLater(() => Promise.reject(new Error("away")));
	const other = aMomentLater(async () => "done");
	await assert.rejects(failing, /away/);
	assert.equal(await other, "done");
});
