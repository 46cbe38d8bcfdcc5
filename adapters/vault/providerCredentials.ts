// What Lethe shows to tenants' identity providers as their client, kept in Vault KV only: a secret, or a private key.

import { LetheError } from "../../domain/errors.ts";
import type { VaultClient } from "./client.ts";
import { pathSegment } from "./connection.ts";
import { createRefreshing } from "./refreshing.ts";

/** `privateKey`: a JWK (RFC 7517) with `kid` and `alg`. */
export type ProviderCredential = { secret: string } | { privateKey: Record<string, string> };

export type ProviderCredentials = ReturnType<typeof createProviderCredentials>;

const refreshMs = 60_000;
const staleMsMax = 15 * 60_000;
const heldMax = 1_000;

/** The api role reads, the admin role writes and reads nothing. Throws LetheError keys_unavailable; internal when there is none. */
export function createProviderCredentials(deps: {
	vault: Pick<VaultClient, "read" | "write" | "remove">;
	clock: () => number;
}) {
	const held = createRefreshing({
		load: async (providerId): Promise<ProviderCredential> => {
			const answer = await deps.vault.read(`kv/data/${placeOf(providerId)}`);
			if (answer === undefined) throw new LetheError("internal", { cause: { source: "vault", missing: "credential" } });
			return answer.data.data as ProviderCredential;
		},
		clock: deps.clock,
		refreshMs,
		staleMsMax,
		countMax: heldMax,
	});

	return {
		/** What was written a minute ago is seen. */
		read: held.get,
		write: async (providerId: string, data: ProviderCredential): Promise<void> =>
			void (await deps.vault.write(`kv/data/${placeOf(providerId)}`, { data })),
		/** With all its versions. */
		remove: async (providerId: string): Promise<void> =>
			void (await deps.vault.remove(`kv/metadata/${placeOf(providerId)}`)),
	};
}

function placeOf(providerId: string): string {
	return `identity-providers/${pathSegment(providerId)}`;
}
