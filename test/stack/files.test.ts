// Folders and files of one owner, and where none can be made.

import assert from "node:assert/strict";
import {
	chmodSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	rmSync,
	statSync,
	symlinkSync,
	writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { makePrivateFolder, writePrivateFile } from "../../stack/files.ts";
import { root, run, start } from "../harness/programs.ts";

const place = mkdtempSync(join(tmpdir(), "lethe-files-"));
after(() => rmSync(place, { recursive: true }));
const modeOf = (path: string) => statSync(path).mode & 0o777;

test("a folder is made with those above it, for its owner only; one that is there is closed to others", () => {
	assert.equal(makePrivateFolder(join(place, "a", "b", "c")), join(place, "a", "b", "c"));
	for (const path of ["a", "a/b", "a/b/c"]) assert.equal(modeOf(join(place, path)), 0o700);
	mkdirSync(join(place, "open"));
	chmodSync(join(place, "open"), 0o755);
	makePrivateFolder(join(place, "open"));
	assert.equal(modeOf(join(place, "open")), 0o700);
});

test("what is no folder, or lies below none, is an error and is left as it is", () => {
	writeFileSync(join(place, "file"), "kept");
	chmodSync(join(place, "file"), 0o644);
	symlinkSync(join(place, "nowhere"), join(place, "link"));
	assert.throws(() => makePrivateFolder(join(place, "file")), { code: "EEXIST" });
	assert.throws(() => makePrivateFolder(join(place, "file", "below")), { code: "ENOTDIR" });
	assert.throws(() => makePrivateFolder(join(place, "link")));
	assert.equal(modeOf(join(place, "file")), 0o644);
});

test("a file for which the disk has no room is as it was, and nothing is left beside it", async () => {
	const folder = makePrivateFolder(join(place, "full"));
	const file = join(folder, "state.json");
	writePrivateFile(file, "whole");
	const program = `
		import { writePrivateFile } from ${JSON.stringify(join(root, "stack", "files.ts"))};
		writePrivateFile(${JSON.stringify(file)}, "x".repeat(30_000));
	`;
	// A bound on files' sizes: of what goes beyond it a part is written first, as on a full disk.
	const bounded = ["-c", 'ulimit -f 8 && exec "$0" "$@"', process.execPath, "--input-type=module", "--eval", program];
	const { code, error } = await run("/bin/sh", bounded);
	assert.deepEqual([code, readFileSync(file, "utf8"), readdirSync(folder)], [1, "whole", ["state.json"]]);
	assert.match(error, /EFBIG/);
});

test("npm start where no folder can be made ends with one line that names the mend", {
	skip: process.platform !== "linux" && "it needs /proc",
	timeout: 60_000,
}, async () => {
	const starting = start(process.execPath, ["stack/start.ts", "--dir", "/proc/x"], { cwd: root });
	assert.notEqual(await starting.exited, 0);
	assert.match(starting.output(), /^\/proc\/x can't be used \(ENOENT\): .*--dir\.\n$/);
});
