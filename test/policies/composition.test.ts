// The forms in which a composition says its bounds: each is read, or is not published.

import assert from "node:assert/strict";
import { test } from "node:test";
import { readComposition } from "../../policies/composition.ts";
import { parseFacts } from "../../policies/facts.ts";
import { readPacks } from "../../policies/load.ts";
import { indexPacks } from "../../policies/packSet.ts";

const packs = indexPacks(readPacks()).at(Date.parse("2026-11-25T12:00:00Z"));

function read(...composition: unknown[]) {
	const { context = {} } = parseFacts({ context: { composition } });
	const { terms, endless, unknown } = readComposition(context, packs);
	const bounds = terms.map(({ object, min, max }) => `${object} ${min} ${max ?? "-"}`);
	return unknown ? "unknown" : [...bounds, ...endless.map((object) => `${object} without end`)];
}

const least = ["decision_record P6Y -"];
const most = ["decision_record PT0S P3Y"];

test("a minimum and a maximum go by any name that begins or ends so", () => {
	for (const name of ["min", "minRetention", "min_retention", "minimum", "minimumRetention", "effMin", "keep"]) {
		assert.deepEqual(read({ pack: "a", [name]: "P6Y" }), least, name);
	}
	for (const name of [
		"max",
		"maxRetention",
		"max-retention",
		"maximum",
		"MaxRetention",
		"retentionMaximum",
		"effMax",
	]) {
		assert.deepEqual(read({ pack: "b", [name]: "P3Y" }), most, name);
	}
	for (const name of ["contentMax", "content_retention_max", "maxContentRetention"]) {
		assert.deepEqual(read({ pack: "a", [name]: "P30D" }), ["content PT0S P30D"], name);
	}
	for (const name of ["miner", "minimumNecessary", "maxAgeNote", "noteMax", "constructor"]) {
		assert.deepEqual(read({ pack: "hipaa", [name]: "n" }), read("hipaa"), name);
	}
});

test("a pack spelt out says its retention there, and nothing of it by its other fields", () => {
	const retention = [{ object: "decision_record", min: "P6Y" }];
	const fields = [
		{ consent: { category: "marketing", minType: "express", maxAge: "P2Y", evidence: ["log"] } },
		{ content: { maxCharacters: 160, forbidden: ["pan"] } },
		{ optOut: { keywords: ["STOP"], scope: "all", honorWithin: "P10D", confirmWithin: "PT5M", suppressMin: "P5Y" } },
		{ opt_out: { honor_within: "P10D" } },
		...[{ frequency: { max: 3, per: "P1D" } }, { otp: { maxValidity: "PT10M", minDigits: 6, maxFailures: 100 } }],
		...[{ backupMax: "P35D" }, { minimumNecessary: true }, { rights: [{ right: "access", respondWithin: "P30D" }] }],
	];
	for (const field of fields) {
		assert.deepEqual(read({ id: "x", retention, ...field }), least, JSON.stringify(field));
		assert.deepEqual(read({ pack: "hipaa", ...field }), read("hipaa"), JSON.stringify(field));
	}
	// What bounds a thing by its name still does, and a length in another place is as unread as any.
	assert.deepEqual(read({ opt_out: { min: "P5Y", honorWithin: "P10D" } }), ["suppression P5Y -"]);
	assert.deepEqual(read({ consent: { retentionMin: "P6Y" } }), ["consent_evidence P6Y -"]);
	for (const item of [{ maxAge: "P2Y" }, { record: { maxAge: "P2Y" } }, { content: { upTo: "P3Y" } }]) {
		assert.equal(read({ pack: "hipaa", ...item }), "unknown", JSON.stringify(item));
	}
});

test("an item that has no maximum keeps the minimum of the pack that it names", () => {
	const endless = ["decision_record PT0S -", ...read("hipaa"), "decision_record without end"];
	assert.deepEqual(read({ pack: "hipaa", max: null }), endless);
	assert.deepEqual(read({ pack: "hipaa", object: "decision_record", min: null, max: null }), endless);
	for (const name of ["max", "effMax"]) {
		assert.deepEqual(read({ [name]: null }), ["decision_record PT0S -", "decision_record without end"], name);
	}
	assert.equal(read({ pack: "gdrp", max: null }), "unknown");
	assert.equal(read({ pack: "gdrp", min: null }), "unknown");
});

test("two lengths in a row are a minimum and a maximum, and null is none", () => {
	for (const name of ["interval", "retention", "bounds"]) {
		assert.deepEqual(read({ pack: "gdpr", [name]: [null, "P3Y"] }), most, name);
		assert.deepEqual(read({ pack: "a", [name]: ["P6Y", "P7Y"] }), [...least, "decision_record PT0S P7Y"], name);
	}
	const open = read({ pack: "hipaa", interval: ["P6Y", null] });
	assert.deepEqual(open, [...least, "decision_record PT0S -", "decision_record without end"]);
	assert.deepEqual(read({ object: "content", interval: ["PT0S", "P3Y"] }), ["content PT0S -", "content PT0S P3Y"]);
});

test("a length of which nothing tells what it bounds makes its item unknown", () => {
	const unread = [
		...["hipaa-record-P6Y", "eu-record-P3Y", "hipaa P6Y", "hipaa for p6y.", "min P1D and P6Y"],
		...[
			{ pack: "hipaa", length: "P6Y" },
			{ pack: "hipaa", interval: ["P6Y"] },
			{ pack: "hipaa", retention: "P6Y" },
		],
		...[
			{ pack: "hipaa", min: "P1Y", upTo: "P3Y" },
			{ pack: "hipaa", maxRetention: "three years" },
		],
		...[
			{ pack: "hipaa", maxDays: 30 },
			{ pack: "hipaa", maxRetention: { years: 3 } },
		],
		...[{ pack: "hipaa", interval: ["P1Y", "P2Y", "P3Y"] }],
	];
	for (const item of unread) assert.equal(read(item), "unknown", JSON.stringify(item));
	for (const item of ["hipaa", "hipaa 1.2.0", "gdpr@1.0.0", { pack: "hipaa", version: "1.2.0", why: "P for short" }]) {
		assert.notEqual(read(item), "unknown", JSON.stringify(item));
	}
});

test("bounds in a line, and packs by name, are read as ever", () => {
	assert.deepEqual(read("record min P6Y", "max: P3Y", "record >= P6Y."), [...least, ...most, ...least]);
	assert.deepEqual(read("minP6Y, max=P3Y"), [...least, ...most]);
	assert.equal(read("gdrp"), "unknown");
});
