// The API over a real store, with Vault's part of the keys in memory, a scripted policy and a clock that can be set.

import { generateKeyPairSync, randomBytes, sign } from "node:crypto";
import { pino } from "pino";
import { createApiKeys } from "../../adapters/apiKeys.ts";
import { createBatcher } from "../../adapters/batcher.ts";
import { openCarrier } from "../../adapters/carriers/registry.ts";
import { createCohorts } from "../../adapters/cohorts.ts";
import { deriveId } from "../../adapters/deriveId.ts";
import { createExportSeal } from "../../adapters/exportSeal.ts";
import { createIssuerKeys } from "../../adapters/issuerKeys.ts";
import { createKeysAhead } from "../../adapters/keysAhead.ts";
import { createLinkSeal } from "../../adapters/linkSeal.ts";
import { connectMongo } from "../../adapters/mongo/connection.ts";
import { readBundle, type StoredBundle } from "../../adapters/mongo/evidence.ts";
import type { ApiKeyDocument, TenantDocument } from "../../adapters/mongo/models.ts";
import { createStore } from "../../adapters/mongo/store.ts";
import { createOpenidClient } from "../../adapters/openidClient.ts";
import { createOutboundHttp } from "../../adapters/outboundHttp.ts";
import { createPeople } from "../../adapters/people.ts";
import { createPersonMacs } from "../../adapters/personMacs.ts";
import { createSessions } from "../../adapters/redis/sessions.ts";
import { createSharedRuns } from "../../adapters/temporal/sharedRuns.ts";
import { createTextSeal } from "../../adapters/textSeal.ts";
import { createEncryption } from "../../adapters/vault/encryption.ts";
import { createHmacKeys } from "../../adapters/vault/hmacKeys.ts";
import type { PersonPlace } from "../../adapters/vault/personSeal.ts";
import type { ProviderCredential } from "../../adapters/vault/providerCredentials.ts";
import { createSenderKeys } from "../../adapters/vault/senderKeys.ts";
import { createTokenSigner } from "../../adapters/vault/tokenSigner.ts";
import { createWebhookSecrets } from "../../adapters/vault/webhookSecrets.ts";
import { createApp } from "../../api/app.ts";
import type { ApiDeps } from "../../api/deps.ts";
import { createPersonSessions } from "../../api/people/personSessions.ts";
import { createSendCounts } from "../../api/sendCounts.ts";
import { createEvidence } from "../../audit/evidence.ts";
import { createEvidenceExports } from "../../audit/evidenceExport.ts";
import { type AbuseLimits, anywhere } from "../../domain/abuse.ts";
import { apiKeyBytes, formatApiKey } from "../../domain/apiKeyText.ts";
import type { Decision, Facts, RetentionPlan } from "../../domain/decision.ts";
import { LetheError } from "../../domain/errors.ts";
import type { Entry } from "../../domain/evidence.ts";
import { formatId, type IdKind } from "../../domain/ids.ts";
import type { Message } from "../../domain/message.ts";
import { Plaintext } from "../../domain/plaintext.ts";
import type { Role } from "../../domain/roles.ts";
import { claim, enqueue, submit } from "../../domain/transition.ts";
import { createPublish } from "../../policies/publish.ts";
import { unsigned } from "../audit/memoryEvidence.ts";
import { createMemoryKeys } from "../harness/memoryKeys.ts";
import { createMemoryTransit } from "../harness/memoryTransit.ts";
import { openStored } from "../harness/policies.ts";

export type TestApi = Awaited<ReturnType<typeof createTestApi>>;

export const number = "+4915112345678";
export const text = "Ihr Termin ist morgen um neun.";

