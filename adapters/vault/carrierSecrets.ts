// Carrier credentials, kept in Vault KV only: what a send queue sends with, and what its callbacks are verified with.

import { LetheError } from "../../domain/errors.ts";
import type { VaultClient } from "./client.ts";
import { pathSegment } from "./connection.ts";
import { createRefreshing } from "./refreshing.ts";

/** `send`: for the sender role. `callback`: for the api role. The admin role writes both and reads neither. */
export type SecretPurpose = "send" | "callback";

export type CarrierSecrets = ReturnType<typeof createCarrierSecrets>;

const refreshMs = 60_000;
// Vault may be away, but a secret that was withdrawn meanwhile must not serve for ever.
const staleMsMax = 15 * 60_000;
const secretsHeldMax = 1_000;

/** Throws LetheError `keys_unavailable` when Vault is away; `internal` when there is no such secret, or not for this role. */
export function createCarrierSecrets(deps: { vault: Pick<VaultClient, "read" | "write">; clock: () => number }) {
	const secrets = createRefreshing({
		load: (path) => readSecrets(deps.vault, path),
		clock: deps.clock,
		refreshMs,
		staleMsMax,
		countMax: secretsHeldMax,
	});

	return {
		/** The secrets of a send queue; what was written a minute ago is seen. */
		async read(sendQueue: string, purpose: SecretPurpose): Promise<Record<string, string>> {
			return secrets.get(secretPath(sendQueue, purpose));
		},

		/** Replaces the secrets of a send queue. */
		async write(sendQueue: string, purpose: SecretPurpose, data: Record<string, string>): Promise<void> {
			await deps.vault.write(secretPath(sendQueue, purpose), { data });
		},
	};
}

function secretPath(sendQueue: string, purpose: SecretPurpose): string {
	return `kv/data/carriers/${pathSegment(sendQueue)}/${purpose}`;
}

async function readSecrets(vault: Pick<VaultClient, "read">, path: string): Promise<Record<string, string>> {
	const answer = await vault.read(path);
	if (answer === undefined) throw new LetheError("internal", { cause: { source: "vault", missing: path } });
	return answer.data.data as Record<string, string>;
}
