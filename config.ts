// Every setting there is, checked at start: the only reader of process.env.

import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { createSecureContext } from "node:tls";
import ipaddr from "ipaddr.js";
import { z } from "zod";

const port = z.coerce.number().int().min(0).max(65535);
// A hundred years: what is added to a date is still one.
const milliseconds = z.coerce
	.number()
	.int()
	.min(0)
	.max(100 * 365 * 24 * 3600_000);
// "unbounded" says honestly that nobody limits this copy; certificates are then incomplete.
const lifetime = z.union([z.literal("unbounded").transform(() => null), milliseconds]);
// Certificates name it.
const logLifetime = z.coerce
	.number()
	.int()
	.min(60_000)
	.max(35 * 24 * 3600_000);
const listOf = (text: string) => text.split(",").flatMap((one) => one.trim() || []);
const ranges = (standard: string) =>
	z
		.string()
		.default(standard)
		.transform(listOf)
		.refine((found) => found.every(isRange), "not a list of ranges");
// Without a scheme `vault:8200` is a URL as well, whose scheme is the host.
const httpUrl = z.url({ protocol: /^https?$/ }).transform((text) => text.replace(/\/+$/, ""));
const perSecond = z.coerce.number().int().min(1).max(100_000);

type Setting = { schema: z.ZodType; doc: string; secret?: true };

const vaultRoles = [
	"api",
	"sender",
	"eraser",
	"exporter",
	"rewrapper",
	"signer",
	"admin",
	"canary",
	"logreader",
] as const;
export type VaultRole = (typeof vaultRoles)[number];