/** Needs MONGODB_URL; each one has its own database. */
export async function createTestApi(replace: (deps: ApiDeps) => Partial<ApiDeps> = () => ({})) {
	const time = { offsetMs: 0 };
	const clock = () => Date.now() + time.offsetMs;
	const ids = {
		random: (kind: IdKind) => formatId(kind, randomBytes(16)),
		derive: deriveId,
	};
	const database = `t${randomBytes(6).toString("hex")}`;
	const connection = await connectMongo({ url: process.env.MONGODB_URL as string, database });
	const store = createStore(connection, { clock, randomToken: () => randomBytes(9).toString("base64url") });
	await store.prepare();
	const memory = createMemoryKeys();
	const vault = createMemoryHmacVault();
	const tokenVault = createMemoryTokenVault();
	const senderKeys = createSenderKeys({ vault: createMemoryKv(), clock });
	const outbound = createOutboundHttp({ allowed: ["127.0.0.0/8"] });
	const hmac = createHmacKeys({ vault, clock });
	const transit = createMemoryTransit();
	const encryption = createEncryption({
		cohortKeys: memory.cohortKeys,
		wrappingKeys: store.wrappingKeys,
		clock,
		randomBytes: (size) => randomBytes(size),
	});
	const cohorts = createCohorts({ cohorts: store.cohorts, cohortKeys: memory.cohortKeys, ids, clock });
	const policy = createScriptedPolicy();
	const stored = openStored(store);
	await stored.refresh();
	const logLines: string[] = [];
	const log = pino({ level: "debug" }, { write: (line: string) => void logLines.push(line) });
	const runs = {
		started: [] as string[],
		settled: [] as string[],
		simulated: [] as string[],
		woken: [] as string[],
		revealed: [] as string[],
	};
	const personMacs = createPersonMacs({ hmac });
	const personSeal = createMemoryPersonSeal();
	const evidence = createEvidence({ clock, ids, store: store.evidence, gather: createBatcher });
	const apiKeys = createApiKeys({ store, hmac, evidence, ids, clock, randomBytes: (size) => randomBytes(size) });
	const replays = createMemoryReplays();
	const providerCredentials = createMemoryCredentials();
	const openid = createOpenidClient({ outbound, clock });
	const sessions = createSessions({ url: process.env.REDIS_URL as string, prefix: database, macs: personMacs });
	const callbackKeys = new Map([["queue", generateKeyPairSync("ed25519")]]);
	const deps: ApiDeps = {
		tokens: createTokenSigner({ vault: tokenVault, clock }),
		receipts: createTokenSigner({ vault: createMemoryTokenVault(), clock, key: "receipt" }),
		issuerKeys: createIssuerKeys({ outbound, clock }),
		openid,
		providerCredentials,
		apiKeys,
		clock,
		ids,
		log,
		version: "0.0.0",
		publicUrl: "https://lethe.example",
		store,
		encryption,
		exportSeal: createExportSeal(),
		linkSeal: createLinkSeal({ randomBytes: (size) => randomBytes(size) }),
		cohorts,
		keyVersions: { read: async () => undefined },
		limits: { purgeLagMsMax: 3600_000, keyPeriods: { signingPeriodMs: 1, hmacPeriodMs: 1 } },
		hmac,
		policies: policy,
		packs: stored,
		publish: createPublish({
			clock,
			ids,
			policies: stored,
			store,
			runs: { simulateSoon: (id) => void runs.simulated.push(id) },
		}),
		runs: {
			whileAccepting: (work) => work(),
			startSoon: ([member]) => void runs.started.push(member?.submissionId ?? ""),
			settleSoon: ({ submissionId }) => void runs.settled.push(submissionId),
			wakeRequestSoon: ({ requestId }) => void runs.woken.push(requestId),
			revealSoon: ({ exportId }) => void runs.revealed.push(exportId),
			workersSeen: async () => [0],
		},
		sharedRuns: createSharedRuns({
			gatherMs: 0,
			membersMax: 1,
			randomSubmissionId: () => ids.random("submission"),
			start: () => undefined,
			monotonic: () => performance.now(),
			after: () => undefined,
		}),
		carriers: {
			async verifier(sendQueue) {
				const keys = callbackKeys.get(sendQueue);
				if (!keys) return undefined;
				const x = (keys.publicKey.export({ format: "jwk" }) as { x: string }).x;
				const publicKey = Buffer.from(x, "base64url").toString("base64");
				return openCarrier("simulator", { settings: {}, secrets: { publicKey }, allowSimulator: true });
			},
		},
		evidence,
		replays,
		people: createPeople({ clock, ids, store, apiKeys, macs: personMacs, personSeal, evidence }),
		personMacs,
		personSeal,
		sessions,
		sessionLimits: { idleMs: 15 * 60_000, lifeMs: 12 * 3600_000, freshMfaMs: 5 * 60_000 },
		sendQueues: {
			live: async () => ({ waiting: 0, delayed: 0, active: 0, segmentsPerSecond: 0, senders: 0 }),
			countRange: async () => ({ within: true, seen: 1 }),
			areIll: async () => new Set<string>(),
			failing: async () => new Map(),
			senderCount: async () => 1,
		},
		outbound,
		textSeal: createTextSeal({ senderKeys }),
		webhookSecrets: createWebhookSecrets({ vault: transit }),
		requestCounts: { take: async () => ({ allowed: true, counted: 1, remaining: 1, resetMs: 1000 }) },
		requestLimits: {
			requestsInFlightMax: 512,
			keyRequestsPerSecond: 1000,
			tenantRequestsPerSecond: 1000,
			addressRequestsPerSecond: 100_000,
			failedAuthenticationsPerMinute: 600,
		},
		trustedProxies: [],
		metricsFrom: ["127.0.0.0/8", "::1/128"],
		evidenceExports: createEvidenceExports({ store: store.evidence, ...unsigned }),
		quarantine: { checkSettled: async () => undefined },
		signer: { publicJwks: async () => ({ keys: [] }) },
		checkpoints: { standing: async () => ({ standing: "equal", size: 0 }) },
		tlsCertificateEndsAt: () => undefined,
		serverCertificateEnds: {} as Record<string, () => Promise<number>>,
		checks: {
			mongodb: store.ping,
			vault: async () => undefined,
			policies: async () => undefined,
			quarantine: async () => undefined,
			temporal: () => Promise.reject(new Error("away")),
		},
	};
	const merged = { ...deps, ...replace(deps) };
	const app = await createApp(merged);

	/** A tenant with one queue, and a key of it. */
	async function addTenant(
		options: {
			roles?: string[];
			sendQueue?: string;
			retention?: object;
			inbound?: TenantDocument["inbound"];
			link?: TenantDocument["link"];
			governsPolicies?: boolean;
		} & Partial<AbuseLimits> = {},
	) {
		const tenantId = ids.random("tenant");
		const sendQueue = options.sendQueue ?? "queue";
		const queue = { carrier: "simulator", sender: "Lethe", settings: {}, registrations: { US: "C-A1" }, paused: false };
		await store.sendQueues.put({ _id: sendQueue, ...queue });
		await store.tenants.put({
			_id: tenantId,
			name: "Test",
			establishment: "DE",
			destinations: options.destinations ?? [anywhere],
			...(options.budgets ? { budgets: options.budgets } : {}),
			...(options.velocity ? { velocity: options.velocity } : {}),
			sendQueues: [sendQueue],
			retention: options.retention ?? {},
			...(options.inbound ? { inbound: options.inbound } : {}),
			...(options.link ? { link: options.link } : {}),
			governsPolicies: options.governsPolicies ?? false,
			createdAt: clock(),
		});
		return { tenantId, ...(await addKey(tenantId, options.roles)) };
	}

	async function addKey(tenantId: string, roles = ["sender"], more: Partial<ApiKeyDocument> = {}) {
		const key = formatApiKey(randomBytes(apiKeyBytes));
		const { mac, version } = await hmac.mac("api-key", undefined, key);
		const _id = ids.random("apiKey");
		await store.apiKeys.insert({
			_id,
			tenantId,
			secrets: [{ mac, macVersion: version, createdAt: clock() }],
			roles,
			name: "t",
			createdAt: clock(),
			createdBy: "admin",
			...more,
		});
		return { key, keyId: _id };
	}

	/** A person of a tenant, signed in just now; `token` goes where a key does. */
	async function addPerson(tenantId: string, roles: Role[]) {
		const personId = ids.random("person");
		const now = merged.clock();
		const empty = { passkeys: [], recoveryMacs: [], sessionsFrom: now, enrolledAt: now };
		await merged.store.people.insert({ _id: personId, tenantId, roles, createdAt: now, createdBy: "admin", ...empty });
		const person = { _id: personId, tenantId, roles, createdAt: now, createdBy: "admin", ...empty, revision: 0 };
		const { token } = await createPersonSessions({ ...merged, macs: personMacs }).start(person, "password");
		return { token, personId };
	}

	const request = async (
		key: string,
		method: "GET" | "POST" | "DELETE",
		url: string,
		body?: object | string,
		headers: Record<string, string> = {},
	) => {
		const answer = await app.inject({
			method,
			url,
			headers: {
				authorization: `Bearer ${key}`,
				...(body === undefined ? {} : { "content-type": "application/json" }),
				...headers,
			},
			...(body === undefined ? {} : { payload: body }),
		});
		const isJson = /[/+]json/.test(String(answer.headers["content-type"])) && answer.body !== "";
		const json = isJson ? JSON.parse(answer.body) : undefined;
		return { status: answer.statusCode, headers: answer.headers, text: answer.body, json };
	};

	return {
		...merged,
		sendCounts: createSendCounts(merged),
		app,
		/** As an administrator writes them. */
		providerCredentials,
		openid,
		/** What the process does now and then beside its requests. */
		makeKeysAhead: createKeysAhead({ cohorts, encryption, log }),
		/** Decrypts too, which the API itself never does. */
		encryptionFor: encryption,
		time,
		memory,
		vault,
		tokenVault,
		/** Vault's transit engine, as far as webhooks use it. */
		transit,
		policy,
		/** The packs themselves, where `policies` is a script. */
		stored,
		logLines,
		seen: runs,
		/** What Redis remembers of callbacks. */
		replays,
		connection,
		callbackKeys,
		addTenant,
		addKey,
		addPerson,
		request,
		post: (key: string, more: object = {}, headers: Record<string, string> = {}) =>
			request(key, "POST", "/v1/messages", messageBody(more), headers),
		read: async (id: string) => (await store.messages.find(id)) as Message,
		count: () => connection.collection("messages").countDocuments(),
		/** The evidence log in its order: all of it, or the bundles with something about this id. */
		async entries(about?: string): Promise<Entry[]> {
			const stored = connection.collection<StoredBundle>("evidenceBundles");
			const found = stored.find(about === undefined ? {} : { about });
			const bundles = await found.sort({ start: 1 }).map(readBundle).toArray();
			return bundles.flatMap(({ entries }) => entries.map((text) => JSON.parse(text)));
		},
		/** Lets the message reach the carrier, which knows it by the id that is answered. */
		async sent<T extends string | string[] = string>(
			id: string,
			carrierId = `c-${randomBytes(6).toString("hex")}` as T,
		): Promise<T> {
			const apply = store.messages.transition;
			await apply(enqueue((await store.messages.find(id)) as Message, clock()));
			const { sendQueue } = (await store.messages.find(id)) as Message;
			await apply(claim(id, 1, clock(), ids.random("claim"), sendQueue));
			await apply(submit((await store.messages.find(id)) as Message, carrierId, 1, clock()));
			return carrierId;
		},
		/** A callback as the simulated carrier signs it. */
		async callback(
			event: object | string,
			options: { queue?: string; at?: number; signer?: string; tamper?: string; kind?: "receipts" | "inbound" } = {},
		) {
			const body = typeof event === "string" ? event : JSON.stringify(event);
			const timestamp = String(Math.floor((options.at ?? clock()) / 1000));
			const keys = callbackKeys.get(options.signer ?? options.queue ?? "queue");
			if (!keys) throw new Error("no such signer");
			const signature = sign(null, Buffer.from(`${timestamp}.${body}`), keys.privateKey).toString("base64");
			const answer = await app.inject({
				method: "POST",
				url: `/v1/callbacks/simulator/${options.queue ?? "queue"}/${options.kind ?? "receipts"}`,
				headers: {
					"content-type": "application/json",
					"x-carrier-timestamp": timestamp,
					"x-carrier-signature": signature,
				},
				payload: options.tamper ?? body,
			});
			return { status: answer.statusCode, code: answer.body ? JSON.parse(answer.body).code : undefined };
		},
		/** Events and callbacks of the simulated carrier's with this result so far. */
		async counted(result: string): Promise<number> {
			const { text: metrics } = await request("", "GET", "/metrics");
			const count = new RegExp(`^lethe_callbacks_total\\{carrier="simulator",result="${result}"\\} (\\d+)$`, "m").exec(
				metrics,
			);
			return Number(count?.[1] ?? 0);
		},
		async close(): Promise<void> {
			await app.close();
			await outbound.close();
			await sessions.close();
			await connection.dropDatabase().catch(() => undefined);
			await store.close();
			encryption.close();
		},
	};
}

