// Opens and seals end-to-end encrypted texts (HPKE, RFC 9180); all that it needs is WebCrypto with X25519.

import { Aes256Gcm, CipherSuite, DhkemX25519HkdfSha256, HkdfSha256 } from "@hpke/core";
import { bytesOf, headOf, joinedCharacters, type SealedText, textOf } from "./e2eeText.ts";
import { TextRefused } from "./errors.ts";

export { joinParts, splitText } from "./e2eeText.ts";
export { TextRefused } from "./errors.ts";

/** RFC 8037: an X25519 public key. `x`: its 32 bytes in base64url. */
export type PublicKey = { kty: "OKP"; crv: "X25519"; x: string; kid?: string };
/** The same with its private half, `d`. */
export type PrivateKey = PublicKey & { d: string };

/** Where the ids of texts that were opened are kept, for as long as the app is there. */
export type SeenIds = {
	/** Takes an id down; false when it was known. After `expiresAt` no text of it opens any more, and it may be forgotten. */
	add: (id: string, expiresAt?: Date) => boolean | Promise<boolean>;
};

export type OpenOptions = {
	/** Several after a change of keys: texts to the one before still come. */
	key: PrivateKey | readonly PrivateKey[];
	/** What whoever may write signs by, as the API shows it; a `lethe2` text opens only with one of them. */
	senderKeys?: readonly PublicKey[];
	/** `null` where a text may be opened again, such as by who looks for a fault. */
	seen: SeenIds | null;
	/** Epoch milliseconds. */
	now?: number;
};

export type OpenedText = {
	messageId: string;
	text: string;
	version: Version;
	/** Absent in a `lethe1` text. */
	expiresAt?: Date;
	/** The key of whoever wrote it; absent in a `lethe1` text, which anybody can write who knows the public key. */
	sender?: PublicKey;
};

export type Sealing = { messageId: string; text: string; key: PublicKey } & (
	| { version: "lethe1" }
	| { version: "lethe2"; senderKey: PrivateKey; expiresAt: Date }
);

export type Version = keyof typeof versions;

const suite = () => new CipherSuite({ kem: new DhkemX25519HkdfSha256(), kdf: new HkdfSha256(), aead: new Aes256Gcm() });
const encBytes = 32;
const tagBytes = 16;
const keyBytes = 32;

/** Each version's suite, and how its texts are made; another KEM is another row. In `auth` mode a text has a frame. */
export const versions = {
	lethe1: { info: "lethe/e2ee/v1", suite, encBytes, tagBytes, mode: "base" },
	lethe2: { info: "lethe/e2ee/v2", suite, encBytes, tagBytes, mode: "auth" },
} as const;

const utf8 = new TextEncoder();

/**
 * What a text says, once: parts of a long one are put together first, by `joinParts`.
 * @throws TextRefused with the reason; TypeError for a key that is none
 */
export async function open(received: string, options: OpenOptions): Promise<OpenedText> {
	const sealed = readSealed(received);
	const { version, messageId } = sealed;
	const { plaintext, sender } = await decrypt(sealed, options);
	const { text, expiresAt } = versions[version].mode === "auth" ? unframe(plaintext) : { text: plaintext };
	if (expiresAt && (options.now ?? Date.now()) >= expiresAt.getTime()) throw new TextRefused("expired");
	const opened: OpenedText = {
		...{ messageId, text: decodeText(text), version },
		...(expiresAt && { expiresAt }),
		...(sender && { sender }),
	};
	// Last: what does not open uses no id up. By version, so that who forges a text of one uses up none of the other.
	if ((await options.seen?.add(`${version}.${messageId}`, expiresAt)) === false) throw new TextRefused("replayed");
	return opened;
}

/** The text that only `key` opens. @throws TypeError for a key that is none; RangeError for an id or time that can't be told */
export async function seal(sealing: Sealing): Promise<string> {
	const { version, messageId, text, key } = sealing;
	const { info } = versions[version];
	if (!/^[A-Za-z0-9_-]{1,128}$/.test(messageId)) throw new RangeError("an id has letters, digits, _ and - only");
	const suite = versions[version].suite();
	const recipientPublicKey = await importKey(suite, key, "public");
	const bytes = utf8.encode(text);
	const isAuth = sealing.version === "lethe2";
	const plaintext = isAuth ? frame(bytes, sealing.expiresAt, padFor(version, messageId, bytes.length)) : bytes;
	const sender = isAuth ? { senderKey: await importPair(suite, sealing.senderKey) } : {};
	const params = { recipientPublicKey, info: utf8.encode(info), ...sender };
	const { enc, ct } = await suite.seal(params, plaintext, utf8.encode(messageId));
	const data = new Uint8Array(enc.byteLength + ct.byteLength);
	data.set(new Uint8Array(enc));
	data.set(new Uint8Array(ct), enc.byteLength);
	return `${headOf({ version, messageId })}${textOf(data)}`;
}

/** How long the text will be that `seal` makes of so many bytes: characters, each one unit of an SMS. */
export function sealedCharacters(version: Version, messageId: string, textBytes: number): number {
	const overhead = versions[version].encBytes + versions[version].tagBytes;
	const framed = versions[version].mode === "auth" ? frameBytes + padFor(version, messageId, textBytes) : 0;
	return headOf({ version, messageId }).length + charactersOf(overhead + framed + textBytes);
}

/** A key pair of a recipient's own; `d` never leaves its device. */
export async function generateKey(): Promise<PrivateKey> {
	const { privateKey } = await suite().kem.generateKeyPair();
	const { x, d } = (await crypto.subtle.exportKey("jwk", privateKey)) as { x: string; d: string };
	return { kty: "OKP", crv: "X25519", x, d };
}

