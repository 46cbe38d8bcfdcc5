// The keys that people rotate and end, as commands name them.

import { type hashingKeys, isSigningKey, type signingKeys } from "../../audit/keyAges.ts";

export type NamedKey = (typeof signingKeys)[number] | (typeof hashingKeys)[number] | "subject" | "cohort";

/** The name in Vault. @throws Error where it does not say whose, of one of many */
export function nameOf(key: NamedKey, of: string | undefined): string {
	if (key !== "subject" && key !== "cohort") return isSigningKey(key) ? key : `hmac-${key}`;
	if (!of) throw new Error(`say whose with --of: a ${key} key is one of many.`);
	return key === "cohort" ? `cohort-${of}` : `hmac-subject-${of}`;
}
