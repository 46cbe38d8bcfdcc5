// End-to-end encrypted texts: RFC 9180's vectors, others' HPKE against ours, and all that must not open.

import assert from "node:assert/strict";
import { createDecipheriv, createHmac, createPrivateKey, createPublicKey, diffieHellman } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import * as hpke from "hpke";
import {
	generateKey,
	joinParts,
	open,
	type PrivateKey,
	publicKeyOf,
	seal,
	sealedCharacters,
	splitText,
	TextRefused,
	type Version,
	versions,
} from "../../client/e2ee.ts";
import { segmentText } from "../../domain/segments.ts";

const messageId = `msg_${"a".repeat(26)}`;
const seen = null;
const [recipient, sender, stranger] = await Promise.all([generateKey(), generateKey(), generateKey()]);
const expiresAt = new Date(Date.now() + 3600_000);
const info1 = "lethe/e2ee/v1";
const info2 = "lethe/e2ee/v2";

const sealed = (version: Version, text: string, id = messageId) =>
	version === "lethe1"
		? seal({ version, messageId: id, text, key: recipient })
		: seal({ version, messageId: id, text, key: recipient, senderKey: sender, expiresAt });
const opened = (text: string, more: Partial<Parameters<typeof open>[1]> = {}) =>
	open(text, { key: recipient, senderKeys: [sender], seen, ...more });
const refused = (reason: TextRefused["reason"]) => (error: unknown) =>
	error instanceof TextRefused && error.reason === reason;

type Vector = {
	mode: number;
	info: string;
	skRm: string;
	pkRm: string;
	pkSm?: string;
	enc: string;
	encryptions: { aad: string; ct: string; pt: string }[];
};
const vectors = JSON.parse(readFileSync(new URL("rfc9180.json", import.meta.url), "utf8")) as Vector[];
const hex = (text: string) => Uint8Array.from(Buffer.from(text, "hex"));
const keyOf = (x: Uint8Array, d: Uint8Array): PrivateKey => ({
	...{ kty: "OKP", crv: "X25519" },
	...{ x: Buffer.from(x).toString("base64url"), d: Buffer.from(d).toString("base64url") },
});

test("the suite of each version is RFC 9180's: its vectors open, in base and in auth mode", async () => {
	assert.deepEqual(
		vectors.map(({ mode }) => mode),
		[0, 2],
	);
	for (const { mode, info, skRm, pkRm, pkSm, enc, encryptions } of vectors) {
		const suite = versions[mode === 0 ? "lethe1" : "lethe2"].suite();
		const { kem } = suite;
		const context = await suite.createRecipientContext({
			recipientKey: await kem.deserializePrivateKey(hex(skRm)),
			...(pkSm && { senderPublicKey: await kem.deserializePublicKey(hex(pkSm)) }),
			enc: hex(enc),
			info: hex(info),
		});
		for (const { aad, ct, pt } of encryptions) {
			assert.equal(Buffer.from(await context.open(hex(ct), hex(aad))).toString("hex"), pt);
		}
		// The other implementation that ours is held against below has to be right as well.
		const [first] = encryptions as [Vector["encryptions"][0]];
		const key = keyOf(hex(pkRm), hex(skRm));
		const other = { info: hex(info), aad: hex(first.aad), ...(pkSm && { sender: hex(pkSm) }) };
		assert.equal(plainOpen(key, hex(enc), hex(first.ct), other)?.toString("hex"), first.pt);
	}
});

test("another HPKE opens a lethe1 text of ours and finds the bare text in it; ours opens theirs", async () => {
	const suite = new hpke.CipherSuite(hpke.KEM_DHKEM_X25519_HKDF_SHA256, hpke.KDF_HKDF_SHA256, hpke.AEAD_AES_256_GCM);
	const pair = {
		privateKey: await suite.DeserializePrivateKey(new Uint8Array(Buffer.from(recipient.d, "base64url"))),
		publicKey: await suite.DeserializePublicKey(new Uint8Array(Buffer.from(recipient.x, "base64url"))),
	};
	const bound = { info: new TextEncoder().encode(info1), aad: new TextEncoder().encode(messageId) };
	const text = "Grüße: 血液 ✓";
	const { data } = parts(await sealed("lethe1", text));
	const theirs = await suite.Open(pair, data.subarray(0, 32), data.subarray(32), bound);
	assert.equal(new TextDecoder().decode(theirs), text);

	const made = await suite.Seal(pair.publicKey, new TextEncoder().encode(text), bound);
	const whole = Buffer.concat([made.encapsulatedSecret, made.ciphertext]).toString("base64url");
	assert.deepEqual(await opened(`lethe1.${messageId}.${whole}`), { messageId, text, version: "lethe1" });
});

