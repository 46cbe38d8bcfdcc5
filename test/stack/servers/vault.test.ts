// A Vault that somebody else runs, as the environment names it.

import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { provisionVersion } from "../../../adapters/vault/provision.ts";
import { adoptVault } from "../../../stack/servers/vault.ts";

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
