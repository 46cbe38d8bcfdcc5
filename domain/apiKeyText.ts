// The text of an API key: a prefix that names it, 256 random bits, and a checksum, so that a scanner knows one when it finds it.

const prefix = "lethe_key_";

/** Bytes of entropy in a key. */
export const apiKeyBytes = 32;

const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const bodyCharacters = 43;
const checksumCharacters = 6;
const form = /^[0-9A-Za-z]{49}$/;

/** Prefix, 43 characters of base 62, and six more: the CRC-32 of all before them. @throws RangeError for other sizes */
export function formatApiKey(bytes: Uint8Array): string {
	if (bytes.length !== apiKeyBytes) throw new RangeError(`a key takes ${apiKeyBytes} bytes, got ${bytes.length}`);
	const value = bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
	const text = `${prefix}${toBase62(value, bodyCharacters)}`;
	return text + toBase62(BigInt(crc32(text)), checksumCharacters);
}

/** Whether `text` is a key as it was given out: nothing is looked up for what is not. */
export function isApiKey(text: string): boolean {
	if (!text.startsWith(prefix) || !form.test(text.slice(prefix.length))) return false;
	const told = text.slice(0, -checksumCharacters);
	return text.slice(-checksumCharacters) === toBase62(BigInt(crc32(told)), checksumCharacters);
}

function toBase62(value: bigint, characters: number): string {
	let text = "";
	for (let rest = value; text.length < characters; rest /= 62n) text = alphabet[Number(rest % 62n)] + text;
	return text;
}

/** CRC-32 as in zlib and PNG (ISO 3309), of ASCII. */
function crc32(text: string): number {
	let sum = 0xffffffff;
	for (const character of text) {
		sum ^= character.charCodeAt(0);
		for (let bit = 0; bit < 8; bit++) sum = (sum >>> 1) ^ (sum & 1 ? 0xedb88320 : 0);
	}
	return ~sum >>> 0;
}
