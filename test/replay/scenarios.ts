// The runs whose histories are saved: one for each turn that a workflow can take, driven on real servers.

import { applyEvent } from "../../activities/unpark.ts";
import { LetheError } from "../../domain/errors.ts";
import { limits } from "../../domain/limits.ts";
import type { Message } from "../../domain/message.ts";
import { end } from "../../domain/transition.ts";
import {
	purgePagesMax,
	purgeWorkflowId,
	requestStepsMax,
	requestWorkflowId,
	workflowNames,
} from "../../workflows/contract.ts";
import { type Engine, until } from "../harness/engine.ts";
import { placeHold } from "../harness/records.ts";

type Scenario = {
	workflow: (typeof workflowNames)[keyof typeof workflowNames];
	/** An event that the history must have, or it does not show what it is named for, and how often. */
	shows: { event: string; countMin?: number };
	/** Activities in another's place. */
	replace?: NonNullable<Parameters<typeof import("../harness/engine.ts").createEngine>[0]>["replace"];
	/** Drives one run to its end and answers its id; with that of the one it means, where others have gone on for it. */
	run: (engine: Engine) => Promise<string | { workflowId: string; runId: string }>;
};

// Local activities are tried again by the worker alone for this long, then by way of a timer.
const storeAwayMs = 7_000;

