// Where what a tenant signs texts by is kept in Vault, and what there is of it.

import type { VaultClient } from "./client.ts";
import { pathSegment } from "./connection.ts";

/** Where a tenant's are kept, each under its number. */
export function senderFolder(tenantId: string): string {
	return `senders/${pathSegment(tenantId)}`;
}

/** The numbers of those there are, the newest first. */
export async function listSenderKeys(vault: Pick<VaultClient, "read">, tenantId: string): Promise<number[]> {
	const answer = await vault.read(`kv/metadata/${senderFolder(tenantId)}?list=true`);
	return ((answer?.data.keys ?? []) as string[]).map(Number).sort((a, b) => b - a);
}
