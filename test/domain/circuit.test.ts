// A circuit breaker: shut while all is well, open after failures in a row, and asked by one attempt at a time.

import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { type Circuit, createCircuit } from "../../domain/circuit.ts";

describe("a circuit", () => {
	let now = 0;
	let circuit: Circuit;
	beforeEach(() => {
		now = 1_000_000;
		circuit = createCircuit(() => now);
	});
	const fail = (times: number) => {
		for (let time = 0; time < times; time++) circuit.tell({ code: "timeout" });
	};

	it("lets all through until five fail in a row", () => {
		fail(4);
		assert.deepEqual([circuit.admit(), circuit.admit()], [0, 0]);
		circuit.tell(true);
		fail(4);
		assert.deepEqual([circuit.admit(), circuit.isOpen()], [0, false]);
		fail(1);
		assert.deepEqual([circuit.admit(), circuit.isOpen()], [1_000, true]);
	});

	it("opens at the first attempt for which a queue lacks what its carrier needs", () => {
		circuit.tell({ code: "not_configured" });
		assert.deepEqual([circuit.admit(), circuit.isOpen()], [1_000, true]);
		now += 1_000;
		assert.equal(circuit.admit(), 0);
		circuit.tell({ code: "not_configured" });
		assert.equal(circuit.admit(), 2_000);
		circuit.tell(true);
		assert.equal(circuit.admit(), 0);
	});

	it("once open lets one ask at a time, and shuts again when that one is well", () => {
		fail(5);
		now += 1_000;
		assert.equal(circuit.admit(), 0);
		assert.ok(circuit.admit() > 0, "another must wait");
		circuit.tell(true);
		assert.deepEqual([circuit.admit(), circuit.admit()], [0, 0]);
	});

	it("stays open longer each time, a minute at most", () => {
		fail(5);
		const waits = [];
		for (let round = 0; round < 9; round++) {
			waits.push(circuit.admit());
			now += circuit.admit();
			assert.equal(circuit.admit(), 0);
			fail(1);
		}
		assert.deepEqual(waits.slice(0, 4), [1_000, 2_000, 4_000, 8_000]);
		assert.equal(waits.at(-1), 60_000);
	});

	it("stays open no longer for those that were under way when it opened", () => {
		fail(50);
		assert.equal(circuit.admit(), 1_000);
		now += 500;
		fail(50);
		assert.equal(circuit.admit(), 500);
		circuit.tell(true);
		assert.equal(circuit.admit(), 0, "one of them that was well says more");
		fail(5);
		assert.equal(circuit.admit(), 1_000);
	});

	it("lets one ask at once when whom it asks is another, and counts anew from there", () => {
		for (let round = 0; round < 5; round++) {
			fail(5);
			now += circuit.admit();
		}
		fail(1);
		assert.ok(circuit.admit() > 10_000);
		circuit.retry();
		assert.equal(circuit.admit(), 0);
		assert.ok(circuit.admit() > 0, "and no other");
		fail(1);
		assert.equal(circuit.admit(), 2_000, "as after the first that asked");
		circuit.retry();
		assert.equal(circuit.admit(), 0);
		circuit.tell(true);
		circuit.retry();
		fail(4);
		assert.deepEqual([circuit.admit(), circuit.admit()], [0, 0], "shut, it stays so");
	});

	it("is asked again when nobody tells what became of the one that asked, or that it never asked", () => {
		fail(5);
		now += 1_000;
		assert.equal(circuit.admit(), 0);
		now += 30_000;
		assert.equal(circuit.admit(), 0);
		circuit.tell(undefined);
		assert.equal(circuit.admit(), 0);
	});
});
