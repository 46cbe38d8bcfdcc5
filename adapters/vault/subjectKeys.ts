// The keys of a tenant's recipients and people, as far as their end goes: pseudonyms, and names of those who sign in.

import type { VaultClient } from "./client.ts";
import { pathSegment } from "./connection.ts";
import { destroyKey } from "./destroyKey.ts";
import { personKeyName } from "./personSeal.ts";

export type SubjectKeys = ReturnType<typeof createSubjectKeys>;

/** For the eraser role. */
export function createSubjectKeys({ vault }: { vault: Pick<VaultClient, "read" | "write" | "remove"> }) {
	return {
		/**
		 * Destroys both of a tenant, all versions, and reads back that they are gone; does nothing when they are gone already.
		 * @throws LetheError keys_unavailable when Vault is away
		 */
		async destroySubjectKey(tenantId: string): Promise<void> {
			await destroyKey(vault, `transit/keys/${personKeyName(tenantId)}`);
			await destroyKey(vault, `transit/keys/hmac-subject-${pathSegment(tenantId)}`);
		},
	};
}
