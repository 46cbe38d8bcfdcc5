// `lethe requests` as a shell sees it: from the record of a request to its answer, exit codes and one line that names the mend.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { openPolicies } from "../../policies/index.ts";
import { createTestApi, type TestApi } from "../api/harness.ts";

const lethe = fileURLToPath(new URL("../../cli/lethe.ts", import.meta.url));

describe("lethe requests, against an API", () => {
	const folder = mkdtempSync(join(tmpdir(), "lethe-requests-"));
	let api: TestApi;
	let url: string;
	let key: string;
	before(async () => {
		api = await createTestApi(() => ({ policies: openPolicies() }));
		({ key } = await api.addTenant({ roles: ["compliance"] }));
		url = await api.app.listen({ host: "127.0.0.1", port: 0 });
	});
	after(async () => {
		await api.close();
		rmSync(folder, { recursive: true, force: true });
	});

	const run = (...args: string[]): Promise<{ code: number; out: string; error: string }> =>
		new Promise((resolve) => {
			const all = [lethe, "requests", ...args, "--url", url, "--key", key];
			execFile(process.execPath, all, { encoding: "utf8", cwd: folder }, (failure, out, error) =>
				resolve({ code: failure ? Number(failure.code) : 0, out, error }),
			);
		});

	it("leads from a letter to its answer", async () => {
		const recorded = await run(
			"record",
			"--number",
			"+4915112345888",
			"--kind",
			"correction",
			"--channel",
			"letter",
			"--json",
		);
		assert.equal(recorded.code, 0, recorded.error);
		const { id, clocks } = JSON.parse(recorded.out);
		const listed = await run("list");
		assert.match(listed.out, new RegExp(`^${id}  correction  received  answer by ${clocks.respondBy}\\n$`));
		const early = await run("close", id, "--outcome", "granted");
		assert.deepEqual([early.code, /^lethe requests close: request_state: /.test(early.error)], [1, true]);
		const proof = ["--method", "id_document", "--evidence", "case-b", "--owned-from", "2021-01-01T00:00:00Z"];
		assert.match((await run("identity", id, ...proof)).out, /deciding/);
		const shown = (await run("show", id)).out;
		assert.match(shown, /task correction: open/);
		assert.match(shown, new RegExp(`may be extended to ${clocks.extendableTo}`));
		const unasked = await run("export", id, "--purpose", "answer");
		assert.deepEqual([unasked.code, /request_state: .*Only access and portability/.test(unasked.error)], [1, true]);
		await run("decide", id, "--task", "correction", "--verdict", "done", "--ground", "mended");
		const extended = await run("extend", id, "--to", clocks.extendableTo, "--reason", "complex");
		assert.match(extended.out, new RegExp(`answer by ${clocks.extendableTo}`));
		assert.match((await run("close", id, "--outcome", "granted")).out, /closed +granted at /);
	});

	it("writes a record to a file that is its owner's alone, and over none that is there", async () => {
		const written = await run("log", "--html", "--out", "log.html");
		assert.equal(written.code, 0, written.error);
		const path = join(folder, "log.html");
		assert.match(readFileSync(path, "utf8"), /<h1>Log of subjects&#39; requests<\/h1>/);
		assert.equal(statSync(path).mode & 0o077, 0);
		const again = await run("processing", "--out", "log.html");
		assert.deepEqual(
			[again.code, again.error],
			[2, "lethe requests processing: log.html can't be written, or is there already: give another --out.\n"],
		);
		assert.equal(JSON.parse((await run("processing")).out).activities.length, 4);
	});

	it("misuse is one line and exit code 2", async () => {
		const missing = await run("record", "--kind", "access");
		assert.equal(missing.code, 2);
		assert.match(missing.error, /^lethe requests record: .*--number.*\n$/);
		const wrong = await run("record", "--number", "+49151", "--kind", "access");
		assert.deepEqual([wrong.code, /^lethe requests record: invalid_number: /.test(wrong.error)], [1, true]);
		assert.ok(!wrong.error.includes("+49151"));
	});
});
