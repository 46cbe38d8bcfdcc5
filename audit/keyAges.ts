// How long the keys that people rotate have been in use, beside their cryptoperiods (NIST SP 800-57 Part 1 Rev. 5, 5.3).

import type { KeyVersions } from "../adapters/vault/keyVersions.ts";

/** Milliseconds. */
export type KeyPeriods = { signingPeriodMs: number; hmacPeriodMs: number };

type KeyAge = {
	name: string;
	use: "signing" | "hmac";
	versions: number;
	/** When its newest version was made, and when that has served its time, epoch ms. */
	madeAt: number;
	rotateBy: number;
	overdue: boolean;
};

/** Keys that sign, and purposes of those that hash, one for every tenant, as people name them. */
export const signingKeys = ["certificate", "evidence", "token", "canary", "receipt"] as const;
export const hashingKeys = ["idempotency", "api-key", "code", "person", "tag"] as const;

/** Keys that every deployment has; a tenant's own HMAC key is asked for by its name. */
export const commonKeys: readonly string[] = [...signingKeys, ...hashingKeys.map((key) => `hmac-${key}`)];

export function isSigningKey(name: string): boolean {
	return signingKeys.some((one) => one === name);
}

/** A key's cryptoperiod, by its name. */
export function periodOf(name: string, { signingPeriodMs, hmacPeriodMs }: KeyPeriods): number {
	return name.startsWith("hmac-") ? hmacPeriodMs : signingPeriodMs;
}

/** Those of the names that there are. @throws LetheError keys_unavailable */
export async function findKeyAges(
	keyVersions: Pick<KeyVersions, "read">,
	periods: KeyPeriods,
	now: number,
	names: readonly string[] = commonKeys,
): Promise<KeyAge[]> {
	const ages: KeyAge[] = [];
	for (const name of names) {
		const key = await keyVersions.read(name);
		if (!key) continue;
		const use = name.startsWith("hmac-") ? ("hmac" as const) : ("signing" as const);
		const rotateBy = key.madeAt + periodOf(name, periods);
		ages.push({ name, use, versions: key.newest, madeAt: key.madeAt, rotateBy, overdue: rotateBy <= now });
	}
	return ages;
}
