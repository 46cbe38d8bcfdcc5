// Characters outside the GSM 7-bit alphabet that look like ones within it, put in their place so that a text stays GSM 7.

import { type Segmentation, segmentText } from "./segments.ts";

/** What was done to a text; `characters` that others stand for, 0 when the text is as it came. */
export type Substitution = { text: string; characters: number; before: Segmentation };

// Each key's characters are written as its value. Letters only where every typeface draws both alike.
// Unicode Technical Standard #39, confusables.txt.
const written: Record<string, string> = {
	"'": "‘’‚‛′ʹʻʼ＇`´",
	'"': "“”„‟″«»",
	"-": "‐‑‒–—―−﹣－",
	"...": "…",
	"/": "⁄∕",
	" ": "\t\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000",
	"\n": "\u0085\u2028\u2029",
	"": "\u00ad\u200b\u2060\ufeff",
	...{ A: "ΑА", B: "ΒВ", C: "С", E: "ΕЕ", H: "ΗН", I: "ΙІ", J: "Ј", K: "Κ", M: "ΜМ", N: "Ν", O: "ΟО" },
	...{ P: "ΡР", S: "Ѕ", T: "ΤТ", X: "ΧХ", Y: "Υ", Z: "Ζ" },
	...{ a: "а", c: "с", e: "е", i: "і", j: "ј", o: "οо", p: "р", s: "ѕ", x: "х", y: "у" },
};
const twins = new Map(Object.entries(written).flatMap(([twin, all]) => [...all].map((one) => [one, twin] as const)));

// What quotes an address is not part of it. Split at these first: a search for addresses in all of a text without any takes
// the square of its length, and whoever else asks waits for it.
const betweenWords = /([\s“”„‟«»‘’‚‛…]+)/u;
// Another letter in an address is another address.
const address = /@|:\/\/|\.\p{L}/u;
// "@host #code", which browsers read: https://wicg.github.io/sms-one-time-codes/
const boundCode = /(?<=^|\n)@\S+ #\S+[^\n]*$/;

/**
 * The text with look-alikes substituted, if all of it then is of the GSM 7-bit alphabet and takes no more SMS; otherwise as
 * it was. Addresses and the last line of a one-time code stay as they are.
 */
export function substituteLookalikes(text: string): Substitution {
	const before = segmentText(text);
	const asItWas = { text, characters: 0, before };
	if (before.encoding === "gsm7") return asItWas;
	const code = boundCode.exec(text)?.[0] ?? "";
	const head = text.slice(0, text.length - code.length);
	let characters = 0;
	const substitute = (part: string) =>
		// Composed first: a letter and its accent may be one character of the alphabet.
		Array.from(part.normalize("NFC"), (character) => {
			const twin = twins.get(character);
			if (twin !== undefined) characters++;
			return twin ?? character;
		}).join("");
	const parts = head.split(betweenWords).map((part) => (address.test(part) ? part : substitute(part)));
	const substituted = parts.join("") + code;
	const after = segmentText(substituted);
	if (substituted === "" || after.encoding !== "gsm7" || after.segments > before.segments) return asItWas;
	return { text: substituted, characters, before };
}
