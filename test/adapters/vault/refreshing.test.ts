// Values held from Vault: fresh while it answers, kept while it is away, bounded always.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createRefreshing } from "../../../adapters/vault/refreshing.ts";
import { LetheError } from "../../../domain/errors.ts";

function createBench() {
	const state = { now: 0, loads: 0, takesMs: 0, failure: undefined as LetheError | undefined };
	const timers: (() => void)[] = [];
	const waits: number[] = [];
	const values = createRefreshing({
		load: async (name) => {
			state.loads++;
			await new Promise((resolve) => setImmediate(resolve));
			state.now += state.takesMs;
			if (state.failure) throw state.failure;
			return `${name}${state.loads}`;
		},
		clock: () => state.now,
		refreshMs: 1_000,
		staleMsMax: 60_000,
		countMax: 2,
		heldMsMax: 25_000,
		schedule: (run, afterMs) => {
			timers.push(run);
			waits.push(afterMs);
			return () => void timers.splice(timers.indexOf(run), 1);
		},
	});
	/** Runs the timers that are set by now. */
	const elapse = async () => {
		for (const run of timers.splice(0)) run();
		for (let turns = 0; turns < 3; turns++) await new Promise((resolve) => setImmediate(resolve));
	};
	return { state, values, elapse, timers, waits };
}

test("a value is read once for all who ask, and again when it is old", async () => {
	const { state, values } = createBench();
	assert.deepEqual(await Promise.all([values.get("a"), values.get("a")]), ["a1", "a1"]);
	state.now = 999;
	assert.equal(await values.get("a"), "a1");
	state.now = 1_000;
	assert.equal(await values.get("a"), "a2");
});

test("during an outage the held value serves, and Vault is not asked at every use", async () => {
	const { state, values } = createBench();
	await values.get("a");
	state.failure = new LetheError("keys_unavailable");
	state.now = 1_000;
	for (let times = 0; times < 10; times++) assert.equal(await values.get("a"), "a1");
	assert.equal(state.loads, 2);
	state.now = 60_000;
	await assert.rejects(values.get("a"), { code: "keys_unavailable" });
	state.failure = undefined;
	assert.equal(await values.get("a"), "a4");
});

test("a Vault that hangs delays one use, and not the next ones", async () => {
	const { state, values } = createBench();
	await values.get("a");
	Object.assign(state, { now: 1_000, takesMs: 5_000, failure: new LetheError("keys_unavailable") });
	for (let times = 0; times < 10; times++) assert.equal(await values.get("a"), "a1");
	assert.deepEqual([state.loads, state.now], [2, 6_000]);
});

test("a value that was read again is watched by one timer", async () => {
	const { state, values, timers } = createBench();
	for (; state.now < 100_000; state.now += 1_000) await values.get("a");
	assert.deepEqual([state.loads, timers.length], [100, 1]);
});

test("a refusal is no outage: the held value no longer serves", async () => {
	const { state, values } = createBench();
	await values.get("a");
	state.failure = new LetheError("internal");
	state.now = 1_000;
	await assert.rejects(values.get("a"), { code: "internal" });
});

test("no more values are held than the bound", async () => {
	const { state, values } = createBench();
	for (const name of ["a", "b", "c"]) await values.get(name);
	await values.get("b");
	await values.get("c");
	assert.equal(state.loads, 3);
	await values.get("a");
	assert.equal(state.loads, 4);
});

test("a value that nobody asks for is let go of once Vault has it no more, and kept while Vault is away", async () => {
	const { state, values, elapse } = createBench();
	await values.get("a");
	state.failure = new LetheError("keys_unavailable");
	await elapse();
	assert.equal(await values.get("a"), "a1");
	state.failure = new LetheError("internal");
	await elapse();
	const { loads } = state;
	state.failure = undefined;
	assert.equal(await values.get("a"), `a${loads + 1}`);
});

test("while Vault is away a value is out of memory once its time is over, though nobody asks for it", async () => {
	const { state, values, elapse, timers, waits } = createBench();
	await values.get("a");
	state.failure = new LetheError("keys_unavailable");
	for (const now of [25_000, 50_000]) {
		state.now = now;
		await elapse();
	}
	assert.deepEqual(waits, [25_000, 25_000, 10_000]);
	const { loads } = state;
	state.now = 60_000;
	await elapse();
	assert.deepEqual([state.loads, timers.length], [loads, 0]);
	// Nor does a clock that is set back bring it back.
	state.now = 59_000;
	await assert.rejects(values.get("a"), { code: "keys_unavailable" });
});
