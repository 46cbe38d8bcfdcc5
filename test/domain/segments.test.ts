// Segment counts are what a carrier will bill and a handset will join.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { segmentText, splitText } from "../../domain/segments.ts";

const cases: [what: string, text: string, encoding: "gsm7" | "ucs2", segments: number, units: number][] = [
	["an empty text is one empty SMS", "", "gsm7", 1, 0],
	["160 septets fit one SMS", "a".repeat(160), "gsm7", 1, 160],
	["161 septets need two", "a".repeat(161), "gsm7", 2, 161],
	["306 septets fit two", "a".repeat(306), "gsm7", 2, 306],
	["307 septets need three", "a".repeat(307), "gsm7", 3, 307],
	["an escaped character is two septets", "€".repeat(80), "gsm7", 1, 160],
	["81 escaped characters need two SMS", "€".repeat(81), "gsm7", 2, 162],
	[
		"306 septets need three SMS when an escape pair would be split",
		`${"a".repeat(152)}€${"a".repeat(152)}`,
		"gsm7",
		3,
		306,
	],
	["306 septets of escape pairs alone need three SMS", "€".repeat(153), "gsm7", 3, 306],
	["line breaks and form feed are in the alphabet", "\r\n\f", "gsm7", 1, 4],
	["Greek capitals that have no Latin twin are in the alphabet", "ΔΦΓΛΩΠΨΣΘΞ", "gsm7", 1, 10],
	["capital C with cedilla is in the alphabet", "Ç", "gsm7", 1, 1],
	["small c with cedilla is not", "ç", "ucs2", 1, 1],
	["a backtick is not", "`", "ucs2", 1, 1],
	["a tab is not", "\t", "ucs2", 1, 1],
	["the escape character itself is not text of the alphabet", "\u001b", "ucs2", 1, 1],
	["a typographic quote turns the whole text into UCS-2", `${"a".repeat(70)}’`, "ucs2", 2, 71],
	["70 units fit one SMS", "ж".repeat(70), "ucs2", 1, 70],
	["71 units need two", "ж".repeat(71), "ucs2", 2, 71],
	["134 units fit two", "ж".repeat(134), "ucs2", 2, 134],
	["135 units need three", "ж".repeat(135), "ucs2", 3, 135],
	["35 emoji fit one SMS", "😀".repeat(35), "ucs2", 1, 70],
	["a surrogate pair is not split", `${"ж".repeat(66)}😀${"ж".repeat(66)}`, "ucs2", 3, 134],
	["67 emoji need three SMS, 33 a segment", "😀".repeat(67), "ucs2", 3, 134],
	["a lone surrogate is one unit", "\ud83d", "ucs2", 1, 1],
];

for (const [what, text, encoding, segments, units] of cases) {
	test(what, () => {
		assert.deepEqual(segmentText(text), { encoding, segments, units });
	});
}

test("every text is carried by as many SMS as filling one after the other takes, and no more", () => {
	const texts = fc.oneof(
		fc.string({ unit: fc.constantFrom("a", "€", "{", "ß"), maxLength: 700 }),
		fc.string({ unit: fc.constantFrom("a", "ж", "😀", "\ud83d"), maxLength: 400 }),
		fc.string({ unit: "binary", maxLength: 400 }),
	);
	fc.assert(
		fc.property(texts, (text) => {
			const { encoding, segments, units } = segmentText(text);
			const [alone, joined] = encoding === "gsm7" ? [160, 153] : [70, 67];
			if (encoding === "ucs2") assert.equal(units, text.length);
			if (units <= alone) return assert.equal(segments, 1);
			// A segment loses at most one unit to a pair that did not fit.
			assert.ok(segments >= Math.ceil(units / joined), "too few segments");
			assert.ok(segments <= Math.ceil(units / (joined - 1)), "too many segments");
		}),
	);
});

test("the parts of a text are as many as were counted, each fits its SMS, and no pair is cut", () => {
	const unit = fc.constantFrom("a", "€", "{", "ß", "ж", "😀");
	const texts = fc.oneof(
		fc.string({ unit: fc.constantFrom("a", "€", "{", "ß"), size: "max", maxLength: 700 }),
		fc.string({ unit, size: "max", maxLength: 400 }),
	);
	fc.assert(
		fc.property(texts, (text) => {
			const { segments, encoding } = segmentText(text);
			const { parts, encoding: split } = splitText(text);
			assert.deepEqual([parts.length, split, parts.join("")], [segments, encoding, text]);
			for (const part of parts) {
				const { units } = segmentText(part);
				assert.ok(part.isWellFormed());
				// Characters of the alphabet are one unit each in UCS-2, and their code alone counts.
				const taken = encoding === "ucs2" ? part.length : units;
				assert.ok(taken <= (parts.length === 1 ? { gsm7: 160, ucs2: 70 } : { gsm7: 153, ucs2: 67 })[encoding]);
			}
		}),
	);
});

test("a longer text never takes fewer SMS", () => {
	const characters = fc.array(fc.constantFrom("a", "€", "😀"), { maxLength: 400 });
	fc.assert(
		fc.property(characters, characters, (head, tail) => {
			assert.ok(segmentText([...head, ...tail].join("")).segments >= segmentText(head.join("")).segments);
		}),
	);
});
