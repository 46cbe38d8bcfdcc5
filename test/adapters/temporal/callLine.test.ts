// Calls in a line: bounded at once, in length and in patience, the urgent first.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createCallLine } from "../../../adapters/temporal/callLine.ts";

function openLine(inFlightMax = 2, waitingMax = 3) {
	const time = { ms: 0 };
	const add = createCallLine({ inFlightMax, waitingMax, patienceMs: 100, monotonic: () => time.ms });
	const begun: string[] = [];
	const ends = new Map<string, (failed?: boolean) => void>();
	const call = (name: string) => () =>
		new Promise<void>((resolve, reject) => {
			begun.push(name);
			ends.set(name, (failed) => (failed ? reject(new Error(name)) : resolve()));
		});
	return {
		time,
		begun,
		add: (name: string, isUrgent?: boolean) => add(call(name), isUrgent),
		turn: () => new Promise(setImmediate),
		async end(name: string, failed?: boolean) {
			ends.get(name)?.(failed);
			await new Promise(setImmediate);
		},
	};
}

test("a burst goes in its order, so many at once; what finds no place is dropped", async () => {
	const line = openLine();
	for (const name of ["a", "b", "c", "d", "e", "f"]) line.add(name);
	assert.deepEqual(line.begun, [], "whoever adds one answers first");
	await line.turn();
	assert.deepEqual(line.begun, ["a", "b"]);
	for (const name of ["a", "b", "c", "d", "e"]) await line.end(name);
	assert.deepEqual(line.begun, ["a", "b", "c", "d", "e"]);
	line.add("g");
	await line.turn();
	assert.equal(line.begun.at(-1), "g");
});

test("what is urgent goes before what waits", async () => {
	const line = openLine(1);
	line.add("a");
	await line.turn();
	line.add("b");
	line.add("code", true);
	await line.end("a");
	assert.deepEqual(line.begun, ["a", "code"]);
});

test("a call that fails gives its place up, and one that waited too long is dropped", async () => {
	const line = openLine(1);
	line.add("a");
	await line.turn();
	line.add("late");
	line.time.ms = 60;
	line.add("b");
	line.time.ms = 101;
	await line.end("a", true);
	assert.deepEqual(line.begun, ["a", "b"]);
});