/** Name → run. Its history is saved as `<workflow>-<name>`. */
export const scenarios: Record<string, Scenario> = {
	delivered: {
		workflow: workflowNames.lifecycle,
		shows: { event: "ACTIVITY_TASK_COMPLETED" },
		run: async (engine) => {
			const message = await startSent(engine);
			await deliver(engine, message);
			return ended(engine, message.submissionId);
		},
	},
	planned: {
		workflow: workflowNames.lifecycle,
		shows: { event: "ACTIVITY_TASK_COMPLETED" },
		run: async (engine) => {
			const message = await engine.accept();
			await engine.start(message, { planned: true });
			await deliver(engine, await sent(engine, message));
			return ended(engine, message.submissionId);
		},
	},
	"deferred-at-delivery": {
		workflow: workflowNames.lifecycle,
		shows: { event: "TIMER_FIRED" },
		run: async (engine) => {
			const message = await engine.accept({ state: "deferred", releaseAt: engine.clock() + 1_500 });
			await engine.start(message, { planned: true });
			await deliver(engine, await sent(engine, message));
			return ended(engine, message.submissionId);
		},
	},
	deferred: {
		workflow: workflowNames.lifecycle,
		shows: { event: "TIMER_FIRED" },
		run: async (engine) => {
			const message = await startSent(engine, { state: "deferred", releaseAt: engine.clock() + 1_500 });
			await deliver(engine, message);
			return ended(engine, message.submissionId);
		},
	},
	batch: {
		workflow: workflowNames.lifecycle,
		shows: { event: "ACTIVITY_TASK_COMPLETED", countMin: 2 },
		run: async (engine) => {
			const shape = {
				submissionId: engine.ids.random("submission"),
				tenantId: engine.ids.random("tenant"),
				submissionSize: 3,
			};
			const later = { state: "deferred", group: 1, releaseAt: engine.clock() + 1_500 } as const;
			const messages = [await engine.accept(shape), await engine.accept(shape)];
			messages.push(await engine.accept({ ...shape, ...later }));
			await engine.start(messages[0] as Message);
			await Promise.all(messages.map(async (message) => deliver(engine, await sent(engine, message))));
			return ended(engine, shape.submissionId);
		},
	},
	cancelled: {
		workflow: workflowNames.lifecycle,
		shows: { event: "ACTIVITY_TASK_CANCEL_REQUESTED" },
		run: async (engine) => {
			const { submissionId } = await startSent(engine);
			await engine.temporal.client.workflow.getHandle(submissionId).cancel();
			return ended(engine, submissionId);
		},
	},
	"cancelled-deferred": {
		workflow: workflowNames.lifecycle,
		shows: { event: "TIMER_CANCELED" },
		run: async (engine) => {
			const message = await engine.accept({ state: "deferred", releaseAt: engine.clock() + 30_000 });
			await engine.start(message);
			const handle = engine.temporal.client.workflow.getHandle(message.submissionId);
			await until(async () => (await handle.describe()).historyLength >= 6);
			await handle.cancel();
			return ended(engine, message.submissionId);
		},
	},
	"timed-out": {
		workflow: workflowNames.lifecycle,
		shows: { event: "ACTIVITY_TASK_TIMED_OUT" },
		run: async (engine) => {
			const deadlineAt = engine.clock() + 3_000;
			const { submissionId } = await startSent(engine, { deadlineAt, closeAt: deadlineAt + 500 });
			return ended(engine, submissionId);
		},
	},
	expired: {
		workflow: workflowNames.lifecycle,
		shows: { event: "MARKER_RECORDED", countMin: 2 },
		run: async (engine) => {
			const now = engine.clock();
			const message = await engine.accept({ deadlineAt: now - 2_000, closeAt: now - 1_000 });
			await engine.start(message);
			return ended(engine, message.submissionId);
		},
	},
	"store-away": {
		workflow: workflowNames.lifecycle,
		shows: { event: "TIMER_FIRED", countMin: 2 },
		replace: ({ prepare, finalise }) => ({ prepare: awayAtFirst(prepare), finalise: awayAtFirst(finalise) }),
		run: async (engine) => {
			const message = await startSent(engine);
			await deliver(engine, message);
			return ended(engine, message.submissionId);
		},
	},
	pages: {
		workflow: workflowNames.purge,
		shows: { event: "ACTIVITY_TASK_COMPLETED", countMin: 5 },
		run: async (engine) => purged(engine, await dueCohort(engine, limits.purgePageItems + 5)),
	},
	held: {
		workflow: workflowNames.purge,
		shows: { event: "ACTIVITY_TASK_COMPLETED" },
		run: async (engine) => {
			const cohortId = await dueCohort(engine, 1);
			const { _id: holdId } = await placeHold(engine, await engine.accept());
			await engine.store.cohorts.set(cohortId, { holdId });
			return purged(engine, cohortId);
		},
	},
	"member-held": {
		workflow: workflowNames.purge,
		shows: { event: "ACTIVITY_TASK_COMPLETED", countMin: 4 },
		run: async (engine) => {
			const cohortId = await dueCohort(engine, 2);
			const [member] = await engine.store.messages.findSealedIn(cohortId, "content", 1);
			await engine.store.messages.transition({ id: member?._id as string, set: { holds: ["hold_a"] } });
			return purged(engine, cohortId);
		},
	},
	continued: {
		workflow: workflowNames.purge,
		shows: { event: "WORKFLOW_EXECUTION_CONTINUED_AS_NEW" },
		replace: () => ({ closeCohort: async () => true, erasePage: inPages(purgePagesMax + 1) }),
		run: async (engine) => {
			const cohortId = engine.ids.random("cohort");
			const input = { cohortId, tenantId: engine.ids.random("tenant"), region: "US" };
			const workflowId = purgeWorkflowId(cohortId);
			const options = { workflowId, taskQueue: engine.name, args: [input] };
			const handle = await engine.temporal.client.workflow.start(workflowNames.purge, options);
			await handle.result();
			return { workflowId, runId: handle.firstExecutionRunId };
		},
	},
	steps: {
		workflow: workflowNames.retime,
		shows: { event: "ACTIVITY_TASK_COMPLETED", countMin: 3 },
		replace: () => ({ retimePages: inSteps(3) }),
		run: async (engine) => {
			await engine.runs.startRetime({ retimingId: engine.ids.random("retiming") });
			return ended(engine, `${workflowNames.retime}-${engine.name}`);
		},
	},
	counted: {
		workflow: workflowNames.simulate,
		shows: { event: "ACTIVITY_TASK_COMPLETED", countMin: 3 },
		replace: () => ({ simulatePages: inSteps(3) }),
		run: async (engine) => {
			const proposalId = engine.ids.random("proposal");
			await engine.runs.startSimulate({ proposalId });
			return ended(engine, `${workflowNames.simulate}-${proposalId}`);
		},
	},
	"read-out": {
		workflow: workflowNames.reveal,
		shows: { event: "ACTIVITY_TASK_COMPLETED" },
		run: async (engine) => {
			const exportId = engine.ids.random("export");
			await engine.runs.startReveal({ exportId, tenantId: engine.ids.random("tenant") });
			return ended(engine, `${workflowNames.reveal}-${exportId}`);
		},
	},
	"request-pages": {
		workflow: workflowNames.subjectRequest,
		shows: { event: "ACTIVITY_TASK_COMPLETED", countMin: 3 },
		replace: () => ({ stepRequest: inRequestSteps(3) }),
		run: async (engine) => requested(engine),
	},
	"request-waits": {
		workflow: workflowNames.subjectRequest,
		shows: { event: "TIMER_FIRED" },
		replace: () => ({ stepRequest: inRequestSteps(1, 1_500) }),
		run: async (engine) => requested(engine),
	},
	"request-woken": {
		workflow: workflowNames.subjectRequest,
		shows: { event: "TIMER_CANCELED" },
		replace: () => ({ stepRequest: inRequestSteps(1, 3600_000) }),
		run: async (engine) => {
			const input = { requestId: engine.ids.random("subjectRequest"), tenantId: engine.ids.random("tenant") };
			await engine.runs.wakeRequest(input);
			const handle = engine.temporal.client.workflow.getHandle(requestWorkflowId(input.requestId));
			await until(async () => {
				const { events } = await handle.fetchHistory();
				return (events ?? []).some(({ timerStartedEventAttributes }) => timerStartedEventAttributes);
			});
			await engine.runs.wakeRequest(input);
			return ended(engine, requestWorkflowId(input.requestId));
		},
	},
	"request-continued": {
		workflow: workflowNames.subjectRequest,
		shows: { event: "WORKFLOW_EXECUTION_CONTINUED_AS_NEW" },
		replace: () => ({ stepRequest: inRequestSteps(requestStepsMax + 1) }),
		run: async (engine) => {
			const input = { requestId: engine.ids.random("subjectRequest"), tenantId: engine.ids.random("tenant") };
			const workflowId = requestWorkflowId(input.requestId);
			const options = { workflowId, taskQueue: engine.name, args: [input] };
			const handle = await engine.temporal.client.workflow.start(workflowNames.subjectRequest, options);
			await handle.result();
			return { workflowId, runId: handle.firstExecutionRunId };
		},
	},
	"nothing-due": {
		workflow: workflowNames.sweep,
		shows: { event: "ACTIVITY_TASK_COMPLETED" },
		run: swept,
	},
	"several-pages": {
		workflow: workflowNames.sweep,
		shows: { event: "ACTIVITY_TASK_COMPLETED", countMin: 2 },
		run: async (engine) => {
			const now = engine.clock();
			const shape = { tenantId: engine.ids.random("tenant"), deadlineAt: now - 2_000, closeAt: now - 1_000 };
			const overdue = Array.from({ length: limits.sweepPageItems + 1 }, () =>
				engine.accept({ ...shape, nextCheckAt: now - 1_000 }),
			);
			await Promise.all(overdue);
			return swept(engine);
		},
	},
};

