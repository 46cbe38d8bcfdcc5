// The only place that builds adapters: what each process is made of, and nothing more than its roles allow.

import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Logger } from "pino";
import { createApiKeys } from "./adapters/apiKeys.ts";
import { createBatcher } from "./adapters/batcher.ts";
import { missingSecrets, missingSettings, type QueueGiven, type SecretHalf } from "./adapters/carriers/fields.ts";
import { createHandOvers } from "./adapters/carriers/handOver.ts";
import { createQueueCarriers } from "./adapters/carriers/queueCarriers.ts";
import { checkQueue, readManual } from "./adapters/carriers/registry.ts";
import { createCohorts } from "./adapters/cohorts.ts";
import { deriveId } from "./adapters/deriveId.ts";
import { createExportSeal } from "./adapters/exportSeal.ts";
import { createFileWitness } from "./adapters/fileWitness.ts";
import { holdSubjectKeys } from "./adapters/holdSubjectKeys.ts";
import { createIssuerKeys } from "./adapters/issuerKeys.ts";
import { createKeyRotation } from "./adapters/keyRotation.ts";
import { createKeysAhead, repeatKeysAhead } from "./adapters/keysAhead.ts";
import { createFileLedger } from "./adapters/ledger/fileLedger.ts";
import { createLedger } from "./adapters/ledger/ledger.ts";
import { createQuarantine, type Quarantine } from "./adapters/ledger/quarantine.ts";
import { createVaultLedger } from "./adapters/ledger/vaultLedger.ts";
import { withLedger } from "./adapters/ledger/withLedger.ts";
import { createLinkSeal } from "./adapters/linkSeal.ts";
import { tellCrashes } from "./adapters/logs/crash.ts";
import { createLog } from "./adapters/logs/log.ts";
import { createLogKeys, type LogKeys } from "./adapters/logs/logKeys.ts";
import { createLogReader } from "./adapters/logs/logReader.ts";
import { createLogWriter, type LogWriter } from "./adapters/logs/logWriter.ts";
import { connectMongo, type MongoConnection } from "./adapters/mongo/connection.ts";
import { createStore, type Store } from "./adapters/mongo/store.ts";
import { createOpenidClient } from "./adapters/openidClient.ts";
import { createOutboundHttp } from "./adapters/outboundHttp.ts";
import { createPeople } from "./adapters/people.ts";
import { createPersonMacs } from "./adapters/personMacs.ts";
import { createReplays } from "./adapters/redis/replays.ts";
import { createRequestCounts } from "./adapters/redis/requestCounts.ts";
import { createSendQueues } from "./adapters/redis/sendQueues.ts";
import { createSendWorker } from "./adapters/redis/sendWorker.ts";
import { createSessions } from "./adapters/redis/sessions.ts";
import { type ServerAddress, serverCertificateEnd } from "./adapters/serverCertificateEnd.ts";
import type { ServerTls } from "./adapters/serverTls.ts";
import { connectTemporal, createRuns, dataConverter, temporalTls } from "./adapters/temporal/client.ts";
import { createSharedRuns } from "./adapters/temporal/sharedRuns.ts";
import { createTextSeal } from "./adapters/textSeal.ts";
import { tlsCertificateEnd } from "./adapters/tlsCertificateEnd.ts";
import { createCarrierSecrets } from "./adapters/vault/carrierSecrets.ts";
import { createVaultClient, type VaultClient } from "./adapters/vault/client.ts";
import { createCohortKeys } from "./adapters/vault/cohortKeys.ts";
import { vaultFailure } from "./adapters/vault/connection.ts";
import { createEncryption } from "./adapters/vault/encryption.ts";
import { createHmacKeys } from "./adapters/vault/hmacKeys.ts";
import { createKeyVersions } from "./adapters/vault/keyVersions.ts";
import { createPersonSeal } from "./adapters/vault/personSeal.ts";
import { createProviderCredentials } from "./adapters/vault/providerCredentials.ts";
import { readTime } from "./adapters/vault/readTime.ts";
import { createSenderKeys } from "./adapters/vault/senderKeys.ts";
import { createSigner, type Signer } from "./adapters/vault/signer.ts";
import { createSubjectKeys } from "./adapters/vault/subjectKeys.ts";
import { createSuccession } from "./adapters/vault/succession.ts";
import { createTokenSigner } from "./adapters/vault/tokenSigner.ts";
import { createWebhookSecrets } from "./adapters/vault/webhookSecrets.ts";
import { createVaultWitness } from "./adapters/vault/witness.ts";
import { createWebhookSender } from "./adapters/webhookSender.ts";
import { createCertificates } from "./audit/certificate.ts";
import { createCheckpoints } from "./audit/checkpoints.ts";
import { createEvidence, type Evidence } from "./audit/evidence.ts";
import { createEvidenceExports } from "./audit/evidenceExport.ts";
import { type Config, ConfigError, required, type VaultRole } from "./config.ts";
import { errorCatalogue, LetheError } from "./domain/errors.ts";
import { formatId, type IdKind } from "./domain/ids.ts";
import { limits } from "./domain/limits.ts";
import { segmentText } from "./domain/segments.ts";
import { openPolicies, type Policies } from "./policies/index.ts";
import { createPublish } from "./policies/publish.ts";

