// Which endpoints are told of a message: the one that it names, or its tenant's default ones.

import { createCache } from "../domain/cache.ts";
import { LetheError } from "../domain/errors.ts";
import { limits } from "../domain/limits.ts";
import type { Message } from "../domain/message.ts";
import type { WebhookEndpoint } from "../domain/webhook.ts";
import type { ApiDeps } from "./deps.ts";

export type WebhooksDeps = Pick<ApiDeps, "clock"> & {
	store: { webhookEndpoints: Pick<ApiDeps["store"]["webhookEndpoints"], "find" | "findByTenant"> };
};

/** What of it a message bears; nothing where nobody is told. */
export type Notified = Pick<Message, "webhooks" | "notifies">;

const tenantsMax = 1_000;

export function createWebhooks(deps: WebhooksDeps) {
	const { webhookEndpoints } = deps.store;
	const findAll = createCache<WebhookEndpoint[]>({
		load: webhookEndpoints.findByTenant,
		clock: deps.clock,
		ttlMs: limits.webhookListedMs,
		itemsMax: tenantsMax,
	});

	async function findNamed(tenantId: string, id: string): Promise<WebhookEndpoint> {
		const known = (await findAll(tenantId))?.find(({ _id }) => _id === id);
		// One that was registered a moment ago may be named at once.
		const endpoint = known ?? (await webhookEndpoints.find(id));
		if (endpoint?.tenantId === tenantId) return endpoint;
		throw new LetheError("invalid_request", { errors: [{ pointer: "/webhook", detail: "No such endpoint." }] });
	}

	/** @throws LetheError invalid_request where the endpoint that is named is not the tenant's; store_unavailable */
	return async function notified(tenantId: string, named: string | undefined): Promise<Notified> {
		const all = named === undefined ? ((await findAll(tenantId)) ?? []) : [await findNamed(tenantId, named)];
		const endpoints = named === undefined ? all.filter(({ isDefault }) => isDefault) : all;
		if (endpoints.length === 0) return {};
		const notifies = [...new Set(endpoints.flatMap(({ states }) => states))];
		return { webhooks: endpoints.map(({ _id }) => _id), notifies };
	};
}
