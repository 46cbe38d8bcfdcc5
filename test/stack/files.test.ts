// Folders and files of one owner, and where none can be made.

import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { makePrivateFolder } from "../../stack/files.ts";
import { root, start } from "../harness/programs.ts";

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

test("npm start where no folder can be made ends with one line that names the mend", {
	skip: process.platform !== "linux" && "it needs /proc",
	timeout: 60_000,
}, async () => {
	const starting = start(process.execPath, ["stack/start.ts", "--dir", "/proc/x"], { cwd: root });
	assert.notEqual(await starting.exited, 0);
	assert.match(starting.output(), /^\/proc\/x can't be used \(ENOENT\): .*--dir\.\n$/);
});
