// Cohort keys: transit keys that never leave Vault; here they are made, drawn from, used to unwrap, and destroyed.

import { LetheError } from "../../domain/errors.ts";
import type { VaultClient } from "./client.ts";
import { pathSegment, vaultFailure } from "./connection.ts";
import { destroyKey } from "./destroyKey.ts";

export type CohortKeys = ReturnType<typeof createCohortKeys>;

const wrappingKeyBytes = 32;

/**
 * Each function works only for a role whose policy allows it (policies.ts).
 * All throw LetheError `keys_unavailable` when Vault is away, `content_erased` when the cohort's key does not exist.
 */
export function createCohortKeys({ vault }: { vault: Pick<VaultClient, "read" | "write" | "remove"> }) {
	const keyPath = (cohortId: string) => `transit/keys/cohort-${pathSegment(cohortId)}`;
	const destroying = new Map<string, Promise<void>>();

	/** Whether Vault holds the cohort's key. */
	async function exists(cohortId: string): Promise<boolean> {
		return (await vault.read(keyPath(cohortId))) !== undefined;
	}

	return {
		exists,

		/** Makes the cohort's key; does nothing when it is there. */
		async createCohortKey(cohortId: string): Promise<void> {
			await vault.write(keyPath(cohortId), { type: "aes256-gcm96" });
		},

		/** A fresh 256-bit wrapping key and its copy wrapped under the cohort's key. The caller zeroes `plain`. */
		async drawWrappingKey(cohortId: string): Promise<{ plain: Buffer; wrapped: string }> {
			const path = `transit/datakey/plaintext/cohort-${pathSegment(cohortId)}`;
			const answer = await onKey(() => vault.write(path));
			return { plain: keyBytes(answer.data.plaintext), wrapped: answer.data.ciphertext };
		},

		/** The wrapping key in clear. The caller zeroes it. */
		async unwrapWrappingKey(cohortId: string, wrapped: string): Promise<Buffer> {
			const path = `transit/decrypt/cohort-${pathSegment(cohortId)}`;
			const answer = await onKey(() => vault.write(path, { ciphertext: wrapped }));
			return keyBytes(answer.data.plaintext);
		},

		/** Destroys the cohort's key and reads back that it is gone; does nothing when it is gone already. */
		destroyCohortKey(cohortId: string): Promise<void> {
			const running = destroying.get(cohortId);
			if (running !== undefined) return running;
			const request = destroyKey(vault, keyPath(cohortId)).finally(() => destroying.delete(cohortId));
			destroying.set(cohortId, request);
			return request;
		},
	};
}

async function onKey<T>(request: () => Promise<T>): Promise<T> {
	try {
		return await request();
	} catch (error) {
		if (vaultFailure(error)?.keyMissing) throw new LetheError("content_erased", { cause: (error as LetheError).cause });
		throw error;
	}
}

// A copy outside Node's shared buffer pool, so that zeroing it leaves no neighbour's copy behind.
function keyBytes(base64: string): Buffer {
	const key = Buffer.allocUnsafeSlow(wrappingKeyBytes);
	const decoded = Buffer.from(base64, "base64");
	if (decoded.length !== wrappingKeyBytes)
		throw new LetheError("internal", { cause: "a wrapping key of a wrong length" });
	decoded.copy(key);
	decoded.fill(0);
	return key;
}
