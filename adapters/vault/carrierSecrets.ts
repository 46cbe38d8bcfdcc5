// Carrier credentials, kept in Vault KV only: what a send queue sends with, and what its callbacks are verified with.

import type { VaultClient } from "./client.ts";
import { pathSegment } from "./connection.ts";
import { createHeldSecrets } from "./heldSecrets.ts";

/** `send`: for the sender role. `callback`: for the api role. The admin role writes both and reads neither, but sees of each what it is called. */
export type SecretPurpose = "send" | "callback";

export type CarrierSecrets = ReturnType<typeof createCarrierSecrets>;

/** Throws LetheError `keys_unavailable` when Vault is away; `internal` when there is no such secret, or not for this role. */
export function createCarrierSecrets(deps: {
	vault: Pick<VaultClient, "read" | "write" | "remove">;
	clock: () => number;
}) {
	const secrets = createHeldSecrets<Record<string, string>>(deps);

	return {
		/** The secrets of a send queue; what was written five seconds ago is seen. */
		async read(sendQueue: string, purpose: SecretPurpose): Promise<Record<string, string>> {
			return secrets.read(placeOf(sendQueue, purpose));
		},

		/** When those took others' place, epoch milliseconds: -Infinity for the first, NaN where Vault does not say. */
		async replacedAt(sendQueue: string, purpose: SecretPurpose): Promise<number> {
			return secrets.replacedAt(placeOf(sendQueue, purpose));
		},

		/** What a send queue's secrets are called, none where there are none: the admin's question, which shows no value. */
		async names(sendQueue: string, purpose: SecretPurpose): Promise<string[]> {
			const answer = await deps.vault.read(`kv/subkeys/${placeOf(sendQueue, purpose)}`);
			const { subkeys } = (answer?.data ?? {}) as { subkeys?: Record<string, unknown> | null };
			return Object.keys(subkeys ?? {});
		},

		/** Replaces the secrets of a send queue. */
		async write(sendQueue: string, purpose: SecretPurpose, data: Record<string, string>): Promise<void> {
			await secrets.write(placeOf(sendQueue, purpose), data);
		},

		/** Destroys the secrets of a send queue, both halves and every version; whoever holds them has them for minutes yet. */
		async destroy(sendQueue: string): Promise<void> {
			for (const purpose of ["send", "callback"] as const) {
				await deps.vault.remove(`kv/metadata/${placeOf(sendQueue, purpose)}`);
			}
		},
	};
}

function placeOf(sendQueue: string, purpose: SecretPurpose): string {
	return `carriers/${pathSegment(sendQueue)}/${purpose}`;
}
