// Carrier credentials, kept in Vault KV only: what a send queue sends with, and what its callbacks are verified with.

import type { VaultClient } from "./client.ts";
import { pathSegment } from "./connection.ts";
import { createHeldSecrets } from "./heldSecrets.ts";

/** `send`: for the sender role. `callback`: for the api role. The admin role writes both and reads neither, but sees of each whether it is there. */
export type SecretPurpose = "send" | "callback";

export type CarrierSecrets = ReturnType<typeof createCarrierSecrets>;

/** Throws LetheError `keys_unavailable` when Vault is away; `internal` when there is no such secret, or not for this role. */
export function createCarrierSecrets(deps: { vault: Pick<VaultClient, "read" | "write">; clock: () => number }) {
	const secrets = createHeldSecrets<Record<string, string>>(deps);

	return {
		/** The secrets of a send queue; what was written a minute ago is seen. */
		async read(sendQueue: string, purpose: SecretPurpose): Promise<Record<string, string>> {
			return secrets.read(placeOf(sendQueue, purpose));
		},

		/** Whether a send queue has such secrets: the admin's question, which tells nothing of what they are. */
		async areThere(sendQueue: string, purpose: SecretPurpose): Promise<boolean> {
			const answer = await deps.vault.read(`kv/metadata/${placeOf(sendQueue, purpose)}`);
			if (answer === undefined) return false;
			const { current_version: current, versions } = answer.data as Metadata;
			const version = versions[current];
			return version !== undefined && version.deletion_time === "" && !version.destroyed;
		},

		/** Replaces the secrets of a send queue. */
		async write(sendQueue: string, purpose: SecretPurpose, data: Record<string, string>): Promise<void> {
			await secrets.write(placeOf(sendQueue, purpose), data);
		},
	};
}

// Of KV, version 2.
type Metadata = {
	current_version: number;
	versions: Record<number, { deletion_time: string; destroyed: boolean } | undefined>;
};

function placeOf(sendQueue: string, purpose: SecretPurpose): string {
	return `carriers/${pathSegment(sendQueue)}/${purpose}`;
}
