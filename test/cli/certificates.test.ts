// `lethe certificates` as a shell sees it: a certificate and the public keys become files, and over none that is there.

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { createTestApi, type TestApi } from "../api/harness.ts";
import { root, run as runProgram } from "../harness/programs.ts";
import { signedText } from "../harness/signedText.ts";

describe("lethe certificates, against an API", () => {
	const folder = mkdtempSync(join(tmpdir(), "lethe-certificates-"));
	const signed = { id: "crt_a", kind: "purge", issuedAt: "2026-01-31T00:00:00.000Z" };
	const jws = signedText(signed);
	let api: TestApi;
	let url: string;
	let key: string;
	before(async () => {
		api = await createTestApi();
		const { key: given, tenantId } = await api.addTenant({ roles: ["auditor"] });
		key = given;
		url = await api.app.listen({ host: "127.0.0.1", port: 0 });
		await api.store.certificates.insert({ _id: "crt_a", tenantId, kind: "purge", about: "coh_a", jws, issuedAt: 0 });
	});
	after(async () => {
		await api.close();
		rmSync(folder, { recursive: true });
	});

	const run = (...words: string[]) =>
		runProgram(process.execPath, [`${root}/cli/lethe.ts`, "certificates", ...words, "--url", url], { cwd: folder });
	const read = (file: string) => JSON.parse(readFileSync(join(folder, file), "utf8"));

	it("writes a certificate to a file, or to standard output", async () => {
		const { code, out, error } = await run("get", "crt_a", "--out", "certificate.json", "--key", key);
		assert.deepEqual([code, out], [0, "certificate.json written\n"], error);
		assert.deepEqual(read("certificate.json"), { ...signed, jws });
		assert.deepEqual(JSON.parse((await run("get", "crt_a", "--key", key)).out), { ...signed, jws });
		const absent = await run("get", "crt_b", "--key", key);
		assert.deepEqual([absent.code, /^lethe certificates get: not_found: /.test(absent.error)], [1, true]);
	});

	it("lists those about one thing", async () => {
		const { code, out, error } = await run("list", "--about", "coh_a", "--key", key);
		assert.deepEqual([code, out, error], [0, `crt_a  purge       issued at ${signed.issuedAt}\n`, ""]);
		assert.deepEqual(await run("list", "--about", "coh_b", "--key", key), { code: 0, out: "", error: "none\n" });
		assert.match((await run("list", "--key", key)).error, /^lethe certificates list: .*--about/);
	});

	it("gives the public keys to who has no key, and replaces none that were kept", async () => {
		const { code, error } = await run("keys", "--out", "keys.json");
		assert.equal(code, 0, error);
		const kept = read("keys.json");
		assert.ok(kept.keys.length > 0);
		const again = await run("keys", "--out", "keys.json");
		assert.deepEqual([again.code, /^lethe certificates keys: keys\.json .*\n$/.test(again.error)], [2, true]);
		assert.deepEqual(read("keys.json"), kept);
	});
});
