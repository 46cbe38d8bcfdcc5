// The connection to Temporal: starts runs off the caller's path, completes deliveries, keeps the sweep's schedule.

import { fileURLToPath } from "node:url";
import type { Client, ConnectionOptions } from "@temporalio/client";
import type { DataConverter, SearchAttributePair } from "@temporalio/common";
import { hasOwnRun, type Message } from "../../domain/message.ts";
import {
	deliverActivityId,
	type LifecycleInput,
	type PurgeInput,
	purgeWorkflowId,
	type RetimeInput,
	type RevealInput,
	requestWorkflowId,
	type SimulateInput,
	type SubjectRequestInput,
	searchAttributes,
	summaries,
	wakeSignal,
	workflowNames,
} from "../../workflows/contract.ts";
import { createBatcher } from "../batcher.ts";
import type { ServerTls } from "../serverTls.ts";
import { createCallLine } from "./callLine.ts";
import { createPayloadGuard } from "./payloadGuard.ts";
import { type Clients, sdk } from "./sdk.ts";
import { createSweepSchedule } from "./sweepSchedule.ts";

/** Failures keep codes only; payloads outside the declared schema are refused. */
export const dataConverter: DataConverter = {
	failureConverterPath: fileURLToPath(import.meta.resolve("../../workflows/failureConverter.ts")),
	payloadCodecs: [createPayloadGuard()],
};

export type Runs = ReturnType<typeof createRuns>;

const answerMsMax = 5_000;
// Of what states no deadline itself, its repeats included: a Temporal that takes calls and answers none holds up no caller for
// longer. Whoever waits for a run to end asks anew each twenty seconds.
const callMsMax = 30_000;
// A worker asks again when its question has stayed unanswered for a minute.
const pollMsMax = 75_000;
// What ends within it is told together: of a bulk, some thousand ends.
const progressGatherMs = 5_000;
const progressItemsMax = 10_000;
// TASK_QUEUE_TYPE_WORKFLOW of Temporal's API.
const workflowTasks = 1;

const keyword = (name: string) => ({ name, type: "KEYWORD" as const });
const keys = {
	tenant: keyword(searchAttributes.tenant),
	category: keyword(searchAttributes.category),
	region: keyword(searchAttributes.region),
	state: keyword(searchAttributes.state),
};

/**
 * A lazy connection: a Temporal that is away is found out by the first call, not by the start of the process.
 * `identity` is how histories name this process; without it the SDK tells process id and host name.
 */
export function connectTemporal(options: {
	address: string;
	namespace: string;
	identity?: string;
	tls?: ServerTls | undefined;
}) {
	const { address, tls, ...rest } = options;
	let opened: Client | undefined;
	/** Loads the SDK, if nobody has yet; connects to nothing. */
	const open = () => {
		if (!opened) {
			const interceptors = [endInTime, sdk().makeGrpcRetryInterceptor(sdk().defaultGrpcRetryOptions())];
			const ends = { connectTimeout: answerMsMax, interceptors };
			const connection = sdk().Connection.lazy({ address, ...ends, ...temporalTls(tls) });
			opened = new (sdk().Client)({ connection, dataConverter, ...rest });
		}
		return opened;
	};
	return {
		open,
		get client() {
			return open();
		},
		/** @throws when it is away, or takes calls and answers none */
		ping: () => soonEnough(open(), () => open().workflowService.getSystemInfo({})),
		close: async () => opened?.connection.close(),
	};
}

type Interceptor = NonNullable<ConnectionOptions["interceptors"]>[number];

// Before the one that repeats calls: what it is given holds for all of them together.
const endInTime: Interceptor = (options, nextCall) =>
	nextCall({ ...options, deadline: options.deadline ?? Date.now() + callMsMax }) as ReturnType<Interceptor>;

/** Temporal's words for what proves both sides; nothing without it. */
export function temporalTls(tls: ServerTls | undefined) {
	if (!tls) return {};
	const { ca, cert, key } = tls;
	const pair = cert && key ? { clientCertPair: { crt: Buffer.from(cert), key: Buffer.from(key) } } : {};
	return { tls: { ...(ca ? { serverRootCACertificate: Buffer.from(ca) } : {}), ...pair } };
}

/**
 * Starts and completes runs. `startSoon` and `settleSoon` never block or throw: what they can't do now, the sweep does later.
 */
