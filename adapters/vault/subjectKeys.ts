// The key that gives a tenant's recipients their pseudonyms, as far as its end goes.

import type { VaultClient } from "./client.ts";
import { pathSegment } from "./connection.ts";
import { destroyKey } from "./destroyKey.ts";

export type SubjectKeys = ReturnType<typeof createSubjectKeys>;

/** For the eraser role. */
export function createSubjectKeys({ vault }: { vault: Pick<VaultClient, "read" | "write" | "remove"> }) {
	return {
		/**
		 * Destroys a tenant's key, all versions, and reads back that it is gone; does nothing when it is gone already.
		 * @throws LetheError keys_unavailable when Vault is away
		 */
		destroySubjectKey: (tenantId: string): Promise<void> =>
			destroyKey(vault, `transit/keys/hmac-subject-${pathSegment(tenantId)}`),
	};
}