export function messageBody(more: object = {}) {
	return {
		to: number,
		body: text,
		category: "transactional",
		dataClasses: ["contact"],
		deliver: "auto",
		validFor: "PT1H",
		lawfulBasis: "contract",
		...more,
	};
}

/** A receipt as the simulated carrier words it. */
export function receiptOf(carrierId: string, status = "delivered", eventId = `e-${randomBytes(6).toString("hex")}`) {
	return { eventId, id: carrierId, status, at: new Date().toISOString() };
}

/** What a recipient writes, as the simulated carrier words it. */
export function inboundOf(written: string, more: { from?: string; to?: string; at?: number; eventId?: string } = {}) {
	const { at = Date.now(), eventId = `i-${randomBytes(6).toString("hex")}`, from = number, to = "Lethe" } = more;
	return { eventId, from, to, text: written, at: new Date(at).toISOString() };
}

const plan: RetentionPlan = Object.fromEntries(
	[
		"content",
		"address",
		"receipt",
		"decision_record",
		"consent_evidence",
		"suppression",
		"subject_request",
		"policy_documentation",
	].map((object) => [object, { min: "PT0S", max: "P30D", citations: [] }]),
) as unknown as RetentionPlan;

function createScriptedPolicy() {
	const seen: Facts[] = [];
	const script: { decision: Partial<Decision>; plan: RetentionPlan } = { decision: {}, plan };
	const policy = {
		seen,
		script,
		evaluate(facts: Facts): Decision {
			seen.push(facts);
			const packs = [{ id: "gdpr", version: "1.0.0" }];
			return { allowed: true, reasons: [], citations: [], packs, rules: ["gdpr.basis"], ...script.decision };
		},
		// By whatever a test has put in its place.
		consider: (facts: Facts) => ({
			decision: policy.evaluate(facts),
			excluded: [],
			retentionPlan: () => script.plan,
		}),
		isCapped: () => false,
		extendableTo: () => undefined,
		retentionPlan: () => script.plan,
	};
	return policy;
}

