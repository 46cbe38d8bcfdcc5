// Plaintext leaves by its two doors only: nothing that prints, joins, copies or serialises shows it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { format, inspect } from "node:util";
import { serialize } from "node:v8";
import { pino } from "pino";
import { Plaintext } from "../../domain/plaintext.ts";

const text = "Ihr Termin ist morgen";
const bytes = Buffer.from(text);

/** The text as itself, as a list of bytes, in hex and in base64. */
const forms = [text, [...bytes].join(","), [...bytes].join(", "), bytes.toString("hex"), bytes.toString("base64")];
const shows = (printed: string) => forms.some((form) => printed.includes(form));

test("no way of printing or serialising shows it, alone or within something", () => {
	const plaintext = Plaintext.text(text);
	const within = { deep: [{ plaintext }], map: new Map([["plaintext", plaintext]]), set: new Set([plaintext]) };
	const lines: string[] = [];
	const log = pino({ level: "trace" }, { write: (line: string) => void lines.push(line) });
	log.info(
		{ plaintext, within, err: new Error("failed", { cause: plaintext }) },
		"%s %o %j",
		plaintext,
		plaintext,
		within,
	);
	log.info(plaintext);
	const everything = { depth: 20, showHidden: true, showProxy: true, getters: true, customInspect: false };
	for (const printed of [
		String(plaintext),
		`${plaintext}`,
		`${[plaintext]}`,
		`a ${plaintext as unknown as string} b`,
		JSON.stringify({ plaintext, within }),
		inspect(plaintext),
		inspect(within, everything),
		inspect(new Error("failed", { cause: within }), everything),
		format("%s %d %i %j %o %O", plaintext, plaintext, plaintext, plaintext, plaintext, plaintext),
		new URLSearchParams({ to: `${plaintext}` }).toString(),
		JSON.stringify(Object.entries(plaintext)),
		JSON.stringify({ ...plaintext }),
		JSON.stringify(structuredClone({ plaintext: { ...plaintext } })),
		serialize({ ...plaintext }).toString("latin1"),
		...lines,
	]) {
		assert.ok(!shows(printed), printed);
	}
	assert.match(lines.join(""), /\[redacted\]/);
	assert.equal(String(plaintext), "[redacted]");
});

test("its two doors show it, and once wiped neither does", () => {
	const plaintext = Plaintext.text(text);
	assert.equal(plaintext.reveal(), text);
	assert.deepEqual(Buffer.from(plaintext.bytes()), bytes);
	plaintext.wipe();
	assert.ok(!shows(plaintext.reveal()));
	assert.ok(plaintext.bytes().every((byte) => byte === 0));
});

test("bytes that are no text are refused rather than bent into one", () => {
	assert.throws(() => Plaintext.of(new Uint8Array([0xff, 0xfe])).reveal(), TypeError);
});