test("another HPKE opens a lethe2 text of ours by the sender's key, and reads its frame as documented", async () => {
	const text = "Ihr Termin: 9 Uhr";
	const { data } = parts(await sealed("lethe2", text));
	const bound = { info: Buffer.from(info2), aad: Buffer.from(messageId) };
	const from = { ...bound, sender: Buffer.from(sender.x, "base64url") };
	const framed = plainOpen(recipient, data.subarray(0, 32), data.subarray(32), from) as Buffer;
	assert.equal(framed.readUIntBE(0, 6), expiresAt.getTime());
	assert.equal(framed.subarray(8, 8 + framed.readUInt16BE(6)).toString(), text);
	for (const wrong of [bound, { ...bound, sender: Buffer.from(stranger.x, "base64url") }]) {
		assert.equal(plainOpen(recipient, data.subarray(0, 32), data.subarray(32), wrong), undefined);
	}
});

test("a text opens to what was sealed, whatever it says, and is as long as was foretold, in letters of one SMS unit", async () => {
	await fc.assert(
		fc.asyncProperty(
			fc.string({ unit: "grapheme", maxLength: 300 }),
			fc.constantFrom<Version>("lethe1", "lethe2"),
			async (text, version) => {
				const made = await sealed(version, text);
				assert.deepEqual(
					await opened(made),
					version === "lethe1"
						? { messageId, text, version }
						: { messageId, text, version, expiresAt, sender: publicKeyOf(sender) },
				);
				assert.equal(made.length, sealedCharacters(version, messageId, Buffer.byteLength(text)));
				assert.deepEqual([segmentText(made).encoding, segmentText(made).units], ["gsm7", made.length]);
			},
		),
		{ numRuns: 60 },
	);
});

test("no text with one bit changed opens, in the id, the key or the ciphertext", async () => {
	const made = { lethe1: await sealed("lethe1", "Befund"), lethe2: await sealed("lethe2", "Befund") };
	await fc.assert(
		fc.asyncProperty(fc.constantFrom<Version>("lethe1", "lethe2"), fc.nat(), async (version, at) => {
			const { data } = parts(made[version]);
			const bit = at % (data.length * 8);
			data[bit >> 3] = (data[bit >> 3] as number) ^ (1 << (bit & 7));
			const changed = `${version}.${messageId}.${Buffer.from(data).toString("base64url")}`;
			await assert.rejects(opened(changed), refused("undecryptable"));
		}),
		{ numRuns: 150 },
	);
	for (const text of Object.values(made)) {
		// A letter that leaves the bytes as they are is a change too, and so is another id or version.
		const last = text.at(-1) as string;
		const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
		const next = alphabet[alphabet.indexOf(last) ^ 1] as string;
		await assert.rejects(opened(text.slice(0, -1) + next), refused("undecryptable"));
		await assert.rejects(opened(text.replace("aaa", "aab")), refused("undecryptable"));
	}
	await assert.rejects(opened(made.lethe1.replace("lethe1", "lethe2")), refused("undecryptable"));
	await assert.rejects(opened(made.lethe2.replace("lethe2", "lethe1")), refused("undecryptable"));
});

test("a lethe2 text opens by its sender's key only, whichever of several that is", async () => {
	const made = await sealed("lethe2", "Ja");
	assert.deepEqual((await opened(made, { senderKeys: [stranger, sender] })).sender, publicKeyOf(sender));
	await assert.rejects(opened(made, { senderKeys: [stranger] }), refused("undecryptable"));
	await assert.rejects(opened(made, { senderKeys: [] }), refused("sender_missing"));
	await assert.rejects(opened(made, { key: stranger }), refused("undecryptable"));
});

test("an expired text does not open, and one opens once; what fails uses no id up", async () => {
	const ids = new Set<string>();
	const store = { add: (id: string) => !ids.has(id) && ids.add(id).has(id) };
	const made = await sealed("lethe2", "Ja");
	const now = expiresAt.getTime();
	await assert.rejects(opened(made, { seen: store, now }), refused("expired"));
	await assert.rejects(opened(made, { seen: store, key: stranger }), refused("undecryptable"));
	assert.equal((await opened(made, { seen: store, now: now - 1 })).text, "Ja");
	await assert.rejects(opened(made, { seen: store }), refused("replayed"));
	// Whoever knows the public key can write a lethe1 text by any id: that uses up none of the sender's own.
	assert.equal((await opened(await sealed("lethe1", "forged"), { seen: store })).text, "forged");
	await assert.rejects(opened(await sealed("lethe1", "again"), { seen: store }), refused("replayed"));
});

