// The whole engine in one process, for tests that drive races on purpose: real Temporal, MongoDB and Redis, a scripted carrier, a clock that can be set.

import { randomBytes } from "node:crypto";
import { dirname } from "node:path";
import { DefaultLogger, NativeConnection, Runtime, Worker } from "@temporalio/worker";
import { Redis } from "ioredis";
import { createCertifyAgain } from "../../activities/certify.ts";
import { createClockGuard } from "../../activities/clockGuard.ts";
import type { ActivityDeps } from "../../activities/deps.ts";
import { createActivities } from "../../activities/index.ts";
import { createRedact } from "../../activities/redact.ts";
import { createRejudge } from "../../activities/rejudge.ts";
import { createReroute } from "../../activities/reroute.ts";
import { createSend } from "../../activities/send.ts";
import { createTenancy } from "../../activities/tenancy.ts";
import { createUnpark } from "../../activities/unpark.ts";
import { createBatcher } from "../../adapters/batcher.ts";
import type { Carrier, SendOutcome } from "../../adapters/carriers/carrier.ts";
import { createSimulator } from "../../adapters/carriers/simulator.ts";
import { createCohorts } from "../../adapters/cohorts.ts";
import { deriveId } from "../../adapters/deriveId.ts";
import { createExportSeal } from "../../adapters/exportSeal.ts";
import { createLinkSeal } from "../../adapters/linkSeal.ts";
import { connectMongo } from "../../adapters/mongo/connection.ts";
import type { TenantDocument } from "../../adapters/mongo/models.ts";
import { createStore, type Store } from "../../adapters/mongo/store.ts";
import { createSendQueues } from "../../adapters/redis/sendQueues.ts";
import { createSendWorker } from "../../adapters/redis/sendWorker.ts";
import { connectTemporal, createRuns, dataConverter } from "../../adapters/temporal/client.ts";
import { createEncryption } from "../../adapters/vault/encryption.ts";
import { createCertificates } from "../../audit/certificate.ts";
import { createCheckpoints } from "../../audit/checkpoints.ts";
import { createEvidence } from "../../audit/evidence.ts";
import { formatId, type IdKind } from "../../domain/ids.ts";
import { limits } from "../../domain/limits.ts";
import type { Message } from "../../domain/message.ts";
import { Plaintext } from "../../domain/plaintext.ts";
import { keepBundle } from "../../stack/keepBundle.ts";
import { createMemoryKeys } from "./memoryKeys.ts";
import { createMemoryWitness } from "./memoryWitness.ts";
import { messageOf } from "./message.ts";

export { until } from "./until.ts";

export type Engine = Awaited<ReturnType<typeof createEngine>>;

const day = 24 * 3600_000;

Runtime.install({ logger: new DefaultLogger("ERROR") });

type EngineOptions = {
	worker?: boolean;
	sender?: boolean;
	/** Puts an activity in another's place, to lose or delay what it does. */
	replace?: (activities: ReturnType<typeof createActivities>) => Partial<ReturnType<typeof createActivities>>;
	/** What decides anew, whole or in part; without it everything is allowed and nothing ever changes. */
	policies?: Partial<ActivityDeps["policies"]> | ((store: Store) => ActivityDeps["policies"]);
	/** Where its send queues are, for a line that the test breaks. */
	redisUrl?: string;
};