/** As Redis remembers callbacks, and forgets them all when it is emptied. */
function createMemoryReplays() {
	const known = new Set<string>();
	const keyOf = (sendQueue: string, replayKey: string) => JSON.stringify([sendQueue, replayKey]);
	return {
		known,
		isKnown: async (sendQueue: string, replayKey: string) => known.has(keyOf(sendQueue, replayKey)),
		remember: async (sendQueue: string, replayKey: string) => void known.add(keyOf(sendQueue, replayKey)),
	};
}

/** What Vault seals of people, with the contract of the real one: nothing opens elsewhere. */
function createMemoryPersonSeal() {
	const bind = (place: PersonPlace) => JSON.stringify([place.tenantId, place.personId, place.field]);
	const held = new Map<string, Uint8Array>();
	return {
		async seal(place: PersonPlace, plaintext: Plaintext): Promise<string> {
			const sealed = randomBytes(16).toString("hex");
			held.set(`${bind(place)} ${sealed}`, plaintext.bytes());
			return sealed;
		},
		async open(place: PersonPlace, sealed: string): Promise<Plaintext> {
			const bytes = held.get(`${bind(place)} ${sealed}`);
			if (!bytes) throw new LetheError("internal", { cause: "not_authentic" });
			return Plaintext.of(bytes);
		},
	};
}