test("how long a lethe2 text says is hidden to the SMS: those that take as many are alike", async () => {
	const lengths = await Promise.all(
		["", "Ja", "Nein, leider nicht."].map(async (text) => (await sealed("lethe2", text)).length),
	);
	assert.deepEqual(new Set(lengths).size, 1);
	const head = `lethe2.${messageId}.`.length;
	for (const length of [0, 40, 200, 900]) {
		const bare = "x".repeat(head + Math.ceil(((32 + 8 + length + 16) * 4) / 3));
		const made = await sealed("lethe2", "x".repeat(length));
		assert.equal(segmentText(made).segments, segmentText(bare).segments);
	}
});

test("a long text goes in parts and comes together in whatever order, with some twice; one that lacks is told", async () => {
	const made = await sealed("lethe1", "Ein langer Befund. ".repeat(20));
	const other = await sealed("lethe1", "kurz", `msg_${"b".repeat(26)}`);
	await fc.assert(
		fc.property(fc.integer({ min: 50, max: 400 }), fc.infiniteStream(fc.nat()), (room, order) => {
			const split = splitText(made, room);
			assert.ok(split.every(({ length }) => length <= room));
			const shuffled = [...split, split[0] as string, other]
				.map((text) => ({ text, at: order.next().value as number }))
				.sort((a, b) => a.at - b.at)
				.map(({ text }) => text);
			assert.deepEqual(new Set(joinParts(shuffled).whole), new Set([made, other]));
			assert.deepEqual(joinParts(shuffled).lacking, []);
			if (split.length < 2) return;
			const [, ...rest] = split;
			const of = split.length;
			const id = messageId;
			assert.deepEqual(joinParts(rest), { whole: [], lacking: [{ messageId: id, missing: [1], of }] });
			const forged = `${(split[0] as string).slice(0, -1)}-`;
			const isSame = forged === split[0];
			assert.equal(joinParts([...split, forged]).lacking.length, isSame ? 0 : 1);
		}),
		{ numRuns: 60 },
	);
	assert.throws(() => splitText(made, 40), RangeError);
	assert.throws(() => splitText("x".repeat(200), 100), refused("malformed"));
});

test("a version that is not known is named; anything else that is no text is malformed", async () => {
	await assert.rejects(opened("lethe3.msg_x.whatever~it~has"), (error) => {
		assert.ok(error instanceof TextRefused);
		assert.deepEqual([error.reason, error.version], ["version_unknown", "lethe3"]);
		return true;
	});
	const short = Buffer.alloc(47).toString("base64url");
	const notText = [
		"",
		"Hallo",
		"lethe1",
		"lethe1..AAAA",
		`lethe1.${messageId}.`,
		`lethe1.${messageId}.${short}`,
		`lethe1.${messageId}.1/2.AAAA`,
		`lethe1.${messageId}.AAA=`,
		`LETHE1.${messageId}.AAAA`,
	];
	for (const text of notText) await assert.rejects(opened(text), refused("malformed"), text);
	// Phones break lines.
	const made = await sealed("lethe1", "Ja");
	assert.equal((await opened(` ${made.slice(0, 20)}\n${made.slice(20)}\r\n`)).text, "Ja");
	// Not UTF-8: nobody's text. And frames that are none.
	await assert.rejects(opened(await plainSeal("lethe1", [0xff])), refused("malformed"));
	await assert.rejects(opened(await plainSeal("lethe2", [255, 0, 0, 0, 0, 0, 0])), refused("malformed"));
	await assert.rejects(opened(await plainSeal("lethe2", [255, 0, 0, 0, 0, 0, 0, 2, 65])), refused("malformed"));
	assert.equal((await opened(await plainSeal("lethe2", [255, 0, 0, 0, 0, 0, 0, 1, 65]))).text, "A");
});

