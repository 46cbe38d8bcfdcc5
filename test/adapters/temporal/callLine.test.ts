// Calls in a line: bounded at once, in length and in patience, the urgent first.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createCallLine, type Urgency } from "../../../adapters/temporal/callLine.ts";

function openLine(inFlightMax = 2, waitingMax = 3) {
	const time = { ms: 0 };
	const timers: { at: number; call: () => void }[] = [];
	const { add, answer } = createCallLine({
		inFlightMax,
		waitingMax,
		patienceMs: 100,
		answersMin: 2,
		giveWayMsMax: 50,
		monotonic: () => time.ms,
		after: (ms, call) => void timers.push({ at: time.ms + ms, call }),
	});
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
		add: (name: string, urgency?: Urgency) => add(call(name), urgency),
		/** Somebody who is answered, until the function that this gives is called. */
		answering() {
			const { promise, resolve } = Promise.withResolvers<void>();
			const answered = answer(() => promise);
			return async () => {
				resolve();
				await answered;
				await new Promise(setImmediate);
			};
		},
		async until(ms: number) {
			time.ms = ms;
			for (const timer of timers.splice(0)) timer.at <= ms ? timer.call() : timers.push(timer);
			await new Promise(setImmediate);
		},
		timers,
		answer,
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
	const line = openLine(1, 4);
	line.add("a");
	await line.turn();
	line.add("b");
	line.add("patient", "patient");
	line.add("c");
	line.add("code", "urgent");
	for (const name of ["a", "code", "b", "c"]) await line.end(name);
	assert.deepEqual(line.begun, ["a", "code", "b", "c", "patient"], "and what is patient after all else");
});

test("what is patient gives way while many are answered, what is not never does", async () => {
	const line = openLine();
	const [first, second] = [line.answering(), line.answering()];
	line.add("patient", "patient");
	line.add("usual");
	line.add("code", "urgent");
	await line.turn();
	assert.deepEqual(line.begun, ["code", "usual"]);
	await line.end("code");
	await line.end("usual");
	assert.deepEqual(line.begun, ["code", "usual"]);
	await first();
	assert.deepEqual(line.begun, ["code", "usual", "patient"], "as soon as they are fewer");
	await second();
});

test("what is patient gives way for its time at most, and one after the other has its own", async () => {
	const line = openLine();
	const answers = [line.answering(), line.answering(), line.answering()];
	line.add("a", "patient");
	await line.until(20);
	line.add("b", "patient");
	await line.turn();
	assert.equal(line.timers.length, 1, "one timer, however many wait");
	await line.until(49);
	assert.deepEqual(line.begun, []);
	await line.until(50);
	assert.deepEqual(line.begun, ["a"]);
	await line.until(70);
	assert.deepEqual(line.begun, ["a", "b"]);
	for (const answered of answers) await answered();
});

test("an answer that fails is over, too", async () => {
	const line = openLine();
	const { promise, reject } = Promise.withResolvers<void>();
	const failing = line.answer(() => promise);
	const other = line.answering();
	line.add("patient", "patient");
	reject(new Error("refused"));
	await assert.rejects(failing, /refused/);
	await line.turn();
	assert.deepEqual(line.begun, ["patient"]);
	await other();
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
