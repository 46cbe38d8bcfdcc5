// RFC 9421 by its own example (appendix B.2.6, key B.1.4) and what a signature must not be able to cover.

import assert from "node:assert/strict";
import { createHash, createPrivateKey, sign } from "node:crypto";
import { describe, it } from "node:test";
import { isDigest, isSignedBy, readContentDigest, readSignatures } from "../../api/messageSignature.ts";

const jwk = { kty: "OKP", crv: "Ed25519", x: "JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs" };
const privateJwk = { ...jwk, d: "n4Ni-HpISpVObnQMW0wOhCKROaIKqKtW_2ZYb2p9KcU" };
const input =
	'("date" "@method" "@path" "@authority" "content-type" "content-length");created=1618884473;keyid="test-key-ed25519"';
const digest = "sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:";

const messageOf = (more: readonly (readonly [string, string])[]) => ({
	method: "POST",
	targetUri: "https://example.com/foo?param=Value&Pet=dog&Twice=1&Twice=2",
	headers: [
		["Host", "example.com"],
		["Date", "Tue, 20 Apr 2021 02:07:55 GMT"],
		["Content-Type", "application/json"],
		["Content-Digest", digest],
		["Content-Length", "18"],
		...more,
	] as const,
});
const signedWith = (covering: string, signature = "AAAA") =>
	messageOf([
		["Signature-Input", `sig-b26=${covering}`],
		["Signature", `sig-b26=:${signature}:`],
	]);

describe("HTTP message signatures", () => {
	it("the RFC's Ed25519 example verifies, and with one byte changed does not", () => {
		const signature = "wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==";
		const [read] = readSignatures(signedWith(input, signature));
		assert.ok(read);
		assert.equal(
			read.base,
			[
				'"date": Tue, 20 Apr 2021 02:07:55 GMT',
				'"@method": POST',
				'"@path": /foo',
				'"@authority": example.com',
				'"content-type": application/json',
				'"content-length": 18',
				`"@signature-params": ${input}`,
			].join("\n"),
		);
		assert.ok(isSignedBy([jwk], read));
		assert.ok(!isSignedBy([jwk], { ...read, base: read.base.replace("POST", "PUT") }));
		assert.ok(!isSignedBy([], read));
	});

	it("every address there is to cover says what the caller sees", () => {
		const names = ["@target-uri", "@request-target", "@query", "@scheme"];
		const [read] = readSignatures(signedWith(`(${names.map((name) => `"${name}"`).join(" ")})`));
		assert.deepEqual(read?.base.split("\n").slice(0, -1), [
			'"@target-uri": https://example.com/foo?param=Value&Pet=dog&Twice=1&Twice=2',
			'"@request-target": /foo?param=Value&Pet=dog&Twice=1&Twice=2',
			'"@query": ?param=Value&Pet=dog&Twice=1&Twice=2',
			'"@scheme": https',
		]);
	});

	it("a parameter of a component says which part of it is covered, and is none of the whole", () => {
		const covering =
			'("@query-param";name="Pet" "@query-param";name="a%20b" "x-dict";key="b" "x-dict";key="a" "x-dict";sf "x-dict";bs)';
		const message = signedWith(covering);
		const [read] = readSignatures({
			...message,
			targetUri: "https://example.com/?Pet=dog%27s&a+b=%21*",
			headers: [...message.headers, ["X-Dict", ' a,  b=(1   "x");c '], ["x-dict", "d=:AQ==:"]],
		});
		assert.deepEqual(read?.base.split("\n").slice(0, -1), [
			'"@query-param";name="Pet": dog%27s',
			'"@query-param";name="a%20b": %21*',
			'"x-dict";key="b": (1 "x");c',
			'"x-dict";key="a": ?1',
			'"x-dict";sf: a, b=(1 "x");c, d=:AQ==:',
			'"x-dict";bs: :YSwgIGI9KDEgICAieCIpO2M=:, :ZD06QVE9PTo=:',
		]);
		const [part] = readSignatures(signedWith('("content-digest";key="sha-512" "@query-param";name="Pet")'));
		for (const name of ["content-digest", "@query", "@query-param"]) assert.ok(!part?.components.includes(name));
	});

	it("one that covers what is not there spoils no other, and counts for nothing", () => {
		const read = readSignatures(
			messageOf([
				["Signature-Input", 'a=("@status"), b=("@method"), c=("@path";x)'],
				["Signature", "a=:AAAA:, b=:AAAA:"],
			]),
		);
		assert.deepEqual(
			read.map(({ components }) => components),
			[["@method"]],
		);
	});

	it("an algorithm that is not the key's is no signature of its", () => {
		const key = createPrivateKey({ key: privateJwk, format: "jwk" });
		for (const [alg, holds] of [
			["ed25519", true],
			["hmac-sha256", false],
			["rsa-v1_5-sha256", false],
			["none", false],
		] as const) {
			const covering = `("@method");alg="${alg}"`;
			const [unsigned] = readSignatures(signedWith(covering));
			const signature = sign(null, Buffer.from(unsigned?.base as string), key).toString("base64");
			const [read] = readSignatures(signedWith(covering, signature));
			assert.equal(read && isSignedBy([jwk], read), holds, alg);
		}
	});

	it("what is not there, comes twice, is changed by a parameter, or is malformed can't be covered", () => {
		for (const covering of [
			'("x-none")',
			'("Date")',
			'("date" "date")',
			'("@query-param";name="none")',
			'("@query-param";name="Twice")',
			'("@query-param")',
			'("@method";req)',
			'("content-digest";key="none")',
			'("date";key="a")',
			'("date";bs;sf)',
			'("date";tr)',
			'("content-length";bs=?0)',
			'("date";sf)',
			'("@status")',
			'("@constructor")',
			"(date)",
			"()x",
			"1",
		]) {
			assert.throws(() => readSignatures(signedWith(covering)), TypeError, covering);
		}
		assert.throws(() => readSignatures(messageOf([])), TypeError);
		assert.throws(
			() =>
				readSignatures(
					messageOf([
						["Signature-Input", "a=()"],
						["Signature", "b=:AAAA:"],
					]),
				),
			TypeError,
		);
		const many = Array.from({ length: 5 }, (_, index) => `s${index}=()`).join(", ");
		assert.throws(
			() =>
				readSignatures(
					messageOf([
						["Signature-Input", many],
						["Signature", many],
					]),
				),
			TypeError,
		);
	});

	it("the digest of a body is by an algorithm that counts", () => {
		const [told] = readContentDigest(messageOf([]));
		assert.equal(told?.algorithm, "sha-512");
		assert.ok(told && isDigest(told, createHash("sha512").update('{"hello": "world"}').digest()));
		assert.ok(!isDigest(told, createHash("sha256").update('{"hello": "world"}').digest()));
		const weak = { ...messageOf([]), headers: [["Content-Digest", "md5=:AAAA:, sha=:AAAA:"]] as const };
		assert.throws(() => readContentDigest(weak), TypeError);
	});
});
