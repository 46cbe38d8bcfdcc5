// Entries: one canonical form, and no place in them for anything that tells of a person.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { carrierCodes } from "../../adapters/carriers/codes.ts";
import { formatEntry, readEntry } from "../../audit/entry.ts";
import type { Act } from "../../domain/evidence.ts";
import { limits } from "../../domain/limits.ts";
import { readFiles } from "../../policies/load.ts";
import { reasonMeanings } from "../../policies/reasons.ts";
import { ids } from "./memoryEvidence.ts";

const id = ids.random("evidence");
const at = Date.parse("2026-06-01T10:00:00.250Z");

describe("an entry", () => {
	it("has one form, whatever the order in which it was said", () => {
		const [tenantId, about] = [ids.random("tenant"), ids.random("message")];
		const text = formatEntry(id, at, { type: "accepted", code: "deferred", tenantId, about, by: "engine", attempt: 1 });
		assert.equal(
			text,
			formatEntry(id, at, { attempt: 1, by: "engine", about, tenantId, code: "deferred", type: "accepted" }),
		);
		assert.equal(
			text,
			`{"about":"${about}","at":"2026-06-01T10:00:00.250Z","attempt":1,"by":"engine","code":"deferred","id":"${id}","tenantId":"${tenantId}","type":"accepted"}`,
		);
		assert.deepEqual(readEntry(text), JSON.parse(text));
	});

	it("holds nothing that may be of a person", () => {
		const refused: Record<string, object> = {
			"an unknown field": { text: "x" },
			"an unknown act": { type: "texted" },
			"a number as code": { code: "+4915112345678" },
			"a number behind a word": { code: "to:4915112345678" },
			"a number in pieces": { code: "n49-151.12:34_5678" },
			"a sentence": { code: "please call me" },
			"a name with a letter beyond ASCII": { code: "Müller" },
			"a text of any length": { code: "a".repeat(97) },
			"a number as what it is about": { about: "4915112345678" },
			"a word as what it is about": { about: "msg_somebody" },
			"a person by name": { by: "erika" },
			"an address": { by: "erika@example.com" },
			"a number as attempt": { attempt: 4915112345678 },
			"the shortest number as attempt": { attempt: 1_000_000 },
			"a name as tenant": { tenantId: "acme" },
		};
		for (const [what, more] of Object.entries(refused)) {
			assert.throws(() => formatEntry(id, at, { type: "denied", ...more } as Act), { name: "ZodError" }, what);
		}
		assert.doesNotThrow(() => formatEntry(id, at, { type: "denied" }));
	});

	it("takes every attempt that a message may come to by its deadline", () => {
		const attempt = Math.ceil(limits.deadlineMsMax / (limits.carrierTimeoutMs / 2));
		assert.doesNotThrow(() => formatEntry(id, at, { type: "sending", attempt }));
	});

	it("is none in another form", () => {
		const text = formatEntry(id, at, { type: "denied", code: "forbidden" });
		for (const other of [
			` ${text}`,
			`${text}\n`,
			text.replace('"code"', '"c\\u006fde"'),
			text.replace(",", ", "),
			text.replace("{", '{"type":"denied",'),
			JSON.stringify(Object.fromEntries(Object.entries(JSON.parse(text)).reverse())),
			"[]",
			"null",
			"",
		]) {
			assert.equal(readEntry(other), undefined, other);
		}
	});

	it("takes every code that an act of Lethe's may bear", () => {
		const rules = readFiles().flatMap(({ file }) => file.rules.map((rule) => rule.id));
		const versions = readFiles().map(({ file }) => `${file.id}@${file.version}:to:none`);
		for (const code of [...rules, ...versions, ...Object.keys(reasonMeanings), ...Object.keys(carrierCodes)]) {
			assert.doesNotThrow(() => formatEntry(id, at, { type: "decided", code }), code);
		}
	});
});
