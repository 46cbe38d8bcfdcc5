// Checkpoints as signed notes: made and opened here, opened by Go's own implementation, and not opened when anything is off.

import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { generateKeyPairSync, sign } from "node:crypto";
import { join } from "node:path";
import { describe, it } from "node:test";
import fc from "fast-check";
import { openCheckpoint, signCheckpoint } from "../../audit/checkpoint.ts";
import { formatNote, openNote, verifierKey } from "../../audit/note.ts";

const origin = "lethe.example/evidence";

function createKey() {
	const { privateKey, publicKey } = generateKeyPairSync("ed25519");
	const { x } = publicKey.export({ format: "jwk" }) as { x: string };
	return { x, sign: async (bytes: Uint8Array) => ({ signature: sign(null, bytes, privateKey), x }) };
}

const key = createKey();
const checkpoint = { origin, size: 100_000, root: Buffer.alloc(32, 7) };

describe("a checkpoint", () => {
	it("says what was signed, whatever its size and root", async () => {
		await fc.assert(
			fc.asyncProperty(fc.maxSafeNat(), fc.uint8Array({ minLength: 32, maxLength: 32 }), async (size, root) => {
				const made = { origin, size, root: Buffer.from(root) };
				assert.deepEqual(openCheckpoint(await signCheckpoint(made, key.sign), [createKey(), key], origin), made);
			}),
			{ numRuns: 30 },
		);
	});

	it("is none with a byte changed anywhere", async () => {
		const note = Buffer.from(await signCheckpoint(checkpoint, key.sign));
		for (let at = 0; at < note.length; at++) {
			const changed = Buffer.from(note);
			changed[at] = (changed[at] as number) ^ 1;
			assert.equal(openCheckpoint(changed.toString(), [key], origin), undefined, `byte ${at}`);
		}
		for (let length = 0; length < note.length; length++) {
			assert.equal(openCheckpoint(note.subarray(0, length).toString(), [key], origin), undefined);
		}
	});

	it("is none of another key, nor of another log by the same key", async () => {
		const note = await signCheckpoint(checkpoint, key.sign);
		assert.equal(openCheckpoint(note, [createKey()], origin), undefined);
		assert.equal(openCheckpoint(note, [], origin), undefined);
		assert.equal(openCheckpoint(note, [key], "lethe.example/other"), undefined);
	});

	it("keeps what other witnesses sign under it", async () => {
		const note = await signCheckpoint(checkpoint, key.sign);
		const other = createKey();
		const { signature } = await other.sign(Buffer.from(note.slice(0, note.indexOf("\n\n") + 1)));
		const theirs = formatNote(
			note.slice(0, note.indexOf("\n\n") + 1),
			{ name: "witness.example", x: other.x },
			signature,
		);
		const both = note + theirs.slice(theirs.indexOf("— "));
		assert.deepEqual(openCheckpoint(both, [key], origin), checkpoint);
	});

	it("is none with a size that is no count, or with more text than its three lines", async () => {
		for (const text of [
			`${origin}\n007\n${checkpoint.root.toString("base64")}\n`,
			`${origin}\n-1\n${checkpoint.root.toString("base64")}\n`,
			`${origin}\n9007199254740993\n${checkpoint.root.toString("base64")}\n`,
			`${origin}\n7\n${Buffer.alloc(31).toString("base64")}\n`,
			`${origin}\n7\n${checkpoint.root.toString("base64")}\nmore\n`,
		]) {
			const { signature } = await key.sign(Buffer.from(text));
			const note = formatNote(text, { name: origin, x: key.x }, signature);
			assert.ok(openNote(note, [{ name: origin, x: key.x }]));
			assert.equal(openCheckpoint(note, [key]), undefined);
		}
	});
});

describe("Go's golang.org/x/mod/sumdb/note", { skip: missingGo() }, () => {
	const cwd = join(import.meta.dirname, "note");
	const open = (note: string, by: string) =>
		spawnSync("go", ["run", ".", by], { cwd, input: note, encoding: "utf8", timeout: 120_000 });

	it("opens a checkpoint of ours, and no forged one", async () => {
		const note = await signCheckpoint(checkpoint, key.sign);
		const by = verifierKey({ name: origin, x: key.x });
		assert.equal(open(note, by).stdout, `${origin}\n100000\n${checkpoint.root.toString("base64")}\n`);
		const forged = open(note.replace("100000", "100001"), by);
		assert.equal(forged.status, 1);
		assert.match(forged.stderr, /invalid signature/);
	});
});

/** Why Go can't be asked here; false when it can. */
function missingGo(): string | false {
	const cwd = join(import.meta.dirname, "note");
	try {
		execFileSync("go", ["version"], { stdio: "ignore", timeout: 10_000 });
	} catch {
		return "there is no `go` on PATH";
	}
	try {
		execFileSync("go", ["mod", "download"], { cwd, stdio: "ignore", timeout: 60_000 });
		return false;
	} catch {
		return "`go mod download` can't fetch golang.org/x/mod";
	}
}