export function createRuns(deps: {
	temporal: Clients;
	taskQueue: string;
	/** How often the sweep comes. */
	sweepEveryMs: number;
	/** Of `startSoon` and its like: so many at once, so many more in a line, each for so long. */
	inFlightMax: number;
	waitingMax: number;
	patienceMs: number;
	/** Starts give way to so many acceptances at once, each for so long. */
	acceptancesMin: number;
	giveWayMsMax: number;
	monotonic: () => number;
	after: (ms: number, call: () => void) => void;
	isGroupOpen: (submissionId: string, group: number) => Promise<boolean>;
	countStates: (submissionId: string, group: number) => Promise<Record<string, number>>;
}) {
	const { temporal, taskQueue } = deps;
	const passes = createPasses(temporal, taskQueue);
	const sweep = createSweepSchedule({ temporal, taskQueue, everyMs: deps.sweepEveryMs });
	const tellProgress = createProgress(temporal, deps.countStates);
	const line = createCallLine({ ...deps, answersMin: deps.acceptancesMin });
	const soon = line.add;

	/** Starts a submission's run; true if it was new. */
	async function start(input: LifecycleInput): Promise<boolean> {
		return startOnce(temporal, workflowNames.lifecycle, {
			workflowId: input.submissionId,
			taskQueue,
			args: [input],
			summary: summaries.lifecycle,
			attributes: [
				{ key: keys.tenant, value: input.tenantId },
				{ key: keys.category, value: input.category },
				{ key: keys.region, value: input.region },
				{ key: keys.state, value: "accepted" },
			],
		});
	}

	async function settle(message: SettledMessage): Promise<void> {
		const isAlone = hasOwnRun(message);
		if (!isAlone && (await deps.isGroupOpen(message.submissionId, message.group))) return tellProgress(message);
		try {
			// By id, never by token: a token dies with a retry of the activity.
			await temporal.client.activity.complete(deliveryOf(message), undefined);
		} catch (error) {
			// Not found proves nothing: the run may not have started yet, or be over. The sweep asks again.
			if (!(error instanceof sdk().ActivityNotFoundError)) throw error;
			// What it slept for is over: it need not stand among the open runs until then.
			if (isAlone && message.state === "deferred") await endSleep(temporal, message.submissionId);
		}
	}

	return {
		start,
		/** Accepts messages: starts, but for one-time codes', give way while many do so. */
		whileAccepting: line.answer,
		/** One-time codes go before all that waits. */
		startSoon: (members: RunMember[]) => {
			const input = inputOf(members);
			soon(() => start(input), input.category === "otp" ? "urgent" : "patient");
		},
		settle,
		settleSoon: (message: SettledMessage) => soon(() => settle(message)),
		/** Starts a cohort's purge unless it runs already. */
		startPurge: (input: PurgeInput) =>
			startOnce(temporal, workflowNames.purge, {
				workflowId: purgeWorkflowId(input.cohortId),
				taskQueue,
				args: [input],
				summary: summaries.purge,
				repeatable: true,
				attributes: [
					{ key: keys.tenant, value: input.tenantId },
					{ key: keys.region, value: input.region },
				],
			}),
		...passes,
		/** Has a subject's request looked at now, by its run or by a new one. */
		wakeRequest: (input: SubjectRequestInput) => wakeRequest(temporal, taskQueue, input),
		wakeRequestSoon: (input: SubjectRequestInput) => soon(() => wakeRequest(temporal, taskQueue, input), "urgent"),
		/** Has a message read out, once; whoever asked waits. */
		revealSoon: (input: RevealInput & { tenantId: string }) => soon(() => passes.startReveal(input), "urgent"),
		simulateSoon: (proposalId: string) => soon(() => passes.startSimulate({ proposalId })),
		/** Whether a submission's run is still under way; false when it is over or was never started. */
		async isRunning(submissionId: string): Promise<boolean> {
			try {
				const description = await temporal.client.workflow.getHandle(submissionId).describe();
				return description.status.name === "RUNNING";
			} catch (error) {
				if (error instanceof sdk().WorkflowNotFoundError) return false;
				throw error;
			}
		},
		/**
		 * Of each worker that has asked for work of late, how many milliseconds ago it did, the latest first. A dead one is
		 * among them for as long as its last question may stay open.
		 */
		workersSeen: () => findWorkers(temporal, taskQueue),
		/** Has the sweep come by now, unless it is at work. */
		sweepSoon: () => soon(sweep.trigger),
		/** Has the sweep come, and go on coming; see `createSweepSchedule`. */
		ensureSweep: sweep.ensure,
	};
}

function deliveryOf({ submissionId, group }: Pick<Message, "submissionId" | "group">) {
	return { workflowId: submissionId, activityId: deliverActivityId(group) };
}

/** Has the run of a group that is still open show how far it is: by a heartbeat, which adds nothing to its history. */
function createProgress(
	temporal: Clients,
	countStates: (submissionId: string, group: number) => Promise<Record<string, number>>,
) {
	async function tell(message: SettledMessage): Promise<void> {
		const counts = await countStates(message.submissionId, message.group);
		await temporal.client.activity.heartbeat(deliveryOf(message), { counts });
	}

	const tellSoon = createBatcher<SettledMessage, void>({
		gatherMs: progressGatherMs,
		itemsMax: progressItemsMax,
		async run(messages) {
			const groups = new Map(messages.map((message) => [`${message.submissionId} ${message.group}`, message]));
			// For people to look at: what can't be told now is told with the next that ends.
			for (const message of groups.values()) await tell(message).catch(() => undefined);
			return messages.map(() => undefined);
		},
	});
	return (message: SettledMessage) => void tellSoon(message);
}

