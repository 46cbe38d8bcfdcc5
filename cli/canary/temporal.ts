// Temporal read through its server: every run's history, open and closed, what visibility keeps of it, and the schedules.

import type { Client } from "@temporalio/client";
import { bytesOf, joined } from "./bytes.ts";
import type { Sample } from "./encodings.ts";
import type { Open, Place, Planted } from "./examine.ts";

const inFlightMax = 8;
const pageItems = 500;
// Should this process be killed, the open control still ends.
const controlTimeout = "10m";
const visibleWithinMs = 20_000;

export function temporalPlace(client: Client, namespace: string, id: string): Place {
	return {
		name: "temporal, through the server",
		holds: "bytes",
		plant: (samples) => plant(client, namespace, `lethe-canary-control-${id}`, samples),
		async read(open) {
			await readRuns(client, namespace, open);
			await readSchedules(client, namespace, open);
		},
	};
}

type Execution = { workflowId?: string | null; runId?: string | null };

/** A run left open, one that is closed, and a schedule; nobody works on their task queue. */
async function plant(client: Client, namespace: string, name: string, samples: readonly Sample[]): Promise<Planted> {
	const ids = { open: `${name}-open`, closed: `${name}-closed` };
	const undo: (() => Promise<unknown>)[] = [];
	const remove = async () => {
		const results = await Promise.allSettled(undo.map((step) => step()));
		const failed = results.find((result) => result.status === "rejected");
		if (failed) throw failed.reason;
	};
	const control = {
		taskQueue: name,
		args: samples.map((sample) => new Uint8Array(sample.bytes)),
		memo: { controls: new Uint8Array(joined(samples)) },
		workflowExecutionTimeout: controlTimeout,
	} as const;
	try {
		for (const workflowId of Object.values(ids)) {
			const handle = await client.workflow.start("canaryControl", { ...control, workflowId });
			undo.push(() => client.workflowService.deleteWorkflowExecution({ namespace, workflowExecution: { workflowId } }));
			if (workflowId === ids.closed) await handle.terminate();
		}
		const action = { type: "startWorkflow", workflowType: "canaryControl", ...control } as const;
		const schedule = await client.schedule.create({
			scheduleId: name,
			spec: {},
			action: { ...action, workflowId: `${name}-scheduled` },
			memo: control.memo,
			state: { paused: true },
		});
		undo.push(() => schedule.delete());
		await untilVisible(client, name, Object.values(ids));
	} catch (error) {
		await remove().catch(() => undefined);
		throw error;
	}
	const runs = Object.values(ids).flatMap((workflowId) => [`history of ${workflowId}`, `visibility of ${workflowId}`]);
	return { sources: [...runs, `schedule ${name}`], remove };
}

async function untilVisible(client: Client, name: string, workflowIds: string[]): Promise<void> {
	const until = performance.now() + visibleWithinMs;
	for (;;) {
		const seen = new Set<string>();
		for await (const run of client.workflow.list({ query: `TaskQueue = '${name}'` })) seen.add(run.workflowId);
		const schedules = new Set<string>();
		for await (const schedule of client.schedule.list()) schedules.add(schedule.scheduleId);
		if (workflowIds.every((workflowId) => seen.has(workflowId)) && schedules.has(name)) return;
		if (performance.now() > until) throw new Error("Temporal's visibility does not show the controls");
		await new Promise((resolve) => setTimeout(resolve, 200));
	}
}

async function readRuns(client: Client, namespace: string, open: Open): Promise<void> {
	const { workflowService } = client;
	const waiting: Execution[] = [];
	let nextPageToken: Uint8Array | null | undefined;
	do {
		const page = await workflowService.listWorkflowExecutions({
			namespace,
			pageSize: pageItems,
			...(nextPageToken ? { nextPageToken } : {}),
		});
		for (const run of page.executions) {
			await readAnswer(open, `visibility of ${run.execution?.workflowId}`, run);
			waiting.push(run.execution as Execution);
		}
		nextPageToken = page.nextPageToken;
	} while (nextPageToken?.length);
	const readers = Array.from({ length: inFlightMax }, async () => {
		for (let run = waiting.pop(); run; run = waiting.pop()) await unlessGone(readRun(client, namespace, run, open));
	});
	await Promise.all(readers);
}

/** Its history, and its pending activities with their heartbeats and last failures. */
async function readRun(client: Client, namespace: string, execution: Execution, open: Open): Promise<void> {
	const { workflowService } = client;
	const sink = open(`history of ${execution.workflowId}`);
	let nextPageToken: Uint8Array | null | undefined;
	do {
		const page = await workflowService.getWorkflowExecutionHistory({
			namespace,
			execution,
			...(nextPageToken ? { nextPageToken } : {}),
		});
		await sink.write(bytesOf(page.history));
		nextPageToken = page.nextPageToken;
	} while (nextPageToken?.length);
	await sink.write(bytesOf(await workflowService.describeWorkflowExecution({ namespace, execution })));
	await sink.end();
}

async function readSchedules(client: Client, namespace: string, open: Open): Promise<void> {
	const { workflowService } = client;
	let nextPageToken: Uint8Array | null | undefined;
	do {
		const page = await workflowService.listSchedules({
			namespace,
			maximumPageSize: pageItems,
			...(nextPageToken ? { nextPageToken } : {}),
		});
		for (const { scheduleId } of page.schedules) {
			if (!scheduleId) continue;
			const described = await unlessGone(workflowService.describeSchedule({ namespace, scheduleId }));
			if (described) await readAnswer(open, `schedule ${scheduleId}`, described);
		}
		nextPageToken = page.nextPageToken;
	} while (nextPageToken?.length);
}

async function readAnswer(open: Open, source: string, answer: unknown): Promise<void> {
	const sink = open(source);
	await sink.write(bytesOf(answer));
	await sink.end();
}

const grpcNotFound = 5;

async function unlessGone<T>(attempt: Promise<T>): Promise<T | undefined> {
	try {
		return await attempt;
	} catch (error) {
		if ((error as { code?: number }).code === grpcNotFound) return undefined;
		throw error;
	}
}
