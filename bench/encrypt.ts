// Encryption in one process, against the bare node:crypto calls that the design needs and against one Vault call a message.

import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject, randomBytes } from "node:crypto";
import { Pool } from "undici";
import { createVaultClient, type VaultClient } from "../adapters/vault/client.ts";
import { createCohortKeys } from "../adapters/vault/cohortKeys.ts";
import { createEncryption } from "../adapters/vault/encryption.ts";
import { issueCredentials } from "../adapters/vault/issue.ts";
import type { Role } from "../adapters/vault/policies.ts";
import type { WrappingKeyRecord, WrappingKeyStore } from "../adapters/vault/wrappingKeys.ts";
import { formatId } from "../domain/ids.ts";
import type { Sealed } from "../domain/message.ts";
import { Plaintext } from "../domain/plaintext.ts";
import { rateOf, spread, spreadOfRatios } from "./measure.ts";

type BenchMessage = { tenantId: string; messageId: string; cohortId: string; content: Uint8Array; address: Uint8Array };

type VaultTarget = { address: string; issuerToken: string };

const messagesPerRound = 1_000;
/** How long each concurrency of the Vault baseline runs. */
const vaultStepMs = 1_500;
const concurrencies = [1, 2, 4, 8, 16, 32, 64];
const cohorts = 16;

/**
 * Messages (content and number) encrypted and decrypted a second. `ratio` is the median over interleaved rounds of our
 * rate over the bare one's. `vaultRatio` is our median rate over the best that one `transit/encrypt` call a message
 * reaches through the same Vault client; `vaultRawRatio` the same without one, over bare sockets.
 */
export async function encryptSuite(vault: VaultTarget, { rounds }: { rounds: number }) {
	const logins: VaultClient[] = [];
	const login = async (role: Role) => {
		const credentials = await issueCredentials({ ...vault, role });
		const onLost = () => undefined;
		const client = await createVaultClient({ ...vault, ...credentials, clock: Date.now, onLost });
		logins.push(client);
		return client;
	};
	const cohortIds = Array.from({ length: cohorts }, () => formatId("cohort", randomBytes(16)));
	const eraser = createCohortKeys({ vault: await login("eraser") });
	try {
		const lethe = await openLethe(await login("api"), await login("sender"), cohortIds);
		const messages = makeMessages(messagesPerRound, cohortIds);
		const bareKeys = new Map(cohortIds.map((id) => [id, createSecretKey(randomBytes(32))]));
		for (let warmUp = 0; warmUp < 2; warmUp++) {
			await runLethe(lethe, messages);
			runBare(bareKeys, messages);
		}
		const rate = async (run: () => Promise<void>) => messages.length * (await rateOf(1, 1, run));
		const [ours, bare]: [number[], number[]] = [[], []];
		for (let round = 0; round < rounds; round++) {
			ours.push(await rate(() => runLethe(lethe, messages)));
			bare.push(await rate(async () => runBare(bareKeys, messages)));
		}
		const calls = await measureVault(vault, await login("bench"), messages);
		const ratios = spreadOfRatios(ours, bare);
		return {
			suite: "encrypt" as const,
			ratio: ratios.median,
			vaultRatio: spread(ours).median / calls.client.best,
			vaultRawRatio: spread(ours).median / calls.raw.best,
			ratios,
			messagesPerSecond: spread(ours),
			baselineMessagesPerSecond: spread(bare),
			vaultCallsPerSecond: calls.client,
			vaultRawCallsPerSecond: calls.raw,
			rounds,
			messagesPerRound,
			targets: { ratioMin: 0.7, vaultRatioMin: 20 },
		};
	} finally {
		for (const id of cohortIds) await eraser.destroyCohortKey(id);
		for (const client of logins) await client.close();
	}
}

type Lethe = Awaited<ReturnType<typeof openLethe>>;

// Two sides as in production: what one process encrypts another decrypts, each with keys it got from Vault by itself.
async function openLethe(api: VaultClient, sender: VaultClient, cohortIds: string[]) {
	const apiKeys = createCohortKeys({ vault: api });
	const senderKeys = createCohortKeys({ vault: sender });
	const cohortKeys = {
		drawWrappingKey: apiKeys.drawWrappingKey,
		unwrapWrappingKey: senderKeys.unwrapWrappingKey,
	};
	const deps = { cohortKeys, wrappingKeys: createMemoryStore(), clock: Date.now, randomBytes };
	for (const id of cohortIds) await apiKeys.createCohortKey(id);
	return { encrypting: createEncryption(deps), decrypting: createEncryption(deps) };
}

async function runLethe({ encrypting, decrypting }: Lethe, messages: BenchMessage[]): Promise<void> {
	for (const { tenantId, messageId, cohortId, content, address } of messages) {
		const place = { tenantId, messageId };
		const contentPlain = Plaintext.of(content);
		const sealed = await encrypting.encrypt({ ...place, object: "content", cohortId, plaintext: contentPlain });
		const addressPlain = Plaintext.of(address);
		const sealedTo = await encrypting.encrypt({ ...place, object: "address", cohortId, plaintext: addressPlain });
		check(await open(decrypting, place, "content", sealed), content);
		check(await open(decrypting, place, "address", sealedTo), address);
	}
}

function open(
	decrypting: Lethe["decrypting"],
	place: { tenantId: string; messageId: string },
	object: string,
	sealed: Sealed,
) {
	return decrypting.decrypt({ ...place, object, sealed });
}

function check(opened: Plaintext, bytes: Uint8Array): void {
	if (opened.bytes().length !== bytes.length) throw new Error("decrypted something else");
}

