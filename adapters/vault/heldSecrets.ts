// Secrets that people keep in Vault KV: written whole, read as they were five seconds ago.

import { LetheError } from "../../domain/errors.ts";
import { limits } from "../../domain/limits.ts";
import type { VaultClient } from "./client.ts";
import { createRefreshing } from "./refreshing.ts";

const refreshMs = 5_000;
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
		async load(place): Promise<{ secret: Secret; replacedAt: number }> {
			const answer = await vault.read(`kv/data/${place}`);
			if (answer === undefined) throw new LetheError("internal", { cause: { source: "vault", missing: place } });
			const { data, metadata } = answer.data as {
				data: Secret;
				metadata?: { created_time?: string; version?: number };
			};
			const isFirst = metadata?.version === 1;
			const replacedAt = isFirst ? Number.NEGATIVE_INFINITY : Date.parse(metadata?.created_time ?? "");
			return { secret: data, replacedAt };
		},
		...{ clock, refreshMs, staleMsMax: limits.secretStaleMsMax, countMax: secretsHeldMax },
	});
	return {
		/** What was written five seconds ago is seen. */
		read: async (place: string): Promise<Secret> => (await held.get(place)).secret,
		/**
		 * When what `read` answers took another's place, epoch milliseconds by Vault's clock: -Infinity for what is the first
		 * there, NaN where Vault does not say.
		 */
		replacedAt: async (place: string): Promise<number> => (await held.get(place)).replacedAt,
		write: async (place: string, data: Secret): Promise<void> => void (await vault.write(`kv/data/${place}`, { data })),
	};
}
