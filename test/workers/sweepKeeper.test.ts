// A worker keeps the sweep coming while it runs, and tells when that had ended.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createSweepKeeper } from "../../workers/sweepKeeper.ts";
import { createEngine, until } from "../harness/engine.ts";

test("a schedule that is deleted or paused while a worker runs is put right, and that is told", async () => {
	const engine = await createEngine({ worker: false, sender: false });
	const handle = engine.temporal.client.schedule.getHandle(`sweep-${engine.name}`);
	let isAway = false;
	const ensureSweep = () => (isAway ? Promise.reject(new Error("away")) : engine.runs.ensureSweep());
	const keeper = createSweepKeeper({ ensureSweep, everyMs: 50, log: engine.log });
	const told = (code: string) => until(() => engine.warnings.join().includes(code));
	try {
		await engine.runs.ensureSweep();
		keeper.start();
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