/** The same calls with the same bytes and lengths, nothing around them: keys, places and storage formats left out. */
function runBare(keys: Map<string, KeyObject>, messages: BenchMessage[]): void {
	for (const { cohortId, content, address } of messages) {
		const key = keys.get(cohortId) as KeyObject;
		const sealed = bareEncrypt(key, content);
		const sealedTo = bareEncrypt(key, address);
		if (bareDecrypt(key, sealed).length !== content.length) throw new Error("decrypted something else");
		if (bareDecrypt(key, sealedTo).length !== address.length) throw new Error("decrypted something else");
	}
}

type BareSealed = { content: BareCiphertext; wrap: BareCiphertext };
type BareCiphertext = { iv: Uint8Array; body: Uint8Array; tag: Uint8Array };

const bareAad = randomBytes(80);
const bareWrapAad = randomBytes(111);

function bareEncrypt(wrappingKey: KeyObject, bytes: Uint8Array): BareSealed {
	const random = randomBytes(56);
	const dataKeyBytes = random.subarray(0, 32);
	const content = bareCipher(createSecretKey(dataKeyBytes), random.subarray(32, 44), bareAad, bytes);
	const wrap = bareCipher(wrappingKey, random.subarray(44), bareWrapAad, dataKeyBytes);
	return { content, wrap };
}

function bareDecrypt(wrappingKey: KeyObject, sealed: BareSealed): Uint8Array {
	const dataKey = createSecretKey(bareDecipher(wrappingKey, bareWrapAad, sealed.wrap));
	return bareDecipher(dataKey, bareAad, sealed.content);
}

function bareCipher(key: KeyObject, iv: Uint8Array, aad: Uint8Array, bytes: Uint8Array): BareCiphertext {
	const cipher = createCipheriv("aes-256-gcm", key, iv);
	cipher.setAAD(aad);
	const body = cipher.update(bytes);
	cipher.final();
	return { iv, body, tag: cipher.getAuthTag() };
}

function bareDecipher(key: KeyObject, aad: Uint8Array, sealed: BareCiphertext): Uint8Array {
	const decipher = createDecipheriv("aes-256-gcm", key, sealed.iv);
	decipher.setAAD(aad);
	decipher.setAuthTag(sealed.tag);
	const bytes = decipher.update(sealed.body);
	decipher.final();
	return bytes;
}

type Call = (path: string, body: Record<string, unknown>) => Promise<unknown>;

async function measureVault(vault: VaultTarget, client: VaultClient, messages: BenchMessage[]) {
	const token = await rawLogin(vault.address, await issueCredentials({ ...vault, role: "bench" }));
	const pool = new Pool(vault.address, { connections: Math.max(...concurrencies) });
	try {
		const headers = { "x-vault-token": token, "content-type": "application/json" };
		await client.write("transit/keys/bench", { type: "aes256-gcm96" });
		return {
			client: await bestRate((path, body) => client.write(path, body), messages),
			raw: await bestRate((path, body) => post(pool, `/v1/${path}`, headers, body), messages),
		};
	} finally {
		await pool.close();
	}
}

async function bestRate(call: Call, messages: BenchMessage[]) {
	const byConcurrency: Record<string, number> = {};
	for (const concurrency of concurrencies) {
		byConcurrency[concurrency] = Math.round(await vaultStep(call, concurrency, messages));
	}
	return { best: Math.max(...Object.values(byConcurrency)), byConcurrency };
}

async function vaultStep(call: Call, concurrency: number, messages: BenchMessage[]): Promise<number> {
	const started = performance.now();
	let calls = 0;
	const caller = async () => {
		while (performance.now() - started < vaultStepMs) {
			const { content } = messages[calls++ % messages.length] as BenchMessage;
			await call("transit/encrypt/bench", { plaintext: Buffer.from(content).toString("base64") });
		}
	};
	await Promise.all(Array.from({ length: concurrency }, caller));
	return calls / ((performance.now() - started) / 1000);
}

// Straight over undici: no client library is paid for.
async function post(pool: Pool, path: string, headers: Record<string, string>, body: unknown) {
	const answer = await pool.request({ path, method: "POST", headers, body: JSON.stringify(body) });
	const json = (await answer.body.json()) as Record<string, Record<string, unknown>>;
	if (answer.statusCode !== 200) throw new Error(`Vault answered ${answer.statusCode} to ${path}`);
	return json;
}

async function rawLogin(address: string, credentials: { roleId: string; wrappedSecretId: string }): Promise<string> {
	const pool = new Pool(address);
	try {
		const unwrapped = await post(pool, "/v1/sys/wrapping/unwrap", { "x-vault-token": credentials.wrappedSecretId }, {});
		const secretId = unwrapped.data?.secret_id;
		const answer = await post(pool, "/v1/auth/approle/login", {}, { role_id: credentials.roleId, secret_id: secretId });
		return answer.auth?.client_token as string;
	} finally {
		await pool.close();
	}
}

function createMemoryStore(): WrappingKeyStore {
	const records = new Map<string, WrappingKeyRecord>();
	return {
		insert: async (record) => void records.set(record._id, record),
		find: async (id) => records.get(id),
		async deleteByCohort(cohortId) {
			const doomed = [...records.values()].filter((record) => record.cohortId === cohortId);
			for (const record of doomed) records.delete(record._id);
			return doomed.length;
		},
	};
}

// Bodies of 20 to 160 bytes, as short messages are, and a number.
function makeMessages(count: number, cohortIds: string[]): BenchMessage[] {
	const tenantId = formatId("tenant", randomBytes(16));
	return Array.from({ length: count }, (_, index) => ({
		tenantId,
		messageId: formatId("message", randomBytes(16)),
		cohortId: cohortIds[index % cohortIds.length] as string,
		content: randomBytes(20 + (index % 141)),
		address: Buffer.from(`+99900${String(index).padStart(7, "0")}`),
	}));
}
