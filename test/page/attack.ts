// Somebody who has some of a link's parts and tries every key that can be made of them on everything that could be opened.

import { createDecipheriv, createECDH, hkdfSync } from "node:crypto";

const purposes = ["content", "token", "proof", "request", "answer"].map((name) => `lethe/link/v1/${name}`);
const partsMax = 3;
const piecesMax = 32;

/** All that might be a key or a ciphertext in a text: each run of base64url of 128 bits or more, decoded. */
export function piecesOf(...texts: string[]): Buffer[] {
	const runs = texts.flatMap((text) => text.match(/[\w-]{22,}/g) ?? []);
	return [...new Set(runs)].map((run) => Buffer.from(run, "base64url"));
}

/**
 * Everything that opens. Keys: each piece itself; HKDF of up to three pieces one after another, for each purpose; what two
 * sides of a channel share, where a piece is one's private key. Ciphertexts: every piece that is long enough.
 */
export function openAll(pathId: string, pieces: Buffer[]): string[] {
	if (pieces.length > piecesMax) throw new Error(`${pieces.length} pieces are more than can be tried`);
	const shared = pieces.flatMap((own) => pieces.flatMap((other) => agree(own, other)));
	const materials = [...pieces, ...shared].filter(({ length }) => length >= 16 && length <= 65);
	const derived = sequences(materials, partsMax).flatMap((parts) =>
		purposes.map((info) => Buffer.from(hkdfSync("sha256", Buffer.concat(parts), pathId, info, 32))),
	);
	const keys = [...materials.filter(({ length }) => length === 32), ...derived];
	const found = pieces.flatMap((sealed) => keys.flatMap((key) => open(key, pathId, sealed)));
	return [...new Set(found)];
}

function sequences(materials: Buffer[], most: number): Buffer[][] {
	let longest: Buffer[][] = [[]];
	const all: Buffer[][] = [];
	for (let length = 1; length <= most; length++) {
		longest = longest.flatMap((parts) => materials.filter((one) => !parts.includes(one)).map((one) => [...parts, one]));
		all.push(...longest);
	}
	return all;
}

function agree(own: Buffer, other: Buffer): Buffer[] {
	if (own.length !== 32 || other.length !== 65) return [];
	try {
		const pair = createECDH("prime256v1");
		pair.setPrivateKey(own);
		return [pair.computeSecret(other)];
	} catch {
		return [];
	}
}

function open(key: Buffer, pathId: string, sealed: Buffer): string[] {
	if (sealed.length < 29) return [];
	try {
		const decipher = createDecipheriv("aes-256-gcm", key, sealed.subarray(0, 12)).setAAD(Buffer.from(pathId));
		decipher.setAuthTag(sealed.subarray(-16));
		return [Buffer.concat([decipher.update(sealed.subarray(12, -16)), decipher.final()]).toString()];
	} catch {
		return [];
	}
}
