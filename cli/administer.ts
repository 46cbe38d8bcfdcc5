// What an administrator does: tenants with their keys, send queues with their secrets, API keys shown once.

import { randomBytes } from "node:crypto";
import type { SendQueueDocument, TenantDocument } from "../adapters/mongo/models.ts";
import type { Deps } from "../deps.ts";

type AdminDeps = Pick<Deps, "store" | "hmac" | "ids" | "clock" | "secrets">;

export const roles = ["sender", "compliance", "approver", "operator", "auditor", "admin"] as const;

/** Creates a tenant and its subject key. Answers its id. */
export async function createTenant(
	deps: AdminDeps,
	tenant: Pick<TenantDocument, "name" | "establishment" | "sendQueues"> &
		Partial<Pick<TenantDocument, "retention" | "inbound">>,
): Promise<string> {
	const id = deps.ids.random("tenant");
	// The key first: a tenant without one could accept nobody's number.
	await deps.hmac.createKey("subject", id);
	await deps.store.tenants.put({ retention: {}, ...tenant, _id: id, createdAt: deps.clock() });
	return id;
}

/** Creates an API key. The key itself is shown once and stored only as a keyed hash. */
export async function createApiKey(
	deps: AdminDeps,
	options: { tenantId: string; name: string; roles: string[]; expiresAt?: number },
): Promise<{ id: string; apiKey: string }> {
	const apiKey = `lethe_key_${randomBytes(32).toString("base64url")}`;
	const { mac, version } = await deps.hmac.mac("api-key", undefined, apiKey);
	const id = deps.ids.random("apiKey");
	await deps.store.apiKeys.insert({ _id: id, mac, macVersion: version, createdAt: deps.clock(), ...options });
	return { id, apiKey };
}

/** Creates or replaces a send queue; secrets go to Vault only. */
export async function putSendQueue(
	deps: AdminDeps,
	queue: SendQueueDocument,
	secrets: { send: Record<string, string>; callback: Record<string, string> },
): Promise<void> {
	await deps.secrets.write(queue._id, "send", secrets.send);
	await deps.secrets.write(queue._id, "callback", secrets.callback);
	await deps.store.sendQueues.put(queue);
}
