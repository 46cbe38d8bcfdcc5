// What tests of commands about send queues share: an API with a tenant on one queue, and the commands as a shell runs them.

import { credentialsOf } from "../adapters/vault/helper.ts";
import { createTestApi } from "../api/harness.ts";
import { root, run as runProgram } from "../harness/programs.ts";

/** The command line, for Node. */
export const lethe = [`${root}/cli/lethe.ts`];

/** Secrets that the simulated carrier can use. */
export const usable = {
	send: { token: "a-token-of-sixteen-or-more" },
	callback: { publicKey: Buffer.alloc(32, 7).toString("base64") },
};

export type QueueShell = Awaited<ReturnType<typeof createQueueShell>>;

/** An API of its own whose tenant has the queue `shell`; `run` is `lethe queue` by an operator of the tenant. */
export async function createQueueShell() {
	const api = await createTestApi();
	const { tenantId, key } = await api.addTenant({ sendQueue: "shell", roles: ["operator"] });
	const sender = (await api.addKey(tenantId)).key;
	const target = ["--url", await api.app.listen({ host: "127.0.0.1", port: 0 }), "--key", key];
	const run = (...args: string[]) => runProgram(process.execPath, [...lethe, "queue", ...args, ...target]);

	/** As whoever holds the admin role does it; its credentials serve once. */
	async function administer(words: string[], input = "") {
		const args = words[0] === "doctor" ? words : ["admin", ...words];
		const { roleId, wrappedSecretId } = await credentialsOf("admin");
		const credentials = {
			LETHE_VAULT_ADMIN_ROLE_ID: roleId,
			LETHE_VAULT_ADMIN_WRAPPED_SECRET_ID: wrappedSecretId,
		};
		const env = { ...process.env, LETHE_DATABASE: api.connection.name, LETHE_LOG_LEVEL: "silent", ...credentials };
		return runProgram(process.execPath, [...lethe, ...args], { input, env });
	}

	return { api, tenantId, sender, target, run, administer };
}
