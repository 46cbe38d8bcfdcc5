// Whether a keyed hash is one of those that it may be, in the same time whichever it is and however they differ.

import { timingSafeEqual } from "node:crypto";

/** False for none; that takes as long. */
export function isAmong(macs: readonly string[], given: string | undefined): boolean {
	return macs.map((mac) => isSame(mac, given ?? mac)).includes(true) && given !== undefined;
}

function isSame(one: string, other: string): boolean {
	const [a, b] = [Buffer.from(one), Buffer.from(other)];
	return a.length === b.length && timingSafeEqual(a, b);
}
