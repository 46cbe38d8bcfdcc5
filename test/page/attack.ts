// Somebody who has some of a link's parts and tries every key that can be made of them on everything that could be opened.

import { createDecipheriv, createECDH, hkdfSync } from "node:crypto";

const purposes = ["content", "token", "proof", "request", "answer"].map((name) => `lethe/link/v1/${name}`);
const partsMax = 3;
const pointBytes = 65;
const partsTriedMax = 24;
// A nonce, a tag, and some words: less is no message.
const sealedBytesMin = 48;

/**
 * All that might be a key or a ciphertext in a text: each run of base64url of 128 bits or more, decoded. Ids and words, which
 * are neither, are left out: what is tried grows with the third power.
 */
export function piecesOf(...texts: string[]): Buffer[] {
	const runs = texts.flatMap((text) => text.match(/[\w-]{22,}/g) ?? []);
	const meant = [...new Set(runs)].filter((run) => !/^[a-z]{2,3}_[a-zA-G]{26}$/.test(run) && /[\dA-Z]/.test(run));
	return meant.map((run) => Buffer.from(run, "base64url"));
}

/**
 * Everything that opens. Keys: each piece itself; HKDF of up to three pieces one after another, for the purpose; what two
 * sides of a channel share, where a piece is one's private key. Ciphertexts: every piece that is long enough for one.
 */
export function openAll(pathId: string, pieces: Buffer[]): string[] {
	const shared = pieces.flatMap((own) => pieces.flatMap((other) => agree(own, other)));
	const all = [...pieces, ...shared];
	// Keys and halves of keys have 128 or 256 bits: of these every sequence, of all else each by itself.
	const parts = pieces.filter(({ length }) => length === 16 || length === 32);
	if (parts.length > partsTriedMax) throw new Error(`${parts.length} parts are more than can be tried`);
	const materials = [...all.map((one) => [one]), ...sequences(parts, partsMax)];
	const derived = materials.flatMap((sequence) =>
		// What is made of three parts is the content's key; of one or two it might be any.
		(sequence.length === partsMax ? purposes.slice(0, 1) : purposes).map((info) =>
			Buffer.from(hkdfSync("sha256", Buffer.concat(sequence), pathId, info, 32)),
		),
	);
	const keys = [...all.filter(({ length }) => length === 32), ...derived];
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
	if (own.length !== 32 || other.length !== pointBytes) return [];
	try {
		const pair = createECDH("prime256v1");
		pair.setPrivateKey(own);
		return [pair.computeSecret(other)];
	} catch {
		return [];
	}
}

function open(key: Buffer, pathId: string, sealed: Buffer): string[] {
	if (sealed.length < sealedBytesMin || sealed.length === pointBytes) return [];
	try {
		const decipher = createDecipheriv("aes-256-gcm", key, sealed.subarray(0, 12)).setAAD(Buffer.from(pathId));
		decipher.setAuthTag(sealed.subarray(-16));
		return [Buffer.concat([decipher.update(sealed.subarray(12, -16)), decipher.final()]).toString()];
	} catch {
		return [];
	}
}