/** The Vault roles of each process. */
const rolesOf = {
	api: ["api"],
	sender: ["sender"],
	worker: ["eraser", "rewrapper", "signer", "sender"],
	admin: ["admin"],
	/** An administrator who hands a tenant its data. */
	exporter: ["admin", "exporter"],
	/** One who has a restored store forget again. */
	restorer: ["admin", "eraser"],
} as const satisfies Record<string, readonly VaultRole[]>;

/** What of a process's work asks Vault, besides what only the eraser does. */
type KeyWork =
	| "opening"
	| "making"
	| "rotating"
	| "signing"
	| "hashing"
	| "carrierSecrets"
	| "webhookSecrets"
	| "ledger"
	| "logging";

const byAdmin = {
	opening: "sender",
	making: "sender",
	rotating: "admin",
	signing: "admin",
	hashing: "admin",
	carrierSecrets: "admin",
	webhookSecrets: "admin",
	ledger: "admin",
	logging: "admin",
} as const;

/** By which role a process does it: opens cohorts' wrapped keys, makes new ones. One that it does not have is not wired. */
const keyRolesOf = {
	api: {
		...{ opening: "api", making: "api", rotating: "api", signing: "api", hashing: "api" },
		...{ carrierSecrets: "api", webhookSecrets: "api", ledger: "api", logging: "api" },
	},
	sender: {
		...{ opening: "sender", making: "sender", rotating: "sender", signing: "admin", hashing: "api" },
		...{ carrierSecrets: "sender", webhookSecrets: "sender", ledger: "sender", logging: "sender" },
	},
	worker: {
		...{ opening: "sender", making: "rewrapper", rotating: "rewrapper", signing: "signer", hashing: "api" },
		...{ carrierSecrets: "sender", webhookSecrets: "sender", ledger: "eraser", logging: "sender" },
	},
	admin: byAdmin,
	exporter: { ...byAdmin, opening: "exporter", making: "exporter" },
	restorer: byAdmin,
} as const satisfies Record<keyof typeof rolesOf, Record<KeyWork, VaultRole>>;

const { version } = JSON.parse(readFileSync(new URL("package.json", import.meta.url), "utf8")) as { version: string };

export type ProcessName = keyof typeof rolesOf;

export type Deps = Awaited<ReturnType<typeof createDeps>>;

/**
 * Opens everything a process needs. Temporal and Redis may be away at start; the store and Vault may not.
 * @throws ConfigError | LetheError
 */
