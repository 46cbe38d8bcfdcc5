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

const urlForm = "it must be smpps://host:port; smpp:// is for loopback only";

export const smppSettings = z.strictObject({
	url: z
		.string()
		.refine((url) => readAddress(url) !== undefined, { error: urlForm })
		.describe("`smpps://host:port`: TLS 1.2 or later, the certificate verified; `smpp://` for loopback only"),
	ca: z
		.string()
		.optional()
		.describe("PEM of the authority that the SMSC's certificate is of, where it is a private one"),
	bind: z
		.enum(["transceiver", "split", "transmitter"])
		.default("transceiver")
		.describe(
			"transceiver (as it is without it), split (a transmitter and a receiver), or transmitter (brings nothing)",
		),
	binds: whole(1, 16, 1).describe("links of each kind in each sender process, 1 to 16; 1 without it"),
	window: whole(1, 1000, 10).describe("requests without an answer yet on a link, 1 to 1000; 10 without it"),
	enquireSeconds: whole(1, 600, 30).describe(
		"silence after which a link is asked whether it lives, 1 to 600; 30 without it",
	),
	responseSeconds: whole(1, 10, 8).describe(
		"what is not answered within it has an unknown outcome, 1 to 10; 8 without it",
	),
	longMessages: z
		.enum(["udh", "payload"])
		.default("udh")
		.describe("udh (parts that a handset joins, as it is without it) or payload (one request with message_payload)"),
	receiptIds: z
		.enum(["same", "decimal", "hexadecimal"])
		.default("same")
		.describe(
			"how receipts write ids: same as answers, decimal or hexadecimal where they differ from answers; same without it",
		),
	systemType: text(12).describe("system_type of the bind, at most 12 characters"),
	serviceType: text(5).describe("service_type of messages, at most 5 characters"),
	addressRange: text(40).describe("address_range of the bind, at most 40 characters"),
	sourceTon: octet.describe("type of number of the sender, 0 to 255, in place of the one that its form tells"),
	sourceNpi: octet.describe("its numbering plan, likewise"),
});

const withoutUrl = smppSettings.extend({ url: smppSettings.shape.url.optional() });

/** A process that sends nothing needs no address. @throws TypeError that names the setting and holds no part of its value */
export function readSmppSettings(settings: Record<string, string>) {
	const result = withoutUrl.safeParse(settings);
	if (!result.success) {
		const [issue] = result.error.issues;
		const why = issue?.code === "custom" ? `: ${issue.message}` : "";
		const name = issue?.code === "unrecognized_keys" ? issue.keys[0] : issue?.path[0];
		throw new TypeError(`The setting ${String(name)} can't be used${why}. See docs/carriers/smpp.md.`);
	}
	const { url, ca, ...rest } = result.data;
	const address = url === undefined ? undefined : readAddress(url);
	return { ...rest, address: address && { ...address, ca } };
}

export type SmscAddress = Pick<ConnectionOptions, "ca"> & { host: string; port: number; isSecure: boolean };

function readAddress(text: string): Pick<SmscAddress, "host" | "port" | "isSecure"> | undefined {
	const [, scheme, bracketed, plain, port] =
		/^(smpps?):\/\/(?:\[([0-9a-f:.]+)\]|([a-z0-9.-]+)):(\d{1,5})$/i.exec(text) ?? [];
	const host = bracketed ?? plain;
	if (!scheme || host === undefined || Number(port) < 1 || Number(port) > 65535) return undefined;
	const isSecure = scheme.toLowerCase() === "smpps";
	return isSecure || isLoopback(host) ? { host, port: Number(port), isSecure } : undefined;
}

function isLoopback(host: string): boolean {
	return host === "localhost" || host === "::1" || (isIP(host) === 4 && host.startsWith("127."));
}
