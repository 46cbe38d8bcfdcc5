// A witness in Vault's KV store: the last checkpoint, replaced by check-and-set, so that of two writers one wins.

import { isOfOneLog } from "../../domain/evidence.ts";
import type { Witness } from "../witness.ts";
import type { VaultClient } from "./client.ts";
import { vaultFailure } from "./connection.ts";

// What Vault answers to a version that is not the last.
const refused = 400;
const path = "kv/data/evidence/checkpoint";

type Kept = { note?: string; before?: string[] };

/**
 * Reading is for the signer, api and admin roles, writing for the signer.
 * Throws LetheError keys_unavailable when Vault is away; internal when it refuses.
 */
export function createVaultWitness(deps: { vault: Pick<VaultClient, "read" | "write"> }): Witness {
	let version = 0;
	let kept: Kept = {};

	async function read(): Promise<Kept> {
		const answer = await deps.vault.read(path);
		version = (answer?.data.metadata.version as number | undefined) ?? 0;
		kept = (answer?.data.data ?? {}) as Kept;
		return kept;
	}

	return {
		name: "vault",
		read: async () => (await read()).note,
		before: async () => (await read()).before ?? [],
		async write(note) {
			const { note: last, before = [] } = kept;
			const isAnother = last !== undefined && !isOfOneLog(last, note);
			const data: Kept = { note, before: isAnother ? [...before, last] : before };
			try {
				await deps.vault.write(path, { options: { cas: version }, data });
			} catch (error) {
				if (vaultFailure(error)?.status === refused) return false;
				throw error;
			}
			version++;
			kept = data;
			return true;
		},
	};
}
