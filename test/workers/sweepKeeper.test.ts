// A worker keeps the sweep coming while it runs, and tells when that had ended.

import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { createSweepKeeper } from "../../workers/sweepKeeper.ts";
import { createEngine, until } from "../harness/engine.ts";

test("a start looks once, and fails where it can't; the next look comes in its time", async () => {
	let looks = 0;
	const log = { warn: () => undefined };
	const looking = createSweepKeeper({ ensureSweep: async () => void looks++, everyMs: 3600_000, log });
	await looking.start();
	await sleep(30);
	await looking.close();
	assert.equal(looks, 1);
	const ensureSweep = () => Promise.reject(new Error("away"));
	await assert.rejects(createSweepKeeper({ ensureSweep, everyMs: 3600_000, log }).start(), /away/);
});

test("a schedule that is deleted or paused while a worker runs is put right, and that is told", async () => {
	const engine = await createEngine({ worker: false, sender: false });
	const handle = engine.temporal.client.schedule.getHandle(`sweep-${engine.name}`);
	let isAway = false;
	const ensureSweep = () => (isAway ? Promise.reject(new Error("away")) : engine.runs.ensureSweep());
	const keeper = createSweepKeeper({ ensureSweep, everyMs: 50, log: engine.log });
	const told = (code: string) => until(() => engine.warnings.join().includes(code));
	try {
		await keeper.start();
		await handle.pause();
		await told("sweep_schedule_mended");
		assert.equal((await handle.describe()).state.paused, false);
		await handle.delete();
		await told("sweep_schedule_created");
		isAway = true;
		await told("sweep_schedule_unknown");
		isAway = false;
		await handle.pause();
		await until(async () => !(await handle.describe()).state.paused);
	} finally {
		await keeper.close();
		await handle.delete();
		await engine.close();
	}
});