/** Needs MONGODB_URL, REDIS_URL, TEMPORAL_ADDRESS and LETHE_TEST_STACK; each engine has its own database and queues. */
export async function createEngine(options: EngineOptions = {}) {
	const name = `t${randomBytes(6).toString("hex")}`;
	/** `offsetMs`: what has passed. `jumpMs`: by how much this machine's clock alone was set forward. */
	const time = { offsetMs: 0, jumpMs: 0 };
	const clock = () => Date.now() + time.offsetMs + time.jumpMs;
	const monotonic = () => performance.now() + time.offsetMs;
	const ids = {
		random: (kind: IdKind) => formatId(kind, randomBytes(16)),
		derive: deriveId,
	};
	const connection = await connectMongo({ url: process.env.MONGODB_URL as string, database: name });
	const store = createStore(connection, { clock, randomToken: () => randomBytes(9).toString("base64url") });
	await store.prepare();
	const memory = createMemoryKeys();
	const encryption = createEncryption({
		cohortKeys: memory.cohortKeys,
		wrappingKeys: store.wrappingKeys,
		clock,
		randomBytes: (size) => randomBytes(size),
	});
	const temporal = connectTemporal({ address: process.env.TEMPORAL_ADDRESS ?? "127.0.0.1:1", namespace: "default" });
	const redisUrl = options.redisUrl ?? (process.env.REDIS_URL as string);
	const sendQueues = createSendQueues({ url: redisUrl, prefix: name, clock });
	const carrier = createScriptedCarrier();
	const warnings: string[] = [];
	const errors: string[] = [];
	const log = {
		info: () => undefined,
		error: (fields: object) => void errors.push(JSON.stringify(fields)),
		warn: (fields: object) => void warnings.push(JSON.stringify(fields)),
	};
	const runs = createRuns({
		temporal,
		taskQueue: name,
		sweepEveryMs: limits.sweepEveryMs,
		inFlightMax: limits.startsInFlightMax,
		waitingMax: limits.startsWaitingMax,
		patienceMs: limits.driverPatienceMs,
		acceptancesMin: limits.acceptancesBusyMin,
		giveWayMsMax: limits.startsGiveWayMsMax,
		monotonic: () => performance.now(),
		after: (ms, call) => void setTimeout(call, ms).unref(),
		isGroupOpen: store.messages.isGroupOpen,
		countStates: store.messages.countStates,
	});
	const cohorts = createCohorts({ cohorts: store.cohorts, cohortKeys: memory.cohortKeys, ids, clock });
	const { policies } = options;
	const witness = createMemoryWitness();
	const deps: ActivityDeps = {
		clock,
		monotonic,
		vaultTime: async () => Date.now() + time.offsetMs,
		random: () => 0,
		ids,
		log,
		store,
		runs,
		sendQueues,
		segmentsPerSecondDefault: 1_000,
		encryption,
		cohortKeys: memory.cohortKeys,
		linkSeal: createLinkSeal({ randomBytes: (size) => randomBytes(size) }),
		exportSeal: createExportSeal(),
		subjectKeys: memory.subjectKeys,
		ledger: { beat: async () => "current", put: async () => undefined, forget: async () => undefined },
		certificates: createCertificates({
			sign: memory.sign,
			clock,
			lifetimes: {
				oplogMs: day,
				journalMs: day,
				databaseBackupMs: day,
				vaultRaftLogMs: day,
				vaultSnapshotMs: day,
				logsMs: day,
				carrierMs: day,
				keyCacheMs: limits.wrappingKeyAgeMsMax,
			},
		}),
		evidence: createEvidence({ clock, ids, log, store: store.evidence, gather: createBatcher }),
		checkpoints: createCheckpoints({
			origin: "lethe.test/evidence",
			store: store.evidence,
			witnesses: [witness],
			sign: memory.sign,
			keys: async () => [memory.publicJwk],
			judged: async () => undefined,
		}),
		cohorts,
		// Vault's matter: nothing is rotated here.
		keyRotation: { renew: async () => ({ state: "done", rewrappedCount: 0 }) },
		cohortKeyPeriodMs: 730 * day,
		policies: typeof policies === "function" ? policies(store) : { ...constantPolicies, ...policies },
		publish: { settle: async () => undefined },
		carriers: { sender: async () => carrier, redacts: async () => carrier.redact !== undefined },
	};
	const activities = createActivities(deps);
	const { checkClock } = createClockGuard(deps);
	const redact = createRedact({ ...deps, certifyAgain: createCertifyAgain(deps), checkClock });
	const isStopping = () => false;
	const send = createSend({
		...deps,
		isStopping,
		checkClock,
		unpark: createUnpark(deps),
		rejudge: createRejudge(deps),
		tenancy: createTenancy(deps),
		reroute: createReroute({ ...deps, rejudge: createRejudge(deps) }),
	});
	const sendWorker =
		options.sender === false
			? undefined
			: createSendWorker({
					clock,
					url: redisUrl,
					prefix: name,
					sendQueue: "queue",
					concurrency: 20,
					ratePerSecond: 1_000,
					handle: (job, control) => send(job, control),
					onError: () => undefined,
				});
	const replaced = { ...activities, ...options.replace?.(activities) };
	const worker = options.worker === false ? undefined : await startWorker(name, replaced);

	async function ensureTenant(id: string): Promise<void> {
		if (!(await store.tenants.find(id))) await store.tenants.put(tenantOf(id, clock()));
	}

	/** Inserts a message as the API would, encrypted under real cohorts; does not start its run. */
	async function accept(shape: Parameters<typeof messageOf>[0] = {}): Promise<Message> {
		const now = clock();
		const tenantId = shape?.tenantId ?? ids.random("tenant");
		await ensureTenant(tenantId);
		const template = messageOf({
			id: ids.random("message"),
			submissionId: ids.random("submission"),
			deadlineAt: now + 60_000,
			closeAt: now + 120_000,
			nextCheckAt: now + limits.driverPatienceMs,
			acceptedAt: now,
			...shape,
			tenantId,
		});
		for (const object of ["content", "address"] as const) {
			const dueAt = template.closeAt + limits.clockSkewMs;
			const cohortId = await cohorts.ensure({ tenantId, region: "US", retentionClass: `${object}/PT1H`, dueAt });
			const plaintext = Plaintext.text(object === "content" ? "The text in clear" : "+12025550142");
			template[object] = await encryption.encrypt({ tenantId, messageId: template._id, object, cohortId, plaintext });
			template.retention[object] = { eraseBy: dueAt, atFinal: template.retention[object]?.atFinal ?? true, cohortId };
		}
		template.retention.receipt = { eraseBy: now + 90 * day, atFinal: false };
		template.retention.decision_record = { eraseBy: now + 365 * day, atFinal: false };
		await store.messages.insert(template);
		return template;
	}

	return {
		...deps,
		runs,
		connection,
		store,
		name,
		time,
		memory,
		carrier,
		encryption,
		cohorts,
		sendQueues,
		activities,
		send,
		isStopping,
		checkClock,
		/** Gives each send queue a turn with what its carrier is to forget, as the worker does beside the sweep. */
		async redact(): Promise<void> {
			for (const sendQueue of await redact.findQueues()) {
				// A turn ends by time: on a slow machine a line takes several.
				while ((await redact.redactQueue(sendQueue)) === "more");
			}
		},
		temporal,
		warnings,
		errors,
		witness,
		accept,
		/** A tenant of that id, unless there is one. */
		ensureTenant,
		/** `planned`: as acceptance starts what it did not defer; otherwise as the sweep does. */
		start: (message: Message, { planned = false } = {}) =>
			runs.start({
				submissionId: message.submissionId,
				tenantId: message.tenantId,
				category: message.category,
				region: message.region,
				...(planned ? { groups: [{ group: 0, closeAt: message.closeAt, count: message.submissionSize }] } : {}),
			}),
		/** Deletes every key of this engine's queues, as an emptied Redis would. */
		async emptyRedis(): Promise<void> {
			const redis = new Redis(process.env.REDIS_URL as string);
			const keys = await redis.keys(`${name}:*`);
			if (keys.length > 0) await redis.del(keys);
			redis.disconnect();
		},
		read: async (id: string) => (await store.messages.find(id)) as Message,
		async close(): Promise<void> {
			await sendWorker?.close();
			worker?.worker.shutdown();
			await worker?.running;
			await worker?.connection.close();
			await connection.dropDatabase();
			await Promise.allSettled([sendQueues.close(), temporal.close(), store.close()]);
			encryption.close();
		},
	};
}

