// Logs in to the test stack's Vault as any role, through the issuer token, as a launcher does.

import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { after } from "node:test";
import { createVaultClient, type VaultClient } from "../../../adapters/vault/client.ts";
import type { CohortKeys } from "../../../adapters/vault/cohortKeys.ts";
import { vaultFailure } from "../../../adapters/vault/connection.ts";
import { issueCredentials } from "../../../adapters/vault/issue.ts";
import type { Role } from "../../../adapters/vault/policies.ts";
import type { Schedule } from "../../../adapters/vault/schedule.ts";
import type { WrappingKeyRecord, WrappingKeyStore } from "../../../adapters/vault/wrappingKeys.ts";
import { LetheError } from "../../../domain/errors.ts";
import { formatId, type IdKind } from "../../../domain/ids.ts";
import { createMemoryKeys } from "../../harness/memoryKeys.ts";

export const address = setting("VAULT_ADDR");
const stack = JSON.parse(readFileSync(setting("LETHE_TEST_STACK"), "utf8"));
export const issuerToken = readFileSync(stack.servers.vault.issuerTokenFile, "utf8").trim();

const sessions: VaultClient[] = [];
after(async () => {
	for (const client of sessions) await client.close();
});

export const freshId = (kind: IdKind) => formatId(kind, randomBytes(16));

/** Fresh credentials of a role. */
export const credentialsOf = (role: Role) => issueCredentials({ address, issuerToken, role });

/** A session that ends with the test file. */
export async function login(role: Role, more: Partial<Parameters<typeof createVaultClient>[0]> = {}) {
	const credentials = await credentialsOf(role);
	const client = await createVaultClient({
		address,
		...credentials,
		clock: Date.now,
		onLost: () => undefined,
		...more,
	});
	sessions.push(client);
	return client;
}

/** The HTTP status with which Vault refused, 200 when it did not. */
export async function statusOf(request: () => Promise<unknown>): Promise<number> {
	try {
		await request();
		return 200;
	} catch (error) {
		const failure = vaultFailure(error);
		if (failure === undefined) throw error;
		return failure.status;
	}
}

/** A request with a token of one's own choosing, past the client. */
export async function rawRequest(token: string, method: string, path: string, body?: unknown) {
	const headers = { "X-Vault-Token": token };
	const init = body === undefined ? { method, headers } : { method, headers, body: JSON.stringify(body) };
	const answer = await fetch(`${address}/v1/${path}`, init);
	return { status: answer.status, text: await answer.text() };
}

/** Timers that run only when a test says so. */
export function createHeldTimers() {
	const timers = new Set<{ run: () => void; afterMs: number }>();
	const schedule: Schedule = (run, afterMs) => {
		const timer = { run, afterMs };
		timers.add(timer);
		return () => void timers.delete(timer);
	};
	return {
		schedule,
		delays: () => [...timers].map(({ afterMs }) => afterMs),
		runAll(): void {
			for (const timer of [...timers]) {
				timers.delete(timer);
				timer.run();
			}
		},
	};
}

/** A store of wrapping keys in memory, with the contract of the real one. */
export function createMemoryStore() {
	const records = new Map<string, WrappingKeyRecord>();
	const store: WrappingKeyStore = {
		async insert(record) {
			await Promise.resolve();
			if (records.has(record._id)) throw new LetheError("internal");
			records.set(record._id, { ...record });
		},
		find: async (id) => records.get(id),
		async deleteByCohort(cohortId) {
			const doomed = [...records.values()].filter((record) => record.cohortId === cohortId);
			for (const { _id } of doomed) records.delete(_id);
			return doomed.length;
		},
	};
	return { ...store, records };
}

/** Cohort keys in memory, with a count of the calls and every plain key that was handed out. */
export function createCountedCohortKeys() {
	const memory = createMemoryKeys();
	const counts = { draws: 0, unwraps: 0 };
	const handedOut: Buffer[] = [];
	const handOut = (plain: Buffer) => {
		handedOut.push(plain);
		return plain;
	};
	const cohortKeys: Pick<CohortKeys, "drawWrappingKey" | "unwrapWrappingKey"> = {
		async drawWrappingKey(cohortId) {
			counts.draws++;
			await new Promise((resolve) => setImmediate(resolve));
			const drawn = await memory.cohortKeys.drawWrappingKey(cohortId);
			return { plain: handOut(drawn.plain), wrapped: drawn.wrapped };
		},
		async unwrapWrappingKey(cohortId, wrapped) {
			counts.unwraps++;
			await new Promise((resolve) => setImmediate(resolve));
			return handOut(await memory.cohortKeys.unwrapWrappingKey(cohortId, wrapped));
		},
	};
	return { ...memory, cohortKeys, create: memory.cohortKeys.createCohortKey, counts, handedOut };
}

export type { VaultClient };

function setting(name: string): string {
	const value = process.env[name];
	if (value === undefined)
		throw new Error(`${name} is not set: run the tests with \`npm test\`, which starts the servers.`);
	return value;
}
