// The text of keys: told from anything else by its own checksum, offline.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { crc32 } from "node:zlib";
import { formatApiKey, isApiKey } from "../../domain/apiKeyText.ts";

const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

test("a key is its prefix, 43 characters and the CRC-32 of both in base 62, whatever its bytes", () => {
	for (const bytes of [Buffer.alloc(32), Buffer.alloc(32, 255), ...Array.from({ length: 50 }, () => randomBytes(32))]) {
		const text = formatApiKey(bytes);
		assert.match(text, /^lethe_key_[0-9A-Za-z]{49}$/);
		const value = [...text.slice(-6)].reduce((sum, digit) => sum * 62 + digits.indexOf(digit), 0);
		assert.equal(value, crc32(text.slice(0, -6)));
		assert.ok(isApiKey(text));
	}
	assert.throws(() => formatApiKey(randomBytes(31)), RangeError);
});

test("one wrong character anywhere is no key", () => {
	const text = formatApiKey(randomBytes(32));
	for (let at = 0; at < text.length; at++) {
		const other = text[at] === "x" ? "y" : "x";
		assert.ok(!isApiKey(text.slice(0, at) + other + text.slice(at + 1)), String(at));
	}
	for (const bad of ["", "lethe_key_", `${text}0`, text.slice(1), `${text}\n`]) assert.ok(!isApiKey(bad));
});
