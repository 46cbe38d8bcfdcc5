// A pinned JWK set: what can't be used keeps nothing beside it from counting, and is named.

import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import { pinnedKeys } from "../../audit/pinnedKeys.ts";

const ed25519 = { ...generateKeyPairSync("ed25519").publicKey.export({ format: "jwk" }), kid: "e" };
const p256 = { ...generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey.export({ format: "jwk" }), kid: "p" };
const placesOf = (...keys: unknown[]) => {
	const { unusable, ...pinned } = pinnedKeys({ keys });
	return { unusable, kids: Object.values(pinned).map((kind) => kind.map(({ kid }) => kid)) };
};

test("keys count by their kind, and say what they sign where they do", () => {
	const { ed25519: found, p256: others, unusable } = pinnedKeys({ keys: [p256, { ...ed25519, lethe_use: "canary" }] });
	assert.deepEqual(unusable, []);
	assert.deepEqual([found[0]?.kid, found[0]?.x, found[0]?.lethe_use], ["e", ed25519.x, "canary"]);
	assert.deepEqual([others[0]?.kid, others[0]?.publicKey.asymmetricKeyDetails?.namedCurve], ["p", "prime256v1"]);
	assert.deepEqual(pinnedKeys({ keys: [{ ...ed25519, use: "sig" }] }).unusable, []);
});

test("one that can't be used is passed over and named by its place, whatever is wrong with it", () => {
	const { kid: _, ...nameless } = p256;
	const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 }).publicKey.export({ format: "jwk" });
	const p384 = generateKeyPairSync("ec", { namedCurve: "P-384" }).publicKey.export({ format: "jwk" });
	for (const broken of [
		{ ...ed25519, x: "!!" },
		{ ...ed25519, x: "AAAA" },
		{ ...ed25519, use: "enc" },
		{ ...ed25519, crv: "X25519" },
		{ ...p256, x: "!!", y: "??" },
		{ ...p256, y: p256.x },
		{ ...p256, y: undefined },
		{ ...p384, kid: "p" },
		{ ...rsa, kid: "r" },
		{ kty: "oct", k: "c2VjcmV0", kid: "s" },
		nameless,
		{},
		null,
		"key",
	]) {
		const found = { unusable: [1], kids: [["e"], ["p"]] };
		assert.deepEqual(placesOf(ed25519, broken, p256), found, JSON.stringify(broken));
	}
});

test("what is no set holds no key", () => {
	for (const jwks of [null, undefined, "text", 1, [], {}, { keys: {} }, { keys: null }]) {
		assert.deepEqual(pinnedKeys(jwks), { ed25519: [], p256: [], unusable: [] }, JSON.stringify(jwks));
	}
});