// biome-ignore lint/complexity/noExcessiveLinesPerFunction: a factory; the functions in it are short.
export async function createDeps(config: Config, name: ProcessName) {
	const clock = () => Date.now();
	const monotonic = () => performance.now();
	const ids = createIds();
	// Until Vault is open nobody knows the key: lines wait.
	let logKeys: LogKeys | undefined;
	const logWriter = openLogWriter(config, name, async () => config.logs.recipient ?? (await logKeys?.recipient()));
	const destination = logWriter ?? (isLongRunning(name) ? process.stdout : process.stderr);
	const log = createLog({ level: config.logLevel, process: name, destination });
	const connection = await connectStore(config);
	const stored = createStore(connection, { clock, randomToken: () => randomBytes(9).toString("base64url") });
	const vault = await openVaultRoles(config, rolesOf[name], clock, log).catch(async (error) => {
		await stored.close();
		throw error;
	});
	const vaultFor = (role: VaultRole) => vault.get(role) ?? unavailable(role);
	logKeys = createLogKeys({ vault: vaultFor(keyRolesOf[name].logging) });
	await startLogging(logWriter).catch(async (error) => {
		await stored.close();
		for (const client of vault.values()) await client.close();
		throw error;
	});
	if (isLongRunning(name)) log.info("begun");
	const forgetCrash = isLongRunning(name)
		? tellCrashes({ log, flush: async () => logWriter?.flush() })
		: () => undefined;
	const shared = { clock, randomBytes: (size: number) => randomBytes(size) };
	const by = keyRolesOf[name];
	const ledger = openLedger(config, { clock, ids, store: stored, vault: vaultFor(by.ledger) });
	const store = withLedger(stored, ledger, { clock, log });
	// Histories keep it: no host name, which is nobody's business there.
	const identity = `lethe-${name}-${randomBytes(4).toString("hex")}`;
	const temporal = connectTemporal({
		address: required(config.temporal.address, "TEMPORAL_ADDRESS"),
		namespace: config.temporal.namespace,
		tls: config.temporal.tls,
		identity,
	});
	// Its first message waits for no SDK to load.
	if (isLongRunning(name)) temporal.open();
	const { prefix, tls } = config.redis;
	const redis = { url: required(config.redis.url, "REDIS_URL"), prefix, tls };
	const sendQueues = createSendQueues({ ...redis, clock });
	const replays = createReplays(redis);
	const requestCounts = createRequestCounts({ ...redis, monotonic });
	// The worker opens wrapped keys by the one role, and makes new ones by the other.
	const opening = createCohortKeys({ vault: vaultFor(by.opening) });
	const making = createCohortKeys({ vault: vaultFor(by.making) });
	const { createCohortKey, drawWrappingKey } = making;
	const encrypting = { createCohortKey, drawWrappingKey, unwrapWrappingKey: opening.unwrapWrappingKey };
	const cohortKeys = createCohortKeys({ vault: vaultFor("eraser") });
	const subjectKeys = createSubjectKeys({ vault: vaultFor("eraser") });
	const encryption = createEncryption({ cohortKeys: encrypting, wrappingKeys: store.wrappingKeys, ...shared });
	const linkSeal = createLinkSeal(shared);
	const cohorts = createCohorts({ cohorts: store.cohorts, cohortKeys: encrypting, ids, clock });
	// Only the API encrypts what comes in, and each process draws keys for itself.
	const stopKeysAhead =
		name === "api" ? repeatKeysAhead(createKeysAhead({ cohorts, encryption, log })) : () => undefined;
	const hmac = createHmacKeys({ vault: vaultFor(by.hashing), clock });
	const stopHolding = name === "api" ? await holdSubjectKeys({ tenants: stored.tenants, hmac, log }) : () => undefined;
	const vaultOfKeys = vaultFor(by.signing);
	const signer = createSigner({ vault: vaultOfKeys, clock });
	const keyVersions = createKeyVersions({ vault: vaultFor(by.rotating) });
	const policies = openStoredPolicies(store, monotonic);
	const stopFollowing = isLongRunning(name) ? await followPolicies(policies, log) : () => undefined;
	const personMacs = createPersonMacs({ hmac });
	const personSeal = createPersonSeal({ vault: vaultFor(by.hashing) });
	const sessions = createSessions({ ...redis, macs: personMacs });
	const after = (ms: number, call: () => void) => void setTimeout(call, ms).unref();
	const runs = createRuns({
		temporal,
		taskQueue: config.temporal.taskQueue,
		sweepEveryMs: limits.sweepEveryMs,
		inFlightMax: limits.startsInFlightMax,
		waitingMax: limits.startsWaitingMax,
		patienceMs: limits.driverPatienceMs,
		acceptancesMin: limits.acceptancesBusyMin,
		giveWayMsMax: limits.startsGiveWayMsMax,
		monotonic,
		after,
		isGroupOpen: store.messages.isGroupOpen,
		countStates: store.messages.countStates,
	});
	const sharedRuns = createSharedRuns({
		gatherMs: config.api.sharedRunMs,
		membersMax: limits.submissionMessagesMax,
		randomSubmissionId: () => ids.random("submission"),
		start: runs.startSoon,
		monotonic,
		after,
	});
	const secrets = createCarrierSecrets({ vault: vaultFor(by.carrierSecrets), clock: monotonic });
	const allowSimulator = config.environment !== "production";
	const { publicUrl } = config.api;
	const receiptsUrl = (carrier: string, sendQueue: string) =>
		`${publicUrl}/v1/callbacks/${carrier}/${sendQueue}/receipts`;
	const open = { queues: store.sendQueues, secrets, monotonic, allowSimulator, receiptsUrl };
	const sending = createQueueCarriers({ ...open, purpose: "send" });
	const verifying = createQueueCarriers({ ...open, purpose: "callback" });
	const proof = openEvidence(config, {
		...{ clock, ids, log, store, vault: vaultOfKeys, signer, publishSoon: runs.sweepSoon },
	});
	const quarantine = createQuarantine({
		life: ledger.life,
		stored: store.epochs.read,
		forget() {
			proof.evidence.forget();
			encryption.close();
			cohorts.forget();
		},
		log,
	});
	const stopComparing = await followStore(connection, quarantine, proof.evidence);
	const apiKeys = createApiKeys({ ...shared, store, hmac, evidence: proof.evidence, ids });
	const handOvers = createHandOvers({ url: config.api.url ?? config.api.publicUrl, tls: config.api.callerTls });
	const outbound = createOutboundHttp(config.outbound);
	const senderKeys = createSenderKeys({ vault: vaultFor(by.hashing), clock });
	const webhookSecrets = createWebhookSecrets({ vault: vaultFor(by.webhookSecrets) });

	return {
		config,
		version,
		clock,
		monotonic,
		random: Math.random,
		ids,
		log,
		store,
		/** The same without the ledger, for whoever applies that. */
		stored,
		ledger,
		/** Whether this process may work. */
		quarantine,
		vault,
		encryption,
		cohortKeys,
		subjectKeys,
		linkSeal,
		cohorts,
		keyVersions,
		logKeys,
		keyRotation: createKeyRotation({ keyVersions, wrappingKeys: store.wrappingKeys, clock }),
		cohortKeyPeriodMs: config.keys.cohortPeriodMs,
		limits: { purgeLagMsMax: config.purgeLagMsMax, keyPeriods: config.keys },
		hmac,
		...proof,
		apiKeys,
		people: createPeople({ clock, ids, store, apiKeys, macs: personMacs, personSeal, evidence: proof.evidence }),
		personMacs,
		personSeal,
		sessions,
		sessionLimits: config.sessions,
		secrets,
		exportSeal: createExportSeal(),
		certificates: createCertificates({
			sign: signer.sign,
			clock,
			lifetimes: { ...config.lifetimes, keyCacheMs: limits.wrappingKeyAgeMsMax },
		}),
		canaryId: ids.derive("canary", canaryName),
		policies,
		packs: policies,
		publish: createPublish({ clock, ids, policies, store, runs }),
		sendQueues,
		requestCounts,
		requestLimits: config.api.requestLimits,
		trustedProxies: config.api.trustedProxies,
		metricsFrom: config.metricsFrom,
		/** Callbacks that were just taken. */
		replays,
		segmentsPerSecondDefault: config.sender.ratePerSecondDefault,
		/** Works one send queue with this process's connections. */
		openSendWorker: (
			worker: Pick<
				Parameters<typeof createSendWorker>[0],
				"sendQueue" | "ratePerSecond" | "handle" | "divert" | "onError"
			>,
		) =>
			createSendWorker({
				...worker,
				...redis,
				clock,
				concurrency: config.sender.concurrency,
			}),
		temporal,
		/** What a worker's own connection to Temporal proves both sides by. */
		temporalTls: temporalTls(config.temporal.tls),
		/** How Temporal names this process. */
		identity,
		/** How a Temporal worker encodes what it hands over. */
		dataConverter,
		runs,
		sharedRuns,
		carriers: {
			/** A send queue's carrier with its sending secrets; undefined when there is no such queue. */
			sender: sending.open,
			redacts: sending.redacts,
			/** The same with its callback secrets only. */
			verifier: verifying.open,
			/** What a carrier needs beside secrets of these names; see `missingSecrets`. @throws RangeError when there is none of this name here */
			missing: (carrier: string, half: SecretHalf, names: readonly string[]) =>
				missingSecrets(readManual(carrier, allowSimulator), half, names),
			/** What settings a queue lacks; see `missingSettings`. @throws RangeError when there is none of this name here */
			missingSettings: (carrier: string, given: Pick<QueueGiven, "settings" | "sender">) =>
				missingSettings(readManual(carrier, allowSimulator), given),
			/** @throws RangeError | TypeError when there is no such carrier here, or it can't use what it is given */
			check: (carrier: string, given: QueueGiven): Promise<void> => checkQueue(carrier, given, allowSimulator),
		},
		/** Has the API take what a carrier told on a connection of ours, as a callback of that queue's. */
		handOver: handOvers.to,
		/** Asks servers that tenants name. */
		outbound,
		issuerKeys: createIssuerKeys({ outbound, clock }),
		openid: createOpenidClient({ outbound, clock }),
		providerCredentials: createProviderCredentials({ vault: vaultFor(by.hashing), clock }),
		tokens: createTokenSigner({ vault: vaultOfKeys, clock }),
		receipts: createTokenSigner({ vault: vaultOfKeys, clock, key: "receipt" }),
		webhookSecrets,
		senderKeys,
		/** Encrypts texts to recipients' keys. */
		textSeal: createTextSeal({ senderKeys }),
		sendWebhook: createWebhookSender({ http: outbound, secrets: webhookSecrets, clock }),
		publicUrl,
		segmentText,
		/** What time Vault has, epoch ms. */
		vaultTime: vaultTimeBy(config),
		/** When the certificate of the API's TLS ends, epoch ms; undefined where this process serves none. */
		tlsCertificateEndsAt: () => config.api.tls && tlsCertificateEnd(config.api.tls.certificateFile),
		/** Server that TLS is spoken with → when its certificate ends, epoch ms. */
		serverCertificateEnds: readCertificateEnds(config, connection, clock),
		/** Server → a call that throws while it can't be reached. */
		checks: {
			mongodb: store.ping,
			vault: async () => void (await vaultFor(rolesOf[name][0]).read("auth/token/lookup-self")),
			redis: sendQueues.ping,
			policies: async () => policies.check(),
			quarantine: async () => quarantine.checkAge(),
			temporal: async () => void (await temporal.ping()),
		},
		async close(): Promise<void> {
			stopFollowing();
			stopComparing();
			stopKeysAhead();
			stopHolding();
			await Promise.all([sending.close(), verifying.close()]);
			await Promise.all([handOvers.close(), outbound.close()]);
			replays.close();
			for (const client of vault.values()) await client.close();
			requestCounts.close();
			await Promise.allSettled([sendQueues.close(), sessions.close(), temporal.close(), store.close()]);
			await logWriter?.close();
			forgetCrash();
		},
	};
}

