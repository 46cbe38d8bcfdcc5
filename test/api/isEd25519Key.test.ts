// Which 32 bytes are an Ed25519 public key: points of its curve, but for those that no private key has, or all have.

import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { describe, it } from "node:test";
import { isEd25519Key } from "../../api/isEd25519Key.ts";

const bytesOf = (hex: string) => Uint8Array.from(Buffer.from(hex, "hex"));

describe("an Ed25519 public key", () => {
	it("is what a private key has", () => {
		for (let round = 0; round < 50; round++) {
			const { x } = generateKeyPairSync("ed25519").publicKey.export({ format: "jwk" });
			assert.ok(isEd25519Key(Uint8Array.from(Buffer.from(x as string, "base64url"))));
		}
		// RFC 8032, 7.1, test 1.
		assert.ok(isEd25519Key(bytesOf("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")));
	});

	it("is no point of small order, by which everybody's signature holds, however it is written", () => {
		for (const y of [
			"0000000000000000000000000000000000000000000000000000000000000000",
			"0100000000000000000000000000000000000000000000000000000000000000",
			"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
			"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
			"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
			"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
			"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		]) {
			const mirrored = bytesOf(y);
			mirrored[31] = (mirrored[31] as number) | 0x80;
			assert.deepEqual([isEd25519Key(bytesOf(y)), isEd25519Key(mirrored)], [false, false], y);
		}
	});

	it("is nothing off the curve, and no other number of bytes", () => {
		assert.ok(!isEd25519Key(bytesOf(`02${"00".repeat(31)}`)));
		assert.ok(!isEd25519Key(bytesOf("ff".repeat(32))));
		for (const length of [0, 31, 33]) assert.ok(!isEd25519Key(new Uint8Array(length).fill(9)));
	});
});
