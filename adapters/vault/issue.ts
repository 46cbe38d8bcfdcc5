// Hands out the credentials of a role: its role-id and a single-use secret-id, response-wrapped.

import type { ServerTls } from "../serverTls.ts";
import { openVault } from "./connection.ts";
import type { Role } from "./policies.ts";
import { retryCommit } from "./retryCommit.ts";

const wrapTtlMax = "10m";

/**
 * Issues credentials for one process start; the wrapped secret-id can be unwrapped once, within ten minutes.
 * @throws LetheError `keys_unavailable` when Vault is away, `internal` when the issuer token is refused
 */
export async function issueCredentials(options: {
	address: string;
	issuerToken: string;
	role: Role;
	tls?: ServerTls | undefined;
}): Promise<{ roleId: string; wrappedSecretId: string }> {
	const vault = openVault({ address: options.address, tls: options.tls, token: () => options.issuerToken });
	const role = `auth/approle/role/lethe-${options.role}`;
	try {
		await vault.write("auth/token/renew-self");
		const [roleId, secretId] = await Promise.all([
			vault.read(`${role}/role-id`),
			retryCommit(() => vault.write(`${role}/secret-id`, {}, { wrapTtl: wrapTtlMax })),
		]);
		return { roleId: roleId.data.role_id as string, wrappedSecretId: secretId.wrap_info.token as string };
	} finally {
		vault.close();
	}
}
