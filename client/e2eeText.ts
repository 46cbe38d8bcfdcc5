// The form of an end-to-end encrypted text, and of the parts that a long one goes in: letters that every SMS can carry.

import { TextRefused } from "./errors.ts";

export type SealedText = { version: string; messageId: string; data: string };

const partsMax = 99;
const partForm = /^(lethe[0-9]{1,4})\.([A-Za-z0-9_-]{1,128})\.([1-9][0-9]?)\/([1-9][0-9]?)\.([A-Za-z0-9_-]+)$/;

/** Characters of one SMS alone, and of each of several that phones join. 3GPP TS 23.040, 9.2.3.24. */
const alone = 160;
const joined = 153;

/** All that comes before the data. */
export function headOf({ version, messageId }: Omit<SealedText, "data">): string {
	return `${version}.${messageId}.`;
}

/** How many characters as many SMS hold as it takes for `characters`. */
export function joinedCharacters(characters: number): number {
	return characters <= alone ? alone : Math.ceil(characters / joined) * joined;
}

/**
 * A text in parts of at most `charactersMax`, for what carries no longer ones: `<version>.<id>.<n>/<of>.<data>`. One that
 * fits is its only part. @throws RangeError where that is too little; TextRefused malformed
 */
export function splitText(text: string, charactersMax: number): string[] {
	if (text.length <= charactersMax) return [text];
	const [version, messageId, data, ...rest] = text.split(".");
	if (version === undefined || messageId === undefined || !data || rest.length > 0) throw new TextRefused("malformed");
	const head = headOf({ version, messageId });
	const room = charactersMax - head.length - `${partsMax}/${partsMax}.`.length;
	const count = Math.ceil(data.length / room);
	if (room < 1 || count > partsMax) throw new RangeError("too few characters a part for this text");
	return Array.from({ length: count }, (_, index) => {
		const chunk = data.slice(index * room, (index + 1) * room);
		return `${head}${index + 1}/${count}.${chunk}`;
	});
}

/**
 * Puts together what came in parts, in whatever order and however often, with what came whole.
 * @returns whole texts in the order in which the first of each came, and which parts of others are lacking still; one of
 * which two say different things is
 */
export function joinParts(received: Iterable<string>): { whole: string[]; lacking: Lacking[] } {
	const texts: (string | Group)[] = [];
	const groups = new Map<string, Group>();
	for (const one of received) {
		const text = one.replace(/\s+/g, "");
		const [, version = "", messageId = "", number, of, data] = partForm.exec(text) ?? [];
		if (data === undefined) {
			if (!texts.includes(text)) texts.push(text);
			continue;
		}
		const name = `${version}.${messageId}.${of}`;
		const group = groups.get(name) ?? { version, messageId, of: Number(of), parts: new Map() };
		if (!groups.has(name)) texts.push(group);
		groups.set(name, group);
		group.parts.set(Number(number), (group.parts.get(Number(number)) ?? new Set()).add(data));
	}
	const whole: string[] = [];
	const lacking: Lacking[] = [];
	for (const text of texts) {
		if (typeof text === "string") {
			whole.push(text);
			continue;
		}
		const { messageId, of } = text;
		const numbers = Array.from({ length: of }, (_, index) => index + 1);
		const missing = numbers.filter((number) => text.parts.get(number)?.size !== 1);
		if (missing.length > 0) lacking.push({ messageId, missing, of });
		else whole.push(`${headOf(text)}${numbers.flatMap((number) => [...(text.parts.get(number) ?? [])]).join("")}`);
	}
	return { whole, lacking };
}

/** What came of a text: of each part, the data that it was said to have. */
type Group = { version: string; messageId: string; of: number; parts: Map<number, Set<string>> };

/** Parts that have not come, counted from 1. */
export type Lacking = { messageId: string; missing: number[]; of: number };

/** Base64url, RFC 4648, 5; without padding. */
export function textOf(bytes: Uint8Array): string {
	const binary = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
	return btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** The bytes; none where it is not base64url as `textOf` writes it, so that no two texts are the same bytes. */
export function bytesOf(text: string): Uint8Array<ArrayBuffer> {
	try {
		const binary = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
		const bytes = Uint8Array.from(binary, (character) => character.charCodeAt(0));
		return textOf(bytes) === text ? bytes : new Uint8Array();
	} catch {
		return new Uint8Array();
	}
}
