// The simulated carrier's Ed25519 signing key and bearer token, kept in its own folder, readable by its owner only.

import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export type Credentials = {
	signingKey: KeyObject;
	/** Base64 of the 32 bytes, as verifiers take it. */
	publicKey: string;
	token: string;
};

/**
 * Opens the folder's credentials, making what is missing. `signing-key.pem` is PKCS #8; `credentials.json` holds
 * `{token, publicKey}` for whoever sets up a send queue.
 * @param token taken instead of the stored one, and stored
 * @throws when the folder can't be written or a file in it can't be read
 */
export function openCredentials(
	folder: string,
	options: { token?: string | undefined; randomBytes: (size: number) => Buffer },
): Credentials {
	mkdirSync(folder, { recursive: true, mode: 0o700 });
	const keyFile = join(folder, "signing-key.pem");
	const credentialsFile = join(folder, "credentials.json");
	const pem = read(keyFile) ?? makeSigningKey(keyFile);
	const signingKey = createPrivateKey(pem);
	const publicKey = rawPublicKey(signingKey);
	const stored = read(credentialsFile);
	const token =
		options.token ||
		(stored && (JSON.parse(stored) as Credentials).token) ||
		options.randomBytes(32).toString("base64url");
	const text = JSON.stringify({ token, publicKey });
	if (text !== stored) writeWhole(credentialsFile, text);
	return { signingKey, publicKey, token };
}

function makeSigningKey(file: string): string {
	const pem = generateKeyPairSync("ed25519").privateKey.export({ type: "pkcs8", format: "pem" }).toString();
	writeWhole(file, pem);
	return pem;
}

function rawPublicKey(signingKey: KeyObject): string {
	const { x } = createPublicKey(signingKey).export({ format: "jwk" });
	return Buffer.from(x ?? "", "base64url").toString("base64");
}

function read(file: string): string | undefined {
	try {
		return readFileSync(file, "utf8");
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
		throw error;
	}
}

// Killed half way, a file must be whole or absent.
function writeWhole(file: string, text: string): void {
	writeFileSync(`${file}.new`, text, { mode: 0o600 });
	renameSync(`${file}.new`, file);
}
