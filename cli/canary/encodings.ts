// What a marker or a number may look like where it has leaked: every encoding, as bytes to search for and as samples to plant.

import { createHash } from "node:crypto";
import { deflateSync, gzipSync, zstdCompressSync } from "node:zlib";
import { contiguousForms, nationalDigits, nationalTrunk, separatedForms, writtenForms } from "./numbers.ts";

/** Something that must not be found, or a control that must: random letters, or a number in E.164. */
export type Term = { label: string; kind: "text" | "number"; value: string };

/** Bytes that betray a term; `encodings` are the names under which they do. */
export type Needle = { bytes: Buffer; term: Term; encodings: string[] };

/** A term as a store might hold it, in one encoding. `isText`: can stand where only text can. */
export type Sample = { encoding: string; term: Term; bytes: Buffer; isText: boolean };

/** The searcher finds these by itself, without needles: streams by inflating them, digits by skipping what separates. */
export const compressedEncodings = ["gzip", "zlib", "zstd"] as const;
export const looseEncoding = "loosely separated";

type Encoding = {
	name: string;
	isText: boolean;
	/** Only for numbers. */
	numbersOnly?: true;
	/** Bytes to search for; `value` is one written form of the term. */
	needles: (value: string, term: Term) => Buffer[];
	/** What a store would hold, with something around it. */
	sample: (term: Term) => Buffer;
};

/** All needles of these terms; the same bytes under several names are one needle. */
export function needlesOf(terms: readonly Term[]): Needle[] {
	const needles = new Map<string, Needle>();
	for (const term of terms) {
		const forms = term.kind === "number" ? [nationalDigits(term.value), ...separatedForms(term.value)] : [term.value];
		for (const encoding of encodings) {
			if (encoding.numbersOnly && term.kind !== "number") continue;
			for (const bytes of forms.flatMap((form) => encoding.needles(form, term))) add(term, encoding.name, bytes);
		}
	}
	return [...needles.values()];

	function add(term: Term, name: string, bytes: Buffer): void {
		// Shorter ones would be found by chance.
		if (bytes.length < needleBytesMin) return;
		const key = `${term.label}/${bytes.toString("latin1")}`;
		const needle = needles.get(key) ?? { bytes, term, encodings: [] };
		if (!needle.encodings.includes(name)) needle.encodings.push(name);
		needles.set(key, needle);
	}
}

/** One sample an encoding and term. */
export function samplesOf(terms: readonly Term[]): Sample[] {
	return terms.flatMap((term) =>
		encodings
			.filter((encoding) => !encoding.numbersOnly || term.kind === "number")
			.map(({ name, isText, sample }) => ({ encoding: name, term, bytes: sample(term), isText })),
	);
}

const needleBytesMin = 6;

const base64Alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const base64UrlAlphabet = `${base64Alphabet.slice(0, 62)}-_`;
const base32Alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

const around = { before: "Ov3r ", after: " th3n" };
const inContext = (value: string) => `${around.before}${value}${around.after}`;
const utf8 = (value: string) => Buffer.from(value, "utf8");
const offsets = (count: number) => Array.from({ length: count }, (_, offset) => offset);
const bothCases = (text: string) => [text.toLowerCase(), text.toUpperCase()].map(utf8);

