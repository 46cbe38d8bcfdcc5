// `lethe evidence` as a shell sees it: an export that lacks entries of its period is told by its exit code, wherever it goes.

import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it, test } from "node:test";
import { signCheckpoint } from "../../audit/checkpoint.ts";
import { createCheckpoints } from "../../audit/checkpoints.ts";
import { verifierKey } from "../../audit/note.ts";
import { createTestApi, type TestApi } from "../api/harness.ts";
import { createKey, origin } from "../audit/memoryEvidence.ts";
import { createMemoryWitness } from "../harness/memoryWitness.ts";
import { root, run as runProgram } from "../harness/programs.ts";

describe("lethe evidence export, against an API", () => {
	const folder = mkdtempSync(join(tmpdir(), "lethe-evidence-"));
	let api: TestApi;
	let target: string[];
	let covered: string;
	before(async () => {
		api = await createTestApi();
		const { key } = await api.addTenant({ roles: ["auditor"] });
		await api.evidence.append([{ type: "process_started", code: "worker", by: "engine" }]);
		const [signing, witnesses] = [createKey(), [createMemoryWitness()]];
		await createCheckpoints({
			...{ origin, store: api.store.evidence, witnesses, sign: signing.sign, keys: async () => [signing] },
			judged: async () => undefined,
		}).publish();
		// What is asked from here on is integrated later, and nobody signs it.
		covered = new Date(api.clock() + 1).toISOString();
		api.time.offsetMs = 60_000;
		target = ["--url", await api.app.listen({ host: "127.0.0.1", port: 0 }), "--key", key];
	});
	after(async () => {
		await api.close();
		rmSync(folder, { recursive: true, force: true });
	});

	const run = (...args: string[]) =>
		runProgram(process.execPath, [`${root}/cli/lethe.ts`, "evidence", "export", ...args, ...target]);

	it("exits 0 when a checkpoint covers the period, and 1 when entries of it are not signed, to a file or not; a period that is not over is said to be so", async () => {
		const file = join(folder, "export.ndjson");
		for (const [period, code, told] of [
			[["--to", covered], 0, /^$/],
			[[], 1, /^lethe evidence export: \d+ more of that period are not signed yet\. Repeat it; is the worker up\?$/m],
			[
				["--to", "2099-01-01T00:00:00Z"],
				1,
				/^lethe evidence export: --to lies ahead: what is entered until then is not in it\.$/m,
			],
		] as const) {
			const shown = await run(...period);
			assert.deepEqual([shown.code, told.test(shown.error)], [code, true], shown.error);
			const kept = await run(...period, "--out", file);
			assert.deepEqual([kept.code, kept.out], [code, `${file}: 1 entries\n`], kept.error);
			const [header, entry] = readFileSync(file, "utf8").split("\n");
			assert.deepEqual([shown.out.split("\n")[1], JSON.parse(header ?? "").end], [entry, 1]);
		}
	});
});

describe("lethe evidence list, against an API", () => {
	let api: TestApi;
	let target: string[];
	let tenantId: string;
	before(async () => {
		api = await createTestApi();
		const tenant = await api.addTenant({ roles: ["auditor"] });
		({ tenantId } = tenant);
		target = ["--url", await api.app.listen({ host: "127.0.0.1", port: 0 }), "--key", tenant.key];
	});
	after(() => api.close());
	const list = (...args: string[]) =>
		runProgram(process.execPath, [`${root}/cli/lethe.ts`, "evidence", "list", ...args, ...target]);

	it("tells what the log has of one thing, the last first, page by page, and of what it has nothing of, none", async () => {
		const [about, other] = [api.ids.random("hold"), api.ids.random("hold")];
		await api.evidence.append([{ type: "hold_placed", code: "subject", tenantId, about, by: "admin" }]);
		await api.evidence.append([{ type: "hold_released", tenantId, about, by: "admin" }]);
		const all = await list("--about", about);
		assert.match(
			all.out,
			new RegExp(
				`^\\d+ +\\S+Z  hold_released  ${about}  by admin\n\\d+ +\\S+Z  hold_placed subject  ${about}  by admin\n$`,
			),
			all.error,
		);
		const [, next = ""] =
			/^more: lethe evidence list --about \S+ --cursor (\S+)\n$/.exec(
				(await list("--about", about, "--limit", "1")).error,
			) ?? [];
		assert.equal((await list("--about", about, "--cursor", next)).out, `${all.out.split("\n")[1]}\n`);
		assert.deepEqual(await list("--about", other), { code: 0, out: "", error: "none\n" });
	});
});

