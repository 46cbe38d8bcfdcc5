// Secrets that people keep in Vault KV: written whole, read as they were five seconds ago.

import { LetheError } from "../../domain/errors.ts";
import type { VaultClient } from "./client.ts";
import { createRefreshing } from "./refreshing.ts";

const refreshMs = 5_000;
// Vault may be away, but a secret that was withdrawn meanwhile must not serve for ever.
const staleMsMax = 15 * 60_000;
const secretsHeldMax = 1_000;

/**
 * By their place below the mount, such as `carriers/q1/send`. Throws LetheError `keys_unavailable` when Vault is away;
 * `internal` when there is no such secret, or not for this role.
 */
export function createHeldSecrets<Secret extends object>({
	vault,
	clock,
}: {
	vault: Pick<VaultClient, "read" | "write">;
	clock: () => number;
}) {
	const held = createRefreshing({
		async load(place): Promise<Secret> {
			const answer = await vault.read(`kv/data/${place}`);
			if (answer === undefined) throw new LetheError("internal", { cause: { source: "vault", missing: place } });
			return answer.data.data as Secret;
		},
		...{ clock, refreshMs, staleMsMax, countMax: secretsHeldMax },
	});
	return {
		/** What was written five seconds ago is seen. */
		read: held.get,
		write: async (place: string, data: Secret): Promise<void> => void (await vault.write(`kv/data/${place}`, { data })),
	};
}