/** What Vault keeps of what identity providers are shown. */
function createMemoryCredentials() {
	const held = new Map<string, ProviderCredential>();
	return {
		async read(id: string): Promise<ProviderCredential> {
			const found = held.get(id);
			if (!found) throw new LetheError("internal", { cause: "no credential" });
			return found;
		},
		write: async (id: string, data: ProviderCredential) => void held.set(id, data),
		remove: async (id: string) => void held.delete(id),
	};
}

/** What Vault shows of an HMAC key, with as many versions as a test adds. */
function createMemoryHmacVault() {
	const versions = new Map<string, { key: string; createdAt: number }[]>();
	const away = { value: false };
	const of = (name: string) => {
		const known = versions.get(name) ?? [{ key: randomBytes(32).toString("base64"), createdAt: 1 }];
		versions.set(name, known);
		return known;
	};
	return {
		away,
		/** Adds a version that every process knows already. */
		rotate: (name: string) => void of(name).push({ key: randomBytes(32).toString("base64"), createdAt: 1 }),
		async read(path: string) {
			if (away.value) throw new LetheError("keys_unavailable");
			const known = of(path.split("/").at(-1) as string);
			const exporting = path.includes("/export/");
			const rows = known.map(({ key, createdAt }, index) => [String(index + 1), exporting ? key : createdAt]);
			return { data: { keys: Object.fromEntries(rows) } };
		},
		write: async () => undefined,
	};
}

