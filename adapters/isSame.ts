// Compares what was given with a secret's product, in time that does not depend on where they differ.

import { timingSafeEqual } from "node:crypto";

export function isSame(given: string, expected: string): boolean {
	const [a, b] = [Buffer.from(given, "utf8"), Buffer.from(expected, "utf8")];
	return a.length === b.length && timingSafeEqual(a, b);
}
