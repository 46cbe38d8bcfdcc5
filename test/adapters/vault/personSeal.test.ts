// What is kept of people, sealed by a real Vault: opened only where it belongs, and by nobody once the key is gone.

import assert from "node:assert/strict";
import { before, test } from "node:test";
import { destroyKey } from "../../../adapters/vault/destroyKey.ts";
import { createPersonSeal, type PersonPlace, personKeyName } from "../../../adapters/vault/personSeal.ts";
import { Plaintext } from "../../../domain/plaintext.ts";
import { freshId, login } from "./helper.ts";

const place: PersonPlace = { tenantId: freshId("tenant"), personId: freshId("person"), field: "name" };
let api: ReturnType<typeof createPersonSeal>;
let sealed: string;
before(async () => {
	api = createPersonSeal({ vault: await login("api") });
	// The command that invites the first person of a tenant may not read what it wrote.
	sealed = await createPersonSeal({ vault: await login("admin") }).seal(place, Plaintext.text("Kim, Ärztin"));
});

test("what an administrator sealed is opened by the API, and says nothing by itself", async () => {
	assert.equal((await api.open(place, sealed)).reveal(), "Kim, Ärztin");
	assert.match(sealed, /^vault:v1:/);
	assert.notEqual(sealed, await api.seal(place, Plaintext.text("Kim, Ärztin")));
});

test("nothing is opened as another's, as another field, for another tenant, or changed", async () => {
	const elsewhere = [
		{ ...place, personId: freshId("person") },
		{ ...place, field: "totp" as const },
		{ ...place, tenantId: freshId("tenant") },
	];
	for (const other of elsewhere) await assert.rejects(api.open(other, sealed), { code: "internal" });
	const changed = `${sealed.slice(0, -6)}${sealed.endsWith("AAAA==") ? "BBBB==" : "AAAA=="}`;
	await assert.rejects(api.open(place, changed), { code: "internal" });
});

test("once the tenant's key is destroyed nobody opens it", async () => {
	await destroyKey(await login("eraser"), `transit/keys/${personKeyName(place.tenantId)}`);
	await assert.rejects(api.open(place, sealed), { code: "internal" });
});
