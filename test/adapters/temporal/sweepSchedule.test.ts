// The sweep's schedule on a real Temporal: whatever becomes of it there, it is as it must be again.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { ScheduleOverlapPolicy } from "@temporalio/client";
import { connectTemporal } from "../../../adapters/temporal/client.ts";
import { createSweepSchedule } from "../../../adapters/temporal/sweepSchedule.ts";
import { until } from "../../harness/until.ts";

describe("the sweep's schedule", () => {
	let temporal: ReturnType<typeof connectTemporal>;
	let taskQueue: string;
	before(() => {
		temporal = connectTemporal({ address: process.env.TEMPORAL_ADDRESS as string, namespace: "default" });
	});
	beforeEach(() => {
		taskQueue = `t${randomBytes(6).toString("hex")}`;
	});
	afterEach(() =>
		handle()
			.delete()
			.catch(() => undefined),
	);
	after(() => temporal.close());

	const handle = () => temporal.client.schedule.getHandle(`sweep-${taskQueue}`);
	const open = (everyMs = 3600_000) => createSweepSchedule({ temporal, taskQueue, everyMs });
	const startedCount = async () => (await handle().describe()).info.numActionsTaken;

	it("is made once, and left alone while it is as it must be", async () => {
		assert.deepEqual((await Promise.all([open().ensure(), open().ensure()])).sort(), ["created", undefined]);
		const { raw } = await handle().describe();
		assert.equal(await open().ensure(), undefined);
		assert.deepEqual((await handle().describe()).raw.conflictToken, raw.conflictToken);
	});

	it("that was deleted is made again, and one that is another is put right", async () => {
		const { ensure } = open();
		await ensure();
		const others: Record<string, () => Promise<void>> = {
			paused: () => handle().pause("by hand"),
			"of another pace": async () => void (await open(7200_000).ensure()),
			"of another kind": () =>
				handle().update(({ spec, policies, state }) => ({
					...{ spec, policies, state },
					action: { type: "startWorkflow", workflowType: "purge", taskQueue: "elsewhere", args: [] },
				})),
			"that lets two run at once": () =>
				handle().update(({ spec, action, state }) => ({
					...{ spec, action, state },
					policies: { overlap: ScheduleOverlapPolicy.ALLOW_ALL },
				})),
			"that ends": () => handle().update((now) => ({ ...now, state: { remainingActions: 1 } })),
			"that has begun to end": () =>
				handle().update((now) => ({ ...now, spec: { ...now.spec, endAt: new Date(Date.now() + 86_400_000) } })),
		};
		for (const [why, change] of Object.entries(others)) {
			await change();
			assert.equal(await ensure(), "mended", why);
			const { spec, state, action, policies } = await handle().describe();
			assert.deepEqual([spec.intervals?.[0]?.every, spec.endAt, state.paused], [3600_000, undefined, false], why);
			assert.deepEqual([action.workflowType, action.taskQueue, policies.overlap], ["sweep", taskQueue, "SKIP"], why);
			assert.equal(await ensure(), undefined, why);
		}
		await handle().delete();
		assert.equal(await ensure(), "created");
	});

	it("is made by whoever asks for a sweep while there is none, and the sweep comes", async () => {
		const { trigger } = open();
		await trigger();
		await until(async () => (await startedCount()) === 1);
	});
});
