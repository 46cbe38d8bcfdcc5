// The schema that editors read: it takes what the loader takes, and refuses what a person may mistype.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { parse } from "yaml";
import { z } from "zod";
import { fieldsAt } from "../../policies/jsonSchema.ts";
import { readPacks } from "../../policies/load.ts";

const published = JSON.parse(readFileSync(new URL("../../policies/pack.schema.json", import.meta.url), "utf8"));
const schema = z.fromJSONSchema(published);
const texts = readPacks().map(({ source }) => readFileSync(source?.path ?? "", "utf8"));

type Pack = { rules: Record<string, unknown>[]; [field: string]: unknown };

test("every published pack passes it", () => {
	for (const text of texts) {
		const { success, error } = schema.safeParse(parse(text, { schema: "core" }));
		assert.ok(success, `${text.split("\n")[1]}: ${JSON.stringify(error?.issues[0])}`);
	}
});

test("every pack names it in its first line, from where it lies", () => {
	for (const text of texts) {
		assert.equal(text.split("\n")[0], "# yaml-language-server: $schema=../../pack.schema.json");
	}
});

test("what a person may mistype does not pass", () => {
	const mistyped: ((pack: Pack) => unknown)[] = [
		(pack) => Object.assign(pack, { titel: "x" }),
		(pack) => delete pack.version,
		(pack) => Object.assign(pack, { version: "1.0" }),
		(pack) => Object.assign(pack, { applies: { recipientContry: "DE" } }),
		(pack) => Object.assign(pack, { applies: { any: [{ dataClasses: ["helth"] }] } }),
		(pack) => Object.assign(pack.rules[0] ?? {}, { denny: ["OPTED_OUT"] }),
		(pack) => Object.assign(pack.rules[0] ?? {}, { basis: "custom" }),
		(pack) => Object.assign(pack.rules[0] ?? {}, { when: { category: { nott: "otp" } } }),
		(pack) => Object.assign(pack.rules[0] ?? {}, { when: { "context.sentToday": { country: ["DE"] } } }),
		(pack) => Object.assign(pack.rules[0] ?? {}, { when: { "context.optOutAt": { above: 3 } } }),
	];
	for (const text of texts.slice(0, 3)) {
		for (const change of mistyped) {
			const pack = parse(text, { schema: "core" }) as Pack;
			change(pack);
			assert.ok(!schema.safeParse(pack).success, String(change));
		}
	}
});

test("the fields of every place are known, also below references", () => {
	assert.ok(fieldsAt([]).includes("effectiveFrom"));
	assert.ok(fieldsAt(["rules", 3]).includes("deny"));
	assert.ok(fieldsAt(["rules", 0, "window", "open", 1]).includes("start"));
	assert.ok(fieldsAt(["applies", "any", 0, "all", 1]).includes("context.lawfulBasis"));
	assert.ok(fieldsAt(["rules", 0, "when", "category"]).includes("orAbsent"));
	assert.ok(fieldsAt(["cases", 0, "facts", "context", "route"]).includes("transferMechanism"));
	assert.deepEqual(fieldsAt(["nowhere", 3]), []);
});
