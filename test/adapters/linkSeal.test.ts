// A link's secrets as somebody else would open them: by the format of docs/decisions, with nothing of Lethe's.

import assert from "node:assert/strict";
import { createDecipheriv, createHash, hkdfSync, pbkdf2Sync, randomBytes } from "node:crypto";
import { test } from "node:test";
import { createLinkSeal } from "../../adapters/linkSeal.ts";
import { limits } from "../../domain/limits.ts";
import { Plaintext } from "../../domain/plaintext.ts";

const pin = "4f7-Ω2";
const text = "Ihr Befund ist da.";

async function create(pinRounds?: number) {
	const seal = createLinkSeal({ randomBytes, ...(pinRounds === undefined ? {} : { pinRounds }) });
	const macOf = async () => ({ version: 1, mac: "m" });
	const made = await seal.create(Plaintext.text(text), Plaintext.text(pin), "See https://a.example/l/", macOf);
	const stored = JSON.parse(made.content.reveal());
	const sms = seal.carriedText(made.content, made.fragment).reveal();
	const [, pathId = "", fragment = ""] = /\/l\/([\w-]{22})#([\w-]{22})$/.exec(sms) ?? [];
	const kept = made.fragment as Uint8Array;
	return { pinRounds: made.pinRounds, kept, stored, pathId, fragment: Buffer.from(fragment, "base64url") };
}

function open(key: Uint8Array, sealed: Uint8Array, aad?: string): string {
	const decipher = createDecipheriv("aes-256-gcm", key, sealed.subarray(0, 12), { authTagLength: 16 });
	if (aad !== undefined) decipher.setAAD(Buffer.from(aad));
	decipher.setAuthTag(sealed.subarray(-16));
	return Buffer.concat([decipher.update(sealed.subarray(12, -16)), decipher.final()]).toString("base64url");
}

function contentKey({ stored, fragment, pathId }: Awaited<ReturnType<typeof create>>, rounds: number): Buffer {
	const salt = createHash("sha256").update(`lethe/link/v1/salt${pathId}`).digest();
	const secret = pbkdf2Sync(pin.normalize("NFKC"), salt, rounds, 32, "sha256");
	const parts = Buffer.concat([Buffer.from(stored.half, "base64url"), fragment, secret]);
	return Buffer.from(hkdfSync("sha256", parts, pathId, "lethe/link/v1/content", 32));
}

test("what a link opens and its fragment are bound to its path id: under the right key, too, they open by no other", async () => {
	const link = await create();
	const { stored, pathId, fragment } = link;
	const sealed = [
		[contentKey(link, limits.pinIterationsMin), Buffer.from(stored.ciphertext, "base64url"), Buffer.from(text)],
		[Buffer.from(stored.fragmentKey, "base64url"), link.kept, fragment],
	] as const;
	for (const [key, bytes, plain] of sealed) {
		assert.equal(open(key, bytes, pathId), plain.toString("base64url"));
		for (const other of [undefined, "", "A".repeat(22)]) assert.throws(() => open(key, bytes, other));
	}
});

test("a link keeps the rounds by which its PIN was stretched", async () => {
	const link = await create(1_000);
	assert.equal(link.pinRounds, 1_000);
	const bytes = Buffer.from(link.stored.ciphertext, "base64url");
	assert.equal(open(contentKey(link, 1_000), bytes, link.pathId), Buffer.from(text).toString("base64url"));
	assert.throws(() => open(contentKey(link, 1_001), bytes, link.pathId));
});
