// Opaque references pass, numbers and addresses do not.

import assert from "node:assert/strict";
import { randomBytes, randomUUID } from "node:crypto";
import { test } from "node:test";
import { isOpaqueReference } from "../../api/reference.ts";

test("numbers, addresses and sentences are not opaque, however they are dressed up", () => {
	const refused = [
		"4915112345678",
		"+4915112345678",
		"0151-123456-78",
		"0151.12345678",
		"order-4915112345678-a",
		"a4915112345678b",
		"49_151_1234_5678",
		"1:2:3:4:5:6:7",
		"ann@example.org",
		"Ann Example",
		"Hauptstr. 5, Berlin",
		"",
		" a",
		"ä",
		"a\n",
		"00000000-0000-0000-0000-491511234567",
	];
	for (const text of refused) assert.equal(isOpaqueReference(text), false, text);
});

test("tokens are opaque: words, short numbers, UUIDs, hexadecimal and base64url of random bytes", () => {
	for (const text of ["a", "order-A7", "2026-11", "123456", "t.1:2~3", "01HZX3F9J8Q7RV4W2K5M6N7P8T"]) {
		assert.equal(isOpaqueReference(text), true, text);
	}
	for (let round = 0; round < 200; round++) {
		const uuid = randomUUID();
		// One of about 900 UUIDs has too few letters to be told from a number; it may be refused.
		if ((uuid.match(/[a-f]/g) ?? []).length >= 4) assert.equal(isOpaqueReference(uuid), true, uuid);
		const hex = randomBytes(32).toString("hex");
		assert.equal(isOpaqueReference(hex), true, hex);
	}
});
