// The short tag under a text by which its sender tells it from others' texts: its form, and what of a text it is over.

// RFC 8628, 6.1: no vowels, so no words; no letter that looks like another; all one unit of an SMS.
const letters = "BCDFGHJKLMNPQRSTVWXZ";
/** 20¹⁰, or 43 bits: at `limits.textChecksPerHourMax` whoever guesses for a year is right once in 100,000 years. */
const tagLetters = 10;
const base = BigInt(letters.length);
const form = new RegExp(`#\\s*([${letters}]{5})[\\s-]?([${letters}]{5})\\s*$`, "i");

/** @param bytes a keyed hash, of which the first 8 bytes count */
export function formatTag(bytes: Uint8Array): string {
	let left = bytes.subarray(0, 8).reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
	let tag = "";
	for (let count = 0; count < tagLetters; count++) {
		tag += letters[Number(left % base)];
		left /= base;
	}
	return `${tag.slice(0, tagLetters / 2)}-${tag.slice(tagLetters / 2)}`;
}

/** The text as it is sent: the tag is its last line. */
export function addTag(text: string, tag: string): string {
	return `${text}\n#${tag}`;
}

/** A text as somebody copied it, and its tag; undefined where it has none. */
export function splitTag(copied: string): { text: string; tag: string } | undefined {
	const found = form.exec(copied);
	return found ? { text: copied.slice(0, found.index), tag: `${found[1]}-${found[2]}`.toUpperCase() } : undefined;
}

/** What a tag is over: phones and people change blanks and line breaks, and how an accent is written. */
export function taggedText(text: string): string {
	return text.normalize("NFC").replace(/\s+/gu, " ").trim();
}
