// Keyed hashes on a real Vault: separate by purpose and tenant, stable over a rotation, alive through an outage.

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { before, test } from "node:test";
import { createHmacKeys, hmacPurposes } from "../../../adapters/vault/hmacKeys.ts";
import { createKeyVersions } from "../../../adapters/vault/keyVersions.ts";
import { LetheError } from "../../../domain/errors.ts";
import { keyVersionOf } from "../../../domain/keyVersionOf.ts";
import { freshId, login, statusOf, type VaultClient } from "./helper.ts";

let api: VaultClient;
let admin: ReturnType<typeof createHmacKeys>;
const number = "+999000000000";
const minuteMs = 60_000;

before(async () => {
	api = await login("api");
	admin = createHmacKeys({ vault: await login("admin"), clock: Date.now });
});

async function newTenant(): Promise<string> {
	const tenantId = freshId("tenant");
	await admin.createKey("subject", tenantId);
	return tenantId;
}

test("one purpose's or one tenant's hash is never another's, and the same input gives the same hash", async () => {
	const keys = createHmacKeys({ vault: api, clock: Date.now });
	const [one, other] = [await newTenant(), await newTenant()];
	const hashes = [
		await keys.mac("subject", one, number),
		await keys.mac("subject", other, number),
		await keys.mac("idempotency", undefined, number),
		await keys.mac("api-key", undefined, number),
		await keys.mac("code", undefined, number),
	].map(({ mac }) => mac);
	assert.equal(new Set(hashes).size, hashes.length);
	const again = createHmacKeys({ vault: api, clock: Date.now });
	assert.deepEqual(await again.mac("subject", one, Buffer.from(number)), await keys.mac("subject", one, number));
});

test("a hash is HMAC-SHA-256 under the key that Vault exports", async () => {
	const keys = createHmacKeys({ vault: api, clock: Date.now });
	const { version, mac } = await keys.mac("code", undefined, "123456");
	const exported = await api.read("transit/export/hmac-key/hmac-code");
	const key = Buffer.from(exported.data.keys[version], "base64");
	assert.equal(key.length, 32);
	assert.equal(mac, `${version}.${createHmac("sha256", key).update("123456").digest("base64url")}`);
	assert.equal(keyVersionOf(mac), version);
});

test("a tenant goes with the subject key and with no other", async () => {
	const keys = createHmacKeys({ vault: api, clock: Date.now });
	await assert.rejects(keys.mac("subject", undefined, number), RangeError);
	await assert.rejects(keys.mac("subject", "../hmac-code", number), RangeError);
	for (const purpose of hmacPurposes.filter((one) => one !== "subject")) {
		await assert.rejects(keys.mac(purpose, freshId("tenant"), number), RangeError);
	}
});

test("a tenant without a key gets no hash", async () => {
	const keys = createHmacKeys({ vault: api, clock: Date.now });
	await assert.rejects(keys.mac("subject", freshId("tenant"), number), { code: "internal" });
});

test("making a key again keeps it", async () => {
	const tenantId = await newTenant();
	const first = await createHmacKeys({ vault: api, clock: Date.now }).mac("subject", tenantId, number);
	await admin.createKey("subject", tenantId);
	assert.deepEqual(await createHmacKeys({ vault: api, clock: Date.now }).mac("subject", tenantId, number), first);
});

test("after a rotation every process finds a hash before any process makes it, and the old ones stay findable", async () => {
	const tenantId = await newTenant();
	let now = Date.now();
	const early = createHmacKeys({ vault: api, clock: () => now });
	const before = await early.mac("subject", tenantId, number);
	assert.equal(before.version, 1);
	await admin.rotateKey("subject", tenantId);

	const late = createHmacKeys({ vault: api, clock: () => now });
	assert.deepEqual(await late.mac("subject", tenantId, number), before);
	now += minuteMs;
	const known = await early.allMacs("subject", tenantId, number);
	assert.deepEqual(
		known.map(({ version }) => version),
		[2, 1],
	);
	assert.deepEqual(known[1], before);
	assert.deepEqual(await early.macs("subject", tenantId, number), { toStore: before, live: known, others: [known[0]] });
	now += 2 * minuteMs;
	assert.deepEqual(await late.mac("subject", tenantId, number), known[0]);
	assert.deepEqual(await late.macs("subject", tenantId, number), { toStore: known[0], live: known, others: [before] });
	assert.deepEqual(await early.mac("subject", tenantId, number), known[0]);
});

test("an old version that was ended is gone: no process gets it any more, and nobody can let it in again", async () => {
	const tenantId = await newTenant();
	const adminVault = await login("admin");
	const versions = createKeyVersions({ vault: adminVault });
	const name = `hmac-subject-${tenantId}`;
	await versions.rotate(name);
	await versions.endBefore(name, 2);
	await versions.endBefore(name, 2);
	const keys = createHmacKeys({ vault: api, clock: Date.now });
	assert.deepEqual(
		(await keys.allMacs("subject", tenantId, number)).map(({ version }) => version),
		[2],
	);
	const { keptFrom, makesFrom, versions: left } = (await versions.read(name)) ?? {};
	assert.deepEqual([keptFrom, makesFrom, left?.map(({ version }) => version)], [2, 2, [2]]);
	const reopen = { min_decryption_version: 1 };
	assert.equal(await statusOf(() => adminVault.write(`transit/keys/${name}/config`, reopen)), 400);
});

test("a held key works through an outage; one that is not held is keys_unavailable", async () => {
	let away = false;
	let now = Date.now();
	const vault: Pick<VaultClient, "read" | "write"> = {
		read: (path) => (away ? Promise.reject(new LetheError("keys_unavailable")) : api.read(path)),
		write: api.write,
	};
	const keys = createHmacKeys({ vault, clock: () => now });
	const held = await keys.mac("code", undefined, number);
	away = true;
	now += 60 * minuteMs;
	assert.deepEqual(await keys.mac("code", undefined, number), held);
	await assert.rejects(keys.mac("idempotency", undefined, number), { code: "keys_unavailable" });
});
