// How many webhooks are under way at once, of an endpoint, of a tenant and of all: who is slow fills only slots of their own.

import { limits } from "./limits.ts";
import type { WebhookDelivery } from "./webhook.ts";

export type Addressed = Pick<WebhookDelivery, "endpointId" | "tenantId">;

/** Those that have no slot free. */
export type Busy = { endpointIds: string[]; tenantIds: string[] };

/** @param underWay what is being sent already */
export function createWebhookSlots(underWay: readonly Addressed[]) {
	const byEndpoint = new Map<string, number>();
	const byTenant = new Map<string, number>();
	let free = limits.webhooksInFlightMax;

	function fill({ endpointId, tenantId }: Addressed): void {
		byEndpoint.set(endpointId, (byEndpoint.get(endpointId) ?? 0) + 1);
		byTenant.set(tenantId, (byTenant.get(tenantId) ?? 0) + 1);
		free -= 1;
	}
	for (const one of underWay) fill(one);

	return {
		free: () => free,
		busy: (): Busy => ({
			endpointIds: fullOf(byEndpoint, limits.webhooksInFlightPerEndpointMax),
			tenantIds: fullOf(byTenant, limits.webhooksInFlightPerTenantMax),
		}),
		/** False where there is none left for it. */
		take(one: Addressed): boolean {
			const isFull =
				free <= 0 ||
				(byEndpoint.get(one.endpointId) ?? 0) >= limits.webhooksInFlightPerEndpointMax ||
				(byTenant.get(one.tenantId) ?? 0) >= limits.webhooksInFlightPerTenantMax;
			if (!isFull) fill(one);
			return !isFull;
		},
	};
}

function fullOf(counts: Map<string, number>, max: number): string[] {
	return [...counts].filter(([, count]) => count >= max).map(([id]) => id);
}