/** Name → schema and one sentence; docs/settings.md is made from this. */
export const settings = {
	LETHE_ENVIRONMENT: {
		schema: z.enum(["development", "production"]).default("development"),
		doc: "`production` refuses the simulated carrier.",
	},
	TEMPORAL_ADDRESS: {
		schema: z
			.string()
			.regex(/^[^\s/]+$/)
			.refine((text) => URL.canParse(`grpc://${text}`), "not a host and a port")
			.optional(),
		doc: "Temporal's gRPC address, `host:port`.",
	},
	TEMPORAL_NAMESPACE: { schema: z.string().min(1).default("default"), doc: "Temporal namespace of the runs." },
	LETHE_TASK_QUEUE: { schema: z.string().min(1).default("lethe"), doc: "Temporal task queue of the lifecycle." },
	LETHE_WORKFLOW_BUNDLE: {
		schema: z.string().min(1).optional(),
		doc: "Path of a prebuilt workflow bundle; without it the worker builds one at start.",
	},
	VAULT_ADDR: { schema: httpUrl.optional(), doc: "URL of the Vault API." },
	MONGODB_URL: {
		schema: z
			.string()
			.regex(/^mongodb(\+srv)?:\/\//)
			.optional(),
		doc: "MongoDB connection string.",
		secret: true,
	},
	MONGODB_URL_FILE: { schema: z.string().min(1).optional(), doc: "File that holds the MongoDB connection string." },
	LETHE_DATABASE: {
		schema: z
			.string()
			.regex(/^[\w-]{1,38}$/)
			.default("lethe"),
		doc: "MongoDB database name.",
	},
	REDIS_URL: {
		schema: z
			.string()
			.regex(/^rediss?:\/\//)
			.refine(
				isRedisUrl,
				"not a URL that can be read: in a user or password each of %, /, ?, #, @ and : is written as %25, %2F and so on",
			)
			.optional(),
		doc: "Redis connection string.",
		secret: true,
	},
	REDIS_URL_FILE: { schema: z.string().min(1).optional(), doc: "File that holds the Redis connection string." },
	LETHE_QUEUE_PREFIX: { schema: z.string().min(1).default("lethe"), doc: "Prefix of every key in Redis." },
	...serverTlsSettings(["TEMPORAL", "VAULT", "MONGODB", "REDIS"]),
	LETHE_API_HOST: {
		schema: z.string().min(1).default("127.0.0.1"),
		doc: "Address that the API listens on by plain HTTP: loopback, unless `LETHE_PLAIN_HTTP` says otherwise.",
	},
	LETHE_API_PORT: {
		schema: port.default(8080),
		doc: "Port that the API listens on by plain HTTP; 0 takes a free one.",
	},
	LETHE_PLAIN_HTTP: {
		schema: z.enum(["loopback", "anywhere"]).default("loopback"),
		doc: "Where plain HTTP may be heard; `anywhere` is for a proxy that brings TLS, on a network of its own.",
	},
	LETHE_TLS_HOST: { schema: z.string().min(1).default("127.0.0.1"), doc: "Address that the API listens on by TLS." },
	LETHE_TLS_PORT: { schema: port.default(8443), doc: "Port that the API listens on by TLS; 0 takes a free one." },
	LETHE_TLS_CERTIFICATE_FILE: {
		schema: z.string().min(1).optional(),
		doc: "The API's certificate and those between it and its authority, PEM; a renewed file is taken up within seconds. Without it there is no TLS.",
	},
	LETHE_TLS_KEY_FILE: { schema: z.string().min(1).optional(), doc: "The private key of the API's certificate, PEM." },
	LETHE_TLS_CLIENT_AUTHORITY_FILE: {
		schema: z.string().min(1).optional(),
		doc: "Certificates of the authorities whose client certificates are known, PEM.",
	},
	LETHE_TLS_CLIENT_CERTIFICATES: {
		schema: z.enum(["none", "optional", "required"]).default("none"),
		doc: "Whether callers are asked for a certificate; `required` turns away who has none of `LETHE_TLS_CLIENT_AUTHORITY_FILE`: give senders and `lethe doctor` one by `LETHE_API_TLS_CERTIFICATE_FILE`.",
	},
	LETHE_PUBLIC_URL: {
		schema: httpUrl.refine(isPlain, "not a URL that paths can be put behind").default("http://127.0.0.1:8080"),
		doc: "The API's URL as carriers and callers see it, before any proxy.",
	},
	LETHE_API_URL: {
		schema: httpUrl.refine(isPlain, "not a URL that paths can be put behind").optional(),
		doc: "The API's URL as senders reach it: they hand over what carriers tell on connections of ours. `LETHE_PUBLIC_URL` unless set.",
	},
	...serverTlsSettings(["LETHE_API"]),
	LETHE_METRICS_FROM: {
		schema: ranges("127.0.0.0/8,::1/128"),
		doc: "Address ranges (CIDR, commas between them) from which `/metrics` may be read: it tells how much is sent, and to which countries.",
	},
	LETHE_OUTBOUND_ALLOWED: {
		schema: ranges(""),
		doc: "Address ranges (CIDR, commas between them) that webhooks and outside issuers may be in though they are not public, like `10.20.0.0/16`; plain HTTP is for loopback within them only.",
	},
	LETHE_TRUSTED_PROXIES: {
		schema: z
			.string()
			.transform(listOf)
			.refine((found) => found.every((one) => isAddress(one) || isRange(one)), "not a list of addresses and ranges")
			.optional(),
		doc: "Addresses or ranges (CIDR), separated by commas, of the proxies whose `X-Forwarded-For` says where a caller is.",
	},
	LETHE_REQUESTS_IN_FLIGHT_MAX: {
		schema: z.coerce.number().int().min(1).max(100_000).default(512),
		doc: "Requests that one API process has under way at once; more are answered 503.",
	},
	// A longer wait would show in what callers see of a message that nothing holds up.
	LETHE_SHARED_RUN_MS: {
		schema: milliseconds.max(1_000).default(0),
		doc: "Single messages of one tenant, category and region that are accepted within so many ms of each other share a run, one-time codes never, and wait for its start so long, and for each other's inserts; 0 for a run each.",
	},
	LETHE_CONNECTIONS_MAX: {
		schema: z.coerce.number().int().min(1).max(100_000).default(4096),
		doc: "Connections that one API process holds open at once; more are closed.",
	},
	LETHE_ADDRESS_CONNECTIONS_MAX: {
		schema: z.coerce.number().int().min(1).max(100_000).default(2048),
		doc: "Of these the connections of one address, or of one IPv6 /64; more are closed. Proxies that `LETHE_TRUSTED_PROXIES` names have no such bound.",
	},
	LETHE_KEY_REQUESTS_PER_SECOND: {
		schema: perSecond.default(1000),
		doc: "Requests a second of one API key; more are answered 429.",
	},
	LETHE_TENANT_REQUESTS_PER_SECOND: {
		schema: perSecond.default(2000),
		doc: "Requests a second of one tenant; more are answered 429.",
	},
	LETHE_ADDRESS_REQUESTS_PER_SECOND: {
		schema: perSecond.default(2000),
		doc: "Requests a second that one API process takes from one address; more are answered 429.",
	},
	LETHE_FAILED_AUTHENTICATIONS_PER_MINUTE: {
		schema: perSecond.default(600),
		doc: "Failures to authenticate a minute from one address that are answered 401, the later the slower; more are answered 429.",
	},
	LETHE_EVIDENCE_ORIGIN: {
		schema: z
			.string()
			.regex(/^[^\s+]{1,128}$/)
			.default("lethe/evidence"),
		doc: "Name of this deployment's evidence log in its checkpoints, like `lethe.example/evidence`; never changed once one is published.",
	},
	LETHE_EVIDENCE_WITNESS_FILE: {
		schema: z.string().min(1).optional(),
		doc: "File, on another disk than the database, where the worker keeps the last checkpoint beside the one in Vault.",
	},
	LETHE_LOG_LEVEL: {
		schema: z.enum(["fatal", "error", "warn", "info", "debug", "silent"]).default("info"),
		doc: "Least level of the log lines written.",
	},
	LETHE_SENDER_CONCURRENCY: {
		schema: z.coerce.number().int().min(1).max(1000).default(50),
		doc: "Messages that one sender process has under way on one send queue.",
	},
	LETHE_SEND_RATE_DEFAULT: {
		schema: perSecond.default(100),
		doc: "Segments a second on a send queue that names no rate of its own.",
	},
	LETHE_OPLOG_LIFETIME_MS: {
		schema: lifetime.default(35 * 24 * 3600_000),
		doc: "Longest time that MongoDB's oplog keeps an erased field, in ms, or `unbounded`.",
	},
	LETHE_JOURNAL_LIFETIME_MS: {
		schema: lifetime.default(35 * 24 * 3600_000),
		doc: "Longest time that MongoDB's journal and free pages keep an erased field, in ms, or `unbounded`.",
	},
	LETHE_DATABASE_BACKUP_LIFETIME_MS: {
		schema: lifetime.default(35 * 24 * 3600_000),
		doc: "Longest life of a database backup, in ms, or `unbounded`.",
	},
	LETHE_VAULT_LOG_LIFETIME_MS: {
		schema: lifetime.default(35 * 24 * 3600_000),
		doc: "Longest time that Vault's raft log and free pages keep a destroyed key, in ms, or `unbounded`.",
	},
	LETHE_VAULT_SNAPSHOT_LIFETIME_MS: {
		schema: lifetime.default(35 * 24 * 3600_000),
		doc: "Longest life of a Vault snapshot, in ms, or `unbounded`.",
	},
	// NIST SP 800-57 Part 1 Rev. 5, table 1: private signature keys one to three years; symmetric keys two years of
	// originator use.
	LETHE_SIGNING_KEY_PERIOD_MS: {
		schema: milliseconds.default(2 * 365 * 24 * 3600_000),
		doc: "Cryptoperiod of the keys that sign certificates and checkpoints, in ms; past it doctor and metrics say so.",
	},
	LETHE_HMAC_KEY_PERIOD_MS: {
		schema: milliseconds.default(2 * 365 * 24 * 3600_000),
		doc: "Cryptoperiod of the HMAC keys, in ms; past it doctor and metrics say so.",
	},
	LETHE_COHORT_KEY_PERIOD_MS: {
		schema: milliseconds.default(2 * 365 * 24 * 3600_000),
		doc: "Cryptoperiod of cohort keys, in ms; past it the sweep rotates them and wraps anew what they wrap.",
	},
	LETHE_PURGE_LAG_MS_MAX: {
		schema: milliseconds.default(3600_000),
		doc: "How long after it is due a cohort may stand, in ms, before doctor and metrics say so.",
	},
	LETHE_LOG_DIR: {
		schema: z.string().min(1).optional(),
		doc: "Folder in which each process keeps its log, encrypted; without it lines go to standard output in clear, which production refuses.",
	},
	LETHE_LOG_RECIPIENT: {
		schema: z
			.string()
			.regex(/^age1[a-z0-9]{58}$/)
			.optional(),
		doc: "age recipient that log lines are encrypted for, in place of the one in Vault.",
	},
	LETHE_LOG_FILE_BYTES_MAX: {
		schema: z.coerce
			.number()
			.int()
			.min(64 * 1024)
			.max(1024 ** 3)
			.default(16 * 1024 ** 2),
		doc: "Bytes at which a log file is followed by the next; a day after its beginning it is in any case.",
	},
	// NIST SP 800-63B-4, 2.2.3 (AAL2): a session is over after one hour without use, and after a day at the latest.
	LETHE_SESSION_IDLE_MS: {
		schema: milliseconds
			.min(60_000)
			.max(3600_000)
			.default(15 * 60_000),
		doc: "After so long without use, in ms, a person who signed in has to do so again; an hour at most.",
	},
	LETHE_SESSION_LIFE_MS: {
		schema: milliseconds
			.min(60_000)
			.max(24 * 3600_000)
			.default(12 * 3600_000),
		doc: "After so long at the latest, in ms, a person who signed in has to do so again; a day at most.",
	},
	LETHE_FRESH_MFA_MS: {
		schema: milliseconds
			.min(10_000)
			.max(3600_000)
			.default(5 * 60_000),
		doc: "How long, in ms, a second factor counts as just shown, for what asks for that: approvals, erasures, key changes.",
	},
	LETHE_LOG_LIFETIME_MS: {
		schema: logLifetime.default(14 * 24 * 3600_000),
		doc: "Longest life of a line in a process's log, in ms, at most 35 days; whoever writes there drops what is older.",
	},
	LETHE_SERVER_LOG_LIFETIME_MS: {
		schema: logLifetime.default(35 * 24 * 3600_000),
		doc: "Longest life of a line in the logs of Temporal, MongoDB, Redis, Vault (its audit log too) and any proxy, in ms, at most 35 days; you keep it.",
	},
	LETHE_CANARY_EVERY_MS: {
		schema: z.union([z.literal("0").transform(() => 0), z.coerce.number().int().min(600_000)]).default(0),
		doc: "How often `npm start` runs `lethe canary`, in ms, whose result is entered in the evidence log; 0 for never. Production has no simulated carrier to do it with.",
	},
	LETHE_CARRIER_LIFETIME_MS: {
		schema: lifetime.default(35 * 24 * 3600_000),
		doc: "Longest time that a carrier keeps what it was handed, by its processor agreement, in ms, or `unbounded`.",
	},
	LETHE_LEDGER_DIR: {
		schema: z.string().min(1).optional(),
		doc: "Folder, on another disk than the stores, that keeps a second copy of the ledger that Vault has: what no restore may undo.",
	},
	...vaultRoleSettings(vaultRoles),
} satisfies Record<string, Setting>;

/** AppRole credentials of one process role; the secret-id is single-use and response-wrapped. */
export type VaultCredentials = { roleId: string; wrappedSecretId: string };

export type Config = ReturnType<typeof loadConfig>;

/** A setting that is unknown or bad: one line that names it and the mend. */
export class ConfigError extends Error {}

/**
 * Reads and checks all settings. A blank one is none: of its blanks a number would be made, 0.
 * @throws ConfigError naming the first bad or unknown setting
 */
export function loadConfig(given: Record<string, string | undefined> = process.env) {
	const environment = withoutBlanks(given);
	const read = <K extends keyof typeof settings>(name: K): z.output<(typeof settings)[K]["schema"]> => {
		const file = environment[`${name}_FILE`];
		const raw = (file ? readSecretFile(file, name) : environment[name]) || undefined;
		const result = settings[name].schema.safeParse(raw);
		if (result.success) return result.data as z.output<(typeof settings)[K]["schema"]>;
		const why = result.error.issues[0]?.message ?? "not valid";
		throw new ConfigError(`${name}: ${why}. See docs/settings.md for what it takes.`);
	};
	return {
		environment: read("LETHE_ENVIRONMENT"),
		logLevel: read("LETHE_LOG_LEVEL"),
		logs: {
			dir: read("LETHE_LOG_DIR"),
			recipient: read("LETHE_LOG_RECIPIENT"),
			fileBytesMax: read("LETHE_LOG_FILE_BYTES_MAX"),
			lifetimeMs: read("LETHE_LOG_LIFETIME_MS"),
		},
		temporal: {
			address: read("TEMPORAL_ADDRESS"),
			namespace: read("TEMPORAL_NAMESPACE"),
			tls: readServerTls(environment, "TEMPORAL"),
			taskQueue: read("LETHE_TASK_QUEUE"),
			workflowBundle: read("LETHE_WORKFLOW_BUNDLE"),
		},
		vault: {
			address: read("VAULT_ADDR"),
			credentials: readVaultCredentials(environment),
			tls: readServerTls(environment, "VAULT"),
		},
		mongodb: { url: read("MONGODB_URL"), database: read("LETHE_DATABASE"), tls: readServerTls(environment, "MONGODB") },
		redis: { url: read("REDIS_URL"), prefix: read("LETHE_QUEUE_PREFIX"), tls: readServerTls(environment, "REDIS") },
		api: {
			host: read("LETHE_API_HOST"),
			port: read("LETHE_API_PORT"),
			publicUrl: read("LETHE_PUBLIC_URL"),
			url: read("LETHE_API_URL"),
			callerTls: readServerTls(environment, "LETHE_API"),
			plainAnywhere: read("LETHE_PLAIN_HTTP") === "anywhere",
			tls: readApiTls(read),
			trustedProxies: read("LETHE_TRUSTED_PROXIES") ?? [],
			connectionsMax: read("LETHE_CONNECTIONS_MAX"),
			addressConnectionsMax: read("LETHE_ADDRESS_CONNECTIONS_MAX"),
			sharedRunMs: read("LETHE_SHARED_RUN_MS"),
			requestLimits: readRequestLimits(read),
		},
		outbound: { allowed: read("LETHE_OUTBOUND_ALLOWED") },
		metricsFrom: read("LETHE_METRICS_FROM"),
		evidence: { origin: read("LETHE_EVIDENCE_ORIGIN"), witnessFile: read("LETHE_EVIDENCE_WITNESS_FILE") },
		sender: {
			concurrency: read("LETHE_SENDER_CONCURRENCY"),
			ratePerSecondDefault: read("LETHE_SEND_RATE_DEFAULT"),
		},
		ledgerDir: read("LETHE_LEDGER_DIR"),
		canaryEveryMs: read("LETHE_CANARY_EVERY_MS"),
		keys: {
			signingPeriodMs: read("LETHE_SIGNING_KEY_PERIOD_MS"),
			hmacPeriodMs: read("LETHE_HMAC_KEY_PERIOD_MS"),
			cohortPeriodMs: read("LETHE_COHORT_KEY_PERIOD_MS"),
		},
		sessions: {
			idleMs: read("LETHE_SESSION_IDLE_MS"),
			lifeMs: read("LETHE_SESSION_LIFE_MS"),
			freshMfaMs: read("LETHE_FRESH_MFA_MS"),
		},
		purgeLagMsMax: read("LETHE_PURGE_LAG_MS_MAX"),
		lifetimes: {
			oplogMs: read("LETHE_OPLOG_LIFETIME_MS"),
			journalMs: read("LETHE_JOURNAL_LIFETIME_MS"),
			databaseBackupMs: read("LETHE_DATABASE_BACKUP_LIFETIME_MS"),
			vaultRaftLogMs: read("LETHE_VAULT_LOG_LIFETIME_MS"),
			vaultSnapshotMs: read("LETHE_VAULT_SNAPSHOT_LIFETIME_MS"),
			logsMs: Math.max(read("LETHE_LOG_LIFETIME_MS"), read("LETHE_SERVER_LOG_LIFETIME_MS")),
			carrierMs: read("LETHE_CARRIER_LIFETIME_MS"),
		},
	};
}

/**
 * The value of a setting that this process can't do without.
 * @throws ConfigError naming the setting
 */
export function required<T>(value: T | undefined, name: string): T {
	if (value !== undefined) return value;
	const setting = (settings as Record<string, Setting>)[name];
	throw new ConfigError(`${name} is not set: ${setting?.doc ?? "see docs/settings.md"}`);
}

function serverTlsSettings(servers: string[]): Record<`${string}_TLS_${string}_FILE`, Setting> {
	const file = z.string().min(1).optional();
	return Object.fromEntries(
		servers.flatMap((server) => {
			const name = server === "LETHE_API" ? "the API" : server;
			return [
				[
					`${server}_TLS_CA_FILE`,
					{ schema: file, doc: `Authority that ${name}'s certificate is checked against, PEM.` },
				],
				[`${server}_TLS_CERTIFICATE_FILE`, { schema: file, doc: `Our certificate for mutual TLS with ${name}, PEM.` }],
				[`${server}_TLS_KEY_FILE`, { schema: file, doc: `The private key of our certificate for ${name}, PEM.` }],
			];
		}),
	);
}

/** Undefined without any of its settings: then the connection is as its address says. */
function readServerTls(environment: Record<string, string | undefined>, server: string) {
	const read = (what: string) => {
		const file = environment[`${server}_TLS_${what}_FILE`];
		return file ? readSecretFile(file, `${server}_TLS_${what}`) : undefined;
	};
	const [ca, cert, key] = [read("CA"), read("CERTIFICATE"), read("KEY")];
	if ((cert === undefined) !== (key === undefined)) {
		throw new ConfigError(
			`${server}_TLS_CERTIFICATE_FILE and ${server}_TLS_KEY_FILE go together: set both, or neither.`,
		);
	}
	if (ca === undefined && cert === undefined) return undefined;
	checkPem(server, { ca, cert, key });
	return { ...(ca === undefined ? {} : { ca }), ...(cert && key ? { cert, key } : {}) };
}

/** Of an authority that is none TLS would say nothing, and of an empty one trust every public authority. */
function checkPem(server: string, pem: Record<"ca" | "cert" | "key", string | undefined>): void {
	for (const [what, text] of Object.entries({ CA: pem.ca, CERTIFICATE: pem.cert })) {
		if (text === undefined || isCertificate(text)) continue;
		throw new ConfigError(
			`${server}_TLS_${what}_FILE: the file holds no certificate in PEM. Mount it, or correct its path.`,
		);
	}
	if (pem.cert === undefined) return;
	try {
		if (!pem.key) throw new Error("empty");
		createSecureContext({ cert: pem.cert, key: pem.key });
	} catch {
		throw new ConfigError(
			`${server}_TLS_KEY_FILE: the file holds no private key in PEM, or another's than that of the certificate. Mount the two that belong together.`,
		);
	}
}

function isCertificate(text: string): boolean {
	try {
		return new X509Certificate(text).subject !== undefined;
	} catch {
		return false;
	}
}

type RequestLimitName =
	| "LETHE_REQUESTS_IN_FLIGHT_MAX"
	| "LETHE_KEY_REQUESTS_PER_SECOND"
	| "LETHE_TENANT_REQUESTS_PER_SECOND"
	| "LETHE_ADDRESS_REQUESTS_PER_SECOND"
	| "LETHE_FAILED_AUTHENTICATIONS_PER_MINUTE";

function readRequestLimits(read: (name: RequestLimitName) => number) {
	return {
		requestsInFlightMax: read("LETHE_REQUESTS_IN_FLIGHT_MAX"),
		keyRequestsPerSecond: read("LETHE_KEY_REQUESTS_PER_SECOND"),
		tenantRequestsPerSecond: read("LETHE_TENANT_REQUESTS_PER_SECOND"),
		addressRequestsPerSecond: read("LETHE_ADDRESS_REQUESTS_PER_SECOND"),
		failedAuthenticationsPerMinute: read("LETHE_FAILED_AUTHENTICATIONS_PER_MINUTE"),
	};
}

type ApiTlsName =
	| "LETHE_TLS_HOST"
	| "LETHE_TLS_PORT"
	| "LETHE_TLS_CERTIFICATE_FILE"
	| "LETHE_TLS_KEY_FILE"
	| "LETHE_TLS_CLIENT_AUTHORITY_FILE"
	| "LETHE_TLS_CLIENT_CERTIFICATES";

/** How the API listens by TLS; undefined without a certificate. */
function readApiTls(read: <K extends ApiTlsName>(name: K) => z.output<(typeof settings)[K]["schema"]>) {
	const certificateFile = read("LETHE_TLS_CERTIFICATE_FILE");
	const keyFile = read("LETHE_TLS_KEY_FILE");
	const clientAuthorityFile = read("LETHE_TLS_CLIENT_AUTHORITY_FILE");
	const clientCertificates = read("LETHE_TLS_CLIENT_CERTIFICATES");
	if ((certificateFile === undefined) !== (keyFile === undefined)) {
		throw new ConfigError("LETHE_TLS_CERTIFICATE_FILE and LETHE_TLS_KEY_FILE go together: set both, or neither.");
	}
	if (clientCertificates === "required" && clientAuthorityFile === undefined) {
		throw new ConfigError("LETHE_TLS_CLIENT_AUTHORITY_FILE is not set: without it no client certificate is known.");
	}
	if (certificateFile === undefined || keyFile === undefined) return undefined;
	const [host, port] = [read("LETHE_TLS_HOST"), read("LETHE_TLS_PORT")];
	return { host, port, certificateFile, keyFile, clientAuthorityFile, clientCertificates };
}

function vaultRoleSettings(roles: readonly string[]): Record<`LETHE_VAULT_${string}`, Setting> {
	const rows: Record<string, Setting> = {};
	for (const role of roles) {
		const name = `LETHE_VAULT_${role.toUpperCase()}`;
		rows[`${name}_ROLE_ID`] = { schema: z.string().min(1).optional(), doc: `AppRole role-id of the ${role} role.` };
		rows[`${name}_WRAPPED_SECRET_ID`] = {
			schema: z.string().min(1).optional(),
			doc: `Response-wrapped, single-use secret-id of the ${role} role.`,
			secret: true,
		};
		rows[`${name}_WRAPPED_SECRET_ID_FILE`] = {
			schema: z.string().min(1).optional(),
			doc: `File that holds the wrapped secret-id of the ${role} role.`,
		};
	}
	return rows;
}

function readVaultCredentials(environment: Record<string, string | undefined>) {
	const credentials: Partial<Record<VaultRole, VaultCredentials>> = {};
	for (const role of vaultRoles) {
		const name = `LETHE_VAULT_${role.toUpperCase()}`;
		const roleId = environment[`${name}_ROLE_ID`];
		const file = environment[`${name}_WRAPPED_SECRET_ID_FILE`];
		const wrappedSecretId = file
			? readSecretFile(file, `${name}_WRAPPED_SECRET_ID`)
			: environment[`${name}_WRAPPED_SECRET_ID`];
		if (roleId && wrappedSecretId) credentials[role] = { roleId, wrappedSecretId };
	}
	return credentials;
}

function readSecretFile(path: string, name: string): string {
	try {
		return readFileSync(path, "utf8").trim();
	} catch {
		throw new ConfigError(`${name}_FILE: the file can't be read. Mount it, or correct its path.`);
	}
}

// In full: `10` would be the address 0.0.0.10, and `10/8` a range about it.
function isAddress(text: string): boolean {
	return ipaddr.IPv4.isValidFourPartDecimal(text) || ipaddr.IPv6.isValid(text);
}

function isRange(text: string): boolean {
	return isAddress(text.split("/")[0] ?? "") && ipaddr.isValidCIDR(text);
}

function isPlain(text: string): boolean {
	const { username, password } = URL.parse(text) ?? {};
	// An empty query or fragment would take what is put behind it all the same.
	return username === "" && password === "" && !/[?#]/.test(text);
}

// Of a password that is not written as a URL has it the rest may pass for a host, or for a path, which is a number.
function isRedisUrl(text: string): boolean {
	const { username, password, pathname = "?" } = URL.parse(text) ?? {};
	return /^(\/\d*)?$/.test(pathname) && [username, password].every((part = "") => !/%(?![\da-f]{2})/i.test(part));
}

// The simulated carrier's own variables, not Lethe's settings. By name: what is misspelt must not pass for one.
const carrierNames = new Set(
	["DIR", "PORT", "TOKEN", "CALLBACK_URL", "INBOUND_URL", "RECEIPT_DELAY_MS", "LATE_RECEIPT_MS"].map(
		(name) => `LETHE_CARRIER_${name}`,
	),
);

// Other programs have variables of these servers too, but none that a connection of ours would silently be made without.
const serverTlsFile = /^(TEMPORAL|VAULT|MONGODB|REDIS)_TLS_\w*FILE$/;

/** What is set. @throws ConfigError naming what is no setting, a blank one too */
function withoutBlanks(given: Record<string, string | undefined>): Record<string, string> {
	refuseUnknown(given);
	const trimmed = Object.entries(given).map(([name, text = ""]) => [name, text.trim()] as const);
	return Object.fromEntries(trimmed.filter(([, text]) => text !== ""));
}

function refuseUnknown(environment: Record<string, string | undefined>): void {
	for (const name of Object.keys(environment)) {
		const isOurs = name.startsWith("LETHE_") ? !name.startsWith("LETHE_TEST_") : serverTlsFile.test(name);
		if (!isOurs || carrierNames.has(name)) continue;
		if (!(name in settings)) {
			throw new ConfigError(`${name} is not a setting. Remove it, or see docs/settings.md for the names there are.`);
		}
	}
}
