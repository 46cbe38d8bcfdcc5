// How tenants and send queues are set, as it was a moment ago: what every message asks costs the store one read a while.

import type { SendQueueDocument, TenantDocument } from "../adapters/mongo/models.ts";
import { createCache } from "../domain/cache.ts";
import type { ActivityDeps } from "./deps.ts";

export type SendSettingsDeps = Pick<ActivityDeps, "monotonic"> & {
	store: {
		sendQueues: Pick<ActivityDeps["store"]["sendQueues"], "find">;
		tenants: Pick<ActivityDeps["store"]["tenants"], "find">;
	};
};

// A change is noticed within this time.
const ttlMs = 2_000;
const itemsMax = 10_000;

/** Each throws LetheError store_unavailable. */
export function createSendSettings({ store, monotonic: clock }: SendSettingsDeps) {
	return {
		findQueue: createCache<SendQueueDocument>({ load: store.sendQueues.find, clock, ttlMs, itemsMax }),
		findTenant: createCache<TenantDocument>({ load: store.tenants.find, clock, ttlMs, itemsMax }),
	};
}