/** The half that others may have. */
export function publicKeyOf({ x, kid }: PublicKey): PublicKey {
	return { kty: "OKP", crv: "X25519", x, ...(kid !== undefined && { kid }) };
}

function readSealed(received: string): SealedText & { version: Version } {
	const text = received.replace(/\s+/g, "");
	const [version] = /^lethe[0-9]{1,4}(?=\.)/.exec(text) ?? [];
	if (version === undefined) throw new TextRefused("malformed");
	// Whatever else is new in it.
	if (!(version in versions)) throw new TextRefused("version_unknown", { version });
	const [, messageId, data] = /^\.([A-Za-z0-9_-]{1,128})\.([A-Za-z0-9_-]+)$/.exec(text.slice(version.length)) ?? [];
	if (messageId === undefined || data === undefined) throw new TextRefused("malformed");
	return { version: version as Version, messageId, data };
}

async function decrypt(
	{ version, messageId, data }: SealedText & { version: Version },
	{ key, senderKeys = [] }: OpenOptions,
): Promise<{ plaintext: Uint8Array; sender?: PublicKey }> {
	const { info, mode, encBytes, tagBytes } = versions[version];
	const suite = versions[version].suite();
	const bytes = bytesOf(data);
	// A letter was changed, or is gone.
	if (bytes.length === 0) throw new TextRefused("undecryptable");
	if (bytes.length < encBytes + tagBytes) throw new TextRefused("malformed");
	const own = await Promise.all(listOf(key).map((one) => importPair(suite, one)));
	if (own.length === 0) throw notA("private");
	if (mode === "auth" && senderKeys.length === 0) throw new TextRefused("sender_missing");
	const senders = mode === "auth" ? senderKeys : [undefined];
	for (const sender of senders) {
		const from = sender && { senderPublicKey: await importKey(suite, sender, "public") };
		for (const recipientKey of own) {
			const params = { recipientKey, enc: bytes.slice(0, encBytes).buffer, info: utf8.encode(info), ...from };
			const plaintext = await suite.open(params, bytes.slice(encBytes), utf8.encode(messageId)).catch(() => undefined);
			if (plaintext) return { plaintext: new Uint8Array(plaintext), ...(sender && { sender: publicKeyOf(sender) }) };
		}
	}
	throw new TextRefused("undecryptable");
}

function listOf(key: OpenOptions["key"]): readonly PrivateKey[] {
	return Array.isArray(key) ? key : [key as PrivateKey];
}

// A frame: when the text expires (48 bits, epoch ms), its length in bytes (16 bits), the text, zeros.
const frameBytes = 8;
const lengthMax = 0xffff;
const expiresAtMsMax = 2 ** 48 - 1;

function frame(text: Uint8Array, expiresAt: Date, padBytes: number): Uint8Array {
	const at = expiresAt.getTime();
	if (!(at >= 0 && at <= expiresAtMsMax) || text.length > lengthMax) throw new RangeError("too late, or too long");
	const framed = new Uint8Array(frameBytes + text.length + padBytes);
	const view = new DataView(framed.buffer);
	view.setUint16(0, Math.floor(at / 2 ** 32));
	view.setUint32(2, at % 2 ** 32);
	view.setUint16(6, text.length);
	framed.set(text, frameBytes);
	return framed;
}

function unframe(framed: Uint8Array): { text: Uint8Array; expiresAt: Date } {
	if (framed.length < frameBytes) throw new TextRefused("malformed");
	const view = new DataView(framed.buffer, framed.byteOffset, framed.byteLength);
	const end = frameBytes + view.getUint16(6);
	if (end > framed.length) throw new TextRefused("malformed");
	const expiresAt = new Date(view.getUint16(0) * 2 ** 32 + view.getUint32(2));
	return { text: framed.subarray(frameBytes, end), expiresAt };
}

/** Zeros that fill the last SMS: they cost nothing, and hide how long the text is. */
function padFor(version: Version, messageId: string, textBytes: number): number {
	const { encBytes, tagBytes } = versions[version];
	const bytes = encBytes + tagBytes + frameBytes + textBytes;
	const head = headOf({ version, messageId }).length;
	const room = joinedCharacters(head + charactersOf(bytes)) - head;
	return Math.floor((room * 3) / 4) - bytes;
}

function charactersOf(bytes: number): number {
	return Math.ceil((bytes * 4) / 3);
}

function decodeText(bytes: Uint8Array): string {
	try {
		return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
	} catch {
		throw new TextRefused("malformed");
	}
}

type Suite = ReturnType<typeof suite>;

async function importPair(suite: Suite, key: PrivateKey) {
	const [privateKey, publicKey] = await Promise.all([
		importKey(suite, key, "private"),
		importKey(suite, key, "public"),
	]);
	return { privateKey, publicKey };
}

async function importKey(suite: Suite, key: PublicKey, half: "public" | "private") {
	const { kty, crv, x, d } = (key ?? {}) as Partial<PrivateKey>;
	const isThere = (part: unknown) => typeof part === "string" && bytesOf(part).length === keyBytes;
	if (kty !== "OKP" || crv !== "X25519" || !isThere(x) || (half === "private" && !isThere(d))) {
		throw notA(half);
	}
	const jwk = { kty, crv, x, ...(half === "private" && { d }) };
	try {
		return await suite.kem.importKey("jwk", jwk, half === "public");
	} catch {
		throw new TypeError("not an X25519 key, or its halves are of two, or there is no WebCrypto with X25519 here");
	}
}

function notA(half: "public" | "private"): TypeError {
	return new TypeError(`not ${half === "private" ? "a private" : "an"} X25519 key (JWK, RFC 8037)`);
}
