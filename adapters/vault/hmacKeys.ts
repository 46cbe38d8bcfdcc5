// Keyed hashes under versioned HMAC keys, one key a purpose; the keys are made in Vault and used in process.

import { createHmac, createSecretKey, type KeyObject } from "node:crypto";
import { LetheError } from "../../domain/errors.ts";
import { limits } from "../../domain/limits.ts";
import type { VaultClient } from "./client.ts";
import { pathSegment } from "./connection.ts";
import { createRefreshing } from "./refreshing.ts";

/** `subject`: pseudonym of a recipient, a key a tenant. `code`: one-time codes. `person`: what people sign in with. `tag`: what texts end in. */
export const hmacPurposes = ["subject", "idempotency", "api-key", "code", "person", "tag"] as const;
export type HmacPurpose = (typeof hmacPurposes)[number];

/**
 * A keyed hash, `<version>.<base64url>`, and the version of the key that made it: whatever is stored tells which version
 * it needs.
 */
export type Mac = { version: number; mac: string };

export type HmacKeys = ReturnType<typeof createHmacKeys>;

const globalPurposes = hmacPurposes.filter((purpose) => purpose !== "subject");
/** Keys that every deployment has; a tenant's subject key is made with the tenant. */
export const globalHmacKeys = globalPurposes.map((purpose) => `hmac-${purpose}`);

/**
 * How Vault makes an HMAC key. Every transit key version has 256 bits for HMAC of its own, which a process may export;
 * this type, unlike `hmac`, also says when each version was made.
 */
export const hmacKeySpec = { type: "aes256-gcm96", exportable: true };

type KeyVersion = { version: number; createdAt: number; key: KeyObject };

const { hmacRefreshMs: refreshMs, hmacAnnounceMs: announceMs, hmacStaleMsMax: staleMsMax } = limits;
const keysHeldMax = 10_000;

/**
 * `purpose` names the key, with the tenant for `subject` only.
 * The functions throw LetheError `keys_unavailable` when Vault is away and the key is not held; `internal` when it does
 * not exist or this role may not use it; RangeError when purpose and tenant do not fit.
 */
export function createHmacKeys(deps: { vault: Pick<VaultClient, "read" | "write">; clock: () => number }) {
	const { vault, clock } = deps;
	const keys = createRefreshing({
		load: (name) => exportVersions(vault, name),
		clock,
		refreshMs,
		staleMsMax,
		countMax: keysHeldMax,
	});

	/** Makes a key; does nothing when it is there. For the admin role. */
	async function createKey(purpose: HmacPurpose, tenantId: string | undefined): Promise<void> {
		await vault.write(`transit/keys/${keyName(purpose, tenantId)}`, hmacKeySpec);
	}

	const toStoreBy = (versions: KeyVersion[]) =>
		(versions.find(({ createdAt }) => createdAt <= clock() - announceMs) ?? versions.at(-1)) as KeyVersion;

	return {
		/** The hash to store: under the newest version that every process knows. */
		async mac(purpose: HmacPurpose, tenantId: string | undefined, data: string | Uint8Array): Promise<Mac> {
			return hash(toStoreBy(await keys.get(keyName(purpose, tenantId))), data);
		},

		/** The hashes to search for: under every live version, the newest first. */
		async allMacs(purpose: HmacPurpose, tenantId: string | undefined, data: string | Uint8Array): Promise<Mac[]> {
			const versions = await keys.get(keyName(purpose, tenantId));
			return versions.map((version) => hash(version, data));
		},

		/** Both: `toStore` is one of `live`, those to search for, the newest first; `others` are the rest of these. */
		async macs(
			purpose: HmacPurpose,
			tenantId: string | undefined,
			data: string | Uint8Array,
		): Promise<{ toStore: Mac; live: Mac[]; others: Mac[] }> {
			const versions = await keys.get(keyName(purpose, tenantId));
			const live = versions.map((version) => hash(version, data));
			const toStore = live[versions.indexOf(toStoreBy(versions))] as Mac;
			return { toStore, live, others: live.filter((other) => other !== toStore) };
		},

		/** Reads a tenant's subject key, should this process not hold it: Vault may then be away for a day. */
		hold: async (tenantId: string): Promise<void> => void (await keys.get(keyName("subject", tenantId))),

		createKey,

		/** Makes those of `globalHmacKeys` that are not there, such as a later version's. For the admin role. */
		async createGlobalKeys(): Promise<void> {
			for (const purpose of globalPurposes) await createKey(purpose, undefined);
		},

		/** Adds a version; older ones stay live. For the admin role. */
		async rotateKey(purpose: HmacPurpose, tenantId: string | undefined): Promise<void> {
			await vault.write(`transit/keys/${keyName(purpose, tenantId)}/rotate`);
		},
	};
}

function keyName(purpose: HmacPurpose, tenantId: string | undefined): string {
	if ((purpose === "subject") !== (tenantId !== undefined)) throw new RangeError("a tenant goes with `subject` only");
	return tenantId === undefined ? `hmac-${purpose}` : `hmac-subject-${pathSegment(tenantId)}`;
}

function hash({ version, key }: KeyVersion, data: string | Uint8Array): Mac {
	return { version, mac: `${version}.${createHmac("sha256", key).update(data).digest("base64url")}` };
}

// The newest first; never empty.
async function exportVersions(vault: Pick<VaultClient, "read">, name: string): Promise<KeyVersion[]> {
	// The times first: a version made in between is then without one, and left for the next reading.
	const times = await vault.read(`transit/keys/${name}`);
	const exported = await vault.read(`transit/export/hmac-key/${name}`);
	const versions: KeyVersion[] = [];
	for (const [number, base64] of Object.entries((exported?.data.keys ?? {}) as Record<string, string>)) {
		const createdSeconds = times?.data.keys[number] as number | undefined;
		if (createdSeconds === undefined) continue;
		const bytes = Buffer.from(base64, "base64");
		versions.push({ version: Number(number), createdAt: createdSeconds * 1000, key: createSecretKey(bytes) });
		bytes.fill(0);
	}
	if (versions.length === 0) throw new LetheError("internal", { cause: { source: "vault", missing: name } });
	return versions.sort((a, b) => b.version - a.version);
}