// The run goes on to its end from wherever a cancellation finds it.
async function endSleep(temporal: Clients, submissionId: string): Promise<void> {
	try {
		await temporal.client.workflow.getHandle(submissionId).cancel();
	} catch (error) {
		if (!(error instanceof sdk().WorkflowNotFoundError)) throw error;
	}
}

// Of itself the SDK repeats a call that is not answered for some minutes, and whoever asks how it is would hear nothing.
function soonEnough<T>({ connection }: Client, call: () => Promise<T>): Promise<T> {
	return connection.withDeadline(Date.now() + answerMsMax, call);
}

async function findWorkers(temporal: Clients, taskQueue: string): Promise<number[]> {
	const { client } = temporal;
	const { pollers } = await soonEnough(client, () =>
		client.workflowService.describeTaskQueue({
			namespace: client.options.namespace,
			taskQueue: { name: taskQueue },
			taskQueueType: workflowTasks,
		}),
	);
	const now = Date.now();
	const ages = (pollers ?? []).map(({ lastAccessTime }) => now - Number(lastAccessTime?.seconds ?? 0) * 1000);
	return ages.filter((age) => age <= pollMsMax).sort((one, other) => one - other);
}

/** Runs that go over all messages. */
function createPasses(temporal: Clients, taskQueue: string) {
	return {
		/** Starts the application of policies to what is stored, unless it runs already. */
		startRetime: (input: RetimeInput) =>
			startOnce(temporal, workflowNames.retime, {
				workflowId: `retime-${taskQueue}`,
				taskQueue,
				args: [input],
				summary: summaries.retime,
				repeatable: true,
				attributes: [],
			}),
		/** Has one message read out. */
		startReveal: ({ exportId, tenantId }: RevealInput & { tenantId: string }) =>
			startOnce(temporal, workflowNames.reveal, {
				workflowId: `reveal-${exportId}`,
				taskQueue,
				args: [{ exportId }],
				summary: summaries.reveal,
				repeatable: false,
				attributes: [{ key: keys.tenant, value: tenantId }],
			}),
		/** Starts a proposal's simulation unless it runs already. */
		startSimulate: (input: SimulateInput) =>
			startOnce(temporal, workflowNames.simulate, {
				workflowId: `simulate-${input.proposalId}`,
				taskQueue,
				args: [input],
				summary: summaries.simulate,
				repeatable: true,
				attributes: [],
			}),
	};
}

/** A message as it was when it ended. */
export type SettledMessage = Pick<Message, "submissionId" | "submissionSize" | "sharesRun" | "group" | "state">;

/** A message as it was accepted, for the run that is to drive it. */
export type RunMember = Pick<Message, "submissionId" | "tenantId" | "category" | "region" | "releaseAt" | "closeAt">;

/** Nothing is left to plan where nothing was deferred. */
function inputOf(members: RunMember[]): LifecycleInput {
	const [{ submissionId, tenantId, category, region }] = members as [RunMember];
	const isDeferred = members.some(({ releaseAt }) => releaseAt !== undefined);
	const closeAt = Math.max(...members.map((member) => member.closeAt));
	const plan = isDeferred ? {} : { groups: [{ group: 0, closeAt, count: members.length }] };
	return { submissionId, tenantId, category, region, ...plan };
}

async function wakeRequest(temporal: Clients, taskQueue: string, input: SubjectRequestInput): Promise<void> {
	await temporal.client.workflow.signalWithStart(workflowNames.subjectRequest, {
		workflowId: requestWorkflowId(input.requestId),
		taskQueue,
		args: [input],
		signal: wakeSignal,
		signalArgs: [],
		staticSummary: summaries.request,
		typedSearchAttributes: [{ key: keys.tenant, value: input.tenantId }],
	});
}

async function startOnce(
	temporal: Clients,
	workflow: string,
	options: {
		workflowId: string;
		taskQueue: string;
		args: unknown[];
		summary: string;
		repeatable?: boolean;
		attributes: SearchAttributePair[];
	},
): Promise<boolean> {
	try {
		await temporal.client.workflow.start(workflow, {
			workflowId: options.workflowId,
			taskQueue: options.taskQueue,
			args: options.args,
			staticSummary: options.summary,
			workflowIdReusePolicy: options.repeatable ? "ALLOW_DUPLICATE" : "REJECT_DUPLICATE",
			workflowIdConflictPolicy: "FAIL",
			typedSearchAttributes: options.attributes,
		});
		return true;
	} catch (error) {
		if ((error as Error).name === "WorkflowExecutionAlreadyStartedError") return false;
		throw error;
	}
}
