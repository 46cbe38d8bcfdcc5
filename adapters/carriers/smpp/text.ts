// A text as a short message's octets and back, where data_coding tells which alphabet they are of.

import { gsm7Basic, gsm7Escape, gsm7Extension } from "../../../domain/gsm7.ts";

const extended = new Map(Object.entries(gsm7Extension).map(([character, code]) => [code, character]));
const septets = new Map([
	...gsm7Basic.flatMap((character, code): [string, number[]][] => (code === gsm7Escape ? [] : [[character, [code]]])),
	...Object.entries(gsm7Extension).map(([character, code]): [string, number[]] => [character, [gsm7Escape, code]]),
]);
const hasHeader = 0x40;

/** The data_coding and octets of a text: GSM 03.38, one septet an octet, or UCS-2. @throws RangeError for what GSM 03.38 lacks */
export function encodeText(text: string, encoding: "gsm7" | "ucs2"): { dataCoding: number; octets: Buffer } {
	if (encoding === "ucs2") return { dataCoding: 8, octets: Buffer.from(text, "utf16le").swap16() };
	const codes = Array.from(text).flatMap((character) => {
		const code = septets.get(character);
		if (!code) throw new RangeError("The text has a character that GSM 03.38 lacks.");
		return code;
	});
	return { dataCoding: 0, octets: Buffer.from(codes) };
}

/**
 * The text, without a user data header; undefined when it is no text, or its octets are not of its coding.
 * The SMSC default alphabet is taken for GSM 03.38, one septet an octet.
 */
export function decodeText(octets: Buffer, dataCoding: number, esmClass: number): string | undefined {
	const body = (esmClass & hasHeader) === 0 ? octets : skipHeader(octets);
	if (!body) return undefined;
	const alphabet = alphabetOf(dataCoding);
	if (alphabet === "gsm7") return decodeGsm7(body);
	if (dataCoding === 1) return body.every((octet) => octet < 0x80) ? body.toString("latin1") : undefined;
	if (dataCoding === 3) return body.toString("latin1");
	if (alphabet === "ucs2") return decodeUcs2(body);
	return undefined;
}

// SMPP 3.4, 5.2.19: what begins with 11 is a coding of GSM's own; 3GPP TS 23.038, 4: indications and message classes.
function alphabetOf(dataCoding: number): "gsm7" | "ucs2" | undefined {
	const group = dataCoding >> 4;
	if (dataCoding === 0 || group === 0xc || group === 0xd) return "gsm7";
	if (dataCoding === 8 || group === 0xe) return "ucs2";
	return group === 0xf && (dataCoding & 0x04) === 0 ? "gsm7" : undefined;
}

// 3GPP TS 23.040, 9.2.3.24: its first octet is the length of the rest.
function skipHeader(octets: Buffer): Buffer | undefined {
	const length = octets[0];
	return length === undefined || length + 1 > octets.length ? undefined : octets.subarray(length + 1);
}

// 3GPP TS 23.040, 9.2.3.24.1 and 9.2.3.24.8: how many parts there are follows a reference of one octet or of two.
const totalsBehind: Record<number, number> = { 0: 1, 8: 2 };

/** Whether a user data header says that the text is one of several which a handset joins. */
export function isJoined(octets: Buffer, esmClass: number): boolean {
	const end = (esmClass & hasHeader) === 0 ? 0 : (octets[0] ?? 0) + 1;
	for (let at = 1; at + 1 < end; at += 2 + (octets[at + 1] ?? 0)) {
		const behind = totalsBehind[octets[at] ?? -1];
		if (behind !== undefined) return (octets[at + 2 + behind] ?? 0) > 1;
	}
	return false;
}

// 3GPP TS 23.038, 6.2.1.1: what the table lacks is shown as the alphabet has it, and a further escape as a blank. A language's
// own table has its accents on their letters: of á an a is left, and a word is still read.
function decodeGsm7(octets: Buffer): string | undefined {
	let text = "";
	for (let at = 0; at < octets.length; at++) {
		const isEscape = octets[at] === gsm7Escape;
		if (isEscape) at++;
		const code = octets[at] ?? gsm7Escape;
		const character = (isEscape && extended.get(code)) || (code === gsm7Escape ? " " : gsm7Basic[code]);
		if (character === undefined) return undefined;
		text += character;
	}
	return text;
}

// Half of a pair whose other half came in the next part is no reason to read nothing of this one.
function decodeUcs2(octets: Buffer): string | undefined {
	if (octets.length % 2 !== 0) return undefined;
	return Buffer.from(octets).swap16().toString("utf16le").toWellFormed();
}