/**
 * What `lethe logs` needs: the private keys, and the evidence log to enter the reading in; and the canary, what signs its result.
 * @throws ConfigError | LetheError
 */
export async function createLogReading(config: Config, roles: readonly ("logreader" | "canary")[] = ["logreader"]) {
	const clock = () => Date.now();
	const ids = createIds();
	const log = createLog({ level: "error", process: "logreader", destination: process.stderr });
	const dir = required(config.logs.dir, "LETHE_LOG_DIR");
	const connection = await connectStore(config);
	const store = createStore(connection, { clock, randomToken: () => randomBytes(9).toString("base64url") });
	const vault = await openVaultRoles(config, roles, clock, log).catch(async (error) => {
		await store.close();
		throw error;
	});
	const keys = createLogKeys({ vault: vault.get("logreader") as VaultClient });
	return {
		dir,
		/** What canaries are about, in the evidence log. */
		canaryId: ids.derive("canary", canaryName),
		signCanary: createSigner({ vault: vault.get("canary") ?? unavailable("canary"), clock, key: "canary" }).sign,
		clock,
		version,
		evidence: createEvidence({ clock, ids, store: store.evidence, gather: createBatcher }),
		identities: keys.identities,
		/** Writes as `process` does. */
		openWriter: (process: string) =>
			createLogWriter({
				...{ dir, process, clock, randomBytes: (size) => randomBytes(size), tell: () => undefined },
				...{ fileBytesMax: config.logs.fileBytesMax, lifetimeMs: config.logs.lifetimeMs },
				vaultTime: vaultTimeBy(config),
				recipient: async () => config.logs.recipient ?? keys.recipient(),
			}),
		openReader: (identities: readonly string[]) => createLogReader({ dir, identities }),
		async close(): Promise<void> {
			for (const client of vault.values()) await client.close();
			await store.close();
		},
	};
}

