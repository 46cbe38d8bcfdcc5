// A witness in Vault's KV store: the last checkpoint, replaced by check-and-set, so that of two writers one wins.

import type { Witness } from "../witness.ts";
import type { VaultClient } from "./client.ts";
import { vaultFailure } from "./connection.ts";

// What Vault answers to a version that is not the last.
const refused = 400;
const path = "kv/data/evidence/checkpoint";

/**
 * Reading is for the signer, api and admin roles, writing for the signer.
 * Throws LetheError keys_unavailable when Vault is away; internal when it refuses.
 */
export function createVaultWitness(deps: { vault: Pick<VaultClient, "read" | "write"> }): Witness {
	let version = 0;
	return {
		name: "vault",
		async read() {
			const answer = await deps.vault.read(path);
			version = (answer?.data.metadata.version as number | undefined) ?? 0;
			return answer?.data.data?.note as string | undefined;
		},
		async write(note) {
			try {
				await deps.vault.write(path, { options: { cas: version }, data: { note } });
			} catch (error) {
				if (vaultFailure(error)?.status === refused) return false;
				throw error;
			}
			version++;
			return true;
		},
	};
}
