// Sets up the Vault of a deployment once: reads its root token from standard input, and revokes that token at the end.

import { writeFileSync } from "node:fs";
import { text } from "node:stream/consumers";
import { openVault } from "../adapters/vault/connection.ts";
import { roles } from "../adapters/vault/policies.ts";
import { createIssuerToken, provisionVault } from "../adapters/vault/provision.ts";
import { loadConfig, required, settings } from "../config.ts";

const [issuerTokenPath] = process.argv.slice(2);
if (!issuerTokenPath) {
	console.error("Usage: node stack/provision.ts ISSUER_TOKEN_FILE < ROOT_TOKEN");
	process.exit(2);
}
const address = required(loadConfig().vault.address, "VAULT_ADDR");
const token = (await text(process.stdin)).trim();
await provisionVault({ address, token });
// Before the root token ends, else a failed write would leave nobody who may issue. The folder is closed; the container
// that reads the file has another user.
writeFileSync(issuerTokenPath, await createIssuerToken({ address, token }), { mode: 0o444 });

const vault = openVault({ address, token: () => token });
for (const role of roles) {
	const { data } = await vault.read(`auth/approle/role/lethe-${role}/role-id`);
	const name = `LETHE_VAULT_${role.toUpperCase()}_ROLE_ID`;
	if (name in settings) console.log(`${name}=${data.role_id}`);
}
await vault.write("auth/token/revoke-self");
vault.close();
