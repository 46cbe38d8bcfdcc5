// Reads the Ed25519 public keys that callbacks are verified with, in the forms in which they are handed out.

import { createPublicKey, type KeyObject } from "node:crypto";

/**
 * @param text the base64 of 32 bytes, or a PEM
 * @throws TypeError for anything else; the message holds no part of it
 */
export function readEd25519Key(text: string): KeyObject {
	const raw = Buffer.from(text, "base64");
	if (raw.length === 32 && raw.toString("base64") === text) {
		return createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x: raw.toString("base64url") }, format: "jwk" });
	}
	try {
		const key = createPublicKey(text);
		if (key.asymmetricKeyType === "ed25519") return key;
	} catch {
		// It is no PEM either.
	}
	throw new TypeError("The carrier's publicKey must be the base64 of 32 bytes.");
}
