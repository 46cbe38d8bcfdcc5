// Sets Vault up for Lethe: mounts, keys, policies, roles. Idempotent; run with a root token that is revoked afterwards.

import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { createLogKeys } from "../logs/logKeys.ts";
import type { ServerTls } from "../serverTls.ts";
import { openVault, type VaultConnection, vaultFailure } from "./connection.ts";
import { globalHmacKeys, hmacKeySpec } from "./hmacKeys.ts";
import { names, policies, roles } from "./policies.ts";

// Rises with every change to what provisioning makes; rights, which change most, are told by themselves.
const made = 12;

/** A Vault that was provisioned by another one must be provisioned again. */
export const provisionVersion = `${made}-${createHash("sha256").update(JSON.stringify(policies)).digest("hex")}`;

const secretIdTtl = "15m";
const tokenPeriod = "1h";
// Vault makes the new version by itself, and opens what the old ones encrypted.
const webhookKeyPeriod = "8760h";
// Outlives a deployment that stands still for long; each issue renews it.
const issuerPeriod = "8760h";

/** Which Vault, and a token that may set it up. */
type Target = { address: string; token: string; tls?: ServerTls | undefined };

/**
 * Mounts `transit/` and `kv/` (version 2), enables AppRole, writes policies and roles, creates the global keys and the logs' pair.
 * @throws LetheError `keys_unavailable` when Vault is away, `internal` when the token may not do this
 */
export async function provisionVault(options: Target): Promise<void> {
	const vault = openVault({ ...options, token: () => options.token, timeoutMs: 30_000 });
	try {
		await mount(vault, "sys/mounts", names.transit, { type: "transit" });
		await mount(vault, "sys/mounts", names.kv, { type: "kv", options: { version: "2" } });
		await mount(vault, "sys/auth", "approle", { type: "approle" });
		// Vault caps even a periodic token at this; the issuer's must outlive a long standstill.
		await vault.write("sys/auth/token/tune", { max_lease_ttl: issuerPeriod });
		for (const [role, policy] of Object.entries(policies)) {
			await vault.write(`sys/policies/acl/lethe-${role}`, { policy: JSON.stringify({ path: policy }) });
		}
		for (const role of roles) {
			await vault.write(`auth/approle/role/lethe-${role}`, {
				token_policies: [`lethe-${role}`],
				token_no_default_policy: true,
				token_type: "service",
				token_period: tokenPeriod,
				secret_id_num_uses: 1,
				secret_id_ttl: secretIdTtl,
			});
		}
		for (const key of [names.certificateKey, names.evidenceKey, names.canaryKey]) {
			await vault.write(`${names.transit}/keys/${key}`, { type: "ed25519" });
		}
		// Of another kind than the two above: a token's signature never passes for a certificate's.
		for (const key of [names.tokenKey, names.receiptKey]) {
			await vault.write(`${names.transit}/keys/${key}`, { type: "ecdsa-p256" });
		}
		const webhookKey = { type: "aes256-gcm96", auto_rotate_period: webhookKeyPeriod };
		await vault.write(`${names.transit}/keys/${names.webhookKey}`, webhookKey);
		for (const key of globalHmacKeys) await vault.write(`${names.transit}/keys/${key}`, hmacKeySpec);
		await keepNewestOnly(vault);
		await createLogKeys({ vault }).ensure();
	} finally {
		vault.close();
	}
}

/**
 * Makes the token with which a launcher hands out credentials; it outlives the root token that makes it.
 * It may only create response-wrapped secret-ids of the `lethe-*` roles and read their role-ids.
 */
export async function createIssuerToken(options: Target): Promise<string> {
	const vault = openVault({ ...options, token: () => options.token });
	try {
		const answer = await vault.write("auth/token/create-orphan", {
			policies: ["lethe-issuer"],
			no_default_policy: true,
			period: issuerPeriod,
			display_name: "lethe-issuer",
		});
		return answer.auth.client_token as string;
	} finally {
		vault.close();
	}
}

type Mount = { type: string; options?: Record<string, string> };

async function mount(vault: VaultConnection, base: string, name: string, wanted: Mount): Promise<void> {
	const mounted = await vault.read(base);
	const present = mounted?.data?.[`${name}/`] as Mount | undefined;
	if (present === undefined) await vault.write(`${base}/${name}`, wanted);
	else if (present.type !== wanted.type || present.options?.version !== wanted.options?.version) {
		throw new Error(`Vault already has another mount at ${name}/: move it, Lethe needs ${wanted.type} there.`);
	}
}

// A withdrawn secret is not kept. A fresh kv version 2 mount refuses requests for a moment while it upgrades itself.
async function keepNewestOnly(vault: VaultConnection): Promise<void> {
	for (let tries = 0; ; tries++) {
		try {
			await vault.write(`${names.kv}/config`, { max_versions: 1 });
			return;
		} catch (error) {
			if (tries >= 50 || vaultFailure(error)?.status === 403) throw error;
			await sleep(100);
		}
	}
}
