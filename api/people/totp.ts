// Time-based one-time passwords (RFC 6238), as every authenticator app knows them: six digits, thirty seconds, SHA-1.

import { Secret, TOTP } from "otpauth";

const stepMs = 30_000;
// One step to either side: a clock that is half a minute off, and a code that was typed slowly.
const window = 1;
const secretBytes = 20;

/** A fresh secret in base32. */
export function newTotpSecret(): string {
	return new Secret({ size: secretBytes }).base32;
}

/** What an authenticator app takes as a link or a picture. */
export function totpUri(secret: string, label: string): string {
	return totpOf(secret, label).toString();
}

/** The time step that a code is of; undefined when it is of none near `now`, epoch ms. */
export function findTotpStep(secret: string, code: string, now: number): number | undefined {
	const delta = totpOf(secret).validate({ token: code, timestamp: now, window });
	return delta === null ? undefined : Math.floor(now / stepMs) + delta;
}

function totpOf(secret: string, label = "account"): TOTP {
	return new TOTP({ issuer: "Lethe", label, secret: Secret.fromBase32(secret), digits: 6, period: stepMs / 1000 });
}
