// The file of `--out`: what stopped it from being written is what is told.

import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { writeNew } from "../../cli/writeNew.ts";

const folder = mkdtempSync(join(tmpdir(), "lethe-new-"));
after(() => rmSync(folder, { recursive: true, force: true }));
const path = join(folder, "report.json");
const refused = new Error("refused");

test("why it could not be read is told, whatever became of the file meanwhile", async () => {
	const failing = (meanwhile: () => void) =>
		writeNew(path, async () => {
			meanwhile();
			throw refused;
		});
	await assert.rejects(
		failing(() => undefined),
		refused,
	);
	assert.ok(!existsSync(path), "nothing of it is left");
	await assert.rejects(
		failing(() => rmSync(path)),
		refused,
	);
	await assert.rejects(
		failing(() => {
			rmSync(path);
			mkdirSync(path);
		}),
		refused,
	);
});

test("what is read piece by piece is written so, and never one text", async () => {
	const read: number[] = [];
	function* pieces() {
		for (let index = 0; index < 3; index++) {
			read.push(statSync(whole).size);
			yield `${index}\n`;
		}
	}
	const whole = join(folder, "pieces.jsonl");
	await writeNew(whole, async () => pieces());
	assert.equal(readFileSync(whole, "utf8"), "0\n1\n2\n");
	assert.deepEqual(read, [0, 2, 4], "the next is read once the one before is written");
});
