// What was accepted is never lost, doubled or half written, and redacted text is gone from the file.

import assert from "node:assert/strict";
import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { openLedger } from "../../../stack/carrier/ledger.ts";

const folder = mkdtempSync(join(tmpdir(), "lethe-ledger-"));
after(() => rmSync(folder, { recursive: true }));
let files = 0;
const newFile = () => join(folder, `${++files}.jsonl`);

const record = (n: number, more: Partial<{ reference: string; to: string; text: string }> = {}) => ({
	id: `id${n}`,
	reference: `ref${n}`,
	to: `+1202555${String(n).padStart(4, "0")}`,
	text: `héllo 😀\n${n}`,
	segments: 1,
	validitySeconds: 60,
	at: n,
	...more,
});

test("a ledger opened again has everything that was appended, in order, and goes on counting", () => {
	const file = newFile();
	const first = openLedger(file);
	for (let n = 1; n <= 50; n++) first.append(record(n));
	first.close();
	const again = openLedger(file);
	assert.equal(again.total(), 50);
	assert.deepEqual(
		again.page({ after: 0, limit: 100 }),
		Array.from({ length: 50 }, (_, n) => ({ seq: n + 1, ...record(n + 1) })),
	);
	assert.equal(again.append(record(51)).seq, 51);
	again.close();
	assert.equal(statSync(file).mode & 0o777, 0o600);
});

test("a last line that was cut off anywhere is dropped, and the next line is whole", () => {
	const file = newFile();
	const first = openLedger(file);
	first.append(record(1));
	const whole = statSync(file).size;
	first.append(record(2));
	const end = statSync(file).size;
	first.close();
	for (let size = end - 1; size > whole; size--) {
		truncateSync(file, size);
		const again = openLedger(file);
		assert.equal(again.total(), 1);
		assert.equal(again.append(record(3)).seq, 2);
		assert.deepEqual(
			again.page({ after: 0, limit: 9 }).map((each) => each.id),
			["id1", "id3"],
		);
		again.close();
		truncateSync(file, whole);
		appendFileSync(file, `${JSON.stringify({ seq: 2, ...record(2) })}\n`);
	}
});

test("a damaged line inside the file stops the start, rather than hide what was sent", () => {
	const file = newFile();
	writeFileSync(file, `{"seq":1,\n${JSON.stringify({ seq: 2, ...record(2) })}\n`);
	assert.throws(() => openLedger(file), /damaged/);
});

test("redacted text is gone from the file at once, and everything else stays", () => {
	const file = newFile();
	const ledger = openLedger(file);
	for (let n = 1; n <= 3; n++) ledger.append(record(n, { text: `sécret-${n} "quoted" 😀` }));
	assert.equal(ledger.redact("id2"), true);
	assert.equal(ledger.redact("id2"), true);
	assert.equal(ledger.redact("nobody"), false);
	const raw = readFileSync(file, "utf8");
	assert.ok(!raw.includes("cret-2") && raw.includes("cret-1") && raw.includes("cret-3"));
	ledger.close();
	const again = openLedger(file);
	assert.deepEqual(
		again.page({ after: 0, limit: 9 }).map(({ id, text }) => [id, text === ""]),
		[
			["id1", false],
			["id2", true],
			["id3", false],
		],
	);
	again.close();
});

test("what memory has let go is still found in the file, so that no look-up claims absence wrongly", () => {
	const ledger = openLedger(newFile(), { entriesMax: 10 });
	for (let n = 1; n <= 500; n++) ledger.append(record(n, { text: "x".repeat(1600) }));
	assert.equal(ledger.page({ after: 0, limit: 1000 }).length, 10);
	assert.equal(ledger.total(), 500);
	assert.equal(ledger.find("ref3")?.id, "id3");
	assert.equal(ledger.find("ref500")?.id, "id500");
	assert.equal(ledger.find("ref501"), undefined);
	assert.equal(ledger.redact("id3"), true);
	ledger.close();
});

test("a reference accepted twice is counted, and the first acceptance is the one found", () => {
	const ledger = openLedger(newFile());
	ledger.append(record(1, { reference: "same" }));
	ledger.append(record(2, { reference: "same" }));
	ledger.append(record(3));
	assert.equal(ledger.repeats(), 1);
	assert.equal(ledger.find("same")?.id, "id1");
	assert.deepEqual(
		ledger.page({ after: 0, limit: 9, reference: "same" }).map(({ id }) => id),
		["id1", "id2"],
	);
	assert.deepEqual(
		ledger.page({ after: 1, limit: 1 }).map(({ id }) => id),
		["id2"],
	);
	assert.deepEqual(
		ledger.page({ after: 0, limit: 9, to: record(3).to }).map(({ id }) => id),
		["id3"],
	);
	ledger.close();
});

test("the ledger says when its file has reached its bound", () => {
	const ledger = openLedger(newFile(), { bytesMax: 200 });
	assert.equal(ledger.isFull(), false);
	ledger.append(record(1));
	ledger.append(record(2));
	assert.equal(ledger.isFull(), true);
	ledger.close();
});
