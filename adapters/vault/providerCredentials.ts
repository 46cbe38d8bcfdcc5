// What Lethe shows to tenants' identity providers as their client, kept in Vault KV only: a secret, or a private key.

import type { VaultClient } from "./client.ts";
import { pathSegment } from "./connection.ts";
import { createHeldSecrets } from "./heldSecrets.ts";

/** `privateKey`: a JWK (RFC 7517) with `kid` and `alg`. */
export type ProviderCredential = { secret: string } | { privateKey: Record<string, string> };

export type ProviderCredentials = ReturnType<typeof createProviderCredentials>;

/** The api role reads, the admin role writes and reads nothing. Throws LetheError keys_unavailable; internal when there is none. */
export function createProviderCredentials(deps: {
	vault: Pick<VaultClient, "read" | "write" | "remove">;
	clock: () => number;
}) {
	const secrets = createHeldSecrets<ProviderCredential>(deps);

	return {
		/** What was written five seconds ago is seen. */
		read: async (providerId: string): Promise<ProviderCredential> => secrets.read(placeOf(providerId)),
		write: async (providerId: string, data: ProviderCredential): Promise<void> =>
			secrets.write(placeOf(providerId), data),
		/** With all its versions. */
		remove: (providerId: string): Promise<void> => removeCredential(deps.vault, providerId),
	};
}

/** Removes what is shown to a provider, with all its versions; does nothing when it is gone. For the admin and eraser roles. */
export async function removeCredential(vault: Pick<VaultClient, "remove">, providerId: string): Promise<void> {
	await vault.remove(`kv/metadata/${placeOf(providerId)}`);
}

function placeOf(providerId: string): string {
	return `identity-providers/${pathSegment(providerId)}`;
}
