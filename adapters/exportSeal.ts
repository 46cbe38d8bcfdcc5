// Seals what is exported for the one process that asked for it: between worker and API no store sees it in clear.

import { CompactEncrypt, compactDecrypt, exportJWK, generateKeyPair, importJWK } from "jose";
import { LetheError } from "../domain/errors.ts";
import { Plaintext } from "../domain/plaintext.ts";

export type ExportSeal = ReturnType<typeof createExportSeal>;

const algorithm = "ECDH-ES";
const encryption = "A256GCM";

/** JWE (RFC 7516), ECDH-ES over X25519 and AES-256-GCM: a key pair lives as long as one export, in memory only. */
export function createExportSeal() {
	return {
		/** The public key as JWK, and the only way to open what is sealed for it. */
		async createReader() {
			const { publicKey, privateKey } = await generateKeyPair(algorithm, { crv: "X25519" });
			return {
				publicKey: (await exportJWK(publicKey)) as Record<string, unknown>,
				/** @throws LetheError internal when it was sealed for another reader or place, or changed */
				async open(jwe: string, place: string): Promise<Plaintext> {
					const options = { keyManagementAlgorithms: [algorithm], contentEncryptionAlgorithms: [encryption] };
					const opened = await compactDecrypt(jwe, privateKey, options).catch(() => undefined);
					if (opened?.protectedHeader.kid !== place) throw new LetheError("internal", { cause: "not_authentic" });
					return Plaintext.of(opened.plaintext);
				},
			};
		},
		/** @param place where it belongs, which is authenticated with it */
		async seal(publicKey: Record<string, unknown>, place: string, plaintext: Plaintext): Promise<string> {
			const key = await importJWK(publicKey, algorithm);
			const header = { alg: algorithm, enc: encryption, kid: place };
			return new CompactEncrypt(plaintext.bytes()).setProtectedHeader(header).encrypt(key);
		},
	};
}
