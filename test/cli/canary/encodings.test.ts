// Every way in which a marker may have leaked is found, in every encoding, wherever the bytes are cut.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { pack } from "../../../adapters/mongo/packing.ts";
import { needlesOf, samplesOf, type Term } from "../../../cli/canary/encodings.ts";
import { contiguousForms, writtenForms } from "../../../cli/canary/numbers.ts";
import { createSearch, type Hit } from "../../../cli/canary/search.ts";

const text: Term = { label: "text", kind: "text", value: "qXbWnTkLmRzPvDcHsJyFgBtZ" };
const numbers: Term[] = ["+4915112345678", "+12126312342", "+447400123456", "+33612345678"].map((value) => ({
	label: value,
	kind: "number",
	value,
}));
const terms = [text, ...numbers];
const needles = needlesOf(terms);

async function search(pieces: Buffer[]): Promise<Hit[]> {
	const hits: Hit[] = [];
	const sink = createSearch({ needles, terms, onHit: (hit) => hits.push(hit) }).open("source");
	for (const piece of pieces) await sink.write(piece);
	await sink.end();
	return hits;
}

/** Bytes that look random and are always the same. */
function noise(length: number): Buffer {
	let seed = 7;
	return Buffer.from(
		Uint8Array.from({ length }, () => {
			seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
			return seed >>> 24;
		}),
	);
}

const finds = (hits: Hit[], term: Term, encoding: string) =>
	hits.some(
		(hit) => hit.term === term && (hit.via.length > 0 ? hit.via[0] === encoding : hit.encodings.includes(encoding)),
	);
const labelsOf = (hits: Hit[]) => new Set(hits.map((hit) => hit.term.label));

for (const { encoding, term, bytes } of samplesOf(terms)) {
	test(`${term.label} is found as ${encoding}, whole, byte by byte and cut anywhere`, async () => {
		assert.ok(finds(await search([bytes]), term, encoding));
		assert.ok(finds(await search([...bytes].map((byte) => Buffer.of(byte))), term, encoding));
		for (const cut of [1, 7, Math.floor(bytes.length / 2), bytes.length - 1]) {
			const padding = Buffer.alloc(50, "~");
			const pieces = [Buffer.concat([padding, bytes.subarray(0, cut)]), Buffer.concat([bytes.subarray(cut), padding])];
			assert.ok(finds(await search(pieces), term, encoding), `cut at ${cut}`);
		}
	});
}

/** Encoders of other make than the ones that are searched for with. */
const independent: [string, (value: string) => Buffer][] = [
	["utf-8", (value) => Buffer.from(`to=${value};`)],
	["json", (value) => Buffer.from(JSON.stringify({ text: `"${value}"\n` }))],
	["form", (value) => Buffer.from(new URLSearchParams({ text: `${value} +` }).toString())],
	["base64 of json", (value) => Buffer.from(Buffer.from(JSON.stringify({ text: value })).toString("base64"))],
	["base64url of a letter", (value) => Buffer.from(Buffer.from(`é${value}`).toString("base64url"))],
	["utf-16 at an odd place", (value) => Buffer.concat([Buffer.from("h"), Buffer.from(value, "utf16le")])],
	["gzip of gzip", (value) => gzipSync(gzipSync(Buffer.from(value)))],
	["what the store packs", (value) => Buffer.concat([Buffer.alloc(64, 7), pack(JSON.stringify({ code: value }))])],
	["gzip of base64", (value) => gzipSync(Buffer.from(Buffer.from(value).toString("base64")))],
];
for (const [name, encode] of independent) {
	test(`text and number are found in what another program wrote as ${name}`, async () => {
		for (const term of terms) assert.ok(labelsOf(await search([encode(term.value)])).has(term.label), term.label);
	});
}

test("a number is found in every form and grouping in which it is written", async () => {
	const groupings = [
		"+49 151 1234 5678",
		"0151-1234-5678",
		"(0151) 12 34 56 78",
		"+49.151.123.456.78",
		"tel:+49-151-12345678",
		"0049 (0)151 / 123 456 78",
		"+49\u00a0151\u202f12345678",
	];
	for (const grouping of groupings)
		assert.ok(labelsOf(await search([Buffer.from(grouping)])).has("+4915112345678"), grouping);
	for (const term of numbers) {
		for (const form of [...contiguousForms(term.value), ...writtenForms(term.value)]) {
			assert.ok(labelsOf(await search([Buffer.from(`<${form}>`)])).has(term.label), form);
		}
	}
});

