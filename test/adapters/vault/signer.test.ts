// Signatures on a real Vault: checked by the public keys that it shows, by anyone, without it.

import assert from "node:assert/strict";
import { createPublicKey, verify } from "node:crypto";
import { test } from "node:test";
import { calculateJwkThumbprint } from "jose";
import { createSigner, type PublicJwk } from "../../../adapters/vault/signer.ts";
import { login } from "./helper.ts";

const document = new TextEncoder().encode("a certificate");

function isSignedBy(jwk: PublicJwk, bytes: Uint8Array, signature: Uint8Array): boolean {
	return verify(null, bytes, createPublicKey({ key: jwk, format: "jwk" }), signature);
}

test("a signature verifies offline under the key it names, and for no other bytes", async () => {
	const signer = createSigner({ vault: await login("signer"), clock: Date.now });
	const { signature, kid } = await signer.sign(document);
	const jwk = (await signer.publicJwks()).keys.find((key) => key.kid === kid) as PublicJwk;
	assert.ok(isSignedBy(jwk, document, signature));
	assert.ok(!isSignedBy(jwk, document.slice(1), signature));
	assert.equal(kid, await calculateJwkThumbprint(jwk));
});

test("signatures asked for together come from one call, each over its own bytes", async () => {
	const vault = await login("signer");
	let calls = 0;
	const counting = {
		read: vault.read,
		write: (...args: Parameters<typeof vault.write>) => {
			calls++;
			return vault.write(...args);
		},
	};
	const signer = createSigner({ vault: counting, clock: Date.now });
	const documents = Array.from({ length: 20 }, (_, index) => new TextEncoder().encode(`certificate ${index}`));
	const signed = await Promise.all(documents.map((bytes) => signer.sign(bytes)));
	const { keys } = await signer.publicJwks();
	for (const [index, { signature, kid }] of signed.entries()) {
		const jwk = keys.find((key) => key.kid === kid) as PublicJwk;
		assert.ok(isSignedBy(jwk, documents[index] as Uint8Array, signature));
	}
	assert.equal(calls, 1);
});

test("the api shows the public keys, only them, and can't sign", async () => {
	const api = createSigner({ vault: await login("api"), clock: Date.now });
	const { keys } = await api.publicJwks();
	assert.ok(keys.length >= 1);
	for (const key of keys)
		assert.deepEqual(Object.keys(key).sort(), ["alg", "crv", "kid", "kty", "lethe_use", "use", "x"]);
	await assert.rejects(api.sign(document), { code: "internal" });
});

test("a key version that was added after the keys were read is found", async () => {
	const signer = await login("signer");
	const answer = await signer.read("transit/keys/certificate");
	const { keys } = answer.data;
	let reads = 0;
	// Shows version 1 only at the first reading, as before a rotation; Vault signs with a version 2.
	const vault = {
		async read() {
			reads++;
			return { data: { keys: reads === 1 ? { "1": keys["1"] } : { ...keys, "2": { public_key: "AAAA" } } } };
		},
		write: async () => ({ data: { batch_results: [{ signature: "vault:v2:AAAA" }] } }),
	};
	const rotating = createSigner({ vault, clock: Date.now });
	await rotating.publicJwks();
	const { kid } = await rotating.sign(document);
	assert.equal(kid, (await rotating.publicJwks()).keys[1]?.kid);
	assert.equal(reads, 2);
});
