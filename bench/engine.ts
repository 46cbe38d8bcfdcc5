// What suites of the whole engine measure on: Lethe's processes on one stack, and the bare workflow's worker beside them.

import { fileURLToPath } from "node:url";
import { Client, Connection } from "@temporalio/client";
import { request } from "undici";
import { dataConverter } from "../adapters/temporal/client.ts";
import { startProcesses } from "../stack/processes.ts";
import type { Stack } from "../stack/stack.ts";
import { untilTold } from "../stack/supervised.ts";
import { workflowNames } from "../workflows/contract.ts";
import { spread } from "./measure.ts";

export type Engine = Awaited<ReturnType<typeof startEngine>>;

/** The limits are for callers; here one caller is all of them. */
export const unlimited = {
	LETHE_KEY_REQUESTS_PER_SECOND: "100000",
	LETHE_TENANT_REQUESTS_PER_SECOND: "100000",
	LETHE_ADDRESS_REQUESTS_PER_SECOND: "100000",
};
const closedMsMax = 600_000;

/** Starts all of it on a stack that runs. @throws one error that says what did not start; nothing is left running then */
export async function startEngine(
	stack: Stack,
	options: { log: (line: string) => void; ratePerSecond?: number; environment?: Record<string, string> },
) {
	const { log, ratePerSecond = 10_000, environment } = options;
	const processes = await startProcesses(stack, {
		log,
		ratePerSecond,
		environment: { ...unlimited, ...environment },
	});
	const bare = superviseBare(stack, processes.baseEnvironment, log);
	const { address, namespace } = stack.state().servers.temporal;
	let connection: Connection | undefined;
	const stop = async () => {
		await connection?.close();
		await bare.stop();
		await processes.stop();
	};
	try {
		await bare.start();
		connection = await Connection.connect({ address });
	} catch (error) {
		await stop();
		throw error;
	}
	const target = { ...processes, stack, namespace, connection };
	return { ...createDriver(target), processes, stack, stop };
}

type Target = Pick<Awaited<ReturnType<typeof startProcesses>>, "apiUrl" | "demo" | "carrier"> & {
	namespace: string;
	connection: Connection;
};
type Accepted = { id: string; submissionId: string };

/** What a caller, an operator and the carrier's own clerk would ask. */
function createDriver({ apiUrl, demo, carrier, namespace, connection }: Target) {
	const bareClient = new Client({ connection, namespace });
	const client = new Client({ connection, namespace, dataConverter });
	const run = process.pid;
	let sequence = 0;

	/** Calls the API as the demo's tenant unless told. @throws unless it answers 2xx */
	async function ask<Answer>(method: "GET" | "POST", path: string, body?: object, apiKey = demo.apiKey) {
		const answer = await request(`${apiUrl}${path}`, {
			method,
			headers: {
				authorization: `Bearer ${apiKey}`,
				...(body ? { "content-type": "application/json" } : {}),
			},
			body: body ? JSON.stringify(body) : null,
		});
		const answered = (await answer.body.json()) as Answer & { code?: string };
		if (answer.statusCode >= 300) {
			throw new Error(`${method} ${path} answered ${answer.statusCode} ${answered.code}`);
		}
		return answered;
	}

	/** POSTs a message or a batch. @throws unless it is accepted */
	const post = (path: string, body: object, apiKey?: string) => ask<Accepted>("POST", path, body, apiKey);

	/** The baseline: one workflow of one empty activity, from its start to its result. */
	async function runBare(): Promise<void> {
		const workflowId = `bare-${run}-${sequence++}`;
		const handle = await bareClient.workflow.start("bare", { workflowId, taskQueue: "bare", args: ["id"] });
		await handle.result();
	}

	/** Waits until the run of a submission is closed; it may not have been started yet. */
	async function untilClosed(submissionId: string): Promise<void> {
		const handle = client.workflow.getHandle(submissionId);
		const end = Date.now() + closedMsMax;
		for (let pauseMs = 20; ; pauseMs = Math.min(pauseMs * 2, 80)) {
			try {
				return await handle.result();
			} catch (error) {
				if ((error as Error).name !== "WorkflowNotFoundError" || Date.now() > end) throw error;
				await new Promise((resolve) => setTimeout(resolve, pauseMs));
			}
		}
	}

	/** How many runs of submissions are not closed yet. */
	const countOpenRuns = async () =>
		(await client.workflow.count(`WorkflowType = '${workflowNames.lifecycle}' AND ExecutionStatus = 'Running'`)).count;

	/** Most history events of some runs, and most bytes. */
	async function historyOf(submissionIds: string[]): Promise<{ events: number; bytes: number }> {
		const described = await Promise.all(submissionIds.map((id) => client.workflow.getHandle(id).describe()));
		return {
			events: spread(described.map(({ historyLength }) => historyLength)).max,
			bytes: spread(described.map(({ historySize }) => historySize ?? Number.NaN)).max,
		};
	}

	/** A page of the carrier's ledger with its totals. */
	async function readLedger(query: string): Promise<Ledger> {
		const headers = { authorization: `Bearer ${carrier.token}` };
		const answer = await request(`${carrier.url}/ledger?${query}`, { headers });
		return (await answer.body.json()) as Ledger;
	}

	return { ask, post, runBare, untilClosed, countOpenRuns, historyOf, readLedger };
}

/** `at` epoch milliseconds at which the carrier took a message. */
type Ledger = {
	total: number;
	receipts: { taken: number };
	messages: { seq: number; at: number; text: string }[];
};

function superviseBare(stack: Stack, env: NodeJS.ProcessEnv, log: (line: string) => void) {
	return stack.supervise({
		name: "bare",
		plan: async () => ({
			command: process.execPath,
			args: [fileURLToPath(new URL("bareWorker.ts", import.meta.url))],
			env,
			ipc: true,
		}),
		ready: untilTold,
		readyMs: 60_000,
		stopMs: 10_000,
		onPid: () => undefined,
		log,
	});
}
