// Recovery codes: each stands in once for a code of the authenticator app, for whoever has lost it and knows the password.

import { randomInt } from "node:crypto";
import type { PersonMacs } from "../../adapters/personMacs.ts";
import { limits } from "../../domain/limits.ts";

// None that looks like another. Sixteen of them are 78 bits.
const letters = "abcdefghjkmnpqrstuvwxyz23456789";
const groups = 4;
const groupCharacters = 4;

/** Fresh codes, to be shown once, and what is kept of them. @throws LetheError keys_unavailable */
export async function makeRecoveryCodes(macs: PersonMacs, personId: string) {
	const codes = Array.from({ length: limits.recoveryCodeItems }, makeCode);
	const recoveryMacs = await Promise.all(
		codes.map((code) => macs.one("recovery", `${personId}\n${normaliseRecoveryCode(code)}`)),
	);
	return { codes, recoveryMacs };
}

/** As it is compared: people leave dashes out, and write in capitals. */
export function normaliseRecoveryCode(code: string): string {
	return code.toLowerCase().replace(/[\s-]/g, "");
}

function makeCode(): string {
	const group = () => Array.from({ length: groupCharacters }, () => letters[randomInt(letters.length)]).join("");
	return Array.from({ length: groups }, group).join("-");
}