test("what is no key is refused, a key of small order above all", async () => {
	const wrong = [
		{ ...recipient, crv: "Ed25519" },
		{ ...recipient, d: "AAAA" },
		{ ...recipient, x: stranger.x },
		publicKeyOf(recipient),
		{},
	] as PrivateKey[];
	const made = await sealed("lethe1", "Ja");
	for (const key of wrong) await assert.rejects(opened(made, { key }), TypeError);
	const zero = { ...publicKeyOf(recipient), x: Buffer.alloc(32).toString("base64url") };
	await assert.rejects(seal({ version: "lethe1", messageId, text: "Ja", key: zero }));
	await assert.rejects(seal({ version: "lethe1", messageId: "a.b", text: "Ja", key: recipient }), RangeError);
});

function parts(text: string): { data: Buffer } {
	return { data: Buffer.from(text.split(".")[2] as string, "base64url") };
}

async function plainSeal(version: Version, plaintext: number[]): Promise<string> {
	const suite = versions[version].suite();
	const publicOf = ({ x }: PrivateKey) => suite.kem.deserializePublicKey(new Uint8Array(Buffer.from(x, "base64url")));
	const privateKey = await suite.kem.importKey("jwk", sender, false);
	const signed = version === "lethe2" && { senderKey: { privateKey, publicKey: await publicOf(sender) } };
	const params = {
		recipientPublicKey: await publicOf(recipient),
		info: Buffer.from(versions[version].info),
		...signed,
	};
	const { enc, ct } = await suite.seal(params, Buffer.from(plaintext), Buffer.from(messageId));
	return `${version}.${messageId}.${Buffer.concat([new Uint8Array(enc), new Uint8Array(ct)]).toString("base64url")}`;
}

type Bound = { info: Uint8Array; aad: Uint8Array; sender?: Uint8Array };

/** RFC 9180 once more, 4.1, 5.1 and 7.1, with OpenSSL's primitives and nothing of the library that the client uses. */
function plainOpen(
	key: PrivateKey,
	enc: Uint8Array,
	sealed: Uint8Array,
	{ info, aad, sender }: Bound,
): Buffer | undefined {
	const kem = Buffer.concat([Buffer.from("KEM"), Buffer.from([0, 32])]);
	const hpkeSuite = Buffer.concat([Buffer.from("HPKE"), Buffer.from([0, 32, 0, 1, 0, 2])]);
	const hmac = (secret: Uint8Array, ...data: Uint8Array[]) =>
		createHmac("sha256", secret).update(Buffer.concat(data)).digest();
	const extract = (suite: Buffer, salt: Uint8Array, label: string, ikm: Uint8Array) =>
		hmac(salt.length > 0 ? salt : Buffer.alloc(32), Buffer.from("HPKE-v1"), suite, Buffer.from(label), ikm);
	// One block of HKDF-SHA256 is as much as any of these takes.
	const expand = (suite: Buffer, secret: Buffer, label: string, about: Uint8Array, length: number) =>
		hmac(
			secret,
			Buffer.from([0, length]),
			Buffer.from("HPKE-v1"),
			suite,
			Buffer.from(label),
			about,
			Buffer.from([1]),
		).subarray(0, length);
	const publicOf = (x: Uint8Array) =>
		createPublicKey({ key: { kty: "OKP", crv: "X25519", x: Buffer.from(x).toString("base64url") }, format: "jwk" });
	const privateKey = createPrivateKey({ key, format: "jwk" });
	const shared = (x: Uint8Array) => diffieHellman({ privateKey, publicKey: publicOf(x) });
	const own = Buffer.from(key.x, "base64url");
	const dh = Buffer.concat([shared(enc), ...(sender ? [shared(sender)] : [])]);
	const about = Buffer.concat([enc, own, ...(sender ? [sender] : [])]);
	const secret = expand(kem, extract(kem, Buffer.alloc(0), "eae_prk", dh), "shared_secret", about, 32);
	const hashes = ["psk_id_hash", "info_hash"].map((label) =>
		extract(hpkeSuite, Buffer.alloc(0), label, label === "info_hash" ? info : Buffer.alloc(0)),
	);
	const context = Buffer.concat([Buffer.from([sender ? 2 : 0]), ...hashes]);
	const schedule = extract(hpkeSuite, secret, "secret", Buffer.alloc(0));
	const nonce = expand(hpkeSuite, schedule, "base_nonce", context, 12);
	const cipher = createDecipheriv("aes-256-gcm", expand(hpkeSuite, schedule, "key", context, 32), nonce);
	cipher.setAAD(aad);
	cipher.setAuthTag(sealed.subarray(-16));
	try {
		return Buffer.concat([cipher.update(sealed.subarray(0, -16)), cipher.final()]);
	} catch {
		return undefined;
	}
}
