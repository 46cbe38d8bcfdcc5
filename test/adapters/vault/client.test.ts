// A session with a real Vault: login, renewal before the end, and what a lost token means.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createVaultClient } from "../../../adapters/vault/client.ts";
import { vaultFailure } from "../../../adapters/vault/connection.ts";
import { address, createHeldTimers, credentialsOf, login } from "./helper.ts";

const lookUp = "auth/token/lookup-self";

/** Runs the renewal that is due and waits until the next one is planned or the token is lost. */
async function renewNow(timers: ReturnType<typeof createHeldTimers>, isLost: () => boolean): Promise<void> {
	timers.runAll();
	while (timers.delays().length === 0 && !isLost()) await new Promise((resolve) => setImmediate(resolve));
}

test("the token is renewed before it ends, and again after that", async () => {
	const timers = createHeldTimers();
	const client = await login("signer", { schedule: timers.schedule });
	for (let times = 1; times <= 2; times++) {
		const [delay] = timers.delays();
		const { ttl } = (await client.read(lookUp)).data;
		assert.ok(delay !== undefined && delay > 0 && delay < ttl * 1000);
		await renewNow(timers, client.isLost);
	}
	assert.ok((await client.read(lookUp)).data.last_renewal_time > 0);
	assert.equal(client.isLost(), false);
});

test("a token that Vault no longer knows is reported once, and every request is then keys_unavailable", async () => {
	let reports = 0;
	const client = await login("signer", { onLost: () => reports++ });
	await client.write("auth/token/revoke-self");
	for (let times = 0; times < 3; times++) {
		await assert.rejects(client.read("transit/keys/certificate"), { code: "keys_unavailable" });
	}
	assert.equal(client.isLost(), true);
	assert.equal(reports, 1);
});

test("a refused renewal is reported", async () => {
	const timers = createHeldTimers();
	let reports = 0;
	const client = await login("signer", { schedule: timers.schedule, onLost: () => reports++ });
	await client.write("auth/token/revoke-self");
	await renewNow(timers, client.isLost);
	assert.equal(reports, 1);
	assert.deepEqual(timers.delays(), []);
});

test("a refusal of one act does not cost the session", async () => {
	const client = await login("signer");
	const error = await client.read("transit/export/hmac-key/hmac-code").catch((reason: unknown) => reason);
	assert.equal(vaultFailure(error)?.status, 403);
	assert.equal(client.isLost(), false);
	assert.notEqual(await client.read("transit/keys/certificate"), undefined);
});

test("credentials work once", async () => {
	const credentials = await credentialsOf("signer");
	const deps = { address, ...credentials, clock: Date.now, onLost: () => undefined };
	const client = await createVaultClient(deps);
	await assert.rejects(createVaultClient(deps), { code: "internal" });
	await client.close();
});

test("a start while Vault is away fails as keys_unavailable", async () => {
	const credentials = { roleId: "r", wrappedSecretId: "w" };
	const deps = { address: "http://127.0.0.1:1", ...credentials, clock: Date.now, onLost: () => undefined };
	await assert.rejects(createVaultClient(deps), { code: "keys_unavailable" });
});

test("a closed session gives its token back and answers no more", async () => {
	const client = await login("signer");
	await client.close();
	await assert.rejects(client.read(lookUp), { code: "keys_unavailable" });
});
