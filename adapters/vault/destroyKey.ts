// Destroys a transit key and reads back that it is gone, whoever else is at it.

import { LetheError } from "../../domain/errors.ts";
import type { VaultClient } from "./client.ts";

const destroyTriesMax = 5;

/**
 * Does nothing when it is gone already. `path` is that of the key in transit.
 * @throws LetheError keys_unavailable when Vault is away, internal when it refuses
 */
export async function destroyKey(vault: Pick<VaultClient, "read" | "write" | "remove">, path: string): Promise<void> {
	// Two erasers at once can undo each other: OpenBao 2.7 was seen to put a deleted key back when the other's permission
	// to delete arrived late. So permission is given only where it is missing, and whether the key is gone decides.
	let refusal: unknown = new LetheError("internal", { cause: "the key is still there" });
	for (let tries = 0; tries < destroyTriesMax; tries++) {
		const key = await vault.read(path);
		if (key === undefined) return;
		try {
			if (!key.data.deletion_allowed) await vault.write(`${path}/config`, { deletion_allowed: true });
			await vault.remove(path);
		} catch (error) {
			if (!isRefusal(error)) throw error;
			refusal = error;
		}
	}
	if ((await vault.read(path)) !== undefined) throw refusal;
}

function isRefusal(error: unknown): boolean {
	return error instanceof LetheError && error.code !== "keys_unavailable";
}
