// Which passwords are refused: too short, or mostly made of what anybody would try first.

import { limits } from "./limits.ts";

// What lists of leaked passwords are full of. Longer ones of them are these with something added.
const commonWords = [
	...[
		"password",
		"passwort",
		"passphrase",
		"kennwort",
		"qwertyuiop",
		"qwerty",
		"qwertz",
		"azerty",
		"asdfghjkl",
		"asdf",
	],
	...["letmein", "welcome", "willkommen", "iloveyou", "changeme", "default", "secret", "administrator", "admin"],
	...["1234567890", "123456", "1234", "abcdef", "monkey", "dragon", "football", "baseball", "superman", "batman"],
	...["princess", "sunshine", "master", "login", "summer", "winter", "spring", "autumn", "january", "lethe"],
];
// What of it must be left, and how many different characters.
const restCharactersMin = 8;
const differentMin = 5;

export type PasswordFault = "too_short" | "too_long" | "guessable";

/** As it is hashed: the forms of a letter are one (NIST SP 800-63B-4, 3.1.1.2). */
export function normalisePassword(password: string): string {
	return password.normalize("NFKC");
}

/**
 * What is wrong with a password, if anything. It always goes with a second factor, so no rule asks for kinds of
 * characters (NIST SP 800-63B-4, 3.1.1.2).
 * @param names login name, name, tenant: whoever attacks knows them
 */
export function findPasswordFault(password: string, names: readonly string[]): PasswordFault | undefined {
	const text = normalisePassword(password);
	const characters = [...text].length;
	if (characters < limits.passwordCharactersMin) return "too_short";
	if (characters > limits.passwordCharactersMax) return "too_long";
	let rest = text.toLowerCase();
	const known = names.flatMap((name) => name.toLowerCase().split(/[^\p{L}\p{N}]+/u)).filter(({ length }) => length > 2);
	for (const word of [...known, ...commonWords].sort((a, b) => b.length - a.length)) rest = rest.replaceAll(word, "");
	const different = new Set(rest).size;
	return [...rest].length < restCharactersMin || different < differentMin ? "guessable" : undefined;
}
