// Vault's part of the keys, in memory, for tests about everything but Vault: the same contract, the same errors.

import { createCipheriv, createDecipheriv, generateKeyPairSync, randomBytes, sign } from "node:crypto";
import { LetheError } from "../../domain/errors.ts";

export function createMemoryKeys() {
	const keys = new Map<string, Buffer>();
	const destroyedSubjectKeys = new Set<string>();
	const removedCredentials = new Set<string>();
	const away = { value: false };
	const { privateKey, publicKey } = generateKeyPairSync("ed25519");
	const { x } = publicKey.export({ format: "jwk" }) as { x: string };

	function keyOf(cohortId: string): Buffer {
		if (away.value) throw new LetheError("keys_unavailable");
		const key = keys.get(cohortId);
		if (!key) throw new LetheError("content_erased");
		return key;
	}

	return {
		away,
		keys,
		publicKey,
		publicJwk: { kty: "OKP", crv: "Ed25519", x, kid: "certificate-1" },
		cohortKeys: {
			exists: async (cohortId: string) => keys.has(cohortId),
			async createCohortKey(cohortId: string): Promise<void> {
				if (away.value) throw new LetheError("keys_unavailable");
				if (!keys.has(cohortId)) keys.set(cohortId, randomBytes(32));
			},
			async drawWrappingKey(cohortId: string): Promise<{ plain: Buffer; wrapped: string }> {
				const plain = randomBytes(32);
				const iv = randomBytes(12);
				const cipher = createCipheriv("aes-256-gcm", keyOf(cohortId), iv);
				const sealed = Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
				return { plain, wrapped: Buffer.concat([iv, sealed]).toString("base64") };
			},
			async unwrapWrappingKey(cohortId: string, wrapped: string): Promise<Buffer> {
				const bytes = Buffer.from(wrapped, "base64");
				const decipher = createDecipheriv("aes-256-gcm", keyOf(cohortId), bytes.subarray(0, 12));
				decipher.setAuthTag(bytes.subarray(-16));
				return Buffer.concat([decipher.update(bytes.subarray(12, -16)), decipher.final()]);
			},
			async destroyCohortKey(cohortId: string): Promise<void> {
				if (away.value) throw new LetheError("keys_unavailable");
				keys.delete(cohortId);
			},
		},
		/** Tenants whose pseudonyms' key is destroyed. */
		destroyedSubjectKeys,
		/** Identity providers that nothing is shown to any more. */
		removedCredentials,
		subjectKeys: {
			async removeCredential(providerId: string): Promise<void> {
				if (away.value) throw new LetheError("keys_unavailable");
				removedCredentials.add(providerId);
			},
			async destroySubjectKey(tenantId: string): Promise<void> {
				if (away.value) throw new LetheError("keys_unavailable");
				destroyedSubjectKeys.add(tenantId);
			},
		},
		async sign(bytes: Uint8Array): Promise<{ signature: Uint8Array; kid: string; x: string }> {
			if (away.value) throw new LetheError("keys_unavailable");
			return { signature: sign(null, bytes, privateKey), kid: "certificate-1", x };
		},
	};
}
