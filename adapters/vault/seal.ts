// AES-256-GCM over one object: a fresh data key encrypts it, the wrapping key encrypts the data key.

import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject } from "node:crypto";
import { LetheError } from "../../domain/errors.ts";

/** What a ciphertext is bound to; each part is ASCII and at most 255 characters. */
export type SealPlace = { tenantId: string; messageId: string; object: string; field: string };
export type SealKey = { id: string; key: KeyObject };
type SealedBytes = { wrappedKey: Uint8Array; ciphertext: Uint8Array };

const algorithm = "aes-256-gcm";
const formatVersion = 1;
// A wrapping key is never rotated in place; a second version under the same id would need another number here.
const wrappingKeyVersion = 1;
const keyBytes = 32;
const ivBytes = 12;
const tagBytes = 16;
const headBytes = 1 + ivBytes;
const partCharactersMax = 255;

/** Random bytes that one `seal` takes: data key, iv of the content, iv of the wrap. */
export const sealRandomBytes = keyBytes + 2 * ivBytes;

// Everything below is synchronous, so one scratch area serves all calls. Version, five parts with a length byte, version.
const scratch = Buffer.allocUnsafeSlow(2 + 5 * (1 + partCharactersMax));

/**
 * Encrypts `bytes` under a fresh data key. The first 32 bytes of `random` become that key and are zeroed.
 * @throws RangeError when a part of the place is not ASCII or too long
 */
export function seal(place: SealPlace, wrappingKey: SealKey, bytes: Uint8Array, random: Uint8Array): SealedBytes {
	const dataEnd = writeDataAad(place);
	const wrapEnd = writeWrapAad(dataEnd, wrappingKey.id);
	const dataKeyBytes = random.subarray(0, keyBytes);
	const dataKey = createSecretKey(dataKeyBytes);
	const contentIv = random.subarray(keyBytes, keyBytes + ivBytes);
	const wrapIv = random.subarray(keyBytes + ivBytes, sealRandomBytes);
	const ciphertext = encrypt(dataKey, contentIv, scratch.subarray(0, dataEnd), bytes);
	const wrappedKey = encrypt(wrappingKey.key, wrapIv, scratch.subarray(0, wrapEnd), dataKeyBytes);
	dataKeyBytes.fill(0);
	return { wrappedKey, ciphertext };
}

/**
 * The plain bytes of what `seal` made for the same place under the same wrapping key.
 * @throws LetheError `internal` with cause `not_authentic` when a byte, the place or the key differs
 */
export function open(place: SealPlace, wrappingKey: SealKey, sealed: SealedBytes): Uint8Array {
	const dataEnd = writeDataAad(place);
	const wrapEnd = writeWrapAad(dataEnd, wrappingKey.id);
	if (sealed.wrappedKey.length !== headBytes + keyBytes + tagBytes) throw notAuthentic();
	const dataKeyBytes = decrypt(wrappingKey.key, scratch.subarray(0, wrapEnd), sealed.wrappedKey);
	const dataKey = createSecretKey(dataKeyBytes);
	dataKeyBytes.fill(0);
	return decrypt(dataKey, scratch.subarray(0, dataEnd), sealed.ciphertext);
}

/** Random bytes that one `rewrap` takes: the iv of the wrap. */
export const rewrapRandomBytes = ivBytes;

/**
 * The wrapped data key under another wrapping key; the ciphertext stays as it is, since it is not bound to either.
 * @throws LetheError as `open`
 */
export function rewrap(
	place: SealPlace,
	from: SealKey,
	to: SealKey,
	wrappedKey: Uint8Array,
	random: Uint8Array,
): Uint8Array {
	const dataEnd = writeDataAad(place);
	if (wrappedKey.length !== headBytes + keyBytes + tagBytes) throw notAuthentic();
	const dataKeyBytes = decrypt(from.key, scratch.subarray(0, writeWrapAad(dataEnd, from.id)), wrappedKey);
	const aad = scratch.subarray(0, writeWrapAad(dataEnd, to.id));
	const rewrapped = encrypt(to.key, random.subarray(0, ivBytes), aad, dataKeyBytes);
	dataKeyBytes.fill(0);
	return rewrapped;
}

/** The ciphertext does not belong to where it was found, or was changed. */
export function notAuthentic(): LetheError {
	return new LetheError("internal", { cause: { source: "encryption", reason: "not_authentic" } });
}

function encrypt(key: KeyObject, iv: Uint8Array, aad: Uint8Array, bytes: Uint8Array): Buffer {
	const cipher = createCipheriv(algorithm, key, iv);
	cipher.setAAD(aad);
	const body = cipher.update(bytes);
	cipher.final();
	const out = Buffer.allocUnsafe(headBytes + body.length + tagBytes);
	out[0] = formatVersion;
	out.set(iv, 1);
	out.set(body, headBytes);
	out.set(cipher.getAuthTag(), headBytes + body.length);
	return out;
}

function decrypt(key: KeyObject, aad: Uint8Array, sealed: Uint8Array): Buffer {
	const tagAt = sealed.length - tagBytes;
	if (tagAt < headBytes || sealed[0] !== formatVersion) throw notAuthentic();
	const decipher = createDecipheriv(algorithm, key, sealed.subarray(1, headBytes), { authTagLength: tagBytes });
	decipher.setAAD(aad);
	decipher.setAuthTag(sealed.subarray(tagAt));
	const bytes = decipher.update(sealed.subarray(headBytes, tagAt));
	try {
		decipher.final();
	} catch {
		bytes.fill(0);
		throw notAuthentic();
	}
	return bytes;
}

function writeDataAad(place: SealPlace): number {
	scratch[0] = formatVersion;
	return writePart(writePart(writePart(writePart(1, place.tenantId), place.messageId), place.object), place.field);
}

function writeWrapAad(dataEnd: number, wrappingKeyId: string): number {
	const end = writePart(dataEnd, wrappingKeyId);
	scratch[end] = wrappingKeyVersion;
	return end + 1;
}

function writePart(at: number, text: string): number {
	if (text.length > partCharactersMax) throw new RangeError("a part of the additional data is too long");
	const start = at + 1;
	// Two strings must never give the same bytes: UTF-8 of as many bytes as characters is ASCII.
	if (scratch.write(text, start, "utf8") !== text.length) throw new RangeError("the additional data must be ASCII");
	scratch[at] = text.length;
	return start + text.length;
}
