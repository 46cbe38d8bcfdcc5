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
	for (const name of ["min", "minRetention", "min_retention", "minimum", "minimumRetention", "retentionMin", "keep"]) {
		assert.deepEqual(read({ pack: "a", [name]: "P6Y" }), least, name);
	}
	for (const name of ["max", "maxRetention", "max-retention", "maximum", "MaxRetention", "retentionMaximum"]) {
		assert.deepEqual(read({ pack: "b", [name]: "P3Y" }), most, name);
	}
	assert.deepEqual(read({ pack: "hipaa", miner: "Bob" }), read("hipaa"));
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
