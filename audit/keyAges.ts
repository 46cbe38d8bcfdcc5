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

/** Keys that every deployment has; a tenant's own HMAC key is asked for by its name. */
export const commonKeys = [
	"certificate",
	"evidence",
	"token",
	"canary",
	"receipt",
	"hmac-idempotency",
	"hmac-api-key",
	"hmac-code",
	"hmac-person",
	"hmac-tag",
];

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
		const rotateBy = key.madeAt + (use === "hmac" ? periods.hmacPeriodMs : periods.signingPeriodMs);
		ages.push({ name, use, versions: key.newest, madeAt: key.madeAt, rotateBy, overdue: rotateBy <= now });
	}
	return ages;
}
