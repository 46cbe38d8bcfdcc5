// The keyed hashes that stand for what people sign in with; what one is of is hashed with it, so that none serves as another.

import type { HmacKeys } from "./vault/hmacKeys.ts";

/**
 * What a hash is of. `account`, `address` and `account-network`: whom failed sign-ins slow. `subject`: as
 * an identity provider names somebody. `nonce` and `verifier` (PKCE) follow from the state of a single sign-on, so that
 * no store holds them. `kept`: a value with the key that it is kept under.
 */
type HashedKind =
	| "login"
	| "enrolment"
	| "recovery"
	| "session"
	| "challenge"
	| "account"
	| "account-network"
	| "address"
	| "subject"
	| "state"
	| "browser"
	| "nonce"
	| "verifier"
	| "code"
	| "kept";

export type PersonMacs = ReturnType<typeof createPersonMacs>;

/** As `Mac`, under the people's key. @throws LetheError keys_unavailable */
export function createPersonMacs({ hmac }: { hmac: Pick<HmacKeys, "mac" | "allMacs"> }) {
	const textOf = (kind: HashedKind | "salt", value: string) => `${kind}\n${value}`;
	return {
		/** To store. */
		one: async (kind: HashedKind, value: string): Promise<string> =>
			(await hmac.mac("person", undefined, textOf(kind, value))).mac,
		/** To look for: under every live version of the key. */
		all: async (kind: HashedKind, value: string): Promise<string[]> =>
			(await hmac.allMacs("person", undefined, textOf(kind, value))).map(({ mac }) => mac),
		/** The salt of a login name's passwords, base64url: kept with each, so it needs no version of the key. */
		salt: async (login: string): Promise<string> => {
			const { version, mac } = await hmac.mac("person", undefined, textOf("salt", login));
			return mac.slice(`${version}.`.length);
		},
	};
}