test("an unkeyed hash of any form of a number is found, in hex of both cases, base64 and raw", async () => {
	for (const term of numbers) {
		for (const form of [...contiguousForms(term.value), ...writtenForms(term.value)]) {
			for (const algorithm of ["md5", "sha1", "sha256"]) {
				const digest = createHash(algorithm).update(form).digest();
				const written = [
					digest,
					digest.toString("hex"),
					digest.toString("hex").toUpperCase(),
					digest.toString("base64"),
					digest.toString("base64url"),
				];
				for (const one of written) {
					assert.ok(labelsOf(await search([Buffer.from(one as string)])).has(term.label), `${algorithm} of ${form}`);
				}
			}
		}
	}
});

test("the address and text of a packed short message are found in its PDU", async () => {
	// SMS-SUBMIT to +4915112345678, written out by hand: swapped semi-octets, then the septets of "hi " and the marker.
	const septets = [..."hi ", ...text.value].map((letter) => letter.charCodeAt(0));
	let bits = 0n;
	for (const [index, septet] of septets.entries()) bits |= BigInt(septet) << BigInt(7 * index);
	const bytes = Math.ceil((7 * septets.length) / 8);
	const packed = Buffer.from(bits.toString(16).padStart(2 * bytes, "0"), "hex").reverse();
	const pdu = Buffer.concat([Buffer.from("01000d91945111325476f80000", "hex"), Buffer.of(septets.length), packed]);
	for (const written of [pdu, pdu.toString("hex"), pdu.toString("hex").toUpperCase()]) {
		assert.deepEqual(labelsOf(await search([Buffer.from(written as string)])), new Set(["text", "+4915112345678"]));
	}
});

test("occurrences are counted once each, wherever random bytes are cut", async () => {
	const piece = fc.oneof(
		fc.uint8Array({ minLength: 0, maxLength: 300 }).map((bytes) => ({ bytes: Buffer.from(bytes), marks: 0 })),
		fc.constant({ bytes: Buffer.from(text.value), marks: 1 }),
	);
	await fc.assert(
		fc.asyncProperty(
			fc.array(piece, { maxLength: 12 }),
			fc.array(fc.nat(4000), { maxLength: 12 }),
			async (parts, cuts) => {
				const whole = Buffer.concat(parts.map(({ bytes }) => bytes));
				const at = [...new Set([0, ...cuts.filter((cut) => cut < whole.length), whole.length])].sort((a, b) => a - b);
				const pieces = at.slice(1).map((end, index) => whole.subarray(at[index], end));
				const plain = (await search(pieces)).filter((hit) => hit.term === text && hit.encodings.includes("plain"));
				assert.equal(
					plain.length,
					parts.reduce((sum, { marks }) => sum + marks, 0),
				);
				for (const { offset } of plain) assert.ok(whole.subarray(offset).toString("latin1").startsWith(text.value));
			},
		),
		{ numRuns: 60 },
	);
});

test("nothing is found in bytes that hold nothing: random, zero, digits, times, another marker", async () => {
	const random = noise(2 ** 20);
	const other: Term[] = [
		{ ...text, value: "BtZgFyJsHcDvPzRmLkTnWbXq" },
		{ label: "other", kind: "number", value: "+4915187654321" },
	];
	const times = Array.from({ length: 5000 }, (_, index) => new Date(1.7e12 + index * 977).toISOString()).join("\n");
	const nothing = [
		random,
		Buffer.alloc(2 ** 18),
		Buffer.from(random.toString("base64")),
		Buffer.from(random.map((byte) => 48 + (byte % 10))),
		Buffer.from(times),
		...samplesOf(other).map(({ bytes }) => bytes),
		Buffer.alloc(0),
	];
	for (const bytes of nothing) assert.deepEqual(await search([bytes]), []);
});

test("a compressed stream is followed over many pieces, after noise, and when it is cut off", async () => {
	const long = Buffer.concat([
		Buffer.alloc(3_000_000, "log line 12\n"),
		Buffer.from(text.value),
		Buffer.alloc(200_000, "x"),
	]);
	const packed = gzipSync(long);
	const noisy = Buffer.concat([
		Buffer.from("noise \x1f\x8b\x08 \x78\x9c more", "latin1"),
		packed,
		Buffer.from("trailing"),
	]);
	const pieces = Array.from({ length: Math.ceil(noisy.length / 1000) }, (_, index) =>
		noisy.subarray(index * 1000, (index + 1) * 1000),
	);
	assert.ok(finds(await search(pieces), text, "gzip"));
	const cutOff = gzipSync(Buffer.concat([Buffer.from(text.value), noise(5000)]));
	assert.ok(cutOff.length > 2000);
	assert.ok(finds(await search([cutOff.subarray(0, cutOff.length - 1000)]), text, "gzip"));
	assert.ok(finds(await search([Buffer.concat([gzipSync("first"), gzipSync(text.value)])]), text, "gzip"));
});
