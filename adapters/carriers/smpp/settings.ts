// What an SMPP send queue is set to: where its SMSC is, how it binds, what it may have under way.

import { isIP } from "node:net";
import type { ConnectionOptions } from "node:tls";
import { z } from "zod";

export type SmppSettings = ReturnType<typeof readSmppSettings>;

const whole = (min: number, max: number, preset: number) =>
	z.string().regex(/^\d+$/).transform(Number).pipe(z.int().min(min).max(max)).default(preset);
const octet = z.string().regex(/^\d+$/).transform(Number).pipe(z.int().min(0).max(255)).optional();
const text = (max: number) =>
	z
		.string()
		.regex(/^[\x20-\x7e]*$/)
		.max(max)
		.default("");

const schema = z.object({
	/** `smpps://host:port`, TLS; or `smpp://host:port`, loopback only. */
	url: z.string().optional(),
	/** PEM of the certificate authority that the SMSC's certificate is of, where it is none that Node trusts. */
	ca: z.string().optional(),
	/** `split` binds a transmitter and a receiver; `transmitter` leaves receipts to others. */
	bind: z.enum(["transceiver", "split", "transmitter"]).default("transceiver"),
	/** Links of each kind, in each sender process. */
	binds: whole(1, 16, 1),
	/** Requests without an answer yet, a link. */
	window: whole(1, 1000, 10),
	/** A link that has been silent for so long is asked whether it lives. */
	enquireSeconds: whole(1, 600, 30),
	/** What is not answered within this time has an unknown outcome. */
	responseSeconds: whole(1, 10, 8),
	longMessages: z.enum(["udh", "payload"]).default("udh"),
	/** The form of ids in receipts, where it is not the one in answers. */
	receiptIds: z.enum(["same", "decimal", "hexadecimal"]).default("same"),
	systemType: text(12),
	serviceType: text(5),
	addressRange: text(40),
	sourceTon: octet,
	sourceNpi: octet,
});

/** @throws TypeError that names the setting and holds no part of its value */
export function readSmppSettings(settings: Record<string, string>) {
	const result = schema.safeParse(settings);
	if (!result.success) {
		throw new TypeError(
			`The setting ${String(result.error.issues[0]?.path[0])} can't be used. See docs/carriers/smpp.md.`,
		);
	}
	const { url, ca, ...rest } = result.data;
	return { ...rest, address: url === undefined ? undefined : { ...readAddress(url), ca } };
}

export type SmscAddress = Pick<ConnectionOptions, "ca"> & { host: string; port: number; isSecure: boolean };

function readAddress(text: string): Pick<SmscAddress, "host" | "port" | "isSecure"> {
	const [, scheme, bracketed, plain, port] =
		/^(smpps?):\/\/(?:\[([0-9a-f:.]+)\]|([a-z0-9.-]+)):(\d{1,5})$/i.exec(text) ?? [];
	const host = bracketed ?? plain;
	if (!scheme || host === undefined || Number(port) < 1 || Number(port) > 65535) {
		throw new TypeError("The setting url must be smpps://host:port.");
	}
	const isSecure = scheme.toLowerCase() === "smpps";
	if (!isSecure && !isLoopback(host)) {
		throw new TypeError("The setting url must be smpps://host:port; smpp:// is for loopback only.");
	}
	return { host, port: Number(port), isSecure };
}

function isLoopback(host: string): boolean {
	return host === "localhost" || host === "::1" || (isIP(host) === 4 && host.startsWith("127."));
}
