// Whose tenant a principal is of, remembered for seconds.

import type { TenantDocument } from "../adapters/mongo/models.ts";
import { createCache } from "../domain/cache.ts";
import { LetheError } from "../domain/errors.ts";
import { limits } from "../domain/limits.ts";
import { isActive } from "../domain/tenancy.ts";
import type { ApiDeps } from "./deps.ts";
import type { Principal } from "./plugins/auth.ts";

export type TenantsDeps = Pick<ApiDeps, "clock"> & { store: { tenants: Pick<ApiDeps["store"]["tenants"], "find"> } };

const cachedMax = 1_000;

export function createTenants(deps: TenantsDeps) {
	const bounds = { clock: deps.clock, ttlMs: limits.tenantSeenMs, itemsMax: cachedMax };
	const findTenant = createCache<TenantDocument>({ ...bounds, load: deps.store.tenants.find });

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
	};
}