/** @throws ConfigError with the driver's word for why: its sentence may quote what of the URL it took for a host. */
async function connectStore({ mongodb: { url, database, tls } }: Config): Promise<MongoConnection> {
	return connectMongo({ url: required(url, "MONGODB_URL"), database, tls }).catch((error) => {
		const { codeName, name } = error as { codeName?: string; name: string };
		throw new ConfigError(`MongoDB can't be reached (${codeName ?? name}): start it, or correct MONGODB_URL.`);
	});
}

function readCertificateEnds(
	{ vault, mongodb, redis, temporal }: Config,
	connection: MongoConnection,
	clock: () => number,
) {
	const { tls, hosts, proxyHost } = connection.getClient().options;
	const ends: Record<string, () => Promise<number>> = {};
	const add = (name: string, by: ServerTls | undefined, addresses: () => ServerAddress[]) => {
		ends[name] = async () => serverCertificateEnd(addresses(), by ?? {}, clock());
	};
	if (/^https:/.test(vault.address ?? "")) add("vault", vault.tls, () => [addressOf(vault.address, 443)]);
	// Behind a proxy its addresses are none of this network's.
	if (tls && proxyHost === undefined) {
		add("mongodb", mongodb.tls, () => hosts.flatMap(({ host, port = 27017 }) => (host ? [{ host, port }] : [])));
	}
	if (redis.tls || /^rediss:/.test(redis.url ?? "")) add("redis", redis.tls, () => [addressOf(redis.url, 6379)]);
	if (temporal.tls) add("temporal", temporal.tls, () => [addressOf(`grpc://${temporal.address}`, 7233)]);
	return ends;
}

