// The submit_sm PDUs of one message: addresses, text, parts, validity, receipt asked for.

import { splitText } from "../../../domain/segments.ts";
import type { OutboundMessage } from "../carrier.ts";
import type { CarrierCode } from "../codes.ts";
import type { Pdu } from "./pdu.ts";
import type { SmppSettings } from "./settings.ts";
import { encodeText } from "./text.ts";

/** Fields and parameters of one request. */
export type PduBody = Pick<Pdu, "fields" | "tlvs">;

type Address = { ton: number; npi: number; digits: string };

const userDataHeader = 0x40;
const finalReceipt = 1;
const messagePayload = 0x0424;
const partsMax = 255;

/**
 * @param partReference 0 to 255, the same for all parts of the message, another for the sender's next one
 * @returns one request a part, in order, and the segments in all; or why the message can't be sent
 */
export function encodeSubmits(
	message: Pick<OutboundMessage, "to" | "text" | "sender">,
	settings: Pick<SmppSettings, "longMessages" | "serviceType" | "sourceTon" | "sourceNpi">,
	partReference: number,
): { bodies: [PduBody, ...PduBody[]]; segments: number } | CarrierCode {
	const to = message.to.reveal();
	if (!/^\+[1-9]\d{6,14}$/.test(to)) return "invalid_recipient";
	const source = readSource(message.sender, settings);
	if (!source) return "sender_refused";
	const { encoding, parts } = splitText(message.text.reveal());
	if (parts.length > partsMax) return "invalid_request";
	const common = {
		service_type: settings.serviceType,
		source_addr_ton: source.ton,
		source_addr_npi: source.npi,
		source_addr: source.digits,
		dest_addr_ton: 1,
		dest_addr_npi: 1,
		destination_addr: to.slice(1),
		registered_delivery: finalReceipt,
	};
	const encode = (text: string) => encodeText(text, encoding);
	const single = (esmClass: number, { dataCoding, octets }: ReturnType<typeof encodeText>): PduBody => ({
		fields: { ...common, esm_class: esmClass, data_coding: dataCoding, short_message: octets },
		tlvs: [],
	});
	const segments = parts.length;
	const [alone = "", ...others] = parts;
	if (segments === 1) return { bodies: [single(0, encode(alone))], segments };
	if (settings.longMessages === "payload") {
		const { dataCoding, octets } = encode(parts.join(""));
		const fields = { ...common, data_coding: dataCoding, short_message: Buffer.alloc(0) };
		return { bodies: [{ fields, tlvs: [{ tag: messagePayload, value: octets }] }], segments };
	}
	const joined = (part: string, number: number) => {
		// 3GPP TS 23.040, 9.2.3.24.1: concatenation with an 8-bit reference.
		const header = Buffer.from([5, 0, 3, partReference, segments, number]);
		const { dataCoding, octets } = encode(part);
		return single(userDataHeader, { dataCoding, octets: Buffer.concat([header, octets]) });
	};
	return { bodies: [joined(alone, 1), ...others.map((part, index) => joined(part, index + 2))], segments };
}

/** A request as it is written, with what is then left of its message's time. */
export function withValidity({ fields, tlvs }: PduBody, seconds: number): PduBody {
	return { fields: { ...fields, validity_period: formatValidity(seconds) }, tlvs };
}

/** The sender as a source address; empty for the SMSC's own default, undefined for what can be none. */
function readSource(
	sender: string | undefined,
	{ sourceTon, sourceNpi }: Pick<SmppSettings, "sourceTon" | "sourceNpi">,
): Address | undefined {
	const address = parseSender(sender ?? "");
	return address && { ...address, ton: sourceTon ?? address.ton, npi: sourceNpi ?? address.npi };
}

// SMPP 3.4, 5.2.5 and 5.2.6: unknown, international ISDN, network-specific (short codes), alphanumeric.
export function parseSender(sender: string): Address | undefined {
	if (sender === "") return { ton: 0, npi: 0, digits: "" };
	if (/^\+[1-9]\d{6,14}$/.test(sender)) return { ton: 1, npi: 1, digits: sender.slice(1) };
	if (/^\d{3,8}$/.test(sender)) return { ton: 3, npi: 0, digits: sender };
	if (/^[1-9]\d{8,14}$/.test(sender)) return { ton: 1, npi: 1, digits: sender };
	return /^[\x20-\x7e]{1,11}$/.test(sender) ? { ton: 5, npi: 0, digits: sender } : undefined;
}

/** SMPP 3.4, 7.1.1: a time from now, in days, hours, minutes and seconds; at most 99 days. */
function formatValidity(seconds: number): string {
	const whole = Math.min(Math.floor(seconds), 99 * 86_400);
	const units = [Math.floor(whole / 86_400), Math.floor(whole / 3600) % 24, Math.floor(whole / 60) % 60, whole % 60];
	return `0000${units.map((unit) => String(unit).padStart(2, "0")).join("")}000R`;
}
