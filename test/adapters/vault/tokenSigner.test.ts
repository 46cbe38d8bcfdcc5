// Access tokens on a real Vault: signed by a key of their own, found again after a rotation by processes that did not see it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { calculateJwkThumbprint, importJWK, jwtVerify } from "jose";
import { createSigner } from "../../../adapters/vault/signer.ts";
import { createTokenSigner } from "../../../adapters/vault/tokenSigner.ts";
import { login } from "./helper.ts";

test("a token verifies under the key it names, before and after a rotation, in every process", async () => {
	const vault = await login("api");
	let now = Date.now();
	const clock = () => now;
	const [signing, verifying] = [createTokenSigner({ vault, clock }), createTokenSigner({ vault, clock })];
	const before = await signing.sign("at+jwt", { sub: "a" });
	const kidOf = (token: string) => JSON.parse(Buffer.from(token.split(".")[0] as string, "base64url").toString()).kid;
	const verify = async (token: string) => {
		const key = await verifying.publicKey(kidOf(token));
		assert.ok(key);
		return (await jwtVerify(token, key, { typ: "at+jwt", algorithms: ["ES256"] })).payload.sub;
	};
	assert.equal(await verify(before), "a");
	await (await login("admin")).write("transit/keys/token/rotate");
	now += 61_000;
	const later = await signing.sign("at+jwt", { sub: "b" });
	assert.notEqual(kidOf(later), kidOf(before));
	assert.deepEqual([await verify(later), await verify(before)], ["b", "a"]);
	assert.equal(await verifying.publicKey("made up"), undefined);
	for (const jwk of await signing.publicJwks()) {
		assert.equal(jwk.kid, await calculateJwkThumbprint(jwk));
		assert.ok(await importJWK(jwk));
	}
});

test("it is no key that certificates or checkpoints are signed by", async () => {
	const vault = await login("api");
	const tokens = await createTokenSigner({ vault, clock: Date.now }).publicJwks();
	for (const key of ["certificate", "evidence"] as const) {
		const { keys } = await createSigner({ vault, clock: Date.now, key }).publicJwks();
		assert.deepEqual(
			keys.filter(({ kid }) => tokens.some((token) => token.kid === kid)),
			[],
		);
		assert.ok(keys.every(({ kty }) => kty === "OKP") && tokens.every(({ kty }) => kty === "EC"));
	}
});