function addressOf(url: string | undefined, standardPort: number): ServerAddress {
	const { hostname, port } = new URL(url ?? "");
	return { host: hostname.replace(/^\[|\]$/g, ""), port: Number(port || standardPort) };
}

/** Why a process can't start, for whoever runs it: what failed, and what of Vault refused, or a word of ours for why. */
export function tellFailure(error: LetheError): string {
	const { code, cause } = error;
	const { operation, path, status } = vaultFailure(error) ?? {};
	const told = typeof cause === "string" ? cause : "";
	const why = status ? `Vault answered ${status} to ${operation} ${path}` : told;
	return `${code}: ${errorCatalogue[code].title}${why && ` (${why})`}`;
}

/** Their logs are kept. A command's lines are for who called it, beside what it prints. */
function isLongRunning(name: ProcessName): boolean {
	return name === "api" || name === "sender" || name === "worker";
}

function vaultTimeBy({ vault: { address, tls } }: Config) {
	return () => readTime({ address: required(address, "VAULT_ADDR"), tls });
}

function openLogWriter(config: Config, name: ProcessName, recipient: () => Promise<string | undefined>) {
	if (!isLongRunning(name)) return undefined;
	const { dir, fileBytesMax, lifetimeMs } = config.logs;
	if (dir === undefined && config.environment !== "production") return undefined;
	return createLogWriter({
		dir: required(dir, "LETHE_LOG_DIR"),
		process: name,
		recipient: async () => (await recipient()) ?? Promise.reject(new Error("Vault is not open")),
		clock: () => Date.now(),
		vaultTime: vaultTimeBy(config),
		randomBytes: (size) => randomBytes(size),
		...{ fileBytesMax, lifetimeMs },
		tell: (code) => void process.stderr.write(`log: ${code}\n`),
	});
}