const encodings: Encoding[] = [
	{
		name: "plain",
		isText: true,
		needles: (value, term) => (term.kind === "text" ? [utf8(value), ...bothCases(value)] : [utf8(value)]),
		sample: (term) => utf8(inContext(term.value)),
	},
	{
		name: "national",
		isText: true,
		numbersOnly: true,
		needles: (_, term) => [utf8(nationalTrunk(term.value))],
		sample: (term) => utf8(inContext(nationalTrunk(term.value))),
	},
	{
		name: "separated",
		isText: true,
		numbersOnly: true,
		needles: (value) => (/\D/.test(value) ? [utf8(value)] : []),
		sample: (term) => utf8(inContext(writtenForms(term.value)[0] as string)),
	},
	{
		name: looseEncoding,
		isText: true,
		numbersOnly: true,
		needles: () => [],
		sample: (term) => utf8(inContext(looselyWritten(nationalDigits(term.value)))),
	},
	...offsets(3).map(base64At),
	...offsets(5).map(base32At),
	{
		name: "hex",
		isText: true,
		needles: (value) => [utf8(utf8(value).toString("hex"))],
		sample: (term) => utf8(utf8(inContext(term.value)).toString("hex")),
	},
	{
		name: "hex upper case",
		isText: true,
		needles: (value) => [utf8(utf8(value).toString("hex").toUpperCase())],
		sample: (term) => utf8(utf8(inContext(term.value)).toString("hex").toUpperCase()),
	},
	{
		name: "url",
		isText: true,
		needles: (value) => [percent(value), percent(value).toUpperCase()].map(utf8),
		sample: (term) => utf8(`?q=${percent(inContext(term.value)).toUpperCase()}`),
	},
	{
		name: "json escaped",
		isText: true,
		needles: (value) => [jsonEscaped(value, "lower"), jsonEscaped(value, "upper")].map(utf8),
		sample: (term) => utf8(`{"q":"${jsonEscaped(inContext(term.value), "lower")}"}`),
	},
	{
		name: "utf-16 le",
		isText: false,
		needles: (value) => [Buffer.from(value, "utf16le")],
		sample: (term) => Buffer.from(inContext(term.value), "utf16le"),
	},
	{
		name: "utf-16 be",
		isText: false,
		needles: (value) => [Buffer.from(value, "utf16le").swap16()],
		sample: (term) => Buffer.from(inContext(term.value), "utf16le").swap16(),
	},
	...offsets(8).flatMap(gsm7At),
	...swappedBcd(),
	...["md5", "sha1", "sha256"].flatMap(hashed),
	...compressedEncodings.map(compressed),
];

/** Characters of which every bit is known when `offset` bytes stand before the value. */
function base64At(offset: number): Encoding {
	return {
		name: `base64 offset ${offset}`,
		isText: true,
		needles: (value) =>
			[base64Alphabet, base64UrlAlphabet].map((letters) => utf8(knownCharacters(utf8(value), offset, 6, letters))),
		sample: (term) => utf8(utf8(`${"abc".slice(0, offset)}${core(term)}${around.after}`).toString("base64")),
	};
}

function base32At(offset: number): Encoding {
	const padding = Buffer.from("abcdefghij");
	return {
		name: `base32 offset ${offset}`,
		isText: true,
		needles: (value) => bothCases(knownCharacters(utf8(value), offset, 5, base32Alphabet)),
		sample: (term) => {
			const bytes = Buffer.concat([padding.subarray(0, offset), utf8(core(term)), padding]);
			return utf8(knownCharacters(bytes.subarray(0, bytes.length - (bytes.length % 5)), 0, 5, base32Alphabet));
		},
	};
}

function knownCharacters(bytes: Buffer, offset: number, bitsEach: number, alphabet: string): string {
	const bitAt = (bit: number) => ((bytes[bit >> 3] as number) >> (7 - (bit & 7))) & 1;
	const first = Math.ceil((8 * offset) / bitsEach);
	const end = Math.floor((8 * (offset + bytes.length)) / bitsEach);
	let text = "";
	for (let character = first; character < end; character++) {
		let index = 0;
		for (let bit = 0; bit < bitsEach; bit++) {
			index = (index << 1) | bitAt(character * bitsEach + bit - 8 * offset);
		}
		text += alphabet[index];
	}
	return text;
}

/** GSM 7-bit, packed as in a PDU; the value's first bit stands at `offset` in its byte. Raw, and as hex. */
function gsm7At(offset: number): Encoding[] {
	// As many characters before it as put it there: 7 × count ≡ offset (mod 8).
	const before = "abcdefg".slice(0, (8 - offset) % 8);
	const packed = (term: Term) => packSeptets(`${before}${core(term)} end`, 0);
	const known = (value: string) => packSeptets(value, offset).subarray(offset === 0 ? 0 : 1, wholeBytes(value, offset));
	return [
		{ name: `gsm 7-bit offset ${offset}`, isText: false, needles: (value) => [known(value)], sample: packed },
		{
			name: `gsm 7-bit hex offset ${offset}`,
			isText: true,
			needles: (value) => bothCases(known(value).toString("hex")),
			sample: (term) => utf8(packed(term).toString("hex")),
		},
	];
}

