// The certificate that the caller showed on its own TLS connection, for tokens that are bound to one (RFC 8705).

import { createHash } from "node:crypto";
import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";

type ClientCertificate = {
	/** SHA-256 of its DER form in base64url: `x5t#S256`. */
	thumbprint: string;
	/** Whether an authority that the listener knows has signed it: anybody can make one that nobody signed. */
	isAuthorized: boolean;
};

/**
 * Undefined where the connection has none; behind a proxy that ends TLS there is never one, for a header that tells of it
 * could be anybody's.
 */
export function clientCertificate({ socket }: { socket: Socket }): ClientCertificate | undefined {
	if (!(socket instanceof TLSSocket)) return undefined;
	const { raw } = socket.getPeerCertificate();
	if (!raw) return undefined;
	return { thumbprint: createHash("sha256").update(raw).digest("base64url"), isAuthorized: socket.authorized };
}
