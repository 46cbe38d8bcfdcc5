// Whether anything may be sent for a tenant, as of a second ago: asked before every attempt, read once a second and tenant.

import { limits } from "../domain/limits.ts";
import { isActive } from "../domain/tenancy.ts";
import type { ActivityDeps } from "./deps.ts";

export type TenancyDeps = Pick<ActivityDeps, "clock"> & {
	store: { tenants: Pick<ActivityDeps["store"]["tenants"], "find"> };
};

export type Tenancy = ReturnType<typeof createTenancy>;

const tenantsMax = 10_000;

export function createTenancy(deps: TenancyDeps) {
	const known = new Map<string, { reading: Promise<boolean>; until: number }>();

	async function read(tenantId: string): Promise<boolean> {
		const tenant = await deps.store.tenants.find(tenantId);
		return tenant !== undefined && !isActive(tenant);
	}

	return {
		/** Whether a tenant is suspended or leaving. @throws LetheError store_unavailable */
		isSuspended(tenantId: string): Promise<boolean> {
			const now = deps.clock();
			const entry = known.get(tenantId);
			if (entry && now < entry.until && entry.until <= now + limits.tenantSendMs) return entry.reading;
			const reading = read(tenantId);
			if (known.size >= tenantsMax) known.clear();
			known.set(tenantId, { reading, until: now + limits.tenantSendMs });
			reading.catch(() => known.delete(tenantId));
			return reading;
		},
	};
}
