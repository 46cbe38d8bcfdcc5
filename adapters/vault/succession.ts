// That people have judged that the evidence log goes on without what a checkpoint of it covers: recorded in Vault, out of reach of whoever holds the database.

import type { VaultClient } from "./client.ts";

const path = "kv/data/evidence/succession";

export type Succession = ReturnType<typeof createSuccession>;

/**
 * Reading is for the signer and admin roles, recording for the admin role. Throws LetheError keys_unavailable when Vault is
 * away; internal when it refuses.
 */
export function createSuccession({ vault }: { vault: Pick<VaultClient, "read" | "write"> }) {
	return {
		/** The note that was judged last; of another nothing was. */
		async judged(): Promise<string | undefined> {
			return (await vault.read(path))?.data.data?.note as string | undefined;
		},
		/** Records the judgement of a log whose last checkpoint is that note. */
		async judge(note: string): Promise<void> {
			await vault.write(path, { data: { note } });
		},
	};
}