/** The name under which a scenario's history is saved. */
export function historyName(name: string, { workflow }: Scenario): string {
	return `${workflow}-${name}`;
}

async function sent(engine: Engine, { _id }: Message): Promise<Message> {
	return until(async () => {
		const message = await engine.read(_id);
		return message.state === "submitted" && message;
	}, 60_000);
}

async function startSent(engine: Engine, shape: Parameters<Engine["accept"]>[0] = {}): Promise<Message> {
	const message = await engine.accept(shape);
	await engine.start(message);
	return sent(engine, message);
}

async function deliver(engine: Engine, { _id: messageId, sendQueue, attempts }: Message): Promise<void> {
	const carrierId = attempts.at(-1)?.carrierId as string;
	const event = { eventId: "e1", carrierId, state: "delivered", at: engine.clock() } as const;
	await applyEvent(engine, { messageId, sendQueue }, event, false);
}

async function ended(engine: Engine, workflowId: string): Promise<string> {
	await engine.temporal.client.workflow.getHandle(workflowId).result();
	return workflowId;
}

/** A cohort that is due, of so many delivered messages whose class keeps their content until then. */
async function dueCohort(engine: Engine, count: number): Promise<string> {
	const deadlineAt = engine.clock() + 60_000;
	const common = {
		tenantId: engine.ids.random("tenant"),
		...{ deadlineAt, closeAt: deadlineAt + 1_000, contentAtFinal: false },
	};
	const messages = await Promise.all(Array.from({ length: count }, () => engine.accept(common)));
	await Promise.all(
		messages.map((message) =>
			engine.store.messages.transition({ ...end(message, "delivered", engine.clock()), from: ["accepted"] }),
		),
	);
	const cohortId = messages[0]?.content?.cohortId as string;
	engine.time.offsetMs += ((await engine.store.cohorts.find(cohortId))?.dueAt ?? 0) - engine.clock() + 1;
	return cohortId;
}