test("a checkpoint as JSON has the keys of the log, and none that signs something else", async (t) => {
	const [own, another] = [createKey(), createKey()];
	const note = await signCheckpoint({ origin, size: 0, root: Buffer.alloc(32) }, own.sign);
	const ed25519 = { kty: "OKP", crv: "Ed25519", alg: "EdDSA", use: "sig" };
	const receipt = generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey.export({ format: "jwk" });
	const keys = [
		{ ...ed25519, x: another.x, kid: "one", lethe_use: "certificate" },
		{ ...ed25519, x: own.x, kid: "two", lethe_use: "evidence" },
		{ ...receipt, kid: "three", lethe_use: "receipt" },
	];
	const server = createServer(({ url }, answer) => {
		if (url === "/v1/evidence/checkpoint") return answer.setHeader("content-type", "text/plain").end(note);
		return answer.setHeader("content-type", "application/json").end(JSON.stringify({ keys }));
	}).listen(0, "127.0.0.1");
	t.after(() => server.close());
	await once(server, "listening");
	const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
	const command = [`${root}/cli/lethe.ts`, "evidence", "checkpoint", "--json", "--key", "k", "--url", url];
	const { code, out, error } = await runProgram(process.execPath, command);
	assert.equal(code, 0, error);
	assert.deepEqual(JSON.parse(out), { checkpoint: note, verifierKeys: [verifierKey({ name: origin, x: own.x })] });
});

describe("lethe evidence export, of an answer that somebody cut or a disk that is full", () => {
	const folder = mkdtempSync(join(tmpdir(), "lethe-export-"));
	after(() => rmSync(folder, { recursive: true, force: true }));
	const exportTo = async (file: string, text: string) => {
		const server = createServer((_, answer) => answer.end(text)).listen(0, "127.0.0.1");
		await once(server, "listening");
		const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
		const command = ["evidence", "export", "--key", "k", "--url", url, "--out", file];
		const ended = await runProgram(process.execPath, [`${root}/cli/lethe.ts`, ...command]);
		server.close();
		return ended;
	};
	const whole = `{"start":0,"end":9}\n${"x\n".repeat(9)}`;

	it("says that it broke off where entries are missing that its first line promises, and leaves no file", async () => {
		const file = join(folder, "short.ndjson");
		for (const text of [whole.slice(0, -2), "", '{"start":0,"end":9}\n']) {
			const { code, out, error } = await exportTo(file, text);
			assert.deepEqual([code, out], [1, ""], error);
			assert.match(error, /^lethe evidence export: the export broke off: .* Repeat it\.$/m);
			assert.deepEqual(readdirSync(folder), []);
		}
		assert.deepEqual((await exportTo(file, whole)).out, `${file}: 9 entries\n`);
		assert.equal(readFileSync(file, "utf8"), whole);
	});

	it("says of a write that failed that it was the disk, and not the API", async () => {
		const file = join(folder, "full.ndjson");
		symlinkSync("/dev/full", `${file}.part`);
		const { code, error } = await exportTo(file, whole);
		assert.equal(code, 2);
		assert.match(error, /^lethe evidence export: \S+full\.ndjson can't be written \(ENOSPC\): see to its disk/m);
		assert.deepEqual(existsSync(file), false);
	});
});

test("whoever reads the first line only has had enough: nothing is said to have broken", async (t) => {
	const lines = `{"start":0,"end":100000}\n${`${"x".repeat(99)}\n`.repeat(100_000)}`;
	const server = createServer((_, answer) => answer.end(lines)).listen(0, "127.0.0.1");
	t.after(() => server.close());
	await once(server, "listening");
	const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
	const line = `"${process.execPath}" cli/lethe.ts evidence export --key k --url ${url} | head -1`;
	assert.deepEqual(await runProgram("sh", ["-c", line]), { code: 0, out: '{"start":0,"end":100000}\n', error: "" });
});
