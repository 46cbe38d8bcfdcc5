// What a first start sets up: a tenant that answers what recipients write, also where an earlier version had made it.

import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { loadConfig } from "../../config.ts";
import { createDeps } from "../../deps.ts";
import { setUpDemo, showMessage } from "../../stack/demo.ts";
import { createStack } from "../../stack/stack.ts";
import { bareEnvironment, root } from "../harness/programs.ts";

const dir = mkdtempSync(join(tmpdir(), "lethe-demo-"));
const stack = createStack({ root, dir, log: () => undefined, environment: bareEnvironment() });
before(async () => void (await stack.start()));
after(async () => {
	await stack.stop();
	rmSync(dir, { recursive: true });
});

test("the demo's tenant answers HELP and STOP, by its own words where it has some", async () => {
	// What Vault is opened with can be used once.
	const environment = async () => ({ ...stack.addresses(), ...(await stack.vaultCredentials(["admin"])) });
	const { publicKey } = generateKeyPairSync("ed25519");
	const pem = publicKey.export({ type: "spki", format: "pem" }).toString();
	const carrier = { url: "http://127.0.0.1:1", token: "t".repeat(32), publicKey: pem };
	const made = await setUpDemo(await environment(), carrier);
	const deps = await createDeps({ ...loadConfig(await environment()), logLevel: "silent" }, "admin");
	try {
		const replies = async () => (await deps.store.tenants.find(made.tenantId))?.inbound;
		const first = await replies();
		assert.ok(first?.helpReply && first.stopReply);
		await deps.store.tenants.set(made.tenantId, { inbound: null });
		assert.deepEqual(await setUpDemo(await environment(), carrier, made), made);
		assert.deepEqual(await replies(), first);
		await deps.store.tenants.set(made.tenantId, { inbound: { helpReply: "Call us." } });
		await setUpDemo(await environment(), carrier, made);
		assert.deepEqual(await replies(), { ...first, helpReply: "Call us." });
	} finally {
		await deps.close();
	}
});

test("a message that is refused is told with its code and reasons", async () => {
	const refusal = { code: "policy_denied", title: "Not permitted.", reasons: ["RECIPIENT_OPTED_OUT"] };
	const api = createServer((_, answer) => answer.writeHead(422).end(JSON.stringify(refusal))).listen(0, "127.0.0.1");
	await once(api, "listening");
	try {
		const apiUrl = `http://127.0.0.1:${(api.address() as AddressInfo).port}`;
		const told = /answered 422, policy_denied RECIPIENT_OPTED_OUT: Not permitted\.$/;
		await assert.rejects(
			showMessage({ apiUrl, apiKey: "k", folder: dir }, () => undefined),
			told,
		);
	} finally {
		api.close();
	}
});
