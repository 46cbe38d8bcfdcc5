// The sweep's schedule: without it nothing is repaired and nothing forgotten, so it is made again whenever it is not as it must be.

import type { ScheduleDescription, ScheduleOptions, ScheduleUpdateOptions } from "@temporalio/client";
import { workflowNames } from "../../workflows/contract.ts";
import { type Clients, sdk } from "./sdk.ts";

/** What had to be done; undefined when it stood as it must. */
type Ensured = "created" | "mended" | undefined;

/** One schedule a task queue. An operator who wants no sweep stops the workers. */
export function createSweepSchedule(options: { temporal: Clients; taskQueue: string; everyMs: number }) {
	const { temporal, taskQueue, everyMs } = options;
	const scheduleId = `sweep-${taskQueue}`;
	const wanted = {
		spec: { intervals: [{ every: everyMs }] },
		policies: { overlap: "SKIP", catchupWindow: "1 minute", pauseOnFailure: false },
		action: { type: "startWorkflow", workflowType: workflowNames.sweep, taskQueue, args: [] },
	} satisfies Omit<ScheduleOptions, "scheduleId">;

	/** Makes it where it is not, and puts it right where it is another, is paused or would end. */
	async function ensure(): Promise<Ensured> {
		const handle = temporal.client.schedule.getHandle(scheduleId);
		const standing = await handle.describe().catch((error: Error) => {
			if (error instanceof sdk().ScheduleNotFoundError) return undefined;
			throw error;
		});
		if (!standing) return create();
		if (isWanted(standing, everyMs, taskQueue)) return undefined;
		const state = { paused: false };
		await handle.update((): ScheduleUpdateOptions => ({ ...wanted, state }));
		return "mended";
	}

	async function create(): Promise<Ensured> {
		try {
			await temporal.client.schedule.create({ scheduleId, ...wanted });
			return "created";
		} catch (error) {
			// Another worker was first.
			if ((error as Error).name !== "ScheduleAlreadyRunning") throw error;
			return undefined;
		}
	}

	return {
		ensure,
		/** Has the sweep come by now. */
		async trigger(): Promise<void> {
			const trigger = () => temporal.client.schedule.getHandle(scheduleId).trigger();
			try {
				await trigger();
			} catch (error) {
				if (!(error instanceof sdk().ScheduleNotFoundError)) throw error;
				await ensure();
				await trigger();
			}
		},
	};
}

function isWanted({ spec, action, policies, state }: ScheduleDescription, everyMs: number, taskQueue: string): boolean {
	const { calendars = [], intervals = [], skip = [], startAt, endAt } = spec;
	const [interval] = intervals;
	const comes = intervals.length === 1 && interval?.every === everyMs && (interval.offset ?? 0) === 0;
	const isPlain = calendars.length + skip.length === 0 && startAt === undefined && endAt === undefined;
	const isSweep = action.workflowType === workflowNames.sweep && action.taskQueue === taskQueue;
	const { overlap, pauseOnFailure } = policies;
	const isKept = overlap === "SKIP" && !pauseOnFailure;
	return comes && isPlain && isSweep && isKept && !state.paused && state.remainingActions === undefined;
}
