// Whether anything may be sent for a tenant, as of a second ago: asked before every attempt, read once a second and tenant.

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
	const isSuspended = createCache<boolean>({
		load: async (tenantId) => {
			const tenant = await deps.store.tenants.find(tenantId);
			return tenant !== undefined && !isActive(tenant);
		},
		clock: deps.clock,
		ttlMs: limits.tenantSendMs,
		itemsMax: tenantsMax,
	});

	return {
		/** Whether a tenant is suspended or leaving. @throws LetheError store_unavailable */
		isSuspended: async (tenantId: string): Promise<boolean> => (await isSuspended(tenantId)) === true,
	};
}
