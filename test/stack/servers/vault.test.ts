// A Vault that somebody else runs, as the environment names it, and where one of ours writes its audit log.

import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { provisionVersion } from "../../../adapters/vault/provision.ts";
import { adoptVault, planVault } from "../../../stack/servers/vault.ts";
import type { Program } from "../../../stack/sources.ts";

const dataDir = mkdtempSync(join(tmpdir(), "lethe-adopted-"));
const asked: string[] = [];
let status = 200;
const vault = createServer(({ url = "" }, response) => {
	asked.push(url);
	response.writeHead(url === "/v1/auth/token/lookup-self" ? status : 404).end();
});
before(() => once(vault.listen(0, "127.0.0.1"), "listening"));
after(() => {
	vault.close();
	rmSync(dataDir, { recursive: true });
});

test("it is the same with a slash at its address's end: once set up, it asks for no token again", async () => {
	const url = `http://127.0.0.1:${(vault.address() as AddressInfo).port}`;
	writeFileSync(join(dataDir, "provisioned"), `${provisionVersion} ${url}`);
	writeFileSync(join(dataDir, "issuer-token"), "s.known");
	for (const named of [url, `${url}/`]) {
		const { address, answers } = adoptVault({ url: named, dataDir, environment: {} });
		assert.equal(address.url, url);
		await answers();
	}
	assert.deepEqual(asked, ["/v1/auth/token/lookup-self", "/v1/auth/token/lookup-self"]);
});

test("one that has too much to do is asked again: its token has not ended by that", async () => {
	const url = `http://127.0.0.1:${(vault.address() as AddressInfo).port}`;
	const { answers } = adoptVault({ url, dataDir, environment: {} });
	for (status of [429, 503]) await assert.rejects(answers(), { message: `Vault answers ${status}` });
	status = 200;
	await answers();
});

test("one of ours opens again when its folder was moved; one that was set up with the whole path says so at once", async () => {
	const program: Program = { source: "path", engine: "openbao", command: "bao", args: [] };
	const plan = (at: string) => planVault({ program, dataDir: at, port: async () => 1 });
	const settingsOf = (at: string) => readFileSync(join(at, "settings.hcl"), "utf8");
	const [here, there] = [join(dataDir, "here"), join(dataDir, "there")];
	mkdirSync(here);
	assert.equal((await plan(here)).address.auditFile, join(here, "audit.log"));
	renameSync(here, there);
	assert.equal((await plan(there)).address.auditFile, join(there, "audit.log"));
	const [, path] = /file_path = ("[^"]*")/.exec(settingsOf(there)) ?? [];
	assert.equal(path, '"audit.log"', "as it was told at first");

	const whole = JSON.stringify(join(there, "audit.log"));
	writeFileSync(join(there, "settings.hcl"), settingsOf(there).replace('"audit.log"', whole));
	await plan(there);
	assert.ok(settingsOf(there).includes(`file_path = ${whole}`), "what it was told stays");
	renameSync(there, here);
	await assert.rejects(plan(here), /was moved, and it opens only where it was: move it back/);
});
