// Signed notes (C2SP signed-note): a text and signatures under it that name their key, as Go's checksum database and transparency logs write them.

import { createPublicKey, hash, verify } from "node:crypto";

/** An Ed25519 key by its name in notes. `x`: base64url of its 32 bytes, as in a JWK. */
export type NoteKey = { name: string; x: string };

// Bytes that say "Ed25519" in a note's key.
const ed25519 = Buffer.of(1);
const keyIdBytes = 4;
const signatureBytes = 64;
const notesBytesMax = 64 * 1024;
const signaturesMax = 16;

/**
 * @param text ends in a newline and has no empty line
 * @param signature 64 bytes over the text's UTF-8, made by the key
 * @throws RangeError when the text, or the name, can't stand in a note
 */
export function formatNote(text: string, key: NoteKey, signature: Uint8Array): string {
	if (!isText(text) || !isName(key.name) || signature.length !== signatureBytes) throw new RangeError("not a note");
	const named = Buffer.concat([keyIdOf(key), signature]).toString("base64");
	return `${text}\n— ${key.name} ${named}\n`;
}

/** The text of a note that one of the keys has signed; undefined when none has, or it isn't a note. */
export function openNote(note: string, keys: readonly NoteKey[]): { text: string; key: NoteKey } | undefined {
	if (note.length > notesBytesMax) return undefined;
	const end = note.lastIndexOf("\n\n");
	const text = note.slice(0, end + 1);
	const lines = note.slice(end + 2).split("\n");
	if (end < 0 || !isText(text) || lines.pop() !== "" || lines.length > signaturesMax) return undefined;
	const signatures = lines.map(parseSignature);
	// One line that is no signature makes it no note; signatures of keys that are not known are none of ours.
	if (!signatures.every((signature) => signature !== undefined)) return undefined;
	const key = keys.find((known) => signatures.some((signature) => isSignedBy(text, known, signature)));
	return key && { text, key };
}

/** The key as other programs take it: `name+id+key`. */
export function verifierKey(key: NoteKey): string {
	const bytes = Buffer.concat([ed25519, Buffer.from(key.x, "base64url")]);
	return `${key.name}+${keyIdOf(key).toString("hex")}+${bytes.toString("base64")}`;
}

type Signature = { name: string; keyId: Buffer; signature: Buffer };

function parseSignature(line: string): Signature | undefined {
	const [, name, base64] = /^— (\S+) ([A-Za-z0-9+/]+={0,2})$/u.exec(line) ?? [];
	if (name === undefined || base64 === undefined || !isName(name)) return undefined;
	const bytes = Buffer.from(base64, "base64");
	if (bytes.length <= keyIdBytes || bytes.toString("base64") !== base64) return undefined;
	return { name, keyId: bytes.subarray(0, keyIdBytes), signature: bytes.subarray(keyIdBytes) };
}

function isSignedBy(text: string, key: NoteKey, { name, keyId, signature }: Signature): boolean {
	if (name !== key.name || !keyId.equals(keyIdOf(key)) || signature.length !== signatureBytes) return false;
	const publicKey = createPublicKey({ format: "jwk", key: { kty: "OKP", crv: "Ed25519", x: key.x } });
	return verify(null, Buffer.from(text), publicKey, signature);
}

function keyIdOf({ name, x }: NoteKey): Buffer {
	const named = Buffer.concat([Buffer.from(`${name}\n`), ed25519, Buffer.from(x, "base64url")]);
	return hash("sha256", named, "buffer").subarray(0, keyIdBytes);
}

function isName(name: string): boolean {
	return /^[^\s+]+$/u.test(name);
}

function isText(text: string): boolean {
	// No control character but the newline, and no empty line: the first would end the text.
	// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused.
	return text.endsWith("\n") && !/^\n|\n\n|[\u0000-\u0009\u000b-\u001f\u007f]/.test(text) && text.isWellFormed();
}
