// Look-alikes are substituted where the text then stays GSM 7, and nowhere else.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { limits } from "../../domain/limits.ts";
import { substituteLookalikes } from "../../domain/lookalikes.ts";
import { segmentText } from "../../domain/segments.ts";

const cases: [what: string, text: string, substituted: string, characters: number][] = [
	["quotes, dashes, dots and spaces", "“It’s 9–10\u00a0h…”", `"It's 9-10 h..."`, 6],
	["Greek and Cyrillic letters that Latin ones are drawn like", "ΑΒΕ Сор", "ABE Cop", 6],
	["Greek capitals keep those that the alphabet has", "ΚΑΛΗΜΕΡΑ Ω", "KAΛHMEPA Ω", 7],
	["what can't be seen", "to\u00adday\u200b!", "today!", 2],
	["a letter and its accent become one", "cafe\u0301 – ok", "café - ok", 1],
	["a text of the alphabet stays", "It's ok", "It's ok", 0],
	["a text that would stay UCS-2 stays as it came", "“Привет”", "“Привет”", 0],
	["letters that only resemble are others", "ν – v", "ν – v", 0],
	["an accent is not dropped", "ça – va", "ça – va", 0],
	["an address keeps its letters", "see https://раураl.example – now", "see https://раураl.example – now", 0],
	[
		"what quotes an address is substituted, and the address kept",
		"“www.lethe.example/a_b”",
		'"www.lethe.example/a_b"',
		2,
	],
	[
		"a code's last line is kept to the letter",
		"Your code’s 123456.\n\n@lethe.example #123456",
		"Your code's 123456.\n\n@lethe.example #123456",
		1,
	],
	[
		"and with it the text, when that line is not of the alphabet",
		"It’s\n@lethе.example #1",
		"It’s\n@lethе.example #1",
		0,
	],
	["a text that nobody would see stays as it came", "\u200b", "\u200b", 0],
	["nothing that would take more SMS", "…".repeat(67), "…".repeat(67), 0],
];

for (const [what, text, substituted, characters] of cases) {
	test(what, () => {
		const before = segmentText(text);
		assert.deepEqual(substituteLookalikes(text), { text: substituted, characters, before });
	});
}

test("whatever the text, it is as it was or of the alphabet, takes no more SMS, and comes out the same again", () => {
	const unit = fc.constantFrom(
		"a",
		"é",
		"e\u0301",
		"’",
		"–",
		"…",
		"О",
		"Ω",
		"ж",
		"\u00a0",
		"😀",
		".",
		"@",
		"/",
		" ",
		"\n",
	);
	fc.assert(
		fc.property(fc.string({ unit, maxLength: 200 }), (text) => {
			const { text: substituted, before } = substituteLookalikes(text);
			const after = segmentText(substituted);
			assert.ok(substituted === text || after.encoding === "gsm7");
			assert.ok(after.segments <= before.segments);
			assert.equal(substituteLookalikes(substituted).text, substituted);
		}),
	);
});

test("the longest text of one word, as a batch may have five hundred of, keeps nobody waiting", () => {
	const began = process.cpuUsage();
	for (let count = 0; count < 25; count++) substituteLookalikes("а".repeat(limits.textCharactersMax));
	const { user, system } = process.cpuUsage(began);
	assert.ok(user + system < 500_000, `${user + system} µs`);
});