// Without its log a process does not begin; once it runs, messages count for more than lines about them.
async function startLogging(writer: LogWriter | undefined): Promise<void> {
	await writer?.start().catch((error: { code?: string }) => {
		const { code = "failed" } = error;
		throw new ConfigError(
			code === "log_key_unavailable"
				? "There is no key for logs: provision Vault again, or set LETHE_LOG_RECIPIENT."
				: `LETHE_LOG_DIR: no file can be begun there (${code}). Make it a folder that this process may write to, with room.`,
		);
	});
}

/** Where acts are written down that no restore may undo. */
function openLedger(
	config: Config,
	deps: { clock: () => number; ids: ReturnType<typeof createIds>; store: Store; vault: VaultClient },
) {
	const { ledgerDir, mongodb } = config;
	return createLedger({
		store: deps.store.epochs,
		waiting: deps.store.ledgerWaiting,
		tenants: deps.store.tenants,
		subjectRecords: deps.store.subjectRecords,
		main: createVaultLedger({ vault: deps.vault, name: mongodb.database }),
		witness: ledgerDir === undefined ? undefined : createFileLedger(join(ledgerDir, mongodb.database)),
		clock: deps.clock,
		randomEpoch: () => deps.ids.random("epoch"),
	});
}

/** The evidence log: what enters acts, publishes checkpoints to the witnesses, and exports. */
function openEvidence(
	config: Config,
	deps: {
		clock: () => number;
		ids: ReturnType<typeof createIds>;
		log: Pick<Logger, "error">;
		store: Store;
		vault: VaultClient;
		signer: Signer;
		publishSoon: () => void;
	},
) {
	const { origin, witnessFile } = config.evidence;
	const store = deps.store.evidence;
	const evidenceSigner = createSigner({ vault: deps.vault, clock: deps.clock, key: "evidence" });
	const canarySigner = createSigner({ vault: deps.vault, clock: deps.clock, key: "canary" });
	const succession = createSuccession(deps);
	const witnesses = [createVaultWitness(deps), ...(witnessFile ? [createFileWitness(witnessFile)] : [])];
	const keys = async () => (await evidenceSigner.publicJwks()).keys;
	const publicJwks = async () => {
		const all = await Promise.all([deps.signer, evidenceSigner, canarySigner].map((signer) => signer.publicJwks()));
		return { keys: all.flatMap((set) => set.keys) };
	};
	return {
		evidence: createEvidence({ ...deps, store, gather: createBatcher }),
		checkpoints: createCheckpoints({
			...{ origin, store, witnesses, sign: evidenceSigner.sign, keys, judged: succession.judged },
		}),
		evidenceExports: createEvidenceExports({
			...{ store, publishSoon: deps.publishSoon, monotonic: () => performance.now() },
			patienceMs: limits.checkpointPatienceMs,
		}),
		/** Signs certificates; its public keys are those of checkpoints and of the canary's results too. */
		signer: { ...deps.signer, publicJwks },
		evidenceKeys: keys,
		witnesses,
		succession,
	};
}

