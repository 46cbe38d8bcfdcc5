// Pseudonym keys on a real Vault that then goes away: a process knows tenants that it has never met.

import assert from "node:assert/strict";
import { test } from "node:test";
import { holdSubjectKeys } from "../../adapters/holdSubjectKeys.ts";
import { createHmacKeys } from "../../adapters/vault/hmacKeys.ts";
import { LetheError } from "../../domain/errors.ts";
import { freshId, login } from "./vault/helper.ts";

test("a recipient of a tenant that this process has never met is known while Vault is away", async () => {
	const [vault, admin] = await Promise.all([login("api"), login("admin")]);
	const [known, left] = [freshId("tenant"), freshId("tenant")];
	await createHmacKeys({ vault: admin, clock: Date.now }).createKey("subject", known);
	const time = { now: Date.now() };
	const state = { away: false };
	const read: typeof vault.read = async (path) => {
		if (state.away) throw new LetheError("keys_unavailable");
		return vault.read(path);
	};
	const hmac = createHmacKeys({ vault: { read, write: vault.write }, clock: () => time.now });
	const tenants = { all: async () => [left, known].map((_id) => ({ _id })) };
	const stop = await holdSubjectKeys({ tenants, hmac, log: { warn: () => undefined } });
	stop();
	state.away = true;
	time.now += 12 * 3600_000;
	assert.ok((await hmac.mac("subject", known, "+999000000000")).mac);
	await assert.rejects(hmac.mac("subject", freshId("tenant"), "+999000000000"), { code: "keys_unavailable" });
});

test("a store that is away at the start keeps nobody from starting", async () => {
	const tenants = { all: () => Promise.reject(new LetheError("store_unavailable")) };
	const warned: object[] = [];
	const log = { warn: (fields: object) => void warned.push(fields) };
	(await holdSubjectKeys({ tenants, hmac: { hold: async () => undefined }, log }))();
	assert.deepEqual(warned, [{ code: "store_unavailable" }]);
});