function wholeBytes(value: string, offset: number): number {
	return Math.floor((offset + 7 * value.length) / 8);
}

// Letters, digits and separators have the same codes in GSM 03.38 as in ASCII.
function packSeptets(text: string, offset: number): Buffer {
	const packed = Buffer.alloc(Math.ceil((offset + 7 * text.length) / 8));
	for (let index = 0; index < text.length; index++) {
		for (let bit = 0; bit < 7; bit++) {
			const at = offset + 7 * index + bit;
			const value = (text.charCodeAt(index) >> bit) & 1;
			packed[at >> 3] = (packed[at >> 3] as number) | (value << (at & 7));
		}
	}
	return packed;
}

/** Semi-octets, as addresses stand in a PDU. Raw, and as hex. */
function swappedBcd(): Encoding[] {
	const digitsOf = (term: Term) => [term.value.slice(1), nationalTrunk(term.value)];
	return [
		{
			name: "swapped bcd",
			isText: false,
			numbersOnly: true,
			needles: (_, term) => digitsOf(term).map((digits) => Buffer.from(swapped(digits), "hex")),
			sample: (term) => Buffer.from(`0b91${swapped(term.value.slice(1))}0000`, "hex"),
		},
		{
			name: "swapped bcd hex",
			isText: true,
			numbersOnly: true,
			needles: (_, term) => digitsOf(term).flatMap((digits) => bothCases(swapped(digits))),
			sample: (term) => utf8(`0b91${swapped(term.value.slice(1))}0000`),
		},
	];
}

function swapped(digits: string): string {
	const even = digits.length % 2 === 0 ? digits : `${digits}f`;
	return even.replace(/(.)(.)/g, "$2$1");
}

/** A hash of a number hides nothing: there are few enough numbers to try them all. */
function hashed(algorithm: string): Encoding[] {
	const hash = (form: string) => createHash(algorithm).update(form).digest();
	const ofForms = (term: Term) => [...contiguousForms(term.value), ...writtenForms(term.value)].map(hash);
	return [
		{
			name: `${algorithm} raw`,
			isText: false,
			numbersOnly: true,
			needles: (_, term) => ofForms(term),
			sample: (term) => Buffer.concat([utf8("h="), hash(term.value), utf8(";")]),
		},
		...(["hex", "base64"] as const).map(
			(form): Encoding => ({
				name: `${algorithm} ${form}`,
				isText: true,
				numbersOnly: true,
				needles: (_, term) => ofForms(term).flatMap((digest) => writtenHash(digest, form)),
				sample: (term) => utf8(`h=${hash(term.value).toString(form)};`),
			}),
		),
	];
}

function writtenHash(digest: Buffer, form: "hex" | "base64"): Buffer[] {
	if (form === "hex") return bothCases(digest.toString("hex"));
	return [base64Alphabet, base64UrlAlphabet].map((letters) => utf8(knownCharacters(digest, 0, 6, letters)));
}

function compressed(name: (typeof compressedEncodings)[number]): Encoding {
	const compress = { gzip: gzipSync, zlib: deflateSync, zstd: zstdCompressSync }[name];
	return {
		name,
		isText: false,
		needles: () => [],
		sample: (term) => Buffer.concat([utf8("z="), compress(utf8(inContext(term.value).repeat(3))), utf8(";")]),
	};
}

/** What stands at the offset that an encoding is named for. */
function core(term: Term): string {
	return term.kind === "number" ? nationalDigits(term.value) : term.value;
}

function percent(value: string): string {
	return [...utf8(value)].map((byte) => `%${byte.toString(16).padStart(2, "0")}`).join("");
}

function jsonEscaped(value: string, letters: "lower" | "upper"): string {
	const hex = (code: number) => code.toString(16).padStart(4, "0");
	return [...value]
		.map((letter) => hex(letter.charCodeAt(0)))
		.map((code) => `\\u${letters === "upper" ? code.toUpperCase() : code}`)
		.join("");
}

function looselyWritten(digits: string): string {
	return `(${digits.slice(0, 2)}) ${digits.slice(2, 5)}/${digits.slice(5, 6)}.${digits.slice(6)}`;
}
