// The certificate that the caller showed on its own TLS connection, for tokens that are bound to one (RFC 8705).

import { createHash } from "node:crypto";
import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";

/**
 * SHA-256 of the certificate's DER form in base64url: `x5t#S256`. Undefined where the connection has none; behind a
 * proxy that ends TLS there is never one, for a header that tells of it could be anybody's.
 */
export function clientCertificate({ socket }: { socket: Socket }): string | undefined {
	if (!(socket instanceof TLSSocket)) return undefined;
	const { raw } = socket.getPeerCertificate();
	return raw ? createHash("sha256").update(raw).digest("base64url") : undefined;
}
