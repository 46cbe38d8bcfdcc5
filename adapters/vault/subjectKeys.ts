// The keys of a tenant's recipients and people, as far as their end goes: pseudonyms, and names of those who sign in.

import type { VaultClient } from "./client.ts";
import { pathSegment } from "./connection.ts";
import { destroyKey } from "./destroyKey.ts";
import { personKeyName } from "./personSeal.ts";
import { removeCredential } from "./providerCredentials.ts";
import { listSenderKeys, senderFolder } from "./senderFolder.ts";

export type SubjectKeys = ReturnType<typeof createSubjectKeys>;

/** For the eraser role. */
export function createSubjectKeys({ vault }: { vault: Pick<VaultClient, "read" | "write" | "remove"> }) {
	return {
		/** Removes what an identity provider of a tenant's people was shown. @throws LetheError keys_unavailable */
		removeCredential: (providerId: string): Promise<void> => removeCredential(vault, providerId),
		/**
		 * Destroys those of a tenant, all versions, with what it signed texts by, and reads back that they are gone; does nothing when they are gone already.
		 * @throws LetheError keys_unavailable when Vault is away
		 */
		async destroySubjectKey(tenantId: string): Promise<void> {
			await destroyKey(vault, `transit/keys/${personKeyName(tenantId)}`);
			for (const number of await listSenderKeys(vault, tenantId)) {
				await vault.remove(`kv/metadata/${senderFolder(tenantId)}/${number}`);
			}
			await destroyKey(vault, `transit/keys/hmac-subject-${pathSegment(tenantId)}`);
		},
	};
}
