// Texts packed for the store: zlib streams (RFC 1950) over a vocabulary of what such texts say again and again.

import { readFileSync } from "node:fs";
import { constants, deflateSync, inflateSync } from "node:zlib";
import type { mongo } from "mongoose";

/** What both sides know before the first byte. Never edited: what was packed by it is opened by it alone. */
export const vocabulary = readFileSync(new URL("vocabulary.txt", import.meta.url));

// The memory that a stream is given costs more time than its few bytes do.
const packing = { dictionary: vocabulary, level: constants.Z_BEST_COMPRESSION, memLevel: 5 };
const unpackedBytesMax = 8 * 2 ** 20;

/** What the driver makes of a binary field depends on how it was asked. */
export type Packed = Uint8Array | mongo.Binary;

export function pack(text: string): Buffer {
	return deflateSync(text, packing);
}

/** @throws Error when the bytes are not what `pack` made, or hold more than eight megabytes */
export function unpack(packed: Packed): string {
	return inflateSync(bytesOf(packed), { dictionary: vocabulary, maxOutputLength: unpackedBytesMax }).toString();
}

export function bytesOf(packed: Packed): Uint8Array {
	return packed instanceof Uint8Array ? packed : packed.buffer;
}
