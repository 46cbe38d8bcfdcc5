// Sets up the Vault of a deployment: takes its root token, or the unseal keys that make one, from standard input, and
// revokes that token at the end.

import { renameSync, writeFileSync } from "node:fs";
import { text } from "node:stream/consumers";
import { openVault, type VaultConnection, vaultFailure } from "../adapters/vault/connection.ts";
import { roles } from "../adapters/vault/policies.ts";
import { createIssuerToken, provisionVault } from "../adapters/vault/provision.ts";
import { makeRootToken } from "../adapters/vault/rootToken.ts";
import { loadConfig, required, settings } from "../config.ts";
import { readIfThere } from "./files.ts";

const [issuerTokenPath] = process.argv.slice(2);
if (!issuerTokenPath) {
	console.error("Usage: node stack/provision.ts ISSUER_TOKEN_FILE < ROOT_TOKEN, or < UNSEAL_KEYS, one a line");
	process.exit(2);
}
try {
	await provision(issuerTokenPath);
} catch (error) {
	const { status } = vaultFailure(error) ?? {};
	const refused = "Vault refuses what is on standard input. Give a root token that is still alive, or the unseal keys.";
	const away = "Vault can't be reached. Start and unseal it, or correct VAULT_ADDR.";
	console.error(status === undefined ? (error as Error).message : status >= 400 && status < 500 ? refused : away);
	process.exitCode = 1;
}

/** Prints the role-ids, which are not secret, as settings. Run again, it brings Vault up to this version. */
async function provision(path: string): Promise<void> {
	const { address, tls } = loadConfig().vault;
	const server = { address: required(address, "VAULT_ADDR"), tls };
	const token = await readRootToken(server);
	const vault = openVault({ ...server, token: () => token });
	try {
		await provisionVault({ ...server, token });
		if (!(await isAlive(vault, readIfThere(path)))) {
			// Before the root token ends, else a failed write would leave nobody who may issue. The folder is closed; the
			// container that reads the file has another user.
			writeFileSync(`${path}.new`, await createIssuerToken({ ...server, token }), { mode: 0o444 });
			renameSync(`${path}.new`, path);
		}
		for (const role of roles) {
			const { data } = await vault.read(`auth/approle/role/lethe-${role}/role-id`);
			const name = `LETHE_VAULT_${role.toUpperCase()}_ROLE_ID`;
			if (name in settings) console.log(`${name}=${data.role_id}`);
		}
		await vault.write("auth/token/revoke-self");
	} finally {
		vault.close();
	}
}

async function readRootToken(server: Pick<Parameters<typeof makeRootToken>[0], "address" | "tls">): Promise<string> {
	const lines = (await text(process.stdin)).split("\n").map((line) => line.trim());
	const [first = "", ...more] = lines.filter((line) => line !== "");
	// Unseal keys are plain base64 or hex.
	return first.includes(".") ? first : makeRootToken({ ...server, keys: [first, ...more] });
}

// What was issued before goes on: whoever holds it need not be started again.
async function isAlive(vault: VaultConnection, issuerToken: string | undefined): Promise<boolean> {
	if (!issuerToken) return false;
	try {
		await vault.write("auth/token/lookup", { token: issuerToken });
		return true;
	} catch (error) {
		if ([400, 403, 404].includes(vaultFailure(error)?.status ?? 0)) return false;
		throw error;
	}
}