/** Vault's KV store as far as secrets are made once, listed and read. */
function createMemoryKv() {
	const secrets = new Map<string, unknown>();
	return {
		async read(path: string) {
			const [folder, list] = path.split("?list=");
			if (list === undefined) {
				const data = secrets.get(path);
				return data === undefined ? undefined : { data: { data } };
			}
			const prefix = `${folder?.replace("kv/metadata/", "kv/data/")}/`;
			const keys = [...secrets.keys()].flatMap((one) => (one.startsWith(prefix) ? [one.slice(prefix.length)] : []));
			return keys.length > 0 ? { data: { keys } } : undefined;
		},
		async write(path: string, body: Record<string, unknown> = {}) {
			if (secrets.has(path)) throw new LetheError("internal", { cause: { source: "vault", isOther: true } });
			secrets.set(path, body.data);
		},
	};
}

/** What Vault shows of the key of tokens, and signs by it, with as many versions as a test adds. */
function createMemoryTokenVault() {
	const versions = [generateKeyPairSync("ec", { namedCurve: "P-256" })];
	return {
		rotate: () => void versions.push(generateKeyPairSync("ec", { namedCurve: "P-256" })),
		async read() {
			const rows = versions.map(({ publicKey }, index) => {
				return [String(index + 1), { public_key: publicKey.export({ type: "spki", format: "pem" }) }];
			});
			return { data: { keys: Object.fromEntries(rows) } };
		},
		async write(_path: string, body: Record<string, unknown> = {}) {
			const { input, key_version: version } = body as { input: string; key_version: number };
			const { privateKey } = versions[version - 1] as (typeof versions)[number];
			const given = { key: privateKey, dsaEncoding: "ieee-p1363" } as const;
			const signature = sign("sha256", Buffer.from(input, "base64"), given).toString("base64url");
			return { data: { signature: `vault:v${version}:${signature}` } };
		},
	};
}
