// Whether a caller's reference is opaque, as it must be: it is stored, logged and shown in clear.

const digitsMin = 7;
const tokenPattern = /^[A-Za-z0-9][\w.:~-]*$/;
const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i;
const hexPattern = /^[0-9a-f]{32,}$/i;

/**
 * False for what looks like a phone number (seven digits or more in a row, separators between them not counted), an
 * e-mail or postal address, or a sentence. Random hexadecimal and UUIDs may hold that many digits by chance.
 */
export function isOpaqueReference(text: string): boolean {
	if (!tokenPattern.test(text)) return false;
	const letters = text.replace(/[^a-f]/gi, "").length;
	if (letters >= 4 && (uuidPattern.test(text) || hexPattern.test(text))) return true;
	return !new RegExp(`\\d{${digitsMin}}`).test(text.replace(/(?<=\d)[^A-Za-z\d]+(?=\d)/g, ""));
}
