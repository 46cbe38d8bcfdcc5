// Carrier credentials on a real Vault: the admin writes, the sender and the api each read their own half; and what identity providers are shown.

import assert from "node:assert/strict";
import { before, test } from "node:test";
import { createCarrierSecrets } from "../../../adapters/vault/carrierSecrets.ts";
import { createProviderCredentials } from "../../../adapters/vault/providerCredentials.ts";
import { LetheError } from "../../../domain/errors.ts";
import { freshId, login, type VaultClient } from "./helper.ts";

let api: VaultClient;
let sender: VaultClient;
let admin: VaultClient;

before(async () => {
	[api, sender, admin] = [await login("api"), await login("sender"), await login("admin")];
});

const open = (vault: Parameters<typeof createCarrierSecrets>[0]["vault"], clock = Date.now as () => number) =>
	createCarrierSecrets({ vault, clock });

test("each role reads the half that it needs, and the admin reads neither", async () => {
	const queue = freshId("reference");
	await open(admin).write(queue, "send", { token: "for-sending" });
	await open(admin).write(queue, "callback", { publicKey: "for-callbacks" });
	assert.deepEqual(await open(sender).read(queue, "send"), { token: "for-sending" });
	assert.deepEqual(await open(api).read(queue, "callback"), { publicKey: "for-callbacks" });
	await assert.rejects(open(sender).read(queue, "callback"), { code: "internal" });
	await assert.rejects(open(api).read(queue, "send"), { code: "internal" });
	await assert.rejects(open(admin).read(queue, "send"), { code: "internal" });
	await assert.rejects(open(sender).write(queue, "send", {}), { code: "internal" });
});

test("the admin sees what secrets are called and not what they are, and destroys them so that nobody reads them again", async () => {
	const queue = freshId("reference");
	assert.deepEqual(await open(admin).names(queue, "send"), []);
	await open(admin).write(queue, "send", { token: "for-sending", keySid: "SK" });
	await open(admin).write(queue, "callback", {});
	assert.deepEqual(await open(admin).names(queue, "send"), ["keySid", "token"]);
	assert.deepEqual(await open(admin).names(queue, "callback"), []);
	for (const other of [sender, api]) {
		await assert.rejects(open(other).names(queue, "send"), { code: "internal" });
		await assert.rejects(open(other).destroy(queue), { code: "internal" });
	}
	await open(admin).destroy(queue);
	await open(admin).destroy(queue);
	assert.deepEqual(await open(admin).names(queue, "send"), []);
	await assert.rejects(open(sender).read(queue, "send"), { code: "internal" });
});

test("a queue without secrets opens nothing", async () => {
	await assert.rejects(open(sender).read(freshId("reference"), "send"), { code: "internal" });
});

test("a queue name that would reach another secret is refused", async () => {
	await assert.rejects(open(sender).read("x/../y", "send"), RangeError);
});

test("a new secret is seen after five seconds, and the old one is not kept in Vault", async () => {
	const queue = freshId("reference");
	let now = Date.now();
	const reading = open(sender, () => now);
	await open(admin).write(queue, "send", { token: "one" });
	assert.deepEqual(await reading.read(queue, "send"), { token: "one" });
	await open(admin).write(queue, "send", { token: "two" });
	assert.deepEqual(await reading.read(queue, "send"), { token: "one" });
	now += 5_000;
	assert.deepEqual(await reading.read(queue, "send"), { token: "two" });
	assert.equal(await sender.read(`kv/data/carriers/${queue}/send?version=1`), undefined);
});

test("secrets work through an outage for a quarter of an hour, not for ever", async () => {
	const queue = freshId("reference");
	let now = Date.now();
	let away = false;
	const read = (path: string) => (away ? Promise.reject(new LetheError("keys_unavailable")) : sender.read(path));
	const reading = open({ ...sender, read }, () => now);
	await open(admin).write(queue, "send", { token: "one" });
	await reading.read(queue, "send");
	away = true;
	now += 14 * 60_000;
	assert.deepEqual(await reading.read(queue, "send"), { token: "one" });
	now += 60_000;
	await assert.rejects(reading.read(queue, "send"), { code: "keys_unavailable" });
});

test("what an identity provider is shown is written by the admin, read by the api only, and gone when it is removed", async () => {
	const provider = freshId("identityProvider");
	let now = 0;
	const openFor = (vault: VaultClient) => createProviderCredentials({ vault, clock: () => now });
	await openFor(admin).write(provider, { secret: "of the client" });
	const reading = openFor(api);
	assert.deepEqual(await reading.read(provider), { secret: "of the client" });
	for (const other of [admin, sender]) await assert.rejects(openFor(other).read(provider), { code: "internal" });
	await openFor(admin).remove(provider);
	now += 5_000;
	await assert.rejects(reading.read(provider), { code: "internal" });
	await assert.rejects(reading.read("x/../y"), RangeError);
});
