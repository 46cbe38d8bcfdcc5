// An engine whose policies are the shipped ones and those that a test publishes, with a tenant of its own.

import type { TenantDocument } from "../../adapters/mongo/models.ts";
import type { Policies } from "../../policies/index.ts";
import { createEngine } from "./engine.ts";
import { openStored } from "./policies.ts";

/** @param retention what its tenant needs to keep */
export async function createStoredPolicies(retention: TenantDocument["retention"]) {
	let policies!: Policies;
	const engine = await createEngine({
		sender: false,
		policies: (store) => {
			policies = openStored(store);
			return policies;
		},
	});
	await policies.refresh();
	const tenantId = engine.ids.random("tenant");
	const queues = { name: "Test", establishment: "DE", destinations: ["*"], sendQueues: ["queue"], createdAt: 0 };
	await engine.store.tenants.put({ _id: tenantId, retention, ...queues });
	return { engine, policies, tenantId };
}
