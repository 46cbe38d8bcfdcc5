// What a tenant has set, remembered for seconds: itself, and the send queues that serve it.

import type { SendQueueDocument, TenantDocument } from "../adapters/mongo/models.ts";
import { createCache } from "../domain/cache.ts";
import { LetheError } from "../domain/errors.ts";
import { limits } from "../domain/limits.ts";
import { type Routed, routes } from "../domain/routes.ts";
import { isActive } from "../domain/tenancy.ts";
import type { ApiDeps } from "./deps.ts";
import type { Principal } from "./plugins/auth.ts";

export type TenantsDeps = Pick<ApiDeps, "clock"> & {
	store: {
		tenants: Pick<ApiDeps["store"]["tenants"], "find">;
		sendQueues: Pick<ApiDeps["store"]["sendQueues"], "find">;
	};
};

const cachedMax = 1_000;

export function createTenants(deps: TenantsDeps) {
	const bounds = { clock: deps.clock, ttlMs: limits.tenantSeenMs, itemsMax: cachedMax };
	const findTenant = createCache<TenantDocument>({ ...bounds, load: deps.store.tenants.find });
	const findQueue = createCache<SendQueueDocument>({ ...bounds, load: deps.store.sendQueues.find });

	/** The principal's tenant. @throws LetheError unauthenticated when there is none any more */
	async function readTenant(principal: Pick<Principal, "tenantId">): Promise<TenantDocument> {
		const tenant = await findTenant(principal.tenantId);
		if (!tenant) throw new LetheError("unauthenticated");
		return tenant;
	}

	return {
		readTenant,

		/** The same, for what is to be sent. @throws LetheError tenant_suspended when it may send nothing; as readTenant */
		async readActive(principal: Pick<Principal, "tenantId">): Promise<TenantDocument> {
			const tenant = await readTenant(principal);
			if (!isActive(tenant)) throw new LetheError("tenant_suspended");
			return tenant;
		},

		/** The best of the tenant's send queues for a message. @throws LetheError no_route */
		async route(tenant: TenantDocument, message: Omit<Routed, "regions">): Promise<SendQueueDocument> {
			const queues = await Promise.all(tenant.sendQueues.map(findQueue));
			const known = queues.filter((queue) => queue !== undefined);
			const [best] = routes(known, { ...message, regions: tenant.regions });
			if (best) return best;
			const { sender } = message;
			const isSender = sender === undefined || known.some((queue) => queue.sender === sender);
			const errors = isSender ? [] : [{ pointer: "/sender", detail: "Not one of the tenant's senders." }];
			throw new LetheError("no_route", { errors });
		},
	};
}