async function purged(engine: Engine, cohortId: string): Promise<string> {
	const cohort = await engine.store.cohorts.find(cohortId);
	await engine.runs.startPurge({ cohortId, tenantId: cohort?.tenantId as string, region: "US" });
	return ended(engine, purgeWorkflowId(cohortId));
}

/** A pass over messages that takes so many steps. */
function inSteps(count: number) {
	let step = 0;
	return async () => ({ moreDue: ++step < count, percent: Math.floor((100 * step) / count) });
}

async function requested(engine: Engine): Promise<string> {
	const input = { requestId: engine.ids.random("subjectRequest"), tenantId: engine.ids.random("tenant") };
	await engine.runs.wakeRequest(input);
	return ended(engine, requestWorkflowId(input.requestId));
}

/** A request that takes so many steps, then waits once for a time if told. */
function inRequestSteps(count: number, waitMs?: number) {
	let step = 0;
	return async () => {
		const at = { erasedCount: 2 * ++step, keptCount: 1 };
		if (step < count) return { ...at, outcome: "executing", moreDue: true };
		const wait = waitMs !== undefined && step === count ? { wakeAt: Date.now() + waitMs } : {};
		return { ...at, outcome: "ready", moreDue: false, ...wait };
	};
}

/** A cohort whose members fill so many pages. */
function inPages(count: number) {
	let page = 0;
	return async () => ({ count: page++ < count ? limits.purgePageItems : 0 });
}

async function swept(engine: Engine): Promise<string> {
	const workflowId = `${workflowNames.sweep}-${engine.name}`;
	await engine.temporal.client.workflow.start(workflowNames.sweep, { workflowId, taskQueue: engine.name, args: [] });
	return ended(engine, workflowId);
}

/** What a step meets whose store answers again only after a while. */
function awayAtFirst<Step extends (...args: never[]) => Promise<unknown>>(step: Step): Step {
	let backAt: number | undefined;
	return (async (...args: Parameters<Step>) => {
		backAt ??= Date.now() + storeAwayMs;
		if (Date.now() < backAt) throw new LetheError("store_unavailable");
		return step(...args);
	}) as Step;
}