/** Has the store looked at now and again, and at once when it comes back: a copy may stand in its place. Answers what ends that. */
async function followStore(connection: MongoConnection, quarantine: Quarantine, evidence: Pick<Evidence, "forget">) {
	connection.on("disconnected", () => {
		quarantine.lose();
		evidence.forget();
	});
	connection.on("connected", () => void quarantine.refresh());
	return quarantine.follow();
}

/** The policies, with what is published: known from their first `refresh`, which is a command's to ask for. */
function openStoredPolicies(store: Store, monotonic: () => number): Policies {
	const { newest, all } = store.policyVersions;
	const { countPublished } = store.proposals;
	return openPolicies({ published: { source: { newest, all, countPublished }, monotonic } });
}

/** Keeps them up with what is published; what stops that is logged once, and stops every decision meanwhile. */
async function followPolicies(policies: Policies, log: Pick<Logger, "error">): Promise<() => void> {
	let told = "";
	let running = false;
	const follow = async () => {
		// A store that answers slowly is not asked twice at once.
		if (running) return;
		running = true;
		await policies.refresh().finally(() => {
			running = false;
		});
		const why = faultOf(policies);
		if (why && why !== told) log.error({ code: "policies_unavailable", why }, "nothing is decided");
		told = why;
	};
	await follow();
	const fail = (error: Error) => log.error({ code: "policies_unavailable", why: error.message }, "nothing is decided");
	const timer = setInterval(() => void follow().catch(fail), limits.policyPollMs);
	timer.unref();
	return () => clearInterval(timer);
}

function faultOf({ check }: Pick<Policies, "check">): string {
	try {
		check();
		return "";
	} catch (error) {
		return String((error as LetheError).cause);
	}
}

const canaryName = "deployment";

function createIds() {
	return {
		/** A fresh id of 128 random bits. */
		random: (kind: IdKind) => formatId(kind, randomBytes(16)),
		/** Always the same id for the same text. */
		derive: deriveId,
	};
}

async function openVaultRoles(
	config: Config,
	roles: readonly VaultRole[],
	clock: () => number,
	log: Pick<Logger, "error">,
) {
	const address = required(config.vault.address, "VAULT_ADDR");
	const clients = new Map<VaultRole, VaultClient>();
	for (const role of roles) {
		const credentials = config.vault.credentials[role];
		if (!credentials)
			throw new ConfigError(`This needs the credentials of Vault's role ${role}: set ${halvesOf(role)}.`);
		const onLost = () => {
			// Only a start with a fresh wrapped secret-id helps; whoever runs this process restarts it.
			log.error({ role }, "Vault token lost");
			process.stderr.write(`Vault token of the role ${role} lost: start again with a fresh wrapped secret-id.\n`);
			process.exitCode = 1;
			process.kill(process.pid, "SIGTERM");
		};
		try {
			clients.set(role, await createVaultClient({ address, tls: config.vault.tls, ...credentials, clock, onLost }));
		} catch (error) {
			for (const client of clients.values()) await client.close();
			throw vaultFailure(error) && (error as LetheError).code === "internal" ? usedUp(role) : error;
		}
	}
	return clients;
}

function halvesOf(role: VaultRole): string {
	const name = `LETHE_VAULT_${role.toUpperCase()}`;
	return `${name}_ROLE_ID, and ${name}_WRAPPED_SECRET_ID or ${name}_WRAPPED_SECRET_ID_FILE`;
}

function usedUp(role: VaultRole): ConfigError {
	const name = `LETHE_VAULT_${role.toUpperCase()}`;
	return new ConfigError(
		`${name}_WRAPPED_SECRET_ID: Vault refuses it with ${name}_ROLE_ID. It can be used once, within ten minutes: issue another.`,
	);
}

// A role that this process does not have: nothing it must not do is even wired.
function unavailable(role: VaultRole): VaultClient {
	const refuse = async () => {
		throw new LetheError("internal", { cause: `no Vault role ${role} in this process` });
	};
	return { read: refuse, write: refuse, remove: refuse, renew: refuse } as unknown as VaultClient;
}
