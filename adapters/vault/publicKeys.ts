// The public halves of a transit key's versions, held and read again now and then.

import { LetheError } from "../../domain/errors.ts";
import type { VaultClient } from "./client.ts";
import { createRefreshing } from "./refreshing.ts";

const refreshMs = 60_000;
const staleMsMax = 24 * 3600_000;

/** Version → what `toKey` makes of its public key, the oldest first; never empty. Throws LetheError as the client does. */
export function createPublicKeys<Key>(deps: {
	vault: Pick<VaultClient, "read">;
	clock: () => number;
	name: string;
	toKey: (publicKey: string) => Key;
}) {
	const path = `transit/keys/${deps.name}`;
	const held = createRefreshing({
		async load() {
			const answer = await deps.vault.read(path);
			const versions = Object.entries((answer?.data.keys ?? {}) as Record<string, { public_key: string }>);
			if (versions.length === 0) throw new LetheError("internal", { cause: { source: "vault", missing: path } });
			const keys = versions.map(([version, { public_key }]) => [Number(version), deps.toKey(public_key)] as const);
			return new Map(keys.sort(([a], [b]) => a - b));
		},
		clock: deps.clock,
		refreshMs,
		staleMsMax,
		countMax: 1,
	});
	return { get: () => held.get(path), refresh: () => held.refresh(path) };
}
