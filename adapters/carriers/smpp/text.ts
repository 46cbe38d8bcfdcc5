// The text in a short message's octets, where its data_coding tells.

import { gsm7Basic, gsm7Escape, gsm7Extension } from "../../../domain/gsm7.ts";

const extended = new Map(Object.entries(gsm7Extension).map(([character, code]) => [code, character]));
const hasHeader = 0x40;

/**
 * The text, without a user data header; undefined when it is no text, or its octets are not of its coding.
 * The SMSC default alphabet is taken for GSM 03.38, one septet an octet.
 */
export function decodeText(octets: Buffer, dataCoding: number, esmClass: number): string | undefined {
	const body = (esmClass & hasHeader) === 0 ? octets : skipHeader(octets);
	if (!body) return undefined;
	if (dataCoding === 0) return decodeGsm7(body);
	if (dataCoding === 1) return body.every((octet) => octet < 0x80) ? body.toString("latin1") : undefined;
	if (dataCoding === 3) return body.toString("latin1");
	if (dataCoding === 8) return decodeUcs2(body);
	return undefined;
}

// 3GPP TS 23.040, 9.2.3.24: its first octet is the length of the rest.
function skipHeader(octets: Buffer): Buffer | undefined {
	const length = octets[0];
	return length === undefined || length + 1 > octets.length ? undefined : octets.subarray(length + 1);
}

function decodeGsm7(octets: Buffer): string | undefined {
	let text = "";
	for (let at = 0; at < octets.length; at++) {
		const code = octets[at] ?? 0;
		const character = code === gsm7Escape ? extended.get(octets[++at] ?? -1) : gsm7Basic[code];
		if (character === undefined) return undefined;
		text += character;
	}
	return text;
}

function decodeUcs2(octets: Buffer): string | undefined {
	if (octets.length % 2 !== 0) return undefined;
	const text = Buffer.from(octets).swap16().toString("utf16le");
	return text.isWellFormed() ? text : undefined;
}