/** Of a tenant that sends anywhere: nothing is sent for one that nobody knows. */
export function tenantOf(_id: string, createdAt: number): TenantDocument {
	const about = { name: "Test", establishment: "DE", destinations: ["*"], sendQueues: ["queue"], retention: {} };
	return { _id, ...about, createdAt };
}

const constantPolicies: ActivityDeps["policies"] = {
	isCapped: () => false,
	reevaluate: () => ({ allowed: true, reasons: [], citations: [], packs: [], rules: [] }),
	excluded: () => [],
	inForce: () => ({ files: [], from: 0, fingerprint: "constant", published: false }),
	replan: () => {
		throw new Error("no pass begins while nothing changes");
	},
	retentionPlan: () => {
		throw new Error("no pass begins while nothing changes");
	},
	preview: () => {
		throw new Error("no proposal is simulated here");
	},
};

let bundling: Promise<string> | undefined;

async function startWorker(taskQueue: string, activities: object) {
	const connection = await NativeConnection.connect({ address: process.env.TEMPORAL_ADDRESS as string });
	bundling ??= keepBundle(dirname(process.env.LETHE_TEST_STACK as string));
	const workflowBundle = { codePath: await bundling };
	const worker = await Worker.create({ connection, taskQueue, dataConverter, activities, workflowBundle });
	return { worker, connection, running: worker.run() };
}

function createScriptedCarrier() {
	const calls: { reference: string; text: string; to: string }[] = [];
	const known = new Map<string, string>();
	const script: { next?: (reference: string) => Promise<SendOutcome> } = {};
	const simulator = createSimulator({ settings: {}, secrets: {} });
	const carrier: Carrier = {
		name: "scripted",
		capabilities: simulator.capabilities,
		manual: simulator.manual,
		async send(message) {
			calls.push({ reference: message.reference, text: message.text.reveal(), to: message.to.reveal() });
			if (script.next) return script.next(message.reference);
			const carrierId = `c-${message.reference}`;
			known.set(message.reference, carrierId);
			return { kind: "accepted", carrierId, segments: 1 };
		},
		verify: () => ({ valid: false, reason: "not_configured", events: [], messages: [] }),
		async lookup(reference) {
			const carrierId = known.get(reference);
			return carrierId ? { kind: "found", carrierId, segments: 1, state: "pending", at: 1 } : { kind: "absent" };
		},
	};
	return Object.assign(carrier, { calls, known, script });
}
