// Whether anything may be sent for a tenant, and where to, as of a second ago: asked before every attempt, read once a second and tenant.

import type { TenantDocument } from "../adapters/mongo/models.ts";
import { isDestination } from "../domain/abuse.ts";
import { createCache } from "../domain/cache.ts";
import { limits } from "../domain/limits.ts";
import { isActive } from "../domain/tenancy.ts";
import type { ActivityDeps } from "./deps.ts";

export type TenancyDeps = Pick<ActivityDeps, "clock"> & {
	store: { tenants: Pick<ActivityDeps["store"]["tenants"], "find"> };
};

export type Tenancy = ReturnType<typeof createTenancy>;

const tenantsMax = 10_000;

export function createTenancy(deps: TenancyDeps) {
	const find = createCache<TenantDocument>({
		load: deps.store.tenants.find,
		clock: deps.clock,
		ttlMs: limits.tenantSendMs,
		itemsMax: tenantsMax,
	});

	return {
		/** Whether a tenant is suspended or leaving, or nobody knows it. @throws LetheError store_unavailable */
		async isSuspended(tenantId: string): Promise<boolean> {
			const tenant = await find(tenantId);
			return tenant === undefined || !isActive(tenant);
		},
		/** Whether it has a country among its destinations still. @throws LetheError store_unavailable */
		async allows(tenantId: string, country: string): Promise<boolean> {
			const tenant = await find(tenantId);
			return tenant !== undefined && isDestination(tenant, country);
		},
	};
}
