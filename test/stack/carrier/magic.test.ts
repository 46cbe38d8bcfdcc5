// The table of magic numbers: every row can be dialled, and the README says what it does.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { parsePhoneNumberFromString } from "libphonenumber-js/max";
import { fictionalPrefixes, magic, magicNumber, magicOf } from "../../../stack/carrier/magic.ts";

test("every row has a valid number in every country of the table, and that number has the row's behaviour", () => {
	for (const country of Object.keys(fictionalPrefixes) as (keyof typeof fictionalPrefixes)[]) {
		for (const row of magic) {
			const number = magicNumber(row.name, country);
			const parsed = parsePhoneNumberFromString(number);
			assert.ok(parsed?.isValid() && parsed.number === number, `${row.name} in ${country}`);
			assert.equal(magicOf(number).name, row.name);
		}
	}
});

test("names and endings are unique, and an ending is two digits or none", () => {
	assert.equal(new Set(magic.map((row) => row.name)).size, magic.length);
	assert.equal(new Set(magic.map((row) => row.ending)).size, magic.length);
	for (const row of magic) assert.match(row.ending, /^(\d\d)?$/);
	assert.throws(() => magicNumber("no_such_behaviour"), RangeError);
});

test("the README lists every row as the table has it", () => {
	const readme = readFileSync(new URL("../../../stack/carrier/README.md", import.meta.url), "utf8").replaceAll(
		/ +/g,
		" ",
	);
	for (const row of magic) {
		assert.ok(readme.includes(`| ${row.ending || "other"} | \`${row.name}\` | ${row.does} |`), row.name);
	}
});
