// Until when one of our servers and we may believe each other: by a handshake with it, and nothing that is said on it.

import { X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import { connect } from "node:tls";
import { limits } from "../domain/limits.ts";
import type { ServerTls } from "./serverTls.ts";

export type ServerAddress = { host: string; port: number };

/**
 * When the first certificate ends by which a server meets us at one of its addresses, epoch ms, of those that answer; where
 * ours ends before, by which we meet it, that.
 * @throws Error when none does in time
 */
export async function serverCertificateEnd(
	addresses: readonly ServerAddress[],
	tls: ServerTls,
	now: number,
): Promise<number> {
	const read = await Promise.allSettled(addresses.map((address) => readEnd(address, tls)));
	const ends = read.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
	const own = Math.min(...certificatesIn(tls.cert).map((pem) => Date.parse(new X509Certificate(pem).validTo)));
	// Whom ours does not convince any more breaks off.
	if (ends.length === 0 && own > now) throw new Error("no handshake");
	return Math.min(...ends, own);
}

/** Those of a chain too, any of which may end first. */
function certificatesIn(pem = ""): string[] {
	return pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
}

// Whoever it is that answers, and though it is over: what is judged is its date.
function readEnd({ host, port }: ServerAddress, tls: ServerTls): Promise<number> {
	const { promise, resolve, reject } = Promise.withResolvers<number>();
	const name = isIP(host) ? {} : { servername: host };
	const socket = connect({ ...tls, ...name, host, port, rejectUnauthorized: false }, () => {
		const endsAt = Date.parse(socket.getPeerX509Certificate()?.validTo ?? "");
		if (Number.isNaN(endsAt)) reject(new Error("no certificate"));
		else resolve(endsAt);
	});
	socket.on("error", reject).on("close", () => reject(new Error("closed")));
	const timer = setTimeout(() => reject(new Error("late")), limits.tlsHandshakeMsMax);
	return promise.finally(() => {
		clearTimeout(timer);
		socket.destroy();
	});
}
