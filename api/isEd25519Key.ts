// Which bytes are an Ed25519 public key: Node takes any 32, and some builds of OpenSSL then hold signatures that anybody can make.

import { ed25519 } from "@noble/curves/ed25519.js";

/** Whether it is a point of the curve, as it must be written (RFC 8032, 5.1.3), and none of small order. */
export function isEd25519Key(bytes: Uint8Array): boolean {
	try {
		return !ed25519.Point.fromBytes(bytes).isSmallOrder();
	} catch {
		return false;
	}
}
