// What Vault's transit engine does of encrypting and decrypting under one key, in memory: the same answers, the same refusal.

import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { LetheError } from "../../domain/errors.ts";

type Body = { plaintext?: string; ciphertext?: string; associated_data?: string };

/** Two with the same key stand for the same Vault. */
export function createMemoryTransit(key: Buffer = randomBytes(32)) {
	const away = { value: false };
	const aadOf = ({ associated_data: aad = "" }: Body) => Buffer.from(aad, "base64");
	return {
		key,
		away,
		// biome-ignore lint/suspicious/noExplicitAny: what node-vault answers
		async write(path: string, body: Body = {}): Promise<any> {
			if (away.value) throw new LetheError("keys_unavailable");
			if (path.startsWith("transit/encrypt/")) {
				const iv = randomBytes(12);
				const cipher = createCipheriv("aes-256-gcm", key, iv).setAAD(aadOf(body));
				const sealed = Buffer.concat([cipher.update(body.plaintext ?? "", "base64"), cipher.final()]);
				return { data: { ciphertext: Buffer.concat([iv, sealed, cipher.getAuthTag()]).toString("base64") } };
			}
			const bytes = Buffer.from(body.ciphertext ?? "", "base64");
			const decipher = createDecipheriv("aes-256-gcm", key, bytes.subarray(0, 12)).setAAD(aadOf(body));
			decipher.setAuthTag(bytes.subarray(-16));
			try {
				const plain = Buffer.concat([decipher.update(bytes.subarray(12, -16)), decipher.final()]);
				return { data: { plaintext: plain.toString("base64") } };
			} catch {
				throw new LetheError("internal", { cause: { source: "vault", status: 400 } });
			}
		},
	};
}
